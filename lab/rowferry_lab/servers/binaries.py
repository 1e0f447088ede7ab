"""A server's programs and the files that belong to them, wherever they were found.

Finds them on PATH (and where distributions put servers that ordinary users do not start) and in a folder
of unpacked packages. Starts nothing but `--version`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rowferry_lab.servers.spec import Product, Reported, ServerSpec, read_version

_PROGRAMS: dict[Product, tuple[str, ...]] = {
    "mariadb": ("mariadbd", "mysqld"),
    "mysql": ("mysqld",),
    "postgres": ("postgres",),
}
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec")
_POSTGRES_FOLDERS = "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"
_VERSION_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation: the command that starts its server, and the prefix its files are under."""

    product: Product
    command: tuple[str, ...]
    program: Path
    prefix: Path
    version: str

    def beside(self, name: str) -> Path:
        """Give another program of the same installation."""
        return self.program.with_name(name)

    def folder(self, *names: str) -> Path | None:
        """Give the first of the folders below the prefix that exists."""
        return next((self.prefix / name for name in names if (self.prefix / name).is_dir()), None)


def on_path(spec: ServerSpec) -> Binaries | None:
    """Find an installed server of the wanted version."""
    return _matching(spec, _installed(spec.product))


def unpacked(spec: ServerSpec, root: Path) -> Binaries | None:
    """Find the server in a folder of unpacked packages; it runs with the C library of its own release."""
    return _matching(spec, _in_root(spec.product, root))


def _matching(spec: ServerSpec, found: Iterator[tuple[tuple[str, ...], Path]]) -> Binaries | None:
    for command, program in found:
        reported = ask_version(spec.product, command)
        if reported is not None and spec.is_met_by(reported.product, reported.version):
            prefix = program.parent.parent
            return Binaries(spec.product, command, program, prefix, reported.version)
    return None


def _installed(product: Product) -> Iterator[tuple[tuple[str, ...], Path]]:
    folders = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    folders += [Path(part) for part in _SYSTEM_FOLDERS]
    if product == "postgres":
        folders += [path for pattern in _POSTGRES_FOLDERS for path in sorted(Path("/").glob(pattern[1:]))]
    seen: set[Path] = set()
    for folder in folders:
        for name in _PROGRAMS[product]:
            found = shutil.which(name, path=str(folder))
            program = Path(found).resolve() if found else None
            if program is not None and program not in seen and _is_complete(product, program):
                seen.add(program)
                yield (str(program),), program


def _is_complete(product: Product, program: Path) -> bool:
    return product != "postgres" or program.with_name("initdb").exists()


def _in_root(product: Product, root: Path) -> Iterator[tuple[tuple[str, ...], Path]]:
    if product == "postgres":  # its programs call each other: see `wrap_programs`
        for program in sorted(root.glob("usr/lib/postgresql/*/bin/postgres")):
            yield (str(program),), program
        return
    for name in _PROGRAMS[product]:
        program = root / "usr/sbin" / name
        if program.is_file():
            yield (*loader_command(root), str(program)), program


def loader_command(root: Path) -> tuple[str, ...]:
    """Give the start of a command that runs a program of the root with the root's own libraries."""
    folders = [path for pattern in ("lib/*-linux-*", "usr/lib/*-linux-*") for path in root.glob(pattern)]
    for folder in folders:
        for name in ("ld-linux*.so*", "ld-2*.so"):
            for loader in sorted(folder.glob(name)):
                if loader.is_file() and not loader.is_symlink():  # some releases link to an absolute path
                    return (str(loader), "--library-path", ":".join(map(str, folders)))
    raise FileNotFoundError(f"no program loader among the packages in {root}")


_WRAPPER = """\
#!/bin/sh
# Starts {name} with the libraries of its own release, wherever this folder is.
bin=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$bin/{up}" && pwd)
exec "$root/{loader}" --library-path "{libraries}" --argv0 "$bin/{name}" "$bin/.{name}" "$@"
"""


def wrap_programs(root: Path) -> None:
    """Put a wrapper in front of each Postgres program, since they start each other by path."""
    loader, _, libraries = loader_command(root)
    relative = [str(Path(folder).relative_to(root)) for folder in libraries.split(":")]
    for program in root.glob("usr/lib/postgresql/*/bin/*"):
        real = program.rename(program.with_name(f".{program.name}"))
        program.write_text(
            _WRAPPER.format(
                name=program.name,
                up="/".join([".."] * len(real.parent.relative_to(root).parts)),
                loader=Path(loader).relative_to(root),
                libraries=":".join(f"$root/{folder}" for folder in relative),
            )
        )
        program.chmod(0o755)


def ask_version(product: Product, command: Sequence[str]) -> Reported | None:
    """Ask a server program for its version; None where it cannot be run or says something else."""
    arguments = ["--version"] if product == "postgres" else ["--no-defaults", "--version"]
    try:
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_version(product, done.stdout) if done.returncode == 0 else None
