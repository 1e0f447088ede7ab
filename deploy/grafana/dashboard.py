"""Prints the Grafana dashboard, whose place is deploy/grafana/dashboards/rowferry.json.

The panels are in the order in which a person needs them: is all well, how far behind, what flows, what is
wrong, what the process takes. Thresholds are those of the alert rules (deploy/prometheus/rowferry.rules.yml).
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from panels import BAD, DATASOURCE, GOOD, WARN, Panel, Row, Step, placed

SCHEMA_VERSION: Final = 39
OF: Final = 'source=~"$source"'
AT_WORK: Final = ' unless on (job, instance) rowferry_state{state="standby"} == 1'
LAG: Final[tuple[Step, ...]] = ((None, GOOD), (60, WARN), (300, BAD))
HEADROOM: Final[tuple[Step, ...]] = ((None, BAD), (21600, WARN), (86400, GOOD))
TICKET: Final[tuple[Step, ...]] = ((None, GOOD), (1, WARN))
PAGE: Final[tuple[Step, ...]] = ((None, GOOD), (1, BAD))


def limit(value: float, colour: str) -> tuple[Step, ...]:
    """Good up to a value."""
    return ((None, GOOD), (value, colour))


def stat(title: str, text: str, query: str, steps: tuple[Step, ...], **more: Any) -> Panel:
    """A number for each source, in the colour of its alert."""
    return Panel(title, text, ((query, "{{source}}"),), steps=steps, kind="stat", height=4, **more)


def lines(title: str, text: str, *queries: tuple[str, str], **more: Any) -> Panel:
    """Curves over time."""
    return Panel(title, text, queries, **more)


def by_source(title: str, text: str, query: str, **more: Any) -> Panel:
    """One curve for each source."""
    return lines(title, text, (query, "{{source}}"), **more)


def by_instance(title: str, text: str, query: str, **more: Any) -> Panel:
    """One curve for each process."""
    return lines(title, text, (query, "{{source}} {{instance}}"), width=6, **more)


def worst(name: str, how: str = "max") -> str:
    """A gauge by source, standbys left out."""
    return f"{how} by (source) (rowferry_{name}{{{OF}}}{AT_WORK})"


def total(name: str, labels: str = "", match: str = "") -> str:
    """A gauge added up by source and labels, standbys left out."""
    return f"sum by (source{labels}) (rowferry_{name}{{{OF}{match}}}{AT_WORK})"


def or_zero(query: str) -> str:
    """0 for each source that answers, where a query has nothing to say."""
    return f"{query} or 0 * max by (source) (rowferry_connected{{{OF}}})"


def rate(name: str, labels: str = "", match: str = "") -> str:
    """A counter's rate a second by source and labels."""
    return f"sum by (source{labels}) (rate(rowferry_{name}{{{OF}{match}}}[$__rate_interval]))"


def rise(name: str, labels: str = "") -> str:
    """How much a counter rose within the time that is shown, where it did."""
    return f"sum by (source{labels}) (increase(rowferry_{name}{{{OF}}}[$__range])) > 0"


def quantile(share: float, metric: str, labels: str = "", match: str = "") -> str:
    """A histogram's quantile."""
    return f"histogram_quantile({share}, {rate(metric + '_bucket', ', le' + labels, match)})"


def age(name: str) -> str:
    """Seconds since a timestamp; nothing while it is not known."""
    return f"time() - ({worst(name)} > 0)"


STATE: Final = Panel(
    "State",
    "Of each instance. `streaming` is the usual one, `copying` while tables are being copied.",
    ((f"max by (source, instance, state) (rowferry_state{{{OF}}}) == 1", "{{source}}: {{state}}"),),
    kind="stat",
    width=6,
    height=4,
    names=True,
)
AT_A_GLANCE: Final = Row(
    "Is all well?",
    (
        STATE,
        stat("Lag", "How old the copy is.", worst("replication_lag_seconds"), LAG, unit="s", width=4),
        stat(
            "Retention headroom",
            "How long until the source may delete changes that are not copied yet.",
            worst("binlog_retention_headroom_seconds", "min"),
            HEADROOM,
            unit="s",
            width=4,
        ),
        stat(
            "Stopped and held tables",
            "They get no newer rows. `rowferry status` says which and why.",
            total("tables", match=',state=~"stopped|held"'),
            TICKET,
            width=4,
        ),
        stat(
            "Quarantine",
            "Rows that cannot be carried. `rowferry quarantine list` names them.",
            or_zero(total("quarantine_rows")),
            TICKET,
            width=3,
        ),
        stat(
            "Differences",
            "Rows that differed when the tables were last compared (verify.continuous).",
            or_zero(total("verify_mismatched_rows")),
            PAGE,
            width=3,
        ),
    ),
)
FRESHNESS: Final = Row(
    "How far behind?",
    (
        by_source(
            "Lag",
            "Source clock now minus what is applied. Dashed: the alerts at 1 and 5 minutes.",
            worst("replication_lag_seconds"),
            unit="s",
            steps=LAG,
            width=12,
        ),
        lines(
            "Received and applied",
            "Age of the newest transaction read, and of the moment up to which all is committed.",
            (age("received_source_timestamp_seconds"), "received, {{source}}"),
            (age("applied_source_timestamp_seconds"), "applied, {{source}}"),
            unit="s",
            width=12,
        ),
        by_source("Backlog", "Binlog that is not copied yet.", worst("binlog_backlog_bytes"), unit="bytes"),
        by_source(
            "Retention headroom",
            "Dashed: the alerts at 6 and 24 hours. No line: the source deletes nothing.",
            worst("binlog_retention_headroom_seconds", "min"),
            unit="s",
            steps=HEADROOM,
        ),
        by_source(
            "Age of the checkpoint",
            "Dashed: where the alert begins if there is a backlog, too.",
            age("checkpoint_timestamp_seconds"),
            unit="s",
            steps=limit(600, BAD),
        ),
    ),
)
FLOW: Final = Row(
    "What flows?",
    (
        lines(
            "Row changes",
            "Committed in Postgres.",
            (rate("rows_applied_total", ", op"), "{{op}}, {{source}}"),
            unit="rowsps",
            stacked=True,
        ),
        lines(
            "Busiest tables",
            "The ten with the most changes.",
            (f"topk(10, {rate('rows_applied_total', ', table')})", "{{table}}, {{source}}"),
            unit="rowsps",
        ),
        lines(
            "Events",
            "Read from the binlog, by type.",
            (f"{rate('events_total', ', type')} > 0", "{{type}}, {{source}}"),
            unit="eps",
        ),
        lines(
            "Time of a batch, 95 of 100",
            "By stage; `load` is the whole of it in Postgres.",
            (quantile(0.95, "batch_duration_seconds", ", stage"), "{{stage}}, {{source}}"),
            unit="s",
        ),
        lines(
            "Time of loading",
            "Half of the batches, 95 and 99 of 100.",
            *(
                (quantile(share, "batch_duration_seconds", match=',stage="load"'), f"{share}, {{{{source}}}}")
                for share in (0.5, 0.95, 0.99)
            ),
            unit="s",
        ),
        lines(
            "Rows of a batch",
            "Half of the batches, and 95 of 100.",
            (quantile(0.5, "batch_rows"), "0.5, {{source}}"),
            (quantile(0.95, "batch_rows"), "0.95, {{source}}"),
        ),
        lines(
            "Batches",
            "By result.",
            (rate("batches_total", ", result"), "{{result}}, {{source}}"),
            unit="ops",
        ),
        by_source(
            "Queue",
            "How full it is. Dashed: the alert at 90 %.",
            f"{worst('queue_bytes')} / ({worst('queue_capacity_bytes')} > 0)",
            unit="percentunit",
            steps=limit(0.9, WARN),
        ),
        by_source(
            "Backpressure",
            "Share of the time in which reading waited for Postgres.",
            rate("backpressure_seconds_total"),
            unit="percentunit",
        ),
    ),
)
COPIES: Final = Row(
    "Copies and changes of tables",
    (
        lines(
            "Rows still to copy",
            "Of tables that are being copied, as the source estimates.",
            (total("copy_remaining_rows", ", table") + " > 0", "{{table}}, {{source}}"),
            width=6,
        ),
        by_source("Rows copied", "A second.", rate("copy_rows_total"), unit="rowsps", width=6),
        lines("Tables", "By state.", (total("tables", ", state"), "{{state}}, {{source}}"), width=6),
        lines(
            "Schema changes",
            "In the time shown, by what was done.",
            (rise("schema_changes_total", ", action, result"), "{{action}} {{result}}, {{source}}"),
            width=6,
        ),
    ),
)
WRONG: Final = Row(
    "What is wrong?",
    (
        lines(
            "Errors",
            "In the time shown, by kind.",
            (rise("errors_total", ", kind"), "{{kind}}, {{source}}"),
        ),
        lines(
            "New attempts",
            "In the time shown, by side and reason.",
            (rise("reconnects_total", ", side, reason"), "{{side}} {{reason}}, {{source}}"),
        ),
        lines(
            "Must stay 0",
            "Unknown events, and checkpoints that went back, since the process started.",
            (f"max by (source) (rowferry_unknown_events_total{{{OF}}})", "unknown events, {{source}}"),
            (f"max by (source) (rowferry_checkpoint_regressions_total{{{OF}}})", "went back, {{source}}"),
            steps=PAGE,
        ),
        lines(
            "Rows that differ",
            "When the table was last compared.",
            (total("verify_mismatched_rows", ", table, kind") + " > 0", "{{table}} {{kind}}, {{source}}"),
            steps=PAGE,
        ),
        by_source(
            "Oldest comparison",
            "Age of the last complete comparison of the table that waits longest. Dashed: the alert.",
            f"time() - min by (source) (rowferry_verify_last_success_timestamp_seconds{{{OF}}} > 0{AT_WORK})",
            unit="s",
            steps=limit(172800, WARN),
        ),
        by_source("Rows compared", "A second.", rate("verify_rows_total"), unit="rowsps"),
        lines(
            "Rows set aside",
            "Now, by table.",
            (total("quarantine_rows", ", table") + " > 0", "{{table}}, {{source}}"),
            steps=TICKET,
        ),
        lines(
            "Zero dates",
            "In the time shown, by what they became.",
            (rise("zero_dates_total", ", action"), "{{action}}, {{source}}"),
        ),
        lines(
            "Policies",
            "In the time shown: rows set aside, and tables stopped.",
            (rise("quarantined_rows_total", ", table, reason"), "set aside {{table}} {{reason}}"),
            (rise("policy_stops_total", ", table, reason"), "stopped {{table}} {{reason}}"),
        ),
    ),
)
MACHINE: Final = Row(
    "Process and machine",
    (
        lines(
            "Connected",
            "1 while connected.",
            (total("connected", ", side"), "{{side}}, {{source}}"),
            width=6,
        ),
        by_source(
            "Clock offset",
            "How far the source's clock and this machine's are apart. Dashed: the alert.",
            f"max by (source) (abs(rowferry_source_clock_offset_seconds{{{OF}}}){AT_WORK})",
            unit="s",
            steps=limit(1, WARN),
            width=6,
        ),
        lines(
            "State directory",
            "What is in it, and what its disk has left.",
            (f"rowferry_state_dir_bytes{{{OF}}}", "used, {{source}} {{instance}}"),
            (f"rowferry_state_dir_free_bytes{{{OF}}}", "free, {{source}} {{instance}}"),
            unit="bytes",
            width=6,
        ),
        by_instance("Memory", "Resident.", f"process_resident_memory_bytes{{{OF}}}", unit="bytes"),
        by_instance(
            "CPU",
            "Cores in use.",
            f"rate(process_cpu_seconds_total{{{OF}}}[$__rate_interval])",
        ),
        by_instance("Open files", "Connections are counted, too.", f"process_open_fds{{{OF}}}"),
        by_instance(
            "Running since", "Age of the process.", f"time() - process_start_time_seconds{{{OF}}}", unit="s"
        ),
        lines(
            "Versions",
            "Of Rowferry and of dlt.",
            (f"rowferry_build_info{{{OF}}}", "{{source}}: {{version}}, dlt {{dlt}}"),
            width=6,
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """The whole of it."""
    choice = {"current": {}, "hide": 0, "includeAll": False, "multi": False, "skipUrlSync": False}
    query = "label_values(rowferry_build_info, source)"
    source = {
        **choice,
        "name": "source",
        "label": "Source",
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"qryType": 1, "query": query, "refId": "source"},
        "refresh": 2,
        "sort": 1,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }
    prometheus = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "uid": "rowferry",
        "title": "Rowferry",
        "description": "The copy of a MySQL or MariaDB database in PostgreSQL.",
        "tags": ["rowferry"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": [{**choice, **prometheus}, source]},
        "panels": list(placed((AT_A_GLANCE, FRESHNESS, FLOW, COPIES, WRONG, MACHINE))),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dashboard(), indent=2) + "\n")
