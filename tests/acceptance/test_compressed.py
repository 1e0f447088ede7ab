"""Sources that compress their binlog, by session or as a whole: equal, also after kills."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.harness import Daemon, Ferry, wait_until

WAYS = [
    ("mysql_9_7", "session"),
    ("mysql_9_7", "global"),
    ("mariadb_10_5", "global"),
    ("mariadb_11_8", "global"),
]
each_way = pytest.mark.parametrize(("source", "way"), WAYS, indirect=["source"])

CREATE = (
    "CREATE TABLE account (id bigint PRIMARY KEY, v bigint NOT NULL, note text) ENGINE=InnoDB",
    "CREATE TABLE entry (id bigint PRIMARY KEY, account bigint, v bigint) ENGINE=MyISAM",
    "INSERT INTO account SELECT n, 0, REPEAT('note ', 60) FROM numbers",
)
CHANGES = (
    "UPDATE account SET v = v + 1",
    "INSERT INTO entry SELECT n, n % 10, 5 FROM numbers",
    "UPDATE account SET id = id + 1000 WHERE id % 7 = 0",
    "DELETE FROM account WHERE id % 5 = 0",
    "UPDATE entry SET v = v * 2 WHERE id % 2 = 0",
    "INSERT INTO account VALUES (5, 99, REPEAT('again ', 60))",
    "UPDATE account SET v = v - 3, note = 'z' WHERE id % 3 = 0",
)


def settings(ferry: Ferry) -> dict[str, str]:
    """What switches compression on."""
    if ferry.source.server.spec.product == "mysql":
        return {"binlog_transaction_compression": "ON"}
    return {"log_bin_compress": "ON", "log_bin_compress_min_len": "10"}


@contextmanager
def compressing(ferry: Ferry, way: str) -> Iterator[list[str]]:
    """For everybody, or for the sessions that run the statements it gives."""
    wanted = settings(ferry)
    if way == "session":
        yield [f"SET SESSION {name} = {value}" for name, value in wanted.items()]
        return
    before = {name: ferry.source.rows(f"SELECT @@GLOBAL.{name}")[0][0] for name in wanted}
    ferry.source.run(*(f"SET GLOBAL {name} = {value}" for name, value in wanted.items()))
    try:
        yield []
    finally:
        ferry.source.run(*(f"SET GLOBAL {name} = {value}" for name, value in before.items()))


def prepare(ferry: Ferry) -> None:
    """The tables, copied. In a binlog file without huge events, at which SHOW BINLOG EVENTS fails."""
    ferry.source.run("FLUSH BINARY LOGS")
    ferry.source.run("CREATE TABLE numbers (n bigint PRIMARY KEY)")
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO numbers VALUES (%s)", [(n,) for n in range(300)])
    ferry.source.run(*CREATE)
    ferry.catch_up()


def change(ferry: Ferry, session: list[str]) -> int:
    """Change rows; how many row events that made."""
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        for statement in session:
            cursor.execute(statement)
        return sum(cursor.execute(statement) for statement in CHANGES)


def applied(ferry: Ferry) -> int:
    """The row events that were applied."""
    rows = ferry.destination.rows("SELECT sum(rows_applied) FROM raw._rowferry_tables")
    return int(rows[0][0])


def assert_exact(ferry: Ferry) -> None:
    """The checkpoint is where a transaction ends, and its GTID is that transaction's."""
    [(file, offset, gtid_set)] = ferry.destination.rows(
        "SELECT binlog_file, binlog_offset, gtid_set FROM raw._rowferry_checkpoint"
    )
    gtid = ""
    for _, _, kind, _, end, info in ferry.source.rows(f"SHOW BINLOG EVENTS IN '{file}'"):
        if kind == "Gtid":
            gtid = info
        if end == offset:
            assert kind in ("Transaction_payload", "Xid", "Query", "Query_compressed")
            break
    else:
        pytest.fail(f"no event ends at the checkpoint {file}:{offset}")
    number = re.search(r"(?:GTID \d+-\d+-|:)(\d+)", gtid)
    assert gtid_set is None or (number and number[1] == re.findall(r"\d+", gtid_set)[-1])


def assert_compressed(ferry: Ferry) -> None:
    """The binlog has what the test is about."""
    [(file, *_)] = ferry.destination.rows("SELECT binlog_file FROM raw._rowferry_checkpoint")
    kinds = {row[2] for row in ferry.source.rows(f"SHOW BINLOG EVENTS IN '{file}'")}
    assert kinds & {"Transaction_payload", "Update_rows_compressed_v1"}


def kill_again_and_again(ferry: Ferry, way: str) -> None:
    """A backlog of compressed changes, through kills at different steps of it."""
    ferry.settings["ROWFERRY_BATCH__MAX_ROWS"] = "100"
    prepare(ferry)
    with compressing(ferry, way) as session:
        events = change(ferry, session)
    for point in ("after-read:3", "load-merged:1", "after-commit:2", "before-commit:2", "in-decode:4"):
        done = ferry.run("run", "--until-caught-up", ROWFERRY_FAILPOINT=point)
        assert done.returncode == -signal.SIGKILL, f"{point} was not hit: {done.stderr[-2000:]}"
        assert_exact(ferry)
    ferry.catch_up()
    assert_exact(ferry)
    assert_compressed(ferry)
    ferry.assert_equal()
    assert applied(ferry) == events


@pytest.mark.parametrize(("source", "way"), WAYS[1:3], indirect=["source"])
def test_a_compressed_stream_survives_a_kill(ferry: Ferry, way: str) -> None:
    """By GTID: resumed at exact positions, every row event counted once."""
    kill_again_and_again(ferry, way)


@pytest.mark.parametrize("way", ["session"])
def test_a_compressed_stream_survives_a_kill_without_gtids(mysql_without_gtid: Ferry, way: str) -> None:
    """By file and position: the end of a compressed transaction is that of the event around it."""
    kill_again_and_again(mysql_without_gtid, way)
    assert mysql_without_gtid.destination.rows("SELECT gtid_set FROM raw._rowferry_checkpoint") == [(None,)]


def load(ferry: Ferry, session: list[str], first: int) -> None:
    """Some changes of their own keys."""
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        for statement in session:
            cursor.execute(statement)
        for number in range(first, first + 20):
            cursor.execute("INSERT INTO account VALUES (%s, 1, REPEAT('load ', 60))", [number])
            cursor.execute("UPDATE account SET v = v + 1 WHERE id >= %s", [number - 3])


@each_way
def test_a_daemon_follows_while_compression_is_switched(ferry: Ferry, way: str) -> None:
    """Plain and compressed changes in turn, DDL and a SIGKILL between; then it goes on where it was."""
    prepare(ferry)
    with ferry.daemon() as daemon:
        daemon.wait_ready()
        load(ferry, [], 10_000)
        with compressing(ferry, way) as session:
            checked = ferry.run("check")
            assert checked.returncode == 0, checked.stdout
            load(ferry, session, 11_000)
            ferry.source.run(*session, "ALTER TABLE account ADD COLUMN added varchar(20)")
            load_wider(ferry, session, 12_000)
        load_wider(ferry, [], 13_000)
        wait_until("it follows", lambda: rows_at(ferry) == rows_of(ferry))
        assert unknown_events(daemon) == {"0": 0.0}
        with compressing(ferry, way) as session:
            load_wider(ferry, session, 14_000)
        daemon.stop(signal.SIGKILL)
    assert_exact(ferry)
    ferry.catch_up()
    ferry.assert_equal()
    assert_compressed(ferry)


def load_wider(ferry: Ferry, session: list[str], first: int) -> None:
    """The same after the column was added."""
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        for statement in session:
            cursor.execute(statement)
        for number in range(first, first + 20):
            cursor.execute("INSERT INTO account VALUES (%s, 1, REPEAT('wide ', 60), 'new')", [number])
            cursor.execute("DELETE FROM account WHERE id = %s", [number - 2])


def rows_of(ferry: Ferry) -> int:
    """Rows of the source."""
    return int(ferry.source.rows("SELECT count(*) FROM account")[0][0])


def rows_at(ferry: Ferry) -> int:
    """Rows of the copy."""
    return int(ferry.destination.rows("SELECT count(*) FROM raw.account")[0][0])


def unknown_events(daemon: Daemon) -> dict[str, float]:
    """What the metric says, by type."""
    found = re.findall(
        r'^rowferry_unknown_events_total\{.*type="(\d+)"\} (\S+)$', daemon.get("/metrics")[1], re.M
    )
    return {kind: float(number) for kind, number in found}
