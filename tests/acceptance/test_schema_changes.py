"""DDL while the daemon runs, and while it is stopped: never a wrong value, and only that table stops."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.harness import Daemon, Ferry, wait_until

# One of each family here; every server goes through the types, the main job and the office's upgrade.
BOTH = pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
CREATE = (
    "CREATE TABLE pet (id bigint PRIMARY KEY, name varchar(20) NOT NULL, age int) ENGINE=MyISAM",
    "CREATE TABLE other (id bigint PRIMARY KEY, n int) ENGINE=InnoDB",
    "INSERT INTO pet VALUES (1, 'Rex', 3), (2, 'Mia', 4), (3, 'Kiki', NULL)",
    "INSERT INTO other VALUES (1, 1)",
)


def _streams_on(ferry: Ferry, daemon: Daemon, n: int) -> None:
    """The other table still follows."""
    ferry.source.run(f"UPDATE other SET n = {n}")
    wait_until("the other table follows", lambda: ferry.destination.rows("SELECT n FROM raw.other") == [(n,)])
    assert daemon.table("other")["state"] == "streaming"


def _settled(ferry: Ferry, daemon: Daemon, table: str) -> None:
    """What came before is applied, and the table streams again."""
    ferry.source.run("INSERT INTO other SELECT MAX(id) + 1, 0 FROM other")
    count = ferry.source.rows("SELECT COUNT(*) FROM other")
    wait_until(
        "the marker arrived", lambda: ferry.destination.rows("SELECT count(*) FROM raw.other") == count
    )
    daemon.wait_state(table, "streaming")


ADDED = (
    "ALTER TABLE pet ADD COLUMN color varchar(10) NOT NULL DEFAULT 'grey'",
    "ALTER TABLE pet ADD COLUMN first_seen date NOT NULL DEFAULT '0001-01-01' FIRST",
    "ALTER TABLE pet ADD weight double NULL AFTER id, ADD note text",
    "/* upgrade 25.4 */ alter table `pet` add `Mode_` tinyint unsigned not null default 7",
)


def test_added_columns_in_history_are_replayed(ferry: Ferry) -> None:
    """Rows from before, between and after several ALTERs, all read after the last of them."""
    ferry.source.run(*CREATE)
    ferry.catch_up()
    ferry.source.run(
        "INSERT INTO pet VALUES (10, 'old layout', 1)",
        ADDED[0],
        "INSERT INTO pet VALUES (11, 'one more', 1, 'red')",
        ADDED[1],
        "INSERT INTO pet VALUES ('2024-05-06', 12, 'two more', 1, 'blue')",
        "UPDATE pet SET age = 77 WHERE id = 10",
        "DELETE FROM pet WHERE id = 2",
    )
    ferry.catch_up()
    ferry.assert_equal()


def test_a_new_table_is_copied(ferry: Ferry) -> None:
    """CREATE TABLE, and CREATE TABLE ... SELECT, with rows in the same breath."""
    ferry.source.run(*CREATE)
    with ferry.daemon() as daemon:
        daemon.wait_state("pet", "streaming")
        ferry.source.run(
            "CREATE TABLE young (id bigint PRIMARY KEY, v int) ENGINE=InnoDB",
            "INSERT INTO young VALUES (1, 1), (2, 2)",
            "CREATE TABLE chosen (PRIMARY KEY (id)) ENGINE=InnoDB AS SELECT id, name FROM pet WHERE id < 3",
            "UPDATE young SET v = 5",
        )
        daemon.wait_state("young", "streaming")
        daemon.wait_state("chosen", "streaming")
        _settled(ferry, daemon, "young")
        ferry.assert_equal()
        assert daemon.stop() == 0


UNFIT = "ALTER TABLE pet ADD mark enum('x') CHARACTER SET binary"


@BOTH
def test_a_type_that_is_not_carried_stops_that_table_alone(ferry: Ferry) -> None:
    """Its rows stay as they were; the other table follows; without the column, a resync mends it."""
    ferry.source.run(*CREATE)
    with ferry.daemon() as daemon:
        daemon.wait_state("pet", "streaming")
        before = ferry.destination.rows("SELECT * FROM raw.pet ORDER BY id")
        ferry.source.run(UNFIT, "DELETE FROM pet WHERE id = 1")
        daemon.wait_state("pet", "stopped")
        assert "character set binary" in daemon.table("pet")["error"]
        _streams_on(ferry, daemon, 42)
        assert ferry.destination.rows("SELECT * FROM raw.pet ORDER BY id") == before
        assert daemon.stop() == 0
    assert "character set binary" in ferry.run("status").stdout
    failed = ferry.run("run", "--until-caught-up")
    assert failed.returncode == 1
    assert "pet" in failed.stderr.splitlines()[-1]
    ferry.source.run("ALTER TABLE pet DROP COLUMN mark")
    done = ferry.run("resync", "pet")
    assert done.returncode == 0, done.stderr
    ferry.source.run("INSERT INTO pet VALUES (50, 'Neo', 5)")
    ferry.catch_up()
    ferry.assert_equal()


CHANGED = (
    "ALTER TABLE pet MODIFY age tinyint",
    "ALTER TABLE pet DROP PRIMARY KEY, ADD PRIMARY KEY (name)",
    "ALTER TABLE pet DROP COLUMN age",
    "ALTER TABLE pet CHANGE name title varchar(5) NOT NULL FIRST",
)


@BOTH
def test_changed_layouts_go_on_by_themselves_after_a_pause(ferry: Ferry) -> None:
    """With rows between them, all while no daemon runs: the next one succeeds, and nobody does anything."""
    ferry.source.run(*CREATE, "UPDATE pet SET age = 120 WHERE age IS NULL")
    ferry.catch_up()
    for number, statement in enumerate(CHANGED, 60):
        ferry.source.run(f"INSERT INTO pet (id, name) VALUES ({number}, 'n{number}')", statement)
        ferry.source.run("DELETE FROM pet WHERE id = 2")
    ferry.catch_up()
    assert ferry.tracked("state", "pet") == "streaming"
    ferry.assert_equal(wider=True)


def test_no_statement_waits_for_a_table_that_was_copied(mariadb_ferry: Ferry) -> None:
    """The source may change a table the moment after its rows were read: no snapshot is held open."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    with ferry.daemon() as daemon:
        daemon.wait_state("other", "streaming")
        ferry.source.run("SET SESSION lock_wait_timeout = 1", "ALTER TABLE other ADD c int")
        assert daemon.stop() == 0


@pytest.mark.parametrize(
    "unlogged", ["DROP COLUMN age", "ADD COLUMN born date NOT NULL DEFAULT '2001-02-03'"]
)
def test_a_change_that_was_not_logged_is_noticed_by_the_next_rows(
    mariadb_ferry: Ferry, unlogged: str
) -> None:
    """They have another layout than the one that is known: the table is copied again, and known anew."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    with ferry.daemon() as daemon:
        daemon.wait_state("pet", "streaming")
        ferry.source.run(
            "SET sql_log_bin = 0",
            f"ALTER TABLE pet {unlogged}",
            "SET sql_log_bin = 1",
            "UPDATE pet SET name = 'seen' WHERE id = 1",
        )
        _settled(ferry, daemon, "pet")
        ferry.assert_equal()
        report = json.loads(ferry.run("schema", "pet", "--json").stdout)["tables"][0]
        assert [d["kind"] for d in report["differences"] if not d["harmless"]] == []
        assert daemon.stop() == 0


def test_a_dropped_table_keeps_its_last_rows(mariadb_ferry: Ferry) -> None:
    """The others go on, and `--until-caught-up` still succeeds."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    ferry.catch_up()
    ferry.source.run("DROP TABLE pet", "UPDATE other SET n = 5")
    ferry.catch_up()
    assert ferry.tracked("state", "pet") == "dropped"
    assert ferry.destination.rows("SELECT count(*) FROM raw.pet") == [(3,)]
    ferry.assert_equal("other")


@BOTH
def test_changes_in_statement_format_stop_that_table(ferry: Ferry) -> None:
    """A session that logs statements instead of rows is noticed, whatever the server's setting."""
    ferry.source.run(*CREATE)
    with ferry.daemon() as daemon:
        daemon.wait_state("pet", "streaming")
        with ferry.source.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION binlog_format = 'STATEMENT'")
            cursor.execute("UPDATE pet SET age = 50")
        daemon.wait_state("pet", "stopped")
        assert "binlog_format=ROW" in daemon.table("pet")["error"]
        _streams_on(ferry, daemon, 43)
        assert daemon.stop() == 0


@BOTH
def test_row_images_without_all_columns_stop_that_table(ferry: Ferry) -> None:
    """binlog_row_image=MINIMAL in one session: an absent column is never NULL."""
    ferry.source.run(*CREATE)
    with ferry.daemon() as daemon:
        daemon.wait_state("pet", "streaming")
        with ferry.source.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION binlog_row_image = 'MINIMAL'")
            cursor.execute("UPDATE pet SET age = 50 WHERE id = 2")
        daemon.wait_state("pet", "stopped")
        assert "binlog_row_image=FULL" in daemon.table("pet")["error"]
        _streams_on(ferry, daemon, 44)
        assert daemon.stop() == 0


def test_a_stopped_table_that_comes_back_unfit_stops_again(mariadb_ferry: Ferry) -> None:
    """A nightly DROP and CREATE of a table with a type that is not carried ends nothing."""
    ferry = mariadb_ferry
    unfit = ("CREATE TABLE mark (a int PRIMARY KEY, m enum('x') CHARACTER SET binary)",)
    ferry.source.run(*CREATE)
    with ferry.daemon() as daemon:
        daemon.wait_state("pet", "streaming")
        ferry.source.run(*unfit)
        daemon.wait_state("mark", "stopped")
        ferry.source.run("DROP TABLE mark")
        daemon.wait_state("mark", "dropped")
        ferry.source.run(*unfit)
        daemon.wait_state("mark", "stopped")
        _streams_on(ferry, daemon, 45)
        assert daemon.stop() == 0


def test_a_key_that_goes_and_comes_back_does_not_end_the_copy(mariadb_ferry: Ferry) -> None:
    """A chunk that meets a table without its index is tried again; nothing waits for ever."""
    ferry = mariadb_ferry
    ferry.source.run("CREATE TABLE uq (k int NOT NULL, v int, UNIQUE KEY ukey (k)) ENGINE=InnoDB")
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO uq VALUES (%s, 1)", [(n,) for n in range(3000)])
    with ferry.daemon(ROWFERRY_COPY__MAX_CHUNK_ROWS="20") as daemon:
        daemon.wait_ready()
        ferry.source.run("DROP INDEX ukey ON uq", "CREATE UNIQUE INDEX ukey ON uq (k)")
        wait_until("uq is settled", lambda: daemon.table("uq").get("state") in ("streaming", "stopped"))
        assert daemon.stop() == 0
    assert ferry.run("resync", "uq").returncode == 0
    ferry.assert_equal("uq")
