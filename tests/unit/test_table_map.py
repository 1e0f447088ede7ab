"""TABLE_MAP events from bytes; the integration tests compare with the library on real ones."""

from __future__ import annotations

import struct

import pytest

from rowferry.changes import WireColumn
from rowferry.table_map import parse_table_map
from rowferry.table_schema import TableId
from rowferry.wire_types import DecodeError, MetadataMissing


def field(kind: int, content: bytes) -> bytes:
    """An optional metadata field."""
    return bytes([kind, len(content)]) + content


def names(*columns: str) -> bytes:
    """The column names."""
    return field(4, b"".join(bytes([len(c)]) + c.encode() for c in columns))


def table_map(types: bytes, metadata: bytes, optional: bytes, nulls: bytes = b"\x00") -> bytes:
    """The event's body."""
    body = (77).to_bytes(6, "little") + struct.pack("<H", 1)
    body += b"\x06clinic\x00\x07patient\x00"
    return body + bytes([len(types)]) + types + bytes([len(metadata)]) + metadata + nulls + optional


TYPES = bytes([8, 15, 246, 254, 254, 242, 16, 1])
METADATA = b"\x90\x01" + b"\x0a\x02" + b"\xf7\x01" + b"\xee\xfc" + b"\x04" + b"\x01\x01"
OPTIONAL = (
    field(1, b"\xa0")
    + field(2, b"\x2d\x02\x3f")
    + names("a", "b", "c", "d", "e", "f", "g", "h")
    + field(10, b"\x08")
    + field(13, b"\x03")
    + field(99, b"unknown")
)


def test_every_part_is_read() -> None:
    """Signs over numbers only, character sets over texts, VECTOR among them, and labels apart."""
    body = table_map(TYPES, METADATA, OPTIONAL, b"\x02")
    seen = parse_table_map(b"head" + body + b"crc!", 4, 4 + len(body), mariadb=False)
    assert (seen.table_id, seen.table) == (77, TableId("clinic", "patient"))
    assert seen.columns == (
        WireColumn("a", 8, 0, unsigned=True, nullable=False),
        WireColumn("b", 15, 400, nullable=True, collation_id=45),
        WireColumn("c", 246, 10 << 8 | 2, nullable=False),
        WireColumn("d", 247, 1, nullable=False, collation_id=8),
        WireColumn("e", 254, 508, nullable=False, collation_id=45),
        WireColumn("f", 242, 4, nullable=False, collation_id=63),
        WireColumn("g", 16, 9, nullable=False),
        WireColumn("h", 1, 0, unsigned=True, nullable=False),
    )


def test_a_map_without_names_says_what_to_set() -> None:
    """binlog_row_metadata was not FULL."""
    body = table_map(b"\x03", b"", field(1, b"\x00"))
    with pytest.raises(MetadataMissing, match=r"clinic\.patient.*binlog_row_metadata=FULL"):
        parse_table_map(body, 0, len(body), mariadb=True)


def test_a_map_cut_short_raises() -> None:
    """At any byte where a field does not end; where one does, what follows is missing."""
    body = table_map(TYPES, METADATA, names("a", "b", "c", "d", "e", "f", "g", "h"))
    for end in range(len(body)):
        with pytest.raises(DecodeError):
            parse_table_map(body, 0, end, mariadb=False)


@pytest.mark.parametrize(
    "optional",
    [
        names("a"),
        names("a", "b") + field(3, b"\x2d\x2d"),
        names("a", "b") + field(2, b"\x2d\x05\x3f"),
        names("a", "b") + field(3, b""),
    ],
)
def test_lists_of_another_length_than_the_columns_raise(optional: bytes) -> None:
    """Nothing is shifted."""
    body = table_map(b"\x03\x0f", b"\x09\x00", optional)
    with pytest.raises(DecodeError):
        parse_table_map(body, 0, len(body), mariadb=False)
