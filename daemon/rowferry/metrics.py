"""The Prometheus metrics. Told by value objects and plain numbers; knows nothing of loads or sockets.

Which there are: `metric_families`, docs/metrics.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import version as version_of
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from rowferry.changes import RowCounts
from rowferry.metric_families import (
    COUNTERS,
    DIFFERENCES,
    FAMILIES,
    GAUGES,
    HISTOGRAMS,
    POLICIES,
    STATES,
    TABLE_GAUGES,
    ZERO_DATE_ACTIONS,
    Family,
)

__all__ = ["PREFIX", "STATES", "Metrics"]

PREFIX: Final = "rowferry_"


class Metrics:
    """A registry of its own, so that a process can hold several in tests."""

    def __init__(self, version: str, source: str) -> None:
        """source: the database's name, the value of the `source` label."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._source = source
        self._lock = threading.Lock()
        self._tables: tuple[frozenset[str], bool] = frozenset(), False
        build = ["source", "version", "dlt"]
        info = Gauge(f"{PREFIX}build_info", "Versions of Rowferry and of dlt.", build, registry=self.registry)
        info.labels(source, version, version_of("dlt")).set(1)
        self._gauges = {f.name: Gauge(*_named(f), registry=self.registry) for f in GAUGES}
        self._counters = {f.name: Counter(*_named(f), registry=self.registry) for f in COUNTERS}
        self._histograms = {
            f.name: Histogram(*_named(f), buckets=f.buckets, registry=self.registry) for f in HISTOGRAMS
        }
        for family in FAMILIES:
            self._begin(family)

    def _begin(self, family: Family) -> None:
        """Let those series be there that can be known beforehand."""
        for values in family.series if family.labels else [()]:
            if family.kind == "gauge":
                self.gauge(family.name, family.start, *values)
            elif family.kind == "counter":
                self.add(family.name, 0, *values)
            else:
                self._histograms[family.name].labels(self._source, *values)

    def gauge(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge. labels: the values of its labels beside `source`."""
        self._gauges[name].labels(self._source, *labels).set(value)

    def add(self, name: str, value: float, *labels: str) -> None:
        """Add to a counter. labels: the values of its labels beside `source`."""
        self._counters[name].labels(self._source, *labels).inc(value)

    def _observe(self, name: str, value: float, *labels: str) -> None:
        self._histograms[name].labels(self._source, *labels).observe(value)

    def state(self, current: str) -> None:
        """Which of STATES the daemon is in."""
        for state in STATES:
            self.gauge("state", state == current, state)

    def connected(self, side: str, up: bool) -> None:
        """side: source or destination."""
        self.gauge("connected", up, side)

    def tables(self, by_status: Mapping[str, int]) -> None:
        """How many tables are in each state."""
        for status, number in by_status.items():
            self.gauge("tables", number, status)

    def known_tables(self, names: Collection[str], *, verified: bool) -> None:
        """The tables that there are: series begin for new ones, gauges of others end.

        verified: whether the tables are compared with their copies all the time.
        """
        known = frozenset(names), verified
        if known == self._tables:
            return
        with self._lock:
            self._tables = known
            for table in names:
                self._begin_table(table, verified=verified)
            for name in TABLE_GAUGES:
                self._forget_others(self._gauges[name], names)

    def _begin_table(self, table: str, *, verified: bool) -> None:
        self.table_rows(table, RowCounts(), {})
        self.set_aside(table, {})
        for policy in POLICIES:
            self.add("policy_stops", 0, table, policy)
        self.add("verify_rows", 0, table)
        if verified:
            self._gauges["verify_last_success_timestamp_seconds"].labels(self._source, table)
            for kind in DIFFERENCES:
                self._gauges["verify_mismatched_rows"].labels(self._source, table, kind)

    @staticmethod
    def _forget_others(gauge: Gauge, names: Collection[str]) -> None:
        """`table` is the first label after `source`."""
        for family in gauge.collect():
            for values in {tuple(s.labels[n] for n in gauge._labelnames) for s in family.samples}:
                if values[1] not in names:
                    gauge.remove(*values)

    def table_rows(self, table: str, counts: RowCounts, zero_dates: Mapping[str, int]) -> None:
        """What a committed batch did to a table; zero_dates: by what they became."""
        self.add("rows_applied", counts.inserts, table, "insert")
        self.add("rows_applied", counts.updates, table, "update")
        self.add("rows_applied", counts.deletes, table, "delete")
        self.add("copy_rows", counts.copied, table)
        for action in ZERO_DATE_ACTIONS:
            self.add("zero_dates", zero_dates.get(action, 0), table, action)

    def verified(self, table: str, rows: int, differences: Mapping[str, int], *, complete: bool) -> None:
        """A table was compared with its copy. complete: the whole of it. differences: rows by kind."""
        with self._lock:
            self.add("verify_rows", rows, table)
            if not complete or table not in self._tables[0]:
                return
            for kind, count in differences.items():
                self.gauge("verify_mismatched_rows", count, table, kind)
            if not any(differences.values()):
                success = self._gauges["verify_last_success_timestamp_seconds"]
                success.labels(self._source, table).set_to_current_time()

    def set_aside(self, table: str, rows: Mapping[str, int]) -> None:
        """Rows that a committed batch set aside, by policy."""
        for policy in POLICIES:
            self.add("quarantined_rows", rows.get(policy, 0), table, policy)

    def policy_stop(self, table: str, policy: str) -> None:
        """The policy of a column stopped a table."""
        self.add("policy_stops", 1, table, policy)

    def by_table(self, name: str, values: Mapping[str, float]) -> None:
        """Set a gauge of each table."""
        for table, value in values.items():
            self.gauge(name, value, table)

    def batch(self, rows: int, stages: Mapping[str, float]) -> None:
        """A committed batch; stages: seconds by stage."""
        self.add("batches", 1, "committed")
        self._observe("batch_rows", rows)
        for stage, seconds in stages.items():
            self._observe("batch_duration_seconds", seconds, stage)

    def failed_batch(self) -> None:
        """A batch that was rolled back."""
        self.add("batches", 1, "failed")

    def error(self, stage: str, kind: str) -> None:
        """An error of one of ERROR_KINDS, in one of STAGES."""
        self.add("errors", 1, stage, kind)

    def unknown_event(self, number: int) -> None:
        """The stream stopped for an event of that type."""
        self.add("unknown_events", 1, str(number))

    def reconnect(self, side: str, reason: str) -> None:
        """A new attempt after a failure on that side; reason: the kind of the error."""
        self.add("reconnects", 1, side, reason)

    def render(self) -> bytes:
        """The text exposition."""
        return generate_latest(self.registry)


def _named(family: Family) -> tuple[str, str, Iterable[str]]:
    return PREFIX + family.name, family.text, ["source", *family.labels]
