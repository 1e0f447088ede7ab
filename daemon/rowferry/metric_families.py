"""The metrics as a table: name, type, unit in the name, labels, meaning, and which series are there at once.

Pure. docs/metrics shows the same table; a test compares the two with the registry. Base units; timestamps
instead of ages; no position and no message in a label.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal, get_args

from rowferry.daemon_state import State
from rowferry.event_names import EVENT_TYPES

STATES: Final = tuple(each.name for each in get_args(State))
TABLE_STATES: Final = ("copying", "streaming", "held", "stopped", "dropped")
SIDES: Final = ("source", "destination")
STAGES: Final = ("start", "read", "copy", "load", "schema", "monitor", "verify")
"""Where in the daemon's life something failed."""
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
RECONNECTS: Final = (
    ("source", "unreachable"),
    ("source", "schema_moved"),
    ("source", "select_too_long"),
    ("destination", "unreachable"),
    ("destination", "lock"),
    ("destination", "commit_unknown"),
    ("destination", "load"),
)
"""The kinds of errors after which a new attempt can help, and the side that each is about."""
ZERO_DATE_ACTIONS: Final = ("null", "literal", "keep")
POLICIES: Final = ("zero_date", "invalid_text", "misfit")
OPERATIONS: Final = ("insert", "update", "delete")
DIFFERENCES: Final = ("missing", "extra", "different")
BATCH_STAGES: Final = ("decode", "convert", "load", "package", "stage", "merge", "record", "commit")
BATCH_RESULTS: Final = ("committed", "failed")
CHANGE_ACTIONS: Final = ("in_place", "copy", "look", "hold", "stop", "nothing", "settle")
CHANGE_RESULTS: Final = ("done", "copied_again", "waiting", "held", "stopped", "dropped")
NO_EVENT: Final = "0"
"""The type that unknown events keep for no event at all, so that the family is there from the start."""
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ROWS: Final = (1, 10, 100, 1_000, 10_000, 50_000, 100_000, 500_000)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric. name: without the prefix, and without a counter's `_total`.

    labels: beside `source`. series: the values of the labels of those that are there from the start. start:
    what a gauge says before anything is known. buckets: of a histogram.
    """

    kind: Literal["gauge", "counter", "histogram"]
    name: str
    text: str
    labels: tuple[str, ...] = ()
    series: Collection[tuple[str, ...]] = ()
    start: float = 0.0
    buckets: tuple[float, ...] = ()


def _each(*values: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Every combination of the values of some labels."""
    return tuple(product(*values))


def _gauge(
    name: str,
    text: str,
    *labels: str,
    series: Collection[tuple[str, ...]] = (),
    start: float = 0.0,
) -> Family:
    return Family("gauge", name, text, labels, series, start)


def _counter(name: str, text: str, *labels: str, series: Collection[tuple[str, ...]] = ()) -> Family:
    return Family("counter", name, text, labels, series)


GAUGES: Final = (
    _gauge("state", "1 for the state that it is in.", "state", series=_each(STATES)),
    _gauge("connected", "1 while connected.", "side", series=_each(SIDES)),
    _gauge("received_source_timestamp_seconds", "Commit time of the newest transaction that was read."),
    _gauge("applied_source_timestamp_seconds", "Everything up to this source time is committed in Postgres."),
    _gauge(
        "replication_lag_seconds",
        "Source clock now minus what is applied; 0 when caught up.",
        start=math.nan,
    ),
    _gauge("source_clock_offset_seconds", "Source clock minus this machine's."),
    _gauge("checkpoint_timestamp_seconds", "When the checkpoint was last written."),
    _gauge(
        "binlog_backlog_bytes",
        "Bytes of binlog between the checkpoint and the source's head, over all files.",
    ),
    _gauge(
        "binlog_retention_headroom_seconds",
        "Seconds until the source may purge the binlog file of the checkpoint.",
        start=math.nan,
    ),
    _gauge("queue_bytes", "Bytes of row images that wait."),
    _gauge("queue_capacity_bytes", "Most bytes of row images that may wait."),
    _gauge("tables", "Tables by state.", "state", series=_each(TABLE_STATES)),
    _gauge("quarantine_rows", "Rows that are set aside now.", "table"),
    _gauge("copy_read_rows", "Rows that the copies under way have read."),
    _gauge("copy_expected_rows", "Rows that they will have read, as the source estimates."),
    _gauge(
        "copy_remaining_rows",
        "Rows that the copy under way has still to read, as the source estimates.",
        "table",
    ),
    _gauge("verify_mismatched_rows", "Rows that differed when the table was last compared.", "table", "kind"),
    _gauge("verify_last_success_timestamp_seconds", "When the whole table was last found equal.", "table"),
    _gauge("state_dir_bytes", "Bytes of the files in the state directory."),
    _gauge("state_dir_free_bytes", "Bytes that its file system has left.", start=math.nan),
)
COUNTERS: Final = (
    _counter("checkpoint_regressions", "Times that the destination's checkpoint had gone back."),
    _counter("events", "Binlog events that were read.", "type", series=_each(EVENT_TYPES)),
    _counter(
        "unknown_events",
        "Binlog events of a type that is not known; each stops the stream.",
        "type",
        series=((NO_EVENT,),),
    ),
    _counter("rows_applied", "Row changes committed.", "table", "op"),
    _counter("batches", "Batches by result.", "result", series=_each(BATCH_RESULTS)),
    _counter("backpressure_seconds", "Seconds that reading waited for loading."),
    _counter("reconnects", "New attempts, by the error before them.", "side", "reason", series=RECONNECTS),
    _counter("errors", "Errors by where and kind.", "stage", "kind", series=_each(STAGES, ERROR_KINDS)),
    _counter("zero_dates", "Zero dates by what they became.", "table", "action"),
    _counter("quarantined_rows", "Rows that were set aside.", "table", "reason"),
    _counter("policy_stops", "Tables stopped by a column's policy.", "table", "reason"),
    _counter(
        "schema_changes",
        "DDL statements, once for each table touched.",
        "action",
        "result",
        series=_each(CHANGE_ACTIONS, CHANGE_RESULTS),
    ),
    _counter("copy_rows", "Rows copied.", "table"),
    _counter("verify_rows", "Rows compared by the continuous mode.", "table"),
)
HISTOGRAMS: Final = (
    Family(
        "histogram",
        "batch_duration_seconds",
        "Time that a batch spent in a stage.",
        ("stage",),
        _each(BATCH_STAGES),
        buckets=_SECONDS,
    ),
    Family("histogram", "batch_rows", "Row changes in a batch.", buckets=_ROWS),
)
FAMILIES: Final = (*GAUGES, *COUNTERS, *HISTOGRAMS)
TABLE_GAUGES: Final = tuple(family.name for family in GAUGES if "table" in family.labels)
"""Those that would mislead once their table is gone."""
