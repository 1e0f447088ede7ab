"""A column's value as one text in both servers' SQL, for checksums that are computed inside of them.

Pure. The law of these texts: if both servers give the same text, the values are the same. The other way
round it holds for exact columns only: an inexact column's texts may differ though its values do not
(a number in JSON, a double that the source prints with fewer digits than it has), and then the values
themselves must be compared. No text holds a comma, and none is `N`, which stands for NULL.

How the servers print: https://dev.mysql.com/doc/refman/9.7/en/cast-functions.html,
https://www.postgresql.org/docs/current/datatype-datetime.html (DateStyle ISO, IntervalStyle postgres).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from rowferry.geometry import KINDS as GEOMETRIES
from rowferry.overrides import column_type, family, other_type
from rowferry.policies import SET_ASIDE, zero_literal
from rowferry.table_schema import Column, ColumnType, TableSchema

NULL: Final = "'N'"
"""The text of NULL, also of what a policy makes NULL of."""
NOT_CARRIED: Final = "'Z'"
"""The text of a source's value that the destination cannot hold: Postgres never gives it."""
_NUMBERS: Final = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "year"})
_TEXTS: Final = frozenset(
    {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"}
)  # fmt: skip
_BYTES: Final = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_DATED: Final = frozenset({"date", "datetime", "timestamp"})
_NO_DATE: Final = (
    "YEAR({c}) = 0 OR MONTH({c}) = 0 OR DAYOFMONTH({c}) = 0 OR DAYOFMONTH({c}) > DAYOFMONTH(LAST_DAY({c}))"
)
_PLAIN: Final = "{c}::text"
_DIGEST_THERE: Final = "encode(sha256(convert_to({c}::text, 'UTF8')), 'hex')"
_WHOLE_EWKB: Final = (
    "SHA2(IF(LEFT(CAST({c} AS BINARY), 4) = X'00000000', SUBSTR(CAST({c} AS BINARY), 5),"
    " CONCAT(SUBSTR(CAST({c} AS BINARY), 5, 4), X'20', LEFT(CAST({c} AS BINARY), 4),"
    " SUBSTR(CAST({c} AS BINARY), 10))), 256)"
)
"""See `geometry`: the type's highest byte is the fourth of four, and gets PostGIS's flag for an SRID."""
_VECTOR_THERE: Final = (
    "CASE WHEN {c} IS NULL THEN NULL WHEN array_ndims({c}) > 1 THEN 'no vector' ELSE coalesce((SELECT"
    " string_agg(coalesce(substr(h, 7, 2) || substr(h, 5, 2) || substr(h, 3, 2) || substr(h, 1, 2), '?'),"
    " '' ORDER BY i) FROM (SELECT encode(float4send(e), 'hex') AS h, i"
    " FROM unnest({c}) WITH ORDINALITY AS u(e, i)) AS parts), '') END"
)


@dataclass(frozen=True, slots=True)
class RowText:
    """SQL with `{c}` in the place of the quoted column. exact: see the module."""

    source: str
    there: str
    exact: bool = True

    def in_source(self, quoted: str) -> str:
        """The expression for MySQL and MariaDB."""
        return self.source.replace("{c}", quoted)

    def in_destination(self, quoted: str) -> str:
        """The expression for Postgres."""
        return self.there.replace("{c}", quoted)


def inexact_columns(table: TableSchema) -> tuple[str, ...]:
    """The names of the columns whose texts may differ though the values do not. Raises UnsupportedType."""
    return tuple(c.name for c in table.columns if not row_text(c, key=c.name in table.key).exact)


def key_columns(table: TableSchema) -> list[Column]:
    """The key's columns in the key's order."""
    return [c for k in table.key if (c := table.column(k)) is not None]


def row_text(column: Column, *, key: bool) -> RowText:
    """The texts of a column with its policy. key: whether it belongs to the key. Raises UnsupportedType."""
    made = _chosen(column) if other_type(column) else _usual(column.type)
    if column.type.base not in _DATED:
        return made
    return replace(made, source=f"IF({_NO_DATE}, {_instead(column, made, key)}, {made.source})")


def _instead(column: Column, made: RowText, key: bool) -> str:
    """What stands for a date that is none."""
    wanted = column.policy.zero_dates
    if key or wanted in SET_ASIDE:
        return NOT_CARRIED
    if wanted == "null":
        return NULL
    if wanted == "keep":
        return made.source
    literal = zero_literal(column)
    if literal is None:
        return NOT_CARRIED
    return _written(literal, column)


def _written(literal: pa.Scalar, column: Column) -> str:
    """A literal's text, as SQL of the source."""
    value = literal.as_py()
    if pa.types.is_large_string(literal.type):
        return f"SHA2({_hexadecimal(value)}, 256)"
    if pa.types.is_date32(literal.type):
        clock = "" if column.type.base == "date" else " 00:00:00"
        return _hexadecimal(f"{value.isoformat()}{clock}")
    text = value.replace(tzinfo=None).isoformat(" ")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return _hexadecimal(text + ("+00" if literal.type.tz is not None else ""))


def _hexadecimal(text: str) -> str:
    return f"X'{text.encode().hex()}'"


def _usual(kind: ColumnType) -> RowText:
    """Of the type table's own Postgres type."""
    base = kind.base
    maker = _MAKERS.get(base)
    if maker is not None:
        return maker(kind)
    if base in GEOMETRIES:
        return RowText(_WHOLE_EWKB, "encode(sha256({c}), 'hex')")
    return _OTHERS.get(base, _fallback(kind))


_OTHERS: Final = {
    **dict.fromkeys(_NUMBERS, RowText("{c} + 0", _PLAIN)),
    **dict.fromkeys(_TEXTS, RowText("SHA2(CONVERT({c} USING utf8mb4), 256)", _DIGEST_THERE)),
    **dict.fromkeys(_BYTES, RowText("SHA2({c}, 256)", "encode(sha256({c}), 'hex')")),
    "date": RowText("CAST({c} AS CHAR)", _PLAIN),
    "uuid": RowText("LOWER(HEX({c}))", "replace({c}::text, '-', '')"),
    "inet4": RowText("CONCAT('02200004', LOWER(HEX({c})))", "encode(inet_send({c}), 'hex')"),
    "inet6": RowText("CONCAT('03800010', LOWER(HEX({c})))", "encode(inet_send({c}), 'hex')"),
    "vector": RowText("LOWER(HEX({c}))", _VECTOR_THERE),
}
"""inet_send writes the family, the bits of the mask, a zero, and the address behind its length."""


def _floating(_: ColumnType) -> RowText:
    """As the source prints a double, if that brings it back bit by bit; Postgres prints the shortest digits.

    They print the same for numbers of ordinary size.
    """
    text = "CONCAT({c} * 1e0)"
    return RowText(f"IF({text} + 0e0 <> {{c}} * 1e0, 'D', {text})", "({c}::float8)::text", exact=False)


def _bits(kind: ColumnType) -> RowText:
    width = kind.length or 1
    if width == 1:
        return RowText("{c} + 0", "{c}::int::text")
    return RowText(f"LPAD(BIN({{c}} + 0), {width}, '0')", _PLAIN)


def _numeric(kind: ColumnType) -> RowText:
    """0 has no sign in Postgres."""
    return RowText(f"IF({{c}} = 0, '0', {_decimal(kind)})", "CASE WHEN {c} = 0 THEN '0' ELSE {c}::text END")


def _clock(kind: ColumnType) -> RowText:
    return RowText(_short_clock(kind), _PLAIN)


_MAKERS: Final[dict[str, Callable[[ColumnType], RowText]]] = {
    "float": _floating,
    "double": _floating,
    "bit": _bits,
    "decimal": _numeric,
    "datetime": _clock,
    "timestamp": _clock,
    "time": _clock,
}


def _decimal(kind: ColumnType) -> str:
    return "CAST({c} + 0 AS CHAR)" if "zerofill" in kind.text else "CAST({c} AS CHAR)"


def _short_clock(kind: ColumnType) -> str:
    """As Postgres prints it: no zeros behind the last digit of the fraction."""
    text = "CAST({c} AS CHAR)"
    if kind.fraction:
        text = f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text}))"
    return f"CONCAT({text}, '+00')" if kind.base == "timestamp" else text


def _short_decimal(kind: ColumnType) -> str:
    text = _decimal(kind)
    short = f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text}))" if kind.scale else text
    return f"IF({{c}} = 0, '0', {short})"


def _chosen(column: Column) -> RowText:
    """Of a Postgres type that the settings ask for, or that the column keeps."""
    kind = column.type
    target = column_type(column).postgres
    base, found = target.partition("(")[0], family(kind)
    if base in ("text", "varchar"):
        return _fallback(kind)
    if base in ("smallint", "integer", "bigint", "numeric") and found in ("integer", "boolean", "bits"):
        return RowText("{c} + 0", "trim_scale({c}::numeric)::text")
    if base == "numeric" and found == "decimal":
        return RowText(_short_decimal(kind), "trim_scale({c})::text")
    if base == "boolean" and found == "integer":
        return RowText("{c} + 0", "{c}::int::text")
    if base == "uuid" and found == "bytes":
        return RowText("LOWER(HEX({c}))", "replace({c}::text, '-', '')")
    return _temporal(kind, base, found) or replace(_fallback(kind), exact=False)


def _temporal(kind: ColumnType, base: str, found: str) -> RowText | None:
    """Of a type of dates or times, if the source's column has one, too."""
    if base.startswith("timestamp"):
        midnight = "CONCAT(CAST({c} AS CHAR), ' 00:00:00')"
        return RowText(midnight if found == "date" else _short_clock(kind), _PLAIN)
    if base == "date" and found == "datetime":
        return RowText(_short_clock(kind), "{c}::text || ' 00:00:00'")
    if base == "time without time zone" and found == "time":
        return RowText(_short_clock(kind), _PLAIN)
    return None


def _fallback(kind: ColumnType) -> RowText:
    """The digests of both servers' texts: exact where Rowferry makes the source's own text of a value."""
    text, exact = _source_text(kind)
    return RowText(f"SHA2({text}, 256)", _DIGEST_THERE, exact)


def _source_text(kind: ColumnType) -> tuple[str, bool]:
    base = kind.base
    if base == "year":
        return "LPAD({c} + 0, 4, '0')", True
    if base in _NUMBERS:
        return "CAST({c} + 0 AS CHAR)", True
    if base in _TEXTS:
        return "CONVERT({c} USING utf8mb4)", True
    if base in _BYTES:
        return "{c}", True
    if base in (*_DATED, "time"):
        return "CAST({c} AS CHAR)", True
    if base == "bit":
        return f"LPAD(BIN({{c}} + 0), {kind.length or 1}, '0')", True
    if base in ("float", "double"):
        return "CONCAT({c} * 1e0)", False
    return _decimal(kind) if base == "decimal" else "CAST({c} AS CHAR)", False
