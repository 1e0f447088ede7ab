"""`rowferry resync`: copy tables again, in place; the recovery command.

While a daemon runs, it is asked through `_rowferry_requests`; while none runs, this process takes the lock,
copies, catches up and writes the checkpoint. Destination tables keep their rows until new ones replace them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from rowferry.book import adopt
from rowferry.checkpoint import TableRecord, TableStatus, has_copy, has_tracking_tables, read_tables
from rowferry.copy_read import table_sizes
from rowferry.destination import Session, columns_of, connect, is_locked, same_type
from rowferry.errors import ExitCode, LockHeld, RowferryError, TableStopped, UsageError
from rowferry.mysql_catalog import read_configured
from rowferry.mysql_source import connect as connect_source
from rowferry.mysql_source import connect_for_copy
from rowferry.pipeline import Pipeline
from rowferry.progress import CopyMeter
from rowferry.requests import RESYNC, Request, ask, read_requests
from rowferry.resync import altered_tables, mark_for_copy, unknown_table
from rowferry.settings import Settings
from rowferry.standing import read_table
from rowferry.table_schema import TableSchema
from rowferry.terminal import stderr

_POLL_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 60.0
_ALONE_SECONDS: Final = 45.0
"""Longer than a daemon waits between two attempts."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a resync is about. found: the source's tables, by name. sizes: rows, as the source estimates."""

    names: tuple[str, ...]
    found: Mapping[str, TableSchema]
    known: Mapping[str, TableRecord]
    sizes: Mapping[str, int]

    @property
    def rows(self) -> int:
        """Of all tables together."""
        return sum(self.sizes.get(n, 0) for n in self.names)


def resync(settings: Settings, tables: Sequence[str], *, dry_run: bool, yes: bool) -> ExitCode:
    """Copy tables again; none named means all. Raises RowferryError."""
    dataset = settings.destination.dataset
    with closing(connect(settings.destination)) as session:
        scope = _scope(settings, session, tables)
        running = is_locked(session, dataset)
        if dry_run:
            print(_plan(session, dataset, scope, running=running, everything=not tables))
            return ExitCode.DONE
        if not tables and not yes:
            _confirm(scope)
        if running:
            return _ask(settings, session, scope)
    mark_for_copy(settings, tables)
    return Pipeline(settings, until_caught_up=True, required=tables or None).run()


def apply_changes(settings: Settings, tables: Sequence[str]) -> ExitCode:
    """Let tables go on that wait because their layout changed. Raises RowferryError for any other table."""
    dataset = settings.destination.dataset
    with closing(connect(settings.destination)) as session:
        known = read_tables(session, dataset) if has_copy(session, dataset) else {}
    for name in tables:
        if name not in known:
            raise unknown_table("apply", name)
        if known[name].status is not TableStatus.HELD:
            raise RowferryError(
                "apply a schema change",
                f"table {name}",
                reason=f"nothing waits: it is {known[name].status.value}",
                hint="`rowferry resync` copies a table again",
            )
    return resync(settings, tables, dry_run=False, yes=True)


def _scope(settings: Settings, session: Session, tables: Sequence[str]) -> Scope:
    """Raises RowferryError for a name that neither the source nor the book holds."""
    dataset, database = settings.destination.dataset, settings.source.database
    with connect_source(settings.source) as control:
        found = {t.id.name: t for t in read_configured(control, settings).values()}
    with connect_for_copy(settings.source) as rows:
        sizes = table_sizes(rows, database)
    readable = has_copy(session, dataset) and not altered_tables(session, dataset)
    known = read_tables(session, dataset) if readable else {}
    if unknown := sorted(set(tables) - set(known) - set(found)):
        raise unknown_table("resync", unknown[0])
    return Scope(tuple(tables) or tuple(sorted(found)), found, known, sizes)


def _confirm(scope: Scope) -> None:
    """Ask on a terminal. Raises UsageError without one, or if the answer is not yes."""
    what = f"all {len(scope.names)} tables (about {scope.rows:,} rows) would be copied again"
    if not sys.stdin.isatty():
        raise UsageError("resync", reason=what, hint="Give --yes to go on, or --dry-run to see more")
    print(f"{what[0].upper()}{what[1:]}. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("resync", reason="not confirmed")


def _plan(session: Session, dataset: str, scope: Scope, *, running: bool, everything: bool) -> str:
    lines = [
        "the daemon that runs would be asked to copy:"
        if running
        else "this command would take the lock, copy, catch up with the other tables, and end:"
    ]
    if everything and not running:
        lines.append("(from a new binlog position: the one that is kept would be forgotten)")
    for name in scope.names:
        state = scope.known[name].status.value if name in scope.known else "new"
        lines.append(f"{name} ({state}): {_fate(session, dataset, scope, name)}")
    return "\n".join(lines)


def _fate(session: Session, dataset: str, scope: Scope, name: str) -> str:
    """What would become of a table, decided as the daemon would."""
    table = scope.found.get(name)
    if table is None:
        return "cannot be copied: it is not among the selected tables of the source"
    standing = read_table(session, dataset, table.there)
    decision = adopt(dataset, table, standing, "")
    if not decision.copy:
        return decision.reason
    parts = [f"about {scope.sizes.get(name, 0):,} rows"]
    if not standing.columns:
        return f"{parts[0]}, into a new table"
    if missing := [c.there for c in table.columns if c.there not in standing.columns]:
        parts.append(f"adding column {', '.join(missing)}")
    kinds = columns_of(decision.record.table)
    types = standing.types
    if changed := [c for c, kind in kinds if c in types and not same_type(types[c], kind)]:
        parts.append(f"changing the type of column {', '.join(changed)}")
    if table.key and frozenset(table.as_destination().key) not in standing.keys:
        parts.append("giving it back its key")
    return f"{', '.join(parts)}, in place"


def _ask(settings: Settings, session: Session, scope: Scope) -> ExitCode:
    dataset = settings.destination.dataset
    _wait_for_tables(session, dataset)
    numbers = [ask(session, dataset, RESYNC, name) for name in scope.names]
    print(f"asked the running daemon to copy again: {', '.join(scope.names)}", file=sys.stderr)
    try:
        ended = _follow(settings, session, numbers, scope.sizes)
    except KeyboardInterrupt:
        stderr.progress("")
        print("the daemon goes on with it; `rowferry status` shows how far it is", file=sys.stderr)
        raise
    finally:
        stderr.progress("")
    if failed := [r for r in ended if r.error]:
        text = "; ".join(r.error for r in failed)
        raise TableStopped("copy again", ", ".join(r.table for r in failed), reason=text)
    print("copied, and in step again", file=sys.stderr)
    return ExitCode.DONE


def _wait_for_tables(session: Session, dataset: str) -> None:
    """A daemon whose dataset was dropped makes it anew. Raises RowferryError if none does."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not has_tracking_tables(session, dataset):
        if time.monotonic() > deadline:
            raise LockHeld(
                "resync",
                f"dataset {dataset}",
                reason="another instance holds it, and has made no tracking tables",
                hint="Stop that one first",
            )
        time.sleep(_POLL_SECONDS)


def _follow(
    settings: Settings, session: Session, numbers: Sequence[int], sizes: Mapping[str, int]
) -> list[Request]:
    """Wait until all requests have ended; in this process if the daemon ends before them."""
    dataset = settings.destination.dataset
    meter = CopyMeter()
    tables = {r.table for r in read_requests(session, dataset, numbers)}
    alone = 0
    while True:
        requests = read_requests(session, dataset, numbers)
        if all(r.state in ("done", "failed") for r in requests):
            return requests
        waiting = {r.table for r in requests if r.state == "waiting"}
        copying = [
            (name, 0 if name in waiting else record.copy.rows, sizes.get(name, 0))
            for name, record in read_tables(session, dataset).items()
            if name in waiting or (name in tables and record.status is TableStatus.COPYING)
        ]
        stderr.progress(meter.sample(time.monotonic(), copying).describe())
        alone = 0 if is_locked(session, dataset) else alone + 1
        if alone * _POLL_SECONDS >= _ALONE_SECONDS:
            _take_over(settings)
            return read_requests(session, dataset, numbers)
        time.sleep(_POLL_SECONDS)


def _take_over(settings: Settings) -> None:
    stderr.progress("")
    print("the daemon has ended: going on in its place", file=sys.stderr)
    Pipeline(settings, until_caught_up=True, required=()).run()
