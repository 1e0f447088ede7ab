"""What this machine must be like: the working folder, room, limits, versions, secrets in files, the port."""

from __future__ import annotations

import os
import resource
import socket
import stat
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from rowferry.findings import FAILURE, FILE, HOST, OK, WARNING, Finding, Level, size
from rowferry.setting_groups import split_listen
from rowferry.settings import LISTEN_OFF, Settings
from rowferry.state_dir import nearest_folder

TESTED: Final = {"dlt": "1.31.0", "mysql-replication": "1.0.17"}
"""The versions of the two libraries whose inner workings are relied on; pyproject.toml pins them."""
_BATCHES_ON_DISK: Final = 16
_LEAST_MEMORY: Final = 512 << 20
_LEAST_INODES: Final = 1_000
_LEAST_FILES: Final = 256
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def check_host(settings: Settings, *, at_work: bool) -> Iterator[Finding]:
    """Everything about this machine and the settings file. at_work: whether a daemon holds the lock."""
    yield from _state_dir(settings)
    yield from _memory()
    yield _open_files()
    yield _versions()
    yield _settings_file(settings)
    yield _port(settings.http.listen, at_work)


def _state_dir(settings: Settings) -> Iterator[Finding]:
    """The working folder: writable, private, and on a disk with room."""
    folder = settings.state_dir.absolute()
    nearest = nearest_folder(folder)
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        remedy = f"let this account write {nearest}, or set state_dir to a folder of its own"
        yield Finding("state_dir", FAILURE, f"state_dir={folder}", remedy, where=HOST)
        return
    yield Finding("state_dir", OK, f"state_dir={folder}", where=HOST)
    if nearest == folder and folder.stat().st_mode & _OTHERS and any(folder.iterdir()):
        detail = "others may look into it, and rows pass through it"
        yield Finding("state_dir mode", WARNING, detail, f"chmod 700 {folder}", where=HOST)
    found = os.statvfs(nearest)
    free, needed = found.f_bavail * found.f_frsize, _BATCHES_ON_DISK * settings.batch.max_bytes
    short = found.f_files and found.f_favail < _LEAST_INODES
    level: Level = WARNING if free < needed or short else OK
    detail = f"{size(free)} free" + (f", {found.f_favail} inodes free" if short else "")
    remedy = f"free some space: {size(needed)} at least" if level == WARNING else ""
    yield Finding("state_dir space", level, detail, remedy, where=HOST)


def _memory() -> Iterator[Finding]:
    """What Linux says can be had without swapping (/proc/meminfo)."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return
    kib = next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)
    if kib is None:
        return
    level: Level = OK if kib << 10 >= _LEAST_MEMORY else WARNING
    remedy = "" if level == OK else f"free some memory: {size(_LEAST_MEMORY)} at least"
    yield Finding("memory", level, f"{size(kib << 10)} can be had", remedy, where=HOST)


def _open_files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _LEAST_FILES:
        return Finding("open files", OK, f"up to {soft}", where=HOST)
    remedy = "raise it (ulimit -n 1024, or LimitNOFILE=1024 in the unit)"
    return Finding("open files", WARNING, f"only up to {soft}", remedy, where=HOST)


def _versions() -> Finding:
    python = ".".join(map(str, sys.version_info[:3]))
    found = {}
    for package in TESTED:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    detail = f"Python {python}, " + ", ".join(f"{p} {v}" for p, v in found.items())
    if found == TESTED:
        return Finding("libraries", OK, detail, where=HOST)
    wanted = " ".join(f"{p}=={v}" for p, v in TESTED.items())
    remedy = f"install the versions that Rowferry was tested with: {wanted}"
    return Finding("libraries", WARNING, detail, remedy, where=HOST)


def _settings_file(settings: Settings) -> Finding:
    path = settings.toml_path
    if path is None:
        return Finding("settings", OK, "from the environment; no file was read", where=FILE)
    if not _has_secret(path):
        return Finding("settings", OK, f"{path}: no password in it", where=FILE)
    if path.stat().st_mode & _OTHERS:
        detail = f"{path} holds a password, and others may read it"
        return Finding("settings", WARNING, detail, f"chmod 600 {path}", where=FILE)
    return Finding("settings", OK, f"{path}: only its owner may read it", where=FILE)


def _has_secret(path: Path) -> bool:
    document: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    groups = [g for g in (document.get("source"), document.get("destination")) if isinstance(g, dict)]
    return any(g.get("password") or urlsplit(str(g.get("url", ""))).password for g in groups)


def _port(listen: str, at_work: bool) -> Finding:
    """Whether the daemon can listen there, or probably does."""
    if listen == LISTEN_OFF:
        return Finding("http.listen", OK, "off: no metrics and no status by HTTP", where=FILE)
    host, port = split_listen(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except (OSError, OverflowError) as error:
            if at_work:
                return Finding("http.listen", OK, f"{listen}: in use, and a daemon is at work", where=FILE)
            reason = getattr(error, "strerror", None) or "it is no port"
            remedy = "unless it is Rowferry's own daemon: choose another address and port for http.listen"
            return Finding("http.listen", WARNING, f"{listen}: {reason}", remedy, where=FILE)
    return Finding("http.listen", OK, f"{listen} is free", where=FILE)
