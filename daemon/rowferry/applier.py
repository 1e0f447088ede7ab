"""The loader's side of the queue: loads batches and deals with barriers, in order.

Invariant: the checkpoint moves only in the transaction that makes its rows visible, and never past a
change that was not applied. The book and all counters change only after the commit.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rowferry import failpoints
from rowferry.assemble import Assembled, as_destination, table_load
from rowferry.batch import ChunkSegment, MicroBatch, Segment
from rowferry.batch_queue import TableFault
from rowferry.book import Decision, TableBook, stop
from rowferry.changes import LoadReceipt, LoadRequest, RowCounts, SchemaChange, Statement
from rowferry.checkpoint import (
    Checkpoint,
    count_rows,
    forget_as_of,
    load_metrics,
    save_checkpoint,
)
from rowferry.copies import Copies, Plan
from rowferry.destination import Session, run_all
from rowferry.errors import StreamStopped, TableRefused, TableStopped
from rowferry.follower import SchemaFollower, SourceView
from rowferry.layout_changes import commit
from rowferry.load_ids import LoadIds
from rowferry.position import BinlogPosition
from rowferry.quarantine import QuarantineBook
from rowferry.requests import Request, begin_request, finish_request
from rowferry.table_schema import TableId, TableSchema


class Loads(Protocol):
    """What the applier needs of the loader."""

    def warm(self) -> None:
        """Get ready, which takes a second."""

    def load(self, request: LoadRequest, tables: list[TableSchema]) -> LoadReceipt:
        """Load a request; tables: all layouts, published first if they changed and it is time."""

    def publish(self, tables: list[TableSchema]) -> None:
        """Publish all layouts, if they changed."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one commit did, for observers. stages: seconds by stage.

    zero_dates: by table and action. set_aside: rows, by table and policy. size: bytes of row images.
    """

    position: BinlogPosition
    load_id: str
    commit_time_us: int
    transactions: int
    rows: int
    tables: Mapping[str, RowCounts]
    zero_dates: Mapping[str, Mapping[str, int]]
    set_aside: Mapping[str, Mapping[str, int]]
    stages: Mapping[str, float]
    decisions: tuple[Decision, ...] = ()
    finished: tuple[TableId, ...] = ()
    repaired: tuple[TableId, ...] = ()
    size: int = 0


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch whose rows are columns now; `batch` keeps all but its rows.

    failed: the error of each table that has a row which cannot be carried. seconds: it took so long.
    """

    batch: MicroBatch
    loads: tuple[Assembled, ...]
    failed: Mapping[TableId, TableStopped]
    seconds: float


class Applier:
    """See the module. Not thread-safe: the run loop owns it."""

    def __init__(
        self,
        session: Session,
        book: TableBook,
        checkpoint: Checkpoint,
        loader: Loads,
        view: SourceView,
        applied_until: Callable[[BinlogPosition], int],
        quarantine: QuarantineBook,
    ) -> None:
        """applied_until: source time at a position."""
        self._session = session
        self._book = book
        self.checkpoint = checkpoint
        self._loader = loader
        self._view = view
        self._follower = SchemaFollower(session, book, checkpoint.source, view, lambda: quarantine.counts)
        self._applied_until = applied_until
        self.quarantine = quarantine
        self._ids = LoadIds(checkpoint.load_id)
        self._copies = Copies(book)

    @property
    def last_load_id(self) -> str:
        """The newest load id in use."""
        return self._ids.last

    def prepare(self, batch: MicroBatch) -> PreparedBatch:
        """Turn a batch's rows into columns; the rows are given up table by table, to save memory."""
        clock = time.monotonic()
        loads: list[Assembled] = []
        failed: dict[TableId, TableStopped] = {}
        while batch.segments:
            table, segments = batch.segments.popitem()
            current = [s for s in segments if self._is_current(s)]
            del segments
            if self._book.captured(table) is None or not current:
                continue
            try:
                was_empty = table in self._book.empty
                assembled = table_load(current, self.quarantine.rules, was_empty=was_empty)
                self.quarantine.require_room(assembled, self._book.copy_began(table))
                loads.append(assembled)
            except TableStopped as error:
                failed[table] = error
        return PreparedBatch(batch, tuple(loads), failed, time.monotonic() - clock)

    def apply(self, prepared: PreparedBatch) -> Applied:
        """Load a batch and move the checkpoint. Raises what loads raise; then nothing has changed."""
        started_us = time.time_ns() // 1000
        batch = prepared.batch
        plan = Plan()
        self._select(prepared, plan)
        position = self._advance_to(batch.end)
        load_id = self._ids.next(started_us)
        self._copies.progress(batch, position, plan, load_id)
        moved = replace(
            self.checkpoint, position=position, load_id=load_id, commit_time_us=batch.commit_time_us
        )
        self._record(plan, load_id, started_us, moved)
        plan.statements.append(save_checkpoint(self._book.dataset, moved, self._applied_until(position)))
        stages = {"convert": prepared.seconds, **self._commit(plan, load_id)}
        self.checkpoint = moved
        self._accept(plan)
        return self._applied(batch, plan, load_id, stages)

    def idle(self, position: BinlogPosition) -> Applied:
        """Nothing waits and the stream stands at `position`: finish copies, move the checkpoint."""
        position = self._advance_to(position)
        plan = Plan()
        self._copies.finish(position, plan, self.last_load_id)
        moved = replace(self.checkpoint, position=position, commit_time_us=0)
        plan.statements.append(save_checkpoint(self._book.dataset, moved, self._applied_until(position)))
        run_all(self._session, plan.statements)
        self.checkpoint = moved
        self._accept(plan)
        return self._applied(MicroBatch(), plan, moved.load_id, {})

    def finishes_at(self, position: BinlogPosition) -> bool:
        """Whether some table's copy is complete once everything up to `position` is applied."""
        return self._copies.finishes_at(position)

    def copy_again(self, request: Request) -> tuple[Decision, ...]:
        """Copy a table from its start because somebody asked for it; what became of the table."""
        table = TableId(self.checkpoint.source, request.table)
        decision = self._follower.again(table, self.last_load_id)
        dataset = self._book.dataset
        if decision is None:
            why = "it is not among the selected tables of the source"
            run_all(self._session, [finish_request(dataset, request.number, why)])
            return ()
        begun = [begin_request(dataset, request.number), forget_as_of(dataset, table.name)]
        return self._commit_decisions((decision,), self.checkpoint.position, lambda _: begun)

    def schema_change(self, change: SchemaChange) -> tuple[Decision, ...]:
        """Deal with a DDL statement; what became of the tables that it touched."""
        verdicts = self._follower.decide(change, self.last_load_id)
        decisions = [v.decision for v in verdicts if v.decision is not None]

        def notes(made: Sequence[Decision]) -> list[Statement]:
            return self._follower.notes(change, verdicts, made)

        return self._commit_decisions(decisions, change.end, notes)

    def due(self, position: BinlogPosition) -> tuple[TableId, ...]:
        """Doubtful tables that can be settled now. position: up to which everything is applied."""
        return self._follower.due(position)

    def settle(self, tables: Sequence[TableId]) -> tuple[Decision, ...]:
        """End doubts by the catalogue of now; what became of the tables."""
        decisions, head = self._follower.settle(tables, self.last_load_id)
        position = self.checkpoint.position
        made = self._commit_decisions(decisions, position, self._follower.settle_notes)
        ended = {d.record.table.id for d in made if d.until is None}
        self._book.known_at.update(dict.fromkeys(ended, head))
        return made

    def check(self, position: BinlogPosition) -> tuple[Decision, ...]:
        """Compare what DDL has made of tables with the catalogue; what became of those that differ."""
        decisions = self._follower.failed_checks(position, self.last_load_id)
        return self._commit_decisions(decisions, self.checkpoint.position) if decisions else ()

    def refused(self, error: TableRefused) -> tuple[Decision, ...]:
        """Stop the table whose rows the destination refuses; they stay as of the checkpoint."""
        table = self._book.at_destination(error.table)
        record = self._book.captured(table) if table is not None else None
        if record is None:
            raise StreamStopped("stop a table", f"table {error.table}", reason="it is not captured")
        name = record.table.id.name
        hint = (
            f'None of its rows was loaded: mend or drop "{error.table.name}" in the destination,'
            f" then run `rowferry resync {name}`"
        )
        told = TableStopped(error.operation, f"table {record.table.id}", reason=error.reason, hint=hint)
        return self._commit_decisions(
            (stop(self._book.dataset, record, str(told)),), self.checkpoint.position
        )

    def fault(self, fault: TableFault) -> tuple[Decision, ...]:
        """Deal with a table whose rows do not fit: doubt its layout if that may explain it, else stop it."""
        decision = self._follower.fault(fault, self.last_load_id)
        return self._commit_decisions((decision,), fault.position) if decision is not None else ()

    def _commit_decisions(
        self,
        decisions: Sequence[Decision],
        position: BinlogPosition,
        after: Callable[[Sequence[Decision]], Sequence[Statement]] = lambda _: (),
    ) -> tuple[Decision, ...]:
        dataset = self._book.dataset
        moved = replace(self.checkpoint, position=self._advance_to(position), commit_time_us=0)

        def last(made: Sequence[Decision]) -> list[Statement]:
            return [save_checkpoint(dataset, moved), *after(made)]

        made = commit(self._session, dataset, decisions, last, self._view.head)
        self.checkpoint = moved
        for decision in made:
            self._book.accept(decision)
        if any(d.record.table.id.name in self.quarantine.counts for d in made):
            self.quarantine.reload()
        return made

    def _select(self, prepared: PreparedBatch, plan: Plan) -> None:
        """What of a prepared batch belongs to tables that are still captured."""
        plan.loads += [a for a in prepared.loads if self._book.captured(a.load.table.id) is not None]
        for table, error in prepared.failed.items():
            record = self._book.captured(table)
            if record is not None:
                decision = stop(self._book.dataset, record, str(error), error.policy)
                plan.decisions.append(decision)
                plan.statements += decision.statements

    def _is_current(self, segment: Segment) -> bool:
        if not isinstance(segment, ChunkSegment):
            return True
        return self._book.generation(segment.mark.table) == segment.mark.generation

    def _record(self, plan: Plan, load_id: str, started_us: int, moved: Checkpoint) -> None:
        dataset, position, commit_time_us = self._book.dataset, str(moved.position), moved.commit_time_us
        for assembled in plan.loads:
            table, counts = assembled.load.table.id.name, assembled.load.counts
            plan.statements.append(count_rows(dataset, table, counts, commit_time_us))
            plan.statements.append(load_metrics(dataset, load_id, table, counts, started_us, commit_time_us))
            if (change := self.quarantine.change(assembled, position, load_id)) is not None:
                plan.quarantine.append(change)
                plan.statements += change.statements

    def _commit(self, plan: Plan, load_id: str) -> Mapping[str, float]:
        failpoints.hit("before-load")
        if not plan.loads:
            run_all(self._session, plan.statements)
            return {}
        loads = tuple(as_destination(a.load) for a in plan.loads)
        request = LoadRequest(load_id, loads, tuple(plan.statements))
        receipt = self._loader.load(request, self._book.schemas())
        return {"load": receipt.seconds, **receipt.stages}

    def _accept(self, plan: Plan) -> None:
        self._book.records.update(plan.records)
        for decision in plan.decisions:
            self._book.accept(decision)
        for change in plan.quarantine:
            self.quarantine.accept(change)
        self._copies.accept(plan)
        if plan.finished:
            self.quarantine.reload()

    def _advance_to(self, position: BinlogPosition | None) -> BinlogPosition:
        """The later of the checkpoint and `position`. Raises StreamStopped if it went back."""
        before = self.checkpoint.position
        if position is None or position == before:
            return before
        if position.identity == before.identity and not position.reached(before):
            raise StreamStopped(
                "move the checkpoint", str(position), reason=f"it is before the checkpoint {before}"
            )
        return position

    def _applied(self, batch: MicroBatch, plan: Plan, load_id: str, stages: Mapping[str, float]) -> Applied:
        return Applied(
            position=self.checkpoint.position,
            load_id=load_id,
            commit_time_us=batch.commit_time_us,
            transactions=batch.transactions,
            rows=sum(a.load.counts.total for a in plan.loads),
            tables={a.load.table.id.name: a.load.counts for a in plan.loads},
            zero_dates={a.load.table.id.name: a.zero_dates for a in plan.loads},
            set_aside={a.load.table.id.name: Counter(r.kind for r in a.aside) for a in plan.loads},
            stages=stages,
            decisions=tuple(plan.decisions),
            finished=tuple(plan.finished),
            repaired=tuple(plan.repaired),
            size=batch.size,
        )
