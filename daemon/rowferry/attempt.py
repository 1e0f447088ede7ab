"""One attempt: from opening both ends to the first failure, or to the wish to stop.

Threads: this one loads; one reads and decodes; one copies; one samples the lag. Whatever fails in any
of them comes out of `run`; nothing of an attempt outlives it but what Postgres has committed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from rowferry.applier import Applied, Applier, Loads
from rowferry.batch import MicroBatch
from rowferry.batch_queue import Barrier, BatchQueue
from rowferry.binlog import BinlogReader
from rowferry.book import Decision
from rowferry.changes import SchemaChange
from rowferry.checkpoint import TableStatus, prune
from rowferry.copy import Copier
from rowferry.copy_gate import CopyGate
from rowferry.desk import Desk
from rowferry.destination import run_all
from rowferry.errors import Interrupted, TableRefused, at_stage
from rowferry.event_names import by_name
from rowferry.feeder import Feeder
from rowferry.monitor import Monitor
from rowferry.quarantine import QuarantineBook
from rowferry.settings import Settings
from rowferry.startup import Opened, derive_server_id
from rowferry.table_schema import TableId
from rowferry.touched import TouchLog
from rowferry.verify import TableResult
from rowferry.verify_watch import VerifyWatch

IDLE_COMMIT_SECONDS: Final = 1.0
PRUNE_SECONDS: Final = 3_600.0
QUARANTINE_SECONDS: Final = 10.0
REQUESTS_SECONDS: Final = 0.5
_TAKE_SECONDS: Final = 0.25
_JOIN_SECONDS: Final = 5.0


class Observer(Protocol):
    """Told what an attempt does."""

    def opened(self, attempt: Attempt) -> None:
        """Both ends are open and the stream has begun."""

    def applied(self, applied: Applied) -> None:
        """A batch, or an idle checkpoint, was committed."""

    def decided(self, decisions: tuple[Decision, ...], cause: str) -> None:
        """Tables changed their state."""

    def verified(self, result: TableResult) -> None:
        """A table was compared with its copy; called in another thread."""

    def long_step(self) -> None:
        """The loop begins to wait for a server, perhaps for long."""

    def tick(self, attempt: Attempt) -> None:
        """The loop is alive; called several times a second."""


@dataclass(slots=True)
class _Timers:
    committed: float
    pruned: float
    quarantine: float
    requests: float


def counted(attempt: Attempt) -> dict[tuple[str, ...], float]:
    """What an attempt has counted so far, by the metric's name and its labels."""
    return {
        ("backpressure_seconds",): attempt.queue.backpressure_seconds,
        **{("events", name): number for name, number in by_name(attempt.events).items()},
        **{
            ("schema_changes", action.replace(" ", "_"), result.replace(" ", "_")): number
            for (action, result), number in attempt.applier.schema_changes.items()
        },
    }


class Attempt:
    """See the module."""

    def __init__(
        self,
        settings: Settings,
        opened: Opened,
        loader: Loads,
        observer: Observer,
        stopping: threading.Event,
        *,
        until_caught_up: bool,
    ) -> None:
        """loader outlives the attempt; stopping: set from outside to end at a batch boundary.

        `events` counts the binlog events that were read, by type number.
        """
        self.settings = settings
        self.source = opened
        self.book = opened.book
        self._loader = loader
        self._observer = observer
        self._stopping = stopping
        self._until_caught_up = until_caught_up
        self.events = [0] * 256
        self._touches = TouchLog()
        self.queue = BatchQueue(settings.batch, opened.checkpoint.position)
        self.monitor = Monitor(settings.source, opened.server, opened.checkpoint.position)
        self.applier = Applier(
            opened.session,
            opened.book,
            opened.checkpoint,
            loader,
            opened.view,
            self.monitor.applied_until,
            QuarantineBook(opened.session, opened.book.dataset, settings.quarantine),
        )
        self.feeder = Feeder(opened.book, self.queue, self._touches)
        self._gate = CopyGate(opened.book, self.queue, self._touches, opened.server)
        self.copier = Copier(settings, opened.server, self._gate)
        self._desk = Desk(opened.session, opened.book, self.applier, self.copier, self._gate, self._decided)
        self._watch = None
        if settings.verify.continuous and not until_caught_up:
            self._watch = VerifyWatch(settings, opened.server, observer.verified)
        now = time.monotonic()
        self._timers = _Timers(now, now - PRUNE_SECONDS + 60, now, 0.0)

    def run(self) -> None:
        """Stream until told to stop, or until caught up. Raises whatever went wrong in any thread."""
        self._observer.decided(self.source.decisions, "start")
        with self._threads():
            for record in self.book.with_status(TableStatus.COPYING):
                if record.table.id not in self.book.doubts:
                    self._begin_copy(record.table.id)
            self._observer.opened(self)
            while not self._stopping.is_set():
                self._step()
                self._settle()
                self._look_at_requests()
                self._tidy()
                self._observer.tick(self)
                if self._until_caught_up and self._is_caught_up() and not self._desk.look():
                    break
            self._idle(force=True)

    @contextmanager
    def _threads(self) -> Iterator[None]:
        with at_stage("read"):
            reader = BinlogReader(
                self.settings.source,
                self.source.server,
                derive_server_id(self.settings),
                self.source.checkpoint.position,
                self.book.is_transactional,
                self.events,
            )
        threads = [
            self._thread("read", "reader", lambda: self.feeder.run(reader)),
            self._thread("monitor", "monitor", self.monitor.run),
        ]
        if self._watch is not None:
            threads.append(self._thread("verify", "verifier", self._watch.run))
        if self.book.with_status(TableStatus.COPYING):
            threads.append(self._thread("load", "warm", self._loader.warm))  # while the first rows are read
        copiers = range(self.settings.copying.parallel)
        threads += [self._thread("copy", f"copier-{n}", self.copier.run) for n in copiers]
        try:
            for thread in threads:
                thread.start()
            yield
        finally:
            self.queue.close()
            self.copier.stop()
            self.monitor.stop()
            if self._watch is not None:
                self._watch.stop()
            reader.close()
            for thread in threads:
                thread.join(_JOIN_SECONDS)

    def _thread(self, stage: str, name: str, work: Callable[[], None]) -> threading.Thread:
        """stage: of the errors that it ends with."""
        return threading.Thread(target=self._guard, args=(stage, work), name=name, daemon=True)

    def _guard(self, stage: str, work: Callable[[], None]) -> None:
        with contextlib.suppress(Interrupted):
            try:
                with at_stage(stage):
                    work()
            except BaseException as error:  # noqa: BLE001 - handed to the run loop, which decides
                self.queue.fail(error)

    def _step(self) -> None:
        item = self.queue.take(_TAKE_SECONDS)
        if isinstance(item, MicroBatch):
            self._apply(item)
        elif isinstance(item, Barrier):
            self._barrier(item)
        else:
            self._idle()

    def _apply(self, batch: MicroBatch) -> None:
        """Load a batch; a table that Postgres refuses is stopped, and the rest loaded without it."""
        prepared = self.applier.prepare(batch)
        self._observer.long_step()
        while True:
            try:
                applied = self.applier.apply(prepared)
                break
            except TableRefused as error:
                self._decided(self.applier.refused(error), "load")
        self._committed(applied)

    def _committed(self, applied: Applied) -> None:
        self._timers.committed = time.monotonic()
        self.monitor.applied(applied.position)
        self.queue.locked(lambda: self._touches.forget([*applied.finished, *applied.repaired]))
        self._observer.applied(applied)
        if applied.decisions:
            self._decided(applied.decisions, "batch")

    def _decided(self, decisions: tuple[Decision, ...], cause: str) -> None:
        """Tell of decisions; a table leaves the copier, and enters it again if it must be copied anew."""
        for decision in decisions:
            table = decision.record.table.id
            self._desk.decided(table)
            doubtful = decision.until is not None
            if decision.copy or doubtful or decision.record.status is not TableStatus.COPYING:
                self.copier.forget(table)
            if decision.copy:
                self._begin_copy(table)
        self._observer.decided(decisions, cause)

    def _barrier(self, barrier: Barrier) -> None:
        cause = barrier.cause
        self._observer.long_step()
        with at_stage("schema"):
            if isinstance(cause, SchemaChange):
                self._decided(self.applier.schema_change(cause), "schema change")
            else:
                self._decided(self.applier.fault(cause), "rows do not fit")
        barrier.done.set()

    def _settle(self) -> None:
        """End the doubts that can be ended; look at what DDL statements have made of tables."""
        if not self.book.doubts and not self.book.checks:
            return
        self._observer.long_step()
        position = self.queue.take_position() or self.applier.checkpoint.position
        with at_stage("schema"):
            if failed := self.applier.check(position):
                self._decided(failed, "check")
            if due := self.applier.due(position):
                self._decided(self.applier.settle(due), "catalogue")

    def _idle(self, *, force: bool = False) -> None:
        position = self.queue.take_position()
        if position is None:
            return
        moved = position != self.applier.checkpoint.position
        due = time.monotonic() - self._timers.committed >= IDLE_COMMIT_SECONDS
        finishes = self.applier.finishes_at(position)
        if finishes:
            self._observer.long_step()
        if finishes or due or (force and moved):
            try:
                applied = self.applier.idle(position)
            except TableRefused as error:
                self._decided(self.applier.refused(error), "load")
            else:
                self._committed(applied)
                self._loader.publish(self.book.schemas())
        else:
            self.monitor.applied(position)

    def _tidy(self) -> None:
        """What is due between batches, however busy the stream is."""
        if time.monotonic() - self._timers.quarantine >= QUARANTINE_SECONDS:
            self._timers.quarantine = time.monotonic()
            self.applier.quarantine.reload()
        if time.monotonic() - self._timers.pruned >= PRUNE_SECONDS:
            self._timers.pruned = time.monotonic()
            run_all(self.source.session, prune(self.book.dataset))

    def _is_caught_up(self) -> bool:
        if self.book.with_status(TableStatus.COPYING) or self.book.checks:
            return False
        position = self.queue.take_position() or self.applier.checkpoint.position
        return position.reached(self.source.head)

    def _begin_copy(self, table: TableId) -> None:
        self.copier.submit(self._gate.job(table, self.applier.checkpoint.position))

    def _look_at_requests(self) -> None:
        if time.monotonic() - self._timers.requests >= REQUESTS_SECONDS:
            self._timers.requests = time.monotonic()
            self._desk.look()
