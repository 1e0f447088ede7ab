"""Both ways in to Arrow: the same stored value, as binlog bytes and as SELECT text, is the same array."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.changes import WireColumn
from rowferry.convert import (
    LayoutMismatch,
    ValueNotCarriable,
    binlog_converter,
    select_expression,
    text_converter,
)
from rowferry.table_schema import Column, ColumnType
from rowferry.types import UnsupportedType, destination_type

MICROSECOND = dt.timedelta(microseconds=1)


def column(base: str, **details: Any) -> Column:
    """A column of the catalogue."""
    return Column("c", ColumnType(base, **details))


def wire(
    type_code: int, metadata: int = 0, unsigned: bool = False, collation: int | None = None
) -> WireColumn:
    """A column of the binlog."""
    return WireColumn("c", type_code, metadata, unsigned, True, collation)


def as_arrays(text: Sequence[bytes | None]) -> list[Any]:
    """A column as an array, and as a part of a larger one."""
    around = [b"\xff", *text, b"\0"]
    return [pa.array(text, pa.large_binary()), pa.array(around, pa.large_binary())[1:-1]]


def both(known: Column, seen: WireColumn, raw: Sequence[Any], text: Sequence[bytes | None]) -> list[Any]:
    """What both ways give, after they were found equal."""
    ours, other = binlog_converter(seen, known)(raw), text_converter(known)(text)
    for column in as_arrays(text):
        again = text_converter(known)(column)
        again.array.validate(full=True)
        assert again.array.equals(other.array)
        assert again.zero_dates == other.zero_dates
    for array in (ours.array, other.array):
        array.validate(full=True)
        assert array.type == destination_type(known.type).arrow
    assert ours.array.equals(other.array), (ours.array, other.array)
    assert ours.zero_dates == other.zero_dates
    found: list[Any] = ours.array.to_pylist()
    return found


@pytest.mark.parametrize(
    ("base", "code", "bits"), [("tinyint", 1, 8), ("smallint", 2, 16), ("int", 3, 32), ("bigint", 8, 64)]
)
@pytest.mark.parametrize("unsigned", [False, True])
def test_integers_keep_their_limits(base: str, code: int, bits: int, unsigned: bool) -> None:
    """18446744073709551615 survives."""
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    values = [low, None, 0, high]
    text = [None if v is None else str(v).encode() for v in values]
    assert both(column(base, unsigned=unsigned), wire(code, 0, unsigned), values, text) == values


@pytest.mark.parametrize(
    ("unsigned", "values"), [(False, [-8388608, None, -1, 8388607]), (True, [0, 16777215])]
)
def test_mediumint_is_three_bytes(unsigned: bool, values: list[int | None]) -> None:
    """The decoder hands on its bytes."""
    raw = [None if v is None else v.to_bytes(3, "little", signed=not unsigned) for v in values]
    text = [None if v is None else b"%d" % v for v in values]
    assert both(column("mediumint", unsigned=unsigned), wire(9, 0, unsigned), raw, text) == values


def test_floats_keep_their_bits() -> None:
    """SELECT sends the widened double."""
    doubles = [0.1, -0.0, 5e-324, 1.7976931348623157e308, None]
    text = [None if v is None else repr(v).encode() for v in doubles]
    assert str(both(column("double"), wire(5, 8), doubles, text)) == str(doubles)
    singles = [3.140000104904175, -0.0, 1.401298464324817e-45, 3.4028234663852886e38]
    assert str(both(column("float"), wire(4, 4), singles, [repr(v).encode() for v in singles])) == str(
        singles
    )
    assert select_expression(column("float"), "`c`") == "`c` * 1e0"
    assert select_expression(column("decimal"), "`c`") == "`c`"


def packed_decimal(value: Decimal, precision: int, scale: int) -> bytes:
    """A DECIMAL as MySQL stores it, by way of its digits as text."""
    digits = f"{value.copy_abs():0{precision + 1}.{scale}f}".replace(".", "").rjust(precision, "0")[
        -precision:
    ]
    whole, tail = digits[: precision - scale], digits[precision - scale :]
    sizes = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    head = len(whole) % 9
    groups = [whole[:head], *(whole[i : i + 9] for i in range(head, len(whole), 9))]
    groups += [tail[i : i + 9] for i in range(0, len(tail), 9)]
    data = bytearray(b"".join(int(g).to_bytes(sizes[len(g)], "big") for g in groups if g))
    data[0] ^= 0x80
    return bytes(b ^ 0xFF for b in data) if value < 0 else bytes(data)


@st.composite
def decimals(draw: st.DrawFn) -> tuple[int, int, list[Decimal | None]]:
    """A precision, a scale, and values that fit."""
    precision = draw(st.integers(1, 65))
    scale = draw(st.integers(0, min(30, precision)))
    limit = 10**precision - 1
    numbers = draw(st.lists(st.none() | st.integers(-limit, limit), max_size=5))
    return precision, scale, [None if n is None else scaled(n, scale) for n in numbers]


def scaled(number: int, scale: int) -> Decimal:
    """The number with its point moved, exactly."""
    return Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -scale))


@given(decimals())
def test_decimals_are_exact_up_to_65_digits(case: tuple[int, int, list[Decimal | None]]) -> None:
    """Both storages of Arrow, every packing of digits."""
    precision, scale, values = case
    known = column("decimal", precision=precision, scale=scale)
    raw = [None if v is None else packed_decimal(v, precision, scale) for v in values]
    text = [None if v is None else f"{v:.{scale}f}".encode() for v in values]
    assert both(known, wire(246, precision << 8 | scale), raw, text) == values


def packed_datetime(value: dt.datetime, fraction: int) -> bytes:
    """DATETIME2, from its parts as bits."""
    bits = f"1{value.year * 13 + value.month:017b}{value.day:05b}{value.hour:05b}"
    bits += f"{value.minute:06b}{value.second:06b}"
    return int(bits, 2).to_bytes(5, "big") + packed_fraction(value.microsecond, fraction)


def packed_fraction(micros: int, fraction: int) -> bytes:
    """Two decimal digits a byte, cut to the column's digits."""
    size = (fraction + 1) // 2
    cut = micros // 10 ** (6 - fraction) * 10 ** (6 - fraction)
    return int(cut // 10 ** (6 - 2 * size)).to_bytes(size, "big")


def printed(value: dt.datetime, fraction: int) -> bytes:
    """A moment as SELECT prints it."""
    tail = f".{value.microsecond:06}"[: fraction + 1] if fraction else ""
    return (value.replace(microsecond=0, tzinfo=None).isoformat(" ") + tail).encode()


def cut(value: dt.datetime, fraction: int) -> dt.datetime:
    """The moment to that many digits."""
    step = 10 ** (6 - fraction)
    return value.replace(microsecond=value.microsecond // step * step)


@given(st.integers(0, 6), st.lists(st.none() | st.datetimes(), max_size=6))
def test_datetimes_are_exact_from_year_1_to_9999(fraction: int, values: list[dt.datetime | None]) -> None:
    """Wall time as stored, never shifted; 0001-01-01 stays itself."""
    expected = [None if v is None else cut(v, fraction) for v in values]
    raw = [None if v is None else packed_datetime(v, fraction) for v in values]
    text = [None if v is None else printed(cut(v, fraction), fraction) for v in values]
    known = column("datetime", fraction=fraction)
    assert both(known, wire(18, fraction), raw, text) == expected
    if fraction == 0:
        old = [None if v is None else int(v.strftime("%Y%m%d%H%M%S")).to_bytes(8, "little") for v in values]
        assert both(known, wire(12), old, text) == expected


@given(st.integers(0, 6), st.lists(st.none() | st.integers(1, 2**32 * 10**6 - 1), max_size=6))
def test_timestamps_are_unsigned(fraction: int, values: list[int | None]) -> None:
    """MariaDB 11.5 and later reach 2106."""
    step = 10 ** (6 - fraction)
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    whole = [None if v is None else max(v // step * step, step) for v in values]
    expected = [None if v is None else epoch + v * MICROSECOND for v in whole]
    raw = [
        None if v is None else (v // 10**6).to_bytes(4, "big") + packed_fraction(v % 10**6, fraction)
        for v in whole
    ]
    text = [None if v is None else printed(v, fraction) for v in expected]
    known = column("timestamp", fraction=fraction)
    assert both(known, wire(17, fraction), raw, text) == expected
    if fraction == 0:
        old = [None if v is None else (v // 10**6).to_bytes(4, "little") for v in whole]
        assert both(known, wire(7), old, text) == expected


@given(st.lists(st.none() | st.dates(), max_size=8))
def test_dates_are_exact(values: list[dt.date | None]) -> None:
    """From 0001-01-01 to 9999-12-31."""
    raw = [None if v is None else (v.day | v.month << 5 | v.year << 9).to_bytes(3, "little") for v in values]
    text = [None if v is None else v.isoformat().encode() for v in values]
    assert both(column("date"), wire(10), raw, text) == values


ZERO_DATES = [(0, 0, 0), (2024, 0, 10), (2024, 5, 0), (0, 1, 1), (2024, 2, 31), (2023, 2, 29), (1900, 2, 29)]


def test_what_is_no_date_becomes_null_and_is_counted() -> None:
    """Zero dates, partly zero dates, days that no month has, and the year 0."""
    dates = [*ZERO_DATES, (2024, 2, 29)]
    raw = [*((d | m << 5 | y << 9).to_bytes(3, "little") for y, m, d in dates), None]
    text = [*(f"{y:04}-{m:02}-{d:02}".encode() for y, m, d in dates), None]
    assert both(column("date"), wire(10), raw, text) == [None] * 7 + [dt.date(2024, 2, 29), None]
    assert binlog_converter(wire(10), column("date"))(raw).zero_dates == 7
    moments = [int(f"1{y * 13 + m:017b}{d:05b}{0:017b}", 2).to_bytes(5, "big") for y, m, d in dates]
    stamps = [f"{y:04}-{m:02}-{d:02} 00:00:00".encode() for y, m, d in dates]
    known = column("datetime")
    assert both(known, wire(18), moments, stamps) == [None] * 7 + [dt.datetime(2024, 2, 29)]
    old = [(y * 10**10 + m * 10**8 + d * 10**6).to_bytes(8, "little") for y, m, d in dates]
    assert both(known, wire(12), old, stamps) == [None] * 7 + [dt.datetime(2024, 2, 29)]


def test_a_timestamp_of_zero_is_null_and_counted() -> None:
    """Not 1970-01-01."""
    known = column("timestamp", fraction=2)
    raw, text = [bytes(5), None], [b"0000-00-00 00:00:00.00", None]
    assert both(known, wire(17, 2), raw, text) == [None, None]
    assert text_converter(known)(text).zero_dates == 1


@given(st.integers(0, 6), st.lists(st.none() | st.integers(-3020399 * 10**6, 3020399 * 10**6), max_size=8))
def test_times_keep_sign_hours_and_fraction(fraction: int, values: list[int | None]) -> None:
    """-00:00:00.5 is negative though its hours are not; 838 hours fit."""
    step = 10 ** (6 - fraction)
    whole = [None if v is None else int(v / step) * step for v in values]
    size = (fraction + 1) // 2
    known = column("time", fraction=fraction)
    text = [None if v is None else time_text(v, fraction) for v in whole]
    raw = [None if v is None else packed_time(v, size) for v in whole]
    expected = [None if t is None else t.decode() for t in text]
    assert both(known, wire(19, fraction), raw, text) == expected
    if fraction == 0:
        old = [None if v is None else old_time(v // step if v >= 0 else -(-v // step)) for v in whole]
        assert both(known, wire(11), old, text) == expected


def time_text(micros: int, fraction: int) -> bytes:
    """A TIME as the server prints it."""
    seconds, rest = divmod(abs(micros), 10**6)
    tail = f".{rest:06}"[: fraction + 1] if fraction else ""
    sign = "-" if micros < 0 else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{tail}".encode()


def packed_time(micros: int, size: int) -> bytes:
    """TIME2: the excess-coded integer over time and fraction."""
    seconds, rest = divmod(abs(micros), 10**6)
    number = (seconds // 3600 << 12 | seconds // 60 % 60 << 6 | seconds % 60) << 8 * size
    number |= rest // 10 ** (6 - 2 * size)
    zero = 0x800000 << 8 * size
    return int(zero + (-number if micros < 0 else number)).to_bytes(3 + size, "big")


def old_time(seconds: int) -> bytes:
    """TIME before 5.6."""
    size = abs(seconds)
    number = size // 3600 * 10000 + size // 60 % 60 * 100 + size % 60
    return (-number if seconds < 0 else number).to_bytes(3, "little", signed=True)


def test_the_sentinel_of_a_clock_event_keeps_its_sign() -> None:
    """OpenDental's -01:00:00 means no override."""
    old = struct.pack("<i", -10000)[:3]
    assert both(column("time"), wire(11), [old], [b"-01:00:00"]) == ["-01:00:00"]


def test_text_and_bytes_go_their_own_ways() -> None:
    """BINARY is padded, VARBINARY is not; '' stays ''."""
    known = column("varchar", length=9, charset="latin1")
    assert both(known, wire(15, 9, collation=8), [b"\x80", b"", None], [b"\x80", b"", None]) == [
        "€",
        "",
        None,
    ]
    known = column("binary", length=4)
    raw, text = [b"\xab", b"", None], [b"\xab\0\0\0", bytes(4), None]
    assert both(known, wire(254, 4, collation=63), raw, text) == [b"\xab\0\0\0", bytes(4), None]
    values = [b"\0\xff", b"", None]
    assert both(column("varbinary", length=9), wire(15, 9, collation=63), values, values) == values
    assert both(column("mediumblob"), wire(252, 3, collation=63), values, values) == values


def test_the_events_charset_decides() -> None:
    """Bytes from before ALTER ... CHARACTER SET are in the old one."""
    known = column("text", charset="utf8mb4")
    assert binlog_converter(wire(252, 2, collation=8), known)([b"Zo\xeb"]).array.to_pylist() == ["Zoë"]


@pytest.mark.parametrize(
    ("seen", "known"),
    [
        (wire(3), column("bigint")),
        (wire(8), column("int")),
        (wire(3, 0, True), column("int")),
        (wire(3), column("int", unsigned=True)),
        (wire(252, 2, collation=63), column("text", charset="utf8mb4")),
        (wire(252, 2, collation=45), column("blob")),
        (wire(15, 9, collation=63), column("varchar", length=9, charset="utf8mb4")),
        (wire(15, 9, collation=45), column("varbinary", length=9)),
        (wire(254, 4, collation=63), column("binary", length=5)),
        (wire(254, 4, collation=45), column("varchar", length=4, charset="utf8mb4")),
        (wire(252, 2, collation=45), column("varchar", length=4, charset="utf8mb4")),
        (wire(246, 10 << 8 | 2), column("decimal", precision=10, scale=3)),
        (wire(246, 10 << 8 | 2), column("decimal", precision=12, scale=2)),
        (wire(5, 8), column("float")),
        (wire(4, 4), column("double")),
        (wire(10), column("datetime")),
        (wire(18, 3), column("datetime")),
        (wire(18), column("datetime", fraction=6)),
        (wire(18), column("timestamp")),
        (wire(17), column("datetime")),
        (wire(12), column("datetime", fraction=3)),
        (wire(11), column("time", fraction=1)),
        (wire(7), column("timestamp", fraction=6)),
        (wire(247, 1), column("varchar", length=4, charset="utf8mb4")),
        (wire(252, 4), column("json")),
        (wire(245, 4), column("longtext", charset="utf8mb4")),
    ],
)
def test_a_layout_that_is_not_the_catalogues_is_refused(seen: WireColumn, known: Column) -> None:
    """An ALTER lies between them: nothing is read by guess."""
    with pytest.raises(LayoutMismatch, match="column c"):
        binlog_converter(seen, known)


@pytest.mark.parametrize(
    ("known", "bad"),
    [
        (column("date"), b"2024-1-01"),
        (column("date"), b"2024-13-01"),
        (column("date"), b"2024/01/01"),
        (column("datetime"), b"2024-01-01 24:00:00"),
        (column("datetime", fraction=3), b"2024-01-01 00:00:00"),
        (column("datetime"), b"2024-01-01 00:00:0x"),
        (column("time"), b"12:60:00"),
        (column("time"), b"noon"),
        (column("int"), b"1.5"),
        (column("tinyint"), b"40000"),
        (column("bigint"), b"caf\xe9"),
        (column("double"), b"1,5"),
        (column("double"), b"\xff"),
        (column("decimal", precision=5, scale=2), b"\xff\xfe"),
        (column("decimal", precision=5, scale=2), b"1.005"),
        (column("decimal", precision=5, scale=2), b"12345.00"),
    ],
)
def test_text_that_is_no_value_of_its_type_is_refused(known: Column, bad: bytes) -> None:
    """With its row, and without the value."""
    good = {"date": b"2024-01-01", "time": b"12:00:00"}.get(known.type.base, b"1")
    if known.type.base == "datetime":
        good = b"2024-01-01 00:00:00" + (b".000" if known.type.fraction else b"")
    values = [good, None, bad]
    for given_values in (values, *as_arrays(values)):
        with pytest.raises(ValueNotCarriable) as refused:
            text_converter(known)(given_values)
        assert (refused.value.column, refused.value.index) == ("c", 2)
        assert bad.decode("latin-1") not in str(refused.value)


@pytest.mark.parametrize(
    ("seen", "known", "bad"),
    [
        (wire(10), column("date"), (15 << 5 | 2024 << 9 | 1).to_bytes(3, "little")),
        (wire(12), column("datetime"), b"\xff" * 8),
        (wire(18), column("datetime"), b"\xff" * 5),
        (wire(19), column("time"), b"\xff\xff\xff"),
        (wire(18), column("datetime"), b"\x80"),
    ],
)
def test_bytes_that_are_no_value_of_their_type_are_refused(
    seen: WireColumn, known: Column, bad: bytes
) -> None:
    """The wire cannot be what it says: never a wrong value."""
    with pytest.raises(ValueNotCarriable) as refused:
        binlog_converter(seen, known)([None, bad])
    assert refused.value.index == 1


@pytest.mark.parametrize("base", ["row", "nonsense"])
def test_types_that_are_not_carried_are_refused(base: str) -> None:
    """By both ways."""
    with pytest.raises(UnsupportedType):
        text_converter(column(base))
    with pytest.raises(UnsupportedType):
        binlog_converter(wire(252, 4), column(base))


@pytest.mark.parametrize("values", [[], [None, None]])
@pytest.mark.parametrize(
    ("seen", "known"),
    [
        (wire(3), column("int")),
        (wire(9), column("mediumint")),
        (wire(5, 8), column("double")),
        (wire(246, 10 << 8 | 2), column("decimal", precision=10, scale=2)),
        (wire(246, 65 << 8 | 30), column("decimal", precision=65, scale=30)),
        (wire(10), column("date")),
        (wire(18, 3), column("datetime", fraction=3)),
        (wire(17), column("timestamp")),
        (wire(19), column("time")),
        (wire(15, 9), column("varchar", charset="latin1")),
        (wire(252, 2), column("text", charset="utf8mb4")),
        (wire(252, 2, collation=63), column("blob")),
        (wire(245, 4), column("json")),
    ],
)
def test_columns_without_values_are_columns(seen: WireColumn, known: Column, values: list[None]) -> None:
    """No rows, or NULLs alone."""
    assert both(known, seen, values, values) == values
