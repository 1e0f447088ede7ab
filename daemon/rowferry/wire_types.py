"""How a binlog stores the columns of a row image: type numbers and sizes.

Pure. Knows how many bytes a value takes; knows nothing of what the bytes mean (`convert` does).
`WireColumn.metadata` is, by type: VARCHAR, VAR_STRING, STRING: the greatest length in bytes;
VARCHAR_COMPRESSED: one more than that; BLOB, BLOB_COMPRESSED, JSON, GEOMETRY, VECTOR: bytes of the length
in front; NEWDECIMAL: precision * 256 + scale; TIMESTAMP2, DATETIME2, TIME2: digits of the fraction;
TIMESTAMP, DATETIME, TIME: the same, which no event tells (`temporal_hires.with_catalogue` adds them);
ENUM, SET: bytes; BIT: bits; FLOAT, DOUBLE: bytes; 0 for all others.

Sources: MySQL's field_types.h and rpl_utility.cc (calc_field_size), MariaDB's the same; both agree for
every type here (https://dev.mysql.com/doc/dev/mysql-server/latest/classTable__map__log__event.html).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from rowferry.changes import WireColumn


class WireType(IntEnum):
    """Type numbers of the protocol, as a TABLE_MAP event names them."""

    TINY = 1
    SHORT = 2
    LONG = 3
    FLOAT = 4
    DOUBLE = 5
    TIMESTAMP = 7
    LONGLONG = 8
    INT24 = 9
    DATE = 10
    TIME = 11
    DATETIME = 12
    YEAR = 13
    NEWDATE = 14
    VARCHAR = 15
    BIT = 16
    TIMESTAMP2 = 17
    DATETIME2 = 18
    TIME2 = 19
    BLOB_COMPRESSED = 140
    VARCHAR_COMPRESSED = 141
    VECTOR = 242
    JSON = 245
    NEWDECIMAL = 246
    ENUM = 247
    SET = 248
    BLOB = 252
    VAR_STRING = 253
    STRING = 254
    GEOMETRY = 255


class DecodeError(ValueError):
    """A row image, or the layout that describes it, cannot be read; never carries a value."""


class MetadataMissing(DecodeError):
    """A TABLE_MAP event names no columns: it was written without binlog_row_metadata=FULL."""

    hint = "set binlog_row_metadata=FULL on the source, then resync"


@dataclass(frozen=True, slots=True)
class Storage:
    """Where a value's bytes are. Exactly one of the two is set.

    fixed: a `struct` code for a value of constant size. prefix: bytes of the length in front of a
    variable one (1 to 4, little-endian).
    """

    fixed: str = ""
    prefix: int = 0


_STRINGS: Final = frozenset(
    {WireType.VARCHAR, WireType.VAR_STRING, WireType.STRING, WireType.VARCHAR_COMPRESSED}
)
_BLOBS: Final = frozenset(
    {WireType.BLOB, WireType.JSON, WireType.GEOMETRY, WireType.VECTOR, WireType.BLOB_COMPRESSED}
)
_SMALL_NUMBERS: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}
OLD_TEMPORAL_BYTES: Final[dict[int, tuple[int, ...]]] = {
    WireType.TIMESTAMP: (4, 5, 5, 6, 6, 7, 7),
    WireType.TIME: (3, 4, 4, 5, 5, 5, 6),
    WireType.DATETIME: (8, 6, 6, 7, 7, 7, 8),
}
"""Bytes of the types before MySQL 5.6, by digits of the fraction (MariaDB's sql/field.cc)."""
_DIGITS_TO_BYTES: Final = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


def storage(column: WireColumn) -> Storage:
    """How a value of that column is stored. Raises DecodeError naming column and type number."""
    if column.type_code in _STRINGS:
        return Storage(prefix=1 if column.metadata < 256 else 2)
    if column.type_code in _BLOBS and 1 <= column.metadata <= 4:
        return Storage(prefix=column.metadata)
    fixed = _FIXED.get(column.type_code, _unknown)(column)
    if not fixed:
        raise DecodeError(f"column {column.name}: cannot read type {describe(column)}")
    return Storage(fixed)


def describe(column: WireColumn) -> str:
    """Type number and metadata, for messages."""
    return f"{column.type_code} with metadata {column.metadata}"


Form = Callable[[WireColumn], str]
"""From a column to the `struct` code of its values; "" for metadata that the type cannot have."""


def _unknown(_: WireColumn) -> str:
    return ""


def _integer(code: str) -> Form:
    return lambda column: code.upper() if column.unsigned else code


def _constant(code: str) -> Form:
    return lambda _: code


def _old_temporal(column: WireColumn) -> str:
    return f"{OLD_TEMPORAL_BYTES[column.type_code][column.metadata]}s" if column.metadata <= 6 else ""


def _with_fraction(size: int) -> Form:
    return lambda column: f"{size + fraction_bytes(column.metadata)}s" if column.metadata <= 6 else ""


def _decimal(column: WireColumn) -> str:
    precision, scale = column.metadata >> 8, column.metadata & 0xFF
    return f"{decimal_bytes(precision, scale)}s" if 0 < precision <= 65 and scale <= precision else ""


def _enum(column: WireColumn) -> str:
    return _SMALL_NUMBERS[column.metadata] if column.metadata in (1, 2) else ""


def _set(column: WireColumn) -> str:
    size = column.metadata
    return "3s" if size == 3 else _SMALL_NUMBERS.get(size, "")


def _bits(column: WireColumn) -> str:
    return f"{(column.metadata + 7) // 8}s" if 1 <= column.metadata <= 64 else ""


_FIXED: Final[dict[int, Form]] = {
    WireType.TINY: _integer("b"),
    WireType.SHORT: _integer("h"),
    WireType.LONG: _integer("i"),
    WireType.LONGLONG: _integer("q"),
    WireType.INT24: _constant("3s"),
    WireType.FLOAT: _constant("f"),
    WireType.DOUBLE: _constant("d"),
    WireType.DATE: _constant("3s"),
    WireType.NEWDATE: _constant("3s"),
    WireType.YEAR: _constant("B"),
    WireType.TIMESTAMP: _old_temporal,
    WireType.TIME: _old_temporal,
    WireType.DATETIME: _old_temporal,
    WireType.TIMESTAMP2: _with_fraction(4),
    WireType.TIME2: _with_fraction(3),
    WireType.DATETIME2: _with_fraction(5),
    WireType.NEWDECIMAL: _decimal,
    WireType.ENUM: _enum,
    WireType.SET: _set,
    WireType.BIT: _bits,
}


def fraction_bytes(digits: int) -> int:
    """Bytes that so many digits of fractional seconds take in the types of MySQL 5.6."""
    return (digits + 1) // 2


def decimal_bytes(precision: int, scale: int) -> int:
    """Bytes of a DECIMAL(precision, scale): nine digits in four bytes, the rest packed (decimal.cc)."""
    whole, rest = divmod(precision - scale, 9)
    fraction, tail = divmod(scale, 9)
    return 4 * (whole + fraction) + _DIGITS_TO_BYTES[rest] + _DIGITS_TO_BYTES[tail]


def decimal_groups(precision: int, scale: int) -> list[tuple[int, int]]:
    """The groups of a DECIMAL from left to right, as (bytes, digits)."""
    whole, rest = divmod(precision - scale, 9)
    fraction, tail = divmod(scale, 9)
    groups = [(_DIGITS_TO_BYTES[rest], rest), *([(4, 9)] * (whole + fraction))]
    groups.append((_DIGITS_TO_BYTES[tail], tail))
    return [group for group in groups if group[0]]
