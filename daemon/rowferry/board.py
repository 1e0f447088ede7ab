"""What the daemon is doing, for people and machines: the observer that feeds metrics, log and /status."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from rowferry import logs, systemd, terminal
from rowferry.applier import Applied
from rowferry.attempt import Attempt, counted
from rowferry.batch_log import log_batch
from rowferry.batch_queue import BatchQueue
from rowferry.book import Decision
from rowferry.changes import RowCounts
from rowferry.checkpoint import TableRecord, TableStatus, to_time
from rowferry.daemon_state import Copying, Standby, Starting, State, Stopping, Streaming
from rowferry.errors import RowferryError, SchemaMoved, SelectTooLong, StreamStopped, Unreachable
from rowferry.happenings import Happenings, split_remedy
from rowferry.judging import Kind
from rowferry.lag_history import LagHistory, LagSample
from rowferry.metric_families import SIDES
from rowferry.metrics import Metrics
from rowferry.monitor import Monitor
from rowferry.position import BinlogPosition
from rowferry.progress import CopyMeter, CopyState
from rowferry.status import read_status
from rowferry.verify import TableResult

REFRESH_SECONDS: Final = 0.5
COPY_LOG_SECONDS: Final = 30.0
STALL_SECONDS: Final = 60.0
LONG_STEP_SECONDS: Final = 3_600.0
RECORDS_SECONDS: Final = 5.0
_STAGES: Final = {
    **dict.fromkeys(("schema change", "catalogue", "check"), "schema"),
    "start": "start",
    "rows do not fit": "read",
}
"""Where a table was stopped, by the cause of the decision; else while loading."""


class Board:
    """See the module. Written by the run loop, read by the HTTP server's threads."""

    def __init__(self, metrics: Metrics, database: str, dataset: str) -> None:
        """database, dataset: for /status."""
        self.metrics = metrics
        self.scraped_at: float | None = None
        self._lock = threading.Lock()
        self._log = logs.get()
        self._manager = systemd.Notifier()
        self._state: State = Starting()
        self._refreshed = 0.0
        self._ticked = time.monotonic()
        self._patience = LONG_STEP_SECONDS  # opening may alter big tables
        self._started_at = datetime.now(UTC)
        self._history = LagHistory()
        self._happenings = Happenings()
        self._records: dict[str, dict[str, Any]] = {}
        self._records_at = 0.0
        self._since: dict[str, int] = {}
        self._counts: dict[str, RowCounts] = {}
        self._meter = CopyMeter()
        self._told_copy = time.monotonic()
        self._batches = 0
        self._attempt: Attempt | None = None
        self._remaining: dict[str, int] = {}
        self._published: dict[tuple[str, ...], float] = {}
        self._monitor: Monitor | None = None
        self._queue: BatchQueue | None = None
        self._last: BinlogPosition | None = None
        self._status: dict[str, Any] = {"database": database, "dataset": dataset, "tables": []}
        self.enter(Starting())

    @property
    def state(self) -> State:
        """The daemon's state."""
        return self._state

    def enter(self, state: State) -> None:
        """The daemon is in another state now."""
        self._state = state
        self.metrics.state(state.name)
        error = getattr(state, "error", None)
        with self._lock:
            self._status["state"] = state.name
            self._status["error"] = error
        if isinstance(state, Stopping):
            self._manager.stopping()
        elif not isinstance(state, Copying | Streaming):  # `_refresh` says more of these
            self._manager.status(state.name, error or "")

    def status(self) -> dict[str, Any]:
        """What /status shows."""
        with self._lock:
            errors = self._happenings.newest_first()
            return {
                **self._status,
                "replication_lag_seconds": self._lag(),
                "started_at": self._started_at,
                "last_errors": errors,
            }

    def sample_lag(self) -> None:
        """Note the lag, once a second; called by one thread alone."""
        now = time.monotonic()
        if self._history.due(now):
            self._history.add(now, self._lag())

    def lag_history(self) -> list[LagSample]:
        """The lag of the last quarter of an hour; for the thread that samples it."""
        return self._history.samples(time.monotonic())

    def _happened(self, kind: str, message: str, remedy: str = "", table: str = "") -> None:
        with self._lock:
            self._happenings.note(datetime.now(UTC), kind, message, remedy, table)

    def render_metrics(self) -> bytes:
        """What /metrics shows; lag, backlog and queue as of now, also while a load hangs."""
        self.scraped_at = time.monotonic()
        if self._monitor is not None:
            lag, headroom = self._lag(), self._monitor.files.headroom_seconds()
            self.metrics.gauge("replication_lag_seconds", math.nan if lag is None else lag)
            self.metrics.gauge("binlog_retention_headroom_seconds", headroom)
            if self._monitor.head is not None:
                self.metrics.gauge("binlog_backlog_bytes", self._monitor.files.backlog_bytes)
        if self._queue is not None:
            self.metrics.gauge("queue_bytes", self._queue.size)
        return self.metrics.render()

    def _lag(self) -> float | None:
        return self._monitor.lag()[0] if self._monitor is not None else None

    def alive(self) -> bool:
        """Whether the run loop has made progress lately; a long step has an hour."""
        return time.monotonic() - self._ticked < self._patience

    def failed(self, error: RowferryError) -> None:
        """An attempt ended with an error."""
        self._publish_counts()
        self.metrics.error(error.stage or "load", error.kind)
        self._happened(error.kind, error.sentence(), error.hint)
        self._connected(False)
        if error.kind in ("load", "table_load"):
            self.metrics.failed_batch()
        if isinstance(error, StreamStopped) and error.unknown_event is not None:
            self.metrics.unknown_event(error.unknown_event)

    def _connected(self, up: bool) -> None:
        for side in SIDES:
            self.metrics.connected(side, up)

    def reconnecting(self, error: RowferryError) -> None:
        """A new attempt follows."""
        at_source = isinstance(error, SchemaMoved | SelectTooLong)
        side = error.side if isinstance(error, Unreachable) else SIDES[not at_source]
        self.metrics.reconnect(side, error.kind)

    def waiting(self) -> None:
        """The run loop is alive while it waits to try again, or for the lock."""
        self._ticked, self._patience = time.monotonic(), LONG_STEP_SECONDS
        self._manager.waiting()

    def long_step(self) -> None:
        """The run loop begins to wait for a server, perhaps for long."""
        self._ticked, self._patience = time.monotonic(), LONG_STEP_SECONDS
        self._manager.long_step()

    def standing_by(self) -> None:
        """Another instance holds the lock: what was known of the stream is its business now."""
        self._monitor = None
        self.metrics.gauge("replication_lag_seconds", math.nan)
        self._connected(False)
        with self._lock:
            self._status = {n: self._status[n] for n in ("database", "dataset")} | {"tables": []}
        self.enter(Standby())
        self._manager.ready()

    def opened(self, attempt: Attempt) -> None:
        """Both ends are open and the stream has begun."""
        self._connected(True)
        self.metrics.gauge("queue_capacity_bytes", attempt.settings.batch.max_bytes)
        self.metrics.gauge("checkpoint_timestamp_seconds", time.time())
        went_back = self._note_regression(attempt.source.checkpoint.position)
        if self._monitor is not None and not went_back:
            attempt.monitor.go_on_from(self._monitor)
        self._monitor, self._queue = attempt.monitor, attempt.queue
        self._attempt, self._published = attempt, {}
        self._records_at = 0.0
        self._log.info(
            "stream_opened",
            server=attempt.source.server.version_text,
            position=str(attempt.source.checkpoint.position),
            tables=len(attempt.book.records),
        )
        for section in attempt.source.unused:
            self._log.warning("setting_fits_nothing", setting=section)
        self._refresh(attempt)
        self._manager.ready()

    def _note_regression(self, position: BinlogPosition) -> bool:
        """A destination that lost commits takes the daemon back with it; that is counted. Whether it did."""
        last = self._last
        back = last is not None and last.identity == position.identity and not position.reached(last)
        if back:
            self.metrics.add("checkpoint_regressions", 1)
            self._log.warning("checkpoint_went_back", position=str(position), before=str(last))
            self._happened("checkpoint", "Postgres had lost commits; they are being applied again")
        return back

    def applied(self, applied: Applied) -> None:
        """A batch, or an idle checkpoint, was committed."""
        self._last = applied.position
        self.metrics.gauge("checkpoint_timestamp_seconds", time.time())
        for table, rows in applied.set_aside.items():
            if rows:
                self._log.error("rows_set_aside", table=table, rows=sum(rows.values()), policies=dict(rows))
                self._happened("rows_set_aside", "rows were set aside", "`rowferry quarantine list`", table)
        for finished in applied.finished:
            self._log.info("table_copied", table=finished.name)
        if not applied.tables and not applied.transactions:
            return
        self._batches += 1
        self.metrics.batch(applied.rows, applied.stages)
        for table, counts in applied.tables.items():
            self._counts[table] = self._counts.get(table, RowCounts()) + counts
            self._since[table] = self._since.get(table, 0) + counts.total - counts.copied
            self.metrics.table_rows(table, counts, applied.zero_dates.get(table, {}))
            self.metrics.set_aside(table, applied.set_aside.get(table, {}))
        log_batch(self._log, applied, self._lag(), self._queue.size if self._queue is not None else 0)

    def decided(self, decisions: tuple[Decision, ...], cause: str) -> None:
        """Tables changed their state."""
        self._records_at = 0.0
        for decision in decisions:
            status = decision.record.status
            if status in (TableStatus.STOPPED, TableStatus.HELD):
                kind = "table" if status is TableStatus.STOPPED else "held"
                self._happened(kind, *split_remedy(decision.record.error), decision.record.table.id.name)
            if status is TableStatus.STOPPED:
                self.metrics.error(_STAGES.get(cause, "load"), "table")
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
        if result.failed:
            self.metrics.error("verify", result.failed)
        self.metrics.verified(result.table, result.rows, counts, complete=not result.problem)
        if result.verdict == "different":
            self._log.error("differences_found", table=result.table, rows=result.rows, kinds=counts)
            told = "rows of the copy differ from the source"
            self._happened("differences", told, f"`rowferry verify {result.table} --repair`", result.table)
        else:
            problem = result.problem or None
            self._log.info("table_verified", table=result.table, rows=result.rows, problem=problem)

    def tick(self, attempt: Attempt) -> None:
        """The loop is alive."""
        self._ticked, self._patience = time.monotonic(), STALL_SECONDS
        self._manager.alive()
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
        self._tell_manager(attempt)
        self._publish_counts()
        self._read_records(attempt)
        until = to_time(until_us)
        status = {
            "applied_source_timestamp": until.isoformat() if until else None,
            "applied_until": until,
            "position": str(attempt.applier.checkpoint.position),
            "load_id": attempt.applier.last_load_id,
            "server": attempt.source.server.version_text,
            "batches": self._batches,
            "copy": {**asdict(copied), "seconds_left": copied.seconds_left} if copied.tables else None,
            "rows_applied": sum(c.total - c.copied for c in self._counts.values()),
            "tables": self._tables(attempt, until),
        }
        with self._lock:
            self._status.update(status)

    def _tell_manager(self, attempt: Attempt) -> None:
        position = attempt.applier.checkpoint.position
        states = Counter(r.status.value for r in attempt.book.records.values())
        details = systemd.describe(self._lag(), position.file, position.offset, states)
        if not isinstance(self._state, Stopping):
            self._manager.status(self._state.name, details)

    def _sample_copies(self, attempt: Attempt, copying: list[TableRecord]) -> CopyState:
        """Show how far the copies are: on a terminal at once, in the log now and then."""
        now, sizes = time.monotonic(), attempt.copier.sizes
        rows = [(r.table.id.name, r.copy.rows, r.copy.total) for r in copying]
        state = self._meter.sample(now, [(n, done, total or sizes.get(n, 0)) for n, done, total in rows])
        self._remaining = {n: max(0, (total or sizes.get(n, 0)) - done) for n, done, total in rows}
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
        records = attempt.book.records.values()
        by_status = Counter(r.status.value for r in records)
        aside = attempt.applier.quarantine.counts
        names = {r.table.id.name: r.status for r in records}
        there = {n for n, status in names.items() if status is not TableStatus.DROPPED or aside.get(n)}
        metrics.known_tables(there, verified=attempt.settings.verify.continuous)
        metrics.by_table("quarantine_rows", {n: aside.get(n, 0) for n in there})
        metrics.by_table("copy_remaining_rows", {n: self._remaining.get(n, 0) for n in there})
        metrics.tables({s.value: by_status.get(s.value, 0) for s in TableStatus})

    def _publish_counts(self) -> None:
        """Add what the attempt has counted since the last time."""
        attempt = self._attempt
        if attempt is None:
            return
        counts = counted(attempt)
        for (name, *labels), number in counts.items():
            self.metrics.add(name, number - self._published.get((name, *labels), 0), *labels)
        self._published = counts

    def _read_records(self, attempt: Attempt) -> None:
        """What the tracking tables know, now and then: the same names and numbers as in `rowferry status`."""
        if self._refreshed - self._records_at < RECORDS_SECONDS:
            return
        self._records_at = self._refreshed
        document = read_status(attempt.source.session, attempt.book.dataset)
        self._records = {each["table"]: each for each in document["tables"]}
        self._since.clear()
        with self._lock:
            self._status["checkpoint"] = document["checkpoint"]

    def _tables(self, attempt: Attempt, until: datetime | None) -> list[dict[str, Any]]:
        tables = []
        for record in sorted(attempt.book.records.values(), key=lambda r: r.table.id):
            name = record.table.id.name
            known = self._records.get(name, {})
            streams = record.status is TableStatus.STREAMING
            tables.append(
                {
                    "table": name,
                    "state": record.status.value,
                    "as_of": until if streams else known.get("as_of"),
                    "consistent_since": known.get("consistent_since"),
                    "last_change": known.get("last_change"),
                    "rows_copied": record.copy.rows,
                    "rows_expected": record.copy.total or attempt.copier.sizes.get(name, 0),
                    "rows_applied": known.get("rows_applied", 0) + self._since.get(name, 0),
                    "rows_set_aside": attempt.applier.quarantine.counts.get(name, 0),
                    "error": record.error or None,
                }
            )
        return tables
