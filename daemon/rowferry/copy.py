"""The table copy: short key ranges, read without locks while the stream goes on.

Invariant: a chunk enters the queue after everything that its SELECT is known to have seen, without the
keys that an event touched since (`touched`). So no chunk undoes a change, and the copy is exact once the
stream has passed the binlog head that was seen after the last SELECT.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa
from pymysql.connections import Connection

from rowferry import failpoints
from rowferry.assemble import keys_of
from rowferry.batch import ChunkMark, ChunkSegment
from rowferry.carry import Carried, Form, carry
from rowferry.checkpoint import CopyProgress
from rowferry.chunk_sql import chunk_select, encode_key, key_values
from rowferry.errors import SchemaMoved, TableStopped
from rowferry.mysql_source import (
    SourceServer,
    connect,
    connect_for_copy,
    executed_gtid_set,
    head_position,
    query,
)
from rowferry.policies import select_column
from rowferry.position import BinlogPosition
from rowferry.settings import Settings
from rowferry.table_schema import TableId, TableSchema
from rowferry.touched import Settled, SettledPosition, SettledSet, SettledTime, reached
from rowferry.types import UnsupportedType

FIRST_CHUNK_ROWS: Final = 2_000
MIN_CHUNK_ROWS: Final = 100
_POLL_SECONDS: Final = 0.05
_PUT_OFF_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class CopyJob:
    """A table to copy. since, started_at: position and monotonic time when the job was given."""

    table: TableSchema
    generation: int
    progress: CopyProgress
    since: BinlogPosition
    started_at: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one SELECT, converted, with what the SELECT is known to have seen."""

    job: CopyJob
    carried: Carried
    settled: Settled
    mark: ChunkMark

    def segment(self, touched: set[Hashable]) -> ChunkSegment:
        """The rows whose keys nothing touched."""
        rows, aside = self.carried.rows, self.carried.aside
        if touched:
            keys = keys_of(rows, self.job.table.key)
            rows = rows.filter(pa.array([k not in touched for k in keys], pa.bool_()))
            aside = tuple(a for a in aside if a.identity not in touched)
        return ChunkSegment(self.job.table, rows, self.mark, aside, self.carried.zero_dates)


class Copier:
    """Copies one table at a time over its own connections, in a thread of its own."""

    def __init__(
        self,
        settings: Settings,
        server: SourceServer,
        start: Callable[[CopyJob], CopyJob],
        place: Callable[[Chunk], None],
        settle: Callable[[CopyJob, Settled], None],
        fault: Callable[[TableStopped, TableSchema], None],
    ) -> None:
        """start: told of a job before its first SELECT. place: puts a chunk into the queue.

        settle: told what the next SELECT will see. fault: told of a table that cannot be copied.
        """
        self._settings = settings.source
        self._limits = limits = settings.copying
        self._rules = settings.quarantine
        self._server = server
        self._start = start
        self._place = place
        self._settle = settle
        self._fault = fault
        self._jobs: list[CopyJob] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._chunk_rows = min(FIRST_CHUNK_ROWS, limits.max_chunk_rows)

    def submit(self, job: CopyJob) -> None:
        """Copy a table; an earlier job of the same table is dropped."""
        with self._changed:
            self._jobs = [j for j in self._jobs if j.table.id != job.table.id]
            self._jobs.append(job)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let `run` end at the next chunk."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def run(self) -> None:
        """Copy whatever is submitted, until `stop`. Raises what connections and conversions raise."""
        while (job := self._next_job()) is not None:
            with connect_for_copy(self._settings) as rows, connect(self._settings) as control:
                while job is not None:
                    self._copy_or_drop(job, rows, control)
                    job = self._next_job(wait=False)

    def _next_job(self, *, wait: bool = True) -> CopyJob | None:
        with self._changed:
            while wait and not self._jobs and not self._stopping:
                self._changed.wait()
            return None if self._stopping or not self._jobs else self._jobs[0]

    def _is_current(self, job: CopyJob) -> bool:
        return not self._stopping and any(j.generation == job.generation for j in self._jobs)

    def _copy_or_drop(self, job: CopyJob, rows: Connection[Any], control: Connection[Any]) -> None:
        """A table that changed under the copy is tried again; a DDL event may begin it anew before."""
        try:
            self._copy(job, rows, control)
        except SchemaMoved:
            self._put_off(job)
        except TableStopped as error:
            self._drop(job)
            self._fault(error, job.table)

    def forget(self, table: TableId) -> None:
        """The table is not to be copied any longer."""
        with self._changed:
            self._jobs = [j for j in self._jobs if j.table.id != table]

    def _put_off(self, job: CopyJob) -> None:
        """Other jobs first."""
        time.sleep(_PUT_OFF_SECONDS)
        with self._changed:
            if any(j.generation == job.generation for j in self._jobs):
                self._jobs = [*(j for j in self._jobs if j.generation != job.generation), job]

    def _drop(self, job: CopyJob) -> None:
        with self._changed:
            self._jobs = [j for j in self._jobs if j.generation != job.generation]

    def _copy(self, job: CopyJob, rows: Connection[Any], control: Connection[Any]) -> None:
        job = self._start(job)
        last_key, done = job.progress.last_key, job.progress.done
        while not done:
            settled = self._begin(job, rows, control)
            if settled is None:
                return
            chunk = self._read(job, last_key, settled, rows)
            failpoints.hit("copy-chunk-read")
            last_key, done = chunk.mark.last_key or last_key, chunk.mark.done
            if done:
                break
            self._place(chunk)
        else:
            settled = SettledTime(time.monotonic())
            mark = ChunkMark(job.table.id, job.generation, None, 0, done=True)
            chunk = Chunk(job, carry(select_form(job.table), [], self._rules), settled, mark)
        head = head_position(control, self._server)
        self._place(replace(chunk, mark=replace(chunk.mark, head=head)))
        self._drop(job)

    def _begin(self, job: CopyJob, rows: Connection[Any], control: Connection[Any]) -> Settled | None:
        """Open the read view; wait until it sees all that was applied when the job was given."""
        while self._is_current(job):
            settled = self._observe(job, rows, control)
            if reached(settled, job.since, job.started_at):
                self._settle(job, settled)
                return settled
            time.sleep(_POLL_SECONDS)
        return None

    def _observe(self, job: CopyJob, rows: Connection[Any], control: Connection[Any]) -> Settled:
        if settles_by_time(self._server, job.table):
            return SettledTime(time.monotonic() - self._limits.settle_seconds)
        if self._server.is_mariadb:
            return self._snapshot(rows)
        return SettledSet(executed_gtid_set(control))

    def _snapshot(self, rows: Connection[Any]) -> SettledPosition:
        query(rows, "ROLLBACK")
        query(rows, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
        found = {k.lower(): v for k, v in query(rows, "SHOW STATUS LIKE 'binlog_snapshot_%'")}
        file, offset = found[b"binlog_snapshot_file"], found[b"binlog_snapshot_position"]
        position = BinlogPosition(file.decode(), int(offset), None, self._server.identity)
        return SettledPosition(position)

    def _read(
        self, job: CopyJob, last_key: Sequence[str] | None, settled: Settled, rows: Connection[Any]
    ) -> Chunk:
        limit = self._chunk_rows
        started = time.monotonic()
        found = self._select(job.table, chunk_select(job.table, last_key, limit), rows)
        if isinstance(settled, SettledPosition):
            query(rows, "ROLLBACK")
        self._adapt(time.monotonic() - started, len(found))
        columns = len(job.table.columns)
        whole = not found or len(found[0]) == columns
        carried = carry(select_form(job.table), found if whole else [r[:columns] for r in found], self._rules)
        key = encode_key(key_values(job.table, found[-1])) if found else None
        mark = ChunkMark(job.table.id, job.generation, key, len(found), done=len(found) < limit)
        return Chunk(job, carried, settled, mark)

    @staticmethod
    def _select(table: TableSchema, sql: str, rows: Connection[Any]) -> list[tuple[Any, ...]]:
        try:
            return query(rows, sql)
        except TableStopped as error:
            hint = f"Run REPAIR TABLE in the source, then `rowferry resync {table.id.name}`"
            raise TableStopped("copy", f"table {table.id}", reason=error.reason, hint=hint) from None

    def _adapt(self, seconds: float, rows: int) -> None:
        """Aim for SELECTs of `chunk_seconds`, at most doubling from one to the next."""
        if rows < self._chunk_rows and seconds < self._limits.chunk_seconds:
            return
        factor = min(2.0, self._limits.chunk_seconds / max(seconds, 1e-6))
        wanted = int(self._chunk_rows * factor)
        self._chunk_rows = min(max(wanted, MIN_CHUNK_ROWS), self._limits.max_chunk_rows)


def settles_by_time(server: SourceServer, table: TableSchema) -> bool:
    """Whether only time tells what a SELECT sees: no GTIDs (MySQL), or no snapshot (MariaDB, not InnoDB)."""
    if server.is_mariadb:
        return table.engine.lower() != "innodb"
    return not server.gtid


def select_form(table: TableSchema) -> Form:
    """How the rows of a SELECT of all columns become columns. Raises TableStopped."""
    try:
        converters = tuple(select_column(c, key=c.name in table.key) for c in table.columns)
    except UnsupportedType as error:
        raise TableStopped("copy", f"table {table.id}", reason=str(error)) from None
    return Form(table, tuple(c.name for c in table.columns), converters)
