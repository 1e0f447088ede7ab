"""Metrics: there from the first scrape, at 0, under our prefix."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from rowferry.changes import RowCounts
from rowferry.metrics import ERROR_KINDS, STATES, Metrics


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
    assert {s.name for s in ours if s.value} == {"rowferry_build_info"}


def test_every_state_kind_side_and_result_is_there_at_the_start() -> None:
    """So that an alert on it is never without data."""
    metrics = new()
    assert all(value(metrics, "state", state=s) == 0 for s in STATES)
    assert all(value(metrics, "errors_total", kind=k) == 0 for k in ERROR_KINDS)
    assert value(metrics, "unknown_events_total", type="0") == 0
    for side in ("source", "destination"):
        assert value(metrics, "connected", side=side) == 0
        assert value(metrics, "reconnects_total", side=side) == 0
    for result in ("committed", "failed"):
        assert value(metrics, "batches_total", result=result) == 0
    for state in ("copying", "streaming", "stopped", "dropped"):
        assert value(metrics, "tables", state=state) == 0
    for name in ("replication_lag_seconds", "queue_bytes", "backpressure_seconds_total"):
        assert value(metrics, name) == 0


def test_names_have_our_prefix() -> None:
    """Apart from those of the process and the interpreter, which have their own."""
    names = {s.name for s in samples(new())}
    assert {n.split("_")[0] for n in names} <= {"rowferry", "process", "python"}
    assert sum(n.startswith("rowferry_") for n in names) > 20


def test_every_metric_says_what_it_is_and_which_source() -> None:
    """But the version's."""
    text = new().render().decode()
    for family in text_string_to_metric_families(text):
        assert family.documentation
        if family.name.startswith("rowferry_") and family.name != "rowferry_build_info":
            assert all(s.labels["source"] == "clinic" for s in family.samples)
    assert 'rowferry_build_info{version="1.2.3"} 1.0' in text


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
    metrics.error("load")
    metrics.unknown_event(99)
    metrics.reconnect("source")
    metrics.connected("source", True)
    metrics.tables({"stopped": 3})
    assert value(metrics, "replication_lag_seconds") == 1.5
    assert value(metrics, "checkpoint_regressions_total") == 2
    assert value(metrics, "errors_total", kind="load") == 1
    assert value(metrics, "unknown_events_total", type="99") == 1
    assert value(metrics, "reconnects_total", side="source") == 1
    assert value(metrics, "connected", side="source") == 1
    assert value(metrics, "tables", state="stopped") == 3


def test_rows_set_aside_are_counted_and_shown_by_table() -> None:
    """By policy, and how many there are now."""
    metrics = new()
    metrics.set_aside("patient", {"invalid_text": 2})
    metrics.policy_stop("patient", "misfit")
    metrics.quarantine({"patient": 2, "visit": 0})
    assert value(metrics, "quarantined_rows_total", table="patient", reason="invalid_text") == 2
    assert value(metrics, "quarantined_rows_total", table="patient", reason="zero_date") == 0
    assert value(metrics, "policy_stops_total", table="patient", reason="misfit") == 1
    assert value(metrics, "quarantine_rows", table="patient") == 2
    assert value(metrics, "quarantine_rows", table="visit") == 0


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
