"""The SQL of checksums: names stay inside their quotes, keys are checked literals or parameters."""

from __future__ import annotations

import pytest

from rowferry.checksum_sql import (
    bucket_sums_select,
    digests_by_key,
    digests_select,
    sums_select,
    whole_rows_by_key,
)
from rowferry.checksum_there import (
    bucket_digests_there,
    bucket_sums_there,
    digests_there,
    digests_there_by_key,
    sums_there,
)
from rowferry.chunk_sql import boundary_select, encode_key, quote, within
from rowferry.destination import name
from rowferry.table_schema import Column, ColumnType, TableId, TableSchema
from rowferry.verify_keys import cast_type

INT = ColumnType("int", text="int(11)")
TEXT = ColumnType("varchar", length=9, charset="utf8mb4", text="varchar(9)")
HOSTILE = ("a`b", 'a"b', "a'b", "%s", "%%", "a;DROP TABLE x", "--", "/*", "{0}", "{c}", "a\\", "a\nb", "é😀")


def table(key: tuple[str, ...] = ("id",), kind: ColumnType = INT, target: str = "") -> TableSchema:
    """One with an int for each part of the key, and a text."""
    columns = [Column(k, kind, nullable=False, target=target and f"{target}{k}") for k in key]
    return TableSchema(TableId("d", "t"), (*columns, Column("note", TEXT)), key, target=target)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_keys_stay_inside_their_quotes(text: str) -> None:
    """On both sides."""
    made = TableSchema(TableId(text, text), (Column(text, TEXT, nullable=False),), (text,))
    bound = encode_key([text.encode()])
    for statement in (
        sums_select(made, bound, bound),
        bucket_sums_select(made, bound, None),
        digests_select(made, None, bound, ["0a"]),
        digests_by_key(made, [(text,)]),
        whole_rows_by_key(made, [(text,)]),
        boundary_select(made, bound, bound, 5),
    ):
        bare = statement.replace(quote(text), "")
        assert text.encode().hex() in bare
        assert text not in bare
    for made_there in (
        sums_there(text, made, (text,), (text,)),
        bucket_sums_there(text, made),
        digests_there(text, made, (text,), None, 5),
        bucket_digests_there(text, made, ["0a"], 5),
        digests_there_by_key(text, made, [(text,)]),
    ):
        bare = made_there.text.replace(name(text), "").replace("%s", "")
        assert text == "%s" or text not in bare
        assert bare.count("%") == 0


def test_ranges_are_open_below_and_closed_above() -> None:
    """So that adjoining ranges tile the table."""
    low, high = encode_key([b"1", b"2"]), encode_key([b"3", b"4"])
    made = table(("a", "b"))
    assert within(made, low, high) == (
        " WHERE ((`a` > 1) OR (`a` = 1 AND `b` > 2)) AND ((`a` < 3) OR (`a` = 3 AND `b` < 4) OR"
        " (`a` = 3 AND `b` = 4))"
    )
    assert within(made, None, None) == ""
    there = sums_there("raw", made, ("1", "2"), ("3", "4"))
    assert '(t."a", t."b") > (%s::integer, %s::integer)' in there.text
    assert '(t."a", t."b") <= (%s::integer, %s::integer)' in there.text
    assert there.parameters == [True, "1", "2", "3", "4"]


def test_the_destination_has_its_own_names() -> None:
    """Of the table and of its columns."""
    text = sums_there("raw", table(target="x"), None, None).text
    assert 'FROM "raw"."x" AS t' in text
    assert 't."xid"' in text
    assert 't."note"' in text


@pytest.mark.parametrize("bucket", ["' OR 1", "0g", ""])
def test_a_bucket_is_two_hexadecimal_digits(bucket: str) -> None:
    """Nothing else goes into the text."""
    with pytest.raises(ValueError, match="invalid literal"):
        digests_select(table(), None, None, [bucket])


def test_casts_of_keys_cut_nothing_off() -> None:
    """A cast to varchar(9) would make a key of 9 characters out of a longer one."""
    assert cast_type(Column("k", TEXT)) == "text"
    assert cast_type(Column("k", INT)) == "integer"
