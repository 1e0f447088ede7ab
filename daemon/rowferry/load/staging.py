"""The staging twins: unlogged tables in `<dataset>_staging` that hold a batch's rows until the merge.

A twin is made when its table is first loaded, inside the load's transaction, and is empty between
loads. Nothing else relies on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa
from psycopg2 import extensions
from psycopg2.sql import SQL, Identifier

from rowferry.load import csv_file
from rowferry.load.plan import Part
from rowferry.overrides import column_type
from rowferry.table_schema import TableSchema

MARK: Final = "_rowferry_deleted"
"""The twin's own column: true for keys that are to be deleted, else NULL."""

_TRUNCATE_BYTES: Final = 1 << 20
_COPY_CHUNK_BYTES: Final = 1 << 18


def twin_columns(table: TableSchema) -> tuple[tuple[str, str], ...]:
    """(name, Postgres type) of each column that the staging twin of `table` has."""
    columns = [(column.name, column_type(column).postgres) for column in table.columns]
    return (*columns, (mark(table), "boolean"))


def mark(table: TableSchema) -> str:
    """The name of the twin's own column, which no column of the table has."""
    name = MARK
    while table.column(name) is not None:
        name += "_"
    return name


def staged_rows(part: Part) -> pa.Table:
    """The part's rows as they go into the twin: deletes carry their mark."""
    if not part.deletes:
        return part.rows
    return part.rows.append_column(mark(part.table), pa.repeat(pa.scalar(True), part.rows.num_rows))


class Staging:
    """The staging dataset of one loader: which twins exist, and how much was written to each.

    Only what the current process has made is trusted. `forget` after every rollback.
    """

    def __init__(self, dataset: str) -> None:
        """dataset: the staging dataset's name."""
        self._dataset = dataset
        self._columns: dict[str, tuple[tuple[str, str], ...]] = {}
        self._written: dict[str, int] = {}
        self._exists = False

    def twin(self, table: TableSchema) -> Identifier:
        """The qualified name of a table's twin."""
        return Identifier(self._dataset, table.id.name)

    def forget(self) -> None:
        """Trust nothing any more: twins are made anew when they are next needed."""
        self._columns.clear()
        self._written.clear()
        self._exists = False

    def copy(self, connection: extensions.connection, part: Part, path: Path) -> None:
        """Put the part's file into its table's twin, which is made if need be."""
        names = SQL(", ").join(Identifier(name) for name in staged_rows(part).column_names)
        text = SQL("COPY {} ({}) FROM STDIN WITH ({})").format(
            self.twin(part.table), names, SQL(csv_file.COPY_OPTIONS)
        )
        with connection.cursor() as cursor, path.open("rb") as file:
            self._prepare(cursor, part.table)
            cursor.copy_expert(text, file, size=_COPY_CHUNK_BYTES)
            self._written[part.table.id.name] += file.tell()

    def empty(self, connection: extensions.connection, table: TableSchema) -> None:
        """Remove all rows: cheaply while little was written, by a new file once that would bloat it."""
        name = table.id.name
        with connection.cursor() as cursor:
            if self._written[name] > _TRUNCATE_BYTES:
                cursor.execute(SQL("TRUNCATE {}").format(self.twin(table)))
                self._written[name] = 0
            else:
                cursor.execute(SQL("DELETE FROM {}").format(self.twin(table)))

    def _prepare(self, cursor: extensions.cursor, table: TableSchema) -> None:
        """Have an empty twin with exactly the table's columns."""
        columns = twin_columns(table)
        if self._columns.get(table.id.name) == columns:
            return
        self._ensure_dataset(cursor)
        definitions = SQL(", ").join(SQL("{} {}").format(Identifier(n), SQL(t)) for n, t in columns)
        cursor.execute(
            SQL("DROP TABLE IF EXISTS {0}; CREATE UNLOGGED TABLE {0} ({1})").format(
                self.twin(table), definitions
            )
        )
        self._columns[table.id.name] = columns
        self._written[table.id.name] = 0

    def _ensure_dataset(self, cursor: extensions.cursor) -> None:
        if self._exists:
            return
        cursor.execute("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", (self._dataset,))
        if cursor.fetchone() is None:
            cursor.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(self._dataset)))
        self._exists = True
