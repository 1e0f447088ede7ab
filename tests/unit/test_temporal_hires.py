"""Temporal storage before MySQL 5.6: digits from the catalogue, ranges, and old beside new columns."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.batch import make_route
from rowferry.changes import TableLayout, WireColumn
from rowferry.convert import ValueNotCarriable, binlog_converter, text_converter
from rowferry.decode import compile_decoder
from rowferry.table_schema import Column, ColumnType, TableId, TableSchema
from rowferry.temporal_hires import with_catalogue
from rowferry.wire_types import OLD_TEMPORAL_BYTES

TABLE = TableId("clinic", "visit")
CODES = {"timestamp": 7, "time": 11, "datetime": 12}
ZERO_SECONDS = 839 * 3600


def column(base: str, fraction: int, name: str = "c") -> Column:
    """A column of the catalogue."""
    return Column(name, ColumnType(base, fraction=fraction))


def converted(base: str, fraction: int, *values: bytes | None) -> list[Any]:
    """What the binlog's values are."""
    wire = WireColumn("c", CODES[base], fraction)
    array = binlog_converter(wire, column(base, fraction))(values).array
    array.validate(full=True)
    found: list[Any] = array.to_pylist()
    return found


def stored(base: str, fraction: int, number: int) -> bytes:
    """A number in as many bytes as the type has."""
    return number.to_bytes(OLD_TEMPORAL_BYTES[CODES[base]][fraction], "big")


def in_text(base: str, fraction: int, *values: bytes | None) -> list[Any]:
    """What SELECT's values are."""
    found: list[Any] = text_converter(column(base, fraction))(values).array.to_pylist()
    return found


@given(st.integers(1, 6), st.lists(st.datetimes(), min_size=1, max_size=5))
def test_datetimes_are_exact(fraction: int, values: list[dt.datetime]) -> None:
    """From year 1 to 9999, months of 32 days."""
    unit = 10 ** (6 - fraction)
    raw, text = [], []
    for value in values:
        days = (value.year * 13 + value.month) * 32 + value.day
        seconds = ((days * 24 + value.hour) * 60 + value.minute) * 60 + value.second
        raw.append(stored("datetime", fraction, seconds * 10**fraction + value.microsecond // unit))
        text.append(value.isoformat(" ", "microseconds")[: 20 + fraction].encode())
    assert converted("datetime", fraction, None, *raw) == in_text("datetime", fraction, None, *text)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.integers(0, 999_999))
def test_timestamps_are_exact(fraction: int, seconds: int, micros: int) -> None:
    """Unsigned seconds; only 0 altogether is no date."""
    unit = 10 ** (6 - fraction)
    size = OLD_TEMPORAL_BYTES[CODES["timestamp"]][fraction] - 4
    raw = seconds.to_bytes(4, "big") + (micros // unit).to_bytes(size, "big")
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(
        seconds=seconds, microseconds=micros // unit * unit
    )
    expected = None if (seconds, micros // unit) == (0, 0) else moment
    assert converted("timestamp", fraction, raw, None) == [expected, None]


@given(st.integers(1, 6), st.integers(-ZERO_SECONDS * 10**6 + 1, ZERO_SECONDS * 10**6 - 1))
def test_times_are_exact(fraction: int, micros: int) -> None:
    """-838:59:59.999999 to 838:59:59.999999."""
    units = abs(micros) // 10 ** (6 - fraction)
    raw = stored("time", fraction, ZERO_SECONDS * 10**fraction + (-units if micros < 0 else units))
    seconds, rest = divmod(units, 10**fraction)
    sign = "-" if micros < 0 and units else ""
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    assert converted("time", fraction, raw, None) == [f"{sign}{clock}.{rest:0{fraction}}", None]


NO_VALUES = [
    ("time", 1, 0),
    ("time", 6, 0),
    ("time", 3, 2 * ZERO_SECONDS * 1000),
    ("time", 6, 2**48 - 1),
    ("timestamp", 1, 1700000000 << 8 | 10),
    ("timestamp", 4, 1700000000 << 16 | 10_000),
    ("timestamp", 6, 1700000000 << 24 | 1_000_000),
    ("datetime", 1, 10_000 * 13 * 32 * 86_400 * 10),
    ("datetime", 6, 10_000 * 13 * 32 * 86_400 * 10**6),
    ("datetime", 6, 2**64 - 1),
]


@pytest.mark.parametrize(("base", "fraction", "number"), NO_VALUES)
def test_what_the_type_cannot_hold_is_refused(base: str, fraction: int, number: int) -> None:
    """By its place, the value untold."""
    good = stored(base, fraction, ZERO_SECONDS * 10**fraction if base == "time" else 0)
    with pytest.raises(ValueNotCarriable, match="column c") as refused:
        converted(base, fraction, None, good, stored(base, fraction, number))
    assert refused.value.index == 2


@pytest.mark.parametrize("base", CODES)
def test_values_of_another_size_are_refused(base: str) -> None:
    """Should the decoder ever hand one on."""
    with pytest.raises(ValueNotCarriable):
        converted(base, 6, b"\0" * 5)


def layout(*columns: WireColumn) -> TableLayout:
    """A layout as the stream names it."""
    return TableLayout(TABLE, columns)


def test_only_old_columns_take_digits_from_the_catalogue() -> None:
    """All others say their own; a layout without old columns is the same object."""
    known = [column("time", 3, "a"), column("datetime", 6, "b"), column("timestamp", 0, "d")]
    old = layout(
        WireColumn("a", 11, 0), WireColumn("b", 18, 2), WireColumn("x", 12, 0), WireColumn("d", 7, 0)
    )
    completed = with_catalogue(old, known)
    assert completed.table == TABLE
    assert [c.metadata for c in completed.columns] == [3, 2, 0, 0]
    assert [c.name for c in completed.columns] == ["a", "b", "x", "d"]
    new = layout(WireColumn("a", 19, 3), WireColumn("b", 3, 0))
    assert with_catalogue(new, known) is new


def test_old_and_new_columns_stand_side_by_side() -> None:
    """Tables of other servers may be mixed; each column has its own size."""
    columns = [column("time", 2, "o"), column("time", 2, "n"), column("datetime", 0, "p")]
    schema = TableSchema(TABLE, (Column("id", ColumnType("int")), *columns), ("id",))
    seen = layout(
        WireColumn("id", 3, 0), WireColumn("o", 11, 0), WireColumn("n", 19, 2), WireColumn("p", 12, 0)
    )
    route = make_route(schema, seen)
    assert route.layout is seen
    half = (ZERO_SECONDS * 100 + 50).to_bytes(4, "big")
    moment = (20240229123456).to_bytes(8, "little")
    image = b"\xf0" + (7).to_bytes(4, "little") + half + b"\x80\x00\x00\x32" + moment
    rows = route.decoder.decode(image * 2, 0, 2 * len(image))
    assert rows == [(7, half, b"\x80\x00\x00\x32", moment)] * 2
    pairs = zip(route.form.converters, rows[0], strict=True)
    values = [convert([v]).array[0].as_py() for convert, v in pairs]
    assert values == [7, "00:00:00.50", "00:00:00.50", dt.datetime(2024, 2, 29, 12, 34, 56)]


def test_sizes_are_those_of_the_server() -> None:
    """A decoder for each number of digits."""
    for code, sizes in OLD_TEMPORAL_BYTES.items():
        for digits, size in enumerate(sizes):
            made = compile_decoder(layout(WireColumn("c", code, digits)))
            assert made.decode(b"\xfe" + bytes(size), 0, 1 + size) == [(bytes(size),)]
