"""What a commit does to the copies of tables: their progress, their end, and tables without a key.

A table without a key is copied whole, in one load that replaces all its rows. Invariant: its rows are at
every moment those of one SELECT; it streams only while no event has touched it since that SELECT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from rowferry.assemble import Assembled
from rowferry.batch import CopyMark, CopyRead, MicroBatch, RepairMark, TableTouched, WholeRead
from rowferry.book import Decision, TableBook
from rowferry.changes import Statement
from rowferry.checkpoint import (
    CopyProgress,
    TableRecord,
    TableStatus,
    replace_rows,
    save_table,
    set_as_of,
    sweep,
)
from rowferry.fitting import key_again
from rowferry.position import BinlogPosition
from rowferry.quarantine import QuarantineChange, sweep_quarantine
from rowferry.requests import finish_request
from rowferry.table_schema import TableId


@dataclass(slots=True)
class Plan:
    """What a commit is about to do.

    records: of tables that are being copied, as they will be. again: those without a key that changed.
    """

    loads: list[Assembled] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    records: dict[TableId, TableRecord] = field(default_factory=dict)
    again: set[TableId] = field(default_factory=set)
    finished: list[TableId] = field(default_factory=list)
    repaired: list[TableId] = field(default_factory=list)
    quarantine: list[QuarantineChange] = field(default_factory=list)

    def decides(self, table: TableId) -> bool:
        """Whether something else becomes of the table."""
        return any(d.record.table.id == table for d in self.decisions)


class Copies:
    """The heads of the binlog at which copies will be complete. Owned by the run loop."""

    def __init__(self, book: TableBook) -> None:
        """Reads the book."""
        self._book = book
        self._heads: dict[TableId, tuple[int, BinlogPosition]] = {}

    def finishes_at(self, position: BinlogPosition) -> bool:
        """Whether some table's copy is complete once everything up to `position` is applied."""
        return any(
            position.reached(head)
            and self._book.generation(table) == generation
            and self._book.captured(table) is not None
            for table, (generation, head) in self._heads.items()
        )

    def progress(self, batch: MicroBatch, position: BinlogPosition, plan: Plan, load_id: str) -> None:
        """What the marks of a batch say, in their order; then the copies that end with it."""
        for mark, record in self._current(batch, plan):
            dataset = self._book.dataset
            match mark:
                case RepairMark(request=request):
                    if request:
                        plan.repaired.append(mark.table)
                        plan.statements.append(finish_request(dataset, request))
                case TableTouched():
                    if record.status is TableStatus.STREAMING:
                        plan.records[mark.table] = _copied_again(record, load_id)
                        plan.again.add(mark.table)
                case WholeRead():
                    self._whole(mark, record, plan, load_id)
                case _:
                    plan.records[mark.table] = replace(record, copy=record.copy.after(mark))
                    if isinstance(mark, CopyRead):
                        self._heads[mark.table] = (mark.generation, mark.head)
        self._touched(plan)
        self.finish(position, plan, load_id)
        plan.statements += [save_table(self._book.dataset, r) for r in plan.records.values()]

    def _current(self, batch: MicroBatch, plan: Plan) -> Iterator[tuple[CopyMark, TableRecord]]:
        """The marks that are not out of date, each with its table's record as of then."""
        for mark in batch.marks:
            record = plan.records.get(mark.table) or self._book.captured(mark.table)
            if record is None or plan.decides(mark.table):
                continue
            if isinstance(mark, TableTouched) or self._book.generation(mark.table) == mark.generation:
                yield mark, record

    def _whole(self, mark: WholeRead, record: TableRecord, plan: Plan, load_id: str) -> None:
        """The rows of this load are all rows that the table has."""
        dataset, copy = self._book.dataset, CopyProgress(load_id, (), mark.rows, mark.rows)
        status = TableStatus.STREAMING if mark.settled else TableStatus.COPYING
        plan.records[mark.table] = replace(record, status=status, copy=copy)
        replacing = replace_rows(dataset, record.table.there, load_id)
        plan.statements.append(replace(replacing, table=record.table.as_destination()))
        plan.statements.append(set_as_of(dataset, mark.table.name, mark.as_of_us))

    def _touched(self, plan: Plan) -> None:
        """Tables without a key whose state the batch has changed."""
        for table, record in list(plan.records.items()):
            streams = record.status is TableStatus.STREAMING
            if record.table.key or not (streams or table in plan.again):
                continue
            del plan.records[table]
            copying = not streams
            saved = (save_table(self._book.dataset, record),)
            reason = "it changed, and has no key" if copying else "copied"
            plan.decisions.append(Decision(record, saved, copy=copying, reason=reason))
            plan.statements += saved
            if not copying:
                plan.finished.append(table)

    def finish(self, position: BinlogPosition, plan: Plan, load_id: str) -> None:
        """Tables whose copy the stream has caught up with: rows that are gone are swept out."""
        dataset = self._book.dataset
        for table, (generation, head) in self._heads.items():
            if self._book.generation(table) != generation or plan.decides(table):
                continue
            record = plan.records.get(table) or self._book.captured(table)
            if record is None or not position.reached(head):
                continue
            plan.records.pop(table, None)
            finished = replace(record, status=TableStatus.STREAMING)
            plan.finished.append(table)
            plan.decisions.append(Decision(finished, (), reason="copied"))
            blamed = [sweep(dataset, record.table.there, record.copy.began, load_id)]
            blamed += [key_again(dataset, record.table)] if record.table.key else []
            plan.statements += [
                *(replace(statement, table=record.table.as_destination()) for statement in blamed),
                sweep_quarantine(dataset, table.name, record.copy.began),
                save_table(dataset, finished),
            ]

    def accept(self, plan: Plan) -> None:
        """The plan was committed."""
        for table in plan.finished:
            self._heads.pop(table, None)


def _copied_again(record: TableRecord, load_id: str) -> TableRecord:
    return replace(record, status=TableStatus.COPYING, copy=CopyProgress(load_id))
