"""Whether Postgres holds a text as JSON, all of it.

Pure. See https://www.postgresql.org/docs/current/datatype-json.html.
"""

from __future__ import annotations

import json
from typing import Any, Final


def json_problem(text: str, *, drops_twins: bool) -> str:
    """Why Postgres would refuse a text as JSON, or not hold all of it; "" if it holds it.

    drops_twins: whether of two members with one name the first would be lost, as in jsonb.
    """
    try:
        document = json.loads(
            text,
            parse_constant=_refuse,
            parse_float=_number,
            parse_int=_number,
            object_pairs_hook=_Members,
        )
    except ValueError:
        return "a value is no JSON"
    except RecursionError:
        return _TOO_DEEP
    return _not_held(document, drops_twins=drops_twins)


class _Members(list[Any]):
    """An object's members as pairs, those of one name too."""


_JSON_LEVELS: Final = 500
_TOO_DEEP: Final = f"a value is JSON of more than {_JSON_LEVELS} levels"


def _refuse(_: str) -> None:
    raise ValueError


def _number(text: str) -> int:
    """Any that numeric holds: up to 131072 digits before and 16383 after the point.

    See https://www.postgresql.org/docs/current/datatype-numeric.html; the exponent's bound is numeric_in's.
    """
    mantissa, _, exponent = text.lower().lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    before = len(digits) - len(fraction) + shift if digits else 0
    if before > 131_072 or len(fraction) - shift > 16_383 or abs(shift) >= 2**30 - 1:
        raise ValueError
    return 0


def _not_held(document: Any, *, drops_twins: bool) -> str:
    """Level by level, so that no depth is too much for Python."""
    level = [document]
    for _ in range(_JSON_LEVELS + 1):
        if not level:
            return ""
        if not all(_encodes(value) for value in level if isinstance(value, str)):
            return "a value is JSON that holds what Postgres cannot (U+0000, or half a character)"
        if drops_twins and any(_has_twins(value) for value in level if isinstance(value, _Members)):
            return "a value is JSON with two members of one name, of which jsonb keeps one"
        level = [part for value in level if isinstance(value, list) for part in _parts(value)]
    return _TOO_DEEP


def _parts(value: list[Any]) -> list[Any]:
    return [part for pair in value for part in pair] if isinstance(value, _Members) else value


def _has_twins(members: _Members) -> bool:
    return len({name for name, _ in members}) != len(members)


def _encodes(text: str) -> bool:
    try:
        return b"\0" not in text.encode("utf-8")
    except UnicodeEncodeError:
        return False
