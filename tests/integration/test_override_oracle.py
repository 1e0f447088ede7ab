"""Overrides against the truth: what is let through means the same to Postgres; what it refuses is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from rowferry.arrays import ValueNotCarriable
from rowferry.json_texts import json_problem
from rowferry.overrides import override_cast
from rowferry.table_schema import Column, ColumnPolicy, ColumnType
from rowferry.types import destination_type
from rowferry_lab.servers import DestinationDatabase

pytestmark = pytest.mark.parametrize("destination", ["postgres_15", "postgres_17"], indirect=True)
MANY = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = ColumnType("text", charset="utf8mb4", text="text")


@pytest.fixture
def session(destination_database: DestinationDatabase) -> Iterator[psycopg.Connection[Any]]:
    """Give a session in which every failure is taken back."""
    with psycopg.connect(destination_database.url, autocommit=True) as connection:
        yield connection


def in_postgres(session: psycopg.Connection[Any], kind: str, text: str) -> str | None:
    """What Postgres makes of the text; None if it refuses it."""
    query: Any = f"SELECT (%s::text::{kind})::text"
    try:
        row = session.execute(query, [text]).fetchone()
    except psycopg.Error:
        return None
    assert row is not None
    found: str = row[0]
    return found


def carried(source: ColumnType, wanted: str, value: Any) -> Any:
    """What the override makes of a value; None if it refuses it."""
    column = Column("v", source, policy=ColumnPolicy(as_type=wanted))
    cast = override_cast(column, key=False)
    assert cast is not None
    try:
        return cast(pa.array([value], destination_type(source).arrow), "v")[0].as_py()
    except ValueNotCarriable:
        return None


PIECES = st.sampled_from(
    [*'{}[]:,"\\/ \t\n\r\v\f\b\x7f\xa0\ufeff-+.eE0123456789abu', "true", "false", "null", "NaN", "Infinity"]
    + ["\\u0000", "\\ud83d", "\\ude00", "\\u00e9", "\\\\u0000", '"a"', '"a":', "1e400", "-0", "-0.0", "01"]
    + ["é", "😀", "\u2028", "1.", ".5", "1e", "//", "/*", "'", "０"]
)
STRINGS = st.lists(PIECES, max_size=4).map("".join).map(lambda inner: f'"{inner}"')
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)
JSON = st.recursive(
    STRINGS | NUMBERS | st.sampled_from(["true", "null", "{}", "[]", ""]),
    lambda parts: (
        st.lists(parts, max_size=3).map(lambda found: f"[{','.join(found)}]")
        | st.lists(st.tuples(STRINGS, parts), max_size=3).map(
            lambda found: "{" + ", ".join(f"{k} :{v}" for k, v in found) + "}"
        )
    ),
    max_leaves=6,
)

VERSIONS_DIFFER = re.compile(r"[eE][-+]?[0-9]{10}")
"""Zero to such a power: Postgres 15 refuses from 2**30 - 1 on, 17 later."""


@MANY
@given(text=st.lists(PIECES, max_size=8).map("".join) | JSON)
@example(text='{"a": "\\u0000", "a": 1}')
@example(text='{"\\u0000": 1, "\\u0000": 1}')
@example(text="[" * 500 + "]" * 500)
@example(text="[1" + "0" * 998 + ", 1e1000, 1e-1000, " + "0." + "1" * 998 + "]")
@example(text="")
@example(text="[0e1001, 1e131071, 0.001e131074, 1e-16383, 0e1073741822, -0.0e-16382]")
@example(text="1e131072")
@example(text="0.001e131075")
@example(text="-1" + "0" * 131_072)
@example(text="1.5e-16383")
@example(text="0e-16384")
@example(text="0." + "0" * 16_384)
def test_a_text_is_json_to_us_if_and_only_if_it_is_to_postgres(
    session: psycopg.Connection[Any], text: str
) -> None:
    """Both of the surrogates, every escape, every number. Members of one name are another matter."""
    assume(not VERSIONS_DIFFER.search(text))
    there = in_postgres(session, "jsonb", text)
    assert (json_problem(text, drops_twins=False) == "") == (there is not None)
    if json_problem(text, drops_twins=True) == "":
        assert there is not None
        assert in_postgres(session, "json", text) == text
        held = [json.loads(each, parse_float=Decimal, parse_int=Decimal) for each in (text, there)]
        assert held[0] == held[1]


UUIDS = st.uuids().map(str)
DAMAGE = st.sampled_from([*"+-_ {}xX0gG\t", "urn:uuid:", "0x", "６"])


@st.composite
def like_uuids(draw: st.DrawFn) -> str:
    """UUIDs, and texts that are nearly one."""
    text = draw(UUIDS)
    text = draw(st.sampled_from([text, text.upper(), text.replace("-", ""), f"{{{text}}}", text[:-1]]))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(DAMAGE) + text[at + draw(st.integers(0, 1)) :]
    return text


@MANY
@given(text=like_uuids())
@example(text="+ccd780cbaba102695645b8c65602400")
@example(text="6ccd780c_baba102695645b8c6560240")
def test_a_uuid_is_what_postgres_reads(session: psycopg.Connection[Any], text: str) -> None:
    """Nothing is taken for a digit that is none."""
    ours = carried(TEXT, "uuid", text)
    assert ours is None or ours == in_postgres(session, "uuid", text)


LIMITS = st.tuples(st.integers(1, 30), st.integers(0, 30)).filter(lambda pair: pair[1] <= pair[0])
DIGITS = st.text("0123456789", min_size=1, max_size=32)
DECIMALS = st.tuples(st.sampled_from(["", "-"]), DIGITS, st.just("") | DIGITS.map(lambda d: f".{d}"))


@MANY
@given(limits=LIMITS, text=DECIMALS.map("".join))
@example(limits=(3, 0), text="010")
@example(limits=(3, 1), text="-0.0")
@example(limits=(3, 1), text="1.500")
def test_a_number_fits_if_and_only_if_postgres_keeps_it(
    session: psycopg.Connection[Any], limits: tuple[int, int], text: str
) -> None:
    """Not a digit is rounded away, and none is refused that fits and that Postgres prints as it stands.

    A text such as 010 may be a name made of digits; as a number its zero would be gone.
    """
    wanted = "numeric({},{})".format(*limits)
    there = in_postgres(session, wanted, text)
    printed_as_is = in_postgres(session, "numeric", text) == text
    keeps = there is not None and Decimal(there) == Decimal(text) and printed_as_is
    ours = carried(TEXT, wanted, text)
    assert (ours is not None) == keeps
    assert ours is None or in_postgres(session, wanted, ours) == there
    assert carried(TEXT, "numeric", text) == (text if printed_as_is else None)


@MANY
@given(seconds=st.integers(-839 * 3600 + 1, 839 * 3600 - 1), micros=st.integers(0, 999_999))
def test_a_time_of_day_is_what_postgres_reads(
    session: psycopg.Connection[Any], seconds: int, micros: int
) -> None:
    """Letter by letter, but for zeros at the end of the fraction."""
    hours, rest = divmod(abs(seconds), 3600)
    text = f"{'-' if seconds < 0 else ''}{hours:02}:{rest // 60:02}:{rest % 60:02}.{micros:06}"
    ours = carried(ColumnType("time", fraction=6, text="time(6)"), "time", text)
    assert (ours is None) == (seconds < 0 or hours > 23)
    if ours is not None:
        assert in_postgres(session, "time", ours) == text.rstrip("0").rstrip(".")
