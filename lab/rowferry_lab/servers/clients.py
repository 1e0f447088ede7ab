"""The servers' command line clients: installed ones, else those of the packages that the lab unpacks."""

from __future__ import annotations

import shutil

from rowferry_lab.servers import binaries, cache
from rowferry_lab.servers.errors import ProviderUnavailable
from rowferry_lab.servers.packages import client_folder
from rowferry_lab.servers.spec import ServerSpec

_NAMES = {"mariadb": ("mariadb", "mysql"), "mysql": ("mysql",)}


def source_client(spec: ServerSpec) -> tuple[str, ...]:
    """Give the start of a command that runs `mariadb` or `mysql`. Raises `ProviderUnavailable`."""
    names = _NAMES[spec.product]
    installed = next(filter(None, map(shutil.which, names)), None)
    if installed:
        return (installed,)
    root = client_folder(spec)
    for name in names:
        program = root / "usr/bin" / name
        if program.is_file():
            return (*binaries.loader_command(root), str(program))
    raise ProviderUnavailable(spec, f"there is no client in {root}", hint="remove that folder")


def psql(spec: ServerSpec) -> tuple[str, ...]:
    """Give the command `psql` of a Postgres of that version. Raises `ProviderUnavailable`."""
    root = cache.cache_folder() / spec.folder_name
    found = binaries.on_path(spec) or (binaries.unpacked(spec, root) if root.is_dir() else None)
    program = found.beside("psql") if found else None
    installed = str(program) if program and program.is_file() else shutil.which("psql")
    if installed is None:
        raise ProviderUnavailable(spec, "no psql")
    return (installed,)
