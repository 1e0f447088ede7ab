"""`rowferry resync` with the daemon stopped: mark tables to be copied again from their start.

The copy itself is the run loop's. Destination tables are kept and filled in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from rowferry.changes import Statement
from rowferry.checkpoint import create_tracking_tables, forget_tables, has_tracking_tables, read_tables
from rowferry.destination import connect, name, run_all, take_lock
from rowferry.errors import RowferryError
from rowferry.mysql_source import connect as connect_source
from rowferry.mysql_source import describe_server
from rowferry.preflight import require_source
from rowferry.settings import Settings


def mark_for_copy(settings: Settings, tables: Sequence[str]) -> None:
    """Forget what is known of the tables, so that the next start adopts and copies them.

    tables: names; none means all, and the binlog position with them. Raises LockHeld while a daemon runs.
    """
    dataset = settings.destination.dataset
    with closing(connect(settings.destination)) as session:
        take_lock(session, dataset)
        _require_source(settings)
        if not has_tracking_tables(session, dataset):  # never made, or some of them are gone
            run_all(session, create_tracking_tables(dataset))
        known = [record.table.id.name for record in read_tables(session, dataset).values()]
        statements = [forget_tables(dataset, list(tables or known))]
        if not tables:
            statements.append(_forget_position(dataset))
        run_all(session, statements)


def _require_source(settings: Settings) -> None:
    """Raise, before anything is forgotten, if the copy could not begin."""
    with connect_source(settings.source) as control:
        require_source(control, describe_server(control), settings)


def unknown_table(operation: str, table: str) -> RowferryError:
    """The error for a name that a command was given and the book does not hold."""
    reason = "it is not among the copied tables"
    return RowferryError(operation, f"table {table}", reason=reason, hint="`rowferry status` lists them")


def _forget_position(dataset: str) -> Statement:
    """The next start takes a new position; epoch and load id go on rising."""
    return Statement(
        f"UPDATE {name(dataset, '_rowferry_checkpoint')} SET binlog_file = %s, binlog_offset = 0", [""]
    )
