"""Rows by their keys' texts: literals that hold nothing but checked digits and hexadecimal."""

from __future__ import annotations

import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.errors import RowferryError
from rowferry.key_sql import rows_select
from rowferry.quarantine_commands import _select
from rowferry.table_schema import Column, ColumnPolicy, ColumnType, TableId, TableSchema

KINDS = {
    "bigint": ColumnType("bigint"),
    "decimal": ColumnType("decimal", precision=12, scale=2),
    "year": ColumnType("year"),
    "bits": ColumnType("bit", length=5),
    "float": ColumnType("float"),
    "double": ColumnType("double"),
    "words": ColumnType("varchar", length=9, charset="latin1"),
    "label": ColumnType("enum", length=1, charset="utf8mb4"),
    "bytes": ColumnType("varbinary", length=9),
    "uuid": ColumnType("uuid"),
    "date": ColumnType("date"),
    "time": ColumnType("time"),
}
LITERAL = re.compile(r"-?[0-9.]+(e[-+][0-9]+)?|b'[01]+'|(_[a-z0-9]+ )?X'([0-9a-f]{2})*'")


def table_with(kind: ColumnType, wanted: str = "") -> TableSchema:
    """A table whose key has that type."""
    key = Column("k", kind, False, ColumnPolicy(as_type=wanted))
    columns = (key, Column("a", ColumnType("int"), False), Column("f", ColumnType("float")))
    return TableSchema(TableId("clinic", "t"), columns, ("a", "k"))


def literal(kind: ColumnType, text: str, wanted: str = "") -> str:
    """What a key's text becomes."""
    statement = rows_select(table_with(kind, wanted), [("7", text)])
    head, _, found = statement.partition(" WHERE (`a` = 7 AND `k` = ")
    assert head.endswith("`a`, `f` * 1e0 FROM `clinic`.`t`")
    assert found.endswith(")")
    return found[:-1]


@pytest.mark.parametrize(
    ("kind", "wanted", "text", "shown"),
    [
        ("bigint", "", "-5", "-5"),
        ("bigint", "boolean", "1", "1"),
        ("decimal", "bigint", "12", "12"),
        ("decimal", "bigint", "0.50", "0.50"),
        ("year", "text", "0000", "0000"),
        ("bits", "", "00101", "b'00101'"),
        ("bits", "smallint", "11", "11"),
        ("bits", "smallint", "00011", "b'00011'"),
        ("float", "", "0.1", "0.10000000149011612"),
        ("float", "", "1e+20", "1.0000000200408773e+20"),
        ("double", "", "0.1", "0.1"),
        ("words", "", "é", "_utf8mb4 X'c3a9'"),
        ("words", "", "hex:6100", "_latin1 X'6100'"),
        ("words", "", "text:hex:6100", "_utf8mb4 X'6865783a36313030'"),
        ("words", "", "text:text:x", "_utf8mb4 X'746578743a78'"),
        ("words", "", "", "_utf8mb4 X''"),
        ("label", "", "ü", "_utf8mb4 X'c3bc'"),
        ("bytes", "", "hex:00ff", "X'00ff'"),
        ("bytes", "text", "é", "_latin1 X'c3a9'"),
        ("bytes", "uuid", "6ccd780c-baba-1026-9564-5b8c65602400", "X'6ccd780cbaba102695645b8c65602400'"),
        ("bytes", "uuid", "hex:6ccd", "X'6ccd'"),
        ("uuid", "", "6c", "_latin1 X'3663'"),
        ("date", "", "0000-00-00", "_latin1 X'303030302d30302d3030'"),
        ("time", "time", "-00:00:01", "_latin1 X'2d30303a30303a3031'"),
    ],
)
def test_a_key_s_text_becomes_the_value_that_it_stands_for(
    kind: str, wanted: str, text: str, shown: str
) -> None:
    """Numbers as digits, a FLOAT as the double of its bits, all else as bytes."""
    assert literal(KINDS[kind], text, wanted) == shown


@pytest.mark.parametrize("kind", KINDS)
@given(
    text=st.text(max_size=12) | st.sampled_from(["1 OR 1=1", "1;--", "0x41", "'", "1\n", "٣", "nan", "inf"])
)
def test_no_text_leaves_its_literal(kind: str, text: str) -> None:
    """What looks like no key of that type is refused; nothing is put into the statement as it is."""
    try:
        found = literal(KINDS[kind], text)
    except ValueError:
        return
    assert LITERAL.fullmatch(found)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_compared_as_the_double_of_its_bits(value: float) -> None:
    """As the server does."""
    [single] = struct.unpack("<f", struct.pack("<f", value))
    assert float(literal(KINDS["float"], f"{value:.9g}")) == single


def test_many_rows_are_asked_for_at_once() -> None:
    """Each by its whole key; a key of another length is none of this table."""
    statement = rows_select(table_with(KINDS["bigint"]), [("1", "2"), ("3", "4")])
    assert statement.endswith("WHERE (`a` = 1 AND `k` = 2) OR (`a` = 3 AND `k` = 4)")
    with pytest.raises(ValueError, match="shorter"):
        rows_select(table_with(KINDS["bigint"]), [("1",)])
    for wrong in (("1",), ("1", "secret")):
        with pytest.raises(RowferryError, match="its key is another one") as caught:
            _select(table_with(KINDS["bigint"]), [wrong])
        assert "secret" not in str(caught.value)
