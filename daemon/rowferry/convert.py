"""Columns of raw values to Arrow, from both ways in: the binlog's images and SELECT's text.

Pure, a column at a time. For one stored value both ways give the same Arrow value, of the type that
`types.destination_type` names. Nothing is guessed: what the wire says must fit what the catalogue
says, else LayoutMismatch; a value that the destination cannot hold is a ValueNotCarriable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from rowferry import fixed_kinds, geometry, labels, temporal, temporal_hires
from rowferry.arrays import (
    Converted,
    LayoutMismatch,
    ValueNotCarriable,
    as_binary,
    byte_matrix,
    from_numpy,
    little_endian,
)
from rowferry.changes import WireColumn
from rowferry.charsets import charset_of_collation, text_decoder
from rowferry.compressed import uncompressed_first
from rowferry.decimals import wire_decimal
from rowferry.mysql_json import text_json, wire_json
from rowferry.table_schema import Column
from rowferry.types import destination_type
from rowferry.wire_types import WireType, describe

__all__ = [
    "Converted",
    "Converter",
    "LayoutMismatch",
    "ValueNotCarriable",
    "binlog_converter",
    "select_expression",
    "text_converter",
]

Converter = Callable[[Sequence[Any]], Converted]

BINARY_COLLATION: Final = 63

_TEXT: Final = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
_BYTES: Final = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_STRING_TYPES: Final = {
    "char": {WireType.STRING},
    "binary": {WireType.STRING},
    "varchar": {WireType.VARCHAR, WireType.VAR_STRING, WireType.VARCHAR_COMPRESSED},
    "varbinary": {WireType.VARCHAR, WireType.VAR_STRING, WireType.VARCHAR_COMPRESSED},
}
_BLOB_TYPES: Final = {WireType.BLOB, WireType.BLOB_COMPRESSED}
_WIRE_TYPES: Final = {
    "tinyint": {WireType.TINY},
    "smallint": {WireType.SHORT},
    "mediumint": {WireType.INT24},
    "int": {WireType.LONG},
    "bigint": {WireType.LONGLONG},
    "float": {WireType.FLOAT},
    "double": {WireType.DOUBLE},
    "decimal": {WireType.NEWDECIMAL},
    "date": {WireType.DATE, WireType.NEWDATE},
    "datetime": {WireType.DATETIME, WireType.DATETIME2},
    "timestamp": {WireType.TIMESTAMP, WireType.TIMESTAMP2},
    "time": {WireType.TIME, WireType.TIME2},
    "json": {WireType.JSON},
    "enum": {WireType.ENUM},
    "set": {WireType.SET},
    "bit": {WireType.BIT},
    "year": {WireType.YEAR},
    "vector": {WireType.VECTOR, WireType.VARCHAR},
    "uuid": {WireType.STRING},
    "inet4": {WireType.STRING},
    "inet6": {WireType.STRING},
    **dict.fromkeys(geometry.KINDS, {WireType.GEOMETRY}),
    **_STRING_TYPES,
}
_ADDRESS_BYTES: Final = {"uuid": 16, "inet4": 4, "inet6": 16}
_TIMES: Final = frozenset({"time", "datetime", "timestamp"})
_SIGNED: Final = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})


def binlog_converter(wire: WireColumn, column: Column) -> Converter:
    """A function from raw values of the binlog (see `decode`) to that catalogue column's array.

    wire: of a layout that `temporal_hires.with_catalogue` has completed.
    Raises LayoutMismatch if the wire's column cannot be the catalogue's (another type, signedness,
    precision, fraction, text against bytes, BINARY or BIT of another length, no labels), UnsupportedType
    for a type or character set that is not carried yet.
    """
    kind = destination_type(column.type).arrow
    _check_layout(wire, column)
    base = column.type.base
    if base in _TEXT:
        return uncompressed_first(wire, _text(_wire_charset(wire, column), column.name))
    if base == "binary":
        return _padded_bytes(wire.metadata)
    if base in _BYTES:
        return uncompressed_first(wire, _array(kind))
    if base == "json":
        return wire_json(column.name)
    if base == "mediumint":
        return _mediumint(wire)
    if base == "decimal":
        return wire_decimal(column.name, wire.metadata >> 8, wire.metadata & 0xFF, kind)
    return _wire_special(wire, column) or _wire_temporal(wire, column, kind) or _array(kind)


def _check_layout(wire: WireColumn, column: Column) -> None:
    """Raise LayoutMismatch unless values of the wire's column can be the catalogue column's."""
    kind = column.type
    if wire.type_code not in _WIRE_TYPES.get(kind.base, _BLOB_TYPES):
        raise _mismatch(wire, column, "another type")
    if kind.base in _SIGNED and wire.unsigned != kind.unsigned:
        raise _mismatch(wire, column, "another signedness")
    if kind.base == "decimal" and wire.metadata != (kind.precision or 10) << 8 | (kind.scale or 0):
        raise _mismatch(wire, column, "another precision or scale")
    if kind.base in _TIMES and wire.metadata != kind.fraction:
        raise _mismatch(wire, column, "another number of fractional digits")
    if kind.base in _TEXT | _BYTES:
        _check_strings(wire, column)
    if kind.base == "bit" and wire.metadata != (kind.length or 1):
        raise _mismatch(wire, column, "another number of bits")
    if wire.metadata != _ADDRESS_BYTES.get(kind.base, wire.metadata):
        raise _mismatch(wire, column, "another length")
    if kind.base in _ADDRESS_BYTES or kind.base == "vector":
        _check_is_bytes(wire, column)


def _check_is_bytes(wire: WireColumn, column: Column) -> None:
    if wire.collation_id not in (None, BINARY_COLLATION):
        raise _mismatch(wire, column, "text against bytes")


def _check_strings(wire: WireColumn, column: Column) -> None:
    kind, collation = column.type, wire.collation_id
    if collation is not None and (collation == BINARY_COLLATION) != (kind.base in _BYTES):
        raise _mismatch(wire, column, "text against bytes")
    if kind.base == "binary" and kind.length is not None and wire.metadata != kind.length:
        raise _mismatch(wire, column, "another length")


def _mismatch(wire: WireColumn, column: Column, what: str) -> LayoutMismatch:
    kind = column.type.text or column.type.base
    return LayoutMismatch(
        f"column {column.name}: the binlog's type {describe(wire)} is not the catalogue's {kind}: {what}"
    )


def _wire_charset(wire: WireColumn, column: Column) -> str:
    """The character set of the bytes in the binlog: the event's own, which may be older."""
    if wire.collation_id is not None:
        return charset_of_collation(wire.collation_id)
    return column.type.charset or "unknown"


def _wire_special(wire: WireColumn, column: Column) -> Converter | None:
    name = column.name
    makers: dict[str, Callable[[], Converter]] = {
        "enum": lambda: labels.wire_enum(wire, _wire_charset(wire, column)),
        "set": lambda: labels.wire_set(wire, _wire_charset(wire, column)),
        "year": fixed_kinds.wire_year,
        "uuid": lambda: fixed_kinds.wire_uuid(name),
        "inet4": lambda: fixed_kinds.wire_inet4(name),
        "inet6": lambda: fixed_kinds.wire_inet6(name),
    }
    maker = makers.get(column.type.base)
    return maker() if maker else _alike_both_ways(column)


def _alike_both_ways(column: Column) -> Converter | None:
    """The types whose bytes a SELECT sends as the binlog does."""
    kind = column.type
    if kind.base == "bit":
        return fixed_kinds.bits(column.name, kind.length or 1)
    if kind.base == "vector":
        return fixed_kinds.vector(column.name)
    return geometry.ewkb(column.name) if kind.base in geometry.KINDS else None


def _wire_temporal(wire: WireColumn, column: Column, kind: pa.DataType) -> Converter | None:
    name, fraction = column.name, column.type.fraction
    makers: dict[int, Callable[[], Converter]] = {
        WireType.DATE: lambda: temporal.wire_date(name),
        WireType.NEWDATE: lambda: temporal.wire_date(name),
        WireType.DATETIME2: lambda: temporal.wire_datetime(name, fraction, kind),
        WireType.DATETIME: lambda: temporal_hires.old_datetime(name, fraction, kind),
        WireType.TIMESTAMP2: lambda: temporal.wire_timestamp(name, fraction, kind),
        WireType.TIMESTAMP: lambda: temporal_hires.old_timestamp(name, fraction, kind),
        WireType.TIME2: lambda: temporal.wire_time(name, fraction),
        WireType.TIME: lambda: temporal_hires.old_time(name, fraction),
    }
    maker = makers.get(wire.type_code)
    return maker() if maker else None


_TEXT_MAKERS: Final[dict[str, Callable[[str], Converter]]] = {
    "date": temporal.text_date,
    "time": temporal.text_time,
    "uuid": fixed_kinds.text_uuid,
    "inet4": fixed_kinds.text_inet4,
    "inet6": fixed_kinds.text_inet6,
    "json": text_json,
}


def text_converter(column: Column) -> Converter:
    """A function from values as a SELECT of `select_expression` sends them to the column's array.

    They may come as an array of large_binary, without bytes where it is NULL (see `text_columns`).
    The session must have `character_set_results=NULL`, `time_zone='+00:00'` and an `sql_mode` that
    changes no values (`mysql_source.connect_for_copy`).
    Raises UnsupportedType for a type or character set that is not carried yet.
    """
    kind, base, name = destination_type(column.type).arrow, column.type.base, column.name
    if base in _TEXT or base in ("enum", "set"):
        return _text(column.type.charset or "unknown", name)
    if base in _BYTES:
        return lambda values: Converted(as_binary(values))
    if (maker := _TEXT_MAKERS.get(base)) is not None:
        return maker(name)
    if (alike := _alike_both_ways(column)) is not None:
        return alike
    if base in ("datetime", "timestamp"):
        return temporal.text_datetime(name, column.type.fraction, kind)
    return _number_text(kind, name)


def select_expression(column: Column, quoted_name: str) -> str:
    """The expression to select so that the server's text for it is exact.

    The server prints FLOAT with six digits, and DOUBLE(m,d) with d; multiplied by a double both
    become a plain double, which it prints with as many digits as bring it back bit by bit.
    """
    return f"{quoted_name} * 1e0" if column.type.base in ("float", "double") else quoted_name


def _array(kind: pa.DataType) -> Converter:
    return lambda values: Converted(pa.array(values, kind))


def _text(charset: str, name: str) -> Converter:
    decode = text_decoder(charset, name)
    return lambda values: Converted(decode(values))


def _padded_bytes(length: int) -> Converter:
    """BINARY(n): the binlog leaves out trailing zero bytes."""

    def convert(values: Sequence[bytes | None]) -> Converted:
        padded = [None if v is None else v.ljust(length, b"\0") for v in values]
        return Converted(pa.array(padded, pa.large_binary()))

    return convert


def _mediumint(wire: WireColumn) -> Converter:
    """MEDIUMINT: 3 bytes, little-endian."""

    def convert(values: Sequence[bytes | None]) -> Converted:
        matrix, valid = byte_matrix(values, 3, wire.name)
        numbers = little_endian(matrix)
        if not wire.unsigned:
            numbers = np.where(numbers >= 1 << 23, numbers - (1 << 24), numbers)
        return Converted(from_numpy(pa.int32(), numbers.astype(np.int32), valid))

    return convert


def _number_text(kind: pa.DataType, name: str) -> Converter:
    """Integers, doubles and decimals in decimal digits, leading zeros (ZEROFILL) allowed.

    Anything else is no number; no text at all (invalid UTF-8) too, if the column has just got another type.
    """
    through = pa.float64() if pa.types.is_floating(kind) else kind

    def convert(values: Sequence[bytes | None]) -> Converted:
        given = as_binary(values)
        try:
            return Converted(given.cast(pa.large_string()).cast(through).cast(kind))
        except pa.ArrowInvalid:
            wrong = _first_wrong(given, kind)
        raise ValueNotCarriable(name, wrong, f"text that is no {kind}")

    return convert


def _first_wrong(given: pa.Array, kind: pa.DataType) -> int:
    for index in range(len(given)):
        try:
            given.slice(index, 1).cast(pa.large_string()).cast(kind)
        except pa.ArrowInvalid:
            return index
    return 0
