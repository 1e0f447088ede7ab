"""Micro-batches: whatever happened, what is handed on leads from the old rows to the new ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.batch import ChunkMark, MicroBatch, StreamSegment, make_route
from rowferry.changes import RawRow, RowCounts, RowKind, TableLayout, WireColumn
from rowferry.errors import TableStopped
from rowferry.table_schema import ColumnType
from tests.unit.flow import chunk, layout, position, route, table

INSERT, UPDATE, DELETE = RowKind.INSERT, RowKind.UPDATE, RowKind.DELETE
PATIENT = route()

Operation = tuple[RowKind, list[RawRow]]


def folded(*operations: Operation) -> tuple[list[RawRow], list[RawRow]]:
    """Upserts and deletes of a segment with these events."""
    segment = StreamSegment(PATIENT)
    for kind, images in operations:
        segment.add(kind, images)
    return segment.fold()


def test_the_last_change_of_a_key_wins() -> None:
    """By the order of the stream."""
    upserts, deletes = folded(
        (INSERT, [(1, b"a"), (2, b"b")]),
        (UPDATE, [(1, b"a"), (1, b"c"), (2, b"b"), (2, b"d")]),
        (UPDATE, [(1, b"c"), (1, b"e")]),
    )
    assert sorted(upserts) == [(1, b"e"), (2, b"d")]
    assert deletes == []


def test_a_deleted_key_is_only_deleted() -> None:
    """Also if it was inserted in the same batch: an earlier copy of it may be there."""
    assert folded((INSERT, [(1, b"a")]), (DELETE, [(1, b"a")])) == ([], [(1, b"a")])


def test_a_key_that_comes_back_is_only_upserted() -> None:
    """The upsert replaces the old row."""
    assert folded((DELETE, [(1, b"a")]), (INSERT, [(1, b"b")])) == ([(1, b"b")], [])


def test_a_changed_key_is_a_delete_and_an_upsert() -> None:
    """Collapsed to its after-image, it would leave a ghost."""
    assert folded((UPDATE, [(1, b"a"), (2, b"a")])) == ([(2, b"a")], [(1, b"a")])


def test_keys_can_be_swapped() -> None:
    """A to T, B to A, T to B, in one transaction."""
    upserts, deletes = folded((UPDATE, [(1, b"a"), (9, b"a"), (2, b"b"), (1, b"b"), (9, b"a"), (2, b"a")]))
    assert sorted(upserts) == [(1, b"b"), (2, b"a")]
    assert [key for key, _ in deletes] == [9]


def test_one_event_can_change_some_keys_and_not_others() -> None:
    """Each row of an UPDATE by itself."""
    upserts, deletes = folded((UPDATE, [(1, b"a"), (1, b"b"), (2, b"a"), (3, b"b")]))
    assert sorted(upserts) == [(1, b"b"), (3, b"b")]
    assert deletes == [(2, b"a")]


def test_keys_that_the_source_calls_equal_are_two() -> None:
    """'a' to 'A' under a case-insensitive collation: Postgres would keep both."""
    segment = StreamSegment(route(table("id", "name", key=("name",))))
    segment.add(UPDATE, [(1, b"a"), (1, b"A")])
    assert segment.fold() == ([(1, b"A")], [(1, b"a")])


def test_composite_keys_are_compared_as_a_whole() -> None:
    """Not part by part."""
    segment = StreamSegment(route(table("id", "name", "note", key=("name", "id"))))
    segment.add(INSERT, [(1, b"a", b"x"), (1, b"b", b"x"), (2, b"a", b"x")])
    segment.add(DELETE, [(1, b"a", b"x")])
    upserts, deletes = segment.fold()
    assert (sorted(upserts), deletes) == ([(1, b"b", b"x"), (2, b"a", b"x")], [(1, b"a", b"x")])


def test_rows_are_counted_as_they_came() -> None:
    """Before the last change won."""
    segment = StreamSegment(PATIENT)
    segment.add(INSERT, [(1, b"a"), (2, b"a")])
    segment.add(UPDATE, [(1, b"a"), (3, b"a"), (2, b"a"), (2, b"b")])
    segment.add(DELETE, [(3, b"a")])
    assert segment.counts == RowCounts(inserts=2, updates=2, deletes=1)


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[int, bytes], dict[int, bytes], list[Operation]]:
    """Rows before, rows after, and the events between, as a source could write them."""
    keys, values = st.integers(0, 5), st.binary(max_size=1)
    start: dict[int, bytes] = draw(st.dictionaries(keys, values))
    now = dict(start)
    events: list[Operation] = []
    for _ in range(draw(st.integers(0, 25))):
        key, other, value = draw(keys), draw(keys), draw(values)
        if key not in now:
            now[key] = value
            made: Operation = (INSERT, [(key, value)])
        elif draw(st.booleans()) and (other == key or other not in now):
            before = (key, now.pop(key))
            now[other] = value
            made = (UPDATE, [before, (other, value)])
        else:
            made = (DELETE, [(key, now.pop(key))])
        if events and events[-1][0] is made[0] and draw(st.booleans()):
            events[-1][1].extend(made[1])
        else:
            events.append(made)
    return start, now, events


@given(histories())
def test_any_history_comes_out_right(
    history: tuple[dict[int, bytes], dict[int, bytes], list[Operation]],
) -> None:
    """Against a dict that is changed row by row, however the rows were put into events."""
    start, end, events = history
    upserts, deletes = folded(*events)
    keys = [key for key, _ in [*upserts, *deletes]]
    assert len(keys) == len(set(keys)), "each key once"
    rows = {key: value for key, value in start.items() if key not in {k for k, _ in deletes}}
    rows.update(dict(upserts))
    assert rows == end


def test_a_batch_ends_where_its_last_transaction_ends() -> None:
    """The latest commit time counts, whichever clock wrote it."""
    batch = MicroBatch()
    assert batch.empty
    batch.add_rows(PATIENT, INSERT, [(1, b"a")], 10)
    batch.end_transaction(position(100), 5)
    batch.end_transaction(position(200), 3)
    assert (batch.end, batch.commit_time_us, batch.transactions) == (position(200), 5, 2)
    assert (batch.rows, batch.size, batch.empty) == (1, 10, False)


def test_changes_of_one_layout_share_a_segment_until_a_chunk_comes_between() -> None:
    """A chunk stands where it entered."""
    batch = MicroBatch()
    batch.add_rows(PATIENT, INSERT, [(1, b"a")], 10)
    batch.add_rows(PATIENT, INSERT, [(2, b"a")], 10)
    batch.add_chunk(chunk(table(), [(3, "c")]))
    batch.add_rows(PATIENT, INSERT, [(4, b"a")], 10)
    first, middle, last = batch.segments[table().id]
    assert isinstance(first, StreamSegment)
    assert len(first.rows) == 2
    assert not isinstance(middle, StreamSegment)
    assert isinstance(last, StreamSegment)
    [mark] = batch.marks
    assert isinstance(mark, ChunkMark)
    assert mark.rows == 1


def test_another_layout_has_a_segment_of_its_own() -> None:
    """Its values are converted in another way."""
    batch = MicroBatch()
    batch.add_rows(PATIENT, INSERT, [(1, b"a")], 10)
    batch.add_rows(route(), INSERT, [(2, b"a")], 10)
    assert len(batch.segments[table().id]) == 2


def test_an_empty_chunk_still_is_something_to_load() -> None:
    """Its mark says that the copy is done."""
    batch = MicroBatch()
    batch.add_chunk(chunk(table(), [], done=True))
    assert not batch.empty


def test_a_batch_takes_one_set_of_columns_for_each_table() -> None:
    """In any order; another table does not matter."""
    batch = MicroBatch()
    patient = table().id
    assert batch.accepts(patient, ("x",))
    batch.add_rows(PATIENT, INSERT, [(1, b"a")], 10)
    assert batch.accepts(patient, ("id", "name"))
    assert batch.accepts(patient, ("name", "id"))
    assert not batch.accepts(patient, ("id",))
    assert not batch.accepts(patient, ("id", "name", "age"))
    assert batch.accepts(table(name="visit").id, ("x",))
    batch.add_chunk(chunk(table(), [(3, "c")]))
    assert not batch.accepts(patient, ("id",))


def test_columns_are_found_by_name() -> None:
    """Where they stand in the binlog is the event's own business."""
    schema = table("id", "name", "age")
    seen = TableLayout(schema.id, layout(schema).columns[::-1])
    found = make_route(schema, seen)
    assert found.names == ("age", "name", "id")
    assert found.key((b"5", b"x", 1)) == 1
    assert found.form.key_indexes == (2,)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (layout(table("id", "name", "gone")), "no such column"),
        (layout(table("name")), "no key column id"),
        (TableLayout(table().id, (), "without column names"), "without column names"),
        (TableLayout(table().id, (WireColumn("id", 8, 0), WireColumn("name", 15, 160))), "column id"),
    ],
)
def test_a_layout_that_does_not_fit_stops_the_table(seen: TableLayout, reason: str) -> None:
    """A column of another type among them: nothing is guessed."""
    with pytest.raises(TableStopped, match=reason) as caught:
        make_route(table(), seen)
    assert "clinic.patient" in str(caught.value)


def test_a_type_that_cannot_be_carried_stops_the_table() -> None:
    """And not the stream."""
    schema = table("id", "born", types={"born": ColumnType("year", text="year(2)")})
    seen = TableLayout(schema.id, (WireColumn("id", 3, 0, nullable=False), WireColumn("born", 13, 0)))
    with pytest.raises(TableStopped, match=r"born.*year\(2\)"):
        make_route(schema, seen)
