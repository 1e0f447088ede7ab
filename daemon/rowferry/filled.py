"""What every row that was there before has in a column that ALTER TABLE has just added.

Pure. Only values of which a statement leaves no doubt: NULL, a literal that is written as the server prints
it, and what a column that is NOT NULL gets without a default
(https://dev.mysql.com/doc/refman/9.7/en/data-type-defaults.html). All else is Uncertain.
"""

from __future__ import annotations

import datetime as dt
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import pyarrow as pa

from rowferry.arrays import ValueNotCarriable
from rowferry.definitions import DefaultKind, Definition
from rowferry.overrides import as_text
from rowferry.policies import select_column
from rowferry.table_schema import Column, ColumnType
from rowferry.types import UnsupportedType


class Uncertain(ValueError):
    """Why the effect of a statement is not certain: names and kinds, no values."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A column that was added, and the text that Postgres reads as what all old rows have; None is NULL."""

    column: Column
    value: str | None = field(repr=False)


INTEGER_BYTES: Final = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8}
TEXTS: Final = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
_BLOBS: Final = TEXTS - {"char", "varchar"}
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,19}")
_DECIMAL: Final = re.compile(r"-?(?P<whole>0|[1-9][0-9]{0,64})(\.(?P<part>[0-9]{1,38}))?")
_PRINTABLE: Final = re.compile(r"[ -~]*")
_DAY: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_DATE: Final = re.compile(_DAY)
_DATETIME: Final = re.compile(rf"({_DAY}) {_CLOCK}(?:\.([0-9]{{1,6}}))?")
_TIME: Final = re.compile(r"(-?)([0-9]{2}|[1-9][0-9]{2}):[0-5][0-9]:[0-5][0-9](?:\.([0-9]{1,6}))?")
_ZERO_DAY: Final = "0000-00-00"
_MOST_HOURS: Final = 838


def filled(definition: Definition, column: Column) -> Filled:
    """The value in all old rows, as our converter of a SELECT makes it. Raises Uncertain.

    column: what the definition makes, with its policy.
    """
    try:
        convert = select_column(column, key=False)
        text = _printed(definition, column.type)
        if text is None:
            return Filled(column, None)
        array = convert([text.encode("ascii")]).array
    except UnsupportedType:
        raise Uncertain(f"column {column.name}: its type is not carried") from None
    except ValueNotCarriable:
        raise Uncertain(f"column {column.name}: its default cannot be carried") from None
    return Filled(column, for_postgres(array, column.type)[0])


def for_postgres(array: pa.Array, kind: ColumnType) -> list[str | None]:
    """Values as texts that Postgres reads exactly. Raises ValueNotCarriable."""
    zone = "+00" if pa.types.is_timestamp(array.type) and array.type.tz is not None else ""
    return [None if text is None else text + zone for text in as_text(array, kind).to_pylist()]


def _printed(definition: Definition, kind: ColumnType) -> str | None:
    """The text that a SELECT prints. Raises Uncertain."""
    given = definition.default
    if definition.nullable is None:
        raise Uncertain(f"column {definition.name}: whether it can be NULL depends on the server's settings")
    if given.kind is DefaultKind.NULL or (given.kind is DefaultKind.NONE and definition.nullable):
        return None
    if given.kind is DefaultKind.NONE:
        found = _implicit(kind)
    elif given.kind is DefaultKind.EXPRESSION or (kind.base in _BLOBS and definition.nullable):
        found = None  # MySQL may drop the default of a TEXT
    else:
        found = _literal(given.text, given.kind is DefaultKind.TEXT, kind)
    if found is None:
        raise Uncertain(f"column {definition.name}: the value in old rows is not certain")
    return found


def _implicit(kind: ColumnType) -> str | None:
    """What a NOT NULL column without a default has; None if it is not one of the simple kinds."""
    fraction = "." + "0" * kind.fraction if kind.fraction else ""
    if kind.base in INTEGER_BYTES or kind.base in ("decimal", "float", "double"):
        return "0"
    if kind.base in TEXTS:
        return ""
    zeros = {"date": _ZERO_DAY, "datetime": f"{_ZERO_DAY} 00:00:00{fraction}", "time": f"00:00:00{fraction}"}
    return zeros.get(kind.base)


def _literal(text: str, quoted: bool, kind: ColumnType) -> str | None:
    """The literal as it is printed; None unless it is written so, or only zeros lack behind the point."""
    if kind.base in INTEGER_BYTES:
        return _integer(text, kind)
    if kind.base in TEXTS:
        return text if quoted and _fits(text, kind) else None
    reader = _READERS.get(kind.base)
    wants_quotes = kind.base in ("date", "datetime", "timestamp", "time")
    return None if reader is None or (wants_quotes and not quoted) else reader(text, kind)


def _integer(text: str, kind: ColumnType) -> str | None:
    bits = 8 * INTEGER_BYTES[kind.base]
    low, high = (0, 1 << bits) if kind.unsigned else (-(1 << bits - 1), 1 << bits - 1)
    return text if _INTEGER.fullmatch(text) and low <= int(text) < high else None


def _fits(text: str, kind: ColumnType) -> bool:
    blanks = kind.base == "char" and text.endswith(" ")
    return bool(_PRINTABLE.fullmatch(text)) and len(text) <= (kind.length or 0) and not blanks


def _decimal(text: str, kind: ColumnType) -> str | None:
    match = _DECIMAL.fullmatch(text)
    if match is None or (text.startswith("-") and kind.unsigned):
        return None
    part, scale = match["part"] or "", kind.scale or 0
    whole = match["whole"].lstrip("0")
    if len(part) > scale or len(whole) > (kind.precision or 0) - scale or not text.strip("-0."):
        return "0" if re.fullmatch(r"0(\.0*)?", text) and len(part) <= scale else None
    return text


def _floating(text: str, kind: ColumnType) -> str | None:
    """A number that both kinds of floats hold exactly, so that no rounding is asked for."""
    match = _DECIMAL.fullmatch(text)
    if match is None or (text.startswith("-") and (kind.unsigned or not text.strip("-0."))):
        return None
    if "(" in kind.text or len(match["whole"] + (match["part"] or "")) > 15:
        return None
    exact: float = struct.unpack("<f", struct.pack("<f", float(text)))[0]
    return text if Decimal(exact) == Decimal(text) else None


def _date(text: str, _: ColumnType) -> str | None:
    return text if _DATE.fullmatch(text) and _is_day(text) else None


def _is_day(text: str) -> bool:
    try:
        return text == _ZERO_DAY or bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def _datetime(text: str, kind: ColumnType) -> str | None:
    match = _DATETIME.fullmatch(text)
    if match is None or not _is_day(match[1]) or len(match[2] or "") != kind.fraction:
        return None
    zero_day_only = match[1] == _ZERO_DAY and bool(text.partition(" ")[2].strip("0:."))
    return None if zero_day_only else text


def _timestamp(text: str, kind: ColumnType) -> str | None:
    """Only the zero: what others mean depends on the session's time zone."""
    return _datetime(text, kind) if text.startswith(_ZERO_DAY) else None


def _time(text: str, kind: ColumnType) -> str | None:
    match = _TIME.fullmatch(text)
    if match is None or len(match[3] or "") != kind.fraction or int(match[2]) > _MOST_HOURS:
        return None
    if match[1] and not text.strip("-0:."):
        return None
    return None if "838:59:59." in text and (match[3] or "").strip("0") else text


_READERS: Final[dict[str, Callable[[str, ColumnType], str | None]]] = {
    "decimal": _decimal,
    "float": _floating,
    "double": _floating,
    "date": _date,
    "datetime": _datetime,
    "timestamp": _timestamp,
    "time": _time,
}
