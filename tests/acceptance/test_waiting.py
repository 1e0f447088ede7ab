"""When is the copy far enough: `status --wait-for`, and the function `rowferry_safe_as_of()`."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from rowferry.mysql_source import connect, describe_server, head_position
from rowferry.position import BinlogPosition, MysqlGtidSet
from rowferry.settings import SourceSettings
from tests.acceptance.harness import Ferry

CREATE = (
    "CREATE TABLE patient (PatNum bigint PRIMARY KEY, LName varchar(50) NOT NULL) ENGINE=MyISAM",
    "INSERT INTO patient VALUES (1, 'Xavier-Canary')",
    "CREATE TABLE visit (VisitNum int PRIMARY KEY)",
)
UNFIT = "ALTER TABLE visit ADD mark enum('x') CHARACTER SET binary"
SAFE = "SELECT raw.rowferry_safe_as_of()"


def head(ferry: Ferry) -> BinlogPosition:
    """The source's binlog head."""
    with connect(SourceSettings(url=ferry.source.url)) as control:
        return head_position(control, describe_server(control))


def last_gtid(place: BinlogPosition) -> str:
    """The newest transaction up to there, as a person names it."""
    if isinstance(place.gtid_set, MysqlGtidSet):
        intervals = dict(place.gtid_set.members)[place.identity]
        return f"{place.identity}:{intervals[-1][1]}"
    return str(place.gtid_set)


def patients(ferry: Ferry) -> int:
    """How many there are in Postgres."""
    return int(ferry.destination.rows("SELECT count(*) FROM raw.patient")[0][0])


@pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
def test_once_the_wait_is_over_the_rows_are_there(ferry: Ferry) -> None:
    """For each way to say where; what was committed at the source before is in Postgres after it."""
    ferry.source.run(*CREATE)
    with ferry.daemon() as daemon:
        done = ferry.run("status", "--wait-for", "now")  # started before anything is copied
        assert done.returncode == 0, done.stderr
        assert patients(ferry) == 1
        assert "patient" in done.stdout
        for number in range(2, 5):
            ferry.source.run(f"INSERT INTO patient VALUES ({number}, 'x')")
            place = head(ferry)
            gtid = last_gtid(place)
            how = {2: "now", 3: f"{place.file}:{place.offset}", 4: gtid}[number]
            done = ferry.run("status", "--wait-for", how, "--timeout", "60")
            assert done.returncode == 0, done.stderr
            assert done.stderr == ""
            assert patients(ferry) == number
        assert daemon.stop() == 0


def test_a_wait_that_cannot_end_well_ends_with_one_line(mariadb_ferry: Ferry) -> None:
    """The time is over, a table is stopped, the position is none: each says so."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    early = ferry.run("status", "--wait-for", "now", "--timeout", "0.5")
    assert early.returncode == 1
    assert "no daemon is at work" in early.stderr
    assert "nothing was copied yet" in early.stderr
    ferry.catch_up()
    assert ferry.run("status", "--wait-for", "now", "--timeout", "0").returncode == 0
    ferry.source.run("INSERT INTO patient VALUES (2, 'x')")
    late = ferry.run("status", "--wait-for", "now", "--timeout", "0.5")
    assert late.returncode == 1
    assert late.stderr.count("no daemon is at work") == 1
    assert "0.5 seconds are over; Postgres is at" in late.stderr
    for wrong in (["--wait-for", "soon"], ["--wait-for", "other-bin.000001:4"], ["--timeout", "1"]):
        done = ferry.run("status", *wrong)
        assert done.returncode == 2, wrong
        assert "Traceback" not in done.stderr
    ferry.source.run(UNFIT)
    assert ferry.run("run", "--until-caught-up").returncode == 1
    stopped = ferry.run("status", "--wait-for", "now")
    assert stopped.returncode == 1
    assert "table visit" in stopped.stderr
    assert "rowferry resync visit" in stopped.stderr
    excluding = ferry.run("status", "--wait-for", "now", ROWFERRY_TABLES__EXCLUDE='["visit"]')
    assert excluding.returncode == 0, excluding.stderr


def test_a_wait_survives_until_a_daemon_comes(mariadb_ferry: Ferry) -> None:
    """And a table that is being copied is waited for."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    with subprocess.Popen(
        [sys.executable, "-m", "rowferry", "status", "--wait-for", "now"],
        env=ferry.environment(),
        cwd=ferry.state,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as waiter:
        try:
            assert waiter.stderr is not None
            assert b"no daemon is at work" in waiter.stderr.readline()
            ferry.catch_up()
            assert waiter.wait(60) == 0
            assert patients(ferry) == 1
        finally:
            waiter.kill()


def test_the_safe_time_is_that_of_the_least_fresh_table(mariadb_ferry: Ferry) -> None:
    """NULL while a table has none; that of a stopped table; without tables that the source dropped."""
    ferry, rows = mariadb_ferry, mariadb_ferry.destination.rows
    ferry.source.run(*CREATE)
    ferry.catch_up()
    least = "SELECT min(as_of) FROM raw._rowferry_freshness"
    assert rows(SAFE) == rows(least) != [(None,)]
    ferry.source.run(UNFIT, "INSERT INTO patient VALUES (2, 'x')")
    assert ferry.run("run", "--until-caught-up").returncode == 1
    [(visit,)] = rows("SELECT as_of FROM raw._rowferry_freshness WHERE table_name = 'visit'")
    [(patient,)] = rows("SELECT as_of FROM raw._rowferry_freshness WHERE table_name = 'patient'")
    assert visit < patient
    assert rows(SAFE) == [(visit,)]
    state = "UPDATE raw._rowferry_tables SET state = '{}' WHERE table_name = 'visit'"
    ferry.destination.run(state.format("copying"))
    assert rows(SAFE) == [(None,)]
    keyless = "UPDATE raw._rowferry_tables SET source_schema = jsonb_set(source_schema, '{key}', '[]')"
    ferry.destination.run(f"{keyless} WHERE table_name = 'visit'")
    assert rows(SAFE) == [(visit,)]
    ferry.destination.run(state.format("dropped"))
    assert rows(SAFE) == [(patient,)]
    ferry.destination.run(state.format("stopped"), "UPDATE raw._rowferry_tables SET as_of = NULL")
    assert rows(SAFE) == [(None,)]
    ferry.destination.run("DELETE FROM raw._rowferry_tables")
    assert rows(SAFE) == [(None,)]


def test_an_analyst_may_call_it_from_anywhere(mariadb_ferry: Ferry) -> None:
    """With the rights that docs/operating.md gives, and whatever is in front in the search_path."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    ferry.catch_up()
    user = f"analyst_{ferry.destination.name}"
    ferry.destination.run(
        f'CREATE ROLE "{user}" LOGIN',
        f'GRANT USAGE ON SCHEMA raw TO "{user}"',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA raw TO "{user}"',
        "CREATE SCHEMA trap",
        f'GRANT USAGE ON SCHEMA trap TO "{user}"',
        "CREATE VIEW trap._rowferry_freshness AS SELECT 1 AS wrong",
        "CREATE FUNCTION trap.bool_and(boolean) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
    )
    try:
        with ferry.destination.connect(user=user) as session:
            session.execute("SET search_path = trap, pg_catalog")
            assert session.execute(SAFE.encode()).fetchall() == ferry.destination.rows(
                "SELECT min(as_of) FROM raw._rowferry_freshness"
            )
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("DELETE FROM raw._rowferry_tables")
    finally:
        ferry.destination.run(f'DROP OWNED BY "{user}"', f'DROP ROLE "{user}"')


def test_a_dataset_of_an_older_version_gets_the_function(mariadb_ferry: Ferry) -> None:
    """Its other commands work before that; the next start makes it."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    ferry.catch_up()
    ferry.destination.run("DROP FUNCTION raw.rowferry_safe_as_of()")
    for command in (["status"], ["schema"], ["quarantine", "list"]):
        assert ferry.run(*command).returncode == 0
    ferry.destination.run("DELETE FROM raw.patient")
    assert ferry.run("resync", "--all", "--yes").returncode == 0
    ferry.assert_equal()
    assert ferry.destination.rows(SAFE) != [(None,)]
