"""Tables of every type under odd names, made by chance, are copied, followed, and stay equal.

`tests/generated/examples.py` says how many, and how to have more; on a failure the statements are
printed, to be run by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Final, Unpack

import pytest
from hypothesis import given

from rowferry_lab.compare import Expected
from rowferry_lab.servers import RunningServer, fresh_destination_database, fresh_source_database
from tests.acceptance.harness import Ferry, wait_until
from tests.generated.examples import examples, server_of
from tests.generated.families import FAMILIES
from tests.generated.tables import SESSION, Table, run_all, shown_on_failure, tables


def test_generated_tables_are_copied_and_followed(
    source: RunningServer, destination: RunningServer, tmp_path: Path
) -> None:
    """Whatever the source stores, by both ways in, is what the destination holds, under the same names."""

    @examples(2)
    @given(tables(server_of(source), FAMILIES, count=12))
    def check(made: list[Table]) -> None:
        with fresh_ferry(source, destination, tmp_path) as ferry:
            copy_and_follow(ferry, made)

    check()


def test_generated_tables_are_followed_under_other_names_and_types(
    source: RunningServer, destination: RunningServer, tmp_path: Path
) -> None:
    """Names of 63 bytes that were given by hand, numbers and times as text, and dates in place of none."""

    @examples(1)
    @given(tables(server_of(source), FAMILIES, count=12))
    def check(made: list[Table]) -> None:
        settings, expected = other_names_and_types(made)
        with fresh_ferry(source, destination, tmp_path) as ferry:
            ferry.settings |= settings
            copy_and_follow(ferry, made, **expected)

    check()


@contextmanager
def fresh_ferry(source: RunningServer, destination: RunningServer, folder: Path) -> Iterator[Ferry]:
    """One between two databases of its own, with a state folder of its own."""
    with (
        fresh_source_database(source, "made") as here,
        fresh_destination_database(destination, "made") as there,
    ):
        state = folder / here.name
        state.mkdir()
        yield Ferry(here, there, state)


GLOB_CHARACTERS: Final = set("*?[")
AS_TEXT: Final = frozenset({"integer", "decimal", "temporal"})
IN_PLACE_OF_NO_DATE: Final = {"DATE": "1900-01-01", "DATETIME": "1900-01-01 00:00:00"}


def other_names_and_types(made: list[Table]) -> tuple[dict[str, str], Expected]:
    """Settings for every second table and column, and what they make of the destination."""
    renamed: dict[str | tuple[str, str], str] = {}
    overridden: dict[tuple[str, str], str] = {}
    zero_dates: dict[tuple[str, str], str] = {}
    columns: dict[str, dict[str, dict[str, str]]] = {}
    for place, table in enumerate(made):
        if place % 2:
            renamed[table.name] = f"{place:063}"
        for number, field in enumerate(table.fields):
            if GLOB_CHARACTERS & set(table.name + field.name):
                continue
            point = columns.setdefault(table.name, {}).setdefault(field.name, {})
            both = table.name, field.name
            if number % 2:
                renamed[both] = point["name"] = f"{number:063}"
            if field.kind.family in AS_TEXT and field.values is not None and field.name not in table.key:
                overridden[both] = point["type"] = "text"
            literal = IN_PLACE_OF_NO_DATE.get(field.kind.ddl.partition("(")[0])
            if field.kind.family == "zero_date" and literal and field.values is not None:
                zero_dates[both], point["zero_dates"] = literal, "1900-01-01"
    settings = {
        "ROWFERRY_TABLES__RENAME": json.dumps({k: v for k, v in renamed.items() if isinstance(k, str)}),
        "ROWFERRY_COLUMNS": json.dumps(columns),
    }
    return settings, {"renamed": renamed, "overridden": overridden, "zero_dates": zero_dates}


def copy_and_follow(ferry: Ferry, made: list[Table], **expected: Unpack[Expected]) -> None:
    """Make and fill the tables, copy them, change them, follow, and compare after both."""
    before = [s for table in made for s in (*table.create, *table.first)]
    groups = zip_longest(*(table.later for table in made), fillvalue=())
    after = [s for interleaved in groups for group in interleaved for s in group]
    with shown_on_failure([*before, "-- copied here", *after]), ferry.source.connect() as connection:
        run_all(connection, [*SESSION, *before])
        ferry.catch_up()
        ferry.assert_equal(*(table.name for table in made), **expected)
        run_all(connection, after)
        ferry.catch_up()
        ferry.assert_equal(*(table.name for table in made), **expected)


def test_names_of_more_than_63_bytes_stop_their_table(ferry: Ferry) -> None:
    """Postgres cuts longer names off, which would make two of them one; MySQL has 64 characters."""
    long = ("t" * 64, "é" * 32, "表" * 22)
    ferry.source.run(
        "CREATE TABLE good (id int PRIMARY KEY)",
        "INSERT INTO good VALUES (1)",
        *(f"CREATE TABLE `{name}` (id int PRIMARY KEY)" for name in long),
        *(f"CREATE TABLE column{n} (id int PRIMARY KEY, `{name}` int)" for n, name in enumerate(long)),
        *(f"INSERT INTO `{name}` VALUES (1)" for name in long),
    )
    assert ferry.run("run", "--until-caught-up").returncode == 1
    ferry.source.run("INSERT INTO good VALUES (2)", *(f"DELETE FROM `{name}`" for name in long))
    assert ferry.run("run", "--until-caught-up").returncode == 1
    ferry.assert_equal("good")
    for table, name in (*((name, name) for name in long), *((f"column{n}", m) for n, m in enumerate(long))):
        assert ferry.tracked("state", table) == "stopped"
        assert f"{name!r} is longer than 63 bytes" in ferry.tracked("error", table)


@pytest.mark.parametrize("source", ["mariadb_10_11"], indirect=True)
@pytest.mark.parametrize(
    "columns",
    [
        "id int PRIMARY KEY, ctid int",
        ", ".join(["id int PRIMARY KEY", *(f"c{n} tinyint" for n in range(1700))]),
    ],
    ids=["the name of a system column", "more columns than Postgres has"],
)
def test_a_table_that_postgres_cannot_create_stops_alone(ferry: Ferry, columns: str) -> None:
    """One table that cannot be made must not keep the others waiting."""
    ferry.source.run(
        "CREATE TABLE good (id int PRIMARY KEY)",
        f"CREATE TABLE unfit ({columns}) ENGINE=MyISAM",
        "INSERT INTO good VALUES (1)",
    )
    with ferry.daemon() as daemon:
        daemon.wait_state("unfit", "stopped")
        daemon.wait_state("good", "streaming")
        ferry.source.run(f"CREATE TABLE later ({columns}) ENGINE=MyISAM", "INSERT INTO good VALUES (2)")
        daemon.wait_state("later", "stopped")
        query = "SELECT id FROM raw.good ORDER BY id"
        wait_until("good goes on", lambda: ferry.destination.rows(query) == [(1,), (2,)])
        assert daemon.stop() == 0
    for table in ("unfit", "later"):
        error = ferry.tracked("error", table)
        assert f"rowferry resync {table}" in error or f"Set columns.{table}" in error
