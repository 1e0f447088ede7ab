"""What the dataset's tracking tables say: who is at work, whether the copy can go on, which tables wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.binlog_files import list_files
from rowferry.checkpoint import TableStatus, has_copy, read_checkpoint
from rowferry.destination import Session, fetch, lock_holder, name
from rowferry.errors import ConfigurationError, PositionLost
from rowferry.findings import DESTINATION, FAILURE, FILE, OK, WARNING, Finding, shorten
from rowferry.mysql_source import SourceServer, purged_gtid_set
from rowferry.position import GtidSet, MysqlGtidSet
from rowferry.settings import Settings
from rowferry.startup import require_same_history

_ALL_AGAIN: Final = "run `rowferry resync --all`"
_HOLDER: Final = """
SELECT coalesce(application_name, ''), coalesce(host(client_addr), 'this machine'),
       to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
FROM pg_stat_activity WHERE pid = %s"""


def lock_finding(session: Session, dataset: str) -> tuple[Finding, bool]:
    """Who holds the dataset's lock, and whether anybody does."""
    pid = lock_holder(session, dataset)
    if pid is None:
        return Finding("lock", OK, "free: no daemon is at work", where=DESTINATION), False
    rows = fetch(session, _HOLDER, [pid])
    program, client, since = rows[0] if rows else ("", "this machine", None)
    began = f" since {since} UTC" if since else ""
    detail = f"a daemon is at work{began} (Postgres process {pid}, {program} from {client})"
    return Finding("lock", OK, detail, where=DESTINATION), True


def table_names_here(session: Session, dataset: str) -> list[str]:
    """The tables that have a record; none before the first copy."""
    if not has_copy(session, dataset):
        return []
    rows = fetch(session, f"SELECT table_name FROM {name(dataset, '_rowferry_tables')} WHERE %s", [True])
    return [str(table) for (table,) in rows]


def check_tables_here(session: Session, dataset: str) -> Iterator[Finding]:
    """Tables that are stopped or held, and rows that are set aside."""
    if not has_copy(session, dataset):
        detail = "nothing was copied yet: the daemon begins when it starts"
        yield Finding("copy", OK, detail, where=DESTINATION)
        return
    states = f"SELECT table_name, state, error FROM {name(dataset, '_rowferry_tables')} WHERE %s ORDER BY 1"
    rows = fetch(session, states, [True])
    stopped = {table: error for table, state, error in rows if state == TableStatus.STOPPED}
    for table, error in stopped.items():
        remedy = f"mend that, then run `rowferry resync {table}`"
        yield Finding(f"stopped table {table}", WARNING, error, remedy, tables=(table,))
    held = tuple(table for table, state, _ in rows if state == TableStatus.HELD)
    if held:
        detail = f"{shorten(held)}: the layout changed, and they wait for you"
        remedy = f"run `rowferry schema {' '.join(held)}`, then `rowferry schema apply {' '.join(held)}`"
        yield Finding("held tables", WARNING, detail, remedy, where=DESTINATION, tables=held)
    yield from _quarantine(session, dataset)
    working = len(rows) - len(stopped) - len(held)
    yield Finding("copy", OK, f"{working} of {len(rows)} known tables go on", where=DESTINATION)


def _quarantine(session: Session, dataset: str) -> Iterator[Finding]:
    aside = fetch(
        session,
        f"SELECT table_name, count(*) FROM {name(dataset, '_rowferry_quarantine')} WHERE %s"
        " GROUP BY 1 ORDER BY 1",
        [True],
    )
    if aside:
        detail = f"{sum(n for _, n in aside)} rows of {shorten([t for t, _ in aside])} are set aside"
        remedy = "run `rowferry quarantine list`; mend the rows in the source"
        yield Finding("quarantine", WARNING, detail, remedy, tables=tuple(t for t, _ in aside))


def check_position(
    session: Session, control: Connection[Any], server: SourceServer, settings: Settings, *, may_ask: bool
) -> Iterator[Finding]:
    """Whether the source still has all that comes behind the checkpoint. may_ask: for its binlog files."""
    dataset = settings.destination.dataset
    if not has_copy(session, dataset):
        return
    checkpoint = read_checkpoint(session, dataset)
    if checkpoint is None:
        if table_names_here(session, dataset):
            detail = "it is gone, so nobody knows which changes the tables lack"
            yield Finding("checkpoint", FAILURE, detail, _ALL_AGAIN, where=DESTINATION)
        return
    position = checkpoint.position
    where = f"{position.file}:{position.offset}"
    if not position.file:
        detail = "forgotten by `rowferry resync --all`: all is copied again"
        yield Finding("checkpoint", OK, detail, where=DESTINATION)
        return
    try:
        require_same_history(checkpoint, control, server, settings.source.database)
    except PositionLost as error:
        yield Finding("checkpoint", FAILURE, f"{where}: {error.reason}", _ALL_AGAIN, where=DESTINATION)
        return
    except ConfigurationError as error:
        yield Finding("checkpoint", FAILURE, error.reason, error.hint, where=FILE)
        return
    lost = _lost(control, server, position.file, position.gtid_set, may_ask)
    if lost:
        yield Finding("checkpoint", FAILURE, f"{where}: {lost}", _ALL_AGAIN, where=DESTINATION)
    else:
        yield Finding("checkpoint", OK, f"{where}: the source still has what follows", where=DESTINATION)


def _lost(
    control: Connection[Any], server: SourceServer, file: str, gtids: GtidSet | None, may_ask: bool
) -> str:
    """Why the stream cannot go on there; "" if it can, or nobody may ask."""
    if server.gtid and isinstance(gtids, MysqlGtidSet) and gtids:
        covered = gtids.covers(purged_gtid_set(control))
        return "" if covered else "the source has purged transactions that are needed"
    if not may_ask or (server.is_mariadb and gtids):
        return ""
    files = {each.name for each in list_files(control)}
    return "" if file in files else f"the source has purged {file}"
