"""The book of tables: what is known of each captured table, and what a change at the source does to it.

Holds the decisions, as values: new records and the statements that make them true in Postgres. Only the
loader changes the book; the statements commit together with the checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count

from rowferry.changes import Statement
from rowferry.checkpoint import CopyProgress, TableRecord, TableStatus, save_table
from rowferry.destination import (
    LOAD_ID,
    LOADED_AT,
    columns_of,
    same_type,
)
from rowferry.errors import TableStopped
from rowferry.fitting import make_fit
from rowferry.position import BinlogPosition
from rowferry.standing import Standing
from rowferry.table_schema import TableId, TableSchema

CAPTURED = frozenset({TableStatus.COPYING, TableStatus.STREAMING})


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a table. copy: whether it must be copied from its start. reason: for the log.

    made: whether its destination table is new. policy: that of a column that stopped the table; "" as a rule.
    until: of a doubtful table, the head of the binlog up to which its rows are discarded. delay: seconds
    before its layout is looked up. check: what the record must have become later on. asked: whether a person
    wants the table copied whatever has changed.
    """

    record: TableRecord
    statements: tuple[Statement, ...]
    copy: bool = False
    reason: str = ""
    policy: str = ""
    made: bool = False
    until: BinlogPosition | None = None
    delay: float = 0.0
    check: Check | None = None
    asked: bool = False


@dataclass(slots=True)
class Doubt:
    """A table whose layout is not known: its rows are discarded. Times are monotonic seconds.

    until: the stream must have passed this before the layout is looked up, not before the time not_before.
    asked: whether a person wants the table copied whatever has changed.
    """

    until: BinlogPosition
    since: float
    not_before: float = 0.0
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """What the catalogue said of a table before `until`; there the stream must have made it of the record."""

    seen: TableSchema
    until: BinlogPosition


@dataclass(slots=True)
class TableBook:
    """Records by table, and a number for each copy that was begun, or change made in place (`generation`).

    empty: tables whose destination table was made for the copy that is under way. version: rises whenever a
    table's record was replaced, so that a reader sees that it read an older one. known_at: the binlog's head
    when a table's layout was taken from the catalogue: later rows have that layout, or a DDL statement is
    between.
    """

    dataset: str
    records: dict[TableId, TableRecord] = field(default_factory=dict)
    generations: dict[TableId, int] = field(default_factory=dict)
    empty: set[TableId] = field(default_factory=set)
    version: int = 0
    doubts: dict[TableId, Doubt] = field(default_factory=dict)
    checks: dict[TableId, Check] = field(default_factory=dict)
    known_at: dict[TableId, BinlogPosition] = field(default_factory=dict)
    _numbers: Iterable[int] = field(default_factory=lambda: count(1))

    def captured(self, table: TableId) -> TableRecord | None:
        """The record of a table whose changes are applied; None while it is in doubt."""
        record = self.records.get(table)
        if record is None or record.status not in CAPTURED or table in self.doubts:
            return None
        return record

    def is_transactional(self, table: TableId) -> bool:
        """Whether a rollback undoes changes to the table; true for tables that are not captured."""
        record = self.records.get(table)
        return record is None or record.table.transactional

    def accept(self, decision: Decision) -> None:
        """Make a committed decision the book's truth."""
        table = decision.record.table.id
        self.checks.pop(table, None)
        if decision.check is not None:
            self.checks[table] = decision.check
        if decision.until is not None:
            self._doubt(table, decision.until, decision.delay)
            self.doubts[table].asked |= decision.asked
        before = self.records.get(table)
        self.records[table] = decision.record
        if decision.until is None:
            self.doubts.pop(table, None)
        (self.empty.add if decision.made else self.empty.discard)(table)
        if decision.copy or decision.until is not None or _changed_in_place(before, decision.record):
            self.next_generation(table)
        self.version += 1

    def _doubt(self, table: TableId, until: BinlogPosition, delay: float) -> None:
        now = time.monotonic()
        doubt = self.doubts.setdefault(table, Doubt(until, now))
        doubt.until, doubt.not_before = until, now + delay

    def generation(self, table: TableId) -> int:
        """The number of the table's last copy or change since the start; 0 if there was none."""
        return self.generations.get(table, 0)

    def next_generation(self, table: TableId) -> int:
        """A new number for the table; chunks of an older one are out of date."""
        self.generations[table] = next(iter(self._numbers))
        return self.generations[table]

    def schemas(self) -> list[TableSchema]:
        """The layouts of all tables that have a destination table, named as there."""
        records = self.records.values()
        return [r.table.as_destination() for r in records if r.status is not TableStatus.STOPPED]

    def copy_began(self, table: TableId) -> str:
        """The load id before the first row of the table's copy; "" if it is not being copied."""
        record = self.records.get(table)
        return record.copy.began if record is not None and record.status is TableStatus.COPYING else ""

    def at_destination(self, there: TableId) -> TableId | None:
        """The captured table whose destination table is named so; others may have had the name."""
        named = (t for t, r in self.records.items() if r.table.as_destination().id == there)
        return next((t for t in named if self.captured(t) is not None), None)

    def with_status(self, status: TableStatus) -> list[TableRecord]:
        """The records in that state."""
        return [r for r in self.records.values() if r.status is status]


def _changed_in_place(before: TableRecord | None, after: TableRecord) -> bool:
    """Whether rows that were read to mend the table before may have another layout than it has now."""
    streams = after.status is TableStatus.STREAMING
    return before is not None and streams and before.table != after.table


def adopt(dataset: str, table: TableSchema, standing: Standing, load_id: str) -> Decision:
    """A table to copy from its start: make its destination table, or make the one that stands fit.

    load_id: the last one in use.
    """
    try:
        columns_of(table)
        _require_own(table, standing)
        _require_made_here(table, standing)
        fit = make_fit(dataset, table, standing)
    except TableStopped as error:
        return stop(dataset, TableRecord(table, TableStatus.STOPPED), str(error))
    reason = "from its start, in place" if standing.columns else "new table"
    return replace(_copied(dataset, fit.table, fit.statements, load_id, reason), made=not standing.columns)


def _require_own(table: TableSchema, standing: Standing) -> None:
    """Raise TableStopped for a destination table of somebody else, whose rows a copy would sweep out."""
    there, name, owner = table.there, table.id.name, standing.owner
    if not standing.columns or owner == str(table.id) or (not owner and not table.target):
        return
    raise TableStopped(
        "copy",
        f"table {table.id}",
        reason=f"the destination has a table {there} already, "
        + (f"the copy of {owner}" if owner else "which Rowferry did not make"),
        hint=f"Give tables.rename.{name} another name, or drop {there} in the destination;"
        f" then run `rowferry resync {name}`",
    )


def _require_made_here(table: TableSchema, standing: Standing) -> None:
    """Raise TableStopped for a table of other types that neither says whose it is nor has our columns."""
    if standing.owner or not standing.columns or {LOADED_AT, LOAD_ID} & set(standing.columns):
        return
    for column, kind in columns_of(table):
        found = standing.types.get(column, kind)
        if not same_type(found, kind):
            raise TableStopped(
                "copy",
                f"table {table.id}",
                reason=f"column {column} is {found} in the destination, {kind} is needed, in a table"
                " that Rowferry did not make",
                hint=f'Drop "{table.there}" in the destination, or give tables.rename.{table.id.name} another'
                f" name; then run `rowferry resync {table.id.name}`",
            )


def stop(dataset: str, record: TableRecord, error: str, policy: str = "") -> Decision:
    """The table stops with an error; its rows stay as they are. policy: that of a column that wants it."""
    stopped = replace(record, status=TableStatus.STOPPED, error=error)
    return Decision(stopped, (save_table(dataset, stopped),), reason=error, policy=policy)


def _copied(
    dataset: str, table: TableSchema, ddl: Iterable[Statement], load_id: str, reason: str
) -> Decision:
    record = TableRecord(table, TableStatus.COPYING, CopyProgress(began=load_id))
    return Decision(record, (*ddl, save_table(dataset, record)), copy=True, reason=reason)
