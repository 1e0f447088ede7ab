"""What the tracking tables say: the checkpoint and every table's state. Works with no daemon running."""

from __future__ import annotations

from typing import Any, Final

from rowferry.checkpoint import NOTHING_COPIED, has_copy
from rowferry.destination import Session, fetch, name
from rowferry.errors import RowferryError

_CHECKPOINT: Final = (
    "source",
    "flavor",
    "binlog_file",
    "binlog_offset",
    "gtid_set",
    "commit_time",
    "applied_until",
    "load_id",
    "epoch",
    "updated_at",
)
_ANY_TABLE: Final = "SELECT 1 FROM {} WHERE %s LIMIT 1"
_TABLE: Final = (
    "table",
    "state",
    "as_of",
    "rows_applied",
    "rows_copied",
    "consistent_since",
    "last_change",
    "error",
    "rows_set_aside",
)


def read_status(session: Session, dataset: str) -> dict[str, Any]:
    """Plain values. Raises RowferryError if nothing was ever copied into the dataset."""
    if not has_copy(session, dataset):
        raise RowferryError(
            "show the status",
            f"dataset {dataset}",
            reason="nothing was copied yet",
            hint=NOTHING_COPIED,
        )
    found = fetch(
        session,
        "SELECT source, flavor, binlog_file, binlog_offset, gtid_set, commit_time, applied_until, load_id,"
        f" epoch, updated_at FROM {name(dataset, '_rowferry_checkpoint')} WHERE %s",
        [True],
    )
    checkpoint = dict(zip(_CHECKPOINT, found[0], strict=True)) if found else None
    rows = fetch(
        session,
        "SELECT t.table_name, t.state, f.as_of, t.rows_applied, t.copy_rows, t.consistent_since,"
        f" t.last_change, t.error, f.rows_set_aside FROM {name(dataset, '_rowferry_tables')} t"
        f" JOIN {name(dataset, '_rowferry_freshness')} f USING (table_name) WHERE %s ORDER BY 1",
        [True],
    )
    if checkpoint is None and fetch(session, _ANY_TABLE.format(name(dataset, "_rowferry_tables")), [True]):
        raise RowferryError(
            "show the status",
            f"dataset {dataset}",
            reason="its checkpoint is gone, so nobody knows which changes its tables lack",
            hint="Run `rowferry resync --all`",
        )
    tables = [dict(zip(_TABLE, row, strict=True)) for row in rows]
    return {"dataset": dataset, "checkpoint": checkpoint, "tables": tables}


def render_status(document: dict[str, Any]) -> str:
    """For people."""
    checkpoint = document["checkpoint"]
    lines = [f"dataset {document['dataset']}"]
    if checkpoint:
        lines.append(f"position {checkpoint['binlog_file']}:{checkpoint['binlog_offset']}")
        lines.append(f"complete as of {_time(checkpoint['applied_until'])} (source time)")
    width = max([5, *(len(t["table"]) for t in document["tables"])])
    lines.append(f"{'table':{width}}  {'state':10}{'rows applied':>14}{'rows copied':>14}  as of")
    for table in document["tables"]:
        lines.append(
            f"{table['table']:{width}}  {table['state']:10}{table['rows_applied']:>14}"
            f"{table['rows_copied']:>14}  {_time(table['as_of'])}"
        )
        if table["rows_set_aside"]:
            rows = table["rows_set_aside"]
            lines.append(f"{'':{width}}    {rows} rows are set aside: `rowferry quarantine list`")
        if table["error"]:
            lines.append(f"{'':{width}}    {table['error']}")
    return "\n".join(lines)


def _time(value: Any) -> str:
    return value.isoformat(sep=" ", timespec="seconds") if value else "-"
