"""The one queue between the reader, the copier and the loader, bounded in bytes and rows.

One writer, one order: transactions, chunks and barriers leave in the order in which they entered. The
open batch grows while the loader is busy, so that throughput rises with lag, until it is full; then
those who add wait. A barrier lets its adder go on only when the loader has dealt with it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from rowferry.batch import ChunkSegment, CopyMark, MicroBatch, Route, TableTouched
from rowferry.changes import RawRow, RowKind, SchemaChange, Transaction
from rowferry.errors import Interrupted, TableStopped
from rowferry.position import BinlogPosition
from rowferry.settings import BatchSettings
from rowferry.table_schema import TableId


@dataclass(slots=True, eq=False)
class Barrier:
    """Something that the loader must deal with between two batches."""

    cause: SchemaChange | TableFault
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class TableFault:
    """A table that cannot go on as it is; position: where the stream stood before the fault.

    final: whether no change of its layout could explain it. generation: of the copy whose fault it is; None
    for one of the stream.
    """

    table: TableId
    error: TableStopped
    position: BinlogPosition
    final: bool = False
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class DecodedRows:
    """One row event, decoded. size: bytes it had in the binlog."""

    route: Route
    kind: RowKind
    images: list[RawRow]
    size: int


class BatchQueue:
    """See the module."""

    def __init__(self, limits: BatchSettings, start: BinlogPosition) -> None:
        """start: the position that the destination has already reached."""
        self._limits = limits
        self._changed = threading.Condition()
        self._open = MicroBatch()
        self._opened_at: float | None = None
        self._sealed: deque[MicroBatch | Barrier] = deque()
        self._position = start
        self._failure: BaseException | None = None
        self._closed = False
        self.backpressure_seconds = 0.0

    @property
    def position(self) -> BinlogPosition:
        """The end of everything that entered."""
        return self._position

    @property
    def size(self) -> int:
        """Bytes of row images that wait."""
        with self._changed:
            return self._open.size + sum(b.size for b in self._sealed if isinstance(b, MicroBatch))

    def add_transaction(
        self,
        transaction: Transaction,
        rows: Sequence[DecodedRows],
        watch: Callable[[], None],
        is_current: Callable[[], bool],
        touched: Iterable[TableId] = (),
        decode_seconds: float = 0.0,
    ) -> bool:
        """Append a whole transaction; waits while the queue is full. False: it was not appended.

        Both are called under the lock. watch: what it notes is in step with the transaction's place.
        is_current: whether the rows are still what the transaction must be decoded to. touched: tables
        without a key that it changes. decode_seconds: what it took to decode the rows.
        """
        with self._changed:
            self._wait_for_room()
            if not is_current():
                return False
            if any(not self._open.accepts(r.route.table.id, r.route.names) for r in rows):
                self._seal()
            for row in rows:
                self._open.add_rows(row.route, row.kind, row.images, row.size)
            for table in touched:
                self._open.add_mark(TableTouched(table))
            self._open.end_transaction(transaction.end, transaction.commit_time_us)
            self._open.decode_seconds += decode_seconds
            self._position = transaction.end
            watch()
            self._opened(bool(rows) or bool(self._open.marks))
            return True

    def add_chunk(self, make: Callable[[], ChunkSegment | CopyMark | None]) -> None:
        """Append a chunk or a mark. `make` is called under the lock; None: it is out of date."""
        with self._changed:
            self._wait_for_room()
            chunk = make()
            if chunk is None:
                return
            if not isinstance(chunk, ChunkSegment):
                self._open.add_mark(chunk)
                self._opened(True)
                return
            if not self._open.accepts(chunk.table.id, chunk.names):
                self._seal()
            self._open.add_chunk(chunk)
            self._opened(True)

    def locked(self, action: Callable[[], object]) -> None:
        """Run something while nothing can enter or leave."""
        with self._changed:
            action()

    def advance(self, position: BinlogPosition) -> None:
        """The stream has nothing up to that position."""
        with self._changed:
            self._position = position
            self._open.end = position
            self._changed.notify_all()

    def barrier(self, cause: SchemaChange | TableFault) -> None:
        """Append a barrier and wait until the loader is through with it. Raises Interrupted."""
        with self._changed:
            self._check_open()
            if isinstance(cause, TableFault):
                cause = replace(cause, position=self._position)
            item = Barrier(cause)
            self._seal()
            self._sealed.append(item)
            if isinstance(cause, SchemaChange):
                self._position = cause.end
            self._changed.notify_all()
        while not item.done.wait(0.5):
            self._check_open()

    def take(self, timeout: float) -> MicroBatch | Barrier | None:
        """The next thing to load; None if nothing is due within `timeout` seconds.

        Raises what `fail` was given.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                if self._failure is not None:
                    raise self._failure
                if self._sealed:
                    return self._pop()
                now = time.monotonic()
                due = self._due_at()
                if due is not None and due <= now:
                    self._seal()
                    return self._pop()
                if now >= deadline:
                    return None
                self._changed.wait(min(deadline, due or deadline) - now)

    def take_position(self) -> BinlogPosition | None:
        """The position reached if nothing at all waits, None otherwise."""
        with self._changed:
            idle = self._open.empty and not self._sealed
            return self._position if idle else None

    def fail(self, error: BaseException) -> None:
        """The reader or the copier died; `take` raises its error."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any longer: those who add get Interrupted."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait_for_room(self) -> None:
        started = time.monotonic()
        while self._full() and not self._closed:
            self._changed.wait(1.0)
        self.backpressure_seconds += time.monotonic() - started
        self._check_open()

    def _full(self) -> bool:
        return (
            self._open.rows >= self._limits.max_rows
            or self._open.size >= self._limits.max_bytes
            or bool(self._sealed)
        )

    def _check_open(self) -> None:
        if self._closed:
            raise Interrupted("go on reading")

    def _opened(self, has_rows: bool) -> None:
        if has_rows and self._opened_at is None:
            self._opened_at = time.monotonic()
        self._changed.notify_all()

    def _due_at(self) -> float | None:
        if self._opened_at is None:
            return None
        return 0.0 if self._full() else self._opened_at + self._limits.max_age_seconds

    def _seal(self) -> None:
        if not self._open.empty or self._open.end is not None:
            self._sealed.append(self._open)
        self._open = MicroBatch()
        self._opened_at = None

    def _pop(self) -> MicroBatch | Barrier:
        item = self._sealed.popleft()
        self._changed.notify_all()
        return item
