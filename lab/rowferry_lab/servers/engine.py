"""What differs between the products: how a data directory is made, how a server is started and asked."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rowferry_lab.servers.binaries import Binaries


@dataclass(frozen=True, slots=True)
class Place:
    """Where one server lives: a short folder for its sockets and log, and its data directory."""

    folder: Path
    data: Path

    @property
    def log(self) -> Path:
        """The server's own words."""
        return self.folder / "server.log"

    @property
    def scratch(self) -> Path:
        """The server's folder for temporary files."""
        return self.folder / "tmp"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says when it is asked over the network."""

    version_text: str
    data: Path


class Engine(Protocol):
    """A product's ways. Stateless; one object serves all its servers."""

    user: str
    """The superuser, who has no password on loopback."""
    clean_end: signal.Signals
    """Asks the server to shut down in order, without waiting for its clients."""
    abrupt_end: signal.Signals
    """Ends the server at once; its data directory is thrown away (or recovers)."""
    taken_port_words: tuple[str, ...]
    """What its log says when the port is somebody else's."""

    def initial_options(self, options: Sequence[str]) -> list[str]:
        """Pick the options that already decide how a data directory is made."""

    def initialise(self, binaries: Binaries, place: Place, options: Sequence[str]) -> None:
        """Fill an empty data directory; `subprocess.CalledProcessError` if the program fails."""

    def command(self, binaries: Binaries, place: Place, port: int, options: Sequence[str]) -> list[str]:
        """Give the command that starts the server."""

    def ask(self, host: str, port: int) -> Answer | None:
        """Log in over the network; None while the server does not let us."""
