"""ENUM, SET, BIT, YEAR, shapes, VECTOR, UUID and addresses: what fits, and what is refused."""

from __future__ import annotations

import struct
import uuid
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry import geometry
from rowferry.changes import WireColumn
from rowferry.convert import LayoutMismatch, ValueNotCarriable, binlog_converter, text_converter
from rowferry.mysql_catalog import _column
from rowferry.table_schema import Column, ColumnType
from rowferry.types import UnsupportedType, destination_type
from tests.unit.test_convert import as_arrays, both, column, wire

LATIN1, CP1251, BINARY = 8, 51, 63


def labelled(base: str, *labels: bytes, size: int = 1, collation: int = LATIN1) -> WireColumn:
    """A column with labels in the binlog."""
    code = {"enum": 247, "set": 248}[base]
    return WireColumn("c", code, size, False, True, collation, labels)


ENUM = column("enum", charset="latin1", length=5)
SET = column("set", charset="latin1", length=9)


def test_a_label_s_number_begins_with_one() -> None:
    """0 is '', whatever the labels are."""
    seen = labelled("enum", b"Zo\xeb", b"", b"x,y")
    assert both(ENUM, seen, [1, 0, None, 2, 3], [b"Zo\xeb", b"", None, b"", b"x,y"]) == [
        "Zoë", "", None, "", "x,y",
    ]  # fmt: skip


def test_a_set_s_labels_are_joined_in_their_order() -> None:
    """Also where its number comes as three bytes."""
    seen = labelled("set", b"b", b"a", b"\xe9")
    text = [b"", b"b", b"b,a", b"\xe9", b"b,a,\xe9", None]
    assert both(SET, seen, [0, 1, 3, 4, 7, None], text) == ["", "b", "b,a", "é", "b,a,é", None]
    wide = labelled("set", *(b"m%d" % i for i in range(24)), size=3)
    assert both(SET, wide, [b"\x01\x00\x80", None], [b"m0,m23", None]) == ["m0,m23", None]


@given(st.integers(0, 2**64 - 1))
def test_a_set_of_64_labels_keeps_every_bit(number: int) -> None:
    """Each number is one text."""
    names = [f"m{i}" for i in range(64)]
    seen = labelled("set", *(n.encode() for n in names), size=8)
    [text] = binlog_converter(seen, SET)([number]).array.to_pylist()
    assert sum(1 << names.index(n) for n in text.split(",") if n) == number


@pytest.mark.parametrize(("base", "good", "bad"), [("enum", 2, 3), ("set", 3, 4)])
def test_a_number_without_a_label_is_refused(base: str, good: int, bad: int) -> None:
    """Naming the row."""
    convert = binlog_converter(labelled(base, b"a", b"b"), column(base, charset="latin1", length=1))
    assert convert([good]).array.null_count == 0
    with pytest.raises(ValueNotCarriable, match="no label") as refused:
        convert([None, good, bad])
    assert refused.value.index == 2


@pytest.mark.parametrize("base", ["enum", "set"])
def test_labels_that_are_missing_or_broken_do_not_fit(base: str) -> None:
    """No label is guessed from the catalogue, which may be younger than the event."""
    known = column(base, charset="latin1", length=1)
    with pytest.raises(LayoutMismatch, match="column c.*labels"):
        binlog_converter(labelled(base), known)
    with pytest.raises(LayoutMismatch, match="label 2 holds"):
        binlog_converter(labelled(base, b"a", b"b\0"), known)
    with pytest.raises(UnsupportedType):
        binlog_converter(labelled(base, b"a", collation=BINARY), known)


def test_labels_are_read_by_the_event_s_own_character_set() -> None:
    """The catalogue of now may say another."""
    convert = binlog_converter(labelled("enum", b"\xc6\xf3\xea", collation=CP1251), ENUM)
    assert convert([1]).array.to_pylist() == ["Жук"]


@pytest.mark.parametrize("base", ["enum", "set"])
@pytest.mark.parametrize("charset", [None, "binary"])
def test_labels_that_are_bytes_are_refused(base: str, charset: str | None) -> None:
    """They are no text."""
    with pytest.raises(UnsupportedType, match="binary"):
        destination_type(ColumnType(base, charset=charset))


@given(st.integers(1, 64), st.data())
def test_bits_keep_their_width(width: int, data: st.DataObject) -> None:
    """Leading zeros stay."""
    numbers = data.draw(st.lists(st.none() | st.integers(0, 2**width - 1), max_size=5))
    raw = [None if n is None else n.to_bytes((width + 7) // 8, "big") for n in numbers]
    found = both(column("bit", length=width), wire(16, width), raw, raw)
    if width == 1:
        assert found == [None if n is None else bool(n) for n in numbers]
    else:
        assert found == [None if n is None else f"{n:0{width}b}" for n in numbers]


YEAR, VECTOR, POINT = column("year"), column("vector"), column("point")
UUID, INET4, INET6 = column("uuid"), column("inet4"), column("inet6")
POINT_1_2 = struct.pack("<BIdd", 1, 1, 1.0, 2.0)


def test_a_year_counts_from_1900_and_0_is_0() -> None:
    """1900 itself cannot be stored."""
    found = both(YEAR, wire(13), [0, 1, 255, None], [b"0000", b"1901", b"2155", None])
    assert found == [0, 1901, 2155, None]


def test_a_year_of_two_digits_is_refused() -> None:
    """As the catalogue of MariaDB writes it."""
    for text in ("year(2)", "year(2) unsigned zerofill"):
        with pytest.raises(UnsupportedType, match=r"year\(2\).*century"):
            text_converter(column("year", text=text))
    assert destination_type(ColumnType("year", text="year(4)")).postgres == "smallint"


@pytest.mark.parametrize("base", sorted(geometry.KINDS))
def test_a_shape_without_a_srid_is_plain_wkb(base: str) -> None:
    """By both ways."""
    raw = [bytes(4) + POINT_1_2, None]
    assert both(column(base), wire(255, 4), raw, raw) == [POINT_1_2, None]


def test_a_shape_s_srid_goes_into_its_outermost_header() -> None:
    """Those inside have none."""
    inside = struct.pack("<BII", 1, 7, 1) + POINT_1_2
    raw = [struct.pack("<I", 4326) + inside, struct.pack("<I", 2**32 - 1) + POINT_1_2]
    first, second = both(column("geometrycollection"), wire(255, 4), raw, raw)
    assert first == struct.pack("<BIII", 1, 0x20000007, 4326, 1) + POINT_1_2
    assert second[:9] == struct.pack("<BII", 1, 0x20000001, 2**32 - 1)


def floats() -> st.SearchStrategy[float]:
    """Numbers that a float holds, as they come back from it."""
    return st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(st.none() | st.lists(floats(), max_size=4), max_size=5))
def test_vectors_come_back_bit_by_bit(values: list[list[float] | None]) -> None:
    """Of any length; NULL and the empty one differ."""
    raw = [None if v is None else struct.pack(f"<{len(v)}f", *v) for v in values]
    texts = both(VECTOR, wire(242, 4, collation=BINARY), raw, raw)
    assert binlog_converter(wire(15, 12, collation=BINARY), VECTOR)(raw).array.to_pylist() == texts
    for text, value, data in zip(texts, values, raw, strict=True):
        if value is None:
            assert text is None
        else:
            numbers = [float(t) for t in text[1:-1].split(",") if t]
            assert text[0] + text[-1] == "{}"
            assert np.array(numbers, "<f4").tobytes() == data


@given(st.lists(st.none() | st.binary(min_size=16, max_size=16), max_size=5))
def test_a_uuid_is_its_bytes_in_order(values: list[bytes | None]) -> None:
    """The binlog leaves out zero bytes at the end."""
    raw = [None if v is None else v.rstrip(b"\0") for v in values]
    text = [None if v is None else str(uuid.UUID(bytes=v)) for v in values]
    sent = [None if t is None else t.encode() for t in text]
    assert both(UUID, wire(254, 16, collation=BINARY), raw, sent) == text


@given(st.lists(st.none() | st.binary(min_size=16, max_size=16), max_size=5))
def test_an_inet6_is_one_text_however_it_was_written(values: list[bytes | None]) -> None:
    """Also with IPv4 inside."""
    raw = [None if v is None else v.rstrip(b"\0") for v in values]
    sent = [None if v is None else IPv6Address(v).compressed.encode() for v in values]
    found = both(INET6, wire(254, 16, collation=BINARY), raw, sent)
    assert [None if t is None else IPv6Address(t).packed for t in found] == values
    assert text_converter(INET6)([b"::ffff:1.2.3.4", b"::ffff:102:304"]).array.to_pylist() == [
        "0000:0000:0000:0000:0000:ffff:0102:0304"
    ] * 2  # fmt: skip


@given(st.lists(st.none() | st.binary(min_size=4, max_size=4), max_size=5))
def test_an_inet4_is_its_four_numbers(values: list[bytes | None]) -> None:
    """The binlog leaves out zero bytes at the end."""
    raw = [None if v is None else v.rstrip(b"\0") for v in values]
    text = [None if v is None else str(IPv4Address(v)) for v in values]
    sent = [None if t is None else t.encode() for t in text]
    assert both(INET4, wire(254, 4, collation=BINARY), raw, sent) == text


@pytest.mark.parametrize(
    ("seen", "known", "bad"),
    [
        (wire(16, 9), column("bit", length=9), b"\x02\x00"),
        (wire(16, 9), column("bit", length=9), b"\x01"),
        (wire(255, 4), POINT, b""),
        (wire(255, 4), POINT, bytes(4) + POINT_1_2[:8]),
        (wire(255, 4), POINT, bytes(4) + b"\x00" + POINT_1_2[1:]),
        (wire(255, 4), POINT, bytes(4) + b"\x01\x08" + POINT_1_2[2:]),
        (wire(255, 4), POINT, bytes(4) + b"\x01\x00" + POINT_1_2[2:]),
        (wire(242, 4), VECTOR, b"\x00\x00\x80"),
        (wire(242, 4), VECTOR, bytes(4) + struct.pack("<f", float("nan"))),
        (wire(242, 4), VECTOR, bytes(4) + struct.pack("<f", float("-inf"))),
        (wire(254, 16), UUID, bytes(17)),
        (wire(254, 16), INET6, bytes(17)),
        (wire(254, 4), INET4, bytes(5)),
    ],
)
def test_bytes_that_are_no_value_are_refused(seen: WireColumn, known: Column, bad: bytes) -> None:
    """At the row where they are, with nothing of them in the message."""
    good = {16: b"\x01\x00", 255: bytes(4) + POINT_1_2, 242: bytes(8)}.get(seen.type_code, b"\x01")
    with pytest.raises(ValueNotCarriable) as refused:
        binlog_converter(seen, known)([None, good, bad, good])
    assert refused.value.index == 2


@pytest.mark.parametrize(
    ("known", "bad"),
    [
        (YEAR, b"19x1"),
        (UUID, b"12345678-9abc-1def-8123-456789abcdeF"),
        (UUID, b"12345678-9abc-1def-8123-456789abcde"),
        (INET4, b"1.2.3"),
        (INET4, b"\xff"),
        (INET6, b"1.2.3.4"),
        (INET6, b"fe80::1%eth0%"),
        (POINT, b""),
    ],
)
def test_text_that_is_no_value_is_refused(known: Column, bad: bytes) -> None:
    """A SELECT that sends something else is none of ours."""
    for values in ([None, bad], *as_arrays([None, bad])):
        with pytest.raises(ValueNotCarriable) as refused:
            text_converter(known)(values)
        assert refused.value.index == 1


@pytest.mark.parametrize(
    ("seen", "known"),
    [
        (wire(16, 8), column("bit", length=9)),
        (wire(254, 16, collation=BINARY), INET4),
        (wire(254, 15, collation=BINARY), UUID),
        (wire(254, 16, collation=LATIN1), INET6),
        (wire(15, 12, collation=LATIN1), VECTOR),
        (wire(252, 4), POINT),
        (wire(255, 4), column("longblob")),
        (wire(248, 1), ENUM),
        (wire(247, 1), SET),
        (wire(2), YEAR),
    ],
)
def test_what_cannot_be_the_column_does_not_fit(seen: WireColumn, known: Column) -> None:
    """Nothing is guessed."""
    with pytest.raises(LayoutMismatch):
        binlog_converter(seen, known)


@pytest.mark.parametrize("values", [[], [None, None]])
@pytest.mark.parametrize(
    ("seen", "known"),
    [
        (wire(16, 1), column("bit", length=1)),
        (wire(16, 9), column("bit", length=9)),
        (wire(13), YEAR),
        (wire(255, 4), POINT),
        (wire(242, 4), VECTOR),
        (wire(254, 16), UUID),
        (wire(254, 4), INET4),
        (wire(254, 16), INET6),
        (labelled("enum", b"a"), ENUM),
        (labelled("set", b"a"), SET),
    ],
)
def test_columns_without_values_are_columns(seen: WireColumn, known: Column, values: list[None]) -> None:
    """No rows, or NULLs alone."""
    assert both(known, seen, values, values) == values


def catalogued(base: str, text: str, **details: Any) -> ColumnType:
    """A column's type as the catalogue's row of it is read."""
    names = ("length", "precision", "scale", "fraction", "charset")
    return _column(["c", base, text, "YES", *(details.get(name) for name in names)]).type


def test_labels_keep_their_case_and_their_comments() -> None:
    """A label may look like anything; other types lose MariaDB's remark."""
    text = "enum('A','b /* c */','int unsigned')"
    found = catalogued("ENUM", text, length=12, charset="LATIN1")
    assert found == ColumnType("enum", length=12, charset="latin1", text=text)
    found = catalogued("set", "set('X','y')", length=3, charset="utf8mb4")
    assert found == ColumnType("set", length=3, charset="utf8mb4", text="set('X','y')")
    assert catalogued("TIME", "TIME /* mariadb-5.3 */") == ColumnType("time", text="time")
    assert catalogued("bit", "bit(9)", precision=9) == ColumnType("bit", length=9, text="bit(9)")
    assert catalogued("vector", "vector(3)", length=12) == ColumnType("vector", text="vector(3)")


def test_arrow_types_are_the_promised_ones() -> None:
    """What `load` is told."""
    kinds = [destination_type(c.type) for c in (ENUM, SET, YEAR, VECTOR, POINT, UUID, INET4, INET6)]
    assert [(k.postgres, k.arrow) for k in kinds] == [
        ("varchar(5)", pa.large_string()),
        ("varchar", pa.large_string()),
        ("smallint", pa.int16()),
        ("real[]", pa.large_string()),
        ("bytea", pa.large_binary()),
        ("uuid", pa.string()),
        ("inet", pa.string()),
        ("inet", pa.string()),
    ]
    widths = [destination_type(ColumnType("bit", length=n)) for n in (1, 2, 64)]
    assert [(k.postgres, k.arrow) for k in widths] == [
        ("boolean", pa.bool_()),
        ("bit(2)", pa.string()),
        ("bit(64)", pa.string()),
    ]
    assert destination_type(ColumnType("enum", length=0, charset="latin1")).postgres == "varchar"
