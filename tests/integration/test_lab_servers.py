"""The laboratory's servers: that they are what they promise to be, and that none outlives its user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql
import pytest

from rowferry_lab.servers import (
    DestinationDatabase,
    Lab,
    RunningServer,
    ServerFailed,
    ServerSpec,
    SourceDatabase,
    start,
)

if TYPE_CHECKING:
    from tests.conftest import GetServer

LAB_FOLDER = Path(__file__).parents[2] / "lab"

BINLOG_SETTINGS = {
    "log_bin": "1",
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_metadata": "FULL",
    "local_infile": "1",
}

# A program that starts servers and then waits to be killed; its output is a line when they run.
HOLDER = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have its children ignore
from rowferry_lab.servers import Lab
lab = Lab()
for server in lab.servers(*{specs!r}):
    print(server.pid, server.handle._place.folder, end=" ")
print(flush=True)
time.sleep(600)
"""


def wait_until(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Wait for a condition; say whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_ours(server: RunningServer) -> bool:
    """Say whether the server is a process that this run started, so that a test may kill it."""
    return server.pid is not None


def lasting_processes(folder: Path) -> list[str]:
    """Give the command lines of the processes that were started for a server's folder."""
    commands = (path.read_bytes() for path in running_commands())
    return [text.decode(errors="replace") for text in commands if str(folder).encode() in text]


def running_commands() -> Iterator[Path]:
    """Give /proc/N/cmdline of each process that still runs."""
    return (path for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())


@pytest.fixture(params=["mariadb:10.5", "mysql:9.7", "postgres:15"])
def own_server(request: pytest.FixtureRequest, get_server: GetServer) -> Iterator[RunningServer]:
    """Give a server that the test may do anything to: nobody else has it."""
    server = get_server(ServerSpec.parse(request.param), name=request.node.name)
    if not is_ours(server):
        pytest.skip("the server is not a process of ours")
    yield server
    server.stop()


class Table:
    """A table with one row, on a source or a destination."""

    def __init__(self, server: RunningServer) -> None:
        """Remember the server; databases of the system's own serve for the test."""
        name = "postgres" if server.spec.product == "postgres" else "mysql"
        self._database: SourceDatabase | DestinationDatabase = (
            DestinationDatabase(server, name)
            if server.spec.product == "postgres"
            else SourceDatabase(server, name)
        )

    def make(self) -> None:
        """Make it."""
        self._database.run("CREATE TABLE kept (id int PRIMARY KEY)", "INSERT INTO kept VALUES (7)")

    def keys(self) -> list[int]:
        """Give its keys."""
        return [row[0] for row in self._database.rows("SELECT id FROM kept")]


def test_source_answers_the_binlog_settings_as_promised(source: RunningServer) -> None:
    """The daemon's preflight would refuse anything else, and the tests would test the refusal."""
    names = ", ".join(f"@@global.{name}" for name in BINLOG_SETTINGS)
    row = SourceDatabase(source, "mysql").rows(f"SELECT {names}")[0]
    assert dict(zip(BINLOG_SETTINGS, map(str, row), strict=True)) == BINLOG_SETTINGS


def test_source_is_of_the_version_that_was_asked_for(source: RunningServer) -> None:
    """A test for MariaDB 10.5 that ran on 10.11 would prove nothing."""
    assert source.version_text.startswith(source.spec.version)
    assert ("mariadb" in source.version_text.lower()) == (source.spec.product == "mariadb")


def test_mysql_has_global_transaction_ids(mysql_9_7: RunningServer) -> None:
    """GTIDs are how a MySQL source says what a SELECT could see."""
    rows = SourceDatabase(mysql_9_7, "mysql").rows("SELECT @@gtid_mode, @@enforce_gtid_consistency")
    assert rows == [("ON", "ON")]


def test_root_may_do_everything_without_a_password(source: RunningServer) -> None:
    """The tests create users and grant them what a daemon needs."""
    assert source.password == ""
    grants = [str(row[0]) for row in SourceDatabase(source, "mysql").rows("SHOW GRANTS")]
    assert any("ON *.*" in grant and "WITH GRANT OPTION" in grant for grant in grants)


def test_no_user_without_a_name_gets_in(source: RunningServer) -> None:
    """An anonymous user would shadow the users that tests create."""
    with pytest.raises(pymysql.err.OperationalError):
        SourceDatabase(source, "mysql").connect(user="nobody-in-particular", database=None)


def test_servers_have_identities_of_their_own(
    mariadb_10_5: RunningServer, mysql_9_7: RunningServer, lab: Lab
) -> None:
    """Data directories are copies of a template: what identifies a server must not be copied."""
    second = lab.server(mysql_9_7.spec, name="second")
    uuids = {
        SourceDatabase(server, "mysql").rows("SELECT @@server_uuid")[0] for server in (mysql_9_7, second)
    }
    ids = [
        SourceDatabase(server, "mysql").rows("SELECT @@server_id")[0]
        for server in (mariadb_10_5, mysql_9_7, second)
    ]
    assert len(uuids) == 2
    assert len(set(ids)) == 3


def test_servers_listen_on_loopback_only(source: RunningServer, destination: RunningServer) -> None:
    """A server with a passwordless root must not be reachable from elsewhere."""
    if not (is_ours(source) and is_ours(destination)):
        pytest.skip("a server is not a process of ours")
    ports = {f"{server.port:04X}" for server in (source, destination)}
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    lines += Path("/proc/net/tcp6").read_text().splitlines()[1:] if Path("/proc/net/tcp6").exists() else []
    listening = [line.split()[1].split(":") for line in lines if line.split()[3] == "0A"]
    addresses = {address for address, port in listening if port in ports}
    assert addresses == {"0100007F"}


@pytest.mark.parametrize("destination", ["postgres_15", "postgres_17"], indirect=True)
def test_postgres_keeps_its_durability(destination: RunningServer) -> None:
    """Promises about kill -9 are not tested on a server that forgets commits."""
    database = DestinationDatabase(destination, "postgres")
    names = ("fsync", "synchronous_commit", "full_page_writes", "server_encoding")
    assert [database.rows(f"SHOW {name}")[0][0] for name in names] == ["on", "on", "on", "UTF8"]
    assert destination.version_text.startswith(destination.spec.version)


def test_fresh_databases_are_empty_and_apart(
    source_database: SourceDatabase, destination_database: DestinationDatabase
) -> None:
    """Each test begins with nothing, and reaches its database by the URL alone."""
    assert source_database.rows("SHOW TABLES") == []
    assert source_database.url.endswith(f"/{source_database.name}")
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert destination_database.rows(tables) == [(0,)]


def test_lab_gives_the_same_server_again(lab: Lab, postgres_15: RunningServer) -> None:
    """Starting a server for each test would take most of the tests' time."""
    assert lab.server("postgres:15") is postgres_15


def test_restart_keeps_port_and_data(own_server: RunningServer) -> None:
    """A test of an outage needs the same server back."""
    table = Table(own_server)
    table.make()
    before = own_server.pid
    own_server.restart()
    assert own_server.pid != before
    assert table.keys() == [7]


def test_restart_brings_a_killed_server_back(own_server: RunningServer) -> None:
    """Crash recovery is the server's; that its data is still there is ours."""
    table = Table(own_server)
    table.make()
    own_server.kill()
    with pytest.raises(Exception, match="refused"):
        table.keys()
    own_server.restart()
    assert table.keys() == [7]


def test_stop_leaves_neither_process_nor_folder(own_server: RunningServer) -> None:
    """A run of the tests must leave the machine as it was."""
    pid = own_server.pid
    own_server.stop()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_servers_end_with_the_program_that_started_them(
    end: signal.Signals, lab: Lab, mariadb_10_5: RunningServer, postgres_15: RunningServer
) -> None:
    """However a test run is ended, kill -9 included, nothing is left running and no folder left behind."""
    if not (is_ours(mariadb_10_5) and is_ours(postgres_15)):
        pytest.skip("a server is not a process of ours")
    program = HOLDER.format(specs=("mariadb:10.5", "postgres:15"))
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(LAB_FOLDER)},
    ) as holder:
        assert holder.stdout is not None
        words = holder.stdout.readline().split()
        pids, folders = words[::2], [Path(word) for word in words[1::2]]
        assert len(pids) == 2
        holder.send_signal(end)
    assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert wait_until(lambda: not any(folder.exists() for folder in folders))
    assert wait_until(lambda: not any(lasting_processes(folder) for folder in folders))


def test_server_ends_when_its_supervisor_is_killed(own_server: RunningServer) -> None:
    """The last line of defence is the kernel's: the supervisor's end is the server's end."""
    pid = own_server.pid
    status = Path(f"/proc/{pid}/status").read_text()
    supervisor = int(status.split("PPid:")[1].split()[0])
    os.kill(supervisor, signal.SIGKILL)
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_given_data_directory_is_used_and_kept(mariadb_10_5: RunningServer, tmp_path: Path) -> None:
    """Benchmarks fill a data directory once and start on it again."""
    if not is_ours(mariadb_10_5):
        pytest.skip("the server is not a process of ours")
    data = tmp_path / "data"
    first = start(mariadb_10_5.spec, data_dir=data)
    Table(first).make()
    first.stop()
    second = start(mariadb_10_5.spec, data_dir=data)
    try:
        assert Table(second).keys() == [7]
    finally:
        second.stop()
    assert any(data.iterdir())


def test_options_reach_the_server(lab: Lab, mysql_9_7: RunningServer) -> None:
    """One of them must also be known when the data directory is made."""
    options = ("--lower-case-table-names=1", "--max-connections=17")
    server = lab.server(mysql_9_7.spec, options=options)
    rows = SourceDatabase(server, "mysql").rows("SELECT @@lower_case_table_names, @@max_connections")
    assert rows == [(1, 17)]


def test_option_that_the_server_refuses_is_told_in_its_own_words(postgres_15: RunningServer) -> None:
    """A typing error in an option must not look like a missing server."""
    if not is_ours(postgres_15):
        pytest.skip("the server is not a process of ours")
    with pytest.raises(ServerFailed, match="no_such_setting"):
        start(postgres_15.spec, options=("--no_such_setting=1",))
