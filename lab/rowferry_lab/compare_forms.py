"""Canonical forms that take more than SQL: JSON, geometry, vectors, and numbers in text.

Part of the comparer; values in, canonical text out. Where a text is not what it should be, the form
says so and holds the text, so that it equals nothing but itself.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, Final

_WKB_HEADER: Final = struct.Struct("<BI")
_LITTLE_ENDIAN: Final = 1
_HAS_SRID: Final = 0x20000000
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")


def canonical_json(text: str) -> str:
    """One text for JSON of one meaning: keys in order, every number exact, 1.0 and 1e0 and 1 the same."""
    try:
        value = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_constant)
    except ValueError:
        return f"no JSON: {text}"
    return _json_text(value)


def _no_constant(_: str) -> Any:
    raise ValueError("no JSON has NaN or Infinity")


def _json_text(value: Any) -> str:
    match value:
        case Decimal():
            return _json_number(value)
        case list():
            return f"[{','.join(map(_json_text, value))}]"
        case dict():
            return "{" + ",".join(f"{json.dumps(k)}:{_json_text(value[k])}" for k in sorted(value)) + "}"
    return json.dumps(value)


def _json_number(number: Decimal) -> str:
    sign, digits, exponent = number.as_tuple()
    significant = "".join(map(str, digits)).rstrip("0")
    if not significant:
        return "0"
    return f"{'-' if sign else ''}{significant}e{int(exponent) + len(digits) - len(significant)}"


def extended_wkb(text: str) -> str:
    """EWKB in hexadecimal from `SRID:WKB` in hexadecimal (see PostGIS's ST_AsEWKB).

    The SRID stands behind the outermost type only, flagged there; SRID 0 is plain WKB.
    """
    srid, _, wkb = text.partition(":")
    if not srid.isdigit() or not wkb:
        return f"no geometry: {text}"
    data = bytes.fromhex(wkb)
    order, kind = _WKB_HEADER.unpack_from(data)
    if order != _LITTLE_ENDIAN:
        return f"unexpected byte order: {text}"
    if int(srid) == 0:
        return data.hex()
    header = _WKB_HEADER.pack(order, kind | _HAS_SRID) + int(srid).to_bytes(4, "little")
    return (header + data[_WKB_HEADER.size :]).hex()


def vector_bits(text: str) -> str:
    """Floats' bits, the highest first, from the bytes in hexadecimal that the source stores."""
    data = bytes.fromhex(text)
    return "1:" + "".join(data[at : at + 4][::-1].hex() for at in range(0, len(data), 4))


def address(text: str) -> str:
    """An IPv4 or IPv6 address, however it was written."""
    try:
        return ip_address(text).packed.hex()
    except ValueError:
        return f"no address: {text}"


def number_in_text(form: Callable[[str], str]) -> Callable[[str], str]:
    """The canonical form of a number that the destination holds as text."""

    def canonical(text: str) -> str:
        return form(text) if _NUMBER.fullmatch(text) else f"no number: {text}"

    return canonical
