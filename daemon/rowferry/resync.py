"""`rowferry resync` with the daemon stopped: mark tables to be copied again from their start.

The copy itself is the run loop's. Destination tables are kept and filled in place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from rowferry.changes import Statement
from rowferry.checkpoint import create_tracking_tables, forget_tables, has_tracking_tables, read_tables
from rowferry.destination import Session, connect, ddl, fetch, name, run_all, take_lock
from rowferry.errors import RowferryError
from rowferry.mysql_source import connect as connect_source
from rowferry.mysql_source import describe_server
from rowferry.preflight import require_source
from rowferry.settings import Settings

_CREATE: Final = re.compile(r'CREATE TABLE IF NOT EXISTS "x"\."(\w+)" \((.*)\)\Z', re.DOTALL)
_COLUMN: Final = re.compile(r"(?:^|,)\s*([a-z_]+) (?:text|bigint|boolean|jsonb|timestamptz)\b")
_LATER: Final = {"copy_ranges", "copy_total"}


def mark_for_copy(settings: Settings, tables: Sequence[str]) -> None:
    """Forget what is known of the tables, so that the next start adopts and copies them.

    tables: names; none means all, and the binlog position with them. Raises LockHeld while a daemon runs.
    """
    dataset = settings.destination.dataset
    with closing(connect(settings.destination)) as session:
        take_lock(session, dataset)
        _require_source(settings)
        if not tables:
            run_all(session, [_drop(dataset, table) for table in altered_tables(session, dataset)])
        if not has_tracking_tables(session, dataset):  # never made, or some of them are gone
            run_all(session, create_tracking_tables(dataset))
        known = [record.table.id.name for record in read_tables(session, dataset).values()]
        statements = [forget_tables(dataset, list(tables or known))]
        if not tables:
            statements.append(_forget_position(dataset))
        run_all(session, statements)


def altered_tables(session: Session, dataset: str) -> list[str]:
    """The tracking tables that lack a column which every version has: nobody can read them any more."""
    found: dict[str, set[str]] = {}
    sql = (
        "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
    )
    for table, column in fetch(session, sql, [dataset]):
        found.setdefault(table, set()).add(column)
    wanted = tracking_columns()
    return [table for table, columns in wanted.items() if table in found and not columns <= found[table]]


def tracking_columns() -> dict[str, set[str]]:
    """The columns of each tracking table, but for those that older versions had not."""
    made = {}
    for statement in create_tracking_tables("x"):
        if match := _CREATE.match(statement.text):
            made[match[1]] = set(_COLUMN.findall(match[2])) - _LATER
    return made


def _drop(dataset: str, table: str) -> Statement:
    """It is made anew, with what depends on it that is Rowferry's own."""
    return ddl(f"DROP TABLE {name(dataset, table)} CASCADE")


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
