"""Which types can stay in Postgres, and casts to them: exact, or a misfit; keys stay different."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.arrays import ValueNotCarriable
from rowferry.carry import Form, refused
from rowferry.key_texts import read_keys
from rowferry.load.dlt_schema import with_tables
from rowferry.overrides import column_type, other_type, override_cast
from rowferry.policies import select_column, texts_of_keys, zero_literal
from rowferry.retype import holds, keeps_apart, kept_name, using
from rowferry.row_text import row_text
from rowferry.table_schema import Column, ColumnPolicy, ColumnType, TableSchema, with_kept
from rowferry.types import UnsupportedType, destination_type, split_type
from rowferry.verify_keys import ordered_alike, there_key
from tests.unit.flow import INT, NAME, table

UBIG = ColumnType("bigint", unsigned=True)
DECIMAL = ColumnType("decimal", precision=10, scale=2)
DATE, FLOAT = ColumnType("date"), ColumnType("float")
MOMENT = ColumnType("datetime", fraction=3)
STAMP = ColumnType("timestamp", fraction=3)
ENUM = ColumnType("enum", length=2, charset="utf8mb4", text="enum('a','bb')")
LATE = dt.datetime(2024, 2, 29, 10, 11, 12, 500_000)


def column(kind: ColumnType, kept: str, **policy: str) -> Column:
    """A column that keeps a type."""
    return Column("v", kind, policy=ColumnPolicy(**policy), kept=kept)


def cast(kind: ColumnType, kept: str, value: Any) -> Any:
    """What the column carries for a value of its own type. Raises ValueNotCarriable."""
    made = override_cast(column(kind, kept), key=False)
    assert made is not None
    array = made(pa.array([value, None], destination_type(kind).arrow), "v")
    assert array.type == column_type(column(kind, kept)).arrow
    assert array[1].as_py() is None
    return array[0].as_py()


@pytest.mark.parametrize(
    ("standing", "wanted"),
    [
        ("bigint", "integer"),
        ("numeric(20,0)", "bigint"),
        ("numeric(5,0)", "smallint"),
        ("numeric(22,2)", "numeric(20,0)"),
        ("numeric", "numeric(65,30)"),
        ("numeric", "bigint"),
        ("text", "varchar(40)"),
        ("character varying", "text"),
        ("character varying(41)", "varchar(40)"),
        ("double precision", "real"),
        ("timestamp without time zone", "timestamp(3) without time zone"),
        ("timestamp(3) with time zone", "timestamp(0) with time zone"),
        ("timestamp(0) without time zone", "date"),
        ("jsonb", "jsonb"),
    ],
)
def test_a_wider_type_of_the_family_holds_and_not_the_other_way_round(standing: str, wanted: str) -> None:
    """All that the narrower one can have."""
    assert holds(standing, wanted)
    same = {split_type(standing)[0], split_type(wanted)[0]} <= {"text", "varchar"}
    assert standing == wanted or same or not holds(wanted, standing)


@pytest.mark.parametrize(
    ("standing", "wanted"),
    [
        ("numeric(4,0)", "smallint"),
        ("numeric(20,2)", "bigint"),
        ("numeric(30,1)", "numeric(20,2)"),
        ("text", "integer"),
        ("character(40)", "varchar(40)"),
        ("character varying(40)", "text"),
        ("timestamp(6) with time zone", "timestamp(6) without time zone"),
        ("double precision", "integer"),
        ("numeric", "real"),
        ("bit(9)", "bit(8)"),
        ("numeric(9,-2)", "smallint"),
        ("public.mood", "varchar(5)"),
        ("json", "jsonb"),
    ],
)
def test_what_is_not_sure_to_hold_does_not(standing: str, wanted: str) -> None:
    """Another family, or too few digits or characters."""
    assert not holds(standing, wanted)


def test_what_nothing_is_known_of_becomes_null() -> None:
    """And what is of the same type is left alone."""
    assert using('"a"', "public.mood", "integer") == "NULL::integer"
    assert using('"a"', "character varying(3)", "varchar(3)") == '"a"'
    assert kept_name("character varying(3)") == "varchar(3)"


def test_only_what_leaves_no_null_and_no_twins_keeps_a_key() -> None:
    """A number that becomes wider, or a text; no date, since Postgres has more of them than timestamps."""
    assert keeps_apart("integer", "bigint")
    assert keeps_apart("bigint", "varchar")
    assert keeps_apart("character varying(5)", "varchar(6)")
    for standing, wanted in (("bigint", "integer"), ("text", "varchar(40)"), ("character(5)", "text")):
        assert not keeps_apart(standing, wanted)
    assert not keeps_apart("date", "timestamp(6) without time zone")


@pytest.mark.parametrize(
    ("kind", "kept", "fits", "becomes", "misfit"),
    [
        (INT, "smallint", -32768, -32768, 32768),
        (INT, "bigint", 5, 5, None),
        (INT, "numeric(20,0)", 5, "5", None),
        (UBIG, "bigint", 2**63 - 1, 2**63 - 1, 2**63),
        (UBIG, "integer", 7, 7, 2**31),
        (DECIMAL, "numeric(12,4)", Decimal("1.50"), "1.50", None),
        (DECIMAL, "numeric(4,1)", Decimal("999.90"), "999.90", Decimal("1.55")),
        (NAME, "varchar(3)", "é😀x", "é😀x", "abcd"),
        (NAME, "text", "abcd", "abcd", None),
        (ColumnType("text", charset="utf8mb4"), "varchar(3)", "abc", "abc", "abc "),
        (ENUM, "varchar(1)", "a", "a", "bb"),
        (ENUM, "varchar", "bb", "bb", None),
        (FLOAT, "double precision", 0.5, 0.5, None),
        (DATE, "timestamp(3) without time zone", dt.date(1, 1, 1), dt.datetime(1, 1, 1), None),
        (MOMENT, "timestamp without time zone", LATE, LATE, None),
        (MOMENT, "timestamp(1) without time zone", LATE, LATE, LATE.replace(microsecond=510_000)),
        (MOMENT, "date", dt.datetime(2024, 2, 29), dt.date(2024, 2, 29), LATE),
        (STAMP, "timestamp(0) with time zone", LATE.replace(microsecond=0, tzinfo=dt.UTC), None, LATE),
    ],
)
def test_a_value_is_kept_exactly_or_is_a_misfit(
    kind: ColumnType, kept: str, fits: Any, becomes: Any, misfit: Any
) -> None:
    """Which the column's policy then decides."""
    assert cast(kind, kept, fits) == (becomes if becomes is not None else fits)
    if misfit is not None:
        with pytest.raises(ValueNotCarriable) as caught:
            cast(kind, kept, misfit)
        assert (caught.value.kind, caught.value.column) == ("misfit", "v")


@given(moment=st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)), digits=st.integers(0, 5))
def test_no_digit_of_a_second_is_lost(moment: dt.datetime, digits: int) -> None:
    """Before 1970, too."""
    kind = ColumnType("datetime", fraction=6)
    fits = moment.microsecond % 10 ** (6 - digits) == 0
    try:
        found = cast(kind, f"timestamp({digits}) without time zone", moment)
    except ValueNotCarriable:
        assert not fits
    else:
        assert fits
        assert found == moment


def test_only_a_type_of_the_family_can_be_kept() -> None:
    """And no float as a key; what the settings ask for goes before what is kept."""
    for kind, kept in (
        (INT, "text"),
        (NAME, "integer"),
        (STAMP, "timestamp without time zone"),
        (INT, "real"),
    ):
        with pytest.raises(UnsupportedType, match="cannot be kept as"):
            column_type(column(kind, kept))
    with pytest.raises(UnsupportedType):
        override_cast(column(FLOAT, "double precision"), key=True)
    assert column_type(column(INT, "bigint", as_type="text")).postgres == "text"
    assert other_type(column(INT, "integer")) == ""
    assert override_cast(column(INT, "integer"), key=True) is None


def test_a_literal_for_zero_dates_becomes_one_of_the_kept_type() -> None:
    """Or cannot be had, so that the type is not kept."""
    kept = column(DATE, "timestamp(0) without time zone", zero_dates="1900-01-01")
    literal = zero_literal(kept)
    assert literal is not None
    assert literal.as_py() == dt.datetime(1900, 1, 1)
    assert f"X'{b'1900-01-01 00:00:00'.hex()}'" in row_text(kept, key=False).source
    with pytest.raises(UnsupportedType, match="zero_dates"):
        select_column(column(MOMENT, "date", zero_dates="1900-01-01 01:00:00"), key=False)
    assert zero_literal(column(DATE, "timestamp(0) without time zone")) is None


@pytest.mark.parametrize(
    ("kind", "kept", "value", "there"),
    [
        (INT, "numeric(20,2)", 5, "5.00"),
        (DECIMAL, "numeric(12,4)", Decimal("1.50"), "1.5000"),
        (DECIMAL, "numeric(12,1)", Decimal("1.50"), "1.5"),
        (ColumnType("year"), "numeric(9,1)", 0, "0.0"),
        (MOMENT, "timestamp without time zone", LATE, "2024-02-29 10:11:12.5"),
        (STAMP, "timestamp with time zone", LATE.replace(tzinfo=dt.UTC), "2024-02-29 10:11:12.5+00"),
        (DATE, "timestamp without time zone", dt.date(2024, 2, 29), "2024-02-29 00:00:00"),
    ],
)
def test_a_key_has_the_same_text_on_both_sides(kind: ColumnType, kept: str, value: Any, there: str) -> None:
    """Whatever digits Postgres prints of it."""
    key = replace(column(kind, kept), nullable=False)
    schema = TableSchema(table().id, (key,), ("v",))
    made = override_cast(key, key=True)
    assert made is not None
    array = made(pa.array([value], destination_type(kind).arrow), "v")
    texts = texts_of_keys(array, key)
    assert there_key(schema, [there]) == tuple(texts)
    assert read_keys(schema, [[there]])[1] == (tuple(texts),)
    assert row_text(key, key=True).exact
    assert not ordered_alike(schema)


def test_what_is_kept_goes_with_the_record_and_its_column() -> None:
    """Through JSON, an older record's too; to a column that fits the same place, and to no other."""
    before = replace(table(), columns=(table().columns[0], replace(table().columns[1], kept="text")))
    assert TableSchema.from_json(before.to_json()) == before
    older = before.to_json()
    for document in older["columns"]:
        del document["kept"]
    assert TableSchema.from_json(older) == table()
    assert with_kept(before, table("name", "id", "more")).column("name") == before.column("name")
    assert with_kept(before, table(types={"name": INT})) == table(types={"name": INT})
    assert with_kept(table(), before) == before


def test_dlt_is_told_the_kept_type_and_an_operator_what_keeps_it() -> None:
    """The error of a value that does not fit names the command that says more."""
    schema = replace(table(), columns=(table().columns[0], replace(table().columns[1], kept="varchar(3)")))
    moments = (replace(column(MOMENT, "timestamp without time zone"), name="at"), schema.columns[0])
    made = with_tables({"tables": {}}, [("t", replace(schema, columns=moments))])
    assert made["tables"]["t"]["columns"]["at"]["precision"] == 6
    form = Form(schema, ("id", "name"), tuple(select_column(c, key=c.name == "id") for c in schema.columns))
    error = refused(
        form, ValueNotCarriable("name", 0, "a value is longer"), "a value is longer", (b"1", b"abcd")
    )
    assert "`rowferry schema patient` says what keeps the column varchar(3)" in error.hint
