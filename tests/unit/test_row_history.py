"""Current rows and history of a system-versioned table: what an event's images do to the former."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.batch import Route, StreamSegment, make_route
from rowferry.changes import RawRow, RowCounts, RowKind, TableLayout, WireColumn
from rowferry.errors import TableStopped
from rowferry.row_history import LAST_MOMENTS, row_history
from rowferry.table_schema import Column, ColumnType, RowEnd, TableSchema
from tests.unit.flow import layout, table

INSERT, UPDATE, DELETE = RowKind.INSERT, RowKind.UPDATE, RowKind.DELETE
TIMESTAMP = ColumnType("timestamp", fraction=6, text="timestamp(6)")
START, THEN, LATER = (n.to_bytes(7, "big") for n in (1, 2, 3))
NARROW, WIDE = LAST_MOMENTS[2038], LAST_MOMENTS[2106]
OLD, NEW = "10.11.18-MariaDB-log", "11.8.6-MariaDB-log"


def period(*names: str) -> tuple[WireColumn, ...]:
    """Columns of TIMESTAMP(6) as the binlog describes them."""
    return tuple(WireColumn(n, 17, 6, nullable=False) for n in names)


def implicit(last_year: int = 2106) -> TableSchema:
    """`patient (id, name)` WITH SYSTEM VERSIONING: the catalogue hides two columns."""
    return replace(table(), row_end=RowEnd("row_end", last_year))


def explicit() -> TableSchema:
    """A table with columns `a` and `b` of its own for the period."""
    columns = (*table().columns, Column("a", TIMESTAMP), Column("b", TIMESTAMP))
    return replace(table(), columns=columns, row_end=RowEnd("b", 2106))


def seen(*names: str, writer: str = NEW) -> TableLayout:
    """The layout of `patient`, with those columns behind."""
    plain = layout(table())
    return TableLayout(plain.table, plain.columns + period(*names), writer=writer)


HIDDEN = seen("row_start", "row_end")


def route(schema: TableSchema | None = None, under: TableLayout = HIDDEN) -> Route:
    """A route of the implicit table, or of another."""
    return make_route(schema or implicit(), under)


def image(key: int, name: bytes, end: bytes = WIDE) -> RawRow:
    """A version of a row."""
    return key, name, START, end


@pytest.mark.parametrize(
    ("kind", "images", "changes"),
    [
        (INSERT, [image(1, b"a")], [(INSERT, [(1, b"a")])]),
        (INSERT, [image(1, b"a", THEN)], []),
        (INSERT, [image(1, b"a", THEN), image(2, b"b")], [(INSERT, [(2, b"b")])]),
        (DELETE, [image(1, b"a")], [(DELETE, [(1, b"a")])]),
        (DELETE, [image(1, b"a", THEN), image(1, b"b", LATER)], []),
        (UPDATE, [image(1, b"a"), image(1, b"b")], [(UPDATE, [(1, b"a"), (1, b"b")])]),
        (UPDATE, [image(1, b"a"), image(2, b"a")], [(UPDATE, [(1, b"a"), (2, b"a")])]),
        (UPDATE, [image(1, b"a"), image(1, b"a", THEN)], [(DELETE, [(1, b"a")])]),
        (UPDATE, [image(1, b"a", THEN), image(1, b"a", LATER)], []),
        (UPDATE, [image(1, b"a", THEN), image(1, b"c")], [(INSERT, [(1, b"c")])]),
        (
            UPDATE,
            [
                image(1, b"a"),
                image(1, b"b"),
                image(2, b"a"),
                image(2, b"a", THEN),
                image(3, b"a"),
                image(3, b"b"),
            ],
            [
                (UPDATE, [(1, b"a"), (1, b"b")]),
                (DELETE, [(2, b"a")]),
                (UPDATE, [(3, b"a"), (3, b"b")]),
            ],
        ),
    ],
)
def test_only_current_rows_change(
    kind: RowKind, images: list[RawRow], changes: list[tuple[RowKind, list[RawRow]]]
) -> None:
    """A life that ends is a delete, one that begins again an insert, and history is nothing."""
    assert route().changes(kind, images) == changes


def test_hidden_columns_are_no_columns_of_the_route() -> None:
    """Wherever they stand: in tables made by old servers they are not the last."""
    names = ("row_start", "row_end", "id", "name")
    columns = {c.name: c for c in HIDDEN.columns}
    turned = TableLayout(HIDDEN.table, tuple(columns[n] for n in names), writer=NEW)
    made = route(under=turned)
    assert made.names == ("id", "name")
    assert made.changes(INSERT, [(START, WIDE, 7, b"x")]) == [(INSERT, [(7, b"x")])]
    assert made.key((7, b"x")) == 7


def test_columns_that_the_catalogue_lists_are_carried() -> None:
    """They are the user's own."""
    made = route(explicit(), seen("a", "b"))
    assert made.names == ("id", "name", "a", "b")
    assert made.changes(INSERT, [image(1, b"a"), image(1, b"z", THEN)]) == [(INSERT, [image(1, b"a")])]


@pytest.mark.parametrize(
    ("last_year", "writer", "end", "lives"),
    [
        (2038, OLD, NARROW, True),
        (2106, NEW, WIDE, True),
        (2106, NEW, NARROW, False),
        (2106, OLD, NARROW, True),
        (2106, "5.5.5-" + OLD, NARROW, True),
        (2106, "11.4.9-MariaDB", NARROW, True),
        (2106, "11.5.1-MariaDB", NARROW, False),
        (2038, NEW, NARROW, True),
        (2038, OLD, WIDE, False),
        (2106, NEW, bytes(7), False),
    ],
)
def test_the_last_moment_is_the_servers(last_year: int, writer: str, end: bytes, lives: bool) -> None:
    """2038 is the end of time in a file written before an upgrade to 11.5, and after it a time like any."""
    made = route(implicit(last_year), seen("row_start", "row_end", writer=writer))
    assert bool(made.changes(INSERT, [image(1, b"a", end)])) is lives


def test_rows_from_before_versioning_are_all_rows() -> None:
    """The catalogue is ahead of the binlog: ALTER TABLE ... ADD SYSTEM VERSIONING comes later."""
    assert row_history(implicit(), seen()) is None
    assert route(under=seen()).changes(DELETE, [(1, b"a")]) == [(DELETE, [(1, b"a")])]
    both = [(1, b"a"), (1, b"b")]
    assert route(under=seen()).changes(UPDATE, both) == [(UPDATE, both)]


@pytest.mark.parametrize("schema", [table(), explicit()])
@pytest.mark.parametrize("end", [NARROW, WIDE])
def test_rows_from_before_versioning_ended_are_told_apart(schema: TableSchema, end: bytes) -> None:
    """And the other way round: ALTER TABLE ... DROP SYSTEM VERSIONING comes later."""
    made = route(schema, seen("row_start", "row_end", writer=OLD))
    assert made.names == ("id", "name")
    assert made.changes(INSERT, [image(1, b"a", THEN)]) == []
    lives = schema.row_end is None or end == NARROW or schema.row_end.last_year == 2106
    assert bool(made.changes(INSERT, [image(1, b"a", end)])) is lives


def test_ordinary_columns_of_those_names_are_ordinary() -> None:
    """The catalogue lists them, and no period."""
    columns = (*table().columns, Column("row_start", TIMESTAMP), Column("row_end", TIMESTAMP))
    made = route(replace(table(), columns=columns))
    assert made.history is None
    assert made.names == ("id", "name", "row_start", "row_end")


def test_a_life_that_ends_in_another_way_stops_the_table() -> None:
    """Never guessed; the message holds names alone."""
    columns = (*layout(table()).columns, *period("row_start"), WireColumn("row_end", 8, 0, unsigned=True))
    with pytest.raises(TableStopped, match="column row_end"):
        route(under=TableLayout(table().id, columns, writer=NEW))


def test_a_start_without_an_end_is_an_unknown_column() -> None:
    """No table of MariaDB looks like that."""
    with pytest.raises(TableStopped, match="no such column"):
        route(table(), seen("row_start"))


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[tuple[RowKind, list[RawRow]]], dict[int, bytes], RowCounts]:
    """Row events as MariaDB writes them, the current rows after them, and what happened to those."""
    now: dict[int, bytes] = {}
    events: list[tuple[RowKind, list[RawRow]]] = []
    counts = RowCounts()
    for _ in range(draw(st.integers(0, 25))):
        key, other, name = draw(st.integers(0, 4)), draw(st.integers(0, 4)), draw(st.binary(max_size=1))
        if key not in now:
            now[key] = name
            events.append((INSERT, [image(key, name)]))
            counts += RowCounts(inserts=1)
        elif draw(st.booleans()) and (other == key or other not in now):
            old = now.pop(key)
            now[other] = name
            events.append((UPDATE, [image(key, old), image(other, name)]))
            events.append((INSERT, [image(key, old, THEN)]))
            counts += RowCounts(updates=1)
        else:
            old = now.pop(key)
            events.append((UPDATE, [image(key, old), image(key, old, THEN)]))
            counts += RowCounts(deletes=1)
        if draw(st.booleans()):
            events.append((DELETE, [image(key, name, THEN)]))
    return events, now, counts


@given(lives())
def test_any_history_leaves_the_current_rows(
    lived: tuple[list[tuple[RowKind, list[RawRow]]], dict[int, bytes], RowCounts],
) -> None:
    """Against a dict that is changed row by row, and counted as it was changed."""
    events, now, counts = lived
    made = route()
    segment = StreamSegment(made)
    for kind, images in events:
        for effect, rows in made.changes(kind, images):
            segment.add(effect, rows)
    upserts, _ = segment.fold()
    assert dict(upserts) == now
    assert segment.counts == counts
