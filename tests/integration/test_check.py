"""`rowferry check` against real servers: what is wrong is found, and the SQL that it prints mends it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rowferry.check_command import Report, findings_as_json, fix_script, look_at_all, render_findings
from rowferry.checkpoint import Checkpoint, create_tracking_tables, first_checkpoint
from rowferry.destination import connect, run_all, take_lock
from rowferry.errors import ExitCode
from rowferry.findings import Finding
from rowferry.mysql_source import connect as connect_source
from rowferry.mysql_source import describe_server, head_position
from rowferry.position import BinlogPosition
from rowferry.settings import Settings
from rowferry_lab.servers import (
    DestinationDatabase,
    RunningServer,
    ServerSpec,
    SourceDatabase,
    fresh_destination_database,
    fresh_source_database,
)

if TYPE_CHECKING:
    from tests.conftest import GetServer

CANARY = "S3cret-canary"
WRONG = {"binlog_format": "MIXED", "binlog_row_image": "MINIMAL", "binlog_row_metadata": "MINIMAL"}
RIGHT = {"binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL"}


def settings_for(source: str, destination: str, folder: Path, **more: Any) -> Settings:
    """The settings of a pair of databases."""
    groups = {"source": {"url": source}, "destination": {"url": destination}, "http": {"listen": "off"}}
    return Settings(**{**groups, "state_dir": folder, **more})


def point(report: Report, name: str) -> Finding:
    """The one finding about a point."""
    [found] = [f for f in report.findings if f.point == name]
    return found


def statements(script: str) -> list[str]:
    """The script without its comments: one statement a line."""
    return [line for line in script.splitlines() if line and not line.startswith("--")]


def everything(report: Report, settings: Settings) -> str:
    """All that the command can print."""
    return render_findings(report) + findings_as_json(report) + fix_script(report, settings, "both")


@pytest.fixture
def pair(
    mariadb_10_5: RunningServer, postgres_15: RunningServer
) -> Iterator[tuple[SourceDatabase, DestinationDatabase]]:
    """Two fresh databases."""
    with fresh_source_database(mariadb_10_5) as source, fresh_destination_database(postgres_15) as target:
        yield source, target


@pytest.fixture
def poor(source_database: SourceDatabase) -> Iterator[str]:
    """The URL of an account that may do nothing, at a server with wrong settings."""
    user = f"poor_{source_database.name[-8:]}"
    mysql = source_database.server.spec.product == "mysql"
    kept = "binlog_expire_logs_seconds" if mysql else "expire_logs_days"
    [(before,)] = source_database.rows(f"SELECT @@GLOBAL.{kept}")
    source_database.run(
        "CREATE TABLE patient (id int PRIMARY KEY, name varchar(20))",
        f"CREATE USER '{user}'@'127.%' IDENTIFIED BY '{CANARY}'",
        *(f"SET GLOBAL {k} = '{v}'" for k, v in WRONG.items()),
        f"SET GLOBAL {kept} = {86_400 if mysql else 1}",
    )
    try:
        yield f"mysql://{user}:{CANARY}@127.0.0.1:{source_database.server.port}/{source_database.name}"
    finally:
        reset = [f"RESET PERSIST IF EXISTS {n}" for n in (*RIGHT, kept)] if mysql else []
        source_database.run(
            *reset,
            *(f"SET GLOBAL {k} = '{v}'" for k, v in RIGHT.items()),
            f"SET GLOBAL {kept} = {before}",
            f"DROP USER '{user}'@'127.%'",
        )


@pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
def test_the_script_mends_a_source_with_wrong_settings_and_a_poor_account(
    source_database: SourceDatabase, destination_database: DestinationDatabase, poor: str, tmp_path: Path
) -> None:
    """Each statement fits the server, its version and the account as the server knows it."""
    settings = settings_for(poor, destination_database.url, tmp_path)
    report = look_at_all(settings)
    assert report.exit_code == ExitCode.FAILURE
    failing = {f.point for f in report.findings if not f.ok}
    monitor = "BINLOG MONITOR" if source_database.server.spec.product == "mariadb" else "REPLICATION CLIENT"
    rights = {"grant REPLICATION SLAVE", f"grant {monitor}", "grant SELECT"}
    assert rights | set(WRONG) <= failing
    assert point(report, "binlog retention").level == "warning"
    shown = everything(report, settings)
    source_database.run(*statements(fix_script(report, settings, "source")))
    report = look_at_all(settings)
    assert report.exit_code == ExitCode.DONE, render_findings(report)
    assert [f.point for f in report.findings if f.where == "source" and f.level == "warning"] == []
    assert point(report, "rights").detail == "the account can read and change nothing"
    shown += everything(report, settings)
    assert CANARY not in shown
    assert "IDENTIFIED" not in shown


@pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
def test_rights_that_come_from_a_role_count(
    source_database: SourceDatabase, destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """The account's default role is in force when the daemon connects."""
    maria = source_database.server.spec.product == "mariadb"
    role = f"role_{source_database.name[-8:]}"
    monitor = "BINLOG MONITOR" if maria else "REPLICATION CLIENT"
    source_database.run(
        "CREATE TABLE patient (id int PRIMARY KEY)",
        f"CREATE ROLE {role}",
        f"GRANT REPLICATION SLAVE, {monitor} ON *.* TO {role}",
        f"GRANT SELECT ON `{source_database.name}`.* TO {role}",
        f"CREATE USER u{role} IDENTIFIED BY '{CANARY}'",
        f"GRANT {role} TO u{role}",
        f"SET DEFAULT ROLE {role} {'FOR' if maria else 'TO'} u{role}",
    )
    url = f"mysql://u{role}:{CANARY}@127.0.0.1:{source_database.server.port}/{source_database.name}"
    try:
        report = look_at_all(settings_for(url, destination_database.url, tmp_path))
        assert report.exit_code == ExitCode.DONE, render_findings(report)
        assert point(report, "grant SELECT").level == "ok"
        assert point(report, "rights").level == "ok"
    finally:
        source_database.run(f"DROP USER u{role}", f"DROP ROLE {role}")


def test_the_script_mends_a_destination(
    pair: tuple[SourceDatabase, DestinationDatabase], tmp_path: Path
) -> None:
    """Rights, owners, timeouts, and sessions that are read-only by default."""
    source, target = pair
    source.run("CREATE TABLE patient (id int PRIMARY KEY)")
    role = f"poor_{target.name[-8:]}"
    target.run(
        f"CREATE ROLE {role} LOGIN PASSWORD '{CANARY}'",
        "CREATE SCHEMA raw",
        "CREATE TABLE raw.patient (id int)",
        "CREATE VIEW raw._rowferry_mine AS SELECT 1",
        "CREATE TABLE raw.other (id int)",
        f"ALTER ROLE {role} SET statement_timeout = '5s'",
        f"ALTER ROLE {role} SET default_transaction_read_only = on",
    )
    url = f"postgresql://{role}:{CANARY}@127.0.0.1:{target.server.port}/{target.name}"
    settings = settings_for(source.url, url, tmp_path)
    try:
        report = look_at_all(settings)
        levels = {p: point(report, p).level for p in ("writable", "schema", "owners", "timeouts")}
        assert levels == {
            "writable": "failure",
            "schema": "failure",
            "owners": "failure",
            "timeouts": "warning",
        }
        assert point(report, "owners").tables == ("patient",)
        shown = everything(report, settings)
        target.run(*statements(fix_script(report, settings, "destination")))
        report = look_at_all(settings)
        assert [f.point for f in report.findings if f.where == "destination" and f.level != "ok"] == []
        assert CANARY not in shown + everything(report, settings)
        with closing(connect(settings.destination)) as session:
            run_all(session, create_tracking_tables("raw"))
    finally:
        target.run(f"REASSIGN OWNED BY {role} TO postgres", f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_one_side_that_is_down_does_not_hide_the_other(
    pair: tuple[SourceDatabase, DestinationDatabase], tmp_path: Path
) -> None:
    """A failing point with its remedy, all points of the other side, and the exit code of the unreachable."""
    source, target = pair
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        report = look_at_all(settings_for(f"mysql://x:{CANARY}@127.0.0.1:{port}/y", target.url, tmp_path))
        assert report.exit_code == ExitCode.UNREACHABLE
        assert point(report, "source connection").level == "failure"
        assert point(report, "encoding").ok
        down = f"postgresql://x:{CANARY}@127.0.0.1:{port}/y"
        report = look_at_all(settings_for(source.url, down, tmp_path))
        assert report.exit_code == ExitCode.UNREACHABLE
        assert point(report, "destination connection").remedy
        assert point(report, "binlog_format").ok
        assert CANARY not in render_findings(report)
    url = source.url.replace("root@", f"nobody:{CANARY}@")
    settings = settings_for(url, target.url, tmp_path)
    report = look_at_all(settings)
    assert report.exit_code == ExitCode.CONFIGURATION
    script = fix_script(report, settings, "source")
    assert "-- CREATE USER 'nobody'@'%' IDENTIFIED BY 'choose a password';" in script
    assert CANARY not in script
    assert statements(script) == []


def test_a_server_without_a_binlog_needs_its_configuration_changed(
    get_server: GetServer, postgres_15: RunningServer, tmp_path: Path
) -> None:
    """No statement switches it on; the script holds the lines and says that a restart is needed."""
    spec = ServerSpec.parse("mariadb:10.5")
    server = get_server(spec, options=["--skip-log-bin"], name="without a binlog")
    with fresh_source_database(server) as source, fresh_destination_database(postgres_15) as target:
        source.run("CREATE TABLE patient (id int PRIMARY KEY)")
        settings = settings_for(source.url, target.url, tmp_path)
        report = look_at_all(settings)
        assert report.exit_code == ExitCode.FAILURE
        assert [f.point for f in report.findings if not f.ok] == ["log_bin"]
        assert point(report, "log_bin").needs_restart
        script = fix_script(report, settings, "source")
        assert "--   log_bin=binlog" in script
        assert "-- log_bin needs this change and a restart of the server." in script
        assert statements(script) == []


def test_the_state_of_the_copy_is_told(
    pair: tuple[SourceDatabase, DestinationDatabase], tmp_path: Path
) -> None:
    """Who is at work, whether the source still has what follows, which tables wait for somebody."""
    source, target = pair
    source.run("CREATE TABLE patient (id int PRIMARY KEY)")
    settings = settings_for(source.url, target.url, tmp_path)
    with connect_source(settings.source) as control:
        server = describe_server(control)
        head = head_position(control, server)
    with closing(connect(settings.destination)) as session:
        run_all(session, create_tracking_tables("raw"))
        run_all(session, [first_checkpoint("raw", Checkpoint(source.name, "mariadb", head, 1))])
        take_lock(session, "raw")
        report = look_at_all(settings)
        assert point(report, "lock").detail.startswith("a daemon is at work since 2")
        assert point(report, "checkpoint").ok
    target.run(
        "INSERT INTO raw._rowferry_tables (table_name, state, error, source_schema) VALUES"
        " ('a', 'stopped', 'because', '{}'), ('b', 'held', '', '{}')",
        "INSERT INTO raw._rowferry_quarantine VALUES ('c', 'h', '[]', 'v', 'p', 'r', 'x', 'l')",
        "DELETE FROM raw._rowferry_checkpoint",
    )
    gone = BinlogPosition("binlog.000000", 4, None, server.identity)
    with closing(connect(settings.destination)) as session:
        run_all(session, [first_checkpoint("raw", Checkpoint(source.name, "mariadb", gone, 1))])
    report = look_at_all(settings)
    assert point(report, "lock").detail == "free: no daemon is at work"
    assert "`rowferry resync a`" in point(report, "stopped table a").remedy
    assert "rowferry schema apply b" in point(report, "held tables").remedy
    assert "1 rows of c" in point(report, "quarantine").detail
    assert point(report, "checkpoint").level == "failure"
    assert point(report, "checkpoint").remedy == "run `rowferry resync --all`"
    target.run("DELETE FROM raw._rowferry_checkpoint")
    assert point(look_at_all(settings), "checkpoint").level == "failure"


def test_tables_with_one_verdict_share_a_line(
    pair: tuple[SourceDatabase, DestinationDatabase], tmp_path: Path
) -> None:
    """Four hundred tables without a key are one warning, with all their names in the JSON."""
    source, target = pair
    source.run(
        "CREATE TABLE good (id int PRIMARY KEY)",
        "CREATE TABLE fleeting (id int PRIMARY KEY) ENGINE=MEMORY",
        *(f"CREATE TABLE keyless_{n} (id int)" for n in range(12)),
        *(f"CREATE TABLE bad_{n} (a int PRIMARY KEY, {'c' * 64} int)" for n in range(5)),
        *(f"CREATE TABLE odd_{n} (a int PRIMARY KEY, m enum('x') CHARACTER SET binary)" for n in range(2)),
    )
    report = look_at_all(settings_for(source.url, target.url, tmp_path))
    assert len(point(report, "tables without a key").tables) == 12
    assert "and 4 more" in point(report, "tables without a key").detail
    assert len(point(report, "tables that stop").tables) == 5
    assert point(report, "table odd_0").level == "warning"
    assert point(report, "tables in memory").tables == ("fleeting",)
    assert point(report, "tables").detail == "14 of 21 selected tables can be copied"


def test_an_account_that_reads_a_part_is_warned_of(
    pair: tuple[SourceDatabase, DestinationDatabase], tmp_path: Path
) -> None:
    """A column that the account may not read is not in its catalogue at all."""
    source, target = pair
    user = f"part_{source.name[-8:]}"
    source.run(
        "CREATE TABLE whole (id int PRIMARY KEY, v int)",
        "CREATE TABLE part (id int PRIMARY KEY, v int)",
        "CREATE TABLE none (id int PRIMARY KEY, v int)",
        f"CREATE USER '{user}'@'%'",
        f"GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO '{user}'@'%'",
        f"GRANT SELECT ON `{source.name}`.whole TO '{user}'@'%'",
    )
    settings = settings_for(source.url.replace("root@", f"{user}@"), target.url, tmp_path)
    try:
        found = point(look_at_all(settings), "grant SELECT")
        assert (found.level, found.tables) == ("warning", ())
        source.run(
            f"GRANT SELECT (id) ON `{source.name}`.part TO '{user}'@'%'",
            f"GRANT INSERT ON `{source.name}`.none TO '{user}'@'%'",
        )
        report = look_at_all(settings)
        assert point(report, "grant SELECT").tables == ("none", "part")
        assert point(report, "rights").detail.endswith("INSERT")
        source.run(*point(report, "grant SELECT").sql)
        assert point(look_at_all(settings), "grant SELECT").level == "ok"
    finally:
        source.run(f"DROP USER '{user}'@'%'")


def test_the_host_is_looked_at(
    pair: tuple[SourceDatabase, DestinationDatabase], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that others may read, a password in a readable file, a port that is taken."""
    source, target = pair
    source.run("CREATE TABLE patient (id int PRIMARY KEY)")
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "x").touch()
    file = tmp_path / "rowferry.toml"
    file.write_text(f'[source]\nurl = "mysql://a@h/d"\npassword = "{CANARY}"\n')
    file.chmod(0o644)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        settings = settings_for(source.url, target.url, folder, http=listen)
        monkeypatch.setattr(Settings, "toml_path", file)
        report = look_at_all(settings)
    assert point(report, "state_dir mode").remedy == f"chmod 700 {folder}"
    assert point(report, "settings").remedy == f"chmod 600 {file}"
    assert point(report, "http.listen").level == "warning"
    assert point(report, "libraries").ok
    assert CANARY not in everything(report, settings)
    file.chmod(0o600)
    folder.chmod(0o700)
    report = look_at_all(settings)
    assert point(report, "settings").ok
    assert point(report, "http.listen").ok
    assert not [f for f in report.findings if f.point == "state_dir mode"]
    if os.geteuid():
        folder.chmod(0o500)
        assert not point(look_at_all(settings), "state_dir").ok
