"""Row images to tuples: an independent encoder writes them, every way to cut them short must raise."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowferry.changes import RowKind, TableLayout, WireColumn
from rowferry.decode import (
    MAX_PATTERNS,
    DecodeError,
    RowDecoder,
    compile_decoder,
    parse_rows_header,
)
from rowferry.table_schema import TableId
from rowferry.wire_types import MetadataMissing
from tests.integration.library_columns import wire_columns_from_library

TABLE = TableId("clinic", "patient")
INTEGERS = {1: 8, 2: 16, 3: 32, 8: 64}


def layout(*columns: WireColumn) -> TableLayout:
    """A layout of those columns."""
    return TableLayout(TABLE, columns)


def column(type_code: int, metadata: int = 0, unsigned: bool = False, name: str = "c") -> WireColumn:
    """A column of the wire."""
    return WireColumn(name, type_code, metadata, unsigned)


def encode_value(wire: WireColumn, value: Any) -> bytes:
    """A value as the server would store it, written without any of the code under test."""
    if wire.type_code in INTEGERS:
        size = INTEGERS[wire.type_code] // 8
        return int(value).to_bytes(size, "little", signed=not wire.unsigned)
    if wire.type_code == 4:
        return struct.pack("<f", value)
    if wire.type_code == 5:
        return struct.pack("<d", value)
    if wire.type_code in (15, 253, 254):
        return len(value).to_bytes(1 if wire.metadata < 256 else 2, "little") + bytes(value)
    if wire.type_code in (252, 245, 255, 242):
        return len(value).to_bytes(wire.metadata, "little") + bytes(value)
    return bytes(value)


def encode_row(columns: tuple[WireColumn, ...], row: tuple[Any, ...]) -> bytes:
    """A row image: the bitmap of NULLs with unused bits set, then the values."""
    bits = "".join("1" if value is None else "0" for value in row)
    bits = bits.ljust((len(row) + 7) // 8 * 8, "1")
    bitmap = bytes(int(bits[i : i + 8][::-1], 2) for i in range(0, len(bits), 8))
    pairs = zip(columns, row, strict=True)
    return bitmap + b"".join(encode_value(c, v) for c, v in pairs if v is not None)


def integer_column(type_code: int, unsigned: bool) -> tuple[WireColumn, st.SearchStrategy[Any]]:
    """An integer column and its values."""
    bits = INTEGERS[type_code]
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return column(type_code, 0, unsigned), st.integers(low, high)


def fixed_column(type_code: int, metadata: int, size: int) -> tuple[WireColumn, st.SearchStrategy[Any]]:
    """A column of constant width that stays bytes."""
    return column(type_code, metadata), st.binary(min_size=size, max_size=size)


KINDS = [
    *(integer_column(t, unsigned) for t in INTEGERS for unsigned in (False, True)),
    (column(4, 4), st.floats(width=32, allow_nan=False)),
    (column(5, 8), st.floats(allow_nan=False)),
    fixed_column(9, 0, 3),
    fixed_column(10, 0, 3),
    fixed_column(14, 0, 3),
    fixed_column(7, 0, 4),
    fixed_column(11, 0, 3),
    fixed_column(12, 0, 8),
    *(fixed_column(17, f, 4 + (f + 1) // 2) for f in range(7)),
    *(fixed_column(18, f, 5 + (f + 1) // 2) for f in range(7)),
    *(fixed_column(19, f, 3 + (f + 1) // 2) for f in range(7)),
    fixed_column(246, 10 << 8 | 2, 5),
    fixed_column(246, 65 << 8 | 30, 30),
    fixed_column(16, 9, 2),
    fixed_column(248, 3, 3),
    (column(15, 40), st.binary(max_size=40)),
    (column(15, 400), st.binary(max_size=400)),
    (column(254, 255), st.binary(max_size=30)),
    (column(254, 1020), st.binary(max_size=300)),
    *((column(252, n), st.binary(max_size=300 if n > 1 else 255)) for n in (1, 2, 3, 4)),
    (column(245, 4), st.binary(max_size=30)),
    (column(255, 4), st.binary(max_size=30)),
    (column(242, 4), st.binary(max_size=30)),
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[TableLayout, list[tuple[Any, ...]]]:
    """A layout of 1 to 20 columns and 1 to 6 rows with NULLs anywhere."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=20))
    values = [st.none() | strategy for _, strategy in kinds]
    rows = draw(st.lists(st.tuples(*values), min_size=1, max_size=6))
    return layout(*(wire for wire, _ in kinds)), rows


@given(tables(), st.binary(max_size=6))
@settings(max_examples=300, deadline=None)
def test_decoding_undoes_encoding(table: tuple[TableLayout, list[tuple[Any, ...]]], before: bytes) -> None:
    """Any layout, any values, any pattern of NULLs, anywhere in the event's bytes."""
    made, rows = table
    images = b"".join(encode_row(made.columns, row) for row in rows)
    data = before + images + b"crc!"
    assert RowDecoder(made).decode(data, len(before), len(before) + len(images)) == rows


@given(tables())
@settings(max_examples=100, deadline=None)
def test_a_cut_anywhere_inside_an_image_raises(table: tuple[TableLayout, list[tuple[Any, ...]]]) -> None:
    """Never a short value, and never the bytes that follow the images."""
    made, rows = table
    image = encode_row(made.columns, rows[0])
    decoder = RowDecoder(made)
    for end in range(1, len(image)):
        with pytest.raises(DecodeError, match=r"clinic\.patient"):
            decoder.decode(image, 0, end)
        with pytest.raises(DecodeError):
            decoder.decode(image[:end], 0, end)
        with pytest.raises(DecodeError):
            decoder.decode(image[:end], 0, len(image))


def test_bytes_after_the_last_image_raise() -> None:
    """An image too many is no row."""
    made = layout(column(3), column(15, 40))
    image = encode_row(made.columns, (1, b"abc"))
    with pytest.raises(DecodeError):
        RowDecoder(made).decode(image + b"\xfc\x01", 0, len(image) + 2)


def test_the_error_names_column_and_type() -> None:
    """So that a person can tell which column's layout is not the event's."""
    made = layout(column(3, name="id"), column(15, 40, name="LName"))
    image = encode_row(made.columns, (1, b"abc"))
    with pytest.raises(DecodeError, match="column LName, type 15 with metadata 40"):
        RowDecoder(made).decode(image, 0, len(image) - 1)


def test_more_patterns_of_nulls_than_are_kept_are_still_read() -> None:
    """Generated code is bounded; rare patterns take the slow path to the same rows."""
    columns = tuple(column(3) for _ in range(11))
    rows = [tuple(None if n >> i & 1 else i for i in range(11)) for n in range(2048)]
    images = b"".join(encode_row(columns, row) for row in rows)
    decoder = RowDecoder(TableLayout(TABLE, columns))
    assert decoder.decode(images, 0, len(images)) == rows
    assert len(decoder._loops) == MAX_PATTERNS


def test_unused_bits_of_the_bitmap_mean_nothing() -> None:
    """The server sets them; nothing may depend on it."""
    made = layout(column(3), column(3))
    for bitmap in (b"\xfc", b"\x00", b"\x54"):
        assert RowDecoder(made).decode(bitmap + struct.pack("<ii", 1, 2), 0, 9) == [(1, 2)]


def test_many_columns_are_read() -> None:
    """4,096 is the server's limit."""
    columns = tuple(column(1 if i % 3 else 15, 10) for i in range(4096))
    row = tuple(i % 100 if i % 3 else b"x" for i in range(4096))
    image = encode_row(columns, row)
    assert RowDecoder(TableLayout(TABLE, columns)).decode(image, 0, len(image)) == [row]


@pytest.mark.parametrize(
    "wire",
    [column(140, 5), column(6), column(0), column(252, 5), column(12, 7), column(246, 0), column(17, 7)],
)
def test_an_unknown_type_is_refused(wire: WireColumn) -> None:
    """And so is metadata that the type cannot have: never guessed."""
    with pytest.raises(DecodeError, match=f"column c.*type {wire.type_code}"):
        compile_decoder(layout(wire))


def test_names_never_reach_the_generated_code() -> None:
    """A column may be called anything."""
    made = layout(column(3, name='"; raise SystemExit; "'))
    image = encode_row(made.columns, (5,))
    assert RowDecoder(made).decode(image, 0, len(image)) == [(5,)]


# The event's header


def header(event_type: int, columns: int, bitmaps: bytes, flags: int = 1, extra: bytes = b"") -> bytes:
    """A row event's body up to its images."""
    body = (0x123456789ABC).to_bytes(6, "little") + struct.pack("<H", flags)
    if event_type >= 30:
        body += struct.pack("<H", 2 + len(extra)) + extra
    count = bytes([columns]) if columns < 0xFB else b"\xfc" + struct.pack("<H", columns)
    return body + count + bitmaps


@pytest.mark.parametrize(
    ("event_type", "kind"),
    [(23, RowKind.INSERT), (24, RowKind.UPDATE), (25, RowKind.DELETE),
     (30, RowKind.INSERT), (31, RowKind.UPDATE), (32, RowKind.DELETE)],
)  # fmt: skip
@pytest.mark.parametrize("columns", [1, 7, 8, 9, 300])
def test_a_header_is_read(event_type: int, kind: RowKind, columns: int) -> None:
    """Both versions, with extra data, with more columns than one byte counts."""
    bitmap = ((1 << columns) - 1).to_bytes((columns + 7) // 8, "little")
    bitmaps = bitmap * (2 if kind is RowKind.UPDATE else 1)
    body = header(event_type, columns, bitmaps, extra=b"\x01\x02\x03" if event_type >= 30 else b"")
    seen = parse_rows_header(event_type, b"?" * 20 + body + b"images", 20)
    assert (seen.table_id, seen.kind, seen.columns) == (0x123456789ABC, kind, columns)
    assert seen.start == 20 + len(body)
    assert seen.complete
    assert seen.statement_end


def test_an_absent_column_makes_the_header_incomplete() -> None:
    """binlog_row_image=MINIMAL: an absent column is never NULL."""
    assert not parse_rows_header(30, header(30, 9, b"\xff\xfe"), 0).complete
    assert not parse_rows_header(31, header(31, 3, b"\x07\x05"), 0).complete
    assert not parse_rows_header(31, header(31, 3, b"\x01\x07"), 0).complete
    assert parse_rows_header(31, header(31, 3, b"\x07\xff", flags=0), 0).complete
    assert not parse_rows_header(31, header(31, 3, b"\x07\xff", flags=0), 0).statement_end


@pytest.mark.parametrize("event_type", [23, 24, 30, 31])
def test_a_header_cut_short_raises(event_type: int) -> None:
    """At any byte."""
    body = header(event_type, 9, b"\xff\x01" * (2 if event_type in (24, 31) else 1))
    for end in range(len(body)):
        with pytest.raises(DecodeError):
            parse_rows_header(event_type, body[:end], 0)


@pytest.mark.parametrize("event_type", [19, 39, 165, 172, 20])
def test_other_events_are_refused(event_type: int) -> None:
    """A partial JSON update (39) holds no full images."""
    with pytest.raises(DecodeError, match=str(event_type)):
        parse_rows_header(event_type, header(31, 1, b"\x01\x01"), 0)


# The library's table map


@dataclass
class LibraryMetadata:
    """The part of the library's OptionalMetaData that is read."""

    column_name_list: list[str]
    charset_collation_list: list[int] = field(default_factory=list)
    enum_and_set_collation_list: list[int] = field(default_factory=list)


class LibraryColumn:
    """A column of the library: only the attributes that its type has."""

    def __init__(self, type: int, unsigned: bool = False, **attributes: int) -> None:
        """Set them."""
        self.type = type
        self.unsigned = unsigned
        self.__dict__.update(attributes)


@dataclass
class LibraryEvent:
    """The part of the library's TableMapEvent that is read."""

    columns: list[LibraryColumn]
    optional_metadata: LibraryMetadata
    null_bitmask: bytes = b"\x02"
    dbms: str = "mysql"


def test_the_librarys_table_map_becomes_wire_columns() -> None:
    """Collations are listed over text columns and over labels apart."""
    columns = [
        LibraryColumn(8, unsigned=True),
        LibraryColumn(254, max_length=400),
        LibraryColumn(247, size=1),
        LibraryColumn(252, length_size=3),
        LibraryColumn(246, precision=10, decimals=2),
        LibraryColumn(19, fsp=3),
    ]
    names = ["a", "b", "c", "d", "e", "f"]
    event = LibraryEvent(columns, LibraryMetadata(names, [45, 63], [8]))
    assert wire_columns_from_library(event) == (
        WireColumn("a", 8, 0, unsigned=True, nullable=False),
        WireColumn("b", 254, 400, nullable=True, collation_id=45),
        WireColumn("c", 247, 1, nullable=False, collation_id=8),
        WireColumn("d", 252, 3, nullable=False, collation_id=63),
        WireColumn("e", 246, 10 << 8 | 2, nullable=False),
        WireColumn("f", 19, 3, nullable=False),
    )


def test_a_table_map_without_names_says_what_to_set() -> None:
    """Written without binlog_row_metadata=FULL, or before it was switched on."""
    event = LibraryEvent([LibraryColumn(3)], LibraryMetadata([]))
    with pytest.raises(MetadataMissing, match="binlog_row_metadata=FULL"):
        wire_columns_from_library(event)


def test_a_table_map_with_an_unknown_type_is_refused() -> None:
    """The library misreads what follows such a column."""
    event = LibraryEvent([LibraryColumn(140)], LibraryMetadata(["c"]))
    with pytest.raises(DecodeError, match="140"):
        wire_columns_from_library(event)
