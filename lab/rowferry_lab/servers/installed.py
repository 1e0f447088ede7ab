"""Servers out of binaries that are installed on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rowferry_lab.servers import binaries
from rowferry_lab.servers.errors import ProviderUnavailable
from rowferry_lab.servers.local import Installation, start_local
from rowferry_lab.servers.running import RunningServer
from rowferry_lab.servers.spec import ServerSpec


class PathProvider:
    """Serves from PATH and from where distributions put their servers."""

    name = "path"

    def check(self, spec: ServerSpec) -> str:
        """Look for a binary of the wanted version."""
        return f"installed, {self._find(spec).program}"

    def start(self, spec: ServerSpec, options: Sequence[str], data_dir: Path | None) -> RunningServer:
        """Start a server of our own out of the installed binary."""
        return start_local(Installation(spec, self.name, self._find(spec)), options, data_dir)

    def _find(self, spec: ServerSpec) -> binaries.Binaries:
        found = binaries.on_path(spec)
        if found is None:
            raise ProviderUnavailable(spec, "no installed server of that version")
        return found
