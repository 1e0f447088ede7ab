"""Strategies for dates and times, also those that are none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Final

from hypothesis import strategies as st

from tests.generated.kinds import Kind, Kinds, Server, Values, quoted


def _number(low: int, high: int, digits: int = 2) -> Values:
    return st.integers(low, high).map(lambda number: str(number).zfill(digits))


_DATES: Final = st.sampled_from(
    ["0001-01-01", "9999-12-31", "1969-12-31", "1970-01-01", "2024-02-29"]
) | st.tuples(_number(1, 9999, 4), _number(1, 12), _number(1, 28)).map("-".join)
ZERO_DATES: Final = ("0000-00-00", "2024-00-10", "2024-05-00", "0000-05-06")
NO_SUCH_DAYS: Final = ("2023-02-30", "2024-04-31")
_CLOCK: Final = st.tuples(_number(0, 23), _number(0, 59), _number(0, 59)).map(":".join)
_SIGNED_32: Final = 2**31 - 1
_UNSIGNED_32: Final = 2**32 - 1


def _fraction(digits: int) -> Values:
    if not digits:
        return st.just("")
    top = 10**digits - 1
    numbers = st.sampled_from([0, 1, top]) | st.integers(0, top)
    return numbers.map(lambda number: "." + str(number).zfill(digits))


def moments(
    fractions: Sequence[int], unreal: Sequence[str] = (), negative_fractions: bool = True
) -> Callable[[Server], Kinds]:
    """DATE, DATETIME, TIMESTAMP and TIME with one of these numbers of fractional digits.

    unreal: dates that are none, to be among the values of the first three (then there is no TIME).
    """

    def kinds(server: Server) -> Kinds:
        def of(digits: int) -> list[Kind]:
            days = _days(server, digits, unreal)
            return days if unreal else [*days, _time(digits, negative_fractions)]

        return st.sampled_from(fractions).flatmap(lambda digits: st.sampled_from(of(digits)))

    return kinds


def _days(server: Server, digits: int, unreal: Sequence[str]) -> list[Kind]:
    last = _UNSIGNED_32 if server.late_timestamps else _SIGNED_32
    seconds = st.sampled_from([1, 2**31 - 2, last - 1]) | st.integers(1, last - 1)
    real = [
        ("DATE", _DATES),
        (f"DATETIME({digits})", st.tuples(_DATES, _CLOCK).map(" ".join)),
        (f"TIMESTAMP({digits})", seconds.map(_utc)),
    ]
    made = []
    for ddl, moments_of_it in real:
        fraction = st.just("") if ddl == "DATE" else _fraction(digits)
        clock = st.just("") if ddl == "DATE" else _CLOCK.map(lambda text: f" {text}")
        values = quoted(st.tuples(moments_of_it, fraction).map("".join))
        none = quoted(st.tuples(st.sampled_from(unreal), clock, fraction).map("".join)) if unreal else values
        made.append(Kind("zero_date" if unreal else "temporal", ddl, values | none, values))
    return made


def _utc(seconds: int) -> str:
    return (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)).isoformat(" ")


def _time(digits: int, negative_fractions: bool) -> Kind:
    clocks = st.tuples(_number(0, 837), _number(0, 59), _number(0, 59)).map(":".join)
    edges = st.sampled_from(["00:00:00", "00:00:01", "00:59:59", "01:00:00", "837:59:59"])
    negative = st.tuples(st.just("-"), clocks | edges, _fraction(digits if negative_fractions else 0))
    positive = st.tuples(clocks | edges, _fraction(digits))
    longest = st.sampled_from(["838:59:59", "-838:59:59"])
    values = quoted(negative.map("".join) | positive.map("".join) | longest)
    return Kind("temporal", f"TIME({digits})", values, values)
