"""TABLE_MAP events read from their own bytes, since the library's reader fails on some tables.

Pure. python-mysql-replication 1.0.17 raises ValueError on a VECTOR column (MySQL 9) and on a compressed
one (MariaDB), whose metadata it does not skip, and on any kind of optional metadata that it has no name
for, even if the table is none of ours. This reader fails on one table only, and names the number of what
it does not know: a type whose values have a size that nobody told, or metadata whose meaning it cannot
guess.

Formats (MariaDB's are the same, up to kind 11): https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from rowferry.changes import WireColumn
from rowferry.table_schema import TableId
from rowferry.wire_types import DecodeError, MetadataMissing, WireType, storage

_ONE_BYTE: Final = frozenset(
    {
        WireType.FLOAT,
        WireType.DOUBLE,
        WireType.BLOB,
        WireType.GEOMETRY,
        WireType.JSON,
        WireType.VECTOR,
        WireType.TIMESTAMP2,
        WireType.DATETIME2,
        WireType.TIME2,
        WireType.BLOB_COMPRESSED,
    }
)
_LITTLE_ENDIAN: Final = frozenset({WireType.VARCHAR, WireType.VARCHAR_COMPRESSED})
_BIG_ENDIAN: Final = frozenset({WireType.STRING, WireType.VAR_STRING, WireType.NEWDECIMAL})
_NUMBERS: Final = frozenset(
    {
        WireType.TINY,
        WireType.SHORT,
        WireType.INT24,
        WireType.LONG,
        WireType.LONGLONG,
        WireType.NEWDECIMAL,
        WireType.FLOAT,
        WireType.DOUBLE,
        WireType.YEAR,
    }
)
_TEXTS: Final = frozenset(
    {
        WireType.STRING,
        WireType.VAR_STRING,
        WireType.VARCHAR,
        WireType.BLOB,
        WireType.VECTOR,
        WireType.BLOB_COMPRESSED,
        WireType.VARCHAR_COMPRESSED,
    }
)
_LABELS: Final = frozenset({WireType.ENUM, WireType.SET})
_KNOWN_TYPES: Final = frozenset(WireType)
_SIGNEDNESS, _DEFAULT_CHARSET, _COLUMN_CHARSET, _NAMES = 1, 2, 3, 4
_SET_LABELS, _ENUM_LABELS = 5, 6
_DEFAULT_LABEL_CHARSET, _LABEL_CHARSET = 10, 11
_KNOWN_FIELDS: Final = frozenset(range(1, 14))
"""Those used here, and GEOMETRY_TYPE, the two of the primary key, visibility, and dimensions of VECTOR."""


@dataclass(frozen=True, slots=True)
class TableMap:
    """What a TABLE_MAP event says: the number that row events use for the table, and its layout."""

    table_id: int
    table: TableId
    columns: tuple[WireColumn, ...]


def parse_table_map(data: bytes, start: int, end: int, mariadb: bool) -> TableMap:
    """Read the event whose body (after the 19-byte common header) is data[start:end], checksum excluded.

    mariadb: the server's family, which differ in whether GEOMETRY has a character set. The columns are
    described in `wire_types`. Raises MetadataMissing where the event has no column names, DecodeError
    where it is cut short, and, naming the number, for a type, a type's metadata, or a kind of optional
    metadata that is not known. Compressed columns are passed on (their decoder raises).
    """
    reader = _Reader(data, start, end)
    table_id = reader.number(6)
    reader.take(2)
    table = TableId(reader.name(), reader.name())
    types = list(reader.take(reader.length()))
    _refuse_unknown(types)
    reader.length()
    shapes = [_shape(code, reader) for code in types]
    nulls = reader.take((len(types) + 7) // 8)
    fields = _optional(reader)
    if _NAMES not in fields:
        raise MetadataMissing(f"table map of {table} without column names: {MetadataMissing.hint}")
    columns = _columns(shapes, nulls, fields, mariadb)
    for column in columns:
        storage(column)
    return TableMap(table_id, table, columns)


def _refuse_unknown(types: list[int]) -> None:
    for place, code in enumerate(types, 1):
        if code not in _KNOWN_TYPES:
            raise DecodeError(f"column {place} is of type {code}, which is not known")


def table_of(data: bytes, start: int, end: int) -> TableId:
    """Only the table that the event is about. Raises DecodeError where it is cut short."""
    reader = _Reader(data, start + 8, end)
    return TableId(reader.name(), reader.name())


class _Reader:
    """A place in an event's bytes that never passes their end."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, min(end, len(data))

    def take(self, size: int) -> bytes:
        start, self.at = self.at, self.at + size
        if self.at > self.end:
            raise DecodeError("a table map ends too early")
        return self.data[start : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def length(self) -> int:
        first = self.number(1)
        return first if first < 0xFB else self.number({0xFC: 2, 0xFD: 3}.get(first, 8))

    def name(self) -> str:
        """A name with its length in front and a zero byte behind."""
        name = self.take(self.number(1)).decode("utf-8")
        self.take(1)
        return name

    def more(self) -> bool:
        return self.at < self.end


def _shape(code: int, reader: _Reader) -> tuple[int, int]:
    """Type number and metadata of a column, as `WireColumn` has them."""
    if code in _BIG_ENDIAN:
        high, low = reader.take(2)
        return _string_shape(code, high, low) if code != WireType.NEWDECIMAL else (code, high << 8 | low)
    if code == WireType.BIT:
        bits, whole = reader.take(2)
        return code, whole * 8 + bits
    size = 1 if code in _ONE_BYTE else 2 if code in _LITTLE_ENDIAN else 0
    return code, reader.number(size)


def _string_shape(code: int, high: int, low: int) -> tuple[int, int]:
    """CHAR carries its real type, and in two inverted bits of it the top of lengths over 255."""
    if high in _LABELS:
        return high, low
    if high | 0x30 not in (WireType.STRING, WireType.VAR_STRING):
        raise DecodeError(f"a text column is of type {high}, which is not known")
    return code, ((high << 4 & 0x300) ^ 0x300) + low


def _optional(reader: _Reader) -> dict[int, bytes]:
    """The optional metadata by the number of its kind."""
    fields: dict[int, bytes] = {}
    while reader.more():
        kind = reader.number(1)
        if kind not in _KNOWN_FIELDS:
            raise DecodeError(f"a table map has metadata of kind {kind}, which is not known")
        fields[kind] = reader.take(reader.length())
    return fields


def _columns(
    shapes: list[tuple[int, int]], nulls: bytes, fields: dict[int, bytes], mariadb: bool
) -> tuple[WireColumn, ...]:
    names = _names(fields[_NAMES])
    if len(names) != len(shapes):
        raise DecodeError("a table map names another number of columns than it has")
    texts = _TEXTS | {WireType.GEOMETRY} if mariadb else _TEXTS
    collations = _collations(shapes, texts, fields, _DEFAULT_CHARSET, _COLUMN_CHARSET)
    collations |= _collations(shapes, _LABELS, fields, _DEFAULT_LABEL_CHARSET, _LABEL_CHARSET)
    unsigned = _unsigned(shapes, fields.get(_SIGNEDNESS, b""))
    labels = _labels(shapes, WireType.ENUM, fields.get(_ENUM_LABELS))
    labels |= _labels(shapes, WireType.SET, fields.get(_SET_LABELS))
    return tuple(
        WireColumn(
            name=names[index],
            type_code=code,
            metadata=metadata,
            unsigned=index in unsigned,
            nullable=bool(nulls[index // 8] >> index % 8 & 1),
            collation_id=collations.get(index),
            labels=labels.get(index, ()),
        )
        for index, (code, metadata) in enumerate(shapes)
    )


def _names(field: bytes) -> list[str]:
    reader, names = _Reader(field, 0, len(field)), []
    while reader.more():
        names.append(reader.take(reader.length()).decode("utf-8"))
    return names


def _labels(shapes: list[tuple[int, int]], kind: int, field: bytes | None) -> dict[int, tuple[bytes, ...]]:
    """The labels of all columns of that type by column index: a count, then each with its length."""
    if field is None:
        return {}
    indexes = [index for index, (code, _) in enumerate(shapes) if code == kind]
    reader = _Reader(field, 0, len(field))
    found = {i: tuple(reader.take(reader.length()) for _ in range(reader.length())) for i in indexes}
    if reader.more():
        raise DecodeError("a table map lists labels for another number of columns than it has")
    return found


def _unsigned(shapes: list[tuple[int, int]], bits: bytes) -> set[int]:
    """Indexes of the unsigned columns: one bit for each numeric one, the highest first."""
    numbers = [index for index, (code, _) in enumerate(shapes) if code in _NUMBERS]
    if bits and len(bits) * 8 < len(numbers):
        raise DecodeError("a table map's list of signs is too short")
    return {index for at, index in enumerate(numbers) if bits and bits[at // 8] << at % 8 & 0x80}


def _collations(
    shapes: list[tuple[int, int]], kinds: Collection[int], fields: dict[int, bytes], default: int, each: int
) -> dict[int, int]:
    """Collation ids by column index: one for each column, or a default with the exceptions to it."""
    indexes = [index for index, (code, _) in enumerate(shapes) if code in kinds]
    if each in fields:
        numbers = dict(enumerate(_integers(fields[each])))
    elif default in fields:
        first, *rest = _integers(fields[default])
        numbers = dict.fromkeys(range(len(indexes)), first)
        numbers.update(zip(rest[::2], rest[1::2], strict=False))
    else:
        return {}
    if len(numbers) != len(indexes):
        raise DecodeError("a table map lists character sets for another number of columns than it has")
    return {indexes[at]: number for at, number in numbers.items()}


def _integers(field: bytes) -> list[int]:
    reader, found = _Reader(field, 0, len(field)), []
    while reader.more():
        found.append(reader.length())
    return found
