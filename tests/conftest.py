"""Real servers for the tests, each started when the first test needs it and once for the whole run.

With several workers (`pytest -n 3 --dist loadfile`) each has servers of its own. A server that this machine
cannot get makes the tests that need it skip, with the reason, and the summary counts them; where all
servers are required (ROWFERRY_REQUIRE_ALL_SERVERS=1, or CI), those tests fail.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import hypothesis
import pytest

from rowferry_lab.servers import (
    DestinationDatabase,
    Lab,
    ProviderUnavailable,
    RunningServer,
    ServerSpec,
    SourceDatabase,
    fresh_destination_database,
    fresh_source_database,
)

SOURCES = ("mariadb_10_5", "mariadb_10_11", "mariadb_11_8", "mysql_9_7")
DESTINATIONS = ("postgres_15", "postgres_17")

hypothesis.settings.register_profile("no times", deadline=None)
hypothesis.settings.load_profile("no times")


@dataclass
class LabReport:
    """What the summary tells of the servers."""

    needed: tuple[ServerSpec, ...] = ()
    used: set[str] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)
    tests_not_run: Counter[str] = field(default_factory=Counter)


REPORT = pytest.StashKey[LabReport]()


def spec_of(fixture_name: str) -> ServerSpec:
    """Read a fixture's name: `mariadb_10_5` is MariaDB 10.5."""
    product, _, version = fixture_name.partition("_")
    return ServerSpec.parse(f"{product}:{version.replace('_', '.')}")


def all_servers_required() -> bool:
    """Say whether a missing server is a failure: so that CI never passes by skipping."""
    values = (os.environ.get(name, "") for name in ("ROWFERRY_REQUIRE_ALL_SERVERS", "CI"))
    return any(value.lower() not in {"", "0", "false", "no"} for value in values)


def end_without(reason: str) -> NoReturn:
    """End a test for want of a server or a program: it skips, or fails where all are required."""
    if all_servers_required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def servers_of(item: pytest.Item) -> Iterator[str]:
    """Name the server fixtures that a test will use."""
    names = set(getattr(item, "fixturenames", ()))
    callspec = getattr(item, "callspec", None)
    parameters = set(map(str, callspec.params.values())) if callspec else set()
    yield from (name for name in (*SOURCES, *DESTINATIONS) if name in names | parameters)
    if "destination" in names and parameters.isdisjoint(DESTINATIONS):
        yield destination_for(parameters)


def destination_for(parameters: Iterable[str]) -> str:
    """Choose the Postgres for a test that leaves it open: mostly 15, and 17 with the newest source."""
    return "postgres_17" if SOURCES[-1] in parameters else "postgres_15"


def pytest_configure(config: pytest.Config) -> None:
    """Make the place where the run's servers are noted."""
    config.stash[REPORT] = LabReport()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which servers this run needs, so that the first that is asked for starts them all."""
    names = dict.fromkeys(name for item in session.items for name in servers_of(item))
    session.config.stash[REPORT].needed = tuple(map(spec_of, names))


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """Give the laboratory; what it started is stopped at the end."""
    with Lab() as laboratory:
        laboratory.prefetch(*pytestconfig.stash[REPORT].needed)
        yield laboratory
        pytestconfig.stash[REPORT].used |= set(map(shown, laboratory.running()))


def shown(server: RunningServer) -> str:
    """A server in one line of the summary."""
    return f"{server.spec.title}: {server.version_text} (from: {server.provider})"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands what it noted to the process that writes the summary."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        report = session.config.stash[REPORT]
        output["lab"] = (sorted(report.used), report.missing, dict(report.tests_not_run))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take what a worker noted."""
    used, missing, not_run = getattr(node, "workeroutput", {}).get("lab", ((), {}, {}))
    report = node.config.stash[REPORT]
    report.used |= set(used)
    report.missing |= missing
    report.tests_not_run.update(not_run)


class GetServer(Protocol):
    """The way to a server for whoever needs more than the fixtures below give."""

    def __call__(self, spec: ServerSpec, *, options: Sequence[str] = (), name: str = "") -> RunningServer:
        """Give the server; another name gives another server, which the test may stop or kill."""


@pytest.fixture(scope="session")
def get_server(lab: Lab, pytestconfig: pytest.Config) -> GetServer:
    """Give servers by their spec, or end the test as the policy on missing servers says."""

    def get(spec: ServerSpec, *, options: Sequence[str] = (), name: str = "") -> RunningServer:
        try:
            return lab.server(spec, options=options, name=name)
        except ProviderUnavailable as error:
            pytestconfig.stash[REPORT].missing[str(spec)] = str(error)
            reason = f"no server {spec}: {error}"
        end_without(reason)

    return get


@pytest.fixture(scope="session")
def mariadb_10_5(get_server: GetServer) -> RunningServer:
    """Give MariaDB 10.5, the version that OpenDental installs."""
    return get_server(spec_of("mariadb_10_5"))


@pytest.fixture(scope="session")
def mariadb_10_11(get_server: GetServer) -> RunningServer:
    """Give MariaDB 10.11."""
    return get_server(spec_of("mariadb_10_11"))


@pytest.fixture(scope="session")
def mariadb_11_8(get_server: GetServer) -> RunningServer:
    """Give MariaDB 11.8, which sends no positions inside transactions."""
    return get_server(spec_of("mariadb_11_8"))


@pytest.fixture(scope="session")
def mysql_9_7(get_server: GetServer) -> RunningServer:
    """Give MySQL 9.7, with GTIDs on."""
    return get_server(spec_of("mysql_9_7"))


@pytest.fixture(scope="session")
def postgres_15(get_server: GetServer) -> RunningServer:
    """Give PostgreSQL 15."""
    return get_server(spec_of("postgres_15"))


@pytest.fixture(scope="session")
def postgres_17(get_server: GetServer) -> RunningServer:
    """Give PostgreSQL 17."""
    return get_server(spec_of("postgres_17"))


@pytest.fixture(scope="session", params=SOURCES)
def source(request: pytest.FixtureRequest, get_server: GetServer) -> RunningServer:
    """Give each of the sources in turn."""
    return get_server(spec_of(request.param))


@pytest.fixture
def destination(request: pytest.FixtureRequest, get_server: GetServer) -> RunningServer:
    """Give a Postgres: 15, or 17 beside MySQL; a test may choose by indirect parametrisation."""
    callspec = getattr(request.node, "callspec", None)
    parameters = map(str, callspec.params.values()) if callspec else ()
    return get_server(spec_of(getattr(request, "param", destination_for(parameters))))


@pytest.fixture
def source_database(source: RunningServer) -> Iterator[SourceDatabase]:
    """Give an empty database on the source; it is dropped after the test."""
    with fresh_source_database(source, "test") as database:
        yield database


@pytest.fixture
def destination_database(destination: RunningServer) -> Iterator[DestinationDatabase]:
    """Give an empty database on the destination; it is dropped after the test."""
    with fresh_destination_database(destination, "test") as database:
        yield database


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Count the tests that did not run for want of a server."""
    report = yield
    text = str(call.excinfo.value) if call.excinfo else ""
    if call.when == "setup" and text.startswith("no server "):
        item.config.stash[REPORT].tests_not_run[text.split(": ")[0].removeprefix("no server ")] += 1
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell which servers the tests ran against, and which tests did not run for want of one."""
    report = config.stash[REPORT]
    if not report.used and not report.missing:
        return
    terminalreporter.section("servers")
    for line in sorted(report.used):
        terminalreporter.write_line(line)
    for name, error in sorted(report.missing.items()):
        count = report.tests_not_run[name]
        terminalreporter.write_line(f"MISSING {error}; {count} tests did not run", red=True)
