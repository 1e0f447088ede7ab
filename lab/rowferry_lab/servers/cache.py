"""Folders that are made once and kept: unpacked servers, and data directories ready to be copied.

Any number of runs may share the cache. A folder is built under another name, with a lock held, and
renamed when it is complete, so that nobody ever sees half of one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rowferry_lab.servers import accounts
from rowferry_lab.servers.messages import say

# Where root keeps it if its home is closed to others: the user that Postgres runs as must get in.
_SYSTEM_CACHE = Path("/var/cache/rowferry/servers")


def cache_folder() -> Path:
    """Give the folder that holds everything, made if need be."""
    folder = _user_cache() / "rowferry" / "servers"
    if accounts.is_root() and not accounts.is_open_to_all(_nearest_existing(folder)):
        folder = _SYSTEM_CACHE
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    return folder


def _user_cache() -> Path:
    given = os.environ.get("XDG_CACHE_HOME", "")
    return Path(given) if given.startswith("/") else Path.home() / ".cache"


def _nearest_existing(folder: Path) -> Path:
    return next(part for part in (folder, *folder.parents) if part.is_dir())


def build_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """Return the folder, built first if it is not there yet; only one process builds it."""
    if folder.is_dir():
        return folder
    with _locked(folder):
        if not folder.is_dir():
            _build(folder, build)
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    prefix = f".{folder.name}.partial-"
    for stale in folder.parent.glob(f"{prefix}*"):  # we hold the lock: whoever made it is gone
        shutil.rmtree(stale, ignore_errors=True)
    partial = folder.with_name(f"{prefix}{os.getpid()}")
    partial.mkdir(mode=0o755)
    partial.chmod(0o755)  # whatever the umask: the user that Postgres runs as must get in
    try:
        build(partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that is making {folder.name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def copy_folder(origin: Path, target: Path) -> None:
    """Copy a folder with its owners and modes, sharing blocks where the file system can."""
    subprocess.run(["cp", "-a", "--reflink=auto", "--sparse=auto", f"{origin}/.", str(target)], check=True)
