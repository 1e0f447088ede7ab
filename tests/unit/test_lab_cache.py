"""The cache of unpacked servers: built once, whole or not at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rowferry_lab.servers import accounts, cache
from rowferry_lab.servers.cache import build_once


def test_folder_is_built_once_by_many(tmp_path: Path) -> None:
    """Two runs of the tests may start at the same time."""
    builds: list[str] = []

    def build(partial: Path) -> None:
        builds.append(partial.name)
        (partial / "file").write_text("whole")

    runners = [
        threading.Thread(target=build_once, args=(tmp_path / "server", build), daemon=True) for _ in range(8)
    ]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(10)
    assert len(builds) == 1
    assert (tmp_path / "server" / "file").read_text() == "whole"


def test_failed_build_leaves_nothing(tmp_path: Path) -> None:
    """Half a server must never be started."""

    def build(partial: Path) -> None:
        (partial / "half").touch()
        raise OSError("the network went away")

    with pytest.raises(OSError, match="network"):
        build_once(tmp_path / "server", build)
    assert [path.name for path in tmp_path.iterdir()] == [".server.lock"]


def test_remains_of_a_killed_build_are_removed(tmp_path: Path) -> None:
    """A build that was killed cannot clean up; the next one does."""
    remains = tmp_path / ".server.partial-1"
    remains.mkdir()
    build_once(tmp_path / "server", lambda partial: None)
    assert not remains.exists()
    assert (tmp_path / "server").is_dir()


def test_cache_is_in_the_user_s_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where whoever cleans up looks for such things."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(accounts, "is_root", lambda: False)
    assert cache.cache_folder() == tmp_path / "rowferry" / "servers"


def test_root_with_a_closed_home_uses_the_system_s_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres runs as another user there, who could not read its own programs below root's home."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setattr(accounts, "is_root", lambda: True)
    monkeypatch.setattr(cache, "_SYSTEM_CACHE", tmp_path / "system")
    assert cache.cache_folder() == tmp_path / "system"
