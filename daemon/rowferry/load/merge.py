"""The merge of a table's staged rows into its destination table: SQL text, nothing else.

Each key is staged once, so nothing is deduplicated; deletes come first. Names are quoted, never
normalized: the source's names are the destination's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from rowferry.load.plan import Part
from rowferry.load.staging import Staging, mark

LOADED_AT: Final = "_loaded_at"
LOAD_ID: Final = "_dlt_load_id"


def statements(
    dataset: str, staging: Staging, deletes: Part | None, upserts: Part | None, load_id: str
) -> Iterator[Composable]:
    """The statements that merge one table's parts, to be executed without parameters."""
    if deletes is not None:
        yield _delete(dataset, staging, deletes)
    if upserts is not None:
        yield _upsert(dataset, staging, upserts, load_id, marked=deletes is not None)


def _delete(dataset: str, staging: Staging, part: Part) -> Composable:
    same_key = SQL(" AND ").join(SQL("d.{0} = s.{0}").format(Identifier(k)) for k in part.table.key)
    return SQL("DELETE FROM {} AS d USING {} AS s WHERE s.{} AND {}").format(
        _target(dataset, part), staging.twin(part.table), Identifier(mark(part.table)), same_key
    )


def _upsert(dataset: str, staging: Staging, part: Part, load_id: str, *, marked: bool) -> Composable:
    columns: Sequence[str] = part.rows.column_names
    values = [SQL("s.{}").format(Identifier(name)) for name in columns]
    rows: Composable = SQL("")
    if marked:
        rows = SQL(" WHERE s.{} IS NULL").format(Identifier(mark(part.table)))
    return SQL("INSERT INTO {} AS d ({}) SELECT {} FROM {} AS s{}{}").format(
        _target(dataset, part),
        SQL(", ").join(map(Identifier, (*columns, LOADED_AT, LOAD_ID))),
        SQL(", ").join((*values, SQL("pg_catalog.now()"), Literal(load_id))),
        staging.twin(part.table),
        rows,
        on_conflict(part),
    )


def on_conflict(part: Part) -> Composable:
    """What becomes of rows whose key exists; a table without a key only grows."""
    key = part.table.key
    if not key:
        return SQL("")
    changed = [name for name in part.rows.column_names if name not in key]
    assignments = [
        SQL("{0} = excluded.{0}").format(Identifier(name)) for name in (*changed, LOADED_AT, LOAD_ID)
    ]
    return SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(
        SQL(", ").join(map(Identifier, key)), SQL(", ").join(assignments)
    )


def _target(dataset: str, part: Part) -> Identifier:
    return Identifier(dataset, part.table.id.name)


def load_record(dataset: str) -> Composable:
    """The statement that writes dlt's record of a load: its id, the schema's name and its version's hash."""
    return SQL(
        "INSERT INTO {} (load_id, schema_name, status, inserted_at, schema_version_hash)"
        " VALUES (%s, %s, 0, pg_catalog.now(), %s)"
    ).format(Identifier(dataset, "_dlt_loads"))
