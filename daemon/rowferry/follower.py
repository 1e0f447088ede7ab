"""Follows the source's schema: decides what each DDL statement does to each table, and settles doubts.

Invariants: no statement that names a captured table is passed over. A table either has exactly the layout
that its next rows have, or it is in doubt and its rows are discarded. A doubt ends by the catalogue of a
moment before which every discarded row was committed, so that the copy that begins then reads what they did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial

from rowferry.actions import TableChange
from rowferry.alterations import read_change
from rowferry.batch_queue import TableFault
from rowferry.book import Check, Decision, TableBook, adopt, stop
from rowferry.changes import SchemaChange, Statement
from rowferry.checkpoint import TableRecord, TableStatus, save_table
from rowferry.ddl import DdlEffect, effect, gist
from rowferry.destination import Session
from rowferry.evolve import evolve
from rowferry.layout_changes import (
    RETRY_SECONDS,
    doubt,
    dropped,
    hold,
    in_place,
    same_layout,
    without_dropped,
)
from rowferry.position import BinlogPosition
from rowferry.schema_log import HELD, WAITING, note_change, settle_changes
from rowferry.settings import SchemaSettings
from rowferry.standing import read_table
from rowferry.table_schema import TableId, TableSchema, diff, with_kept

Catalogue = Callable[[Callable[[str], bool]], Mapping[TableId, TableSchema]]


@dataclass(frozen=True, slots=True)
class SourceView:
    """What is asked of the source.

    catalogue: reads the tables whose names pass, as they are now. names: of all tables, also of those that
    are not selected. head: where the binlog ends now. rules: how changes are followed. folds_names: whether
    the names of tables differ in more than upper and lower case (lower_case_table_names is not 0). is_gone:
    whether a table is surely not there, and not only out of sight.
    """

    catalogue: Catalogue
    names: Callable[[], Collection[str]]
    head: Callable[[], BinlogPosition]
    rules: SchemaSettings = SchemaSettings()
    folds_names: bool = False
    is_gone: Callable[[TableId], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a statement does to one table. decision: None if nothing need be changed."""

    table: TableId
    what: str
    why: str
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a statement for one table. result: what `_rowferry_schema_changes` calls it."""

    table: TableId
    action: str
    why: str
    result: str


class SchemaFollower:
    """See the module. Reads the book; what it decides is committed and accepted by the applier."""

    def __init__(
        self,
        session: Session,
        book: TableBook,
        source: str,
        view: SourceView,
        set_aside: Callable[[], Collection[str]],
    ) -> None:
        """source: name of the source database. set_aside: names of tables with rows that are set aside."""
        self._session = session
        self._book = book
        self._source = source
        self._view = view
        self._rules = view.rules
        self._set_aside = set_aside

    def decide(self, change: SchemaChange, load_id: str) -> list[Verdict]:
        """What a DDL statement does to the tables that it may touch. load_id: the last one in use."""
        touching = effect(change.statement)
        if change.database != self._source and not touching.mentions(self._source):
            return []
        certain = read_change(change.statement)
        if certain is not None and not self._same_name(certain.database or change.database, self._source):
            return []
        touches = self._touches(touching, certain)
        found = self._view.catalogue(touches)
        head = self._view.head()
        known = {t for t in self._book.records if touches(t.name)}
        sure = certain or gist(change.statement)
        made = [self._one(t, found.get(t), sure, head, load_id) for t in sorted(known | set(found))]
        return [verdict for verdict in made if verdict is not None]

    def notes(self, change: SchemaChange, outcomes: Sequence[Outcome]) -> list[Statement]:
        """The rows of `_rowferry_schema_changes`."""
        dataset = self._book.dataset
        return [note_change(dataset, change, o.table.name, o.action, o.why, o.result) for o in outcomes]

    def outcomes(self, verdicts: Sequence[Verdict], made: Sequence[Decision]) -> list[Outcome]:
        """What a statement came to. made: what the verdicts' decisions came to be."""
        became = {d.record.table.id: d for d in made}
        found = []
        for verdict in verdicts:
            decision = became.get(verdict.table)
            idle = HELD if verdict.what == "hold" else "done"
            result, why = (idle, verdict.why) if decision is None else _result(decision)
            what = "stop" if decision is not None and result == "stopped" else verdict.what
            if verdict.table in self._book.doubts:
                result = WAITING
            found.append(Outcome(verdict.table, what, why, result))
        return found

    def fault(self, fault: TableFault, load_id: str) -> Decision | None:
        """What becomes of a table whose rows do not fit: doubt if its layout may explain it, or a stop."""
        record = self._book.captured(fault.table)
        if record is None or fault.generation not in (None, self._book.generation(fault.table)):
            return None
        dataset = self._book.dataset
        now = self._view.catalogue(lambda name: name == fault.table.name).get(fault.table)
        known_at = self._book.known_at.get(fault.table)
        unexplained = known_at is not None and fault.position.reached(known_at)
        if now is not None and same_layout(record.table, now) and (fault.final or unexplained):
            return stop(dataset, record, str(fault.error), fault.error.policy)
        return doubt(dataset, record, self._view.head(), load_id, "its rows have another layout")

    def again(self, table: TableId, load_id: str) -> Decision | None:
        """Copy a table from its start because somebody asked for it; None if the source has no such table."""
        now = self._view.catalogue(lambda name: name == table.name).get(table)
        if now is None:
            return None
        record = self._book.records.get(table) or TableRecord(now, TableStatus.COPYING)
        made = doubt(self._book.dataset, record, self._view.head(), load_id, "it was asked for")
        return replace(made, asked=True)

    def due(self, position: BinlogPosition) -> tuple[TableId, ...]:
        """Doubtful tables whose layout can be looked up now. position: everything up to there is applied."""
        now = time.monotonic()
        ready = [t for t, d in self._book.doubts.items() if d.not_before <= now and position.reached(d.until)]
        rebuilt = self._rebuilt(ready) if ready else set()
        for table in rebuilt:
            self._book.doubts[table].not_before = now + RETRY_SECONDS
        return tuple(t for t in ready if t not in rebuilt)

    def settle(self, tables: Collection[TableId], load_id: str) -> tuple[list[Decision], BinlogPosition]:
        """End doubts by the catalogue of now; with the binlog's head after it was read."""
        names = {t.name for t in tables}
        found = self._view.catalogue(names.__contains__)
        head = self._view.head()
        made = [self._settled(self._book.records[t], found.get(t), load_id) for t in tables]
        return [d for d in made if d is not None], head

    def settle_notes(self, made: Sequence[Decision]) -> list[Statement]:
        """What is written beside the decisions that end doubts."""
        dataset = self._book.dataset
        return [settle_changes(dataset, table, result) for table, result in self.settled(made)]

    @staticmethod
    def settled(made: Sequence[Decision]) -> list[tuple[str, str]]:
        """Names and results of the tables whose doubt has ended."""
        return [(d.record.table.id.name, _result(d)[0]) for d in made if d.until is None]

    def failed_checks(self, position: BinlogPosition, load_id: str) -> list[Decision]:
        """Tables that are not what the catalogue said, now that the stream has passed what led there."""
        passed = {t: c for t, c in self._book.checks.items() if position.reached(c.until)}
        decisions = []
        for table, check in passed.items():
            del self._book.checks[table]
            record = self._book.captured(table)
            if record is not None and not same_layout(record.table, check.seen):
                why = f"the catalogue says: {diff(record.table, check.seen).describe()}"
                decisions.append(doubt(self._book.dataset, record, self._view.head(), load_id, why))
        return decisions

    def _same_name(self, one: str, other: str) -> bool:
        return one == other or (self._view.folds_names and one.lower() == other.lower())

    def _touches(self, touching: DdlEffect, certain: TableChange | None) -> Callable[[str], bool]:
        if certain is None:
            return touching.touches
        return partial(self._same_name, certain.table)

    def _one(
        self,
        table: TableId,
        now: TableSchema | None,
        certain: TableChange | str,
        head: BinlogPosition,
        load_id: str,
    ) -> Verdict | None:
        """certain: the statement as a change of this table, or why its effect is not certain."""
        record, dataset = self._book.records.get(table), self._book.dataset
        if record is None:
            if now is None:
                return None
            fresh = TableRecord(now, TableStatus.COPYING)
            return Verdict(table, "copy", "", doubt(dataset, fresh, head, load_id, "new table"))
        if record.status in (TableStatus.STOPPED, TableStatus.HELD) and now is not None:
            what = "hold" if record.status is TableStatus.HELD else "nothing"
            return Verdict(table, what, f"the table is {record.status.value}")
        if record.status is TableStatus.DROPPED and now is None:
            return Verdict(table, "nothing", "the table is dropped already")
        if (waiting := self._book.doubts.get(table)) is not None:
            waiting.until = head
            return Verdict(table, "copy", "it waits to be copied anyway")
        made = certain if isinstance(certain, str) else self._made_in_place(record, now, certain)
        if isinstance(made, str):
            return Verdict(table, "copy", "", doubt(dataset, record, head, load_id, made))
        return self._checked(made, now, head)

    def _made_in_place(
        self, record: TableRecord, now: TableSchema | None, certain: TableChange
    ) -> Decision | str:
        """The change without a copy, or why it needs one."""
        if record.status is TableStatus.DROPPED:
            return "the table is there again"
        after = evolve(certain, record.table, now)
        if isinstance(after, str):
            return after
        same = same_layout(record.table, after.table)
        copying = record.status is TableStatus.COPYING
        if copying and (after.truncated or not same or _read_otherwise(record.table, after.table, now)):
            return "it is being copied"
        if same and not after.truncated:
            return self._noted(record, after.table)
        if self._rules.changes == "hold" and not same:
            return hold(self._book.dataset, record, diff(record.table, after.table).describe())
        if record.table.id.name in self._set_aside() and not after.truncated:
            return "some of its rows are set aside"
        standing = read_table(self._session, self._book.dataset, record.table.there)
        drop = self._rules.dropped_columns == "drop"
        return in_place(self._book.dataset, record, after, standing, drop_columns=drop)

    def _noted(self, record: TableRecord, after: TableSchema) -> Decision:
        """Nothing changes for the rows; engine and order of columns are kept up to date."""
        changed = replace(record, table=with_kept(record.table, after))
        saved = (save_table(self._book.dataset, changed),)
        return Decision(changed, saved, reason="its columns and rows stay the same")

    @staticmethod
    def _checked(made: Decision, now: TableSchema | None, head: BinlogPosition) -> Verdict:
        """A change that was made in place must be what the catalogue says, at the latest at `head`."""
        table = made.record.table.id
        if made.record.status is TableStatus.HELD:
            return Verdict(table, "hold", made.reason, made)
        if now is not None and not same_layout(made.record.table, now):
            made = replace(made, check=Check(now, head))
        return Verdict(table, "in place", made.reason, made)

    def _settled(self, record: TableRecord, now: TableSchema | None, load_id: str) -> Decision | None:
        dataset, rules, table = self._book.dataset, self._rules, record.table.id
        if now is None:
            standing, gone = read_table(self._session, dataset, record.table.there), self._view.is_gone(table)
            drop = rules.dropped_tables == "drop" and rules.changes != "hold"
            return dropped(dataset, record, standing, gone=gone, drop=drop)
        change = diff(record.table, now)
        if rules.changes == "hold" and not change.empty and not self._book.doubts[table].asked:
            return hold(dataset, record, change.describe())
        standing = read_table(self._session, dataset, now.there)
        made = adopt(dataset, now, standing, load_id)
        if made.copy and rules.dropped_columns == "drop":
            dropping = without_dropped(dataset, record.table, now, standing)
            made = replace(made, statements=(*dropping, *made.statements))
        return made

    def _rebuilt(self, tables: Collection[TableId]) -> set[TableId]:
        """Those that are being rebuilt under another name at this moment."""
        patience = time.monotonic() - self._rules.rebuild_seconds
        patient = [t for t in tables if self._book.doubts[t].since > patience]
        if not patient or not self._rules.rebuild_names:
            return set()
        names = [n.lower() for n in self._view.names()]
        return {t for t in patient if any(self._fits(n, t.name.lower()) for n in names)}

    def _fits(self, name: str, table: str) -> bool:
        globs = (g.lower().replace("{table}", table) for g in self._rules.rebuild_names)
        return any(fnmatchcase(name, glob) for glob in globs)


def _read_otherwise(before: TableSchema, after: TableSchema, now: TableSchema | None) -> bool:
    """Whether a copy reads the table otherwise: SELECTs name the index, the engine tells what they see."""
    indexes = {t.key_index for t in (before, after, now) if t is not None}
    return before.engine != after.engine or len(indexes) > 1


def _result(decision: Decision) -> tuple[str, str]:
    """Of a decision that was committed: what `_rowferry_schema_changes` calls it, and why."""
    status = decision.record.status
    if decision.until is not None:
        return WAITING, decision.reason
    if status in (TableStatus.STOPPED, TableStatus.HELD, TableStatus.DROPPED):
        return status.value, decision.reason
    return ("copied again" if decision.copy else "done"), decision.reason
