"""A value's text in both servers' SQL: which columns are exact, and what stands for dates that are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rowferry.row_text import inexact_columns, key_columns, row_text
from rowferry.table_schema import Column, ColumnPolicy, ColumnType, TableId, TableSchema
from rowferry.types import UnsupportedType

TEXT = ColumnType("varchar", length=9, charset="utf8mb4", text="varchar(9)")
DATETIME = ColumnType("datetime", fraction=2, text="datetime(2)")


def column(kind: ColumnType, name: str = "c", **policy: str) -> Column:
    """A column with a policy."""
    return Column(name, kind, policy=ColumnPolicy(**policy))


@pytest.mark.parametrize(
    ("kind", "wanted", "exact"),
    [
        (ColumnType("int"), "", True),
        (ColumnType("int"), "text", True),
        (ColumnType("int"), "boolean", True),
        (ColumnType("decimal", precision=9, scale=2), "", True),
        (ColumnType("decimal", precision=9, scale=2), "numeric", True),
        (ColumnType("decimal", precision=9, scale=2), "integer", False),
        (ColumnType("double"), "", False),
        (ColumnType("float"), "double precision", False),
        (ColumnType("json"), "", False),
        (TEXT, "", True),
        (TEXT, "jsonb", False),
        (TEXT, "numeric", False),
        (DATETIME, "", True),
        (DATETIME, "date", True),
        (ColumnType("point"), "", True),
        (ColumnType("vector"), "", True),
    ],
)
def test_which_columns_are_exact(kind: ColumnType, wanted: str, exact: bool) -> None:
    """For the others, other digests are not yet a difference."""
    made = column(kind, as_type=wanted)
    table = TableSchema(TableId("d", "t"), (column(ColumnType("int"), "id"), made), ("id",))
    assert row_text(made, key=False).exact is exact
    assert inexact_columns(table) == (() if exact else ("c",))
    assert [c.name for c in key_columns(table)] == ["id"]


@pytest.mark.parametrize(
    ("policy", "wanted", "text"),
    [
        ("null", "", "'N'"),
        ("stop", "", "'Z'"),
        ("quarantine", "", "'Z'"),
        ("1900-01-01 01:02:03.50", "", f"X'{b'1900-01-01 01:02:03.5'.hex()}'"),
        ("1900-01-01", "date", f"X'{b'1900-01-01 00:00:00'.hex()}'"),
        ("1900-01-01", "text", f"SHA2(X'{b'1900-01-01'.hex()}', 256)"),
    ],
)
def test_dates_that_are_none_are_what_the_policy_makes_of_them(policy: str, wanted: str, text: str) -> None:
    """In the source's SQL, as Postgres prints it."""
    made = column(DATETIME, zero_dates=policy, as_type=wanted)
    assert f"LAST_DAY({{c}})), {text}, " in row_text(made, key=False).source
    if not wanted and policy == "null":
        assert "'Z'" in row_text(made, key=True).source


def test_a_name_is_put_in_once() -> None:
    """Whatever it holds."""
    made = row_text(column(ColumnType("int")), key=False)
    assert made.in_source("`{c}`") == "`{c}` + 0"
    assert made.in_destination('t."{c}"') == 't."{c}"::text'


def test_what_is_not_carried_has_no_text() -> None:
    """The table is not verified."""
    with pytest.raises(UnsupportedType):
        row_text(replace(column(TEXT), type=ColumnType("mystery", text="mystery")), key=False)
