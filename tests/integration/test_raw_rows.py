"""The copy's rows as columns, on real servers: the same as row after row, and whole or an error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from pymysql.connections import Connection

from rowferry.carry import Carried, carry
from rowferry.changes import RawRow
from rowferry.chunk_sql import chunk_select
from rowferry.copy import select_form
from rowferry.copy_read import limited
from rowferry.errors import RowRefused, SchemaMoved, SelectTooLong, StreamStopped, Unreachable
from rowferry.mysql_catalog import read_tables
from rowferry.mysql_source import connect, connect_for_copy, describe_server, query
from rowferry.raw_rows import select_columns
from rowferry.settings import QuarantineSettings, SourceSettings, TableSettings
from rowferry.table_schema import Column, ColumnPolicy, TableSchema
from rowferry.text_columns import RawColumns
from rowferry_lab.servers import RunningServer, SourceDatabase, fresh_source_database
from tests.generated.examples import examples, server_of
from tests.generated.families import FAMILIES
from tests.generated.tables import SESSION, Table, run_all, shown_on_failure, tables

RULES = QuarantineSettings(keep_values=True)
SIZES = (0, 1, 250, 251, 65535, 65536, 3_000_000)


@pytest.fixture
def rows(source_database: SourceDatabase) -> Iterator[Connection[Any]]:
    """Give a session of the copy's."""
    connection = connect_for_copy(SourceSettings(url=source_database.url))
    yield connection
    if connection.open:
        connection.close()


def test_tables_of_every_type_are_the_same_as_columns(source: RunningServer) -> None:
    """Their rows, those that are set aside, and what became of zero dates, under several policies."""

    @examples(4)
    @given(tables(server_of(source), FAMILIES, count=12))
    def check(made: list[Table]) -> None:
        statements = [s for table in made for s in (*table.create, *table.first)]
        with shown_on_failure(statements), fresh_source_database(source, "columns") as database:
            with database.connect() as connection:
                run_all(connection, [*SESSION, *statements])
            compare(database)

    check()


def compare(database: SourceDatabase) -> None:
    """Every table of a database, read by both ways."""
    settings = SourceSettings(url=database.url)
    with connect(settings) as control, connect_for_copy(settings) as rows:
        for table in read_tables(control, database.name, TableSettings()).values():
            sql = chunk_select(table, None, 100)
            found, listed = select_columns(rows, sql), query(rows, sql)
            assert list(found) == listed
            count = len(table.columns)
            by_row = [row[:count] for row in listed]
            for policy in policies():
                other = replace(table, columns=tuple(with_policy(c, table, policy) for c in table.columns))
                assert outcome(other, found.first_columns(count)) == outcome(other, by_row)


def policies() -> list[ColumnPolicy]:
    """The default, rows that are set aside, dates that are kept or replaced."""
    return [
        ColumnPolicy(),
        ColumnPolicy(zero_dates="quarantine", invalid_text="quarantine", misfits="quarantine"),
        ColumnPolicy(as_type="text", zero_dates="keep", invalid_text="quarantine", misfits="quarantine"),
        ColumnPolicy(zero_dates="1900-01-01", misfits="quarantine"),
    ]


def with_policy(column: Column, table: TableSchema, policy: ColumnPolicy) -> Column:
    """The column with it, where it may have it."""
    dated = column.type.base in ("date", "datetime", "timestamp")
    if column.name in table.key:
        policy = replace(policy, as_type="", zero_dates="quarantine")
    if not dated:
        policy = replace(policy, zero_dates="null")
    return replace(column, policy=policy)


def outcome(table: TableSchema, found: RawColumns | list[RawRow]) -> tuple[object, ...]:
    """What carrying rows comes to, as values that can be compared."""
    try:
        carried: Carried = carry(select_form(table), found, RULES)
    except RowRefused as refused:
        return refused.policy, str(refused)
    carried.rows.validate(full=True)
    return str(carried.rows.schema), carried.rows.to_pylist(), carried.aside, dict(carried.zero_dates)


def test_floats_are_the_same_bit_by_bit(source_database: SourceDatabase, rows: Connection[Any]) -> None:
    """Equality alone would take -0 for 0."""
    source_database.run(
        "CREATE TABLE t (id int PRIMARY KEY, f float, d double)",
        "INSERT INTO t VALUES (1, -0e0, -0e0), (2, 1e-45, 5e-324), (3, 3.4028234e38, -1.5e300), (4, 0, 0.1)",
    )
    with connect(SourceSettings(url=source_database.url)) as control:
        [table] = read_tables(control, source_database.name, TableSettings()).values()
    sql = chunk_select(table, None, 10)
    found, listed = select_columns(rows, sql), query(rows, sql)
    columns, by_row = (carry(select_form(table), r, RULES).rows for r in (found, listed))
    assert str(columns.to_pylist()) == str(by_row.to_pylist())


def test_values_of_every_length(source_database: SourceDatabase, rows: Connection[Any]) -> None:
    """Also rows of more than one packet, of 16 MB together, and no rows at all."""
    source_database.run("CREATE TABLE t (id int PRIMARY KEY, a longblob, b longblob, c text)")
    sql = "SELECT id, a, b, c FROM t ORDER BY id"
    assert len(select_columns(rows, sql)) == 0
    for number, size in enumerate(SIZES):
        values = f"{number}, REPEAT(X'FB', {size}), NULL, REPEAT('é', {size} DIV 100)"
        source_database.run(f"INSERT INTO t VALUES ({values})")
    wide = "SELECT id, CONCAT(a, a, a, a, a), CONCAT(a, X'00'), CONCAT(a, c, a) FROM t ORDER BY id"
    for statement in (sql, wide, f"({wide}) UNION ALL ({wide})"):
        assert list(select_columns(rows, statement)) == query(rows, statement)


SLOW = "SELECT REPEAT('x', 70000), SLEEP(IF(n < 5, 0, 0.2)) FROM n"


@pytest.fixture
def numbers(source_database: SourceDatabase) -> None:
    """Make a table of fifty numbers."""
    values = ",".join(f"({n})" for n in range(50))
    source_database.run("CREATE TABLE n (n int PRIMARY KEY)", f"INSERT INTO n VALUES {values}")


def test_a_select_that_takes_too_long_is_not_taken_for_whole(
    source_database: SourceDatabase, rows: Connection[Any], numbers: None
) -> None:
    """The server ends it between its rows; the session goes on."""
    with connect(SourceSettings(url=source_database.url)) as control:
        server = describe_server(control)
    with pytest.raises(SelectTooLong):
        select_columns(rows, limited(SLOW, server, 0.3))
    assert list(select_columns(rows, "SELECT COUNT(*) FROM n")) == [(b"50",)]
    assert query(rows, "SELECT 7") == [(b"7",)]


def test_a_session_that_was_ended_between_rows_is_an_error(
    source_database: SourceDatabase, rows: Connection[Any], numbers: None
) -> None:
    """Not a result with fewer rows."""
    [(number,)] = query(rows, "SELECT CONNECTION_ID()")
    ended = threading.Timer(0.5, lambda: source_database.run(f"KILL {int(number)}"))
    ended.start()
    with pytest.raises(Unreachable):
        select_columns(rows, SLOW)
    ended.join()
    with pytest.raises(Unreachable):
        select_columns(rows, "SELECT 7")


def test_a_statement_that_the_server_refuses(rows: Connection[Any]) -> None:
    """As any other; the session goes on."""
    with pytest.raises(StreamStopped):
        select_columns(rows, "SELECT nonsense nonsense nonsense")
    with pytest.raises(SchemaMoved):
        select_columns(rows, "SELECT nothing FROM no_table")
    assert list(select_columns(rows, "SELECT NULL, ''")) == [(None, b"")]
