"""What cannot be carried exactly stops its table with a clear message; everything else goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from rowferry_lab.servers import RunningServer
from tests.acceptance.harness import Ferry

GOOD = ("CREATE TABLE good (id bigint PRIMARY KEY, n int)", "INSERT INTO good VALUES (1, 1)")
BOTH = pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
OLDEST = pytest.mark.parametrize("source", ["mariadb_10_5"], indirect=True)
UNFIT = (
    ("a int PRIMARY KEY, e enum('x', 'y') CHARACTER SET binary", "in the character set binary"),
    ("a int PRIMARY KEY, _loaded_at int", "Rowferry's own"),
    ("a int PRIMARY KEY, xmin int", "Postgres's own"),
    (f"a int PRIMARY KEY, `{'ü' * 40}` int", "longer than 63 bytes"),
)


@OLDEST
def test_a_table_that_cannot_be_carried_stops_alone(ferry: Ferry) -> None:
    """Each says why; the good table is copied and streams."""
    ferry.source.run(*GOOD)
    for number, (columns, _) in enumerate(UNFIT):
        ferry.source.run(f"CREATE TABLE unfit{number} ({columns})")
    done = ferry.run("run", "--until-caught-up")
    assert done.returncode == 1
    ferry.source.run("INSERT INTO good VALUES (2, 2)", "INSERT INTO unfit1 VALUES (1, 1)")
    ferry.run("run", "--until-caught-up")
    ferry.assert_equal("good")
    for number, (_, reason) in enumerate(UNFIT):
        assert ferry.tracked("state", f"unfit{number}") == "stopped"
        assert reason in ferry.tracked("error", f"unfit{number}")


@BOTH
def test_foreign_keys_that_change_rows_unseen_stop_their_table(ferry: Ferry, source: RunningServer) -> None:
    """MariaDB's engine deletes child rows without row events; MySQL 9.7 writes them to the binlog."""
    ferry.source.run(
        *GOOD,
        "CREATE TABLE parent (id bigint PRIMARY KEY) ENGINE=InnoDB",
        "CREATE TABLE child (id bigint PRIMARY KEY, p bigint,"
        " FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE) ENGINE=InnoDB",
        "INSERT INTO parent VALUES (1), (2)",
        "INSERT INTO child VALUES (10, 1), (11, 2), (12, 1)",
    )
    first = ferry.run("run", "--until-caught-up")
    ferry.source.run("DELETE FROM parent WHERE id = 1")
    ferry.run("run", "--until-caught-up")
    ferry.assert_equal("good", "parent")
    if source.spec.product == "mysql":
        ferry.assert_equal("child")
        return
    assert first.returncode == 1
    assert ferry.tracked("state", "child") == "stopped"
    assert "foreign keys" in ferry.tracked("error", "child")
    assert "foreign keys" in ferry.run("check").stdout


@OLDEST
def test_a_value_that_postgres_cannot_hold_stops_its_table(ferry: Ferry) -> None:
    """A NUL character, copied or streamed, by that policy; the message holds the column and no value."""
    ferry.settings["ROWFERRY_COLUMNS"] = '{"*": {"*": {"invalid_text": "stop"}}}'
    ferry.source.run(
        *GOOD,
        "CREATE TABLE copied (id bigint PRIMARY KEY, t varchar(50))",
        "CREATE TABLE streamed (id bigint PRIMARY KEY, t text)",
        "INSERT INTO copied VALUES (1, CONCAT('canary', CHAR(0)))",
    )
    assert ferry.run("run", "--until-caught-up").returncode == 1
    ferry.source.run(
        "INSERT INTO streamed VALUES (1, 'fine')",
        "INSERT INTO streamed VALUES (2, CONCAT('canary', CHAR(0)))",
        "INSERT INTO good VALUES (2, 2)",
    )
    log = ferry.run("run", "--until-caught-up").stderr
    ferry.assert_equal("good")
    for table in ("copied", "streamed"):
        assert ferry.tracked("state", table) == "stopped"
        assert "column t" in ferry.tracked("error", table)
        assert f"rowferry resync {table}" in ferry.tracked("error", table)
        ferry.source.run(f"UPDATE {table} SET t = 'mended'")
    assert "canary" not in log
    assert ferry.run("resync", "copied", "streamed").returncode == 0
    ferry.assert_equal()


def test_a_constraint_that_somebody_added_stops_that_table(mariadb_ferry: Ferry) -> None:
    """The error names the constraint; once it is gone, resync mends the table."""
    ferry = mariadb_ferry
    ferry.source.run(*GOOD, "CREATE TABLE pair (id bigint PRIMARY KEY, n int)")
    ferry.catch_up()
    ferry.destination.run("ALTER TABLE raw.pair ADD CONSTRAINT only_one UNIQUE (n)")
    ferry.source.run("INSERT INTO pair VALUES (1, 5), (2, 5)", "INSERT INTO good VALUES (3, 3)")
    assert ferry.run("run", "--until-caught-up").returncode == 1
    assert "only_one" in ferry.tracked("error", "pair")
    ferry.assert_equal("good")
    ferry.destination.run("ALTER TABLE raw.pair DROP CONSTRAINT only_one")
    assert ferry.run("resync", "pair").returncode == 0
    ferry.assert_equal()


def test_tables_that_the_account_no_longer_sees_are_not_taken_for_dropped(mariadb_ferry: Ferry) -> None:
    """With SELECT revoked nothing is marked dropped, and check says what to grant."""
    ferry = mariadb_ferry
    ferry.source.run(*GOOD)
    ferry.catch_up()
    ferry.source.run(
        "CREATE USER 'blind'@'%'", "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'blind'@'%'"
    )
    try:
        server = ferry.source.server
        url = f"mysql://blind@127.0.0.1:{server.port}/{ferry.source.name}"
        ferry.run("run", "--until-caught-up", ROWFERRY_SOURCE__URL=url)
        assert ferry.tracked("state", "good") == "streaming"
        done = ferry.run("check", ROWFERRY_SOURCE__URL=url)
        assert done.returncode == 1
        assert "GRANT SELECT" in done.stdout + done.stderr
    finally:
        ferry.source.run("DROP USER 'blind'@'%'")
    ferry.catch_up()
    ferry.assert_equal()


def test_a_table_that_the_source_cannot_read_stops_alone(mariadb_ferry: Ferry) -> None:
    """A crashed MyISAM table: the message says REPAIR TABLE; the others are copied."""
    ferry = mariadb_ferry
    ferry.source.run(*GOOD, "CREATE TABLE aaa_crashed (id int PRIMARY KEY, t varchar(200)) ENGINE=MyISAM")
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO aaa_crashed VALUES (%s, %s)", [(n, "x" * 150) for n in range(500)])
    ferry.source.run("FLUSH TABLES aaa_crashed")
    [(folder,)] = ferry.source.rows("SELECT @@datadir")
    data = Path(folder) / ferry.source.name / "aaa_crashed.MYD"
    if not data.exists():
        pytest.skip("the source's files are not on this machine")
    with data.open("r+b") as file:
        file.truncate(1000)
    assert ferry.run("run", "--until-caught-up").returncode == 1
    assert ferry.tracked("state", "aaa_crashed") == "stopped"
    assert "REPAIR TABLE" in ferry.tracked("error", "aaa_crashed")
    ferry.assert_equal("good")
