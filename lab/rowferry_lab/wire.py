"""A line to a server that can be frozen, cut and mended: the network's faults without touching the server."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

from rowferry_lab.servers.ports import LOOPBACK

_PIECE_BYTES: Final = 65_536


class Wire:
    """Listens on `port` of the loopback interface and passes everything on, both ways, until `close`."""

    def __init__(self, port: int) -> None:
        """port: the server's, on this machine."""
        self._target = port
        self._flows = threading.Event()
        self._flows.set()
        self._cut = False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Hold back every byte; connections stay open."""
        self._flows.clear()

    def cut(self) -> None:
        """End all connections, and each new one at once."""
        self._cut = True
        self._drop()

    def mend(self) -> None:
        """Let everything through again."""
        self._cut = False
        self._flows.set()

    def close(self) -> None:
        """End everything."""
        self.cut()
        self._flows.set()
        self._listener.close()

    def _drop(self) -> None:
        for end in tuple(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                near.close()
                continue
            far = socket.create_connection((LOOPBACK, self._target))
            for one, other in ((near, far), (far, near)):
                self._open.add(one)
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(_PIECE_BYTES):
                self._flows.wait()
                other.sendall(piece)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.discard(one)
