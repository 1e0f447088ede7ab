"""A server that runs, as its users see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from rowferry_lab.servers.spec import ServerSpec


class Handle(Protocol):
    """What the provider can do to a server that it started."""

    @property
    def pid(self) -> int | None:
        """The server's process id, where it is a process of this machine that we started."""

    def stop(self) -> None:
        """Shut it down in order and remove what it leaves."""

    def shut_down(self) -> None:
        """Shut it down in order; its data stays, and `restart` brings it back."""

    def kill(self) -> None:
        """End it by SIGKILL; its data stays, and `restart` brings it back."""

    def restart(self) -> None:
        """Start it again on the same port and data, after an orderly shutdown if it still runs."""

    def discard(self) -> None:
        """Stop it the quickest way; its data is not wanted any more."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers. `provider` says where it came from: environment, path, docker or packages."""

    spec: ServerSpec
    provider: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    version_text: str
    handle: Handle = field(repr=False, compare=False)

    def url(self, database: str = "") -> str:
        """Give the URL of the server, or of one of its databases."""
        scheme = "postgresql" if self.spec.product == "postgres" else "mysql"
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        path = f"/{quote(database, safe='')}" if database else ""
        return f"{scheme}://{quote(self.user, safe='')}{secret}@{self.host}:{self.port}{path}"

    @property
    def pid(self) -> int | None:
        """The server's process id, where it is ours (None for containers and servers of others)."""
        return self.handle.pid

    def stop(self) -> None:
        """Shut the server down and remove its data directory (unless the caller gave it)."""
        self.handle.stop()

    def shut_down(self) -> None:
        """Shut the server down in order, and keep its data for `restart`."""
        self.handle.shut_down()

    def kill(self) -> None:
        """End the server by SIGKILL, and keep its data for `restart`."""
        self.handle.kill()

    def restart(self) -> None:
        """Bring the server back on the same port with the same data; waits until it answers."""
        self.handle.restart()
