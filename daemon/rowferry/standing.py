"""What stands in Postgres under a table's name, and the statements that make it fit to be copied into.

A table that stands is never dropped or emptied: what lacks is added, and rows that no copy could have are
taken out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from rowferry.changes import Statement
from rowferry.destination import (
    LOAD_ID,
    LOADED_AT,
    Session,
    add_columns,
    create_table,
    existing_columns,
    existing_owner,
    fetch,
    mark_owner,
    name,
)
from rowferry.table_schema import TableSchema

_METADATA = {LOADED_AT: "timestamptz NOT NULL DEFAULT now()", LOAD_ID: "text NOT NULL DEFAULT ''"}
_KEYS = """
SELECT i.indisprimary, array_agg(a.attname::text) FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
WHERE n.nspname = %s AND c.relname = %s AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
GROUP BY i.indexrelid, i.indisprimary"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A destination table as it is. columns: types by name; empty if there is no such table.

    owner: the source table that it was made for, "" if it does not say. keys: the columns of each of its
    unique indexes. has_primary_key: whether one of them is the primary key.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    keys: Collection[frozenset[str]] = ()
    has_primary_key: bool = False


def existing_table(session: Session, dataset: str, table: str) -> Standing:
    """What stands there now. Raises what `destination.fetch` raises."""
    found = fetch(session, _KEYS, [dataset, table])
    return Standing(
        existing_columns(session, dataset, table),
        existing_owner(session, dataset, table),
        [frozenset(columns) for _, columns in found],
        any(primary for primary, _ in found),
    )


def make_fit(dataset: str, table: TableSchema, standing: Standing) -> list[Statement]:
    """Make the destination table, or add what lacks of it. Raises TableStopped."""
    made = [create_table(dataset, table), mark_owner(dataset, table)]
    if not standing.columns:
        return made
    there = name(dataset, table.there)
    for column, kind in _METADATA.items():
        if column not in standing.columns:
            made.append(_ddl(f"ALTER TABLE {there} ADD COLUMN {name(column)} {kind}"))
    if missing := [c for c in table.columns if c.there not in standing.columns]:
        made.append(add_columns(dataset, table, missing))
    key = table.as_destination().key
    if key and frozenset(key) not in standing.keys:
        made += _keyed(there, key, standing)
    return made


def _keyed(there: str, key: tuple[str, ...], standing: Standing) -> list[Statement]:
    """Give the table back its key, without rows that it forbids; a column that is new is NULL until the copy.

    Such a row is told from others only once the copy has written it anew; the others are swept out then.
    """
    columns = ", ".join(map(name, key))
    same = " AND ".join(f"a.{name(k)} = b.{name(k)}" for k in key)
    made = [_ddl(f"DELETE FROM {there} a USING {there} b WHERE a.ctid < b.ctid AND {same}")]
    if standing.has_primary_key or not set(key) <= set(standing.columns):
        return [*made, _ddl(f"CREATE UNIQUE INDEX ON {there} ({columns})")]
    nothing = " OR ".join(f"{name(k)} IS NULL" for k in key)
    made.append(_ddl(f"DELETE FROM {there} WHERE {nothing}"))
    return [*made, _ddl(f"ALTER TABLE {there} ADD PRIMARY KEY ({columns})")]


def _ddl(text: str) -> Statement:
    return Statement(text.replace("%%", "%"))
