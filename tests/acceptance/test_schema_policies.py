"""What the settings say of changes, what is written down of them, and what others do to the destination."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.harness import Daemon, Ferry, wait_until

BOTH = pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
CREATE = (
    "CREATE TABLE pet (id bigint PRIMARY KEY, name varchar(20) NOT NULL, age int, born date) ENGINE=MyISAM",
    "CREATE TABLE other (id bigint PRIMARY KEY, n int) ENGINE=InnoDB",
    "CREATE TABLE extra LIKE other",
    "INSERT INTO pet VALUES (1, 'Rex', 3, '2020-01-02'), (2, 'Mia', 4, NULL), (3, 'Kiki', NULL, NULL)",
    "INSERT INTO other VALUES (1, 1)",
)
IN_PLACE = (
    "ALTER TABLE pet ADD COLUMN color varchar(10) NOT NULL DEFAULT 'grey' AFTER name",
    "ALTER TABLE pet ADD weight double NOT NULL DEFAULT 0, ADD note text",
    "ALTER TABLE pet MODIFY age bigint",
    "ALTER TABLE pet CHANGE name full_name varchar(100) NOT NULL",
    "ALTER TABLE pet DROP COLUMN born",
    "ALTER TABLE pet ADD INDEX (full_name)",
    "ALTER TABLE pet ENGINE=InnoDB",
    "TRUNCATE TABLE extra",
)
COPIED = (
    "ALTER TABLE pet MODIFY full_name varchar(5) NOT NULL",
    "ALTER TABLE pet DROP PRIMARY KEY, ADD PRIMARY KEY (id, full_name)",
)


def changes(ferry: Ferry, table: str = "pet") -> list[tuple[str, str]]:
    """Decision and result of every statement, in their order."""
    rows = ferry.destination.rows(
        "SELECT decision, result FROM raw._rowferry_schema_changes WHERE table_name = %s ORDER BY change",
        [table],
    )
    return [(decision, result) for decision, result in rows]


def columns(ferry: Ferry, table: str) -> set[str]:
    """The columns of a table in Postgres."""
    rows = ferry.destination.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        [f"raw.{table}"],
    )
    return {name for (name,) in rows}


def settled(ferry: Ferry) -> None:
    """Everything is applied, and every table in step."""
    done = ferry.run("status", "--wait-for", "now", "--timeout", "60")
    assert done.returncode == 0, done.stderr


def follows(ferry: Ferry, daemon: Daemon, n: int) -> None:
    """The other table still streams."""
    ferry.source.run(f"UPDATE other SET n = {n}")
    wait_until("the other table follows", lambda: ferry.destination.rows("SELECT n FROM raw.other") == [(n,)])
    assert daemon.table("other")["state"] == "streaming"


def steps(ferry: Ferry, *statements: str) -> list[dict[str, Any]]:
    """What `schema --plan` says that the statements would do."""
    done = ferry.run("schema", "--json", "--plan", ";\n".join(statements))
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@BOTH
def test_certain_changes_are_made_in_place_as_they_were_planned(ferry: Ferry) -> None:
    """The table streams on throughout; the others are copied again. dlt's schema tells of each state."""
    ferry.source.run(*CREATE)
    with ferry.daemon() as daemon:
        daemon.wait_state("pet", "streaming")
        since = ferry.tracked("consistent_since", "pet")
        planned = {s["statement"]: s["what"] for s in steps(ferry, *IN_PLACE, *COPIED)}
        assert planned == dict.fromkeys(IN_PLACE, "in place") | dict.fromkeys(COPIED, "copy")
        before = ferry.destination.rows("SELECT max(version) FROM raw._dlt_version")[0][0]
        for number, statement in enumerate(IN_PLACE, 10):
            ferry.source.run("SET sql_mode = ''", statement, f"INSERT INTO pet (id) VALUES ({number})")
        settled(ferry)
        ferry.assert_equal("other", "extra")
        assert changes(ferry) == [("in place", "done")] * (len(IN_PLACE) - 1)
        assert changes(ferry, "extra") == [("in place", "done")]
        assert ferry.tracked("consistent_since", "pet") == since
        assert ferry.run("verify").returncode == 0
        [(schema, version)] = ferry.destination.rows(
            "SELECT schema, version FROM raw._dlt_version WHERE schema_name = 'rowferry'"
            " ORDER BY inserted_at DESC LIMIT 1"
        )
        assert version > before
        assert {"full_name", "weight", "color"} <= set(json.loads(schema)["tables"]["pet"]["columns"])
        ferry.source.run("SET sql_mode = ''", *COPIED)
        settled(ferry)
        assert changes(ferry)[-2:] == [("copy", "copied again")] * 2
        assert ferry.run("verify").returncode == 0
        assert daemon.stop() == 0


def test_held_tables_wait_for_a_person(mariadb_ferry: Ferry) -> None:
    """They keep their rows, the others go on; `schema apply` lets them go on, with and without a daemon."""
    ferry = mariadb_ferry
    hold = {"ROWFERRY_SCHEMA__CHANGES": "hold", "ROWFERRY_SCHEMA__DROPPED_TABLES": "drop"}
    ferry.source.run(*CREATE)
    with ferry.daemon(**hold) as daemon:
        daemon.wait_state("pet", "streaming")
        refused = ferry.run("schema", "apply", "pet", **hold)
        assert (refused.returncode, "nothing waits" in refused.stderr) == (1, True)
        assert "would" not in refused.stderr
        assert steps(ferry, IN_PLACE[0])[0]["what"] == "in place"
        ferry.source.run("ALTER TABLE pet ADD INDEX (age)", "TRUNCATE TABLE extra")
        ferry.source.run(IN_PLACE[0], "DELETE FROM pet WHERE id = 1")
        daemon.wait_state("pet", "held")
        ferry.source.run("ALTER TABLE pet ADD more int", "INSERT INTO pet (id, name) VALUES (9, 'later')")
        follows(ferry, daemon, 5)
        assert ferry.destination.rows("SELECT count(*) FROM raw.pet") == [(3,)]
        assert "rowferry schema apply pet" in ferry.tracked("error", "pet")
        assert changes(ferry) == [("in place", "done"), ("hold", "held"), ("hold", "held")]
        waited = ferry.run("status", "--wait-for", "now", "--timeout", "30", **hold)
        assert (waited.returncode, "schema apply pet" in waited.stderr) == (1, True)
        assert "schema apply pet" in json.dumps(
            json.loads(ferry.run("schema", "--json", "pet", **hold).stdout)
        )
        applied = ferry.run("schema", "apply", "pet", **hold)
        assert applied.returncode == 0, applied.stderr
        ferry.assert_equal()
        ferry.source.run("DROP TABLE extra")
        daemon.wait_state("extra", "dropped")
        assert ferry.destination.rows("SELECT to_regclass('raw.extra')::text") == [("raw.extra",)]
        assert changes(ferry)[1:] == [("hold", "copied again")] * 2
        ferry.source.run("ALTER TABLE pet DROP PRIMARY KEY, ADD PRIMARY KEY (id, name)")
        daemon.wait_state("pet", "held")
        assert daemon.stop() == 0
    ferry.catch_up(**hold)
    assert ferry.tracked("state", "pet") == "held"
    applied = ferry.run("schema", "apply", "pet", **hold)
    assert applied.returncode == 0, applied.stderr
    ferry.assert_equal()


def test_dropped_columns_and_tables_go_if_the_settings_say_so(mariadb_ferry: Ferry) -> None:
    """But never what a view of somebody's reads; that stays, and the reason is told."""
    ferry = mariadb_ferry
    drop = {"ROWFERRY_SCHEMA__DROPPED_COLUMNS": "drop", "ROWFERRY_SCHEMA__DROPPED_TABLES": "drop"}
    ferry.source.run(*CREATE, "CREATE TABLE seen LIKE other")
    ferry.catch_up(**drop)
    ferry.destination.run(
        "CREATE VIEW raw.ages AS SELECT id, age FROM raw.pet", "CREATE VIEW raw.v AS SELECT * FROM raw.seen"
    )
    ferry.source.run("ALTER TABLE pet DROP born", "ALTER TABLE pet DROP age", "DROP TABLE extra, seen")
    ferry.source.run("ALTER TABLE other ADD m int, DROP n, ORDER BY id")
    ferry.catch_up(**drop)
    assert columns(ferry, "pet") == {"id", "name", "age", "_loaded_at", "_dlt_load_id"}
    assert columns(ferry, "other") == {"id", "m", "_loaded_at", "_dlt_load_id"}
    there = ferry.destination.rows("SELECT to_regclass('raw.extra'), to_regclass('raw.seen')::text")
    assert there == [(None, "raw.seen")]
    assert "view raw.v" in ferry.tracked("error", "seen")
    assert ferry.tracked("state", "extra") == "dropped"
    assert ferry.destination.rows("SELECT count(*) FROM raw.ages") == [(3,)]
    assert changes(ferry, "other") == [("copy", "copied again")]


def test_a_table_of_another_account_stops_alone(mariadb_ferry: Ferry) -> None:
    """Only its owner may alter it; the others go on, and the error says what to do."""
    ferry = mariadb_ferry
    role = f"ferry_{ferry.destination.name}"
    ferry.destination.run(
        f'CREATE ROLE "{role}" LOGIN', f'GRANT CREATE ON DATABASE "{ferry.destination.name}" TO "{role}"'
    )
    owner, _, place = ferry.destination.url.partition("://")[2].partition("@")
    ferry.settings["ROWFERRY_DESTINATION__URL"] = f"postgresql://{role}@{place}"
    ferry.source.run(*CREATE)
    try:
        with ferry.daemon() as daemon:
            daemon.wait_state("pet", "streaming")
            ferry.destination.run(
                f'ALTER TABLE raw.pet OWNER TO "{owner}"', f'GRANT ALL ON raw.pet TO "{role}"'
            )
            ferry.source.run("ALTER TABLE pet ADD c int")
            daemon.wait_state("pet", "stopped")
            assert "belongs to another account" in daemon.table("pet")["error"]
            follows(ferry, daemon, 8)
            ferry.destination.run(f'ALTER TABLE raw.pet OWNER TO "{role}"')
            assert ferry.run("resync", "pet").returncode == 0
            settled(ferry)
            ferry.assert_equal()
            assert daemon.stop() == 0
    finally:
        ferry.destination.run(f'DROP OWNED BY "{role}" CASCADE', f'DROP ROLE "{role}"')


def test_a_locked_table_lets_the_others_go_on(mariadb_ferry: Ferry) -> None:
    """A long report keeps Postgres from altering its table; that table alone waits until it is over."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    with ferry.daemon() as daemon:
        daemon.wait_state("pet", "streaming")
        with ferry.destination.connect(autocommit=False) as report:
            report.execute("SELECT count(*) FROM raw.pet")
            ferry.source.run("ALTER TABLE pet MODIFY age bigint", "UPDATE pet SET age = 5000000000")
            daemon.wait_state("pet", "copying")
            follows(ferry, daemon, 6)
            assert changes(ferry) == [("in place", "waiting")]
            report.execute("SELECT max(age) FROM raw.pet")
        settled(ferry)
        ferry.assert_equal()
        assert changes(ferry) == [("in place", "copied again")]
        assert daemon.stop() == 0


def test_statements_are_written_down_without_secrets(mariadb_ferry: Ferry) -> None:
    """Position and time come with them; what a CREATE ... SELECT selects is a row's value."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    ferry.catch_up()
    ferry.source.run(
        "CREATE TABLE made (PRIMARY KEY (id)) SELECT id, 'Jane Doe' AS who FROM other",
        "ALTER TABLE pet COMMENT='x', ADD c int /* why */ DEFAULT 3",
    )
    ferry.catch_up()
    rows = ferry.destination.rows(
        "SELECT table_name, statement, position LIKE '%%.0%%:%%', commit_time > now() - interval '1 hour',"
        " seconds >= 0, reason FROM raw._rowferry_schema_changes WHERE %s ORDER BY change",
        [True],
    )
    told = {table: (statement, *rest) for table, statement, *rest in rows}
    assert "Jane" not in str(rows)
    assert told["made"][0].startswith("CREATE TABLE")
    assert told["pet"] == (
        "ALTER TABLE pet COMMENT='x', ADD c int /* why */ DEFAULT 3",
        True,
        True,
        True,
        "column c added",
    )
    ferry.assert_equal()
