"""The applier and the rows that are set aside: what goes into the transaction of a load, and what stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from rowferry.applier import Applied, Applier
from rowferry.batch import (
    ChunkMark,
    ChunkSegment,
    CopyRead,
    KeyRange,
    MicroBatch,
    TableTouched,
    WholeRead,
)
from rowferry.batch_queue import TableFault
from rowferry.book import TableBook
from rowferry.carry import carry
from rowferry.changes import LoadReceipt, LoadRequest, RowKind, Statement
from rowferry.checkpoint import Checkpoint, CopyProgress, TableRecord, TableStatus
from rowferry.copy import select_form
from rowferry.errors import StreamStopped, TableStopped
from rowferry.follower import SourceView
from rowferry.load.faults import TableLoadFailed
from rowferry.quarantine import QuarantineBook
from rowferry.settings import QuarantineSettings
from rowferry.table_schema import TableId, TableSchema
from tests.unit.flow import INT, position, route, table

SCHEMA, OTHER = table(), table(name="visit")
NUL = b"secret\0"
INSERT = RowKind.INSERT
BEGAN = "1700000000.000001"


@dataclass
class Session:
    """Postgres, as far as the book asks: the hashes that were written."""

    hashes: list[tuple[str, str, str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    readings: int = 0

    def execute(self, text: str, parameters: list[Any]) -> Session:
        """Note a statement; each touches the one row that it must."""
        self.done.append(text)
        self.readings += "key_hash" in text and text.startswith("SELECT")
        return self

    rowcount = 1

    def fetchall(self) -> list[tuple[str, str, str]]:
        """The hashes."""
        return self.hashes

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction."""
        yield


@dataclass
class Loader:
    """Notes what is loaded."""

    requests: list[LoadRequest] = field(default_factory=list)

    def warm(self) -> None:
        """It is ready."""

    def publish(self, _: list[TableSchema]) -> None:
        """It is known."""

    def load(self, request: LoadRequest, _: list[TableSchema]) -> LoadReceipt:
        """Load."""
        self.requests.append(request)
        return LoadReceipt(request.load_id, 0.0, 0)


@dataclass
class Bench:
    """An applier of two tables between a session and a loader that only note."""

    applier: Applier
    session: Session
    loader: Loader
    book: TableBook

    def apply(self, batch: MicroBatch) -> Applied:
        """Prepare and apply."""
        return self.applier.apply(self.applier.prepare(batch))

    def statements(self, words: str) -> list[Statement]:
        """Those of the last load that hold the words."""
        return [s for s in self.loader.requests[-1].statements if words in s.text]


def bench(status: TableStatus = TableStatus.STREAMING, max_rows: int = 3, **more: TableRecord) -> Bench:
    """Both tables in that state; a copy began after that load."""
    began = CopyProgress(BEGAN, (KeyRange(),))
    records = {t.id: TableRecord(t, status, began) for t in (SCHEMA, OTHER)}
    book = TableBook("raw", records | {r.table.id: r for r in more.values()})
    for known in book.records:
        book.next_generation(known)
    session, loader = Session(), Loader()
    there: Any = session
    checkpoint = Checkpoint("clinic", "mariadb", position(4), 1, BEGAN)
    quarantine = QuarantineBook(there, "raw", QuarantineSettings(max_rows=max_rows))
    view = SourceView(lambda _: {SCHEMA.id: SCHEMA}, lambda: (), lambda: position(4))
    applier = Applier(there, book, checkpoint, loader, view, lambda _: 0, quarantine)
    return Bench(applier, session, loader, book)


def changes(rows: list[tuple[int, bytes]], *, end: int = 100, also: bool = True) -> MicroBatch:
    """A transaction that inserts these rows, and a good one into the other table."""
    batch = MicroBatch()
    batch.add_rows(route(SCHEMA), INSERT, list(rows), 1)
    if also:
        batch.add_rows(route(OTHER), INSERT, [(1, b"x")], 1)
    batch.end_transaction(position(end), 0)
    return batch


def test_entries_come_and_go_in_the_transaction_of_their_rows() -> None:
    """With the load's own id and position, under the source's name; counted for the observers."""
    at = bench()
    applied = at.apply(changes([(1, NUL), (2, b"x")]))
    [saved] = at.statements('INSERT INTO "raw"."_rowferry_quarantine"')
    assert (saved.parameters[0], saved.parameters[2]) == ("patient", '["1"]')
    assert saved.parameters[7] == at.loader.requests[-1].load_id
    assert saved.parameters[6] == str(position(100))
    assert applied.set_aside == {"patient": {"invalid_text": 1}, "visit": {}}
    assert at.applier.quarantine.counts == {"patient": 1}
    at.apply(changes([(1, b"mended")], end=200))
    [released] = at.statements('DELETE FROM "raw"."_rowferry_quarantine"')
    assert released.parameters == ["patient", [saved.parameters[1]]]
    assert at.applier.quarantine.counts == {}


def test_the_limit_counts_over_all_loads() -> None:
    """The table stops alone; its rows and entries stay; the position moves on."""
    at = bench(max_rows=1)
    at.apply(changes([(1, NUL)]))
    applied = at.apply(changes([(2, NUL), (3, b"x")], end=200))
    [decision] = applied.decisions
    assert (decision.record.table.id, decision.record.status) == (SCHEMA.id, TableStatus.STOPPED)
    assert "max_rows" in decision.record.error
    assert "secret" not in decision.record.error
    assert decision.policy == "invalid_text"
    assert [t.table.id for t in at.loader.requests[-1].tables] == [OTHER.id]
    assert at.statements("_rowferry_quarantine") == []
    assert at.applier.quarantine.counts == {"patient": 1}
    assert at.applier.checkpoint.position == position(200)
    assert at.book.captured(SCHEMA.id) is None


def last_chunk(at: Bench, rows: list[tuple[bytes, bytes]]) -> MicroBatch:
    """The last chunk of the table's copy, and the position up to which it is exact."""
    carried = carry(select_form(SCHEMA), list(rows), QuarantineSettings())
    generation = at.book.generation(SCHEMA.id)
    mark = ChunkMark(SCHEMA.id, generation, None, len(rows), True)
    batch = MicroBatch()
    batch.add_chunk(ChunkSegment(SCHEMA, carried.rows, mark, carried.aside, carried.zero_dates))
    batch.add_mark(CopyRead(SCHEMA.id, generation, position(300)))
    batch.end_transaction(position(300), 0)
    return batch


def test_the_end_of_a_copy_sweeps_rows_and_entries_alike() -> None:
    """Those of before it, each under its own name; then the book reads what is left."""
    renamed = replace(SCHEMA, target="people")
    record = TableRecord(renamed, TableStatus.COPYING, CopyProgress(BEGAN, (KeyRange(),)))
    at = bench(TableStatus.STREAMING, patient=record)
    at.session.hashes = [("patient", "old", "1600000000.000000")]
    at.applier.quarantine.reload()
    before = at.session.readings
    applied = at.apply(last_chunk(at, [(b"1", b"x"), (b"2", NUL)]))
    assert applied.finished == (SCHEMA.id,)
    swept = at.statements('"_dlt_load_id" COLLATE')
    assert [(s.text.split(" WHERE")[0], s.parameters) for s in swept] == [
        ('DELETE FROM "raw"."people"', [BEGAN, at.loader.requests[-1].load_id])
    ]
    [entries] = [s for s in at.statements("_rowferry_quarantine") if "load_id COLLATE" in s.text]
    assert entries.parameters == ["patient", BEGAN]
    assert at.session.readings == before + 1


def test_a_copy_may_set_aside_as_many_rows_as_it_will_sweep() -> None:
    """Entries of before it do not count; those of its own do."""
    at = bench(TableStatus.COPYING, max_rows=1)
    at.session.hashes = [("patient", "old", "1600000000.000000")]
    at.applier.quarantine.reload()
    assert at.apply(changes([(1, NUL)])).decisions == ()
    [decision] = at.apply(changes([(2, NUL)], end=200)).decisions
    assert decision.record.status is TableStatus.STOPPED


def test_a_table_that_postgres_refuses_stops_under_its_own_name() -> None:
    """Though another one, which is stopped, has the name of its destination table."""
    renamed = TableRecord(replace(table(name="odd"), target="even"), TableStatus.STREAMING)
    taken = TableRecord(table(name="even"), TableStatus.STOPPED)
    at = bench(odd=renamed, even=taken)
    error = TableLoadFailed(TableId("clinic", "even"), "42P10")
    [decision] = at.applier.refused(error)
    assert decision.record.table.id == renamed.table.id
    assert "(table clinic.odd)" in decision.record.error
    assert 'drop "even" in the destination' in decision.record.error
    assert "rowferry resync odd" in decision.record.error
    with pytest.raises(StreamStopped, match="not captured"):
        at.applier.refused(error)


BAG = table("a", name="bag", key=(), types={"a": INT})


def whole(at: Bench, rows: list[tuple[bytes]], *, settled: bool, end: int = 100) -> MicroBatch:
    """All rows of the table without a key, as one SELECT saw them."""
    mark = WholeRead(BAG.id, at.book.generation(BAG.id), len(rows), 5_000_000, settled)
    carried = carry(select_form(BAG), list(rows), QuarantineSettings())
    batch = MicroBatch()
    batch.add_chunk(ChunkSegment(BAG, carried.rows, mark))
    batch.end_transaction(position(end), 0)
    return batch


def bag(status: TableStatus) -> Bench:
    """The table without a key, in that state."""
    return bench(bag=TableRecord(BAG, status, CopyProgress(BEGAN)))


def test_a_table_without_a_key_has_the_rows_of_its_last_select_alone() -> None:
    """Whatever was there before goes in the same transaction; it is complete as of that SELECT."""
    at = bag(TableStatus.COPYING)
    applied = at.apply(whole(at, [(b"1",), (b"1",)], settled=True))
    request = at.loader.requests[-1]
    assert [(t.upserts.to_pydict(), t.fresh) for t in request.tables] == [({"a": [1, 1]}, True)]
    [replaced] = at.statements('"_dlt_load_id" <>')
    assert replaced.parameters == [request.load_id]
    assert replaced.text.startswith('DELETE FROM "raw"."bag"')
    assert applied.finished == (BAG.id,)
    assert at.book.records[BAG.id].status is TableStatus.STREAMING


def test_a_table_without_a_key_that_was_touched_meanwhile_is_read_again() -> None:
    """Its rows are shown all the same: they are those of one moment, and complete as of it."""
    at = bag(TableStatus.COPYING)
    applied = at.apply(whole(at, [], settled=False))
    assert (applied.finished, applied.decisions) == ((), ())
    assert at.book.records[BAG.id].status is TableStatus.COPYING
    [dated] = at.statements("SET as_of")
    assert [str(p) for p in dated.parameters] == ["1970-01-01 00:00:05+00:00", "bag"]


@pytest.mark.parametrize("status", [TableStatus.STREAMING, TableStatus.COPYING])
def test_a_change_of_a_table_without_a_key_copies_it_again(status: TableStatus) -> None:
    """Also one that comes in the same batch, behind the rows; a chunk from before it is out of date then."""
    at = bag(status)
    before = at.book.generation(BAG.id)
    batch = whole(at, [(b"1",)], settled=True)
    batch.add_mark(TableTouched(BAG.id))
    applied = at.apply(batch)
    [decision] = applied.decisions
    assert (decision.copy, decision.record.status) == (True, TableStatus.COPYING)
    assert at.book.generation(BAG.id) == before + 1
    assert applied.finished == ()


def test_a_change_of_a_table_without_a_key_that_is_being_copied_is_the_copy_s_business() -> None:
    """It knows by itself what came behind its SELECT."""
    at = bag(TableStatus.COPYING)
    batch = MicroBatch()
    batch.add_mark(TableTouched(BAG.id))
    batch.end_transaction(position(100), 0)
    assert at.apply(batch).decisions == ()


def test_a_fault_of_a_copy_that_was_begun_anew_since_stops_nothing() -> None:
    """It waited behind the barrier at which the new copy began."""
    at = bench(TableStatus.COPYING)
    error = TableStopped("copy", f"table {SCHEMA.id}")
    late = TableFault(SCHEMA.id, error, position(100), final=True, generation=at.book.generation(SCHEMA.id))
    at.book.next_generation(SCHEMA.id)
    assert at.applier.fault(late) == ()
    [decision] = at.applier.fault(replace(late, generation=at.book.generation(SCHEMA.id)))
    assert decision.record.status is TableStatus.STOPPED
