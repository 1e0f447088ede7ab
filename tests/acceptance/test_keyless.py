"""Tables without a key: copied whole when they changed, exact in the number of equal rows too."""

from __future__ import annotations

import signal

import pytest

from tests.acceptance.harness import Daemon, Ferry, wait_until

CREATE = (
    "CREATE TABLE bag (a int, b varchar(20)) ENGINE=InnoDB",
    "CREATE TABLE log (a int, b varchar(20)) ENGINE=MyISAM",
    "CREATE TABLE pet (id bigint PRIMARY KEY, a int)",
    "CREATE TABLE half (a int, b int NOT NULL, UNIQUE (a), UNIQUE (b))",
)
FILL = (
    "INSERT INTO bag VALUES (1, 'x'), (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, NULL), (2, '')",
    "INSERT INTO log SELECT * FROM bag",
    "INSERT INTO pet VALUES (1, 1)",
    "INSERT INTO half VALUES (NULL, 1), (NULL, 2)",
)
BAGS = ("bag", "log")


def rows(ferry: Ferry, table: str) -> list[tuple[object, ...]]:
    """What stands in Postgres."""
    return ferry.destination.rows(f"SELECT a, b FROM raw.{table} ORDER BY a, b")


def state(ferry: Ferry) -> int:
    """The one value that all 200 rows have."""
    [(found, count)] = ferry.destination.rows("SELECT a, count(*) FROM raw.bag GROUP BY a")
    assert count == 200
    return int(found)


def equal(ferry: Ferry) -> bool:
    """Whether all tables are as at the source."""
    return ferry.compare().equal


def settled(ferry: Ferry, daemon: Daemon) -> None:
    """Wait until the tables are copied again and equal."""
    wait_until("the tables are equal", lambda: equal(ferry))
    for table in BAGS:
        daemon.wait_state(table, "streaming")
    assert equal(ferry)


@pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)
def test_a_table_without_a_key_is_exact_in_number(ferry: Ferry) -> None:
    """Duplicates come, go one by one, and all at once; a kill between loses and doubles nothing."""
    ferry.source.run(*CREATE, *FILL)
    ferry.settings["ROWFERRY_COPY__KEYLESS_SECONDS"] = "0.3"
    ferry.catch_up()
    assert equal(ferry)
    assert len(rows(ferry, "bag")) == 6
    with ferry.daemon() as daemon:
        daemon.wait_state("bag", "streaming")
        for table in BAGS:
            ferry.source.run(
                f"DELETE FROM {table} WHERE a = 1 LIMIT 1", f"INSERT INTO {table} VALUES (2, '')"
            )
        ferry.source.run("INSERT INTO pet VALUES (2, 2)")
        settled(ferry, daemon)
        for table in BAGS:
            ferry.source.run(f"UPDATE {table} SET b = 'y'", f"INSERT INTO {table} SELECT * FROM {table}")
        daemon.stop(signal.SIGKILL)
    with ferry.daemon() as daemon:
        settled(ferry, daemon)
        for table in BAGS:
            ferry.source.run(f"DELETE FROM {table}")
        settled(ferry, daemon)
        assert rows(ferry, "bag") == []
        ferry.source.run("INSERT INTO bag VALUES (9, 'again')")
        settled(ferry, daemon)
        assert daemon.stop() == 0


def test_a_table_without_a_key_never_shows_a_mix(mariadb_ferry: Ferry) -> None:
    """Each state that a reader sees is one that the source had: all rows change in one transaction."""
    ferry = mariadb_ferry
    ferry.source.run(CREATE[0], "INSERT INTO bag SELECT 0, 'x' FROM seq_1_to_200")
    ferry.settings["ROWFERRY_COPY__KEYLESS_SECONDS"] = "0"
    seen = set()
    with ferry.daemon() as daemon:
        daemon.wait_state("bag", "streaming")
        for n in range(1, 1_000):
            ferry.source.run(f"UPDATE bag SET a = {n}")
            seen.add(state(ferry))
            if len(seen) > 3:
                break
        wait_until("the last state", lambda: state(ferry) == n)
        assert daemon.stop() == 0
    assert len(seen) > 3


def test_a_table_without_a_key_that_is_too_large_stops(mariadb_ferry: Ferry) -> None:
    """It would be read whole each time; a key mends it."""
    ferry = mariadb_ferry
    ferry.source.run(CREATE[0], "INSERT INTO bag SELECT seq, 'x' FROM seq_1_to_200")
    ferry.settings["ROWFERRY_COPY__KEYLESS_MAX_ROWS"] = "199"
    assert ferry.run("run", "--until-caught-up").returncode == 1
    assert "no key, and more rows than" in ferry.tracked("error", "bag")
    ferry.source.run("ALTER TABLE bag ADD PRIMARY KEY (a)")
    assert ferry.run("resync", "bag").returncode == 0
    ferry.assert_equal()
    ferry.source.run("ALTER TABLE bag DROP PRIMARY KEY", "INSERT INTO bag VALUES (1, 'x')")
    del ferry.settings["ROWFERRY_COPY__KEYLESS_MAX_ROWS"]
    assert ferry.run("resync", "bag").returncode == 0
    ferry.assert_equal()
