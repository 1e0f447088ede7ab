"""Plays systemd: a notify socket as sd_notify(3) describes it, and what came in there."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.acceptance.harness import wait_until

_CREDENTIALS: Final = struct.Struct("3i")


@dataclass(frozen=True)
class Message:
    """A line that came in. at: seconds, monotonic. process: who sent it, as the kernel says."""

    at: float
    process: int
    name: str
    value: str


@dataclass
class Manager:
    """The messages so far. environment: what the service is started with."""

    environment: dict[str, str]
    messages: list[Message] = field(default_factory=list)

    def named(self, name: str, since: float = 0.0) -> list[Message]:
        """Those with that name."""
        return [m for m in list(self.messages) if m.name == name and m.at >= since]

    def wait(self, name: str, text: str = "", since: float = 0.0) -> Message:
        """The first that holds the text; waits for it."""
        wait_until(
            f"{name}={text}",
            lambda: any(text in m.value for m in self.named(name, since)),
        )
        return next(m for m in self.named(name, since) if text in m.value)


@contextmanager
def service_manager(address: Path | str, *, watchdog_seconds: float) -> Iterator[Manager]:
    """Listen for the length of a block. address: a path, or an abstract name with `@` in front."""
    text = str(address)
    manager = Manager({"NOTIFY_SOCKET": text, "WATCHDOG_USEC": str(int(watchdog_seconds * 1e6))})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        listener.bind("\0" + text[1:] if text.startswith("@") else text)
        listener.settimeout(0.2)
        ended = threading.Event()
        thread = threading.Thread(target=_listen, args=(listener, manager, ended))
        thread.start()
        try:
            yield manager
        finally:
            ended.set()
            thread.join()


def _listen(listener: socket.socket, manager: Manager, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            data, extra, _, _ = listener.recvmsg(8192, socket.CMSG_SPACE(_CREDENTIALS.size))
        except TimeoutError:
            continue
        process = _CREDENTIALS.unpack(extra[0][2])[0]
        for line in data.decode().splitlines():
            name, _, value = line.partition("=")
            manager.messages.append(Message(time.monotonic(), process, name, value))
