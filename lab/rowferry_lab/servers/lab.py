"""Several servers at once: each started on demand, in parallel with the others, handed out again and again.

Nothing is left running, however the program ends: `close` (also at exit) stops the servers, and where it is
not reached (SIGTERM, SIGKILL), the supervisor of each server does.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

from rowferry_lab.servers.errors import ProviderUnavailable
from rowferry_lab.servers.providers import start
from rowferry_lab.servers.running import RunningServer
from rowferry_lab.servers.spec import ServerSpec

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Wish:
    """What makes two requests the same server."""

    spec: ServerSpec
    options: tuple[str, ...]
    name: str


class Lab:
    """A set of servers that live as long as the `with` block, or until `close`."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._futures: dict[_Wish, Future[RunningServer]] = {}
        self._executor = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lab")
        atexit.register(self.close)

    def prefetch(self, *specs: ServerSpec | str) -> None:
        """Begin to start servers, and do not wait for them."""
        for spec in specs:
            self._future(_wish(spec))

    def server(self, spec: ServerSpec | str, *, options: Sequence[str] = (), name: str = "") -> RunningServer:
        """Give the server, started if it is the first to ask for it.

        The same spec, options and name give the same server; another name, another one.
        """
        return self._future(_wish(spec, options, name)).result()

    def servers(self, *specs: ServerSpec | str) -> list[RunningServer]:
        """Give several servers, started in parallel."""
        self.prefetch(*specs)
        return [self.server(spec) for spec in specs]

    def running(self) -> list[RunningServer]:
        """Give the servers that have been started so far."""
        return [future.result() for future in self._done() if future.exception() is None]

    def missing(self) -> list[ProviderUnavailable]:
        """Give what was asked for and is not to be had on this machine."""
        errors = [future.exception() for future in self._done()]
        return [error for error in errors if isinstance(error, ProviderUnavailable)]

    def close(self) -> None:
        """Stop every server that was started; may be called again, and asked for no more servers."""
        if os.getpid() != self._owner:  # a forked child has a copy of this object, not the servers
            return
        atexit.unregister(self.close)
        self._executor.shutdown(wait=True, cancel_futures=True)
        servers = self.running()
        with self._lock:
            self._futures.clear()
        for server in servers:  # one after the other: no thread can be started while the interpreter ends
            server.handle.discard()

    def _done(self) -> list[Future[RunningServer]]:
        with self._lock:
            return [future for future in self._futures.values() if future.done() and not future.cancelled()]

    def _future(self, wish: _Wish) -> Future[RunningServer]:
        with self._lock:
            if wish not in self._futures:
                self._futures[wish] = self._executor.submit(start, wish.spec, options=wish.options)
            return self._futures[wish]

    def __enter__(self) -> Lab:
        """Enter the laboratory."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self.close()


def _wish(spec: ServerSpec | str, options: Sequence[str] = (), name: str = "") -> _Wish:
    return _Wish(ServerSpec.parse(spec) if isinstance(spec, str) else spec, tuple(options), name)
