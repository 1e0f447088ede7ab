"""The statements that make what stands in Postgres fit to be copied into.

A table that stands is never dropped or emptied: what lacks is added, types are changed in place or kept, and
rows that no copy could have are taken out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rowferry.changes import Statement
from rowferry.destination import (
    LOAD_ID,
    LOADED_AT,
    add_columns,
    columns_of,
    create_table,
    ddl,
    literal,
    mark_owner,
    name,
    same_type,
)
from rowferry.errors import TableStopped
from rowferry.overrides import column_type
from rowferry.policies import select_column
from rowferry.retype import holds, keeps_apart, kept_name, using
from rowferry.standing import Standing
from rowferry.table_schema import Column, TableSchema
from rowferry.types import UnsupportedType

METADATA: Final = {LOADED_AT: "timestamp with time zone", LOAD_ID: "text"}
"""Rowferry's own columns, and their types."""
_NEW: Final = {LOADED_AT: "now()", LOAD_ID: "''"}


@dataclass(frozen=True, slots=True)
class Fit:
    """What makes a table fit. table: the one that was asked for, with the types that its columns keep."""

    table: TableSchema
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class _Change:
    """A column that gets another type. instead: what stands for a value that cannot be had, "" for NULL."""

    column: str
    standing: str
    wanted: str
    instead: str = ""

    @property
    def loose(self) -> bool:
        """Whether it may leave NULL, or one value where there were two."""
        return not keeps_apart(self.standing, self.wanted)


def make_fit(dataset: str, table: TableSchema, standing: Standing) -> Fit:
    """Make the destination table, or make the one that stands fit. Raises TableStopped."""
    table = replace(table, columns=tuple(replace(c, kept="") for c in table.columns))
    made = [create_table(dataset, table), mark_owner(dataset, table)]
    if not standing.columns:
        return Fit(table, tuple(made))
    there = name(dataset, table.there)
    for column, kind in METADATA.items():
        if column not in standing.columns:
            made.append(
                ddl(f"ALTER TABLE {there} ADD COLUMN {name(column)} {kind} NOT NULL DEFAULT {_NEW[column]}")
            )
    table = keep_types(table, standing)
    if missing := [c for c in table.columns if c.there not in standing.columns]:
        made.append(add_columns(dataset, table, missing))
    key = table.as_destination().key
    changes = [*_changes(table, standing), *_metadata(standing)]
    loose = any(c.loose for c in changes if c.column in key)
    again = bool(standing.primary) and loose
    if again or (standing.primary and set(standing.primary) != set(key)):
        made += _unkeyed(there, standing)
        standing = replace(standing, primary=(), primary_name="")
    if changes:
        made.append(_retyped(there, changes, standing))
    if key and (again or frozenset(key) not in standing.keys):
        made += _keyed(there, table.there, key, whole=not loose and set(key) <= set(standing.columns))
    return Fit(table, tuple(made))


def change_types(dataset: str, table: TableSchema, standing: Standing) -> Fit:
    """What changes the types of columns that stand, or keeps them, where every value stays what it is.

    Raises TableStopped where one might not.
    """
    table = keep_types(table, standing)
    changes = list(_changes(table, standing))
    key = table.as_destination().key
    if loose := [
        c.column for c in changes if (c.loose if c.column in key else not holds(c.wanted, c.standing))
    ]:
        reason = f"its column {loose[0]} cannot get another type without a copy"
        raise TableStopped("follow a schema change", f"table {table.id}", reason=reason)
    there = name(dataset, table.there)
    return Fit(table, (_retyped(there, changes, standing),) if changes else ())


def keep_types(table: TableSchema, standing: Standing) -> TableSchema:
    """The table whose columns keep the types that can stay, or must because something depends on them.

    Raises TableStopped for a type that can neither stay nor be changed.
    """
    kinds = dict(columns_of(table))
    return replace(table, columns=tuple(_kept(table, c, kinds[c.there], standing) for c in table.columns))


def _kept(table: TableSchema, column: Column, kind: str, standing: Standing) -> Column:
    found = standing.columns.get(column.there)
    if found is None or same_type(found.type, kind):
        return column
    kept = replace(column, kept=kept_name(found.type))
    possible = not column.policy.as_type and _can_be_had(kept, key=column.name in table.key)
    blockers = standing.blockers.get(column.there, ())
    if possible and (blockers or holds(found.type, kind)):
        return kept
    if not blockers:
        return column
    raise TableStopped(
        "copy",
        f"table {table.id}",
        reason=f"column {column.there} is {found.type} in the destination, {kind} is needed, and Postgres"
        f" does not change it while this depends on it: {', '.join(blockers)}",
        hint=f"Drop that, run `rowferry resync {table.id.name}`, and create it again",
    )


def _can_be_had(column: Column, *, key: bool) -> bool:
    try:
        select_column(column, key=key)
        column_type(column)
    except UnsupportedType:
        return False
    return True


def _changes(table: TableSchema, standing: Standing) -> Iterator[_Change]:
    for column, kind in columns_of(table):
        found = standing.columns.get(column)
        if found is not None and not same_type(found.type, kind):
            yield _Change(column, found.type, kind)


def _metadata(standing: Standing) -> Iterator[_Change]:
    """Rowferry's own columns, unless something depends on them: loads may well fit all the same."""
    for column, kind in METADATA.items():
        found = standing.columns.get(column)
        if found is not None and found.type != kind and column not in standing.blockers:
            yield _Change(column, found.type, kind, _NEW[column])


def _retyped(there: str, changes: Sequence[_Change], standing: Standing) -> Statement:
    """All in one statement, so that Postgres writes the table anew but once.

    A default may be none of the new type, and NULL may stand for a value until the copy: both go first
    (https://www.postgresql.org/docs/current/sql-altertable.html).
    """
    parts: list[str] = []
    for change in changes:
        column, found = name(change.column), standing.columns[change.column]
        value = using(column, change.standing, change.wanted)
        if found.defaulted:
            parts.append(f"ALTER COLUMN {column} DROP DEFAULT")
        if change.instead:
            value = f"coalesce({value}, {change.instead})"
        elif found.not_null and change.loose and change.column not in standing.primary:
            parts.append(f"ALTER COLUMN {column} DROP NOT NULL")
        parts.append(f"ALTER COLUMN {column} TYPE {change.wanted} USING {value}")
    return ddl(f"ALTER TABLE {there} {', '.join(parts)}")


def _unkeyed(there: str, standing: Standing) -> list[Statement]:
    """Take away a primary key that the source's table has not, or no longer has."""
    loose = [f"ALTER COLUMN {name(column)} DROP NOT NULL" for column in standing.primary]
    dropped = f"DROP CONSTRAINT {name(standing.primary_name)}"
    return [ddl(f"ALTER TABLE {there} {part}") for part in (dropped, ", ".join(loose))]


def _keyed(there: str, table: str, key: tuple[str, ...], *, whole: bool) -> list[Statement]:
    """Give the table back its key, without rows that it forbids.

    whole: whether a row without it can be none of the copy; a column that is new, or has another type, is
    NULL until the copy.

    Such a row is told from others only once the copy has written it anew; the others are swept out then, and
    `key_again` makes the index the primary key.
    """
    columns = ", ".join(map(name, key))
    same = " AND ".join(f"a.{name(k)} = b.{name(k)}" for k in key)
    made = [ddl(f"DELETE FROM {there} a USING {there} b WHERE a.ctid < b.ctid AND {same}")]
    if not whole:
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
