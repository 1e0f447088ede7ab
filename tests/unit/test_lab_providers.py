"""In which order servers are looked for, and what is said when nobody has one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rowferry_lab.servers import ProviderUnavailable, RunningServer, ServerSpec, available, providers, start
from rowferry_lab.servers.binaries import on_path
from rowferry_lab.servers.environment import Address, EnvironmentProvider, NotStoppable, parse_url
from rowferry_lab.servers.errors import NotOurs
from rowferry_lab.servers.packages import PackagesProvider

SPEC = ServerSpec("mariadb", "10.5")


def running(provider: str) -> RunningServer:
    """Make a server that only says where it came from."""
    return RunningServer(SPEC, provider, "127.0.0.1", 3306, "root", "", "10.5.23-MariaDB", NotStoppable())


class Stub:
    """A provider that has the server, or says why not."""

    def __init__(self, name: str, refusal: str = "") -> None:
        """Choose."""
        self.name = name
        self._refusal = refusal

    def check(self, spec: ServerSpec) -> str:
        """Answer as chosen."""
        if self._refusal:
            raise ProviderUnavailable(spec, self._refusal)
        return "here"

    def start(self, spec: ServerSpec, options: Sequence[str], data_dir: Path | None) -> RunningServer:
        """Answer as chosen."""
        self.check(spec)
        return running(self.name)


def choose(monkeypatch: pytest.MonkeyPatch, *stubs: Stub) -> None:
    """Make these the only providers."""
    monkeypatch.setattr(providers, "_ALL", stubs)
    monkeypatch.delenv("ROWFERRY_LAB_PROVIDERS", raising=False)


def test_order_is_environment_path_docker_packages() -> None:
    """What the user named comes first; what takes a download comes last."""
    assert [one.name for one in providers.providers("")] == ["environment", "path", "docker", "packages"]


def test_variable_chooses_among_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    """To try one provider where another would be taken."""
    monkeypatch.setenv("ROWFERRY_LAB_PROVIDERS", "packages, docker")
    assert [one.name for one in providers.providers()] == ["packages", "docker"]
    with pytest.raises(ValueError, match="no provider pakages"):
        providers.providers("pakages")


def test_first_provider_that_has_the_server_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the ones behind it are not asked."""
    choose(monkeypatch, Stub("first", "not here"), Stub("second"), Stub("third"))
    assert start(SPEC).provider == "second"
    assert available(SPEC).provider == "second"


def test_all_refusals_are_told_when_nobody_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A skipped test must say what would have to change on this machine."""
    choose(monkeypatch, Stub("path", "no binary"), Stub("docker", "no engine"))
    with pytest.raises(ProviderUnavailable, match=r"path: no binary; docker: no engine") as caught:
        start(SPEC)
    assert "ROWFERRY_LAB_MARIADB_10_5_URL" in caught.value.hint
    assert not available(SPEC)
    assert available(SPEC).detail == "path: no binary; docker: no engine"


def test_url_of_the_environment_may_leave_things_out() -> None:
    """The defaults are those of the product."""
    assert parse_url("mariadb", "mysql://db.example") == Address("db.example", 3306, "root", "")
    assert parse_url("postgres", "postgresql://me:p%40ss@db.example:6000/x") == Address(
        "db.example", 6000, "me", "p@ss"
    )


def test_named_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable's name, so that a mistake in it is found."""
    monkeypatch.setenv("ROWFERRY_LAB_MARIADB_10_5_URL", "mysql://root@127.0.0.1:1")
    with pytest.raises(ProviderUnavailable, match="ROWFERRY_LAB_MARIADB_10_5_URL names"):
        EnvironmentProvider().check(SPEC)


def test_environment_without_urls_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual case."""
    for name in ("ROWFERRY_LAB_MARIADB_10_5_URL", "ROWFERRY_LAB_MARIADB_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ProviderUnavailable, match="ROWFERRY_LAB_MARIADB_10_5_URL is not set"):
        EnvironmentProvider().check(SPEC)


def test_server_of_somebody_else_is_never_stopped() -> None:
    """Stopping does nothing, killing is refused."""
    server = running("environment")
    server.stop()
    for order in (server.kill, server.restart, server.shut_down):
        with pytest.raises(NotOurs):
            order()


def test_url_quotes_what_needs_it() -> None:
    """A password may hold any character."""
    server = RunningServer(SPEC, "environment", "h", 1, "a b", "p@:/", "10.5", NotStoppable())
    assert server.url("d/b") == "mysql://a%20b:p%40%3A%2F@h:1/d%2Fb"
    assert "p@" not in repr(server)


def fake_program(folder: Path, name: str, words: str) -> Path:
    """Make a program that prints a version."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{words}'\n")
    program.chmod(0o755)
    return program


def test_installed_server_is_taken_only_in_the_wanted_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MariaDB's mysqld must not pass for MySQL, nor one version for another."""
    program = fake_program(tmp_path / "sbin", "mysqld", "mysqld  Ver 3.1.4-MariaDB for Linux on x86_64")
    monkeypatch.setenv("PATH", str(tmp_path / "sbin"))
    found = on_path(ServerSpec("mariadb", "3.1"))
    assert found is not None
    assert (found.program, found.prefix, found.version) == (program, tmp_path, "3.1.4")
    assert on_path(ServerSpec("mysql", "3.1")) is None
    assert on_path(ServerSpec("mariadb", "3.2")) is None


def test_postgres_without_initdb_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose data directory cannot be made is of no use."""
    fake_program(tmp_path, "postgres", "postgres (PostgreSQL) 99.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert on_path(ServerSpec("postgres", "99")) is None
    fake_program(tmp_path, "initdb", "")
    assert on_path(ServerSpec("postgres", "99")) is not None


def test_version_that_no_package_has_is_told_with_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL 8.0 is in Ubuntu's packages and not in Debian's, and the other way round for 9.7."""
    os_release = tmp_path / "os-release"
    os_release.write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    monkeypatch.setattr("rowferry_lab.servers.packages._OS_RELEASE", os_release)
    monkeypatch.setattr("rowferry_lab.servers.cache.cache_folder", lambda: tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(ProviderUnavailable, match=r"those of debian do; ubuntu has 8\.0"):
        PackagesProvider().check(ServerSpec("mysql", "9.7"))
