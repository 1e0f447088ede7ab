"""How each kind of value is rendered as canonical text: by the source in SQL, by the destination in SQL.

A canonical text is equal on both sides exactly if the values are. Part of the comparer; shares nothing
with Rowferry itself, on purpose: it must not make the same mistake twice.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from rowferry_lab.compare_forms import canonical_json, extended_wkb, vector_bits

Text = str | None


class CannotCompare(Exception):
    """Something cannot be compared faithfully; says what, never a value."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One family of types.

    source, destination: SQL with `{c}` in the place of the quoted column. destination_types: the
    Postgres types that may hold it. normalise: makes the source's text canonical where its SQL cannot.
    order_by_value: both servers order by the value itself, which `order` reads from canonical text;
    otherwise by canonical text, byte by byte.
    """

    name: str
    source: str
    destination: str
    destination_types: frozenset[str]
    normalise: Callable[[str], str] | None = None
    normalise_destination: Callable[[str], str] | None = None
    order_by_value: bool = False
    order: Callable[[str], object] = str


def double_bits(text: str) -> str:
    """The bits of a double that the source printed with all its digits."""
    return struct.pack(">d", float(text)).hex()


def float_bits(text: str) -> str:
    """The bits of a float that the source printed as the double of the same value."""
    return struct.pack(">f", -0.0 if text == _MINUS_ZERO else float(text)).hex()


def plain_decimal(text: str) -> str:
    """A decimal without leading zeros, trailing zeros of the fraction, or the sign of zero."""
    digits = text.lstrip("-")
    whole, _, fraction = digits.partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    number = f"{whole}.{fraction}" if fraction else whole
    return f"-{number}" if text.startswith("-") and number != "0" else number


def short_fraction(text: str) -> str:
    """Seconds as Postgres prints them: without trailing zeros of the fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def instant(text: str) -> str:
    """A UTC timestamp as Postgres prints it under TimeZone UTC."""
    return short_fraction(text) + "+00"


def time_microseconds(text: str) -> str:
    """A signed TIME as a number of microseconds."""
    found = re.fullmatch(r"(-?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?", text)
    if found is None:
        raise CannotCompare("the source printed a TIME in an unknown form")
    sign, hours, minutes, seconds, fraction = found.groups()
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    total = whole * 10**6 + int((fraction or "").ljust(6, "0"))
    return str(-total if sign else total)


def _order_double(bits: str) -> object:
    return struct.unpack(">d", bytes.fromhex(bits))[0]


def _order_float(bits: str) -> object:
    return struct.unpack(">f", bytes.fromhex(bits))[0]


# With a zero part, or with the 31st of February, it is no date in Postgres: NULL is expected there.
_NO_DATE: Final = (
    "IF(YEAR({c}) = 0 OR MONTH({c}) = 0 OR DAYOFMONTH({c}) = 0 "
    "OR DAYOFMONTH({c}) > DAYOFMONTH(LAST_DAY({c})), "
)
_REAL_DATE: Final = _NO_DATE + "NULL, CAST({c} AS CHAR))"
# A factor of 1e0 makes every digit show, also of FLOAT and DOUBLE(M,D). It must stay a number: MySQL cuts
# long ones off when it makes text of them inside SQL.
_ALL_DIGITS: Final = "{c} * 1e0"
# Not every MariaDB prints the sign of a FLOAT that underflowed to minus zero: a number that no FLOAT has
# stands for it.
_MINUS_ZERO: Final = "1e300"
_ALL_FLOAT_DIGITS: Final = f"IF({{c}} = 0 AND ATAN2({{c}}, -1e0) < 0, {_MINUS_ZERO}, {{c}} * 1e0)"
_TEXT_TYPES: Final = frozenset({"varchar", "text", "bpchar"})
_TEXT_HEX: Final = "encode(convert_to({c}::text, 'UTF8'), 'hex')"

INTEGER: Final = Kind(
    "integer", "{c} + 0", "{c}::text", frozenset({"int2", "int4", "int8", "numeric"}),
    normalise_destination=plain_decimal, order_by_value=True, order=int,
)  # fmt: skip
DECIMAL: Final = Kind(
    "decimal", "CAST({c} AS CHAR)", "{c}::text", frozenset({"numeric"}),
    plain_decimal, plain_decimal, order_by_value=True, order=Decimal,
)  # fmt: skip
DOUBLE: Final = Kind(
    "double", _ALL_DIGITS, "encode(float8send({c}), 'hex')", frozenset({"float8"}),
    double_bits, order_by_value=True, order=_order_double,
)  # fmt: skip
FLOAT: Final = Kind(
    "float", _ALL_FLOAT_DIGITS, "encode(float4send({c}), 'hex')", frozenset({"float4"}),
    float_bits, order_by_value=True, order=_order_float,
)  # fmt: skip
TEXT: Final = Kind("text", "LOWER(HEX(CONVERT({c} USING utf8mb4)))", _TEXT_HEX, _TEXT_TYPES)
BINARY: Final = Kind("binary", "LOWER(HEX({c}))", "encode({c}, 'hex')", frozenset({"bytea"}))
DATE: Final = Kind("date", _REAL_DATE, "{c}::text", frozenset({"date"}))
DATETIME: Final = Kind("datetime", _REAL_DATE, "{c}::text", frozenset({"timestamp"}), short_fraction)
TIMESTAMP: Final = Kind("timestamp", _REAL_DATE, "{c}::text", frozenset({"timestamptz"}), instant)
TIME: Final = Kind(
    "time", "CAST({c} AS CHAR)", "(extract(epoch from {c}) * 1000000)::bigint::text", frozenset({"interval"}),
    time_microseconds, order_by_value=True, order=int,
)  # fmt: skip
BOOLEAN_BIT: Final = Kind("bit(1)", "BIN({c} + 0)", "{c}::int::text", frozenset({"bool"}))
JSON: Final = Kind(
    "json", "CAST({c} AS CHAR)", "{c}::text", frozenset({"jsonb"}), canonical_json, canonical_json
)
UUID: Final = Kind("uuid", "LOWER(HEX({c}))", "replace({c}::text, '-', '')", frozenset({"uuid"}))
# inet_send writes the family, the bits of the mask, a zero, and the address behind its length.
_INET_HEX: Final = "encode(inet_send({c}), 'hex')"
INET4: Final = Kind("inet4", "CONCAT('02200004', LOWER(HEX({c})))", _INET_HEX, frozenset({"inet"}))
INET6: Final = Kind("inet6", "CONCAT('03800010', LOWER(HEX({c})))", _INET_HEX, frozenset({"inet"}))
_WKB: Final = "COALESCE(CONCAT(ST_SRID({c}), ':', HEX({wkb})), CONCAT('malformed ', HEX({c})))"
_MYSQL_WKB: Final = "ST_AsBinary({c}, 'axis-order=long-lat')"
_MARIADB_WKB: Final = "ST_AsBinary({c})"
VECTOR: Final = Kind(
    "vector",
    "HEX({c})",
    "CASE WHEN {c} IS NOT NULL THEN coalesce(array_ndims({c}), 0) || ':' || coalesce(("
    "SELECT string_agg(coalesce(encode(float4send(e), 'hex'), 'NULL'), '' ORDER BY i) "
    "FROM unnest({c}) WITH ORDINALITY AS u(e, i)), '') END",
    frozenset({"_float4"}),
    vector_bits,
)
_GEOMETRY_TYPES: Final = frozenset(
    {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
     "geometrycollection", "geomcollection"}
)  # fmt: skip

_BY_SOURCE_TYPE: Final = (
    dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), INTEGER)
    | dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"), TEXT)
    | dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), BINARY)
    | {"decimal": DECIMAL, "double": DOUBLE, "float": FLOAT, "time": TIME}
    | {"date": DATE, "datetime": DATETIME, "timestamp": TIMESTAMP}
    | {"json": JSON, "uuid": UUID, "inet4": INET4, "inet6": INET6, "vector": VECTOR}
)


def kind_of(data_type: str, column_type: str, mariadb: bool) -> Kind | None:
    """The kind of a column by information_schema's DATA_TYPE and COLUMN_TYPE; None where it is unknown.

    YEAR(2) is unknown: 0 and 2000 look the same.
    """
    if data_type == "bit":
        return _bits(int(column_type.partition("(")[2].rstrip(")") or "1"))
    if data_type in _GEOMETRY_TYPES:
        return _geometry(_MARIADB_WKB if mariadb else _MYSQL_WKB)
    return None if column_type == "year(2)" else _BY_SOURCE_TYPE.get(data_type)


def with_zero_date(kind: Kind, literal: str) -> Kind:
    """The kind of a DATE, DATETIME or TIMESTAMP column that has this literal where there is no date.

    literal: as the source prints such a value in UTC. Raises CannotCompare for anything else.
    """
    if not kind.source.startswith(_NO_DATE) or not re.fullmatch(r"[-0-9 :.]+", literal):
        raise CannotCompare(f"a literal for the zero dates of the source's {kind.name}")
    return replace(kind, source=f"{_NO_DATE}'{literal}', CAST({{c}} AS CHAR))")


def _bits(width: int) -> Kind:
    if width == 1:
        return BOOLEAN_BIT
    return Kind(f"bit({width})", f"LPAD(BIN({{c}} + 0), {width}, '0')", "{c}::text", frozenset({"bit"}))


def _geometry(wkb: str) -> Kind:
    source = "IF({c} IS NULL, NULL, " + _WKB.replace("{wkb}", wkb) + ")"
    return Kind("geometry", source, BINARY.destination, BINARY.destination_types, extended_wkb)
