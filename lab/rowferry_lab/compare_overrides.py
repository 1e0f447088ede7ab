"""How a column is compared whose type in Postgres was chosen by hand.

By value: a tinyint 1 is `true` in a boolean, `1` in a text, 1 in a numeric. Where the value of one type
in the other is a matter of opinion (bytes as text, a double as a numeric), nothing is compared.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from rowferry_lab.compare_forms import address, number_in_text
from rowferry_lab.compare_kinds import (
    DOUBLE,
    INET4,
    INET6,
    JSON,
    UUID,
    CannotCompare,
    Kind,
    double_bits,
    float_bits,
    plain_decimal,
    short_fraction,
    time_microseconds,
)

_TYPE_NAMES: Final = {
    "boolean": "bool",
    "smallint": "int2",
    "integer": "int4",
    "int": "int4",
    "bigint": "int8",
    "decimal": "numeric",
    "real": "float4",
    "double precision": "float8",
    "character varying": "varchar",
    "character": "bpchar",
    "char": "bpchar",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "bit varying": "varbit",
}
_WHOLE_TYPES: Final = frozenset({"int2", "int4", "int8", "numeric"})
_TEXT_TYPES: Final = frozenset({"text", "varchar", "bpchar"})
_JSON_TYPES: Final = frozenset({"json", "jsonb"})


def override_kind(kind: Kind, postgres_type: str) -> Kind:
    """The kind of a column that has this Postgres type (as DDL names it) in place of its usual one.

    Raises CannotCompare where no comparison of the two is known.
    """
    base, _, rest = postgres_type.strip().lower().partition("(")
    text = " ".join((base + rest.partition(")")[2]).split())
    target = _TYPE_NAMES.get(text, text)
    if target in kind.destination_types:
        return replace(kind, destination_types=frozenset({target}))
    family = kind.name.partition("(")[0]
    maker = _MAKERS.get(family)
    found = maker(kind, target) if maker else None
    if found is None:
        raise CannotCompare(f"the source's {kind.name} in a Postgres {target} by choice")
    return replace(found, name=f"{kind.name} as {target}", destination_types=frozenset({target}))


def wider_kind(kind: Kind, postgres_type: str) -> Kind:
    """The kind of a column that kept this Postgres type, which holds more than the source's type now does.

    Raises CannotCompare where no comparison of the two is known.
    """
    if (kind.name, postgres_type) == ("integer", "numeric"):
        return replace(kind, normalise_destination=plain_decimal)
    if postgres_type in kind.destination_types:
        return kind
    if (kind.name, postgres_type) == ("date", "timestamp"):
        types = frozenset({"timestamp"})
        return replace(kind, name="date as timestamp", normalise_destination=_day, destination_types=types)
    return override_kind(kind, postgres_type)


def _day(text: str) -> str:
    """A day as a timestamp prints it at midnight; any other moment stays what it is."""
    return text.removesuffix(" 00:00:00")


def _integer(kind: Kind, target: str) -> Kind | None:
    if target == "bool":
        return replace(kind, source="{c} + 0", destination="{c}::int::text", order=int)
    if target in _TEXT_TYPES:
        return _in_text(kind, plain_decimal)
    return None


def _bit(kind: Kind, target: str) -> Kind | None:
    numeric = replace(
        kind, source="{c} + 0", normalise=None, normalise_destination=None, order_by_value=True, order=int
    )
    if target == "bool":
        return replace(numeric, destination="{c}::int::text")
    return replace(numeric, destination="{c}::text") if target in _WHOLE_TYPES else None


def _decimal(kind: Kind, target: str) -> Kind | None:
    if target in _WHOLE_TYPES:
        return kind
    return _in_text(kind, plain_decimal) if target in _TEXT_TYPES else None


def _double(kind: Kind, target: str) -> Kind | None:
    return _in_text(kind, double_bits) if target in _TEXT_TYPES else None


def _float(kind: Kind, target: str) -> Kind | None:
    if target == "float8":
        return replace(DOUBLE, source=kind.source, normalise=_widened_bits)
    return _in_text(kind, float_bits) if target in _TEXT_TYPES else None


def _widened_bits(text: str) -> str:
    """The bits of the double that is the source's float."""
    return struct.pack(">d", struct.unpack(">f", bytes.fromhex(float_bits(text)))[0]).hex()


def _in_text(kind: Kind, form: Callable[[str], str]) -> Kind:
    """A number that the destination holds as text: ordered by the text."""
    return replace(
        kind,
        destination="{c}::text",
        normalise=form,
        normalise_destination=number_in_text(form),
        order_by_value=False,
        order=str,
    )


def _text(_: Kind, target: str) -> Kind | None:
    if target in _JSON_TYPES:
        return JSON
    if target == "uuid":
        return replace(UUID, source="LOWER(REPLACE(CONVERT({c} USING utf8mb4), '-', ''))")
    return None


def _binary(_: Kind, target: str) -> Kind | None:
    return UUID if target == "uuid" else None


def _json(kind: Kind, target: str) -> Kind | None:
    return kind if target in _TEXT_TYPES | _JSON_TYPES else None


def _uuid(kind: Kind, target: str) -> Kind | None:
    destination = "lower(replace({c}::text, '-', ''))"
    return replace(kind, destination=destination) if target in _TEXT_TYPES else None


def _inet(kind: Kind, target: str) -> Kind | None:
    if target not in _TEXT_TYPES:
        return None
    source, destination = "CAST({c} AS CHAR)", "{c}::text"
    return replace(
        kind, source=source, destination=destination, normalise=address, normalise_destination=address
    )


def _moment(kind: Kind, target: str) -> Kind | None:
    """Text of a date or time in UTC, with or without `+00`; or a datetime in a date, all at midnight."""
    if kind.name == "datetime" and target == "date":
        return replace(kind, destination="{c}::timestamp::text")
    if target not in _TEXT_TYPES:
        return None

    def written(text: str) -> str:
        return short_fraction(text.removesuffix("+00"))

    return replace(kind, normalise=written, normalise_destination=written)


def _time(kind: Kind, target: str) -> Kind | None:
    if target not in _TEXT_TYPES:
        return None

    def microseconds(text: str) -> str:
        try:
            return time_microseconds(text)
        except CannotCompare:
            return f"no time: {text}"

    return replace(
        kind,
        destination="{c}::text",
        normalise_destination=microseconds,
        order_by_value=False,
        order=str,
    )


_MAKERS: Final[dict[str, Callable[[Kind, str], Kind | None]]] = {
    "integer": _integer,
    "bit": _bit,
    "decimal": _decimal,
    "double": _double,
    "float": _float,
    "text": _text,
    "binary": _binary,
    "json": _json,
    "uuid": _uuid,
    INET4.name: _inet,
    INET6.name: _inet,
    "date": _moment,
    "datetime": _moment,
    "timestamp": _moment,
    "time": _time,
}
