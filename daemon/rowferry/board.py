"""What the daemon is doing, for people and machines: the observer that feeds metrics, log and /status."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Final

from rowferry import logs, terminal
from rowferry.applier import Applied
from rowferry.attempt import Attempt
from rowferry.batch_log import log_batch
from rowferry.batch_queue import BatchQueue
from rowferry.book import Decision
from rowferry.changes import RowCounts
from rowferry.checkpoint import TableRecord, TableStatus, to_time
from rowferry.errors import RowferryError, StreamStopped
from rowferry.judging import Kind
from rowferry.metrics import Metrics
from rowferry.monitor import Monitor
from rowferry.position import BinlogPosition
from rowferry.progress import CopyMeter, CopyState
from rowferry.verify import TableResult

REFRESH_SECONDS: Final = 0.5
COPY_LOG_SECONDS: Final = 30.0
STALL_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Starting:
    """Opening both ends."""

    name = "starting"


@dataclass(frozen=True, slots=True)
class Copying:
    """Some table is still being copied; the stream is applied all the same."""

    name = "copying"


@dataclass(frozen=True, slots=True)
class Streaming:
    """Every table that can be is in step."""

    name = "streaming"


@dataclass(frozen=True, slots=True)
class Retrying:
    """Waiting to try again after a failure."""

    error: str
    name = "retrying"


@dataclass(frozen=True, slots=True)
class Stopping:
    """Asked to stop; ending at a batch boundary."""

    name = "stopping"


@dataclass(frozen=True, slots=True)
class Halted:
    """Cannot go on without a person."""

    error: str
    name = "halted"


State = Starting | Copying | Streaming | Retrying | Stopping | Halted


class Board:
    """See the module. Written by the run loop, read by the HTTP server's threads."""

    def __init__(self, metrics: Metrics, database: str, dataset: str) -> None:
        """database, dataset: for /status."""
        self.metrics = metrics
        self._lock = threading.Lock()
        self._log = logs.get()
        self._state: State = Starting()
        self._refreshed = 0.0
        self._ticked = time.monotonic()
        self._counts: dict[str, RowCounts] = {}
        self._meter = CopyMeter()
        self._told_copy = time.monotonic()
        self._batches = 0
        self._backpressure = 0.0
        self._monitor: Monitor | None = None
        self._queue: BatchQueue | None = None
        self._last: BinlogPosition | None = None
        self._status: dict[str, Any] = {"database": database, "dataset": dataset, "tables": []}
        metrics.gauge("replication_lag_seconds", math.nan)
        self.enter(Starting())

    @property
    def state(self) -> State:
        """The daemon's state."""
        return self._state

    def enter(self, state: State) -> None:
        """The daemon is in another state now."""
        self._state = state
        self.metrics.state(state.name)
        with self._lock:
            self._status["state"] = state.name
            self._status["error"] = getattr(state, "error", None)

    def status(self) -> dict[str, Any]:
        """What /status shows."""
        with self._lock:
            return {**self._status, "replication_lag_seconds": self._lag()}

    def render_metrics(self) -> bytes:
        """What /metrics shows; lag as of now, also while nothing moves."""
        lag = self._lag()
        if lag is not None:
            self.metrics.gauge("replication_lag_seconds", lag)
        return self.metrics.render()

    def _lag(self) -> float | None:
        return self._monitor.lag()[0] if self._monitor is not None else None

    def alive(self) -> bool:
        """Whether the run loop has made progress lately."""
        return time.monotonic() - self._ticked < STALL_SECONDS

    def ready(self) -> bool:
        """Whether both ends are connected and changes flow."""
        return isinstance(self._state, Streaming | Copying)

    def failed(self, error: RowferryError) -> None:
        """An attempt ended with an error."""
        self.metrics.error(error.kind)
        for side in ("source", "destination"):
            self.metrics.connected(side, False)
        if error.kind in ("load", "table_load"):
            self.metrics.failed_batch()
        if isinstance(error, StreamStopped) and error.unknown_event is not None:
            self.metrics.unknown_event(error.unknown_event)

    def waiting(self) -> None:
        """The run loop is alive while it waits to try again."""
        self._ticked = time.monotonic()

    def opened(self, attempt: Attempt) -> None:
        """Both ends are open and the stream has begun."""
        for side in ("source", "destination"):
            self.metrics.connected(side, True)
        self.metrics.gauge("queue_capacity_bytes", attempt.settings.batch.max_bytes)
        self.metrics.gauge("checkpoint_timestamp_seconds", time.time())
        self._monitor, self._queue = attempt.monitor, attempt.queue
        self._note_regression(attempt.source.checkpoint.position)
        self._backpressure = 0.0
        self._log.info(
            "stream_opened",
            server=attempt.source.server.version_text,
            position=str(attempt.source.checkpoint.position),
            tables=len(attempt.book.records),
        )
        for section in attempt.source.unused:
            self._log.warning("setting_fits_nothing", setting=section)
        self._refresh(attempt)

    def _note_regression(self, position: BinlogPosition) -> None:
        """A destination that lost commits takes the daemon back with it; that is counted."""
        last = self._last
        if last is not None and last.identity == position.identity and not position.reached(last):
            self.metrics.add("checkpoint_regressions", 1)
            self._log.warning("checkpoint_went_back", position=str(position), before=str(last))

    def applied(self, applied: Applied) -> None:
        """A batch, or an idle checkpoint, was committed."""
        self._last = applied.position
        self.metrics.gauge("checkpoint_timestamp_seconds", time.time())
        for table, rows in applied.set_aside.items():
            if rows:
                self._log.error("rows_set_aside", table=table, rows=sum(rows.values()), policies=dict(rows))
        for finished in applied.finished:
            self._log.info("table_copied", table=finished.name)
        if not applied.tables and not applied.transactions:
            return
        self._batches += 1
        self.metrics.batch(applied.rows, applied.stages)
        for table, counts in applied.tables.items():
            self._counts[table] = self._counts.get(table, RowCounts()) + counts
            self.metrics.table_rows(table, counts, applied.zero_dates.get(table, {}))
            self.metrics.set_aside(table, applied.set_aside.get(table, {}))
        log_batch(self._log, applied, self._lag(), self._queue.size if self._queue is not None else 0)

    def decided(self, decisions: tuple[Decision, ...], cause: str) -> None:
        """Tables changed their state."""
        for decision in decisions:
            status = decision.record.status
            if status is TableStatus.STOPPED:
                self.metrics.error("table")
                if decision.policy:
                    self.metrics.policy_stop(decision.record.table.id.name, decision.policy)
                self._log.error(
                    "table_stopped", table=decision.record.table.id.name, error=decision.record.error
                )
            elif status is TableStatus.HELD:
                self._log.warning(
                    "table_held", table=decision.record.table.id.name, reason=decision.record.error
                )
            elif decision.reason != "copied":
                self._log.info(
                    "table_changed",
                    table=decision.record.table.id.name,
                    state=status.value,
                    cause=cause,
                    reason=decision.reason,
                )

    def verified(self, result: TableResult) -> None:
        """A table was compared with its copy."""
        counts = {kind.value: len(result.keys(kind)) for kind in Kind}
        counts[Kind.DIFFERENT.value] += result.nameless  # at least one
        self.metrics.verified(result.table, result.rows, counts, complete=not result.problem)
        if result.verdict == "different":
            self._log.error("differences_found", table=result.table, rows=result.rows, kinds=counts)
        else:
            problem = result.problem or None
            self._log.info("table_verified", table=result.table, rows=result.rows, problem=problem)

    def tick(self, attempt: Attempt) -> None:
        """The loop is alive."""
        self._ticked = time.monotonic()
        if self._ticked - self._refreshed >= REFRESH_SECONDS:
            self._refresh(attempt)

    def _refresh(self, attempt: Attempt) -> None:
        self._refreshed = time.monotonic()
        logs.tell_held_back()
        copying = attempt.book.with_status(TableStatus.COPYING)
        if not isinstance(self._state, Stopping):
            self.enter(Copying() if copying else Streaming())
        copied = self._sample_copies(attempt, copying)
        _, until_us, offset = attempt.monitor.lag()
        self._gauges(attempt, until_us, offset)
        until = to_time(until_us)
        status = {
            "applied_source_timestamp": until.isoformat() if until else None,
            "position": str(attempt.applier.checkpoint.position),
            "load_id": attempt.applier.last_load_id,
            "server": attempt.source.server.version_text,
            "batches": self._batches,
            "copy": {**asdict(copied), "seconds_left": copied.seconds_left} if copied.tables else None,
            "rows_applied": sum(c.total - c.copied for c in self._counts.values()),
            "tables": self._tables(attempt),
        }
        with self._lock:
            self._status.update(status)

    def _sample_copies(self, attempt: Attempt, copying: list[TableRecord]) -> CopyState:
        """Show how far the copies are: on a terminal at once, in the log now and then."""
        now, sizes = time.monotonic(), attempt.copier.sizes
        rows = [(r.table.id.name, r.copy.rows, r.copy.total) for r in copying]
        state = self._meter.sample(now, [(n, done, total or sizes.get(n, 0)) for n, done, total in rows])
        self.metrics.gauge("copy_read_rows", state.rows)
        self.metrics.gauge("copy_expected_rows", state.total)
        terminal.stderr.progress(state.describe() if state.tables else "")
        if state.tables and now - self._told_copy >= COPY_LOG_SECONDS:
            self._told_copy = now
            self._log.info("copy_progress", tables=state.tables, rows=state.rows, expected=state.total)
        return state

    def _gauges(self, attempt: Attempt, until_us: int, offset: float) -> None:
        metrics = self.metrics
        if until_us:
            metrics.gauge("applied_source_timestamp_seconds", until_us / 1e6)
            metrics.gauge("source_clock_offset_seconds", offset)
        metrics.gauge("received_source_timestamp_seconds", attempt.feeder.received_us / 1e6)
        metrics.gauge("queue_bytes", attempt.queue.size)
        head, position = attempt.monitor.head, attempt.applier.checkpoint.position
        if head is not None and head.file == position.file:
            metrics.gauge("binlog_backlog_bytes", max(0, head.offset - position.offset))
        waited = attempt.queue.backpressure_seconds
        metrics.add("backpressure_seconds", max(0.0, waited - self._backpressure))
        self._backpressure = waited
        by_status = Counter(r.status.value for r in attempt.book.records.values())
        aside = attempt.applier.quarantine.counts
        metrics.quarantine({t.name: aside.get(t.name, 0) for t in attempt.book.records})
        metrics.tables({s.value: by_status.get(s.value, 0) for s in TableStatus})

    def _tables(self, attempt: Attempt) -> list[dict[str, Any]]:
        tables = []
        for record in sorted(attempt.book.records.values(), key=lambda r: r.table.id):
            name = record.table.id.name
            counts = self._counts.get(name, RowCounts())
            tables.append(
                {
                    "table": name,
                    "state": record.status.value,
                    "rows_copied": record.copy.rows,
                    "rows_applied": counts.total - counts.copied,
                    "rows_set_aside": attempt.applier.quarantine.counts.get(name, 0),
                    "error": record.error or None,
                }
            )
        return tables
