"""The SELECT of a chunk: quoted names, ranges in the server's order, and no value as plain text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.chunk_sql import chunk_select, encode_key, key_values, qualified, quote
from rowferry.table_schema import ColumnType
from tests.unit.flow import NAME, table


def test_a_first_chunk_has_no_condition() -> None:
    """In the order of the key, over its own index."""
    assert chunk_select(table(), None, 100) == (
        "SELECT `id`, `name` FROM `clinic`.`patient` FORCE INDEX (`PRIMARY`) ORDER BY `id` LIMIT 100"
    )


def test_the_next_chunk_begins_after_the_last_key() -> None:
    """The server compares."""
    text = chunk_select(table(), encode_key([b"-5"]), 100)
    assert " WHERE (`id` > -5) ORDER BY `id` " in text


def test_a_key_of_several_columns_is_compared_part_by_part() -> None:
    """In the key's order, which need not be the table's; an OR of ANDs can use the index."""
    schema = table("id", "name", "b", key=("name", "b", "id"), key_index="u")
    text = chunk_select(schema, encode_key([b"x", b"", b"7"]), 10)
    name, b = "_utf8mb4 X'78'", "_utf8mb4 X''"
    assert text == (
        "SELECT `id`, `name`, `b` FROM `clinic`.`patient` FORCE INDEX (`u`) WHERE"
        f" (`name` > {name}) OR (`name` = {name} AND `b` > {b})"
        f" OR (`name` = {name} AND `b` = {b} AND `id` > 7) ORDER BY `name`, `b`, `id` LIMIT 10"
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_name_stays_a_name(name: str) -> None:
    """Backticks are doubled; per cent signs, quotes and spaces stay as they are."""
    quoted = quote(name)
    assert re.fullmatch(r"`(?:[^`]|``)+`", quoted, re.S)
    assert quoted[1:-1].replace("``", "`") == name


def test_odd_names_are_quoted_everywhere() -> None:
    """The statement runs without parameters, so % is not doubled."""
    schema = table("id", "a`b", "100%", 'it\'s "x"', name="t`%s", key=("100%", "a`b"), key_index="k`")
    text = chunk_select(schema, encode_key([b"1", b"2"]), 5)
    assert qualified(schema) == "`clinic`.`t``%s`"
    assert 'SELECT `id`, `a``b`, `100%`, `it\'s "x"` FROM `clinic`.`t``%s` FORCE INDEX (`k```)' in text
    assert "(`100%` > _utf8mb4 X'31') OR (`100%` = _utf8mb4 X'31' AND `a``b` > _utf8mb4 X'32')" in text
    assert text.endswith(" ORDER BY `100%`, `a``b` LIMIT 5")


@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        (NAME, "_utf8mb4 X'27'"),
        (ColumnType("char", length=5, charset="latin1"), "_latin1 X'27'"),
        (ColumnType("varbinary", length=5), "X'27'"),
        (ColumnType("binary", length=5), "X'27'"),
        (ColumnType("blob"), "X'27'"),
        (ColumnType("datetime"), "_latin1 X'27'"),
        (ColumnType("uuid"), "_latin1 X'27'"),
        (ColumnType("inet6"), "_latin1 X'27'"),
        (ColumnType("bit", length=8), "39"),
        (ColumnType("bit", length=64), "39"),
    ],
)
def test_a_literal_says_its_character_set(kind: ColumnType, literal: str) -> None:
    """The bytes come back as the server sent them."""
    schema = table("k", key=("k",), types={"k": kind})
    assert f"(`k` > {literal})" in chunk_select(schema, encode_key([b"'"]), 1)


KINDS = [NAME, ColumnType("varbinary"), ColumnType("date"), ColumnType("uuid")]


@given(st.sampled_from(KINDS), st.binary(max_size=30))
def test_no_value_is_ever_part_of_the_text(kind: ColumnType, value: bytes) -> None:
    """Hex, whatever it holds."""
    schema = table("k", key=("k",), types={"k": kind})
    text = chunk_select(schema, encode_key([value]), 1)
    assert re.search(rf"WHERE \(`k` > (_\w+ )?X'{value.hex()}'\) ORDER BY", text)


@pytest.mark.parametrize("value", [b"0", b"-1", b"18446744073709551615", b"-12.50", b"1.5e-300", b"3e+38"])
def test_numbers_are_numbers(value: bytes) -> None:
    """As the server prints them; in quotes, a BIGINT would be compared as a double."""
    schema = table("k", key=("k",), types={"k": ColumnType("double")})
    assert f"(`k` > {value.decode()})" in chunk_select(schema, encode_key([value]), 1)


@pytest.mark.parametrize("value", [b"", b"1 OR 1", b"1;", b"0x1", b"NULL", b"1\n", b"--1", b"\xd9\xa1"])
def test_what_is_no_number_is_refused(value: bytes) -> None:
    """The checkpoint could have been edited by hand."""
    with pytest.raises(ValueError, match="column id: not a number in the server's own output$"):
        chunk_select(table(), encode_key([value]), 1)


@pytest.mark.parametrize("base", ["year", "enum", "set"])
def test_keys_that_are_numbers_to_the_server_are_numbers(base: str) -> None:
    """Nothing else goes into the text."""
    schema = table("k", key=("k",), types={"k": ColumnType(base)})
    assert " > 0001)" in chunk_select(schema, encode_key([b"0001"]), 1)
    with pytest.raises(ValueError, match="column k: not a number"):
        chunk_select(schema, encode_key([b"label"]), 1)


def test_labels_in_a_key_are_compared_by_their_number() -> None:
    """It is selected besides the label; a SET is cast, since 64 bits fit no double."""
    kinds = {"e": ColumnType("enum", charset="latin1"), "s": ColumnType("set", charset="latin1")}
    schema = table("s", "id", "e", key=("e", "id", "s"), types=kinds)
    text = chunk_select(schema, encode_key([b"2", b"7", b"5"]), 10)
    e, s = "CAST(`e` AS UNSIGNED)", "CAST(`s` AS UNSIGNED)"
    assert text.startswith(f"SELECT `s`, `id`, `e`, {e}, {s} FROM ")
    assert "(`e` > 2) OR (`e` = 2 AND `id` > 7)" in text
    assert text.endswith(f"OR (`e` = 2 AND `id` = 7 AND {s} > 5) ORDER BY `e`, `id`, `s` LIMIT 10")
    row = [b"a,c", b"7", b"blue", b"2", b"5"]
    assert key_values(schema, row) == [b"2", b"7", b"5"]


def test_other_keys_are_what_was_selected() -> None:
    """In the key's order."""
    schema = table("id", "name", "b", key=("b", "id"))
    assert key_values(schema, [b"1", b"x", b"y"]) == [b"y", b"1"]


def test_a_key_of_another_length_is_refused() -> None:
    """The table's key has changed since."""
    with pytest.raises(ValueError, match="zip"):
        chunk_select(table(), encode_key([b"1", b"2"]), 1)


def test_float_is_selected_with_all_its_digits() -> None:
    """The server prints six."""
    assert "SELECT `f` * 1e0 FROM" in chunk_select(
        table("f", key=("f",), types={"f": ColumnType("float")}), None, 1
    )


def test_a_range_ends_with_its_last_key_and_holds_it() -> None:
    """Also if the bound is only the first columns of a key: with every row that begins so."""
    text = chunk_select(table(), encode_key([b"5"]), 100, encode_key([b"9"]))
    assert " WHERE ((`id` > 5)) AND ((`id` <= 9)) ORDER BY `id` LIMIT 100" in text
    schema = table("id", "name", "b", key=("id", "name"))
    assert " WHERE (`id` <= 9) ORDER BY " in chunk_select(schema, None, 10, encode_key([b"9"]))
    both = chunk_select(schema, None, 10, encode_key([b"9", b"x"]))
    name = "_utf8mb4 X'78'"
    assert (
        f" WHERE (`id` < 9) OR (`id` = 9 AND `name` < {name}) OR (`id` = 9 AND `name` = {name}) ORDER BY "
        in both
    )
