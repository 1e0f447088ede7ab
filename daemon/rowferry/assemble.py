"""From a micro-batch's segments to the columns that are loaded: one `TableLoad` for each table.

Pure. Each key comes out once: within a segment by its raw value, across segments (a chunk among
changes) by its converted value. A value that cannot be carried stops its table.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from rowferry.batch import Route, Segment, StreamSegment
from rowferry.changes import RawRow, RowCounts, TableLoad
from rowferry.convert import ValueNotCarriable
from rowferry.errors import TableStopped
from rowferry.table_schema import TableId, TableSchema


@dataclass(frozen=True, slots=True)
class Assembled:
    """A table's part of a load, and how many zero dates became NULL."""

    load: TableLoad
    zero_dates: int


@dataclass(frozen=True, slots=True)
class _Part:
    upserts: pa.Table
    deletes: pa.Table


def table_load(segments: Sequence[Segment]) -> Assembled:
    """Convert and join a table's segments. Raises TableStopped, naming the column and never a value."""
    table = segments[-1].route.table if isinstance(segments[-1], StreamSegment) else segments[-1].table
    parts: list[_Part] = []
    counts = RowCounts()
    zero_dates = 0
    for segment in segments:
        if isinstance(segment, StreamSegment):
            part, zeros = _stream_part(segment)
            counts += segment.counts
        else:
            part, zeros = _Part(segment.upserts, _no_rows(segment.upserts, table.key)), segment.zero_dates
            counts += RowCounts(copied=segment.mark.rows)
        parts.append(part)
        zero_dates += zeros
    if len(parts) > 1 and any(isinstance(s, StreamSegment) for s in segments):
        parts = _last_wins(parts, table.key)
    _require_keys(table, parts)
    names = parts[0].upserts.column_names
    upserts = pa.concat_tables([p.upserts.select(names) for p in parts])
    deletes = pa.concat_tables([p.deletes for p in parts])
    return Assembled(TableLoad(table, upserts, deletes, counts), zero_dates)


def _require_keys(table: TableSchema, parts: Sequence[_Part]) -> None:
    for part in parts:
        for name in table.key:
            if part.upserts.column(name).null_count:
                raise not_carriable(table.id, name, "a zero date in the key, which Postgres cannot hold")


def not_carriable(table: TableId, column: str, reason: str) -> TableStopped:
    """The error for a value that Postgres cannot hold; names the column, and never the value."""
    return TableStopped(
        "carry a value",
        f"table {table}, column {column}",
        reason=reason,
        hint=f"Mend the row in the source, then run `rowferry resync {table.name}`",
    )


def keys_of(table: pa.Table, key: Sequence[str]) -> list[Hashable]:
    """The converted key of each row, comparable between both ways in."""
    columns = [table.column(name).to_pylist() for name in key]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def key_table(route: Route, rows: Sequence[RawRow]) -> pa.Table:
    """The converted key columns of raw rows. Raises TableStopped."""
    arrays = [converted_column(route, index, [r[index] for r in rows])[0] for index in route.key_indexes]
    return pa.table(dict(zip(route.table.key, arrays, strict=True)))


def _stream_part(segment: StreamSegment) -> tuple[_Part, int]:
    upserts, deletes = segment.fold()
    route = segment.route
    columns: Sequence[Sequence[Any]] = list(zip(*upserts, strict=True)) or [()] * len(route.names)
    arrays, zeros = [], 0
    for index, values in enumerate(columns):
        array, found = converted_column(route, index, values)
        arrays.append(array)
        zeros += found
    return _Part(pa.table(dict(zip(route.names, arrays, strict=True))), key_table(route, deletes)), zeros


def converted_column(route: Route, index: int, values: Sequence[Any]) -> tuple[pa.Array, int]:
    """A column of raw values, and how many zero dates became NULL. Raises TableStopped."""
    try:
        converted = route.converters[index](values)
    except ValueNotCarriable as error:
        raise not_carriable(route.table.id, route.names[index], error.reason) from None
    return converted.array, converted.zero_dates


def _no_rows(table: pa.Table, key: Sequence[str]) -> pa.Table:
    return table.select(list(key)).slice(0, 0)


def _last_wins(parts: Sequence[_Part], key: Sequence[str]) -> list[_Part]:
    """Drop from each part the keys that a later part decides."""
    decided: set[Hashable] = set()
    kept: list[_Part] = []
    for part in reversed(parts):
        upsert_keys, delete_keys = keys_of(part.upserts, key), keys_of(part.deletes, key)
        kept.append(
            _Part(_without(part.upserts, upsert_keys, decided), _without(part.deletes, delete_keys, decided))
        )
        decided.update(upsert_keys, delete_keys)
    return kept[::-1]


def _without(table: pa.Table, keys: Sequence[Hashable], decided: set[Hashable]) -> pa.Table:
    if decided.isdisjoint(keys):
        return table
    return table.filter(pa.array([k not in decided for k in keys], pa.bool_()))
