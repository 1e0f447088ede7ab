"""From a micro-batch's segments to the columns that are loaded: one `TableLoad` for each table.

Pure. Each key comes out once: within a segment by its raw value, across segments (a chunk among
changes) by its converted value; as a row to write, to delete, or to set aside. A row that may not be
set aside stops its table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from rowferry.batch import Segment, StreamSegment
from rowferry.carry import SetAside, UnfitKey, carry, carry_keys
from rowferry.changes import RowCounts, TableLoad
from rowferry.settings import QuarantineSettings
from rowferry.table_schema import TableSchema


@dataclass(frozen=True, slots=True)
class Assembled:
    """A table's part of a load, named as in the source.

    aside: rows that are not carried; those of them that have a key in Postgres are among the deletes.
    gone: keys that Postgres cannot have, of deleted rows. zero_dates: what became of zero dates, by action.
    """

    load: TableLoad
    aside: tuple[SetAside, ...]
    gone: tuple[UnfitKey, ...]
    zero_dates: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Part:
    upserts: pa.Table
    deletes: pa.Table
    aside: tuple[SetAside, ...] = ()
    gone: tuple[UnfitKey, ...] = ()


def table_load(
    segments: Sequence[Segment], rules: QuarantineSettings, *, was_empty: bool = False
) -> Assembled:
    """Convert and join a table's segments. Raises TableStopped, naming column and key, never a value.

    was_empty: whether the destination table was empty when its copy began.
    """
    table = segments[-1].route.table if isinstance(segments[-1], StreamSegment) else segments[-1].table
    if not table.key:
        return _whole(segments)
    parts: list[_Part] = []
    counts = RowCounts()
    zero_dates: Counter[str] = Counter()
    for segment in segments:
        if isinstance(segment, StreamSegment):
            part, zeros = _stream_part(segment, rules)
            counts += segment.counts
        else:
            gone = segment.deletes
            deletes = _no_rows(segment.upserts, table.key) if gone is None else gone
            part, zeros = _Part(segment.upserts, deletes, segment.aside), segment.zero_dates
            counts += RowCounts(copied=segment.mark.rows)
        parts.append(part)
        zero_dates.update(zeros)
    if len(parts) > 1 and any(isinstance(s, StreamSegment) for s in segments):
        parts = _last_wins(parts, table.key)
    fresh = was_empty and not any(isinstance(s, StreamSegment) for s in segments)
    names = parts[0].upserts.column_names
    upserts = pa.concat_tables([p.upserts.select(names) for p in parts])
    aside = tuple(a for p in parts for a in p.aside)
    deletes = pa.concat_tables([*(p.deletes for p in parts), _keys_aside(table, upserts, aside)])
    gone = tuple(g for p in parts for g in p.gone)
    return Assembled(TableLoad(table, upserts, deletes, counts, fresh=fresh), aside, gone, zero_dates)


def _whole(segments: Sequence[Segment]) -> Assembled:
    """A table without a key: each segment holds all its rows, so that the last one does."""
    last = segments[-1]
    if isinstance(last, StreamSegment):
        raise ValueError("row changes of a table without a key")
    counts = RowCounts(copied=last.mark.rows)
    load = TableLoad(last.table, last.upserts, pa.table({}), counts, fresh=True)
    return Assembled(load, (), (), last.zero_dates)


def as_destination(load: TableLoad) -> TableLoad:
    """The same load with the names that table and columns have in the destination."""
    names = {c.name: c.there for c in load.table.columns}
    upserts, deletes = (
        rows.rename_columns([names[n] for n in rows.column_names]) for rows in (load.upserts, load.deletes)
    )
    return TableLoad(load.table.as_destination(), upserts, deletes, load.counts, load.fresh)


def keys_of(table: pa.Table, key: Sequence[str]) -> list[Hashable]:
    """The converted key of each row, comparable between both ways in."""
    columns = [table.column(name).to_pylist() for name in key]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def _keys_aside(table: TableSchema, upserts: pa.Table, aside: Sequence[SetAside]) -> pa.Table:
    """The keys of rows that are set aside, as rows to delete: an older version of them is no longer true."""
    fit = [a.identity for a in aside if not isinstance(a.identity, UnfitKey)]
    schema = pa.schema([upserts.schema.field(name) for name in table.key])
    columns = [fit] if len(table.key) == 1 else list(zip(*fit, strict=True)) or [()] * len(table.key)
    arrays = [pa.array(values, f.type) for values, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def _stream_part(segment: StreamSegment, rules: QuarantineSettings) -> tuple[_Part, Mapping[str, int]]:
    upserts, deletes = segment.fold()
    form = segment.route.form
    carried = carry(form, upserts, rules)
    keys, gone = carry_keys(form, [form.key_of(row) for row in deletes])
    return _Part(carried.rows, keys, carried.aside, tuple(gone)), carried.zero_dates


def _no_rows(table: pa.Table, key: Sequence[str]) -> pa.Table:
    return table.select(list(key)).slice(0, 0)


def _last_wins(parts: Sequence[_Part], key: Sequence[str]) -> list[_Part]:
    """Drop from each part the keys that a later part decides."""
    decided: set[Hashable] = set()
    kept: list[_Part] = []
    for part in reversed(parts):
        upsert_keys, delete_keys = keys_of(part.upserts, key), keys_of(part.deletes, key)
        kept.append(
            _Part(
                _without(part.upserts, upsert_keys, decided),
                _without(part.deletes, delete_keys, decided),
                tuple(a for a in part.aside if a.identity not in decided),
                tuple(g for g in part.gone if g not in decided),
            )
        )
        decided.update(upsert_keys, delete_keys, part.gone, (a.identity for a in part.aside))
    return kept[::-1]


def _without(table: pa.Table, keys: Sequence[Hashable], decided: set[Hashable]) -> pa.Table:
    if decided.isdisjoint(keys):
        return table
    return table.filter(pa.array([k not in decided for k in keys], pa.bool_()))
