"""A column's policies: what becomes of a value, the same by both ways in, and the texts of keys."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.arrays import ValueNotCarriable
from rowferry.changes import WireColumn
from rowferry.policies import ColumnConverter, binlog_column, select_column, texts_of_keys, zero_literal
from rowferry.table_schema import Column, ColumnPolicy, ColumnType
from rowferry.types import UnsupportedType
from rowferry.wire_types import WireType

LATIN1, UTF8MB4, BINARY = 8, 46, 63
ZERO, REAL = b"\x00\x00\x00", (2024 << 9 | 2 << 5 | 29).to_bytes(3, "little")
TEXTS = [b"0000-00-00", b"2024-02-29", None]
DATE = ColumnType("date", text="date")


def dates(*, key: bool = False, **policy: Any) -> tuple[ColumnConverter, ColumnConverter]:
    """Both ways in of a DATE under a policy."""
    column = Column("d", DATE, policy=ColumnPolicy(**policy))
    return binlog_column(WireColumn("d", WireType.DATE, 0), column, key=key), select_column(column, key=key)


def converted(**policy: str) -> tuple[list[Any], int]:
    """A zero date, a real one and NULL; the same by both ways, with the number of zero dates."""
    wire, select = dates(key=False, **policy)
    streamed, copied = wire([ZERO, REAL, None]), select(TEXTS)
    assert streamed.array.equals(copied.array)
    assert streamed.zero_dates == copied.zero_dates
    return streamed.array.to_pylist(), streamed.zero_dates


DAY = dt.date(2024, 2, 29)


@pytest.mark.parametrize(
    ("policy", "values"),
    [
        ({}, [None, DAY, None]),
        ({"zero_dates": "1900-01-01"}, [dt.date(1900, 1, 1), DAY, None]),
        ({"zero_dates": "keep", "as_type": "text"}, ["0000-00-00", "2024-02-29", None]),
        ({"zero_dates": "keep", "as_type": "varchar(10)"}, ["0000-00-00", "2024-02-29", None]),
        ({"zero_dates": "1900-01-01", "as_type": "text"}, ["1900-01-01", "2024-02-29", None]),
        ({"as_type": "text"}, [None, "2024-02-29", None]),
        ({"zero_dates": "null", "misfits": "quarantine"}, [None, DAY, None]),
    ],
)
def test_a_zero_date_becomes_what_the_policy_says(policy: dict[str, str], values: list[Any]) -> None:
    """It alone; real dates and NULL stay."""
    assert converted(**policy) == (values, 1)


@pytest.mark.parametrize("policy", ["stop", "quarantine"])
@pytest.mark.parametrize("way", [0, 1])
def test_a_zero_date_may_be_refused(policy: str, way: int) -> None:
    """With its place, for whoever sets it aside."""
    converter = dates(zero_dates=policy)[way]
    with pytest.raises(ValueNotCarriable) as caught:
        converter([REAL, ZERO] if way == 0 else TEXTS[1::-1])
    assert (caught.value.index, caught.value.kind) == (1, "zero_date")
    assert converter.action("zero_date") == policy


@pytest.mark.parametrize("policy", ["keep", "1900-01-01"])
def test_a_policy_that_a_key_cannot_have_is_refused(policy: str) -> None:
    """Before the first row, and not passed over."""
    with pytest.raises(UnsupportedType, match="stop or quarantine"):
        dates(key=True, zero_dates=policy)


@pytest.mark.parametrize("policy", ["null", "stop", "quarantine"])
def test_a_zero_date_in_a_key_never_becomes_another_value(policy: str) -> None:
    """Two keys would become one: it stops the table, or the row is set aside."""
    for converter in dates(key=True, zero_dates=policy):
        with pytest.raises(ValueNotCarriable, match="in the key"):
            converter(_zero_of(converter))
        assert converter.action("zero_date") == ("quarantine" if policy == "quarantine" else "stop")


def _zero_of(converter: ColumnConverter) -> list[bytes]:
    """The zero date in the form of that way in."""
    try:
        converter.base([ZERO])
    except ValueNotCarriable:
        return [b"0000-00-00"]
    return [ZERO]


@pytest.mark.parametrize(
    ("kind", "actions"),
    [("invalid_text", {"quarantine", "stop"}), ("misfit", {"quarantine", "stop"})],
)
def test_each_kind_has_its_own_policy(kind: str, actions: set[str]) -> None:
    """And its own default."""
    found = {
        select_column(
            Column("d", DATE, policy=ColumnPolicy(invalid_text=text, misfits=misfits)), key=False
        ).action(kind)
        for text, misfits in (("stop", "quarantine"), ("quarantine", "stop"))
    }
    assert found == actions
    default = select_column(Column("d", DATE), key=False)
    assert [default.action(k) for k in ("zero_date", "invalid_text", "misfit")] == [
        "stop",
        "quarantine",
        "stop",
    ]


LITERALS = [
    ("date", 0, "", "1900-01-01", dt.date(1900, 1, 1)),
    ("datetime", 0, "", "1900-01-01", dt.datetime(1900, 1, 1)),
    ("datetime", 2, "", "1900-01-01 12:00:00.25", dt.datetime(1900, 1, 1, 12, 0, 0, 250_000)),
    ("datetime", 0, "date", "1900-01-01", dt.date(1900, 1, 1)),
    ("datetime", 0, "text", "1900-01-01", "1900-01-01"),
    ("datetime", 0, "varchar(10)", "1900-01-01", "1900-01-01"),
    ("timestamp", 0, "", "1900-01-01 06:00:00", dt.datetime(1900, 1, 1, 6, tzinfo=dt.UTC)),
]
REFUSED = [
    ("date", 0, "", "1900-01-01 00:00:00"),
    ("datetime", 0, "", "1900-01-01 12:00:00.25"),
    ("datetime", 1, "", "1900-01-01 12:00:00.25"),
    ("timestamp", 0, "", "1900-01-01 00:00:00.9"),
    ("timestamp", 0, "", "1900-01-01 00:00:00+02:00"),
    ("datetime", 0, "", "1900-01-01T00:00:00Z"),
    ("datetime", 0, "date", "1900-01-01 12:00:00"),
    ("datetime", 0, "varchar(9)", "1900-01-01"),
    ("datetime", 0, "", "keep"),
    ("datetime", 0, "date", "keep"),
]


def dated(base: str, fraction: int, wanted: str, zero_dates: str) -> Column:
    """A column with a policy."""
    return Column("d", ColumnType(base, fraction=fraction), policy=ColumnPolicy(wanted, zero_dates))


@pytest.mark.parametrize(("base", "fraction", "wanted", "literal", "value"), LITERALS)
def test_a_literal_is_of_the_columns_type(
    base: str, fraction: int, wanted: str, literal: str, value: Any
) -> None:
    """In UTC for a point in time."""
    found = zero_literal(dated(base, fraction, wanted, literal))
    assert found is not None
    assert found.as_py() == value


@pytest.mark.parametrize(("base", "fraction", "wanted", "literal"), REFUSED)
def test_a_literal_that_the_type_cannot_hold_is_refused_at_the_start(
    base: str, fraction: int, wanted: str, literal: str
) -> None:
    """Postgres would round a fraction, cut nothing, or fail; `keep` is for text."""
    with pytest.raises(UnsupportedType, match="column d: zero"):
        select_column(dated(base, fraction, wanted, literal), key=False)


def test_a_literal_is_nothing_to_other_columns() -> None:
    """One section may speak of all columns of a table."""
    assert zero_literal(Column("t", ColumnType("time"), policy=ColumnPolicy(zero_dates="1900-01-01"))) is None


def test_a_text_that_is_kept_must_fit_too() -> None:
    """As any other text of the column."""
    for converter in dates(as_type="varchar(9)", zero_dates="keep"):
        with pytest.raises(ValueNotCarriable, match="longer than varchar"):
            converter(_zero_of(converter))


CHAR = ColumnType("varchar", length=20, charset="latin1")


def key_column(kind: ColumnType, wanted: str = "") -> Column:
    """A column of the key."""
    return Column("k", kind, False, ColumnPolicy(as_type=wanted, misfits="quarantine"))


def wired(code: int, metadata: int = 0, **more: Any) -> WireColumn:
    """A column of the binlog."""
    return WireColumn("k", code, metadata, **more)


PAD = b"\x00\xff\x00\x00"
KEYS = [
    (ColumnType("bigint", unsigned=True), "bigint", wired(8, unsigned=True), 2**64 - 1, b"%d" % (2**64 - 1)),
    (ColumnType("tinyint"), "boolean", wired(1), 2, b"2"),
    (ColumnType("tinyint"), "boolean", wired(1), 1, b"1"),
    (ColumnType("int"), "", wired(3), 42, b"00000042"),
    (ColumnType("decimal", precision=4, scale=2), "bigint", wired(246, 4 << 8 | 2), b"\x80\x32", b"0.50"),
    (ColumnType("decimal", precision=4, scale=2), "bigint", wired(246, 4 << 8 | 2), b"\x85\x00", b"5.00"),
    (ColumnType("binary", length=4), "text", wired(254, 4, collation_id=BINARY), PAD[:2], PAD),
    (ColumnType("binary", length=4), "", wired(254, 4, collation_id=BINARY), PAD[:2], PAD),
    (ColumnType("bit", length=64), "bigint", wired(16, 64), b"\xff" * 8, b"\xff" * 8),
    (ColumnType("bit", length=1), "smallint", wired(16, 1), b"\x01", b"\x01"),
    (ColumnType("year"), "integer", wired(13), 124, b"2024"),
    (ColumnType("year"), "", wired(13), 0, b"0000"),
    (CHAR, "", wired(15, 20, collation_id=LATIN1), b"Zo\xeb", b"Zo\xeb"),
    (CHAR, "", wired(15, 20, collation_id=LATIN1), b"hex:41", b"hex:41"),
    (CHAR, "", wired(15, 20, collation_id=LATIN1), b"a\0", b"a\0"),
    (CHAR, "varchar(2)", wired(15, 20, collation_id=LATIN1), b"Zo\xeb", b"Zo\xeb"),
    (DATE, "", wired(10), ZERO, b"0000-00-00"),
    (DATE, "text", wired(10), ZERO, b"0000-00-00"),
    (DATE, "text", wired(10), REAL, b"2024-02-29"),
    (ColumnType("time", fraction=2), "time", wired(19, 2), b"\x7f\xff\xfe\xce", b"-00:00:01.50"),
    (ColumnType("uuid"), "", wired(254, 16), bytes(range(15)), b"00010203-0405-0607-0809-0a0b0c0d0e00"),
    (ColumnType("timestamp", fraction=3), "", wired(17, 3), bytes(6), b"0000-00-00 00:00:00.000"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "wanted", "wire", "streamed", "selected"), KEYS)
def test_a_key_has_one_text_by_both_ways_in(
    kind: ColumnType, wanted: str, wire: WireColumn, streamed: Any, selected: bytes
) -> None:
    """Also one that cannot be carried: else what the copy set aside the stream would not release."""
    column = key_column(kind, wanted)
    by_wire = binlog_column(wire, column, key=True).key_text(streamed)
    by_select = select_column(column, key=True).key_text(selected)
    assert by_wire == by_select
    if not isinstance(streamed, bytes):
        assert not by_wire.startswith("hex:")


@given(st.lists(st.text("hextx:4a", max_size=9), min_size=2, max_size=2, unique=True))
def test_texts_of_different_keys_differ(values: list[str]) -> None:
    """A text that looks like hexadecimal bytes, and the bytes; a text that looks like a marked one."""
    texts = texts_of_keys(pa.array(values, pa.large_string()), key_column(CHAR))
    raw = texts_of_keys(pa.array([b"J", *(v.encode() for v in values)], pa.large_binary()), key_column(CHAR))
    assert len({*texts, *raw}) == 5
    assert not any(t.startswith("hex:") for t in texts)
    assert raw[0] == "hex:4a"


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 4))
def test_the_text_of_a_carried_key_is_that_of_its_column(number: int, zeros: int) -> None:
    """What a load's columns say of a key is what set it aside."""
    column = key_column(ColumnType("int"))
    converter = select_column(column, key=True)
    raw = f"{'-' if number < 0 else ''}{'0' * zeros}{abs(number)}".encode()
    assert [converter.key_text(raw)] == texts_of_keys(converter([raw]).array, column) == [str(number)]


def test_an_override_that_is_not_on_offer_is_refused_by_both_ways() -> None:
    """Before the first row."""
    column = replace(key_column(DATE), policy=ColumnPolicy(as_type="jsonb"))
    with pytest.raises(UnsupportedType, match="cannot be had as jsonb"):
        select_column(column, key=False)
    with pytest.raises(UnsupportedType, match="cannot be had as jsonb"):
        binlog_column(wired(10), column, key=False)


@pytest.mark.parametrize(
    ("text", "key", "fits"),
    [
        ("enum('','a')", True, False),
        ("enum('a','')", True, False),
        ("set('')", True, False),
        ("enum('','a')", False, True),
        ("enum('a','it''s')", True, True),
        ("set('a','b')", True, True),
    ],
)
def test_a_key_with_an_empty_label_is_refused(text: str, key: bool, fits: bool) -> None:
    """The number 0 prints as '' too: two keys of the source would be one."""
    column = key_column(ColumnType(text.partition("(")[0], length=3, charset="utf8mb4", text=text))
    if fits:
        assert select_column(column, key=key).key is key
        return
    with pytest.raises(UnsupportedType, match="empty label"):
        select_column(column, key=key)
