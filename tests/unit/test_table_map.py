"""TABLE_MAP events from bytes; the integration tests compare with the library on real ones."""

from __future__ import annotations

import struct

import pytest

from rowferry.changes import WireColumn
from rowferry.table_map import parse_table_map
from rowferry.table_schema import TableId
from rowferry.wire_types import DecodeError, MetadataMissing, WireType


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
    + field(6, b"\x02\x03low\x04h\xf6gh")
    + field(8, b"\x00")
    + field(10, b"\x08")
    + field(12, b"\xff")
    + field(13, b"\x03")
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
        WireColumn("d", 247, 1, nullable=False, collation_id=8, labels=(b"low", b"h\xf6gh")),
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


def parsed(types: bytes, metadata: bytes, optional: bytes, mariadb: bool = False) -> tuple[WireColumn, ...]:
    """The columns of an event."""
    body = table_map(types, metadata, optional, bytes((len(types) + 7) // 8))
    return parse_table_map(body, 0, len(body), mariadb).columns


def test_labels_go_to_their_columns() -> None:
    """ENUM's and SET's are listed apart, each in the columns' order; a list may hold the label ''."""
    types, metadata = b"\xfe\xfe\x03\xfe\xfe", b"\xf8\x01\xf7\x01\xf7\x02\xf8\x01"
    optional = names("a", "b", "c", "d", "e") + field(5, b"\x01\x01x\x02\x01y\x00")
    optional += field(6, b"\x01\x03one\x02\x03two\x03tri")
    labels = [column.labels for column in parsed(types, metadata, optional)]
    assert labels == [(b"x",), (b"one",), (), (b"two", b"tri"), (b"y", b"")]


@pytest.mark.parametrize("labels", [b"\x01\x01x", b"\x01\x01x\x01\x01y\x01\x01z", b"\x01\x01x\x02\x01y"])
def test_labels_of_another_number_of_columns_raise(labels: bytes) -> None:
    """Nothing is shifted."""
    with pytest.raises(DecodeError):
        parsed(b"\xfe\xfe", b"\xf7\x01\xf7\x01", names("a", "b") + field(6, labels))


def test_a_map_without_labels_is_read() -> None:
    """Whoever needs them says that they are missing."""
    assert parsed(b"\xfe", b"\xf7\x01", names("a"))[0].labels == ()


COMPRESSED = {140, 141}
KNOWN_KINDS = set(range(1, 14))


@pytest.mark.parametrize("code", sorted(set(range(256)) - set(WireType) - COMPRESSED))
def test_a_type_that_is_not_known_is_named_by_its_number(code: int) -> None:
    """Its values have a size that nobody told; whatever else the event holds is not read by a guess."""
    optional = names("a", "b")
    for mariadb in (False, True):
        with pytest.raises(DecodeError, match=rf"column 2 is of type {code}, which is not known$"):
            parsed(bytes([3, code]), b"\x04\x01\x02", optional, mariadb)


@pytest.mark.parametrize("kind", sorted(set(range(256)) - KNOWN_KINDS))
def test_metadata_that_is_not_known_is_named_by_its_number(kind: int) -> None:
    """It could change what the rows mean."""
    for optional in (names("a") + field(kind, b"\x01"), field(kind, b"") + names("a")):
        with pytest.raises(DecodeError, match=rf"metadata of kind {kind}, which is not known$"):
            parsed(b"\x03", b"", optional)


@pytest.mark.parametrize("kind", sorted(KNOWN_KINDS - {1, 2, 3, 4, 5, 6, 10, 11}))
def test_metadata_that_rows_do_not_need_is_passed_over(kind: int) -> None:
    """Keys, the kinds of shapes, visibility, dimensions."""
    assert parsed(b"\x03", b"", field(kind, b"\x00") + names("a")) == (WireColumn("a", 3, 0, nullable=False),)


@pytest.mark.parametrize(
    ("code", "metadata", "words"),
    [
        (WireType.DATETIME2, b"\x07", "type 18 with metadata 7"),
        (WireType.TIME2, b"\x07", "type 19 with metadata 7"),
        (WireType.TIMESTAMP2, b"\xff", "type 17 with metadata 255"),
        (WireType.BIT, b"\x01\x08", "type 16 with metadata 65"),
        (WireType.BIT, b"\x00\x00", "type 16 with metadata 0"),
        (WireType.BLOB, b"\x05", "type 252 with metadata 5"),
        (WireType.GEOMETRY, b"\x00", "type 255 with metadata 0"),
        (WireType.VECTOR, b"\x08", "type 242 with metadata 8"),
        (WireType.NEWDECIMAL, b"\x42\x00", "type 246 with metadata 16896"),
        (WireType.STRING, b"\xf7\x03", "type 247 with metadata 3"),
        (WireType.STRING, b"\xf8\x05", "type 248 with metadata 5"),
        (WireType.STRING, b"\xf8\x00", "type 248 with metadata 0"),
        (WireType.STRING, b"\xf5\x04", "of type 245"),
    ],
)
def test_metadata_that_a_type_cannot_have_is_named(code: int, metadata: bytes, words: str) -> None:
    """The event is of a server that does things another way."""
    with pytest.raises(DecodeError, match=words):
        parsed(bytes([code]), metadata, names("a"))
