"""The copy's invariant, forced: rows change after a chunk was read and before it is placed.

Invariant: a chunk decides only about keys that no event touched between a settled position and the
chunk's place. Here every chunk is held back until the reader has queued changes to its own rows, which
the chunk has not seen; without the invariant it would undo them for good.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rowferry.attempt import Attempt
from rowferry.batch import CopyPlanned, CopyRead
from rowferry.board import Board
from rowferry.checkpoint import CopyProgress
from rowferry.copy import Chunk, Copier
from rowferry.copy_jobs import CopyJob
from rowferry.errors import TableStopped
from rowferry.loading import LazyLoader
from rowferry.metrics import Metrics
from rowferry.mysql_catalog import read_tables
from rowferry.mysql_source import connect, describe_server, head_position
from rowferry.position import BinlogPosition, MysqlGtidSet
from rowferry.settings import Settings, load_settings
from rowferry.startup import open_both
from rowferry.touched import Settled
from rowferry_lab.compare import compare
from rowferry_lab.servers import DestinationDatabase, SourceDatabase
from tests.acceptance.harness import wait_until

ROWS = 300
INSERTS = 10


def _settings(source: SourceDatabase, destination: DestinationDatabase, state: Path) -> Settings:
    return load_settings(
        {
            "source": {"url": source.url},
            "destination": {"url": destination.url},
            "copy": {"max_chunk_rows": 100, "settle_seconds": 0.3},
            "state_dir": state,
        }
    )


class Meddler:
    """Stands between the copier and the queue: changes each chunk's rows before it is placed."""

    def __init__(self, attempt: Attempt, source: SourceDatabase, settings: Settings) -> None:
        self._attempt = attempt
        self._source = source
        self._settings = settings
        self._place: Any = attempt.copier.gate.place
        self.chunks = 0

    def place(self, chunk: Chunk) -> bool:
        """Update, delete, move away and move in, wait for the reader, then place the chunk."""
        keys = chunk.carried.rows.column("id").to_pylist()
        if len(keys) >= 10:
            self.chunks += 1
            self._source.run(
                f"UPDATE t SET v = v + 1000 WHERE id IN ({keys[0]}, {keys[1]})",
                f"DELETE FROM t WHERE id IN ({keys[2]}, {keys[3]})",
                f"UPDATE t SET id = id + 100000 WHERE id = {keys[4]}",
                f"DELETE FROM t WHERE id = {keys[5]}",
                f"INSERT INTO t VALUES ({keys[5]}, -5, 'again')",
            )
            with connect(self._settings.source) as control:
                head = head_position(control, describe_server(control))
            wait_until("the reader has queued it", lambda: self._attempt.queue.position.reached(head))
        placed: bool = self._place(chunk)
        return placed


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
def test_a_chunk_undoes_no_change_that_came_before_its_place(
    source_database: SourceDatabase, destination_database: DestinationDatabase, tmp_path: Path, engine: str
) -> None:
    """By GTID, by snapshot position and by time: each server's and engine's own way of settling."""
    source_database.run(f"CREATE TABLE t (id bigint PRIMARY KEY, v int, s varchar(20)) ENGINE={engine}")
    with source_database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO t VALUES (%s, %s, %s)", [(n, n, f"row {n}") for n in range(ROWS)])
    settings = _settings(source_database, destination_database, tmp_path)
    board = Board(Metrics("test", "test"), source_database.name, "raw")
    loader = LazyLoader(settings)
    with open_both(settings) as opened:
        attempt = Attempt(settings, opened, loader, board, threading.Event(), until_caught_up=True)
        meddler = Meddler(attempt, source_database, settings)
        gate: Any = attempt.copier.gate
        gate.place = meddler.place
        attempt.run()
    loader.close()
    assert meddler.chunks >= ROWS // 100
    result = compare(source_database.url, destination_database.url, schema="raw")
    assert result.equal, result.describe()


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
def test_no_chunk_is_read_before_all_that_was_applied_is_visible(
    source_database: SourceDatabase, destination_database: DestinationDatabase, tmp_path: Path, engine: str
) -> None:
    """The binlog shows a transaction before a SELECT can: the copy waits for it, however long it takes.

    The job claims that changes were applied which the source has not made yet; not one chunk may come
    until it has made them.
    """
    source_database.run(f"CREATE TABLE t (id bigint PRIMARY KEY) ENGINE={engine}", "INSERT INTO t VALUES (1)")
    settings = _settings(source_database, destination_database, tmp_path)
    with connect(settings.source) as control:
        server = describe_server(control)
        source_database.run("INSERT INTO t VALUES (-1)")
        one = head_position(control, server)
        source_database.run("INSERT INTO t VALUES (0)")
        two = head_position(control, server)
        [table] = read_tables(control, source_database.name, settings.tables).values()
    job = CopyJob(
        table, 1, CopyProgress(), _after(two, INSERTS, two.offset - one.offset), time.monotonic() + 2.0
    )
    gate = Gate()
    placed = gate.placed
    copier = Copier(settings, server, gate)
    copier.submit(job)
    thread = threading.Thread(target=copier.run)
    thread.start()
    try:
        time.sleep(1.0)
        assert placed == []
        source_database.run(*(f"INSERT INTO t VALUES ({n})" for n in range(2, 2 + INSERTS)))
        wait_until("the copy was read", lambda: bool(placed))
    finally:
        copier.stop()
        thread.join()
    assert placed[0].carried.rows.num_rows == 3 + INSERTS


class Gate:
    """Keeps what is placed."""

    def __init__(self) -> None:
        self.placed: list[Chunk] = []

    def start(self, job: CopyJob) -> CopyJob:
        """The job stays as it was given."""
        return job

    def begin(self, job: CopyJob, settled: Settled) -> None:
        """Nothing is touched here."""

    def end(self, job: CopyJob, settled: Settled) -> None:
        """Nothing is touched here."""

    def place(self, chunk: Chunk) -> bool:
        """Keep it."""
        self.placed.append(chunk)
        return True

    def mark(self, mark: CopyPlanned | CopyRead) -> None:
        """Marks hold no rows."""

    def fault(self, error: TableStopped, job: CopyJob) -> None:
        """The table can be copied."""
        raise error


def _after(position: BinlogPosition, transactions: int, size: int) -> BinlogPosition:
    """A position that the source reaches with so many more transactions of that size in bytes."""
    gtid_set = position.gtid_set
    if isinstance(gtid_set, MysqlGtidSet):
        uuid, intervals = next(m for m in gtid_set.members if m[0] == position.identity)
        for number in range(1, transactions + 1):
            gtid_set = gtid_set.add(uuid, intervals[-1][1] + number)
    return replace(position, offset=position.offset + transactions * size, gtid_set=gtid_set)
