"""The type table: which Postgres and which Arrow type carries each source type.

Pure. Both ways in (binlog and SELECT) end in the Arrow type given here; `load` writes it as text
that Postgres reads back exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from rowferry.geometry import KINDS as GEOMETRIES
from rowferry.table_schema import ColumnType


@dataclass(frozen=True, slots=True)
class DestinationType:
    """A Postgres type's text, and the Arrow type of the values on their way there.

    TIME travels as text (`[-]HHH:MM:SS[.ffffff]`), which Postgres reads as an interval; BIT(n) as its
    digits, VECTOR as `{1.5,2}`, UUID and addresses as their text.
    """

    postgres: str
    arrow: pa.DataType


_TYPE: Final = re.compile(r"([a-z ]+?)(?:\(([0-9]+(?:,[0-9]+)*)\))?( with(?:out)? time zone)?\Z")


def split_type(postgres: str) -> tuple[str, tuple[int, ...]]:
    """A Postgres type's name without its numbers, and these; a type that has no such form has no numbers.

    `character varying` is `varchar` here
    (https://www.postgresql.org/docs/current/datatype.html#DATATYPE-TABLE).
    """
    text = postgres.replace("character varying", "varchar")
    match = _TYPE.match(text)
    if match is None:
        return text, ()
    return match[1] + (match[3] or ""), tuple(map(int, (match[2] or "").split(","))) if match[2] else ()


def seconds_digits(postgres: str) -> int:
    """How many digits of a second a type of dates or times has (0 to 6, and 6 unless it says so)."""
    base, numbers = split_type(postgres)
    return 0 if base == "date" else (*numbers, 6)[0]


class UnsupportedType(ValueError):
    """A source type that Rowferry cannot carry exactly yet."""


_INTEGERS: Final = {
    ("tinyint", False): ("smallint", pa.int16()),
    ("tinyint", True): ("smallint", pa.int16()),
    ("smallint", False): ("smallint", pa.int16()),
    ("smallint", True): ("integer", pa.int32()),
    ("mediumint", False): ("integer", pa.int32()),
    ("mediumint", True): ("integer", pa.int32()),
    ("int", False): ("integer", pa.int32()),
    ("int", True): ("bigint", pa.int64()),
    ("bigint", False): ("bigint", pa.int64()),
    ("bigint", True): ("numeric(20,0)", pa.uint64()),
}
_TEXT: Final = frozenset({"tinytext", "text", "mediumtext", "longtext"})
_BYTES: Final = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})


def destination_type(source: ColumnType) -> DestinationType:
    """The Postgres and Arrow types for a source type. Raises UnsupportedType, naming it."""
    if (integer := _INTEGERS.get((source.base, source.unsigned))) is not None:
        return DestinationType(*integer)
    if source.base in _TEXT:
        return DestinationType("text", pa.large_string())
    if source.base in _BYTES:
        return DestinationType("bytea", pa.large_binary())
    if source.base in GEOMETRIES:
        return DestinationType("bytea", pa.large_binary())
    maker = _MAKERS.get(source.base)
    if maker is None:
        raise UnsupportedType(f"type {source.text or source.base} is not supported yet")
    return maker(source)


def _decimal(source: ColumnType) -> DestinationType:
    precision, scale = source.precision or 10, source.scale or 0
    arrow = pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    return DestinationType(f"numeric({precision},{scale})", arrow)


def _varchar(source: ColumnType) -> DestinationType:
    length = source.length or 0
    return DestinationType(f"varchar({length})" if length else "varchar", pa.large_string())


def _label(source: ColumnType) -> DestinationType:
    if source.charset in (None, "binary"):
        raise UnsupportedType(f"type {source.base} with labels in the character set binary is not supported")
    return _varchar(source) if source.base == "enum" else DestinationType("varchar", pa.large_string())


def _bit(source: ColumnType) -> DestinationType:
    width = source.length or 1
    if width == 1:
        return DestinationType("boolean", pa.bool_())
    return DestinationType(f"bit({width})", pa.string())


def _year(source: ColumnType) -> DestinationType:
    if source.text.startswith("year(2)"):
        raise UnsupportedType("type year(2) is not supported: a SELECT does not tell the century")
    return DestinationType("smallint", pa.int16())


_MAKERS: Final[dict[str, Callable[[ColumnType], DestinationType]]] = {
    "float": lambda _: DestinationType("real", pa.float32()),
    "double": lambda _: DestinationType("double precision", pa.float64()),
    "decimal": _decimal,
    "char": _varchar,
    "varchar": _varchar,
    "date": lambda _: DestinationType("date", pa.date32()),
    "datetime": lambda s: DestinationType(f"timestamp({s.fraction}) without time zone", pa.timestamp("us")),
    "timestamp": lambda s: DestinationType(
        f"timestamp({s.fraction}) with time zone", pa.timestamp("us", tz="UTC")
    ),
    "time": lambda _: DestinationType("interval", pa.string()),
    "json": lambda _: DestinationType("jsonb", pa.large_string()),
    "enum": _label,
    "set": _label,
    "bit": _bit,
    "year": _year,
    "vector": lambda _: DestinationType("real[]", pa.large_string()),
    "uuid": lambda _: DestinationType("uuid", pa.string()),
    "inet4": lambda _: DestinationType("inet", pa.string()),
    "inet6": lambda _: DestinationType("inet", pa.string()),
}
