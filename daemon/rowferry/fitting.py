"""The statements that make what stands in Postgres fit to be copied into.

A table that stands is never dropped or emptied: what lacks is added, and rows that no copy could have are
taken out.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from rowferry.changes import Statement
from rowferry.destination import (
    LOAD_ID,
    LOADED_AT,
    add_columns,
    create_table,
    ddl,
    literal,
    mark_owner,
    name,
)
from rowferry.standing import Standing
from rowferry.table_schema import TableSchema

_METADATA = {LOADED_AT: "timestamptz NOT NULL DEFAULT now()", LOAD_ID: "text NOT NULL DEFAULT ''"}


def make_fit(dataset: str, table: TableSchema, standing: Standing) -> list[Statement]:
    """Make the destination table, or add what lacks of it. Raises TableStopped."""
    made = [create_table(dataset, table), mark_owner(dataset, table)]
    if not standing.columns:
        return made
    there = name(dataset, table.there)
    for column, kind in _METADATA.items():
        if column not in standing.columns:
            made.append(ddl(f"ALTER TABLE {there} ADD COLUMN {name(column)} {kind}"))
    if missing := [c for c in table.columns if c.there not in standing.columns]:
        made.append(add_columns(dataset, table, missing))
    key = table.as_destination().key
    if standing.primary and set(standing.primary) != set(key):
        made += _unkeyed(there, standing)
        standing = replace(standing, primary=(), primary_name="")
    if key and frozenset(key) not in standing.keys:
        made += _keyed(there, table.there, key, standing)
    return made


def _unkeyed(there: str, standing: Standing) -> list[Statement]:
    """Take away a primary key that the source's table has not, or no longer has."""
    loose = [f"ALTER COLUMN {name(column)} DROP NOT NULL" for column in standing.primary]
    dropped = f"DROP CONSTRAINT {name(standing.primary_name)}"
    return [ddl(f"ALTER TABLE {there} {part}") for part in (dropped, ", ".join(loose))]


def _keyed(there: str, table: str, key: tuple[str, ...], standing: Standing) -> list[Statement]:
    """Give the table back its key, without rows that it forbids; a column that is new is NULL until the copy.

    Such a row is told from others only once the copy has written it anew; the others are swept out then, and
    `key_again` makes the index the primary key.
    """
    columns = ", ".join(map(name, key))
    same = " AND ".join(f"a.{name(k)} = b.{name(k)}" for k in key)
    made = [ddl(f"DELETE FROM {there} a USING {there} b WHERE a.ctid < b.ctid AND {same}")]
    if not set(key) <= set(standing.columns):
        return [*made, ddl(f"CREATE UNIQUE INDEX {name(_index(table))} ON {there} ({columns})")]
    nothing = " OR ".join(f"{name(k)} IS NULL" for k in key)
    made.append(ddl(f"DELETE FROM {there} WHERE {nothing}"))
    return [*made, ddl(f"ALTER TABLE {there} ADD PRIMARY KEY ({columns})")]


def key_again(dataset: str, table: TableSchema) -> Statement:
    """At the end of a copy: the unique index that stood in for a primary key becomes one."""
    there, index = name(dataset, table.there), name(_index(table.there))
    whole, again = (_as_text(name(dataset, each)) for each in (_index(table.there), table.there))
    return ddl(
        f"DO $$ BEGIN IF to_regclass({whole}) IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_constraint"
        f" WHERE contype = 'p' AND conrelid = {again}::regclass)"
        f" THEN ALTER TABLE {there} ADD PRIMARY KEY USING INDEX {index}; END IF; END $$"
    )


def _as_text(quoted: str) -> str:
    """A name as a text that Postgres reads as one; both `name` and `literal` double the per cent signs."""
    return literal(quoted.replace("%%", "%"))


def _index(table: str) -> str:
    """The name of that index: short enough whatever the table's is."""
    return "_rowferry_key_" + hashlib.blake2b(table.encode(), digest_size=16).hexdigest()
