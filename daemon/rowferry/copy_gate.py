"""Between the copy and the queue: what a chunk may decide about, and where it is placed.

Called by the threads that copy; everything that must be in step with the stream happens under the
queue's lock.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import replace

from rowferry.batch import ChunkSegment, CopyPlanned, CopyRead
from rowferry.batch_queue import BatchQueue, TableFault
from rowferry.book import TableBook
from rowferry.copy import Chunk
from rowferry.copy_jobs import CopyJob, RepairKeys
from rowferry.copy_read import settles_by_time
from rowferry.errors import TableStopped
from rowferry.mysql_source import SourceServer
from rowferry.position import BinlogPosition
from rowferry.table_schema import TableId
from rowferry.touched import Settled, TouchLog


class CopyGate:
    """See the module."""

    def __init__(self, book: TableBook, queue: BatchQueue, touches: TouchLog, server: SourceServer) -> None:
        """Reads the book, and changes it never."""
        self._book = book
        self._queue = queue
        self._touches = touches
        self._server = server

    def job(self, table: TableId, since: BinlogPosition, repair: RepairKeys | None = None) -> CopyJob:
        """A job for the copier, watched from now on if only time settles the table.

        since: position of the checkpoint.
        """
        record = self._book.records[table]
        if settles_by_time(self._server, record.table):
            self._queue.locked(lambda: self._touches.watch(table, by_time=True))
        generation = self._book.generation(table)
        return CopyJob(record.table, generation, record.copy, since, time.monotonic(), repair)

    def start(self, job: CopyJob) -> CopyJob:
        """Watch the table's keys from now on, where the server can tell that a SELECT sees the rest."""
        if settles_by_time(self._server, job.table):
            return job
        self._queue.locked(lambda: self._watch(job))
        return replace(job, since=self._queue.position, started_at=time.monotonic())

    def _watch(self, job: CopyJob) -> None:
        """A job that is out of date must not begin anew what a later one has begun."""
        if self._book.generation(job.table.id) == job.generation:
            self._touches.watch(job.table.id)

    def begin(self, job: CopyJob, settled: Settled) -> None:
        """A SELECT begins."""
        self._queue.locked(lambda: self._touches.begin(job.table.id, settled))

    def end(self, job: CopyJob, settled: Settled) -> None:
        """Its chunk is placed, or given up."""
        self._queue.locked(lambda: self._touches.end(job.table.id, settled))

    def place(self, chunk: Chunk) -> bool:
        """Put a chunk into the queue, without the keys that were touched; not if it is out of date."""
        table = chunk.job.table.id
        touched: set[Hashable] = set()

        def make() -> ChunkSegment | None:
            if self._book.generation(table) != chunk.job.generation:
                return None
            touched.update(self._touches.keys(table, chunk.settled))
            return chunk.segment(touched)

        self._queue.add_chunk(make)
        return not touched

    def mark(self, mark: CopyPlanned | CopyRead) -> None:
        """Put a mark into the queue."""
        self._queue.add_chunk(lambda: mark)

    def fault(self, error: TableStopped, job: CopyJob) -> None:
        """The table stops; waits until the loader has dealt with it."""
        position, generation = self._queue.position, job.generation
        self._queue.barrier(TableFault(job.table.id, error, position, final=True, generation=generation))
