"""The Prometheus metrics. Told by value objects and plain numbers; knows nothing of loads or sockets.

Names: docs/metrics. Base units; timestamps instead of ages; no position or message in a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from rowferry.changes import RowCounts

STATES: Final = ("starting", "standby", "copying", "streaming", "retrying", "stopping", "halted")
TABLE_STATES: Final = ("copying", "streaming", "held", "stopped", "dropped")
ERROR_KINDS: Final = (
    "configuration",
    "unreachable",
    "lock",
    "fenced",
    "stream",
    "position_lost",
    "table",
    "table_load",
    "commit_unknown",
    "schema_moved",
    "select_too_long",
    "load",
    "internal",
)
ZERO_DATE_ACTIONS: Final = ("null", "literal", "keep")
POLICIES: Final = ("zero_date", "invalid_text", "misfit")
NO_EVENT: Final = "0"
"""The type that both families keep for no event at all: unknown events are there, at 0, from the start."""
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """A registry of its own, so that a process can hold several in tests."""

    def __init__(self, version: str, source: str) -> None:
        """source: the database's name, the value of the `source` label."""
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._source = source
        self._gauges = {
            name: Gauge(f"rowferry_{name}", text, ["source"], registry=registry).labels(source)
            for name, text in _GAUGES.items()
        }
        self._counters = {
            name: Counter(f"rowferry_{name}", text, ["source"], registry=registry).labels(source)
            for name, text in _COUNTERS.items()
        }
        Gauge("rowferry_build_info", "Version.", ["version"], registry=registry).labels(version).set(1)
        self._state = self._labelled_gauge("state", "1 for the state it is in.", "state")
        self._connected = self._labelled_gauge("connected", "1 while connected.", "side")
        self._tables = self._labelled_gauge("tables", "Tables by state.", "state")
        self._rows = self._counter("rows_applied", "Row changes committed.", "table", "op")
        self._batches = self._counter("batches", "Batches by result.", "result")
        self._stages = Histogram(
            "rowferry_batch_duration_seconds",
            "Time that a batch spent in a stage.",
            ["source", "stage"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._batch_rows = Histogram(
            "rowferry_batch_rows",
            "Row changes in a batch.",
            ["source"],
            buckets=(1, 10, 100, 1_000, 10_000, 50_000, 100_000, 500_000),
            registry=registry,
        ).labels(source)
        self._errors = self._counter("errors", "Errors by kind.", "kind")
        self._unknown_events = self._counter(
            "unknown_events", "Binlog events of a type that is not known; each stops the stream.", "type"
        )
        self._reconnects = self._counter("reconnects", "New attempts.", "side")
        self._zero_dates = self._counter("zero_dates", "Zero dates by what they became.", "table", "action")
        self._set_aside = self._counter("quarantined_rows", "Rows that were set aside.", "table", "reason")
        self._stops = self._counter("policy_stops", "Tables stopped by a column's policy.", "table", "reason")
        self._quarantine = self._labelled_gauge("quarantine_rows", "Rows that are set aside now.", "table")
        self._copied = self._counter("copy_rows", "Rows copied.", "table")
        self._verified = self._counter("verify_rows", "Rows compared by the continuous mode.", "table")
        self._differences = self._labelled_gauge(
            "verify_differences", "Rows that differed when the table was last compared.", "table", "kind"
        )
        self._verified_at = self._labelled_gauge(
            "verify_timestamp_seconds", "When the table was last compared as a whole.", "table"
        )
        self._start_at_zero()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"rowferry_{name}", text, ["source", *labels], registry=self.registry)

    def _labelled_gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"rowferry_{name}", text, ["source", *labels], registry=self.registry)

    def _start_at_zero(self) -> None:
        for state in STATES:
            self._state.labels(self._source, state).set(0)
        for kind in ERROR_KINDS:
            self._errors.labels(self._source, kind)
        self._unknown_events.labels(self._source, NO_EVENT)
        for side in ("source", "destination"):
            self._connected.labels(self._source, side).set(0)
            self._reconnects.labels(self._source, side)
        for result in ("committed", "failed"):
            self._batches.labels(self._source, result)
        for status in TABLE_STATES:
            self._tables.labels(self._source, status).set(0)

    def state(self, current: str) -> None:
        """Which of STATES the daemon is in."""
        for state in STATES:
            self._state.labels(self._source, state).set(state == current)

    def connected(self, side: str, up: bool) -> None:
        """side: source or destination."""
        self._connected.labels(self._source, side).set(up)

    def tables(self, by_status: Mapping[str, int]) -> None:
        """How many tables are in each state."""
        for status, number in by_status.items():
            self._tables.labels(self._source, status).set(number)

    def gauge(self, name: str, value: float) -> None:
        """Set one of the plain gauges."""
        self._gauges[name].set(value)

    def add(self, name: str, value: float) -> None:
        """Add to one of the plain counters."""
        self._counters[name].inc(value)

    def table_rows(self, table: str, counts: RowCounts, zero_dates: Mapping[str, int]) -> None:
        """What a committed batch did to a table; zero_dates: by what they became."""
        for op, number in (
            ("insert", counts.inserts),
            ("update", counts.updates),
            ("delete", counts.deletes),
        ):
            self._rows.labels(self._source, table, op).inc(number)
        self._copied.labels(self._source, table).inc(counts.copied)
        for action in ZERO_DATE_ACTIONS:
            self._zero_dates.labels(self._source, table, action).inc(zero_dates.get(action, 0))

    def verified(self, table: str, rows: int, differences: Mapping[str, int], *, complete: bool) -> None:
        """A table was compared with its copy. complete: the whole of it. differences: rows by kind."""
        self._verified.labels(self._source, table).inc(rows)
        if complete:
            self._verified_at.labels(self._source, table).set_to_current_time()
            for kind, count in differences.items():
                self._differences.labels(self._source, table, kind).set(count)

    def set_aside(self, table: str, rows: Mapping[str, int]) -> None:
        """Rows that a committed batch set aside, by policy."""
        for policy in POLICIES:
            self._set_aside.labels(self._source, table, policy).inc(rows.get(policy, 0))

    def policy_stop(self, table: str, policy: str) -> None:
        """The policy of a column stopped a table."""
        self._stops.labels(self._source, table, policy).inc()

    def quarantine(self, rows: Mapping[str, int]) -> None:
        """How many rows of each known table are set aside now."""
        for table, number in rows.items():
            self._quarantine.labels(self._source, table).set(number)

    def batch(self, rows: int, stages: Mapping[str, float]) -> None:
        """A committed batch; stages: seconds by stage."""
        self._batches.labels(self._source, "committed").inc()
        self._batch_rows.observe(rows)
        for stage, seconds in stages.items():
            self._stages.labels(self._source, stage).observe(seconds)

    def failed_batch(self) -> None:
        """A batch that was rolled back."""
        self._batches.labels(self._source, "failed").inc()

    def error(self, kind: str) -> None:
        """An error of one of ERROR_KINDS."""
        self._errors.labels(self._source, kind).inc()

    def unknown_event(self, number: int) -> None:
        """The stream stopped for an event of that type."""
        self._unknown_events.labels(self._source, str(number)).inc()

    def reconnect(self, side: str) -> None:
        """A new attempt after a failure on that side."""
        self._reconnects.labels(self._source, side).inc()

    def render(self) -> bytes:
        """The text exposition."""
        return generate_latest(self.registry)


_GAUGES: Final = {
    "replication_lag_seconds": "Source clock now minus what is applied; 0 when caught up.",
    "applied_source_timestamp_seconds": "Everything up to this source time is committed in Postgres.",
    "received_source_timestamp_seconds": "Commit time of the newest transaction that was read.",
    "source_clock_offset_seconds": "Source clock minus this machine's.",
    "checkpoint_timestamp_seconds": "When the checkpoint was last written.",
    "binlog_backlog_bytes": "Bytes of binlog between the checkpoint and the source's head, in its file.",
    "copy_read_rows": "Rows that the copies under way have read.",
    "copy_expected_rows": "Rows that they will have read, as the source estimates.",
    "queue_bytes": "Bytes of row images that wait.",
    "queue_capacity_bytes": "Most bytes of row images that may wait.",
}
_COUNTERS: Final = {
    "backpressure_seconds": "Seconds that reading waited for loading.",
    "checkpoint_regressions": "Times that the destination's checkpoint had gone back.",
}
