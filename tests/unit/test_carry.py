"""Rows to columns: each row is carried, or set aside, or stops its table; never two of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.batch import Route, make_route
from rowferry.carry import Form, Rows, UnfitKey, carry, carry_keys
from rowferry.changes import RawRow, TableLayout, WireColumn
from rowferry.copy import select_form
from rowferry.errors import RowRefused
from rowferry.settings import QuarantineSettings
from rowferry.table_schema import ColumnPolicy, ColumnType, TableSchema
from rowferry.text_columns import RawColumns
from tests.unit.flow import table

TYPES = {
    "day": ColumnType("date", text="date"),
    "flag": ColumnType("tinyint", text="tinyint"),
    "code": ColumnType("varchar", length=9, charset="utf8mb4", text="varchar(9)"),
}
NAMES = ("id", "code", "day", "flag", "note")
STOP, ASIDE = "stop", "quarantine"


def schema_with(policies: dict[str, ColumnPolicy], key: tuple[str, ...] = ("id",)) -> TableSchema:
    """A table with a column of each kind that may go wrong."""
    schema = table(*NAMES, key=key, types=TYPES)
    columns = tuple(replace(c, policy=policies.get(c.name, c.policy)) for c in schema.columns)
    return replace(schema, columns=columns)


def route_of(schema: TableSchema) -> Route:
    """Its route in the binlog."""
    codes = {"int": (3, 0), "varchar": (15, 160), "date": (10, 0), "tinyint": (1, 0)}
    columns = tuple(
        WireColumn(c.name, *codes[c.type.base], False, c.nullable, 46 if c.type.charset else None)
        for c in schema.columns
    )
    return make_route(schema, TableLayout(schema.id, columns))


ZERO, DAY = b"\x00\x00\x00", (2024 << 9 | 2 << 5 | 29).to_bytes(3, "little")
VALUES: dict[str, dict[Any, Any]] = {
    "code": {b"a": "a", b"": "", "bad": b"\xff", "nul": b"a\0"},
    "day": {DAY: "2024-02-29", None: None, "bad": ZERO},
    "flag": {0: False, 1: True, None: None, "bad": 2},
    "note": {b"x": "x", None: None, "bad": b"secret\xfe"},
}


def selected(row: RawRow) -> RawRow:
    """The same row as a SELECT sends it."""
    number, code, day, flag, note = row
    days = {None: None, ZERO: b"0000-00-00", DAY: b"2024-02-29"}
    return (b"%d" % number, code, days[day], None if flag is None else b"%d" % flag, note)


def in_columns(rows: list[RawRow]) -> RawColumns:
    """The same rows as columns."""
    arrays = (pa.array([row[n] for row in rows], pa.large_binary()) for n in range(len(NAMES)))
    return RawColumns(tuple(arrays), len(rows))


def drawn(column: str) -> st.SearchStrategy[Any]:
    """A value, mostly a good one."""
    good = [raw for raw in VALUES[column] if raw not in ("bad", "nul")]
    bad = [raw for name, raw in VALUES[column].items() if name in ("bad", "nul")]
    return st.sampled_from(good * 3 + bad)


ROWS = st.lists(st.tuples(*(drawn(c) for c in NAMES[1:])), max_size=12).map(
    lambda rows: [(n, *row) for n, row in enumerate(rows)]
)
ACTION = st.sampled_from([STOP, ASIDE, ASIDE])
BAD_KINDS = {"code": "invalid_text", "day": "zero_date", "flag": "misfit", "note": "invalid_text"}


def is_bad(column: str, raw: Any) -> bool:
    """Whether the column cannot hold it."""
    return any(raw is VALUES[column].get(name) for name in ("bad", "nul") if name in VALUES[column])


@given(ROWS, st.fixed_dictionaries(dict.fromkeys(NAMES[1:], ACTION)), st.integers(0, 6))
def test_each_row_is_carried_or_set_aside_or_stops_its_table(
    rows: list[RawRow], actions: dict[str, str], most: int
) -> None:
    """Against a model that looks at row after row; the same by both ways in."""
    policies = {
        "code": ColumnPolicy(invalid_text=actions["code"]),
        "day": ColumnPolicy(zero_dates=actions["day"]),
        "flag": ColumnPolicy(as_type="boolean", misfits=actions["flag"]),
        "note": ColumnPolicy(invalid_text=actions["note"]),
    }
    schema, rules = schema_with(policies), QuarantineSettings(max_rows=most)
    bad = {c: [row[0] for row in rows if is_bad(c, row[NAMES.index(c)])] for c in NAMES[1:]}
    stops = any(bad[c] and (actions[c] == STOP or len(bad[c]) > most) for c in bad)
    texts = [*map(selected, rows)]
    ways: list[tuple[Form, Rows]] = [
        (route_of(schema).form, rows),
        (select_form(schema), texts),
        (select_form(schema), in_columns(texts)),
    ]
    for form, given_rows in ways:
        if stops:
            with pytest.raises(RowRefused) as caught:
                carry(form, given_rows, rules)
            assert "row with key id=" in str(caught.value)
            assert "secret" not in str(caught.value)
            assert caught.value.policy in {BAD_KINDS[c] for c in bad if bad[c]}
            continue
        carried = carry(form, given_rows, rules)
        first = {
            n: next(c for c in NAMES[1:] if n in bad[c])
            for n in range(len(rows))
            if any(n in b for b in bad.values())
        }
        assert [(a.identity, a.key, a.column, a.kind) for a in carried.aside] == [
            (n, (str(n),), c, BAD_KINDS[c]) for n, c in sorted(first.items())
        ]
        assert not any(a.values for a in carried.aside)
        assert carried.rows.column_names == list(NAMES)
        shown = [tuple(map(str, row.values())) for row in carried.rows.to_pylist()]
        assert shown == [
            (str(row[0]), *(str(VALUES[c][raw]) for c, raw in zip(NAMES[1:], row[1:], strict=True)))
            for row in rows
            if row[0] not in first
        ]
        assert carried.zero_dates == {}


@pytest.mark.parametrize(
    ("policy", "action"),
    [
        (ColumnPolicy(), "null"),
        (ColumnPolicy(zero_dates="1900-01-01"), "literal"),
        (ColumnPolicy(as_type="text", zero_dates="keep"), "keep"),
    ],
)
def test_zero_dates_are_counted_by_what_becomes_of_them(policy: ColumnPolicy, action: str) -> None:
    """Also where other rows of the column are halved in search of the bad ones."""
    form = route_of(schema_with({"day": policy})).form
    rows = [(n, b"a", ZERO if n % 3 else DAY, None, None) for n in range(7)]
    assert carry(form, rows, QuarantineSettings()).zero_dates == {action: 4}
    assert carry(form, [], QuarantineSettings()).zero_dates == {}


def test_the_first_bad_row_is_named() -> None:
    """By its whole key."""
    form = route_of(schema_with({"note": ColumnPolicy(invalid_text=STOP)}, ("code", "id"))).form
    rows = [(n, b"k", None, None, b"\xff" if n > 4 else b"x") for n in range(9)]
    with pytest.raises(RowRefused, match=r"column note, row with key code=k, id=5\)"):
        carry(form, rows, QuarantineSettings())


@given(st.lists(st.sampled_from([b"a", b"", b"\xff", b"b\0", b"b"]), unique=True))
def test_a_key_is_converted_or_known_by_its_text(codes: list[bytes]) -> None:
    """Those that fit keep their order; those that do not are told apart."""
    form = route_of(schema_with({}, ("code",))).form
    fit, unfit = carry_keys(form, [(code,) for code in codes])
    good = {b"a": "a", b"": "", b"b": "b"}
    assert fit.to_pylist() == [{"code": good[c]} for c in codes if c in good]
    assert unfit == [UnfitKey((f"hex:{c.hex()}",)) for c in codes if c not in good]


def test_a_key_of_several_columns_is_unfit_as_a_whole() -> None:
    """The part that fits is shown as it is."""
    form = route_of(schema_with({}, ("id", "code"))).form
    rows = [(1, b"\xff", None, None, b"x"), (2, b"a", None, None, b"\xff"), (3, b"a", None, None, b"x")]
    carried = carry(form, rows, QuarantineSettings())
    assert [(a.identity, a.key) for a in carried.aside] == [
        (UnfitKey(("1", "hex:ff")), ("1", "hex:ff")),
        ((2, "a"), ("2", "a")),
    ]
    assert carried.rows.column("id").to_pylist() == [3]


def kept(form: Form, row: RawRow) -> dict[str, str | None]:
    """The values of a row that is set aside."""
    [aside] = carry(form, [row], QuarantineSettings(keep_values=True)).aside
    return dict(aside.values)


def test_kept_values_are_the_source_s_own() -> None:
    """A zero date and a number that its override refuses as they are, odd text as bytes; by both ways in."""
    policies = {"day": ColumnPolicy(zero_dates=ASIDE), "flag": ColumnPolicy(as_type="boolean", misfits=ASIDE)}
    schema = schema_with(policies)
    row: RawRow = (7, b"a", ZERO, 2, b"\xff")
    shown: dict[str, str | None] = {
        "id": "7",
        "code": "a",
        "day": "0000-00-00",
        "flag": "2",
        "note": "hex:ff",
    }
    assert kept(route_of(schema).form, row) == kept(select_form(schema), selected(row)) == shown
    row = (7, b"a", None, None, b"\xff")
    shown = {"id": "7", "code": "a", "day": None, "flag": None, "note": "hex:ff"}
    assert kept(route_of(schema).form, row) == kept(select_form(schema), selected(row)) == shown


def test_nothing_is_carried_from_nothing() -> None:
    """An empty chunk has its columns, under every policy."""
    wanted = {"day": ColumnPolicy(as_type="text", zero_dates="keep"), "flag": ColumnPolicy(as_type="boolean")}
    carried = carry(route_of(schema_with(wanted)).form, [], QuarantineSettings(max_rows=0))
    assert (carried.rows.num_rows, carried.rows.column_names, carried.aside) == (0, list(NAMES), ())
