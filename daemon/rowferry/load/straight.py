"""Rows of a copy into a table that was empty before: COPY into the table itself, without its twin.

A key that is there already (the stream was faster than the copy) ends that COPY; then the rows take the
ordinary way, by a temporary table, and replace what is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa
from psycopg2 import errors, extensions
from psycopg2.sql import SQL, Composable, Identifier

from rowferry.load import csv_file, merge
from rowferry.load.plan import Part

_CHUNK_BYTES: Final = 1 << 18
_NOW: Final = "now"
"""What timestamptz reads as the transaction's own time
(https://www.postgresql.org/docs/current/datatype-datetime.html, special values)."""


def rows(part: Part, load_id: str) -> pa.Table:
    """The part's rows with the columns that the destination table has besides."""
    count = part.rows.num_rows
    made = part.rows.append_column(merge.LOADED_AT, pa.repeat(pa.scalar(_NOW), count))
    return made.append_column(merge.LOAD_ID, pa.repeat(pa.scalar(load_id), count))


def copy(connection: extensions.connection, dataset: str, part: Part, path: Path) -> None:
    """Put the part's file, made of `rows`, into the destination table. Raises psycopg2.Error."""
    columns = (*part.rows.column_names, merge.LOADED_AT, merge.LOAD_ID)
    names = SQL(", ").join(map(Identifier, columns))
    target = Identifier(dataset, part.table.id.name)
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT straight")
        try:
            _copy(cursor, target, names, path)
        except errors.UniqueViolation:
            cursor.execute("ROLLBACK TO SAVEPOINT straight")
        else:
            cursor.execute("RELEASE SAVEPOINT straight")
            return
        _around(cursor, target, names, part, path)


def _copy(cursor: extensions.cursor, target: Identifier, names: Composable, path: Path) -> None:
    text = SQL("COPY {} ({}) FROM STDIN WITH ({})").format(target, names, SQL(csv_file.COPY_OPTIONS))
    with path.open("rb") as file:
        cursor.copy_expert(text, file, size=_CHUNK_BYTES)


def _around(cursor: extensions.cursor, target: Identifier, names: Composable, part: Part, path: Path) -> None:
    """By a table of the session, which is gone again afterwards."""
    beside = Identifier("pg_temp", "straight")
    cursor.execute(SQL("CREATE TEMPORARY TABLE straight (LIKE {}) ON COMMIT DROP").format(target))
    _copy(cursor, beside, names, path)
    cursor.execute(
        SQL("INSERT INTO {} AS d ({}) SELECT {} FROM {}{}").format(
            target, names, names, beside, merge.on_conflict(part)
        )
    )
    cursor.execute(SQL("DROP TABLE {}").format(beside))
