"""Micro-batches: what whole transactions and chunks did to each table, in order.

Invariants: a batch holds whole transactions only, and ends where its last one ends. Within a table
the order of the stream is kept, a chunk stands at the place where it entered, and the last change of
a key wins by that order. A changed key is a delete of the old key and an upsert of the new one.
Pure: no threads, no clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

from rowferry.carry import Form, SetAside
from rowferry.changes import RawRow, RowCounts, RowKind, TableLayout, WireColumn
from rowferry.convert import LayoutMismatch
from rowferry.decode import DecodeError, RowDecoder, compile_decoder
from rowferry.errors import TableStopped
from rowferry.policies import ColumnConverter, binlog_column
from rowferry.position import BinlogPosition
from rowferry.row_history import RowHistory, row_history
from rowferry.table_schema import TableId, TableSchema
from rowferry.temporal_hires import with_catalogue
from rowferry.types import UnsupportedType

if TYPE_CHECKING:
    import pyarrow as pa

_UPSERT, _DELETE = b"\x00", b"\x01"


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """How row images of one layout become columns of one table. layout: as the stream names it.

    history: where some images are no current rows (system versioning); rows are what `changes` gives.
    """

    table: TableSchema
    layout: TableLayout
    decoder: RowDecoder
    key: Callable[[RawRow], Hashable]
    form: Form
    history: RowHistory | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns in the rows' order."""
        return self.form.names

    def changes(self, kind: RowKind, images: list[RawRow]) -> list[tuple[RowKind, list[RawRow]]]:
        """What the images of one row event (an update's alternate) do to the table's rows, in order."""
        return self.history.changes(kind, images) if self.history else [(kind, images)]


def make_route(table: TableSchema, layout: TableLayout) -> Route:
    """Fit a layout to the table's known columns, by name.

    Raises TableStopped if the binlog names a column that the table does not have or of another
    type, or lacks a key column.
    """
    if layout.problem:
        raise TableStopped("decode rows", f"table {table.id}", reason=layout.problem)
    completed = with_catalogue(layout, table.columns)
    history = row_history(table, completed)
    columns = history.columns if history else completed.columns
    names = tuple(c.name for c in columns)
    converters = tuple(_converter(table, c) for c in columns)
    if missing := [k for k in table.key if k not in names]:
        raise TableStopped("decode rows", f"table {table.id}", reason=f"no key column {missing[0]}")
    indexes = tuple(names.index(k) for k in table.key)
    try:
        decoder = compile_decoder(completed)
    except DecodeError as error:
        raise TableStopped("decode rows", f"table {table.id}", reason=str(error)) from None
    return Route(table, layout, decoder, itemgetter(*indexes), Form(table, names, converters), history)


def _converter(table: TableSchema, wire: WireColumn) -> ColumnConverter:
    column = table.column(wire.name)
    where = f"table {table.id}, column {wire.name}"
    if column is None:
        raise TableStopped("decode rows", where, reason="the table has no such column")
    try:
        return binlog_column(wire, column, key=wire.name in table.key)
    except (LayoutMismatch, UnsupportedType) as error:
        raise TableStopped("decode rows", where, reason=str(error)) from None


@dataclass(slots=True, eq=False)
class StreamSegment:
    """Consecutive changes of one table under one layout. deletes: 1 for each row that is a delete."""

    route: Route
    rows: list[RawRow] = field(default_factory=list)
    deletes: bytearray = field(default_factory=bytearray)
    counts: RowCounts = RowCounts()

    def add(self, kind: RowKind, images: list[RawRow]) -> None:
        """The images of one row event; an update's alternate before, after."""
        if kind is RowKind.UPDATE:
            self._update(images[0::2], images[1::2])
            return
        self.rows += images
        count = len(images)
        if kind is RowKind.INSERT:
            self.deletes += _UPSERT * count
            self.counts += RowCounts(inserts=count)
        else:
            self.deletes += _DELETE * count
            self.counts += RowCounts(deletes=count)

    def _update(self, before: list[RawRow], after: list[RawRow]) -> None:
        key = self.route.key
        self.counts += RowCounts(updates=len(after))
        if list(map(key, before)) == list(map(key, after)):
            self.rows += after
            self.deletes += _UPSERT * len(after)
            return
        for old, new in zip(before, after, strict=True):
            if key(old) != key(new):
                self.rows.append(old)
                self.deletes += _DELETE
            self.rows.append(new)
            self.deletes += _UPSERT

    def fold(self) -> tuple[list[RawRow], list[RawRow]]:
        """The last change of each key: (rows to upsert, rows to delete)."""
        last = dict(zip(map(self.route.key, self.rows), range(len(self.rows)), strict=True))
        indexes = range(len(self.rows)) if len(last) == len(self.rows) else sorted(last.values())
        if 1 not in self.deletes:
            return [self.rows[i] for i in indexes], []
        upserts = [self.rows[i] for i in indexes if not self.deletes[i]]
        return upserts, [self.rows[i] for i in indexes if self.deletes[i]]


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A range of a table's keys, (last_key, until], and how far its copy has come: up to last_key.

    Keys are the server's own texts in hex, or the first columns of a key. None: from the first row, up to
    the last. done: whether all of it was read.
    """

    last_key: tuple[str, ...] | None = None
    until: tuple[str, ...] | None = None
    done: bool = False


@dataclass(frozen=True, slots=True)
class CopyPlanned:
    """The copy of a table begins. ranges: together they hold every key. total: rows, roughly."""

    table: TableId
    generation: int
    ranges: tuple[KeyRange, ...]
    total: int


@dataclass(frozen=True, slots=True)
class ChunkMark:
    """How far the copy of a table has come with a chunk.

    last_key: the chunk's last key; None if it was empty. rows: rows read. part: number of the range.
    done: whether nothing of the range comes after it.
    """

    table: TableId
    generation: int
    last_key: tuple[str, ...] | None
    rows: int
    done: bool
    part: int = 0


@dataclass(frozen=True, slots=True)
class CopyRead:
    """Every row of a table was read. head: the source's binlog head as seen after the last SELECT."""

    table: TableId
    generation: int
    head: BinlogPosition


@dataclass(frozen=True, slots=True)
class RepairMark:
    """Rows were read again by their keys. rows: how many. request: its number once all are read, else 0."""

    table: TableId
    generation: int
    rows: int
    request: int = 0


@dataclass(frozen=True, slots=True)
class WholeRead:
    """All rows of a table without a key, of one SELECT.

    as_of_us: the source's clock before it. settled: whether no event has touched the table since.
    """

    table: TableId
    generation: int
    rows: int
    as_of_us: int
    settled: bool


@dataclass(frozen=True, slots=True)
class TableTouched:
    """A transaction changed a table without a key."""

    table: TableId


CopyMark = CopyPlanned | ChunkMark | CopyRead | RepairMark | WholeRead | TableTouched


@dataclass(frozen=True, slots=True, eq=False)
class ChunkSegment:
    """Rows of a chunk that no event has touched since they were read. deletes: keys of rows that are gone."""

    table: TableSchema
    upserts: pa.Table
    mark: ChunkMark | RepairMark | WholeRead
    aside: tuple[SetAside, ...] = ()
    zero_dates: Mapping[str, int] = field(default_factory=dict)
    deletes: pa.Table | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.upserts.column_names)


Segment = StreamSegment | ChunkSegment


@dataclass(slots=True, eq=False)
class MicroBatch:
    """What is loaded in one Postgres transaction. size: bytes of row images.

    decode_seconds: how long the reader decoded its rows.
    """

    segments: dict[TableId, list[Segment]] = field(default_factory=dict)
    end: BinlogPosition | None = None
    commit_time_us: int = 0
    transactions: int = 0
    rows: int = 0
    size: int = 0
    marks: list[CopyMark] = field(default_factory=list)
    decode_seconds: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether there is nothing to load (the position may have advanced all the same)."""
        return not self.segments and not self.marks

    def accepts(self, table: TableId, names: tuple[str, ...]) -> bool:
        """Whether rows with these columns can join the batch (one set of columns for each table)."""
        segments = self.segments.get(table)
        if not segments:
            return True
        last = segments[-1]
        known = last.route.names if isinstance(last, StreamSegment) else last.names
        return known == names or set(known) == set(names)

    def add_rows(self, route: Route, kind: RowKind, images: list[RawRow], size: int) -> None:
        """Changes of one table; the caller ends the transaction with `end_transaction`."""
        segments = self.segments.setdefault(route.table.id, [])
        last = segments[-1] if segments else None
        if not isinstance(last, StreamSegment) or last.route is not route:
            last = StreamSegment(route)
            segments.append(last)
        last.add(kind, images)
        self.rows += len(images)
        self.size += size

    def end_transaction(self, end: BinlogPosition, commit_time_us: int) -> None:
        """A transaction is complete."""
        self.end = end
        self.commit_time_us = max(self.commit_time_us, commit_time_us)
        self.transactions += 1

    def add_chunk(self, chunk: ChunkSegment) -> None:
        """A chunk, after everything that is in the batch already."""
        self.segments.setdefault(chunk.table.id, []).append(chunk)
        self.rows += chunk.upserts.num_rows
        self.size += chunk.upserts.nbytes
        self.marks.append(chunk.mark)

    def add_mark(self, mark: CopyMark) -> None:
        """A mark that comes without rows; of several equal ones the last counts."""
        if mark in self.marks:
            self.marks.remove(mark)
        self.marks.append(mark)
