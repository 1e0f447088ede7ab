"""MySQL's binary JSON: real documents, an independent encoder, and bytes that are none."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.arrays import ValueNotCarriable
from rowferry.charsets import INVALID
from rowferry.mysql_json import MAX_DEPTH, NUL, MalformedJson, json_text, text_json, wire_json

# What MySQL 9.7 wrote into its binlog, and what it printed.
REAL = {
    "0400": "null",
    "05f9ff": "-7",
    "0affffffffffffffff": "18446744073709551615",
    "09000efad5feffffff": "-5000000000",
    "0ba0c8eb85f3cce17f": "1e308",
    "0c085a6fc3ab20227822": '"Zoë \\"x\\""',
    "0200000400": "[]",
    "0000000400": "{}",
    "0209003f0004000004010004020005ffff071f000723000927000b2f000b3700ffff000090eefeff005ed0b2000000009a999999"
    "9999b93f0000000000000080": "[null, true, false, -1, 65535, -70000, 3000000000, 0.1, -0.0]",
    "0004004600200000002000010021000100220002000b24000c2c00022e000400006162c3bc48afbc9af2d77a3e01780200180005"
    "0100000a0001000e000b0001000c0c006b0176": '{"": 0.0000001, "a": "x", "b": [1, {"k": "v"}], "ü": null}',
    "02050045000f13000f1d000f27000f31000f3b000b08e05ef8ffffffffff0a0800000000008203000c08010000fb7ebbb2190c08"
    "00000000000000000c080000000500c20219": '["-00:00:00.500000", "0001-01-01", "2024-02-29 23:59:59.000001",'
    ' "0000-00-00 00:00:00.000000", "1970-01-01 00:00:05.000000"]',
    "0205005a000f13000f19000f1f000f30000f3900f60403027ef5f60403028000f60f1d098c149aa4350dfb38d2075bcd15f6070a"
    "018000000005f61f4100e33b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff": (
        "[-1.10, 0.00, 12345678901234567890.123456789, 0.5, " + "9" * 65 + "]"
    ),
    "02040057000f10000f12000f16000f19000f000f0200ff0f01050f3c" + "7a" * 60: (
        '["base64:type15:", "base64:type15:AP8=", "base64:type15:BQ==", "base64:type15:'
        + "enp6" * 19
        + '\\nenp6"]'
    ),
    "020200b400020a000c30000100260002070001001f00000700010018000b000100020c006101000c000c07000464656570"
    "8201" + "79" * 130: '[[[{"a": ["deep"]}]], "' + "y" * 130 + '"]',
    # changed where it lay by JSON_SET and JSON_REMOVE: it has holes
    "0002004e00190001001a0001000c1f00074800000748000c4c00616e676f6e650573686f7274"
    + "78" * 35
    + "701101000167": ('{"a": "short", "n": 70000}'),
}
each_document = pytest.mark.parametrize("document", REAL, ids=lambda d: REAL[d][:24])


@each_document
def test_real_documents_give_the_server_s_text(document: str) -> None:
    """Character by character."""
    assert json_text(bytes.fromhex(document)) == REAL[document]


def test_no_bytes_are_null() -> None:
    """So the server prints the value of a NOT NULL column that was given none."""
    assert json_text(b"") == "null"


@each_document
def test_a_document_that_is_cut_short_is_refused(document: str) -> None:
    """At every byte."""
    whole = bytes.fromhex(document)
    for end in range(1, len(whole)):
        with pytest.raises(MalformedJson, match="^at byte [0-9]+: "):
            json_text(whole[:end])


def outcome(data: bytes) -> str:
    """The text, or the one error that is allowed. A text is never longer than its bytes can account for."""
    try:
        text = json_text(data)
    except MalformedJson as error:
        return str(error)
    assert len(text) <= 40 + 8 * len(data)
    json.loads(text)
    return text


@each_document
def test_a_damaged_document_is_read_or_refused(document: str) -> None:
    """One byte is wrong, in many ways: no other exception, no endless text, and always JSON."""
    whole = bytearray.fromhex(document)
    for at, byte in enumerate(whole):
        for wrong in {0, 1, 0x7F, 0x80, 0xFF, byte + 1 & 0xFF, *(byte ^ 1 << bit for bit in range(8))}:
            whole[at] = wrong
            outcome(bytes(whole))
        whole[at] = byte


@given(st.sampled_from([*range(17), 0xFF]), st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(kind: int, rest: bytes) -> None:
    """Whatever type they claim to be of."""
    outcome(bytes([kind]) + rest)


def test_values_that_share_bytes_are_refused() -> None:
    """Forty arrays inside each other, each holding the next one ten times, would be a text without end."""
    size, form = 34, "<HH" + "BH" * 10
    levels = [struct.pack(form, 10, (40 - n) * size + 4, *(0x02, size) * 10) for n in range(40)]
    with pytest.raises(MalformedJson, match="share bytes"):
        json_text(b"\x02" + b"".join(levels) + struct.pack("<HH", 0, 4))


def test_of_a_literal_in_its_entry_the_first_byte_counts() -> None:
    """As for the server (json_binary.cc, parse_scalar)."""
    assert json_text(bytes.fromhex("0202000a00" + "0401ff" + "0400ff")) == "[true, null]"


def nested(depth: int) -> bytes:
    """Arrays inside each other, that many."""
    inner = struct.pack("<HH", 0, 4)
    for _ in range(depth - 1):
        inner = struct.pack("<HHBH", 1, 7 + len(inner), 0x02, 7) + inner
    return b"\x02" + inner


def test_the_greatest_depth_is_the_server_s() -> None:
    """A hundred levels are read, one more is refused, and so are thousands."""
    assert json_text(nested(MAX_DEPTH)) == "[" * MAX_DEPTH + "]" * MAX_DEPTH
    for depth in (MAX_DEPTH + 1, 5000):
        with pytest.raises(MalformedJson, match="more than 100 levels"):
            json_text(nested(depth))


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ("0d00", "the type 13 is not known"),
        ("ff", "the type 255 is not known"),
        ("0201000700" + "0d0700", "the type 13 is not known"),
        ("0403", "the literal 3 is not known"),
        ("0201000700" + "040300", "the literal 3 is not known"),
        ("0c01ff", "a string is not UTF-8"),
        ("0c03eda080", "a string is not UTF-8"),
        ("0c8080808080", "a length has no end"),
        ("0cffffffff7f", "passes its end"),
        ("0b000000000000f07f", "a double is no number"),
        ("0b000000000000f87f", "a double is no number"),
        ("0201000700" + "0c0100", "in front of its place"),
        ("0001000c00" + "010001000c0b00" + "6100", "a key begins in front of its place"),
        ("0ff600", "no such precision"),
        ("0ff6030002" + "80", "no such precision"),
        ("0ff6030105" + "80", "no such precision"),
        ("0ff60405" + "028000", "another size"),
        ("0ff6060900" + "ffffffff", "group of too many digits"),
        ("0f0b0700000000000000", "not 8 bytes"),
        ("0f0b08" + "000000ff0f000000", "no such minute"),
        ("0f0b08" + "000000000000ff7f", "no such hour"),
        ("0f0b08" + "ffffff0000000000", "no such minute, second or fraction"),
        ("0f0c08" + "ffffffffffffffff", "no such year or hour"),
        ("0f0c08" + "00000000000000" + "7f", "no such year or hour"),
    ],
)
def test_the_error_says_what_and_where(document: str, what: str) -> None:
    """Of every kind."""
    with pytest.raises(MalformedJson, match=f"^at byte [0-9]+: .*({what})"):
        json_text(bytes.fromhex(document))


def encoded(value: Any, large: bool) -> tuple[int, bytes]:
    """Type and bytes of a value, in the small or the large storage; shares nothing with the reader."""
    if isinstance(value, str):
        data, length = value.encode(), b""
        size = len(data)
        while size >= 0x80:
            length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
        return 0x0C, length + bytes([size]) + data
    if isinstance(value, list | dict):
        return container(value, large)
    if value is None or isinstance(value, bool):
        return 0x04, bytes([{None: 0, True: 1, False: 2}[value]])
    for kind, low, high, form in (
        (0x05, -(1 << 15), 1 << 15, "<h"), (0x06, 0, 1 << 16, "<H"), (0x07, -(1 << 31), 1 << 31, "<i"),
        (0x08, 0, 1 << 32, "<I"), (0x09, -(1 << 63), 1 << 63, "<q"), (0x0A, 0, 1 << 64, "<Q"),
    ):  # fmt: skip
        if low <= value < high:
            return kind, struct.pack(form, value)
    raise AssertionError


def container(value: list[Any] | dict[str, Any], large: bool) -> tuple[int, bytes]:
    """An object or an array."""
    is_object = isinstance(value, dict)
    keys = [key.encode() for key in value] if isinstance(value, dict) else []
    items = list(value.values()) if isinstance(value, dict) else value
    width, offset = (4, "I") if large else (2, "H")
    start = 2 * width + len(keys) * (width + 2) + len(items) * (width + 1)
    key_entries, at = b"", start
    for key in keys:
        key_entries += struct.pack(f"<{offset}H", at, len(key))
        at += len(key)
    entries, tail = b"", b""
    for item in items:
        kind, data = encoded(item, large)
        inlined = kind in (4, 5, 6) or (large and kind in (7, 8))
        place = data.ljust(width, b"\0") if inlined else struct.pack(f"<{offset}", at + len(tail))
        entries += bytes([kind]) + place
        tail += b"" if inlined else data
    size = at + len(tail)
    head = struct.pack(f"<{offset}{offset}", len(items), size)
    return (0 if is_object else 2) + large, head + key_entries + entries + b"".join(keys) + tail


text_values = st.text(st.characters(codec="utf-8"), max_size=200)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | text_values,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(text_values, inner, max_size=8),
    max_leaves=40,
)


@given(values, st.booleans())
def test_documents_in_both_storages_are_read(value: Any, large: bool) -> None:
    """Python's own writer agrees with MySQL's for all but numbers with a fraction."""
    kind, data = encoded(value, large)
    if len(data) < 65_536 or large:
        assert json_text(bytes([kind]) + data) == json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"), (-0.0, "-0.0"), (1.0, "1.0"), (-1.5, "-1.5"), (0.1, "0.1"), (5e-324, "5e-324"),
        (1e14, "100000000000000.0"), (1e15, "1e15"), (-123456789012345.0, "-123456789012345.0"),
        (1234567890123456.0, "1.234567890123456e15"), (-1234567890123450.0, "-1.23456789012345e15"),
        (1234567890123456.5, "1234567890123456.5"), (1e16, "1e16"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
        (0.0001, "0.0001"), (0.00001, "0.00001"), (1e-15, "0.000000000000001"), (1e-16, "1e-16"),
        (-1.2345e-15, "-0.0000000000000012345"), (-9.875e-16, "-9.875e-16"),
    ],
)  # fmt: skip
def test_doubles_are_printed_as_the_server_prints_them(value: float, text: str) -> None:
    """Beyond fifteen places an exponent; always something that tells them from integers."""
    assert json_text(b"\x0b" + struct.pack("<d", value)) == text


def test_columns_name_the_row_and_never_the_value() -> None:
    """Malformed values, U+0000, and text that is none."""
    secret = b"\x0c\x06canary"
    cases = [
        (
            wire_json("c"),
            [None, secret, secret[:-1]],
            "it is no JSON value, at byte 2: a value passes its end",
        ),
        (wire_json("c"), [None, b"", b"\x0c\x02a\0"], NUL),
        (text_json("c"), [None, b'"canary"', b'["canary", {"a\\u0000": 1}]'], NUL),
        (text_json("c"), [None, b'"canary"', b'"\xed\xb0\x80"'], INVALID),
    ]
    for convert, rows, reason in cases:
        with pytest.raises(ValueNotCarriable) as refused:
            convert(rows)
        assert (refused.value.column, refused.value.index) == ("c", 2)
        assert refused.value.reason.startswith(reason)
        assert "canary" not in str(refused.value)
        assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "carried"),
    [
        (r'"\u0000"', False),
        (r'"\\u0000"', True),
        (r'"\\\u0000"', False),
        (r'"\\\\u0000"', True),
        (r'["\\", "u0000"]', True),
        (r'["\\u0000", "\u0000"]', False),
        (r'{"\n\u0000": 1}', False),
        ('"' + r"\\" * 100_000 + r'u0000"', True),
    ],
)
def test_only_the_character_is_refused_not_what_looks_like_its_escape(text: str, carried: bool) -> None:
    """An even number of backslashes in front of u0000 are backslashes."""
    convert = text_json("c")
    if carried:
        assert convert([text.encode(), None]).array.to_pylist() == [text, None]
        return
    with pytest.raises(ValueNotCarriable):
        convert([text.encode()])
