"""`rowferry schema`: what it shows is what a start does, and every difference that was made is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.harness import Ferry

CREATE = (
    "CREATE TABLE patient (PatNum bigint PRIMARY KEY, LName varchar(50) NOT NULL, Born date,"
    " Fee decimal(10,2), Seen timestamp(3) NULL, Kind enum('a','b'), Spent time)",
    "CREATE TABLE visit (VisitNum int, Line smallint unsigned, Note text, PRIMARY KEY (Line, VisitNum))",
    "CREATE TABLE nokey (a int)",
)


def shown(ferry: Ferry, *tables: str) -> dict[str, dict[str, Any]]:
    """The tables of `schema --json` by name."""
    done = ferry.run("schema", "--json", *tables)
    assert done.returncode == 0, done.stderr
    return {t["table"]: t for t in json.loads(done.stdout)["tables"]}


def kinds(table: dict[str, Any]) -> set[tuple[str, str]]:
    """The differences' kinds and columns."""
    return {(d["kind"], d["column"]) for d in table["differences"]}


@pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
def test_the_ddl_that_is_shown_makes_the_table_that_a_start_accepts(ferry: Ferry) -> None:
    """Before the first start; run as printed it leaves no difference, and the copy goes into that table."""
    ferry.source.run(*CREATE, "INSERT INTO patient (PatNum, LName) VALUES (1, 'Canary')")
    before = shown(ferry)
    assert {name: t["next_start"]["action"] for name, t in before.items()} == {
        "patient": "make",
        "visit": "make",
        "nokey": "make",
    }
    ferry.destination.run("CREATE SCHEMA raw", *before["patient"]["ddl"], *before["visit"]["ddl"])
    assert kinds(shown(ferry)["patient"]) == {("table_new", "")}
    ferry.catch_up()
    ferry.assert_equal()
    after = shown(ferry)
    assert after["patient"]["differences"] == after["visit"]["differences"] == []
    assert after["nokey"]["differences"] == []
    assert after["patient"]["ddl"] == before["patient"]["ddl"]
    text = ferry.run("schema").stdout
    assert "Canary" not in text
    ferry.destination.run("DROP SCHEMA raw CASCADE", "CREATE SCHEMA raw", text)  # it is SQL as a whole
    assert ferry.destination.rows("SELECT count(*) FROM raw.patient") == [(0,)]


def test_every_difference_is_told_and_what_is_done_about_it_is_true(mariadb_ferry: Ferry) -> None:
    """Changes on both sides with the daemon stopped; then the remedies are carried out."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE[:2], "CREATE TABLE gone (a int PRIMARY KEY)", "CREATE TABLE keyed LIKE gone")
    ferry.catch_up()
    ferry.source.run(
        "ALTER TABLE patient ADD Fax varchar(20)",
        "ALTER TABLE visit DROP Note",
        "DROP TABLE gone",
        "CREATE TABLE late LIKE visit",
    )
    ferry.destination.run(
        'ALTER TABLE raw.patient ADD "mine" int, DROP "Born"',
        'CREATE INDEX ON raw.patient ("LName")',
        "ALTER TABLE raw.keyed DROP CONSTRAINT keyed_pkey",
    )
    found = shown(ferry)
    assert kinds(found["patient"]) == {
        ("column_added", "Fax"),
        ("column_missing", "Born"),
        ("column_extra", "mine"),
    }
    assert kinds(found["visit"]) == {("column_dropped", "Note")}
    assert kinds(found["gone"]) == {("table_gone", "")}
    assert kinds(found["late"]) == {("table_new", "")}
    assert kinds(found["keyed"]) == {("key_missing", "")}
    assert {name: t["next_start"]["action"] for name, t in found.items()} == {
        "patient": "follow",
        "visit": "follow",
        "gone": "nothing",
        "late": "make",
        "keyed": "nothing",
    }
    assert ferry.run("resync", "patient", "visit", "keyed").returncode == 0
    after = shown(ferry)
    assert {name: kinds(t) for name, t in after.items()} == {
        "patient": {("column_extra", "mine")},
        "visit": {("column_extra", "Note")},
        "gone": {("table_gone", "")},
        "late": set(),
        "keyed": set(),
    }
    ferry.assert_equal("late", "keyed")


def test_what_stands_in_the_way_of_a_load_is_told_and_what_does_not_is_not(mariadb_ferry: Ferry) -> None:
    """Every table then gets a row: those with a difference that is not harmless stop, the others do not."""
    ferry, names = mariadb_ferry, ("plain", "fine", "other", "none", "part", "must", "may")
    ferry.source.run(*(f"CREATE TABLE {name} (a int PRIMARY KEY, b int)" for name in names))
    ferry.catch_up()
    keyless = "ALTER TABLE raw.{0} DROP CONSTRAINT {0}_pkey".format
    ferry.destination.run(
        keyless("fine"),
        "CREATE UNIQUE INDEX ON raw.fine (a) INCLUDE (b)",
        keyless("other"),
        "ALTER TABLE raw.other ADD PRIMARY KEY (b)",
        keyless("none"),
        "CREATE UNIQUE INDEX ON raw.none ((a + 1))",
        keyless("part"),
        "CREATE UNIQUE INDEX ON raw.part (a) WHERE b > 0",
        "ALTER TABLE raw.must ADD c int NOT NULL",
        "ALTER TABLE raw.may ADD c int NOT NULL DEFAULT 1, ADD d int GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE raw.may ADD e int GENERATED ALWAYS AS (b + 1) STORED",
    )
    found = shown(ferry)
    assert {name: kinds(t) for name, t in found.items()} == {
        "plain": set(),
        "fine": set(),
        "other": {("key_other", "")},
        "none": {("key_missing", "")},
        "part": {("key_missing", "")},
        "must": {("column_extra_required", "c")},
        "may": {("column_extra", "c"), ("column_extra", "d"), ("column_extra", "e")},
    }
    ferry.source.run(*(f"INSERT INTO {name} VALUES (1, 2)" for name in names))
    assert ferry.run("run", "--until-caught-up").returncode == 1
    foretold = {n for n, t in found.items() if any(not d["harmless"] for d in t["differences"])}
    assert {n for n in names if ferry.tracked("state", n) == "stopped"} == foretold


def test_it_runs_beside_a_daemon_and_knows_names(mariadb_ferry: Ferry) -> None:
    """The lock is left alone; a name that nobody knows is one line and 1."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE[:1])
    with ferry.daemon() as daemon:
        daemon.wait_state("patient", "streaming")
        assert "a daemon runs on it" in ferry.run("schema", "patient").stdout
        assert daemon.stop() == 0
    assert "no daemon runs on it" in ferry.run("schema", "patient").stdout
    done = ferry.run("schema", "patiemt")
    assert done.returncode == 1
    assert "patiemt" in done.stderr
    assert "Traceback" not in done.stderr
    dead = ferry.run("schema", ROWFERRY_SOURCE__URL="mysql://nobody@127.0.0.1:1/nothing")
    assert dead.returncode == 69
