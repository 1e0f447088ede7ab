"""What is no ordinary table, or has more than ordinary rows, does not disturb the stream."""

from __future__ import annotations

import pytest

from tests.acceptance.harness import Ferry

MARIADB = pytest.mark.parametrize("source", ["mariadb_10_5", "mariadb_11_8"], indirect=True)
GOOD = ("CREATE TABLE good (id bigint PRIMARY KEY, n int)", "INSERT INTO good VALUES (1, 1)")


def _in_one_session(ferry: Ferry, *statements: str) -> None:
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _states(ferry: Ferry) -> dict[str, str]:
    return dict(ferry.destination.rows("SELECT table_name, state FROM raw._rowferry_tables"))


@MARIADB
def test_sequences_are_passed_over(ferry: Ferry) -> None:
    """MariaDB writes row events of them, whose columns no catalogue of tables lists."""
    ferry.source.run(
        *GOOD,
        "CREATE SEQUENCE numbers",
        "CREATE SEQUENCE myisam_numbers ENGINE=MyISAM",
        "CREATE TABLE numbered (id bigint PRIMARY KEY DEFAULT NEXT VALUE FOR numbers, n int)",
        "INSERT INTO numbered (n) VALUES (1), (2)",
    )
    with ferry.daemon() as daemon:
        daemon.wait_state("numbered", "streaming")
        _in_one_session(
            ferry,
            "INSERT INTO numbered (n) VALUES (3), (4)",
            "SELECT NEXT VALUE FOR myisam_numbers",
            "SELECT SETVAL(numbers, 5000)",
            "INSERT INTO numbered (n) VALUES (5)",
            "ALTER SEQUENCE numbers INCREMENT BY 10",
            "BEGIN",
            "INSERT INTO numbered (n) VALUES (6)",
            "SELECT NEXT VALUE FOR numbers",
            "ROLLBACK",
            "CREATE SEQUENCE more CACHE 1",
            "BEGIN",
            "INSERT INTO good SELECT NEXT VALUE FOR more + 100, 1",
            "SELECT NEXT VALUE FOR more",
            "COMMIT",
            "RENAME TABLE more TO most",
            "DROP SEQUENCE most",
            "INSERT INTO numbered (n) VALUES (7)",
        )
        assert daemon.stop() == 0
    ferry.catch_up()
    ferry.assert_equal("good", "numbered")
    assert _states(ferry) == {"good": "streaming", "numbered": "streaming"}


def test_views_are_passed_over(ferry: Ferry) -> None:
    """Also changes made through them, and a view that takes the place of a table's name."""
    ferry.source.run(*GOOD, "CREATE VIEW seen AS SELECT * FROM good")
    with ferry.daemon() as daemon:
        daemon.wait_state("good", "streaming")
        _in_one_session(
            ferry,
            "INSERT INTO seen VALUES (2, 2), (3, 3)",
            "UPDATE seen SET n = 7 WHERE id = 2",
            "DELETE FROM seen WHERE id = 1",
            "CREATE OR REPLACE VIEW seen AS SELECT id FROM good",
            "ALTER VIEW seen AS SELECT n, id FROM good",
            "RENAME TABLE seen TO looked_at",
            "INSERT INTO looked_at (id, n) VALUES (4, 4)",
            "DROP VIEW looked_at",
        )
        assert daemon.stop() == 0
    ferry.catch_up()
    ferry.assert_equal()
    assert _states(ferry) == {"good": "streaming"}


@MARIADB
def test_application_time_periods_are_followed(ferry: Ferry) -> None:
    """FOR PORTION OF changes a row and inserts what is left of it, also in a system-versioned table."""
    ferry.source.run(
        "CREATE TABLE lasting (id int, s date, e date, x int, PERIOD FOR p (s, e),"
        " PRIMARY KEY (id, p WITHOUT OVERLAPS)) WITH SYSTEM VERSIONING",
        "CREATE TABLE counted (id int PRIMARY KEY AUTO_INCREMENT, s datetime, e datetime, x int,"
        " PERIOD FOR p (s, e)) ENGINE=MyISAM",
    )
    for table in ("lasting", "counted"):
        ferry.source.run(f"INSERT INTO {table} VALUES (1, '2020-01-01', '2021-01-01', 1)")
    ferry.catch_up()
    for table in ("lasting", "counted"):
        _in_one_session(
            ferry,
            f"INSERT INTO {table} VALUES (20, '2020-01-01', '2021-01-01', 2)",
            f"UPDATE {table} FOR PORTION OF p FROM '2020-03-01' TO '2020-04-01' SET x = 9",
            f"DELETE FROM {table} FOR PORTION OF p FROM '2020-05-01' TO '2020-06-01'",
            f"DELETE FROM {table} FOR PORTION OF p FROM '2020-10-01' TO '2030-01-01' WHERE x = 2",
            f"UPDATE {table} SET e = '2022-01-01' WHERE e = '2021-01-01'",
        )
    ferry.catch_up()
    ferry.assert_equal()
    assert _states(ferry) == {"lasting": "streaming", "counted": "streaming"}
