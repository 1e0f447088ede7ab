"""What every provider of servers can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rowferry_lab.servers.running import RunningServer
from rowferry_lab.servers.spec import ServerSpec


class Provider(Protocol):
    """One way to come by a server."""

    name: str

    def check(self, spec: ServerSpec) -> str:
        """Say in a few words how it would serve this; raises `ProviderUnavailable`. Fetches nothing."""

    def start(self, spec: ServerSpec, options: Sequence[str], data_dir: Path | None) -> RunningServer:
        """Start the server and wait until it answers; raises `ProviderUnavailable` if it cannot."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Which provider would serve a server and how, or (provider None) why nobody can."""

    spec: ServerSpec
    provider: str | None
    detail: str

    def __bool__(self) -> bool:
        """Whether it is to be had."""
        return self.provider is not None
