"""Other Postgres types for a column than the default, as the settings may ask for.

Pure. An override takes the array that the type table makes and casts it; every cast is exact or raises
ValueNotCarriable, nothing is rounded, cut or guessed.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from rowferry.arrays import ValueNotCarriable
from rowferry.json_texts import json_problem
from rowferry.table_schema import Column, ColumnType
from rowferry.types import DestinationType, UnsupportedType, destination_type, seconds_digits, split_type

Cast = Callable[[pa.Array, str], pa.Array]
"""From the array of the default type, and the column's name for errors."""

_TEXT: Final = pa.large_string()
_INTEGERS: Final = {"smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64()}
_NUMBER: Final = re.compile(r"(?!-0(\.0*)?\Z)-?(0|[1-9][0-9]{0,999})(\.[0-9]{1,1000})?\Z")
"""As a number is printed: no sign, zero or point that reading it would lose."""
_BITS: Final = re.compile(r"[01]+\Z")
_CLOCK: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?$"
_UUID: Final = re.compile(r"(\{)?[0-9a-fA-F]{8}(-)?([0-9a-fA-F]{4}(?(2)-)){3}[0-9a-fA-F]{12}(?(1)\})")
"""As Postgres takes it too; Python's own reader takes signs, blanks and `_` for digits."""
_LIMITS: Final = {"numeric": (1, 1000), "varchar": (1, 10_485_760)}
_FROM: Final[dict[str, frozenset[str]]] = {
    "boolean": frozenset({"integer", "decimal", "boolean"}),
    "smallint": frozenset({"integer", "decimal", "boolean", "bits", "text"}),
    "integer": frozenset({"integer", "decimal", "boolean", "bits", "text"}),
    "bigint": frozenset({"integer", "decimal", "boolean", "bits", "text"}),
    "numeric": frozenset({"integer", "decimal", "boolean", "float", "text"}),
    "double precision": frozenset({"float", "integer"}),
    "date": frozenset({"datetime"}),
    "time": frozenset({"time"}),
    "jsonb": frozenset({"text", "json"}),
    "json": frozenset({"text", "json"}),
    "uuid": frozenset({"text", "bytes", "uuid"}),
}
_KEY_FAMILIES: Final = frozenset(
    {"integer", "decimal", "boolean", "bits", "date", "datetime", "timestamp", "time", "bytes", "uuid"}
)
"""Families whose different values stay different under every cast, so that a key may have it.

As text those of all families do; but floats make two texts of one key, 0 and -0.
"""


_KEPT: Final[dict[str, frozenset[str]]] = {
    "integer": frozenset({"smallint", "integer", "bigint", "numeric"}),
    "decimal": frozenset({"numeric"}),
    "float": frozenset({"double precision"}),
    "text": frozenset({"varchar", "text"}),
    "date": frozenset({"timestamp without time zone"}),
    "datetime": frozenset({"timestamp without time zone", "date"}),
    "timestamp": frozenset({"timestamp with time zone"}),
}
"""By family: the types that a destination column may keep (`Column.kept`)."""


def other_type(column: Column) -> str:
    """The Postgres type that the settings ask for, or that the column keeps; "" for the default one.

    Raises UnsupportedType.
    """
    wanted = column.policy.as_type or column.kept
    return "" if wanted == destination_type(column.type).postgres else wanted


def column_type(column: Column) -> DestinationType:
    """The Postgres and Arrow types of a column, with an override or what it keeps. Raises UnsupportedType."""
    wanted = other_type(column)
    if not wanted:
        return destination_type(column.type)
    if not column.policy.as_type:
        return _kept(column, wanted)
    base = wanted.partition("(")[0]
    allowed = _FROM.get(base)
    if allowed is not None and family(column.type) not in allowed:
        raise UnsupportedType(f"column {column.name}: {_shown(column)} cannot be had as {wanted}")
    return _wanted(column, base, wanted)


def _kept(column: Column, wanted: str) -> DestinationType:
    """Of a type as `retype.kept_name` gives it."""
    base = split_type(wanted)[0]
    if base not in _KEPT.get(family(column.type), ()):
        raise UnsupportedType(f"column {column.name}: {_shown(column)} cannot be kept as {wanted}")
    if base.startswith("timestamp "):
        return DestinationType(
            wanted, pa.timestamp("us", tz="UTC" if base.endswith("with time zone") else None)
        )
    return _wanted(column, base, wanted)


def override_cast(column: Column, *, key: bool) -> Cast | None:
    """The cast from the default type to the column's override or kept type; None if it has neither.

    Raises UnsupportedType where the cast is not on offer, or could make one key of two.
    """
    wanted = other_type(column)
    if not wanted:
        return None
    target = column_type(column)
    base = split_type(wanted)[0]
    kind = family(column.type)
    apart = kind != "float" if base in ("text", "varchar") else kind in _KEY_FAMILIES
    if key and not apart:
        raise UnsupportedType(f"column {column.name}: a key of {_shown(column)} cannot be had as {wanted}")
    return _CASTS[base](column.type, target)


def family(source: ColumnType) -> str:
    """What casts distinguish: integer, decimal, float, boolean, bits, text, bytes, date, datetime, ..."""
    default = destination_type(source)
    if source.base in ("time", "timestamp", "datetime", "year", "uuid", "json"):
        return "integer" if source.base == "year" else source.base
    if default.postgres.startswith("bit("):
        return "bits"
    found = (name for name, is_kind in _FAMILIES if is_kind(default.arrow))
    name = next(found, "other")
    return name if name != "text" or default.postgres.startswith(("varchar", "text")) else "other"


_FAMILIES: Final[tuple[tuple[str, Callable[[pa.DataType], bool]], ...]] = (
    ("integer", pa.types.is_integer),
    ("decimal", pa.types.is_decimal),
    ("float", pa.types.is_floating),
    ("boolean", pa.types.is_boolean),
    ("date", pa.types.is_date),
    ("bytes", pa.types.is_large_binary),
    ("text", pa.types.is_large_string),
)


def _shown(column: Column) -> str:
    return column.type.text or column.type.base


def _wanted(column: Column, base: str, wanted: str) -> DestinationType:
    numbers = [int(n) for n in re.findall(r"[0-9]+", wanted)]
    low, high = _LIMITS.get(base, (0, 0))
    if numbers and not (low <= numbers[0] <= high and numbers[-1] <= numbers[0]):
        raise UnsupportedType(f"column {column.name}: {wanted} is no type of Postgres")
    if base in _INTEGERS:
        return DestinationType(base, _INTEGERS[base])
    if base == "boolean":
        return DestinationType(base, pa.bool_())
    if base == "double precision":
        return DestinationType(base, pa.float64())
    if base == "date":
        return DestinationType(base, pa.date32())
    if base == "time":
        return DestinationType("time without time zone", _TEXT)
    return DestinationType(wanted, _TEXT)


def as_text(array: pa.Array, source: ColumnType) -> pa.Array:
    """Any array of the type table as text, as the source prints it (FLOAT and DOUBLE: shortest digits).

    Raises ValueNotCarriable for bytes that are no UTF-8 text.
    """
    kind = array.type
    if pa.types.is_boolean(kind):
        return array.cast(pa.int8()).cast(_TEXT)
    if pa.types.is_decimal(kind):
        return pa.array([None if v is None else f"{v:f}" for v in array.to_pylist()], _TEXT)
    if pa.types.is_timestamp(kind):
        naive = array.cast(pa.timestamp("us")) if kind.tz is not None else array
        length = 19 + (source.fraction + 1 if source.fraction else 0)
        return pc.utf8_slice_codeunits(naive.cast(pa.string()), 0, length).cast(_TEXT)
    if pa.types.is_large_binary(kind):
        return _utf8(array)
    text = array.cast(_TEXT)
    return pc.utf8_lpad(text, 4, "0") if source.base == "year" else text


def _utf8(array: pa.Array) -> pa.Array:
    try:
        text = array.cast(_TEXT)
    except pa.ArrowInvalid:
        raise ValueNotCarriable("", 0, "its bytes are no UTF-8 text") from None
    if pc.any(pc.match_substring(text, "\0")).as_py():
        raise ValueNotCarriable("", 0, "it holds the character U+0000")
    return text


def _misfit(column: str, target: DestinationType) -> ValueNotCarriable:
    return ValueNotCarriable(column, 0, f"a value is no {target.postgres}")


def _by_arrow(source: ColumnType, target: DestinationType) -> Cast:
    """Arrow's own checked casts between numbers, from bits and from decimal digits."""

    def cast(array: pa.Array, column: str) -> pa.Array:
        numbers = array
        if pa.types.is_large_string(array.type) or pa.types.is_string(array.type):
            numbers = _integers_of_text(array, column, target, 2 if source.base == "bit" else 10)
        elif pa.types.is_boolean(array.type):
            numbers = array.cast(pa.int8())
        try:
            return numbers.cast(target.arrow)
        except pa.ArrowInvalid:
            raise _misfit(column, target) from None

    return cast


def _integers_of_text(array: pa.Array, column: str, target: DestinationType, base: int) -> pa.Array:
    try:
        numbers = [None if v is None else int(v, base) for v in array.to_pylist()]
        form = _BITS if base == 2 else _NUMBER
        if any(v is not None and not form.match(v) for v in array.to_pylist()):
            raise ValueError
        return pa.array(numbers, pa.int64())
    except (ValueError, OverflowError):
        raise _misfit(column, target) from None


def _boolean(_: ColumnType, target: DestinationType) -> Cast:
    def cast(array: pa.Array, column: str) -> pa.Array:
        numbers = array.cast(pa.int8()) if pa.types.is_boolean(array.type) else array
        found = numbers.cast(pa.decimal256(76, 0)) if pa.types.is_decimal(array.type) else numbers
        if not set(pc.unique(found).to_pylist()) <= {None, 0, 1}:
            raise ValueNotCarriable(column, 0, "a value is neither 0 nor 1, as a boolean is")
        return pa.array([None if v is None else v == 1 for v in found.to_pylist()], pa.bool_())

    def checked(array: pa.Array, column: str) -> pa.Array:
        try:
            return cast(array, column)
        except pa.ArrowInvalid:
            raise _misfit(column, target) from None

    return checked


def _numeric(source: ColumnType, target: DestinationType) -> Cast:
    """As text, which Postgres reads exactly; precision and scale are checked here."""
    limits = [int(n) for n in re.findall(r"[0-9]+", target.postgres)]

    def one(text: str, column: str) -> str:
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise _misfit(column, target) from None
        if not number.is_finite() or (source.base in _STRINGS and not _NUMBER.match(text)):
            raise _misfit(column, target)
        plain = f"{number:f}"
        if limits and not _fits(plain, *limits):
            raise _misfit(column, target)
        return plain

    def cast(array: pa.Array, column: str) -> pa.Array:
        texts = as_text(array, source).to_pylist()
        return pa.array([None if text is None else one(text, column) for text in texts], _TEXT)

    return cast


_STRINGS: Final = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"})


def _fits(plain: str, precision: int, scale: int) -> bool:
    whole, _, fraction = plain.lstrip("-").partition(".")
    return len(whole.lstrip("0")) <= precision - scale and len(fraction.rstrip("0")) <= scale


def _double(_: ColumnType, target: DestinationType) -> Cast:
    def cast(array: pa.Array, column: str) -> pa.Array:
        wide = array.cast(pa.float64(), safe=False)
        if pa.types.is_integer(array.type) and any(
            v is not None and int(w) != v for v, w in zip(array.to_pylist(), wide.to_pylist(), strict=True)
        ):
            raise _misfit(column, target)
        return wide

    return cast


def _text(source: ColumnType, target: DestinationType) -> Cast:
    length = [int(n) for n in re.findall(r"[0-9]+", target.postgres)]

    def cast(array: pa.Array, column: str) -> pa.Array:
        text = as_text(array, source)
        longest = pc.max(pc.utf8_length(text)).as_py() if length else None
        if longest is not None and longest > length[0]:
            raise ValueNotCarriable(column, 0, f"a value is longer than {target.postgres}")
        return text

    return cast


def _date(_: ColumnType, __: DestinationType) -> Cast:
    def cast(array: pa.Array, column: str) -> pa.Array:
        days = array.cast(pa.date32())  # Arrow drops the time of day without a word
        if pc.any(pc.not_equal(days.cast(array.type), array)).as_py():
            raise ValueNotCarriable(column, 0, "a value has a time of day, which a date has not")
        return days

    return cast


def _moment(source: ColumnType, target: DestinationType) -> Cast:
    """Points in time with other digits of a second, and dates at midnight."""
    step = 10 ** (6 - seconds_digits(target.postgres))

    def cast(array: pa.Array, column: str) -> pa.Array:
        moments = array.cast(target.arrow)
        if source.fraction > seconds_digits(target.postgres):
            ticks = moments.cast(pa.int64())
            if pc.any(pc.not_equal(pc.multiply(pc.divide(ticks, step), step), ticks)).as_py():
                raise ValueNotCarriable(
                    column, 0, f"a value has more digits of a second than {target.postgres}"
                )
        return moments

    return cast


def _clock(_: ColumnType, __: DestinationType) -> Cast:
    def cast(array: pa.Array, column: str) -> pa.Array:
        text = array.cast(_TEXT)
        if pc.any(pc.invert(pc.match_substring_regex(text, _CLOCK))).as_py():
            raise ValueNotCarriable(column, 0, "a value is no time of day (negative, or 24 hours and more)")
        return text

    return cast


def _json(_: ColumnType, target: DestinationType) -> Cast:
    drops_twins = target.postgres == "jsonb"

    def cast(array: pa.Array, column: str) -> pa.Array:
        for text in array.to_pylist():
            if text is not None and (reason := json_problem(text, drops_twins=drops_twins)):
                raise ValueNotCarriable(column, 0, reason)
        return array.cast(_TEXT)

    return cast


def _uuid(_: ColumnType, target: DestinationType) -> Cast:
    def one(value: Any, column: str) -> str:
        digits = value.hex() if isinstance(value, bytes) else value
        if not _UUID.fullmatch(digits):
            raise _misfit(column, target)
        return str(uuid.UUID(digits))

    def cast(array: pa.Array, column: str) -> pa.Array:
        return pa.array([None if v is None else one(v, column) for v in array.to_pylist()], _TEXT)

    return cast


_CASTS: Final[dict[str, Callable[[ColumnType, DestinationType], Cast]]] = {
    "boolean": _boolean,
    "smallint": _by_arrow,
    "integer": _by_arrow,
    "bigint": _by_arrow,
    "numeric": _numeric,
    "double precision": _double,
    "text": _text,
    "varchar": _text,
    "date": _date,
    "time": _clock,
    "timestamp with time zone": _moment,
    "timestamp without time zone": _moment,
    "json": _json,
    "jsonb": _json,
    "uuid": _uuid,
}
