"""Keys have one text by every way: from the source's bytes, and from what Postgres prints."""

from __future__ import annotations

import pytest

from rowferry.key_texts import read_keys
from rowferry.table_schema import Column, ColumnPolicy, ColumnType, TableId, TableSchema
from rowferry.verify_keys import (
    SourceKey,
    key_form,
    ordered_alike,
    parameter,
    source_keys,
    there_key,
    unmatched,
)

UUID = "6ccd780c-baba-1026-9564-5b8c65600000"
TEXT = ColumnType("varchar", length=20, charset="utf8mb4", text="varchar(20)")


def table(kind: ColumnType, as_type: str = "", zero_dates: str = "quarantine") -> TableSchema:
    """A table with a key of that type alone."""
    policy = ColumnPolicy(as_type=as_type, zero_dates=zero_dates)
    return TableSchema(TableId("d", "t"), (Column("k", kind, nullable=False, policy=policy),), ("k",))


CASES = [
    (ColumnType("int"), b"007", "7", "7"),
    (ColumnType("year"), b"0000", "0", "0000"),
    (ColumnType("decimal", precision=9, scale=2), b"-1.50", "-1.50", "-1.50"),
    (ColumnType("binary", length=2), b"\x00\\", "\\x005c", "hex:005c"),
    (ColumnType("bit", length=1), b"\x01", "true", "1"),
    (ColumnType("bit", length=9), b"\x00\x05", "000000101", "000000101"),
    (ColumnType("date"), b"2024-02-29", "2024-02-29", "2024-02-29"),
    (ColumnType("datetime", fraction=3), b"2024-02-29 00:00:00.250", "2024-02-29 00:00:00.25", None),
    (ColumnType("datetime", fraction=3), b"2024-02-29 00:00:00.000", "2024-02-29 00:00:00", None),
    (ColumnType("timestamp", fraction=1), b"2024-02-29 00:00:00.5", "2024-02-29 00:00:00.5+00", None),
    (ColumnType("timestamp"), b"2024-02-29 00:00:00", "2024-02-29 00:00:00+00", None),
    (ColumnType("time", fraction=2), b"-838:00:00.50", "-838:00:00.5", None),
    (ColumnType("time"), b"24:00:00", "24:00:00", None),
    (ColumnType("uuid"), UUID.encode(), UUID, None),
    (ColumnType("inet4"), b"1.2.3.4", "1.2.3.4/32", None),
    (ColumnType("inet6"), b"::1", "::1/128", "0000:0000:0000:0000:0000:0000:0000:0001"),
    (TEXT, "Ä".encode(), "Ä", "Ä"),
    (TEXT, b"hex:00", "hex:00", "text:hex:00"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "sent", "printed", "text"), CASES)
def test_a_key_has_one_text(kind: ColumnType, sent: bytes, printed: str, text: str | None) -> None:
    """What both servers send leads to it; the daemon's desk reads the same out of Postgres's text."""
    made = table(kind)
    [found] = source_keys(key_form(made), [(sent,)])
    assert found == SourceKey((sent.decode() if text is None else text,))
    assert there_key(made, (printed,)) == found.texts
    _, read = read_keys(made, [(printed,)])
    assert read == (found.texts,)


def test_keys_that_the_destination_cannot_hold_are_told() -> None:
    """Among others that it can."""
    keys = source_keys(key_form(table(ColumnType("date"))), [(b"2024-02-29",), (b"0000-00-00",)])
    assert keys == [SourceKey(("2024-02-29",)), SourceKey(("0000-00-00",), fit=False)]
    assert source_keys(key_form(table(TEXT)), []) == []


def test_an_address_with_a_mask_is_none_that_was_copied() -> None:
    """It is shown as it is."""
    assert there_key(table(ColumnType("inet4")), ("1.2.0.0/16",)) == ("1.2.0.0/16",)


@pytest.mark.parametrize(("text", "value"), [("hex:005c", "\\x005c"), ("text:hex:00", "hex:00"), ("7", "7")])
def test_a_text_becomes_what_postgres_reads(text: str, value: str) -> None:
    """Its marks are ours."""
    assert parameter(text) == value


@pytest.mark.parametrize(
    ("kind", "as_type", "alike"),
    [
        (ColumnType("bigint", unsigned=True), "", True),
        (ColumnType("decimal", precision=9, scale=2), "", True),
        (ColumnType("varbinary", length=9), "", True),
        (ColumnType("int"), "text", False),
        (TEXT, "", False),
        (ColumnType("enum", length=1, charset="utf8mb4", text="enum('a')"), "", False),
        (ColumnType("date"), "", False),
    ],
)
def test_which_keys_both_servers_order_alike(kind: ColumnType, as_type: str, alike: bool) -> None:
    """And of which Postgres can hold every one: not so dates that are none."""
    assert ordered_alike(table(kind, as_type)) is alike


def test_some_keys_cannot_be_matched() -> None:
    """Floats, whose texts are not exact."""
    assert unmatched(table(ColumnType("int"))) == ""
    assert unmatched(table(ColumnType("double"))) == "the key's column k has no exact text"
    assert unmatched(TableSchema(TableId("d", "t"), (), ())) == ""
