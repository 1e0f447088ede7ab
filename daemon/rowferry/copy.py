"""The table copy: short key ranges, read without locks while the stream goes on.

Invariant: a chunk enters the queue after everything that its SELECT is known to have seen, without the
keys that an event touched since (`touched`). So no chunk undoes a change, and the copy is exact once the
stream has passed the binlog head that was seen after the last SELECT.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol

import pyarrow as pa
from pymysql.connections import Connection

from rowferry import failpoints
from rowferry.assemble import keys_of
from rowferry.batch import ChunkMark, ChunkSegment, CopyPlanned, CopyRead, RepairMark, WholeRead
from rowferry.carry import Carried, Form, carry
from rowferry.chunk_sql import whole_select
from rowferry.copy_jobs import CopyJob, CopySchedule, CopyTask, Part, RepairKeys, Work
from rowferry.copy_pace import Pace, Throttle, smooth_rows
from rowferry.copy_read import observe, plan_ranges, read_chunk, select, table_sizes, too_many_rows
from rowferry.errors import SchemaMoved, SelectTooLong, TableStopped
from rowferry.key_sql import rows_select
from rowferry.mysql_source import SourceServer, clock_us, connect, connect_for_copy, head_position
from rowferry.policies import select_column
from rowferry.settings import Settings
from rowferry.table_schema import TableId, TableSchema
from rowferry.text_columns import RawColumns
from rowferry.touched import Settled, reached
from rowferry.types import UnsupportedType

REPAIR_KEYS: Final = 100
"""Keys of one SELECT of a repair."""
_RANGES_PER_CONNECTION: Final = 4
_POLL_SECONDS: Final = 0.05
_PUT_OFF_SECONDS: Final = 0.5
_LINGER_SECONDS: Final = 5.0
_SIZES_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one SELECT, converted, with what the SELECT is known to have seen.

    gone: keys that the SELECT asked for and did not find; None for a range of keys.
    """

    job: CopyJob
    carried: Carried
    settled: Settled
    mark: ChunkMark | RepairMark | WholeRead
    gone: pa.Table | None = None

    def segment(self, touched: set[Hashable]) -> ChunkSegment:
        """The rows whose keys nothing touched."""
        key, mark = self.job.table.key, self.mark
        rows, aside, gone = self.carried.rows, self.carried.aside, self.gone
        if isinstance(mark, WholeRead):
            mark = replace(mark, settled=not touched)
        elif touched:
            rows = _untouched(rows, key, touched)
            aside = tuple(a for a in aside if a.identity not in touched)
            gone = None if gone is None else _untouched(gone, key, touched)
        return ChunkSegment(self.job.table, rows, mark, aside, self.carried.zero_dates, gone)


def _untouched(rows: pa.Table, key: Sequence[str], touched: set[Hashable]) -> pa.Table:
    return rows.filter(pa.array([k not in touched for k in keys_of(rows, key)], pa.bool_()))


class Gate(Protocol):
    """Where chunks go, and what the copy must tell on the way."""

    def start(self, job: CopyJob) -> CopyJob:
        """Told of a job before its first SELECT."""

    def begin(self, job: CopyJob, settled: Settled) -> None:
        """A SELECT that sees `settled` begins."""

    def end(self, job: CopyJob, settled: Settled) -> None:
        """That SELECT's chunk is placed, or given up."""

    def place(self, chunk: Chunk) -> bool:
        """Put a chunk into the queue; waits while it is full. Whether nothing touched what it read."""

    def mark(self, mark: CopyPlanned | CopyRead) -> None:
        """Put a mark into the queue."""

    def fault(self, error: TableStopped, job: CopyJob) -> None:
        """Told of a table that cannot be copied."""


class Copier:
    """Copies tables over connections of its own, `copy.connections` at most, each in a thread.

    sizes: rows of each table, as the source estimates them; empty until something is copied.
    """

    def __init__(self, settings: Settings, server: SourceServer, gate: Gate) -> None:
        """Connects when there is something to copy."""
        self._source = settings.source
        self._limits = limits = settings.copying
        self._rules = settings.quarantine
        self._server = server
        self.gate = gate
        self.sizes: dict[str, int] = {}
        self._sized_at = 0.0
        self._copied_whole: dict[TableId, float] = {}
        self._throttle = Throttle(limits.max_rows_per_second)

        def is_first(name: str) -> bool:
            return any(fnmatchcase(name, glob) for glob in limits.first)

        rate = limits.max_rows_per_second
        most = limits.max_chunk_rows if rate is None else min(limits.max_chunk_rows, smooth_rows(rate))
        self._schedule = CopySchedule(is_first, lambda: Pace(limits.chunk_seconds, most))

    def submit(self, job: CopyJob) -> None:
        """Copy a table, or repair some rows of it; an earlier job of the same kind is dropped.

        A table without a key waits until `copy.keyless_seconds` after its last copy.
        """
        before = None if job.table.key else self._copied_whole.get(job.table.id)
        self._schedule.submit(job, (before or 0.0) + (self._limits.keyless_seconds if before else 0.0))

    def forget(self, table: TableId) -> None:
        """The table is not to be copied any longer."""
        self._schedule.forget(table)

    def stop(self) -> None:
        """Let every `run` end at the next chunk."""
        self._schedule.stop()

    def run(self) -> None:
        """Copy whatever is submitted, until `stop`; in several threads at once.

        Raises what connections and conversions raise.
        """
        while not self._schedule.stopping.is_set():
            work = self._schedule.take(_LINGER_SECONDS)
            if work is None:
                continue
            with connect_for_copy(self._source) as rows, connect(self._source) as control:
                while work is not None:
                    self._work(work, rows, control)
                    work = self._schedule.take(_LINGER_SECONDS)

    def _work(self, work: Work, rows: Connection[Any], control: Connection[Any]) -> None:
        """One step. A table that changed meanwhile is tried again; a DDL event may begin it anew before."""
        task = work.task if isinstance(work, Part) else work
        try:
            if isinstance(work, Part):
                self._copy(work, rows, control)
            elif task.job.repair is not None:
                self._repair(task, task.job.repair, rows)
            else:
                self._prepare(task, rows, control)
        except SelectTooLong:
            pass
        except SchemaMoved:
            self._schedule.put_off(task, _PUT_OFF_SECONDS)
        except TableStopped as error:
            if self._schedule.is_current(task):
                self._schedule.drop(task)
                self.gate.fault(error, task.job)
        finally:
            self._schedule.give_back(work)

    def _prepare(self, task: CopyTask, rows: Connection[Any], control: Connection[Any]) -> None:
        job = self.gate.start(task.job)
        size = self._size(job.table, rows)
        ranges = job.progress.ranges
        if not ranges:
            most = self._limits.parallel * _RANGES_PER_CONNECTION if self._limits.parallel > 1 else 1
            ranges = plan_ranges(rows, job.table, size, most)
            self.gate.mark(CopyPlanned(job.table.id, job.generation, ranges, size))
        self._schedule.prepared(task, job, ranges, size)
        if task.done:
            self._finish(task, control)

    def _size(self, table: TableSchema, rows: Connection[Any]) -> int:
        name = table.id.name
        if name not in self.sizes or time.monotonic() - self._sized_at > _SIZES_SECONDS:
            self._sized_at = time.monotonic()
            self.sizes = table_sizes(rows, table.id.database)
        return self.sizes.get(name, 0)

    def _copy(self, part: Part, rows: Connection[Any], control: Connection[Any]) -> None:
        """A chunk; after the last one of the table, the binlog head."""
        task = part.task
        if not task.job.table.key:
            self._copy_whole(part, rows, control)
            return
        settled = self._begin(task, rows)
        if settled is None:
            return
        try:
            limit = self._limits.chunk_seconds
            read = read_chunk(rows, self._server, task.job.table, part.range, task.pace, limit)
            carried = carry(select_form(task.job.table), read.found, self._rules)
            mark = ChunkMark(
                task.job.table.id,
                task.job.generation,
                read.last_key,
                len(read.found),
                read.done,
                part.number,
            )
            failpoints.hit("copy-chunk-read")
            self.gate.place(Chunk(task.job, carried, settled, mark))
        finally:
            self.gate.end(task.job, settled)
        if self._schedule.read(part, read.last_key, done=read.done):
            self._finish(task, control)
        self._throttle.spend(len(read.found), self._schedule.stopping)

    def _copy_whole(self, part: Part, rows: Connection[Any], control: Connection[Any]) -> None:
        """All rows of a table without a key; once more later if it changed meanwhile."""
        task, most = part.task, self._limits.keyless_max_rows
        task.job = job = self.gate.start(task.job)
        as_of_us = clock_us(control)
        settled = self._begin(task, rows)
        if settled is None:
            return
        try:
            found = select(job.table, whole_select(job.table, most + 1), rows)
            if len(found) > most:
                raise too_many_rows(job.table, most)
            carried = carry(select_form(job.table), found, self._rules)
            mark = WholeRead(job.table.id, job.generation, len(found), as_of_us, settled=False)
            failpoints.hit("copy-chunk-read")
            still_so = self.gate.place(Chunk(job, carried, settled, mark))
        finally:
            self.gate.end(job, settled)
        self._copied_whole[job.table.id] = time.monotonic()
        if still_so:
            self._schedule.drop(task)
        else:
            self._schedule.put_off(task, self._limits.keyless_seconds)
        self._throttle.spend(len(found), self._schedule.stopping)

    def _finish(self, task: CopyTask, control: Connection[Any]) -> None:
        head = head_position(control, self._server)
        self.gate.mark(CopyRead(task.job.table.id, task.job.generation, head))
        self._schedule.drop(task)

    def _begin(self, task: CopyTask, rows: Connection[Any]) -> Settled | None:
        """Open the read view; wait until it sees all that was applied when the job was given."""
        job = task.job
        while self._schedule.is_current(task):
            settled = observe(rows, self._server, job.table, self._limits.settle_seconds)
            if reached(settled, job.since, job.started_at):
                self.gate.begin(job, settled)
                return settled
            self._schedule.stopping.wait(_POLL_SECONDS)
        return None

    def _repair(self, task: CopyTask, repair: RepairKeys, rows: Connection[Any]) -> None:
        """Read rows by their keys, some at a time; what is not found is to be deleted."""
        task.job = job = self.gate.start(task.job)
        form = select_form(job.table)
        for start in range(0, len(repair.keys), REPAIR_KEYS):
            keys = repair.keys[start : start + REPAIR_KEYS]
            settled = self._begin(task, rows)
            if settled is None:
                return
            try:
                found = select(job.table, rows_select(job.table, keys), rows)
                last = start + REPAIR_KEYS >= len(repair.keys)
                mark = RepairMark(job.table.id, job.generation, len(found), repair.request if last else 0)
                carried = carry(form, found, self._rules)
                self.gate.place(Chunk(job, carried, settled, mark, _gone(form, repair, keys, found)))
            finally:
                self.gate.end(job, settled)
            self._throttle.spend(len(found), self._schedule.stopping)
        self._schedule.drop(task)


def _gone(form: Form, repair: RepairKeys, keys: Sequence[tuple[str, ...]], found: RawColumns) -> pa.Table:
    """Of the keys asked for, those that the destination has and the source has not."""
    gone = set(keys) - {form.key_texts(form.key_of(row)) for row in found}
    return repair.there_of(gone)


def select_form(table: TableSchema) -> Form:
    """How the rows of a SELECT of all columns become columns. Raises TableStopped."""
    try:
        converters = tuple(select_column(c, key=c.name in table.key) for c in table.columns)
    except UnsupportedType as error:
        raise TableStopped("copy", f"table {table.id}", reason=str(error)) from None
    return Form(table, tuple(c.name for c in table.columns), converters)
