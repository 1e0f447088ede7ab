"""MariaDB's system-versioned tables: the copy holds the current rows, as `SELECT * FROM t` gives them.

Transaction-precise versioning (BIGINT UNSIGNED) stops its table: the server logs statements for it.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rowferry_lab.servers import (
    RunningServer,
    ServerSpec,
    SourceDatabase,
    fresh_destination_database,
)
from rowferry_lab.servers.providers import start
from tests.acceptance.harness import Ferry, wait_until

if TYPE_CHECKING:
    from tests.conftest import GetServer

OLDEST = pytest.mark.parametrize("source", ["mariadb_10_5"], indirect=True)
EACH = pytest.mark.parametrize("source", ["mariadb_10_5", "mariadb_11_8"], indirect=True)
EXPLICIT = (
    "id int PRIMARY KEY, began timestamp(6) GENERATED ALWAYS AS ROW START{how}, n int, t varchar(20),"
    " ended timestamp(6) GENERATED ALWAYS AS ROW END{how}, PERIOD FOR SYSTEM_TIME (began, ended)"
)
PLAIN = "id int PRIMARY KEY, n int, t varchar(20)"
TABLES = {
    "implicit": f"({PLAIN}) ENGINE=InnoDB WITH SYSTEM VERSIONING",
    "myisam": f"({PLAIN}) ENGINE=MyISAM WITH SYSTEM VERSIONING",
    "aria": f"({PLAIN}) ENGINE=Aria WITH SYSTEM VERSIONING",
    "explicit": f"({EXPLICIT.format(how='')}) ENGINE=InnoDB WITH SYSTEM VERSIONING",
    "invisible": f"({EXPLICIT.format(how=' INVISIBLE')}) ENGINE=MyISAM WITH SYSTEM VERSIONING",
    "in_parts": f"({PLAIN}) ENGINE=InnoDB WITH SYSTEM VERSIONING"
    " PARTITION BY SYSTEM_TIME LIMIT 20 (PARTITION p0 HISTORY, PARTITION p1 HISTORY, PARTITION pn CURRENT)",
    "half": "(id int PRIMARY KEY, n int, t varchar(20) WITHOUT SYSTEM VERSIONING) WITH SYSTEM VERSIONING",
    "no_primary": "(id int NOT NULL, n int, t varchar(20), UNIQUE KEY (id)) WITH SYSTEM VERSIONING",
}
FILL = "INSERT INTO {t} (id, n, t) VALUES " + ", ".join(f"({n}, {n}, 'first')" for n in range(1, 31))
CHANGES = (
    "UPDATE {t} SET n = n + 1",
    "UPDATE {t} SET n = n WHERE id < 4",
    "UPDATE {t} SET t = 'other' WHERE id IN (2, 3)",
    "DELETE FROM {t} WHERE id IN (4, 5, 6)",
    "INSERT INTO {t} (id, n, t) VALUES (5, 50, 'back'), (31, 1, 'new')",
    "INSERT INTO {t} (id, n, t) VALUES (7, 0, 'x'), (32, 0, 'y') ON DUPLICATE KEY UPDATE n = 700, t = 'met'",
    "REPLACE INTO {t} (id, n, t) VALUES (8, 800, 'replaced'), (33, 33, 'replaced')",
    "UPDATE {t} SET id = 108 WHERE id = 8",
    "UPDATE {t} SET id = id + 1000 WHERE id BETWEEN 20 AND 29 ORDER BY id DESC",
    "INSERT INTO {t} (id, n, t) VALUES (20, 0, 'where another was')",
    "BEGIN; INSERT INTO {t} (id, n, t) VALUES (40, 1, 'a'); UPDATE {t} SET n = 2 WHERE id = 40;"
    " UPDATE {t} SET id = 41 WHERE id = 40; DELETE FROM {t} WHERE id = 41;"
    " INSERT INTO {t} (id, n, t) VALUES (40, 7, 'b'); UPDATE {t} SET id = 42 WHERE id = 9; COMMIT",
    "BEGIN; UPDATE {t} SET n = -1; DELETE FROM {t} WHERE id > 10; ROLLBACK",
    "SET timestamp = 1000000000; INSERT INTO {t} (id, n, t) VALUES (50, 1, 'long ago'), (51, 1, 'long ago');"
    " UPDATE {t} SET n = 2 WHERE id IN (50, 51); DELETE FROM {t} WHERE id = 51; SET timestamp = DEFAULT",
    "UPDATE {t} SET n = 3 WHERE id = 50",
    "DELETE HISTORY FROM {t}",
    "UPDATE {t} SET n = 10 WHERE id < 12",
    "DELETE HISTORY FROM {t} BEFORE SYSTEM_TIME NOW()",
    "DELETE FROM {t} WHERE id = 1",
)


def _run(database: SourceDatabase, script: str, table: str) -> None:
    """Statements between semicolons, in one session."""
    with database.connect() as connection, connection.cursor() as cursor:
        for statement in script.format(t=table).split(";"):
            cursor.execute(statement)


def _make(ferry: Ferry) -> None:
    for table, definition in TABLES.items():
        ferry.source.run(f"CREATE TABLE {table} {definition}")
        _run(ferry.source, FILL, table)
        _run(ferry.source, "UPDATE {t} SET n = n + 100 WHERE id < 9; DELETE FROM {t} WHERE id = 30", table)


def _change(ferry: Ferry) -> None:
    for script in CHANGES:
        for table in TABLES:
            _run(ferry.source, script, table)


def _caught_up(ferry: Ferry) -> None:
    """A row that was inserted last has arrived."""
    ferry.source.run("INSERT INTO marker SELECT COALESCE(MAX(id), 0) + 1 FROM marker")
    count = ferry.source.rows("SELECT COUNT(*) FROM marker")
    wait_until("the marker came", lambda: ferry.destination.rows("SELECT count(*) FROM raw.marker") == count)


@EACH
def test_current_rows_are_copied_and_followed(ferry: Ferry) -> None:
    """Every engine and form of versioning, under every kind of change."""
    _make(ferry)
    ferry.catch_up()
    ferry.assert_equal()
    _change(ferry)
    ferry.catch_up()
    ferry.assert_equal()
    assert {ferry.tracked("state", table) for table in TABLES} == {"streaming"}


@OLDEST
def test_what_is_counted_is_what_happened_to_current_rows(ferry: Ferry) -> None:
    """A version that goes into history is no row of the copy, and no change of it."""
    ferry.source.run(f"CREATE TABLE t {TABLES['implicit']}", "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')")
    ferry.catch_up()
    ferry.source.run(
        "INSERT INTO t VALUES (3, 3, 'c')",
        "UPDATE t SET n = n + 1",
        "DELETE FROM t WHERE id = 1",
        "DELETE HISTORY FROM t",
    )
    ferry.catch_up()
    counts = ferry.destination.rows("SELECT sum(inserts), sum(updates), sum(deletes) FROM raw._dlt_metrics")
    assert [int(n) for n in counts[0]] == [1, 3, 1]
    ferry.assert_equal()


@pytest.mark.parametrize("source", ["mariadb_10_11", "mariadb_11_8"], indirect=True)
def test_rows_put_into_history_do_not_appear(ferry: Ferry) -> None:
    """system_versioning_insert_history (from 10.11): what lives is a row, and nothing else.

    From 11.5 on, what ended in 2038 has ended.
    """
    tables = {"implicit": ("row_start", "row_end"), "explicit": ("began", "ended")}
    _make(ferry)
    ferry.catch_up()
    wide = ferry.source.rows("SELECT FROM_UNIXTIME(2147483648) IS NOT NULL") == [(1,)]
    for table, period in tables.items():
        into = f"INSERT INTO {table} (id, n, t, {', '.join(period)}) VALUES"
        last = "2106-02-07 06:28:15.999999" if wide else "2038-01-19 03:14:07.999999"
        _run(
            ferry.source,
            "SET time_zone = '+00:00'; SET system_versioning_insert_history = 1;"
            f"{into} (1, 0, 'was', '2020-01-01', '2021-01-01'), (70, 0, 'was', '2020-01-01', '2021-01-01'),"
            f" (71, 0, 'is', '2020-01-01', '{last}'), (72, 0, 'will not', '2020-01-01', '2030-01-01');"
            f"{into} (73, 0, 'ends', '2020-01-01', '2038-01-19 03:14:07.999999')",
            table,
        )
    ferry.catch_up()
    ferry.assert_equal(*TABLES)
    ids = [i for (i,) in ferry.destination.rows("SELECT id FROM raw.implicit WHERE id >= 70 ORDER BY id")]
    assert ids == ([71] if wide else [71, 73])


@EACH
def test_versioning_comes_and_goes(ferry: Ferry) -> None:
    """ALTER TABLE while the daemon runs; each time the table is copied again."""
    ferry.source.run(
        f"CREATE TABLE t ({PLAIN}) ENGINE=InnoDB",
        f"CREATE TABLE x ({PLAIN}) ENGINE=MyISAM",
        "CREATE TABLE marker (id int PRIMARY KEY)",
        "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')",
        "INSERT INTO x VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')",
    )
    steps = (
        "ALTER TABLE t ADD SYSTEM VERSIONING",
        "ALTER TABLE x ADD began timestamp(6) GENERATED ALWAYS AS ROW START,"
        " ADD ended timestamp(6) GENERATED ALWAYS AS ROW END,"
        " ADD PERIOD FOR SYSTEM_TIME (began, ended), ADD SYSTEM VERSIONING",
        "SET system_versioning_alter_history = KEEP; ALTER TABLE t ADD extra int DEFAULT 5 AFTER id",
        "ALTER TABLE t PARTITION BY SYSTEM_TIME (PARTITION p0 HISTORY, PARTITION pn CURRENT)",
        "ALTER TABLE t REMOVE PARTITIONING",
        "ALTER TABLE t DROP SYSTEM VERSIONING",
        "ALTER TABLE t ADD SYSTEM VERSIONING",
    )
    with ferry.daemon() as daemon:
        daemon.wait_state("t", "streaming")
        for number, step in enumerate(steps):
            _run(ferry.source, step, "t")
            for table in ("t", "x"):
                _run(
                    ferry.source,
                    f"UPDATE {{t}} SET n = n + 1; DELETE FROM {{t}} WHERE id = {number};"
                    f"INSERT INTO {{t}} (id, n) VALUES ({100 + 10 * number}, 1);"
                    f"UPDATE {{t}} SET id = id + 1 WHERE id = {100 + 10 * number}",
                    table,
                )
            if number % 2:
                _caught_up(ferry)
        _caught_up(ferry)
        for table in ("t", "x"):
            daemon.wait_state(table, "streaming")
        ferry.assert_equal()
        assert daemon.stop() == 0


@EACH
def test_versioning_comes_and_goes_while_nobody_looks(ferry: Ferry) -> None:
    """The catalogue is ahead of the rows that are read: the layouts of the binlog tell them apart."""
    ferry.source.run(
        f"CREATE TABLE gains ({PLAIN})",
        f"CREATE TABLE loses ({PLAIN}) WITH SYSTEM VERSIONING",
        f"CREATE TABLE both_ways ({PLAIN}) WITH SYSTEM VERSIONING",
    )
    tables = ("gains", "loses", "both_ways")
    for table in tables:
        _run(ferry.source, FILL, table)
    ferry.catch_up()

    def change(low: int) -> None:
        for table in tables:
            _run(
                ferry.source,
                f"UPDATE {{t}} SET n = {low} WHERE id BETWEEN {low} AND {low + 5};"
                f"DELETE FROM {{t}} WHERE id = {low};"
                f"UPDATE {{t}} SET id = id + 500 WHERE id = {low + 1}",
                table,
            )

    change(1)
    ferry.source.run("ALTER TABLE gains ADD SYSTEM VERSIONING", "ALTER TABLE loses DROP SYSTEM VERSIONING")
    ferry.source.run("ALTER TABLE both_ways DROP SYSTEM VERSIONING")
    change(10)
    ferry.source.run("ALTER TABLE both_ways ADD SYSTEM VERSIONING")
    change(20)
    ferry.catch_up()
    ferry.assert_equal()


@EACH
def test_changes_during_the_copy(ferry: Ferry) -> None:
    """Chunks and versions of the same keys, in small pieces."""
    ferry.settings["ROWFERRY_COPY__MAX_CHUNK_ROWS"] = "100"
    ferry.source.run("CREATE TABLE marker (id int PRIMARY KEY)")
    for table in ("implicit", "aria", "explicit"):
        ferry.source.run(f"CREATE TABLE {table} {TABLES[table]}")
        with ferry.source.connect() as connection, connection.cursor() as cursor:
            values = ", ".join(f"({n}, {n})" for n in range(2000))
            cursor.execute(f"INSERT INTO {table} (id, n) VALUES {values}")
            cursor.execute(f"UPDATE {table} SET n = n + 1")
    with ferry.daemon() as daemon:
        daemon.wait_ready()
        for low in range(0, 2000, 100):
            for table in ("implicit", "aria", "explicit"):
                _run(
                    ferry.source,
                    f"UPDATE {{t}} SET n = -n WHERE id BETWEEN {low} AND {low + 20};"
                    f"DELETE FROM {{t}} WHERE id BETWEEN {low + 21} AND {low + 40};"
                    f"UPDATE {{t}} SET id = id + 5000 WHERE id BETWEEN {low + 41} AND {low + 50};"
                    f"INSERT INTO {{t}} (id, n) VALUES ({low + 21}, 0)",
                    table,
                )
        for table in ("implicit", "aria", "explicit"):
            daemon.wait_state(table, "streaming")
        _caught_up(ferry)
        assert daemon.stop() == 0
    ferry.assert_equal()


@pytest.mark.parametrize(
    ("source", "point"),
    [("mariadb_11_8", "load-staged")],
    indirect=["source"],
)
def test_killed_in_between(ferry: Ferry, point: str) -> None:
    """SIGKILL while copying, and while the changes are followed."""
    _make(ferry)
    done = ferry.run("run", "--until-caught-up", ROWFERRY_FAILPOINT=f"{point}:1")
    assert done.returncode == -signal.SIGKILL
    _change(ferry)
    ferry.catch_up()
    _run(ferry.source, "UPDATE {t} SET n = n + 1; DELETE FROM {t} WHERE id < 9", "implicit")
    _run(ferry.source, "UPDATE {t} SET id = id + 5000; DELETE HISTORY FROM {t}", "explicit")
    done = ferry.run("run", "--until-caught-up", ROWFERRY_FAILPOINT=f"{point}:1")
    assert done.returncode == -signal.SIGKILL
    ferry.catch_up()
    ferry.assert_equal()


@OLDEST
def test_transaction_precise_versioning_stops_its_table(ferry: Ferry) -> None:
    """Its changes reach no row event, whatever binlog_format is; the others go on, triggers included."""
    ferry.source.run(
        "CREATE TABLE precise (id int PRIMARY KEY, n int, a bigint unsigned GENERATED ALWAYS AS ROW START,"
        " b bigint unsigned GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (a, b))"
        " ENGINE=InnoDB WITH SYSTEM VERSIONING",
        f"CREATE TABLE good {TABLES['implicit']}",
        "CREATE TABLE written (id int PRIMARY KEY AUTO_INCREMENT, n int)",
        "CREATE TRIGGER writes AFTER INSERT ON precise FOR EACH ROW INSERT INTO written (n) VALUES (NEW.n)",
    )
    assert ferry.run("run", "--until-caught-up").returncode == 1
    assert "transaction-precise" in ferry.tracked("error", "precise")
    assert "transaction-precise" in ferry.run("check").stdout
    ferry.source.run(
        "INSERT INTO precise (id, n) VALUES (1, 1), (2, 2)",
        "UPDATE precise SET n = 5",
        "INSERT INTO good VALUES (1, 1, 'a')",
        "DELETE FROM precise",
        "UPDATE good SET n = 2",
    )
    ferry.run("run", "--until-caught-up")
    ferry.assert_equal("good", "written")
    assert ferry.tracked("state", "good") == ferry.tracked("state", "written") == "streaming"


@OLDEST
def test_the_copy_is_of_the_present(ferry: Ferry) -> None:
    """Even if the server shows every new session the past (system_versioning_asof)."""
    ferry.source.run(f"CREATE TABLE t {TABLES['implicit']}", "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')")
    ferry.source.run("SET GLOBAL system_versioning_asof = '2020-01-01 00:00:00'")
    try:
        ferry.catch_up()
    finally:
        ferry.source.run("SET GLOBAL system_versioning_asof = DEFAULT")
    ferry.assert_equal()
    assert ferry.destination.rows("SELECT count(*) FROM raw.t") == [(2,)]


def test_an_upgrade_of_the_source_stops_its_versioned_tables(
    get_server: GetServer, postgres_15: RunningServer, tmp_path: Path
) -> None:
    """From 11.5 on no row of theirs lives before mariadb-upgrade, which the binlog does not hold.

    What the old server wrote, and nobody had read, is still read as the old server meant it.
    """
    before, after = (ServerSpec.parse(f"mariadb:{v}") for v in ("10.11", "11.8"))
    if get_server(before).pid is None or get_server(after).pid is None:
        pytest.skip("the servers are not processes of ours")
    old = start(before, data_dir=tmp_path / "data")
    source = SourceDatabase(old, "office")
    tables = ("implicit", "explicit")
    with fresh_destination_database(postgres_15) as target:
        ferry = Ferry(source, target, tmp_path)
        SourceDatabase(old, "mysql").run("CREATE DATABASE office")
        source.run("CREATE TABLE other (id int PRIMARY KEY)")
        for table in tables:
            source.run(f"CREATE TABLE {table} {TABLES[table]}")
            _run(source, FILL, table)
        ferry.catch_up()
        source.run("INSERT INTO other VALUES (1)")
        for table in tables:
            _run(source, "UPDATE {t} SET n = 0 WHERE id < 9; DELETE FROM {t} WHERE id = 1", table)
        old.handle.stop()
        new = start(after, data_dir=tmp_path / "data")
        try:
            ferry.source = SourceDatabase(new, "office")
            assert ferry.source.rows("SELECT * FROM implicit") == []
            assert ferry.run("run", "--until-caught-up").returncode == 1
            assert "mariadb-upgrade" in ferry.tracked("error", "implicit")
            assert ferry.destination.rows("SELECT count(*) FROM raw.implicit") == [(30,)]
            ferry.assert_equal("other")
            for table in tables:
                _run(ferry.source, "SET sql_log_bin = 0; ALTER TABLE {t} FORCE", table)
                _run(ferry.source, "UPDATE {t} SET n = 5 WHERE id = 9", table)
            assert ferry.run("resync", *tables).returncode == 0
            ferry.assert_equal()
            assert len(ferry.destination.rows("SELECT * FROM raw.implicit")) == 29
        finally:
            new.handle.discard()
