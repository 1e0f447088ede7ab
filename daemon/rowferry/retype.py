"""A column of Postgres that gets another type in place: which types can stay, and what becomes of its values.

Pure. What a value becomes is for the time of a copy only, which writes every row anew; so it is exact, or
NULL where it is not known for sure. Types are spelt as `format_type` prints them, or as the type table does
(https://www.postgresql.org/docs/current/functions-info.html).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rowferry.types import seconds_digits, split_type

_BITS: Final = {"smallint": 15, "integer": 31, "bigint": 63}
_TEXTS: Final = frozenset({"text", "varchar"})
_FLOATS: Final = frozenset({"real", "double precision"})
_MOMENT: Final = "timestamp without time zone"
_MOMENTS: Final = frozenset({_MOMENT, "timestamp with time zone"})
_EXACT_DIGITS: Final = {"real": 6, "double precision": 15}
"""Decimal digits that a floating type brings back as they were (FLT_DIG and DBL_DIG of C)."""
_WHOLE_FLOATS: Final = {"real": 24, "double precision": 53}
"""Bits of the whole numbers up to which each is exact."""
_MAX_DIGITS: Final = 1000
_DAY: Final = "(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_UUID: Final = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_NUMBER: Final = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"


def kept_name(standing: str) -> str:
    """A type as `Column.kept` has it."""
    return standing.replace("character varying", "varchar")


def holds(standing: str, wanted: str) -> bool:
    """Whether a column of the one type can hold every value of the other, exactly, and in the same family."""
    (has, numbers), (needs, needed) = split_type(standing), split_type(wanted)
    if (has, numbers) == (needs, needed):
        return True
    if needs in _BITS:
        return _holds_whole(has, numbers, _BITS[needs])
    if needs == "numeric":
        return has == "numeric" and (not numbers or (bool(needed) and _holds_digits(numbers, needed)))
    if needs in _TEXTS:
        return has == "text" or (has == "varchar" and (not numbers or (bool(needed) and numbers >= needed)))
    if needs in _MOMENTS:
        return has == needs and seconds_digits(standing) >= seconds_digits(wanted)
    return (has, needs) in ((_MOMENT, "date"), ("double precision", "real"))


def _holds_whole(has: str, numbers: tuple[int, ...], bits: int) -> bool:
    if has in _BITS:
        return _BITS[has] >= bits
    return has == "numeric" and (not numbers or _holds_digits(numbers, (len(str(2**bits)), 0)))


def _holds_digits(numbers: tuple[int, ...], needed: tuple[int, ...]) -> bool:
    """Both as precision and scale."""
    return numbers[1] >= needed[1] and numbers[0] - numbers[1] >= needed[0] - needed[1]


def keeps_apart(standing: str, wanted: str) -> bool:
    """Whether `using` makes no NULL, and different values of different ones, so that a key stays one."""
    has, needs = split_type(standing)[0], split_type(wanted)[0]
    if needs == "text" or (needs == "varchar" and not split_type(wanted)[1]):
        return has not in ("bytea", "character") and has not in _FLOATS
    return has not in {"date", "real", "numeric", *_MOMENTS} and holds(wanted, standing)


def using(column_sql: str, standing: str, wanted: str) -> str:
    """What a value becomes, as an expression for `ALTER COLUMN ... TYPE wanted USING`: it fails for no value.

    column_sql: the quoted column. It is NULL where the value is not known to be one of `wanted`.
    """
    if split_type(standing) == split_type(wanted):
        return column_sql
    has, needs = split_type(standing)[0], split_type(wanted)[0]
    maker = _MAKERS.get(needs)
    made = (
        maker(column_sql, has, wanted) if maker else _UNUSUAL.get((has, needs), "").replace("{c}", column_sql)
    )
    return made or f"NULL::{wanted}"


def _when(condition: str, value: str) -> str:
    return f"CASE WHEN {condition} THEN {value} END"


def _matches(c: str, form: str) -> str:
    """Under the one collation that regular expressions take whatever the column's is."""
    return f"({c}::text COLLATE \"C\") ~ '^{form}$'"


def _to_whole(c: str, has: str, wanted: str) -> str:
    bits = _BITS[wanted]
    within = f"BETWEEN {-(2**bits)} AND {2**bits - 1}"
    if has in _BITS or has == "numeric":
        return _when(f"{c}::numeric {within} AND {c}::numeric = trunc({c}::numeric)", f"{c}::{wanted}")
    if has in _FLOATS:
        double = f"{c}::float8"
        below = f"{double} >= '{-(2**bits)}'::float8 AND {double} < '{2**bits}'::float8"
        return _when(f"{below} AND {double} = trunc({double})", f"{c}::{wanted}")
    if has == "boolean":
        return f"{c}::integer::{wanted}"
    if has in _TEXTS:
        inner = _when(f"{c}::numeric {within}", f"{c}::{wanted}")
        return _when(_matches(c, "(0|-?[1-9][0-9]{0,18})"), inner)
    return ""


def _to_numeric(c: str, has: str, wanted: str) -> str:
    numbers = split_type(wanted)[1]
    if has in _TEXTS or has in _FLOATS:
        text = f"{c}::text"
        inner = _fitting(f"{text}::numeric", numbers, wanted)
        most = numbers[0] + 3 if numbers else _MAX_DIGITS
        return _when(f"char_length({text}) <= {most}", _when(_matches(c, _NUMBER), inner))
    if has == "boolean":
        return _fitting(f"{c}::integer::numeric", numbers, wanted)
    if has in _BITS or has == "numeric":
        return _fitting(f"{c}::numeric", numbers, wanted)
    return ""


def _fitting(value: str, numbers: tuple[int, ...], wanted: str) -> str:
    """A numeric, if precision and scale do not round it."""
    if not numbers:
        return value
    below = f"1{'0' * (numbers[0] - numbers[1])}"
    return _when(f"abs({value}) < {below} AND {value} = round({value}, {numbers[1]})", f"{value}::{wanted}")


def _to_float(c: str, has: str, wanted: str) -> str:
    if has == "real":
        return f"{c}::{wanted}"
    if has == "double precision":
        within = f"{c} = 0 OR abs({c}) BETWEEN 1.2e-38 AND 3.4e38"
        return _when(within, _when(f"{c}::real::float8 = {c}", f"{c}::real"))
    if has in _BITS:
        most = 2 ** _WHOLE_FLOATS[wanted]
        return _when(f"{c}::numeric BETWEEN {-most} AND {most}", f"{c}::{wanted}")
    digits = _EXACT_DIGITS[wanted]
    if has == "numeric":
        below = f"abs({c}) < 1{'0' * digits} AND {c} = round({c}, {digits})"
        return _when(below, _when(f"({c}::{wanted})::text::numeric = {c}", f"{c}::{wanted}"))
    if has in _TEXTS:
        inner = _when(f"({c}::{wanted})::text = {c}::text", f"{c}::{wanted}")
        return _when(f"char_length({c}::text) <= {digits}", _when(_matches(c, _NUMBER), inner))
    return ""


def _to_text(c: str, has: str, wanted: str) -> str:
    if has == "bytea":
        return ""
    numbers = split_type(wanted)[1]
    value = f"{c}::text"
    return (
        _when(f"char_length({value}) <= {numbers[0]}", f"{value}::{wanted}")
        if numbers
        else f"{value}::{wanted}"
    )


def _to_boolean(c: str, has: str, _: str) -> str:
    if has in _BITS or has in _FLOATS or has == "numeric":
        return _when(f"{c} IN (0, 1)", f"{c} = 1")
    return _when(f"{c}::text IN ('0', '1')", f"{c}::text = '1'") if has in _TEXTS else ""


def _to_date(c: str, has: str, _: str) -> str:
    if has == _MOMENT:
        return _when(f"{_years(c)} AND {c} = date_trunc('day', {c})", f"{c}::date")
    return _day(c, "", f"{_first(c)} + {_after(c)}") if has in _TEXTS else ""


def _to_moment(c: str, has: str, wanted: str) -> str:
    zoned = not wanted.endswith("without time zone")
    digits = seconds_digits(wanted)
    if has == split_type(wanted)[0]:
        return _when(_years(c), _when(f"{c}::{wanted} = {c}", f"{c}::{wanted}"))
    if has == "date" and not zoned:
        return _when(_years(c), f"{c}::{wanted}")
    if has in _TEXTS:
        fraction = rf"(\.[0-9]{{1,{digits}}})?" if digits else ""
        zone = " || '+00'" if zoned else ""
        return _day(c, f" {_CLOCK}{fraction}", f"({c}::text{zone})::{wanted}")
    return ""


def _years(c: str) -> str:
    """Those that the source has, far from where Postgres's own end."""
    return f"{c} >= '0001-01-01' AND {c} < '10000-01-01'"


def _day(c: str, clock: str, value: str) -> str:
    """A text that is a day of the calendar, and a clock."""
    same = f"to_char({_first(c)} + {_after(c)}, 'YYYY-MM-DD') = left({c}::text, 10)"
    return _when(_matches(c, _DAY + clock), _when(same, value))


def _first(c: str) -> str:
    """The first day of the text's month: that one exists."""
    return f"(left({c}::text, 7) || '-01')::date"


def _after(c: str) -> str:
    return f"(substr({c}::text, 9, 2)::integer - 1)"


def _to_uuid(c: str, has: str, wanted: str) -> str:
    return _when(_matches(c, _UUID), f"{c}::text::{wanted}") if has in _TEXTS else ""


_Maker = Callable[[str, str, str], str]
_MAKERS: Final[dict[str, _Maker]] = {
    **dict.fromkeys(_BITS, _to_whole),
    "numeric": _to_numeric,
    **dict.fromkeys(_FLOATS, _to_float),
    **dict.fromkeys(_TEXTS, _to_text),
    "boolean": _to_boolean,
    "date": _to_date,
    **dict.fromkeys(_MOMENTS, _to_moment),
    "uuid": _to_uuid,
}
_UNUSUAL: Final = {
    ("jsonb", "json"): "{c}::text::json",
    ("time without time zone", "interval"): "{c}::interval",
}
