"""The main job on every source server: copy while the stream goes on, then stay equal."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from rowferry_lab import opendental
from rowferry_lab.workload import Workload
from tests.acceptance.harness import Ferry, wait_until


def test_an_office_is_copied_while_it_works_and_stays_equal(ferry: Ferry) -> None:
    """The copy runs under a full-speed workload: no lock, no lost, doubled or undone change."""
    with ferry.source.connect() as connection:
        opendental.create(connection, ferry.source.name, rows_scale=0.5)
    ferry.settings["ROWFERRY_PROFILE"] = "opendental"
    ferry.settings["ROWFERRY_COPY__MAX_CHUNK_ROWS"] = "300"
    stop = threading.Event()
    work = Workload(ferry.source.connect, ferry.source.name, seed=7)
    worker = threading.Thread(target=work.run, args=(stop.is_set,), kwargs={"rate": 400})
    with ferry.daemon() as daemon:
        worker.start()
        daemon.wait_ready()
        wait_until("every table streams", lambda: _all_streaming(daemon.status()))
        time.sleep(3)
        stop.set()
        worker.join()
        wait_until("lag is 0 again", lambda: daemon.status()["replication_lag_seconds"] == 0.0)
        assert daemon.stop(signal.SIGTERM) == 0
    ferry.catch_up()
    ferry.assert_equal()
    assert work.counts.rows > 0


def _all_streaming(status: dict[str, object]) -> bool:
    tables = status.get("tables")
    return isinstance(tables, list) and bool(tables) and all(t["state"] == "streaming" for t in tables)


MARIADB = ("mariadb_10_5", "mariadb_10_11", "mariadb_11_8")
STATEMENTS = (
    "INSERT INTO money VALUES (1, 10.25, 'one'), (2, 20.50, 'two'), (3, 0, NULL), (4, 4, '')",
    "UPDATE money SET amount = amount + 1",
    "UPDATE money SET id = id + 100 WHERE id = 2",
    "DELETE FROM money WHERE id = 3",
    "REPLACE INTO money VALUES (4, 44, 'replaced')",
    "INSERT INTO money VALUES (4, 5, 'x') ON DUPLICATE KEY UPDATE amount = amount * 2",
    "INSERT INTO ledger SELECT id, amount, note FROM money",
    "UPDATE ledger SET note = CONCAT(note, '!')",
)
TRANSACTION = (
    "INSERT INTO money VALUES (50, 1, 'a'), (51, 2, 'b')",
    "UPDATE money SET id = -1 WHERE id = 50",
    "UPDATE money SET id = 50 WHERE id = 51",
    "UPDATE money SET id = 51 WHERE id = -1",
    "SAVEPOINT s",
    "INSERT INTO money VALUES (60, 6, 'undone')",
    "ROLLBACK TO SAVEPOINT s",
)


def _money(ferry: Ferry) -> None:
    columns = "id bigint NOT NULL PRIMARY KEY, amount decimal(12,2) NOT NULL, note varchar(100)"
    ferry.source.run(
        f"CREATE TABLE money ({columns}) ENGINE=InnoDB", f"CREATE TABLE ledger ({columns}) ENGINE=MyISAM"
    )


def test_every_kind_of_change_arrives(ferry: Ferry) -> None:
    """Changed keys, swapped keys, multi-row statements, rollbacks and MyISAM groups."""
    _money(ferry)
    ferry.source.run(*STATEMENTS[:1])
    ferry.catch_up()
    ferry.source.run(*STATEMENTS[1:])
    with ferry.source.connect(autocommit=False) as connection, connection.cursor() as cursor:
        for statement in TRANSACTION:
            cursor.execute(statement)
        connection.commit()
        cursor.execute("UPDATE money SET amount = -1")
        connection.rollback()
    ferry.catch_up()
    ferry.assert_equal()
    assert ferry.destination.rows("SELECT id, note FROM raw.money WHERE id IN (50, 51, 60) ORDER BY 1") == [
        (50, "b"),
        (51, "a"),
    ]


@pytest.mark.parametrize("source", MARIADB, indirect=True)
def test_a_rollback_does_not_undo_what_has_no_rollback(ferry: Ferry) -> None:
    """MyISAM rows of a rolled-back transaction are real, also between savepoints; InnoDB's are not.

    MySQL refuses such transactions where it enforces GTID consistency.
    """
    _money(ferry)
    ferry.catch_up()
    with ferry.source.connect(autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO money VALUES (1, 1, 'undone')")
        cursor.execute("INSERT INTO ledger VALUES (901, 2, 'stays')")
        cursor.execute("SAVEPOINT s")
        cursor.execute("INSERT INTO ledger SELECT id + 1000, amount, note FROM money")
        cursor.execute("ROLLBACK TO SAVEPOINT s")
        connection.rollback()
        cursor.execute("SAVEPOINT first")
        cursor.execute("INSERT INTO money VALUES (3, 1, 'undone')")
        cursor.execute("INSERT INTO ledger VALUES (902, 2, 'stays')")
        cursor.execute("ROLLBACK TO SAVEPOINT first")
        connection.commit()
        cursor.execute("INSERT INTO money VALUES (2, 1, 'kept')")
        cursor.execute("SAVEPOINT s")
        cursor.execute("UPDATE money SET note = 'undone'")
        cursor.execute("UPDATE ledger, money SET ledger.note = money.note WHERE money.id = 2")
        cursor.execute("ROLLBACK TO SAVEPOINT s")
        connection.commit()
    ferry.catch_up()
    ferry.assert_equal()
    assert ferry.destination.rows("SELECT id FROM raw.ledger ORDER BY 1") == [(901,), (902,), (1001,)]
    assert ferry.destination.rows("SELECT id, note FROM raw.money") == [(2, "kept")]


def test_readers_see_transactions_of_several_tables_whole(mariadb_ferry: Ferry) -> None:
    """Every state that a reader can see is one that the source had at a commit."""
    ferry = mariadb_ferry
    ferry.source.run(
        "CREATE TABLE a (id bigint PRIMARY KEY, v bigint NOT NULL) ENGINE=InnoDB",
        "CREATE TABLE b (id bigint PRIMARY KEY, v bigint NOT NULL) ENGINE=InnoDB",
        "INSERT INTO a VALUES (1, 1000)",
        "INSERT INTO b VALUES (1, 0)",
    )
    ferry.settings["ROWFERRY_BATCH__MAX_AGE_SECONDS"] = "0.05"
    seen: set[int] = set()
    with ferry.daemon() as daemon, ferry.source.connect(autocommit=False) as connection:
        daemon.wait_state("a", "streaming")
        daemon.wait_state("b", "streaming")
        with ferry.destination.connect() as reader, connection.cursor() as cursor:
            for amount in range(1, 20_000):
                cursor.execute("UPDATE a SET v = v - %s", (amount,))
                cursor.execute("UPDATE b SET v = v + %s", (amount,))
                connection.commit()
                row = reader.execute("SELECT (SELECT v FROM raw.a) + (SELECT v FROM raw.b)").fetchone()
                assert row == (1000,)
                found = reader.execute("SELECT v FROM raw.b").fetchone()
                seen.add(int(found[0]) if found else -1)
                if len(seen) >= 5:
                    break
        wait_until("lag is 0", lambda: daemon.status()["replication_lag_seconds"] == 0.0)
    assert len(seen) >= 5, "the reader saw hardly any states; the test showed nothing"


def test_file_and_position_serve_where_there_is_no_gtid(
    mysql_without_gtid: Ferry,
) -> None:
    """A MySQL server with gtid_mode=OFF is read by file and position, over restarts and rotations."""
    ferry = mysql_without_gtid
    _money(ferry)
    ferry.catch_up()
    ferry.source.run(*STATEMENTS[:3], "FLUSH BINARY LOGS", *STATEMENTS[3:])
    ferry.catch_up()
    ferry.source.run("INSERT INTO money VALUES (77, 7, 'after')")
    ferry.catch_up()
    ferry.assert_equal()
    assert ferry.destination.rows("SELECT gtid_set FROM raw._rowferry_checkpoint") == [(None,)]


@pytest.mark.parametrize("excluded", ["none", "money"])
def test_globs_select_the_tables(mariadb_ferry: Ferry, excluded: str) -> None:
    """A table that is excluded, then included again, is copied again and exact."""
    ferry = mariadb_ferry
    _money(ferry)
    ferry.source.run(*STATEMENTS)
    ferry.catch_up()
    if excluded != "none":
        ferry.source.run("INSERT INTO ledger VALUES (5000, 1, 'x')")
        ferry.catch_up(ROWFERRY_TABLES__EXCLUDE=excluded)
        assert ferry.tracked("state", excluded) is None
        ferry.source.run("DELETE FROM money WHERE id = 1", "UPDATE money SET note = 'while away'")
        ferry.catch_up()
    ferry.assert_equal()


def test_a_table_grows_beyond_one_chunk_in_text_and_composite_keys(ferry: Ferry) -> None:
    """Ranges are built by the server: text under its collation, composite, negative and unsigned keys."""
    ferry.source.run(
        "CREATE TABLE words (w varchar(50) NOT NULL PRIMARY KEY, n int)",
        "CREATE TABLE pairs (a tinyint NOT NULL, b varchar(20) NOT NULL, c int, PRIMARY KEY (a, b))",
        "CREATE TABLE wide (id bigint unsigned NOT NULL PRIMARY KEY, c int)",
        "CREATE TABLE days (d date NOT NULL PRIMARY KEY, c int)",
    )
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        words = [(f"{c}{i}é{'z' * (i % 3)}", i) for i in range(150) for c in "aBcÄ%'`\\"]
        cursor.executemany("INSERT IGNORE INTO words VALUES (%s, %s)", words)
        pairs = [(a, f"k{b}", a * b) for a in range(-20, 20) for b in range(30)]
        cursor.executemany("INSERT INTO pairs VALUES (%s, %s, %s)", pairs)
        wide = [(2**64 - 1 - i * 7, i) for i in range(900)]
        cursor.executemany("INSERT INTO wide VALUES (%s, %s)", wide)
        days = [(f"{1900 + i // 12:04d}-{i % 12 + 1:02d}-01", i) for i in range(700)]
        cursor.executemany("INSERT INTO days VALUES (%s, %s)", days)
    ferry.catch_up(ROWFERRY_COPY__MAX_CHUNK_ROWS="100")
    ferry.source.run("DELETE FROM words WHERE n % 5 = 0", "UPDATE pairs SET a = a + 50 WHERE a > 15")
    ferry.catch_up()
    ferry.assert_equal()


def test_connections_that_break_are_made_again(mariadb_ferry: Ferry) -> None:
    """Connections killed on either side cost a new attempt from the checkpoint, and no row."""
    ferry = mariadb_ferry
    _money(ferry)
    ferry.source.run(*STATEMENTS)
    with ferry.daemon() as daemon:
        daemon.wait_state("money", "streaming")
        with ferry.destination.connect() as session:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        ferry.source.run("INSERT INTO money VALUES (200, 1, 'after the destination broke')")
        wait_until("the row arrived", lambda: _has(ferry, 200))
        for (number,) in ferry.source.rows(
            "SELECT id FROM information_schema.processlist WHERE command = 'Binlog Dump'"
        ):
            ferry.source.run(f"KILL {int(number)}")
        ferry.source.run("INSERT INTO money VALUES (201, 1, 'after the source broke')")
        wait_until("the row arrived", lambda: _has(ferry, 201))
        assert "retrying" in daemon.log.read_text()
        assert daemon.stop() == 0
    ferry.assert_equal()


def _has(ferry: Ferry, key: int) -> bool:
    return bool(ferry.destination.rows("SELECT 1 FROM raw.money WHERE id = %s", [key]))
