"""Metrics: there from the first scrape, at 0, under our prefix."""

from __future__ import annotations

import importlib.metadata
import math
import re

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from rowferry.changes import RowCounts
from rowferry.event_names import EVENT_TYPES
from rowferry.metric_families import (
    DIFFERENCES,
    ERROR_KINDS,
    FAMILIES,
    RECONNECTS,
    STAGES,
    STATES,
)
from rowferry.metrics import Metrics


def samples(metrics: Metrics) -> list[Sample]:
    """What a scrape reads."""
    return [s for family in text_string_to_metric_families(metrics.render().decode()) for s in family.samples]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """One sample of ours; None if it is not there."""
    wanted = {"source": "clinic", **labels}
    found = [s.value for s in samples(metrics) if s.name == f"rowferry_{name}" and s.labels == wanted]
    return found[0] if found else None


def new() -> Metrics:
    """As the daemon begins."""
    return Metrics("1.2.3", "clinic")


def test_everything_starts_at_zero() -> None:
    """A counter that appears with its first event hides that event from rate()."""
    ours = [s for s in samples(new()) if s.name.startswith("rowferry_") and not s.name.endswith("_created")]
    unknown = {f"rowferry_{f.name}" for f in FAMILIES if f.start}
    assert {s.name for s in ours if s.value} == {"rowferry_build_info", *unknown}
    assert all(math.isnan(s.value) for s in ours if s.name in unknown)
    assert {f"rowferry_{f.name}" for f in FAMILIES if f.series or not f.labels} <= {
        re.sub("_(total|bucket|count|sum)$", "", s.name) for s in ours
    }


def test_every_state_kind_side_and_result_is_there_at_the_start() -> None:
    """So that an alert on it is never without data."""
    metrics = new()
    assert all(value(metrics, "state", state=s) == 0 for s in STATES)
    assert all(value(metrics, "errors_total", stage=s, kind=k) == 0 for s in STAGES for k in ERROR_KINDS)
    assert all(value(metrics, "events_total", type=t) == 0 for t in EVENT_TYPES)
    assert value(metrics, "unknown_events_total", type="0") == 0
    for side in ("source", "destination"):
        assert value(metrics, "connected", side=side) == 0
    assert all(value(metrics, "reconnects_total", side=s, reason=r) == 0 for s, r in RECONNECTS)
    for result in ("committed", "failed"):
        assert value(metrics, "batches_total", result=result) == 0
    for state in ("copying", "streaming", "stopped", "dropped"):
        assert value(metrics, "tables", state=state) == 0
    for name in ("queue_bytes", "backpressure_seconds_total"):
        assert value(metrics, name) == 0


def test_names_have_our_prefix() -> None:
    """Apart from those of the process and the interpreter, which have their own."""
    names = {s.name for s in samples(new())}
    assert {n.split("_")[0] for n in names} <= {"rowferry", "process", "python"}
    assert sum(n.startswith("rowferry_") for n in names) > 20


def test_every_metric_says_what_it_is_and_which_source() -> None:
    """The version's too."""
    text = new().render().decode()
    for family in text_string_to_metric_families(text):
        assert family.documentation
        if family.name.startswith("rowferry_"):
            assert all(s.labels["source"] == "clinic" for s in family.samples)
    versions = {"version": "1.2.3", "dlt": importlib.metadata.version("dlt")}
    assert value(new(), "build_info", **versions) == 1


def test_one_state_at_a_time() -> None:
    """The one before is left."""
    metrics = new()
    metrics.state("copying")
    metrics.state("streaming")
    assert {s: value(metrics, "state", state=s) for s in STATES} == {
        s: float(s == "streaming") for s in STATES
    }


def test_rows_are_counted_by_table_and_kind() -> None:
    """Copied ones apart."""
    metrics = new()
    for _ in range(2):
        metrics.table_rows("patient", RowCounts(1, 2, 3, 4), {"null": 5, "literal": 1})
    for op, number in (("insert", 2), ("update", 4), ("delete", 6)):
        assert value(metrics, "rows_applied_total", table="patient", op=op) == number
    assert value(metrics, "copy_rows_total", table="patient") == 8
    assert value(metrics, "zero_dates_total", table="patient", action="null") == 10
    assert value(metrics, "zero_dates_total", table="patient", action="literal") == 2
    assert value(metrics, "zero_dates_total", table="patient", action="keep") == 0


def test_batches_are_counted_by_result_and_timed_by_stage() -> None:
    """In seconds."""
    metrics = new()
    metrics.batch(7, {"convert": 0.25, "load": 0.5})
    metrics.failed_batch()
    assert value(metrics, "batches_total", result="committed") == 1
    assert value(metrics, "batches_total", result="failed") == 1
    assert value(metrics, "batch_duration_seconds_sum", stage="load") == 0.5
    assert value(metrics, "batch_rows_sum") == 7


def test_the_rest_is_kept_as_told() -> None:
    """Gauges, counters, errors, connections."""
    metrics = new()
    metrics.gauge("replication_lag_seconds", 1.5)
    metrics.add("checkpoint_regressions", 2)
    metrics.error("read", "load")
    metrics.unknown_event(99)
    metrics.reconnect("source", "unreachable")
    metrics.connected("source", True)
    metrics.tables({"stopped": 3})
    assert value(metrics, "replication_lag_seconds") == 1.5
    assert value(metrics, "checkpoint_regressions_total") == 2
    assert value(metrics, "errors_total", stage="read", kind="load") == 1
    assert value(metrics, "unknown_events_total", type="99") == 1
    assert value(metrics, "reconnects_total", side="source", reason="unreachable") == 1
    assert value(metrics, "connected", side="source") == 1
    assert value(metrics, "tables", state="stopped") == 3


def test_rows_set_aside_are_counted_and_shown_by_table() -> None:
    """By policy, and how many there are now."""
    metrics = new()
    metrics.set_aside("patient", {"invalid_text": 2})
    metrics.policy_stop("patient", "misfit")
    metrics.by_table("quarantine_rows", {"patient": 2, "visit": 0})
    assert value(metrics, "quarantined_rows_total", table="patient", reason="invalid_text") == 2
    assert value(metrics, "quarantined_rows_total", table="patient", reason="zero_date") == 0
    assert value(metrics, "policy_stops_total", table="patient", reason="misfit") == 1
    assert value(metrics, "quarantine_rows", table="patient") == 2
    assert value(metrics, "quarantine_rows", table="visit") == 0


def test_series_of_a_table_begin_when_it_is_known_and_its_gauges_end_with_it() -> None:
    """A gauge of a table that is gone would say for ever what was true once; counters only stand still."""
    metrics, name = new(), "verify_last_success_timestamp_seconds"
    metrics.known_tables({"patient", "visit"}, verified=True)
    assert value(metrics, "rows_applied_total", table="visit", op="insert") == 0
    assert value(metrics, name, table="visit") == 0
    metrics.by_table("quarantine_rows", {"visit": 2})
    metrics.known_tables({"patient"}, verified=True)
    metrics.verified("visit", 7, dict.fromkeys(DIFFERENCES, 1), complete=True)
    assert value(metrics, "verify_rows_total", table="visit") == 7
    assert value(metrics, "verify_mismatched_rows", table="visit", kind="extra") is None
    assert value(metrics, name, table="patient") == 0
    assert value(metrics, name, table="visit") is None
    assert value(metrics, "quarantine_rows", table="visit") is None


def test_only_a_whole_table_that_is_equal_was_verified_with_success() -> None:
    """What differs, and what was compared in part, leaves the time as it was."""
    metrics, name = new(), "verify_last_success_timestamp_seconds"
    metrics.known_tables({"visit"}, verified=True)
    equal = dict.fromkeys(DIFFERENCES, 0)
    metrics.verified("visit", 1, equal | {"extra": 1}, complete=True)
    metrics.verified("visit", 1, equal, complete=False)
    assert value(metrics, name, table="visit") == 0
    assert value(metrics, "verify_mismatched_rows", table="visit", kind="extra") == 1
    metrics.verified("visit", 1, equal, complete=True)
    assert value(metrics, name, table="visit") != 0
    assert value(metrics, "verify_mismatched_rows", table="visit", kind="extra") == 0


def test_odd_names_of_tables_do_not_break_the_text() -> None:
    """Quotes, backslashes and line breaks are escaped."""
    metrics = new()
    odd = 'a"b\\c\nd%é'
    metrics.table_rows(odd, RowCounts(inserts=1), {})
    assert value(metrics, "rows_applied_total", table=odd, op="insert") == 1


def test_two_daemons_in_one_process_do_not_share() -> None:
    """Each has a registry of its own."""
    first, second = new(), new()
    first.failed_batch()
    assert value(second, "batches_total", result="failed") == 0
