"""The one line of the log for each batch that was committed."""

from __future__ import annotations

from typing import Any, Final

from rowferry.applier import Applied
from rowferry.changes import RowCounts
from rowferry.checkpoint import to_time

MAX_NAMES: Final = 5


def log_batch(log: Any, applied: Applied, lag_seconds: float | None, queue_bytes: int) -> None:
    """Log a batch. log: a structlog logger. queue_bytes: row images that wait behind it."""
    total = sum(applied.tables.values(), RowCounts())
    largest = sorted(applied.tables, key=lambda name: (-applied.tables[name].total, name))
    committed = to_time(applied.commit_time_us)
    log.info(
        "batch_committed",
        load_id=applied.load_id,
        rows=applied.rows,
        inserts=total.inserts,
        updates=total.updates,
        deletes=total.deletes,
        copied=total.copied,
        set_aside=sum(sum(rows.values()) for rows in applied.set_aside.values()),
        transactions=applied.transactions,
        bytes=applied.size,
        tables=len(applied.tables),
        largest=largest[:MAX_NAMES],
        position=str(applied.position),
        commit_time=committed.isoformat() if committed else None,
        lag_seconds=None if lag_seconds is None else round(lag_seconds, 3),
        queue_bytes=queue_bytes,
        seconds={stage: round(seconds, 4) for stage, seconds in applied.stages.items()},
    )
