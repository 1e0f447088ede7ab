"""Programs that tests use beside the servers: installed ones, else those of the distribution's packages.

A package of this machine's own release is unpacked with its dependencies into the cache folder; nothing is
installed, and no root is needed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from rowferry_lab.servers import apt_sources, cache
from rowferry_lab.servers.apt_packages import AptFailed, PrivateApt
from rowferry_lab.servers.catalogue import Offer
from rowferry_lab.servers.errors import LabError
from rowferry_lab.servers.messages import say

_OS_RELEASE = Path("/etc/os-release")
_APT = ("apt-get", "apt-cache", "dpkg")
_MOST_MIRRORS = 3


class ToolUnavailable(LabError):
    """The program is neither installed nor to be had; tests that need it cannot run."""


def find(program: str, package: str) -> Path:
    """Give a program's path: an installed one, or the one in the package. Raises `ToolUnavailable`."""
    installed = shutil.which(program)
    if installed:
        return Path(installed)
    root = package_folder(package)
    for folder in ("usr/bin", "usr/sbin", "bin"):
        if (root / folder / program).is_file():
            return root / folder / program
    raise ToolUnavailable(f"there is no {program} in {root}; remove that folder")


def library_path(root: Path) -> str:
    """Give the LD_LIBRARY_PATH of an unpacked package: its own libraries without the C library's."""
    folders = [path for pattern in ("lib/*-linux-*", "usr/lib/*-linux-*") for path in root.glob(pattern)]
    return os.pathsep.join(str(folder) for folder in folders)


def package_folder(package: str) -> Path:
    """Give the folder of an unpacked package of this machine's release. Raises `ToolUnavailable`."""
    text = _OS_RELEASE.read_text() if _OS_RELEASE.is_file() else ""
    release = apt_sources.read_distribution(text)
    missing = [name for name in _APT if shutil.which(name) is None]
    if missing:
        raise ToolUnavailable(f"{package} is not installed, and this machine has no {', '.join(missing)}")
    folder = cache.cache_folder() / f"tool-{release.codename}-{package}"
    return cache.build_once(folder, lambda partial: _fetch(package, release.codename, partial))


def _fetch(package: str, codename: str, root: Path) -> None:
    sources = apt_sources.mirrors(apt_sources.read_machine(), codename)[:_MOST_MIRRORS]
    reasons = []
    for source in sources:
        try:
            _unpack(package, source, codename, root)
        except AptFailed as error:
            reasons.append(str(error))
        else:
            return
    raise ToolUnavailable(f"{package} cannot be fetched: {'; '.join(reasons) or 'no mirror is known'}")


def _unpack(package: str, source: apt_sources.Source, codename: str, root: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".apt-", dir=root) as folder:
        apt = PrivateApt(Path(folder), source, Offer(codename, package))
        apt.update()
        download = apt.plan(package)
        say(f"fetching {package} ({download.size_bytes / 1e6:.0f} MB) into {root.parent}")
        apt.unpack(download, root)
    for name in ("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux*"):
        for found in (*root.glob(f"lib/*-linux-*/{name}"), *root.glob(f"usr/lib/*-linux-*/{name}")):
            found.unlink()  # the machine's own C library serves
