"""A column's converter with what the settings say of the column: zero dates, invalid text, overrides.

Pure. Order: the type table's own conversion, then the override's cast, then what replaces zero dates.
Both ways in go through here, so that a policy gives the same value in a copy and in the stream.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from rowferry.arrays import Converted, ValueNotCarriable, as_list
from rowferry.changes import WireColumn
from rowferry.convert import Converter, binlog_converter, text_converter
from rowferry.overrides import Cast, as_text, column_type, override_cast
from rowferry.table_schema import Column
from rowferry.types import UnsupportedType
from rowferry.zero_dates import Render, select_text, wire_text

SET_ASIDE: Final = ("stop", "quarantine")
_MARKS: Final = ("hex:", "text:")
_DATED: Final = ("date", "datetime", "timestamp")
_EMPTY_LABEL: Final = re.compile(r"[(,]''[,)]")


@dataclass(frozen=True, slots=True)
class ColumnConverter:
    """From raw values of one way in to the column's array. Raises ValueNotCarriable.

    base: the type table's conversion. cast: the override's. zero_text: a zero date as the source prints
    it, None for a column without dates. literal: what zero dates become, of the destination's type.
    """

    column: Column
    key: bool
    base: Converter
    cast: Cast | None
    zero_text: Render | None
    literal: pa.Scalar | None

    def __call__(self, values: Sequence[Any]) -> Converted:
        """The array of `overrides.column_type`; `missing` tells which values were zero dates."""
        converted = self.base(values)
        array, missing = converted.array, converted.missing
        if missing is not None and (self.key or self.column.policy.zero_dates in SET_ASIDE):
            where = " in the key" if self.key else ""
            reason = f"a date{where} that no calendar has, and Postgres cannot hold"
            raise ValueNotCarriable(self.column.name, int(missing.argmax()), reason, "zero_date")
        if self.cast is not None:
            array = self.cast(array, self.column.name)
        if missing is not None:
            array = self._replaced(array, missing, values)
        return Converted(array, missing)

    def _replaced(self, array: pa.Array, missing: Any, values: Sequence[Any]) -> pa.Array:
        if self.literal is not None:
            return pc.if_else(pa.array(missing), self.literal, array)
        if self.column.policy.zero_dates != "keep" or self.zero_text is None:
            return array
        render = self.zero_text
        kept = pa.array(
            [render(v) if gone else None for v, gone in zip(as_list(values), missing, strict=True)],
            array.type,
        )
        return pc.coalesce(kept if self.cast is None else self.cast(kept, self.column.name), array)

    def action(self, kind: str) -> str:
        """What a value of that kind does: "stop" or "quarantine"."""
        policy = self.column.policy
        if kind == "zero_date":
            return policy.zero_dates if policy.zero_dates in SET_ASIDE else "stop"
        return policy.invalid_text if kind == "invalid_text" else policy.misfits

    def key_text(self, value: Any) -> str:
        """A value of the key for people and for comparing, equal by both ways in.

        The converted value's text, without the override's cast if that is not possible; `hex:` and the
        bytes for bytes, and for what has no text at all.
        """
        with contextlib.suppress(ValueNotCarriable):
            return texts_of_keys(self([value]).array, self.column)[0]
        try:
            converted = self.base([value])
        except ValueNotCarriable:
            return f"hex:{value.hex()}" if isinstance(value, bytes) else str(value)
        if converted.missing is not None and self.zero_text is not None:
            return self.zero_text(value)
        return texts_of_keys(converted.array, self.column)[0]


def texts_of_keys(array: pa.Array, column: Column) -> list[str]:
    """The key texts of a converted column of the key."""
    if pa.types.is_large_binary(array.type):
        return [f"hex:{value.hex()}" for value in array.to_pylist()]
    texts: list[str] = as_text(array, column.type).to_pylist()
    return [f"text:{t}" if t.startswith(_MARKS) else t for t in texts]


def binlog_column(wire: WireColumn, column: Column, *, key: bool) -> ColumnConverter:
    """The converter for a catalogue column from that column of the binlog's rows.

    Raises LayoutMismatch, UnsupportedType (also for an override that is not on offer).
    """
    base = binlog_converter(wire, column)
    return _made(column, key, base, wire_text(wire, column.type.fraction))


def select_column(column: Column, *, key: bool) -> ColumnConverter:
    """The converter for the texts of a chunk's SELECT. Raises UnsupportedType."""
    dated = column.type.base in _DATED
    return _made(column, key, text_converter(column), select_text if dated else None)


def _made(column: Column, key: bool, base: Converter, zero_text: Render | None) -> ColumnConverter:
    if key and column.type.base in ("enum", "set") and _EMPTY_LABEL.search(column.type.text):
        reason = "a key with an empty label, which an invalid value of number 0 prints as, too"
        raise UnsupportedType(f"column {column.name}: {reason}")
    if key and column.type.base in _DATED and column.policy.zero_dates not in ("null", *SET_ASIDE):
        reason = "a key column's zero_dates can be stop or quarantine: other values could make one key of two"
        raise UnsupportedType(f"column {column.name}: {reason}")
    cast = override_cast(column, key=key)
    literal = None if key else zero_literal(column)
    return ColumnConverter(column, key, base, cast, zero_text, literal)


def zero_literal(column: Column) -> pa.Scalar | None:
    """What zero dates of the column become, if it is a literal. Raises UnsupportedType if it cannot be."""
    wanted = column.policy.zero_dates
    if wanted in ("null", *SET_ASIDE) or column.type.base not in _DATED:
        return None
    if column.kept and not column.policy.as_type:
        return _kept_literal(column)
    arrow = column_type(column).arrow
    if wanted == "keep":
        if not pa.types.is_large_string(arrow):
            raise UnsupportedType(f"column {column.name}: zero dates can be kept only as text (type = text)")
        return None
    try:
        return _parse(wanted, arrow, column)
    except (pa.ArrowInvalid, ValueNotCarriable):
        reason = f"{wanted!r} is no value of {column_type(column).postgres}"
        raise UnsupportedType(f"column {column.name}: zero_dates: {reason}") from None


def _kept_literal(column: Column) -> pa.Scalar | None:
    """The literal of the column's own type, as the type that it keeps."""
    literal = zero_literal(replace(column, kept=""))
    cast = override_cast(column, key=False)
    if literal is None or cast is None:
        return literal
    try:
        return cast(pa.array([literal.as_py()], literal.type), column.name)[0]
    except ValueNotCarriable:
        reason = f"zero_dates: the literal is no value of {column.kept}"
        raise UnsupportedType(f"column {column.name}: {reason}") from None


def _parse(text: str, arrow: pa.DataType, column: Column) -> pa.Scalar:
    """A point in time is one in UTC. Raises ArrowInvalid, ValueNotCarriable."""
    scalar = pa.scalar(text)
    if pa.types.is_large_string(arrow):
        cast = override_cast(column, key=False)
        return scalar.cast(arrow) if cast is None else cast(pa.array([text], arrow), column.name)[0]
    if pa.types.is_timestamp(arrow):
        scalar = scalar.cast(pa.timestamp("us"))
        if scalar.value % 10 ** (6 - column.type.fraction):
            raise pa.ArrowInvalid("more digits than the column has")
    return scalar.cast(arrow)
