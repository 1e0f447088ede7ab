"""Creates an OpenDental-shaped source database on MySQL or MariaDB.

    created = opendental.create(connection, "opendental", rows_scale=0.1)

Only ever writes to the database it is given. Deterministic by seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from rowferry_lab.opendental_rows import Row, RowMaker
from rowferry_lab.opendental_schema import EXCLUDED_DDL, TABLES, Engine, Table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    import pymysql

    Connection = pymysql.connections.Connection[Any]
    Cursor = pymysql.cursors.Cursor

DEFAULT_SEED: Final = 20240229
_ROWS_PER_INSERT: Final = 500
_SESSION: Final = ("SET NAMES utf8mb4", "SET sql_mode = ''", "SET time_zone = '+00:00'")


@dataclass(frozen=True, slots=True)
class Created:
    """What was made. rows: by table, without the tables that default globs exclude."""

    database: str
    rows: dict[str, int]
    engines: dict[Engine, int]
    excluded: tuple[str, ...]

    @property
    def total_rows(self) -> int:
        """Rows of all tables that are to be copied."""
        return sum(self.rows.values())

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that are to be copied."""
        return tuple(self.rows)


def create(
    connection: Connection, database: str, *, rows_scale: float = 1.0, seed: int = DEFAULT_SEED
) -> Created:
    """Create the database (if it is missing) and its tables (which must not exist), and fill them.

    The connection stays in that database, in autocommit, with sql_mode '' and time zone UTC.
    """
    connection.autocommit(True)
    maker = RowMaker(random.Random(seed), rows_scale=rows_scale)
    with connection.cursor() as cursor:
        prepare_session(cursor)
        quoted = quote(database)
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS {quoted} DEFAULT CHARACTER SET utf8mb4")
        cursor.execute(f"USE {quoted}")
        counts = {table.name: max(1, int(table.rows * rows_scale)) for table in TABLES}
        rows = {table.name: create_table(cursor, table, maker, counts[table.name]) for table in TABLES}
        _create_excluded(cursor)
    engines = {engine: sum(t.engine is engine for t in TABLES) for engine in Engine}
    return Created(database, rows, engines, tuple(EXCLUDED_DDL))


def prepare_session(cursor: Cursor) -> None:
    """The session settings under which zero dates are accepted and instants are UTC."""
    for statement in _SESSION:
        cursor.execute(statement)


def quote(name: str) -> str:
    """A name between backticks."""
    return "`" + name.replace("`", "``") + "`"


def create_table(cursor: Cursor, table: Table, maker: RowMaker, rows: int) -> int:
    """Create a table with that many rows; returns their number."""
    cursor.execute(table.ddl())
    return insert_rows(cursor, table, maker.rows(table, rows))


def insert_rows(cursor: Cursor, table: Table, rows: Iterable[Row], *, with_key: bool = True) -> int:
    """Insert by multi-row statements; with_key False: the rows come without their key column."""
    columns = table.columns if with_key else table.columns[1:]
    names = ", ".join(quote(column.name) for column in columns)
    row_template = f"({', '.join(['%s'] * len(columns))})"
    iterator, inserted = iter(rows), 0
    while batch := list(islice(iterator, _ROWS_PER_INSERT)):
        marks = ", ".join([row_template] * len(batch))
        statement = f"INSERT INTO {quote(table.name)} ({names}) VALUES {marks}"
        cursor.execute(statement, [value for row in batch for value in row])
        inserted += len(batch)
    return inserted


def _create_excluded(cursor: Cursor) -> None:
    for statement in EXCLUDED_DDL.values():
        cursor.execute(statement)
    cursor.execute("INSERT INTO tempdash1 (Total) VALUES (1.5), (2.5)")
    cursor.execute("INSERT INTO tmpx VALUES (1, 'left over'), (1, 'left over')")
    cursor.execute("INSERT INTO x_bak_20240101 VALUES (1, 'Old'), (1, 'Old'), (2, 'Older')")
