"""`rowferry quarantine list | retry | drop`: look at the rows that are set aside, and deal with them.

`retry` reads them from the source again, with the daemon stopped; what can be carried now is, the rest
stays set aside with its new reason. `drop` forgets entries: their rows stay away from the copy until they
change or their table is copied again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from rowferry.applier import Applier
from rowferry.batch import ChunkSegment, MicroBatch, RepairMark
from rowferry.carry import carry
from rowferry.checkpoint import NOTHING_COPIED, has_copy, read_tables
from rowferry.copy import select_form
from rowferry.destination import connect, run_all
from rowferry.errors import RowferryError
from rowferry.key_sql import rows_select
from rowferry.loading import LazyLoader
from rowferry.mysql_source import connect_for_copy, query
from rowferry.quarantine import Entry, QuarantineBook, key_hash, read_entries, release
from rowferry.resync import unknown_table
from rowferry.settings import Settings
from rowferry.startup import Opened, open_both
from rowferry.table_schema import TableSchema

_KEYS_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of a retry, in rows. gone: they no longer exist at the source."""

    carried: int = 0
    gone: int = 0
    left: int = 0

    def __add__(self, other: Retried) -> Retried:
        """The sum, field by field."""
        return Retried(self.carried + other.carried, self.gone + other.gone, self.left + other.left)


def list_entries(settings: Settings, tables: Collection[str]) -> list[Entry]:
    """The rows that are set aside, of all tables or of some. Raises RowferryError."""
    with closing(connect(settings.destination)) as session:
        if not has_copy(session, settings.destination.dataset):
            raise RowferryError(
                "show the quarantine",
                f"dataset {settings.destination.dataset}",
                reason="nothing was copied yet",
                hint=NOTHING_COPIED,
            )
        known = {r.table.id.name for r in read_tables(session, settings.destination.dataset).values()}
        entries = read_entries(session, settings.destination.dataset, tables)
        if unknown := sorted(set(tables) - known - {e.table for e in entries}):
            raise unknown_table("show the quarantine", unknown[0])
        return entries


def render_entries(entries: Sequence[Entry]) -> str:
    """For people: a line for each row."""
    if not entries:
        return "no rows are set aside"
    lines = []
    for entry in entries:
        key = ", ".join(entry.key)
        since = entry.since.isoformat(sep=" ", timespec="seconds")
        lines.append(f"{entry.table} ({key}): column {entry.column}: {entry.reason}")
        lines.append(f"    since {since}, up to {entry.position}, policy {entry.policy}")
        if entry.values is not None:
            lines.append(f"    {json.dumps(entry.values, ensure_ascii=False)}")
    return "\n".join(lines)


def entries_as_json(entries: Sequence[Entry]) -> str:
    """For programs."""
    rows = [
        {
            "table": e.table,
            "key": list(e.key),
            "column": e.column,
            "policy": e.policy,
            "reason": e.reason,
            "position": e.position,
            "since": e.since.isoformat(),
            "values": e.values,
        }
        for e in entries
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def drop_entries(settings: Settings, tables: Collection[str]) -> int:
    """Forget the entries of some tables, or of all; how many. Raises RowferryError."""
    entries = list_entries(settings, tables)
    dataset = settings.destination.dataset
    hashes: dict[str, list[str]] = {}
    for entry in entries:
        hashes.setdefault(entry.table, []).append(key_hash(entry.key))
    with closing(connect(settings.destination)) as session:
        run_all(session, [release(dataset, table, found) for table, found in hashes.items()])
    return len(entries)


def retry_entries(settings: Settings, tables: Collection[str]) -> Retried:
    """Read the rows again and load what can be carried now. Raises LockHeld while a daemon runs.

    The rows come as of now, before the checkpoint has got there: the caller catches up afterwards.
    """
    entries = list_entries(settings, tables)
    result = Retried()
    with open_both(settings) as opened, closing(LazyLoader(settings)) as loader:
        applier = Applier(
            opened.session,
            opened.book,
            opened.checkpoint,
            loader,
            opened.view,
            lambda _: 0,
            QuarantineBook(opened.session, opened.book.dataset, settings.quarantine),
        )
        for record in list(opened.book.records.values()):
            keys = [e.key for e in entries if e.table == record.table.id.name]
            if keys and opened.book.captured(record.table.id) is not None:
                for start in range(0, len(keys), _KEYS_AT_ONCE):
                    part = keys[start : start + _KEYS_AT_ONCE]
                    result += _retry(settings, opened, applier, record.table, part)
    return result


def _select(table: TableSchema, keys: Sequence[tuple[str, ...]]) -> str:
    try:
        return rows_select(table, keys)
    except ValueError:
        name = table.id.name
        raise RowferryError(
            "read rows again",
            f"table {table.id}",
            reason="its key is another one than when they were set aside",
            hint=f"Run `rowferry resync {name}`, or `rowferry quarantine drop {name}`",
        ) from None


def _retry(
    settings: Settings,
    opened: Opened,
    applier: Applier,
    table: TableSchema,
    keys: Sequence[tuple[str, ...]],
) -> Retried:
    form, select = select_form(table), _select(table, keys)
    with connect_for_copy(settings.source) as connection:
        found = query(connection, select)
    carried = carry(form, found, settings.quarantine)
    mark = RepairMark(table.id, opened.book.next_generation(table.id), len(found))
    batch = MicroBatch()
    batch.segments[table.id] = [ChunkSegment(table, carried.rows, mark, carried.aside, carried.zero_dates)]
    prepared = applier.prepare(batch)
    for error in prepared.failed.values():
        raise error
    applier.apply(prepared)
    gone = set(keys) - {form.key_texts(form.key_of(row)) for row in found}
    run_all(opened.session, [release(opened.book.dataset, table.id.name, map(key_hash, gone))])
    return Retried(carried.rows.num_rows, len(gone), len(carried.aside))
