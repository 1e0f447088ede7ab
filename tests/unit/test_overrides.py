"""Other types than the default: exact, or refused; which are on offer; and keys stay different."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowferry.arrays import ValueNotCarriable
from rowferry.json_texts import json_problem
from rowferry.overrides import as_text, column_type, family, override_cast
from rowferry.table_schema import Column, ColumnPolicy, ColumnType
from rowferry.types import UnsupportedType, destination_type

RANGES = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
EDGES = [sign * (2**bits) + step for sign in (1, -1) for bits in (15, 31, 53, 63) for step in (-1, 0, 1)]
WHOLE = st.sampled_from([0, 1, 2, -1, *EDGES]) | st.integers(-(2**63), 2**63)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


def text_type(base: str = "varchar", length: int = 60) -> ColumnType:
    """A column of text."""
    return ColumnType(base, length=length, charset="utf8mb4", text=f"{base}({length})")


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    """Values of such a column, the whole and the great ones among them."""
    most = 10**precision - 1
    near = st.sampled_from([n * 10**scale + step for n in (0, 1, -1, *EDGES) for step in (-1, 0, 1)])
    units = st.integers(-most, most) | near.filter(lambda n: abs(n) <= most)
    return units.map(lambda n: Decimal(f"{n}e-{scale}"))


def floats(width: int) -> st.SearchStrategy[float]:
    """Finite numbers of 32 or 64 bits."""
    return st.floats(allow_nan=False, allow_infinity=False, width=width)  # type: ignore[arg-type]


MOMENTS = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999))
MIDNIGHTS = MOMENTS.map(lambda m: m.replace(hour=0, minute=0, second=0, microsecond=0))


def clock(seconds: int, hundredths: int) -> str:
    """A TIME(2) as the source prints it."""
    size = abs(seconds)
    sign = "-" if seconds < 0 else ""
    return f"{sign}{size // 3600:02}:{size // 60 % 60:02}:{size % 60:02}.{hundredths:02}"


TIMES = st.builds(clock, st.integers(-839 * 3600 + 1, 839 * 3600 - 1), st.integers(0, 99))
DOCUMENTS = st.sampled_from(
    ['{"a": 1.50}', "[]", "null", "nil", "{", '{"a":1,"a":2}', '"\\u0000"', "1e400", ""]
)
LABELS = st.sampled_from(["a", "7", "007", "-1", "1.50", "1e2", " 7", "7\n", "+7", "1_0", "٣", "", "9" * 30])

SOURCES: dict[str, tuple[ColumnType, st.SearchStrategy[Any]]] = {
    "bigint": (ColumnType("bigint"), WHOLE.filter(lambda n: -(2**63) <= n < 2**63)),
    "bigint unsigned": (ColumnType("bigint", unsigned=True), WHOLE.map(abs) | st.just(2**64 - 1)),
    "year": (ColumnType("year"), st.sampled_from([0, 1901, 2155])),
    "decimal": (ColumnType("decimal", precision=30, scale=2), decimals(30, 2)),
    "large decimal": (ColumnType("decimal", precision=65, scale=30), decimals(65, 30)),
    "float": (ColumnType("float"), floats(32)),
    "double": (ColumnType("double"), floats(64)),
    "boolean": (ColumnType("bit", length=1), st.booleans()),
    "bits": (ColumnType("bit", length=64), WHOLE.map(lambda n: f"{n % 2**64:064b}")),
    "text": (text_type(), LABELS | DOCUMENTS | WORDS | st.uuids().map(str) | decimals(30, 3).map(str)),
    "enum": (ColumnType("enum", length=40, charset="latin1"), LABELS),
    "bytes": (ColumnType("varbinary", length=20), WORDS.map(str.encode) | st.binary(max_size=20)),
    "sixteen": (ColumnType("binary", length=16), st.binary(min_size=16, max_size=16)),
    "date": (ColumnType("date"), st.dates()),
    "datetime": (ColumnType("datetime", fraction=6), MOMENTS | MIDNIGHTS),
    "timestamp": (ColumnType("timestamp", fraction=6), MOMENTS.map(lambda m: m.replace(tzinfo=dt.UTC))),
    "time": (ColumnType("time", fraction=2), TIMES),
    "json": (ColumnType("json"), st.sampled_from(['{"a": 1.50}', "[]", "null", "1e300"])),
    "uuid": (ColumnType("uuid"), st.uuids().map(str)),
    "inet6": (ColumnType("inet6"), st.just("0000:0000:0000:0000:0000:0000:0000:0001")),
    "vector": (ColumnType("vector"), st.just("{1.5,2}")),
}  # fmt: skip

NUMBERS = {"bigint", "bigint unsigned", "year", "decimal", "large decimal"}
STRINGS = {"text", "enum"}
OFFERS = {
    "boolean": NUMBERS | {"boolean"},
    "smallint": NUMBERS | STRINGS | {"boolean", "bits"},
    "integer": NUMBERS | STRINGS | {"boolean", "bits"},
    "bigint": NUMBERS | STRINGS | {"boolean", "bits"},
    "numeric": NUMBERS | STRINGS | {"boolean", "float", "double"},
    "numeric(9,2)": NUMBERS | STRINGS | {"boolean", "float", "double"},
    "double precision": {"float", "double", "bigint", "bigint unsigned", "year"},
    "text": set(SOURCES),
    "varchar": set(SOURCES),
    "varchar(12)": set(SOURCES),
    "date": {"datetime", "date"},
    "time": {"time"},
    "jsonb": STRINGS | {"json"},
    "json": STRINGS | {"json"},
    "uuid": STRINGS | {"bytes", "sixteen", "uuid"},
}
KEY_OFFERS = {
    name: sources
    - {"float", "double"}
    - (set() if name.startswith(("text", "varchar")) else STRINGS | {"json"})
    for name, sources in OFFERS.items()
}


def column(kind: ColumnType, wanted: str) -> Column:
    """A column that is to have that type."""
    return Column("v", kind, policy=ColumnPolicy(as_type=wanted))


def cast(kind: ColumnType, wanted: str, *values: Any) -> list[Any]:
    """The values under an override."""
    made = override_cast(column(kind, wanted), key=False)
    array = pa.array(values, destination_type(kind).arrow)
    found: list[Any] = (array if made is None else made(array, "v")).to_pylist()
    return found


def shown(kind: ColumnType, value: Any) -> str:
    """A value as text."""
    text: str = as_text(pa.array([value], destination_type(kind).arrow), kind)[0].as_py()
    return text


def is_default(kind: ColumnType, wanted: str) -> bool:
    """Whether the column has that type anyway."""
    return destination_type(kind).postgres == wanted


@pytest.mark.parametrize("wanted", OFFERS)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("key", [False, True])
def test_what_is_on_offer_is_what_the_documents_say(source: str, wanted: str, key: bool) -> None:
    """All else is refused before the first row, with the column's name and both types."""
    kind = SOURCES[source][0]
    offers = KEY_OFFERS if key else OFFERS
    if source in offers[wanted] or is_default(kind, wanted):
        made = override_cast(column(kind, wanted), key=key)
        assert (made is None) == is_default(kind, wanted)
        return
    with pytest.raises(UnsupportedType, match="column v: .*cannot be had as"):
        override_cast(column(kind, wanted), key=key)


def number_of(source: str, value: Any) -> Decimal | None:
    """The number that a value is; None if it is none."""
    if source == "bits":
        return Decimal(int(value, 2))
    if source in STRINGS:
        whole, point, fraction = value.removeprefix("-").partition(".")
        digits = [whole, fraction] if point else [whole]
        good = all(part and set(part) <= set("0123456789") for part in digits)
        padded = whole.startswith("0") and whole != "0"
        minus_zero = good and value.startswith("-") and not int(whole + fraction)
        return Decimal(value) if good and not padded and not minus_zero else None
    if source == "float":
        return Decimal(str(np.float32(value)))
    return Decimal(str(value)) if source == "double" else Decimal(value)


def as_integer(source: str, wanted: str, value: Any) -> Any:
    """An integer in its range; a text must look like one, too."""
    number = number_of(source, value)
    if number is None or number != int(number) or (source in STRINGS and "." in value):
        return None
    low, high = RANGES[wanted]
    return int(number) if low <= number <= high else None


def as_boolean(source: str, _: str, value: Any) -> Any:
    """0 and 1."""
    number = number_of(source, value)
    return bool(number) if number in (0, 1) else None


def as_numeric(source: str, wanted: str, value: Any) -> Any:
    """The number, if the places that are asked for suffice."""
    number = number_of(source, value)
    if number is None or wanted == "numeric":
        return number
    fits = abs(number) < 10**7 and (Fraction(number) * 100).denominator == 1
    return number if fits else None


def as_double(source: str, _: str, value: Any) -> Any:
    """A number of which the double is the very same."""
    return float(value) if source in ("float", "double") or int(float(value)) == value else None


def as_words(source: str, wanted: str, value: Any) -> Any:
    """As the source prints it, and no longer than allowed."""
    shown = printed(source, value)
    return None if shown is None or (wanted.endswith("(12)") and len(shown) > 12) else shown


def printed(source: str, value: Any) -> str | None:
    """What the source prints."""
    if source in ("bytes", "sixteen"):
        text = value.decode(errors="replace")
        return text if text.encode() == value and "\0" not in text else None
    if source in ("datetime", "timestamp"):
        return f"{value:%m-%d %H:%M:%S.%f}".join([f"{value.year:04}-", ""])
    if source == "date":
        return str(value.isoformat())
    if source == "boolean":
        return str(int(value))
    if source in ("decimal", "large decimal"):
        return f"{value:.{2 if source == 'decimal' else 30}f}"
    return f"{value:04}" if source == "year" else str(value)


def as_date(source: str, _: str, value: Any) -> Any:
    """Midnight."""
    if source == "date":
        return value
    return value.date() if value.time() == dt.time() else None


def as_clock(_: str, __: str, value: Any) -> Any:
    """From 0 to 24 hours."""
    return None if value.startswith("-") or int(value.partition(":")[0]) > 23 else value


def as_uuid(source: str, _: str, value: Any) -> Any:
    """16 bytes, or a UUID's text."""
    if source in ("bytes", "sixteen"):
        return str(uuid.UUID(bytes=value)) if len(value) == 16 else None
    hexadecimal = value.replace("-", "")
    return value if len(value) == 36 and set(hexadecimal) <= set("0123456789abcdef") else None


def as_json(source: str, wanted: str, value: Any) -> Any:
    """Real JSON, without what cannot be held."""
    good = {'{"a": 1.50}', "[]", "null", "1e300", "1e400", "7", "-1", "1.50", "1e2", " 7", "7\n", "9" * 30}
    good |= {'{"a":1,"a":2}'} if wanted == "json" else set()
    return (
        value if value in good or (source == "text" and not json_problem(value, drops_twins=True)) else None
    )


MODELS: dict[str, Callable[[str, str, Any], Any]] = {
    **dict.fromkeys(RANGES, as_integer),
    "boolean": as_boolean,
    "numeric": as_numeric,
    "numeric(9,2)": as_numeric,
    "double precision": as_double,
    **dict.fromkeys(("text", "varchar", "varchar(12)"), as_words),
    "date": as_date,
    "time": as_clock,
    "uuid": as_uuid,
    "json": as_json,
    "jsonb": as_json,
}
PAIRS = [
    (source, wanted)
    for wanted, sources in OFFERS.items()
    for source in sorted(sources)
    if not is_default(SOURCES[source][0], wanted)
]


@pytest.mark.parametrize(("source", "wanted"), PAIRS)
@settings(max_examples=30)
@given(data=st.data())
def test_a_value_is_held_exactly_or_refused(source: str, wanted: str, data: st.DataObject) -> None:
    """Against a model of each type; among NULLs; and no refusal tells the value."""
    kind, values = SOURCES[source]
    value = data.draw(values)
    expected = MODELS[wanted](source, wanted, value)
    floating = source in ("float", "double") and wanted.startswith(("text", "varchar"))
    if floating:  # as many digits as bring it back
        expected = None if wanted == "varchar(12)" and len(shown(kind, value)) > 12 else ""
    if expected is None:
        with pytest.raises(ValueNotCarriable) as caught:
            cast(kind, wanted, None, value)
        assert caught.value.kind == "misfit"
        assert len(str(value)) < 4 or str(value) not in caught.value.reason
        return
    found = cast(kind, wanted, None, value, None)
    assert [found[0], found[2]] == [None, None]
    if floating:
        back = np.float32(found[1]) if source == "float" else float(found[1])
        assert (back, np.signbit(back)) == (value, np.signbit(value))
    elif wanted.startswith("numeric"):
        assert Decimal(found[1]) == expected
        assert "e" not in found[1].lower()
    else:
        assert found[1] == expected
        assert isinstance(found[1], type(expected))


INJECTIVE = [(source, wanted) for source, wanted in PAIRS if source in KEY_OFFERS[wanted]]


@pytest.mark.parametrize(("source", "wanted"), INJECTIVE)
@settings(max_examples=15)
@given(data=st.data())
def test_of_two_keys_none_becomes_one(source: str, wanted: str, data: st.DataObject) -> None:
    """Whatever cast a key may have, different values stay different."""
    kind, values = SOURCES[source]
    drawn = data.draw(st.lists(values, max_size=10, unique=True))
    fit = [value for value in drawn if MODELS[wanted](source, wanted, value) is not None]
    assert len(set(cast(kind, wanted, *fit))) == len(fit)


@pytest.mark.parametrize("bad", ["numeric(0,0)", "numeric(5,6)", "varchar(10485761)"])
def test_a_type_that_postgres_has_not_is_refused(bad: str) -> None:
    """Limits of precision, scale and length."""
    with pytest.raises(UnsupportedType, match="no type of Postgres"):
        column_type(column(text_type(), bad))


def test_the_default_type_by_its_own_name_changes_nothing() -> None:
    """An exact section can so undo what a pattern asks for."""
    kind = ColumnType("decimal", precision=12, scale=2)
    assert override_cast(column(kind, "numeric(12,2)"), key=True) is None
    assert column_type(column(kind, "numeric(12,2)")) == destination_type(kind)
    assert column_type(column(kind, "")) == destination_type(kind)


def test_families_are_those_of_the_documents() -> None:
    """Each source's."""
    found = {name: family(kind) for name, (kind, _) in SOURCES.items()}
    other = {"bigint": "integer", "bigint unsigned": "integer", "year": "integer", "double": "float"}
    other |= {"large decimal": "decimal", "sixteen": "bytes", "enum": "text", "inet6": "other"}
    assert found == {name: other.get(name, name if name != "vector" else "other") for name in SOURCES}


def test_a_time_of_day_is_not_dropped() -> None:
    """Not even a microsecond, and nowhere among others; Arrow's own cast would drop it."""
    kind = ColumnType("datetime", fraction=6)
    midnight = dt.datetime(2024, 2, 29)
    assert cast(kind, "date", midnight, None) == [midnight.date(), None]
    for late in (dt.timedelta(microseconds=1), dt.timedelta(seconds=1), dt.timedelta(hours=12)):
        with pytest.raises(ValueNotCarriable, match="time of day"):
            cast(kind, "date", midnight, None, midnight + late)


@pytest.mark.parametrize(
    "bad",
    [
        "+ccd780cbaba102695645b8c65602400",
        "0xcd780cbaba102695645b8c65602400",
        "6ccd780c_baba102695645b8c6560240",
        "  cd780cbaba102695645b8c656024  ",
        "６ccd780cbaba102695645b8c65602400",
        "{6ccd780c-baba-1026-9564-5b8c65602400",
        "6ccd780c-baba-1026-95645b8c65602400",
        "urn:uuid:6ccd780c-baba-1026-9564-5b8c65602400",
    ],
)
def test_nothing_is_taken_for_a_uuid_that_is_none(bad: str) -> None:
    """Python's reader takes signs and underscores for digits: another UUID would come of it."""
    with pytest.raises(ValueNotCarriable, match="no uuid"):
        cast(text_type(), "uuid", bad)


def test_a_uuid_may_be_written_in_four_ways() -> None:
    """Large letters, no hyphens, braces."""
    one = "6ccd780c-baba-1026-9564-5b8c65602400"
    ways = [one, one.upper(), one.replace("-", ""), f"{{{one}}}"]
    assert cast(text_type(), "uuid", *ways) == [one] * 4


@pytest.mark.parametrize("drops_twins", [True, False])
@pytest.mark.parametrize(
    "bad",
    [
        '{"a": "\\u0000", "a": 1}',
        '{"\\u0000": 1}',
        '["\\ud83d"]',
        '{"a": [{"b": "\\ude00\\ud83d"}]}',
        "[NaN]",
        "-Infinity",
        f"1e{'9' * 5000}",
        f"[{'1' * 131_073}]",
        "[" * 501 + "]" * 501,
        '{"a":' * 501 + "1" + "}" * 501,
        "[" * 100_000 + "]" * 100_000,
        "",
    ],
)
def test_json_that_postgres_does_not_hold_is_refused(bad: str, drops_twins: bool) -> None:
    """At every depth, in names too, behind a second member of the name; never an error of another kind."""
    problem = json_problem(bad, drops_twins=drops_twins)
    assert problem.startswith("a value is")
    assert len(problem) < 100


def test_json_of_many_levels_is_held() -> None:
    """As many as the limit says, however deep the call is."""

    def deeper(levels: int) -> str:
        if levels:
            return deeper(levels - 1)
        return json_problem("[" * 500 + "]" * 500, drops_twins=True)

    assert deeper(0) == deeper(200) == ""


@pytest.mark.parametrize("twins", ['{"a":1,"a":2}', '[{"b": {"a":1,"\\u0061":1}}]'])
def test_jsonb_drops_no_member(twins: str) -> None:
    """It would keep the last of one name; json keeps the text as it is."""
    assert "two members of one name" in json_problem(twins, drops_twins=True)
    assert json_problem(twins, drops_twins=False) == ""
    assert cast(text_type(), "json", twins) == [twins]
    with pytest.raises(ValueNotCarriable, match="one name"):
        cast(text_type(), "jsonb", twins)


@pytest.mark.parametrize("bad", [b"\xff", b"a\0b", b"\xed\xa0\x80"])
def test_bytes_are_text_only_if_postgres_can_hold_them(bad: bytes) -> None:
    """UTF-8 without U+0000; half a surrogate pair is no character."""
    with pytest.raises(ValueNotCarriable):
        cast(ColumnType("varbinary", length=9), "text", b"fine", bad)


def test_nothing_is_an_array_too() -> None:
    """Empty columns, and columns of NULL, under every cast."""
    for source, wanted in PAIRS:
        kind = SOURCES[source][0]
        assert cast(kind, wanted) == []
        assert cast(kind, wanted, None, None) == [None, None]


@pytest.mark.parametrize("fraction", range(7))
def test_moments_are_printed_with_the_digits_of_their_column(fraction: int) -> None:
    """As the source does."""
    array = pa.array([dt.datetime(1, 2, 3, 4, 5, 6), None], pa.timestamp("us"))
    shown = as_text(array, ColumnType("datetime", fraction=fraction)).to_pylist()
    assert shown == ["0001-02-03 04:05:06" + ("." + "0" * fraction if fraction else ""), None]


def test_pairs_are_all_there() -> None:
    """Every source has an override of some kind, every type a source."""
    assert {s for s, _ in PAIRS} == set(SOURCES)
    assert {w for _, w in PAIRS} == set(OFFERS)
