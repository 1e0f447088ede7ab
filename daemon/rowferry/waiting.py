"""`rowferry status --wait-for`: wait until the copy in Postgres has reached a place in the source's binlog.

Looks at the tracking tables again and again; needs no word from the daemon.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from rowferry.checkpoint import TableStatus, has_copy, read_checkpoint
from rowferry.destination import Session, connect, fetch, is_locked, name
from rowferry.errors import RowferryError, UsageError
from rowferry.mysql_catalog import read_configured, selected
from rowferry.mysql_source import connect as connect_source
from rowferry.mysql_source import describe_server, head_position
from rowferry.position import BinlogPosition, GtidSet, MariadbGtidSet, MysqlGtidSet
from rowferry.settings import Settings

NOW: Final = "now"
POLL_SECONDS: Final = 0.2
_FILE_OFFSET: Final = re.compile(r"(?P<file>[^:]+\.\d+):(?P<offset>\d+)")
_FORMS: Final = "write now, FILE:OFFSET as in binlog.000003:4711, or a GTID (UUID:5, or 0-1-5)"


@dataclass(frozen=True, slots=True)
class Target:
    """What is waited for. text: as the user wrote it.

    position: a place in the binlog; its identity is "" if only a name and an offset are known. gtids:
    transactions. One of the two is given. tables: names of tables that must be known by then.
    """

    text: str
    position: BinlogPosition | None = None
    gtids: GtidSet | None = None
    tables: frozenset[str] = frozenset()


def wait_for(settings: Settings, text: str, timeout: float | None, say: Callable[[str], None]) -> None:
    """Return once the position is reached and no selected table is being copied.

    timeout: seconds, None for no limit. say: told once if no daemon is at work. Raises UsageError for a
    position that cannot be, RowferryError when the time is over or a selected table is stopped.
    """
    if timeout is not None and not timeout >= 0:
        raise UsageError("wait", reason="--timeout must be 0 or more seconds")
    target = source_head(settings) if text == NOW else parse_target(text)
    deadline = None if timeout is None else time.monotonic() + timeout
    dataset = settings.destination.dataset
    told = False
    with closing(connect(settings.destination)) as session:
        while lacking := _lacking(settings, session, target):
            if not told and not is_locked(session, dataset):
                say(f"rowferry: no daemon is at work on dataset {dataset}; waiting for one")
                told = True
            if deadline is not None and time.monotonic() >= deadline:
                raise RowferryError(f"wait for {text}", reason=f"{timeout:g} seconds are over; {lacking}")
            time.sleep(POLL_SECONDS)


def parse_target(text: str) -> Target:
    """A position as a user writes it, but for `now`. Raises UsageError."""
    if match := _FILE_OFFSET.fullmatch(text):
        return Target(text, position=BinlogPosition(match["file"], int(match["offset"])))
    for family in (MysqlGtidSet, MariadbGtidSet):
        try:
            gtids = family.parse(text)
        except ValueError:
            continue
        if gtids:
            return Target(text, gtids=gtids)
    raise UsageError("wait", f"position {text}", reason="it is none", hint=f"To say one, {_FORMS}")


def source_head(settings: Settings) -> Target:
    """Where the source's binlog ends at this moment, and the tables that are selected there."""
    with connect_source(settings.source) as control:
        head = head_position(control, describe_server(control))
        tables = frozenset(table.name for table in read_configured(control, settings))
    return Target(NOW, position=head, tables=tables)


def is_reached(target: Target, now: BinlogPosition) -> bool:
    """Whether the copy at `now` holds all that is waited for. Raises UsageError if that cannot be told."""
    wanted = target.position
    if not now.file:  # `resync --all` forgot it
        return False
    if target.gtids is not None:
        return _covers(now.gtid_set, target.gtids, target.text)
    if wanted is None:
        return False
    if not wanted.identity:
        _require_same_name(target.text, wanted.file, now.file)
    elif wanted.identity != now.identity:
        return bool(wanted.gtid_set) and _covers(now.gtid_set, wanted.gtid_set, target.text)
    return now.reached(wanted)


def _covers(found: GtidSet | None, wanted: GtidSet | None, text: str) -> bool:
    if isinstance(found, MysqlGtidSet) and isinstance(wanted, MysqlGtidSet):
        return found.covers(wanted)
    if isinstance(found, MariadbGtidSet) and isinstance(wanted, MariadbGtidSet):
        return found.covers(wanted)
    reason = "the source has no GTIDs" if found is None else f"the source's GTIDs look like {str(found)[:60]}"
    raise UsageError("wait", f"position {text}", reason=reason, hint=f"To say one, {_FORMS}")


def _require_same_name(text: str, wanted: str, now: str) -> None:
    if wanted.rpartition(".")[0] != now.rpartition(".")[0]:
        reason = f"the source's binlog files have names like {now}"
        raise UsageError("wait", f"position {text}", reason=reason)


def _lacking(settings: Settings, session: Session, target: Target) -> str:
    """What is still to come, in words; "" if nothing is. Raises RowferryError if a table is stopped or held.

    The checkpoint is read first: the tables are then at least as far.
    """
    dataset = settings.destination.dataset
    if not has_copy(session, dataset):
        return "nothing was copied yet"
    checkpoint = read_checkpoint(session, dataset)
    states = {t: state for t, state in _states(session, dataset).items() if selected(t, settings.tables)}
    if stopped := _in_state(states, TableStatus.STOPPED):
        raise RowferryError(
            f"wait for {target.text}",
            f"table {', '.join(stopped)}",
            reason="it is stopped and does not go on by itself",
            hint=f"`rowferry status` says why; mend that, then run `rowferry resync {' '.join(stopped)}`",
        )
    if held := _in_state(states, TableStatus.HELD):
        raise RowferryError(
            f"wait for {target.text}",
            f"table {', '.join(held)}",
            reason="its layout changed, and it waits for you (schema.changes)",
            hint=f"Run `rowferry schema apply {' '.join(held)}`",
        )
    if checkpoint is None or not is_reached(target, checkpoint.position):
        place = checkpoint.position if checkpoint and checkpoint.position.file else "no position yet"
        return f"Postgres is at {place}"
    if copying := _in_state(states, TableStatus.COPYING):
        return f"being copied: {', '.join(copying)}"
    if unknown := sorted(target.tables - states.keys()):
        return f"not begun: {', '.join(unknown)}"
    return "" if states else "no table was begun yet"


def _states(session: Session, dataset: str) -> dict[str, TableStatus]:
    sql = f"SELECT table_name, state FROM {name(dataset, '_rowferry_tables')} WHERE %s"
    return {table: TableStatus(state) for table, state in fetch(session, sql, [True])}


def _in_state(states: Mapping[str, TableStatus], status: TableStatus) -> list[str]:
    return sorted(table for table, state in states.items() if state is status)
