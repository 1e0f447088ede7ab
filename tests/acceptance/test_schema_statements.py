"""Every statement of DDL that an upgrade, a person or a tool may send, in mid-stream, on every server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rowferry_lab.servers import SourceDatabase, fresh_source_database
from tests.acceptance.harness import Ferry
from tests.acceptance.schema_cases import Case, known_to, write, writer
from tests.acceptance.schema_cases_columns import ADDED, MODIFIED, RENAMED
from tests.acceptance.schema_cases_tables import ELSEWHERE, FORMS, KEYS, MADE, PARTITIONS, PLACES
from tests.acceptance.schema_ends import assert_ends_equal, mark, wait_streaming

COLUMNS: Final = (*ADDED, *RENAMED, *MODIFIED)
TABLES: Final = (*KEYS, *FORMS, *PARTITIONS, *MADE, *PLACES, *ELSEWHERE)
UNTOUCHED: Final = ("else_alter", "else_used", "else_outside")
ENGINES: Final = ("MyISAM", "InnoDB")


def _create(source: SourceDatabase, other: SourceDatabase, cases: Sequence[Case]) -> None:
    with writer(source) as connection:
        write(connection, ("CREATE TABLE marker (id int PRIMARY KEY AUTO_INCREMENT) ENGINE=InnoDB",))
        for number, one in enumerate(cases):
            write(connection, one.filled(one.create(ENGINES[number % 2]), source.name, other.name))


def _change(source: SourceDatabase, other: SourceDatabase, cases: Sequence[Case]) -> None:
    with writer(source) as inside, writer(source, inside=False) as outside:
        for one in cases:
            statements = (*one.statements, *one.later)
            write(outside if one.outside else inside, one.filled(statements, source.name, other.name))


@contextmanager
def _elsewhere(ferry: Ferry) -> Iterator[SourceDatabase]:
    """Another database of the same server, which is not copied."""
    with fresh_source_database(ferry.source.server, "elsewhere") as other:
        yield other


def _hidden(*tables: str) -> dict[str, str]:
    return {"ROWFERRY_TABLES__EXCLUDE": json.dumps(["temp*", *tables])}


def test_statements_about_columns_in_mid_stream(ferry: Ferry) -> None:
    """ADD, DROP, RENAME, CHANGE and MODIFY: no table stops, every row is equal, `verify` agrees.

    Of each statement it is written down what became of it.
    """
    cases = known_to(COLUMNS, ferry.source)
    ferry.settings |= _hidden()
    with _elsewhere(ferry) as other:
        _create(ferry.source, other, cases)
        with ferry.daemon() as daemon:
            wait_streaming(daemon)
            _change(ferry.source, other, cases)
            mark(ferry)
            assert_ends_equal(ferry, daemon)
    query = "SELECT table_name FROM raw._rowferry_schema_changes WHERE result IN ('done', 'copied again')"
    assert {one.table for one in cases} - {table for (table,) in ferry.destination.rows(query)} == set()


def test_statements_about_tables_in_mid_stream(ferry: Ferry) -> None:
    """Keys, engines, charsets, indexes, partitions, CREATE, DROP and RENAME, wherever they are sent from.

    What is done to a table of the same name in another database changes nothing; where one statement
    tells it apart for sure, nothing is even copied again.
    """
    cases = known_to(TABLES, ferry.source)
    ferry.settings |= _hidden()
    with _elsewhere(ferry) as other:
        _create(ferry.source, other, cases)
        with ferry.daemon() as daemon:
            wait_streaming(daemon)
            before = {table: _first_load(ferry, table) for table in UNTOUCHED}
            _change(ferry.source, other, cases)
            mark(ferry)
            assert_ends_equal(ferry, daemon)
    assert {table: _first_load(ferry, table) for table in UNTOUCHED} == before


def _first_load(ferry: Ferry, table: str) -> object:
    """By which load a row came that nobody changed: another one after a copy."""
    return ferry.destination.rows(f"SELECT _dlt_load_id FROM raw.{table} WHERE id = 4")
