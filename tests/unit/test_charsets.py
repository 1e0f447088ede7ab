"""Text of the server's character sets as UTF-8, exactly or not at all."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.arrays import ValueNotCarriable
from rowferry.charset_tables import SINGLE_BYTE
from rowferry.charsets import CODECS, TextDecoder, charset_of_collation, text_decoder
from rowferry.types import UnsupportedType
from tests.unit.test_convert import as_arrays


def _outcome(decode: TextDecoder, values: Any) -> Any:
    try:
        return decode(values)
    except ValueNotCarriable as error:
        return error


def _parts(error: Any) -> tuple[str, int, str]:
    return str(error), error.index, error.kind


def decoded(charset: str, *values: bytes | None) -> list[str | None]:
    """The values as text; the same, or the same error, if they come as an array."""
    decode = text_decoder(charset, "c")
    listed, *others = [_outcome(decode, given) for given in (values, *as_arrays(values))]
    if isinstance(listed, ValueNotCarriable):
        assert [_parts(other) for other in others] == [_parts(listed)] * 2
        raise listed
    assert all(listed.equals(other) for other in others)
    array = listed
    array.validate(full=True)
    assert array.type == pa.large_string()
    found: list[str | None] = array.to_pylist()
    return found


@pytest.mark.parametrize("charset", ["utf8mb4", "utf8mb3", "utf8", "UTF8MB4"])
def test_utf8_is_taken_as_it_is(charset: str) -> None:
    """With NULLs, the empty text, and no rows at all."""
    assert decoded(charset, "Zoë".encode(), None, b"", "日本".encode()) == ["Zoë", None, "", "日本"]
    assert decoded(charset) == []
    assert decoded(charset, None, None) == [None, None]


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"])
def test_invalid_utf8_is_refused_where_it_stands(bad: bytes) -> None:
    """Also surrogates (which MySQL's utf8mb3 lets in) and overlong forms; never the value in the text."""
    with pytest.raises(ValueNotCarriable) as refused:
        decoded("utf8mb4", b"fine", None, b"x" + bad)
    assert (refused.value.column, refused.value.index) == ("c", 2)
    assert repr(bad)[2:-1] not in str(refused.value)


def test_pieces_of_one_character_in_two_values_are_invalid() -> None:
    """Values are checked each by itself, though their bytes lie next to each other."""
    with pytest.raises(ValueNotCarriable):
        decoded("utf8mb4", b"\xc3", b"\xa9")


@pytest.mark.parametrize("charset", ["utf8mb4", "latin1", "cp1251", "gbk", "ascii", "swe7"])
def test_the_nul_character_is_refused(charset: str) -> None:
    """Postgres has none, and it is never stripped."""
    with pytest.raises(ValueNotCarriable, match="U.0000") as refused:
        decoded(charset, None, b"ok", b"a\0b")
    assert refused.value.index == 2


def test_zero_bytes_of_wide_encodings_are_no_nul() -> None:
    """UCS-2 'a' is 00 61."""
    assert decoded("ucs2", b"\0a\0b") == ["ab"]
    assert decoded("utf16", "a😀".encode("utf-16-be")) == ["a😀"]
    assert decoded("utf16le", "a😀".encode("utf-16-le")) == ["a😀"]
    assert decoded("utf32", "a😀".encode("utf-32-be")) == ["a😀"]
    for charset, nul in (("ucs2", b"\0\0"), ("utf32", b"\0\0\0\0")):
        with pytest.raises(ValueNotCarriable, match="U.0000"):
            decoded(charset, nul)


def test_latin1_is_windows_1252_and_five_controls() -> None:
    """Not ISO 8859-1, and not Python's cp1252, which rejects those five."""
    assert decoded("latin1", b"\x80 \x81\x8d\x8f\x90\x9d \xe9\xff", None, b"plain") == [
        "€ \x81\x8d\x8f\x90\x9d éÿ",
        None,
        "plain",
    ]


@pytest.mark.parametrize(("charset", "bad"), [("ascii", b"\x80"), ("cp1251", b"\x98"), ("greek", b"\xa4")])
def test_a_byte_that_is_no_character_of_its_set_is_refused(charset: str, bad: bytes) -> None:
    """In the row where it stands, empty and NULL values before it or not."""
    with pytest.raises(ValueNotCarriable) as refused:
        decoded(charset, b"", None, b"ab", b"c" + bad, b"")
    assert refused.value.index == 3


@given(st.sampled_from(sorted(SINGLE_BYTE)), st.lists(st.none() | st.binary(max_size=12), max_size=8))
def test_a_column_of_a_single_byte_set_is_its_values_one_by_one(
    charset: str, values: list[bytes | None]
) -> None:
    """The whole column at once gives what each byte by itself gives."""

    def one(value: bytes | None) -> str | None:
        return (
            None if value is None else "".join(c or "" for b in value for c in decoded(charset, bytes([b])))
        )

    try:
        expected = [one(value) for value in values]
    except ValueNotCarriable:
        with pytest.raises(ValueNotCarriable):
            decoded(charset, *values)
        return
    assert decoded(charset, *values) == expected


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("gbk", "中文"),
        ("euckr", "갂"),
        ("gb2312", "中"),
        ("cp932", "～日本"),
        ("sjis", "日本ｱ"),
    ],
)
def test_multi_byte_sets_go_through_python(charset: str, text: str) -> None:
    """And refuse what is no code."""
    codec = CODECS[charset].name
    assert decoded(charset, text.encode(codec), None, b"a") == [text, None, "a"]
    with pytest.raises(ValueNotCarriable) as refused:
        decoded(charset, b"a", b"\xff\xff")
    assert refused.value.index == 1


def test_where_the_server_differs_from_python_the_server_is_right() -> None:
    """0x815F is a backslash in MySQL's sjis, and 0x80 is nothing in its cp932."""
    assert decoded("sjis", b"\x81\x5f") == ["\\"]
    assert decoded("cp932", b"\x81\x5f") == ["＼"]
    for bad in (b"\x80", b"\xa0", b"\xfd", b"\xff"):
        with pytest.raises(ValueNotCarriable):
            decoded("cp932", b"a" + bad)


def test_lone_surrogates_are_refused() -> None:
    """UCS-2 has no pairs, UTF-16 no halves."""
    for charset, value in (("ucs2", "😀".encode("utf-16-be")), ("utf16", b"\xd8\x00"), ("ucs2", b"\xd8\x00")):
        with pytest.raises(ValueNotCarriable):
            decoded(charset, value)


@pytest.mark.parametrize(
    ("number", "charset"),
    [(63, "binary"), (8, "latin1"), (33, "utf8mb3"), (45, "utf8mb4"), (255, "utf8mb4"), (1057, "utf8mb3"),
     (2048, "utf8mb3"), (2304, "utf8mb4"), (2560, "ucs2"), (35, "ucs2")],
)  # fmt: skip
def test_collations_lead_to_their_sets(number: int, charset: str) -> None:
    """The classic ids, MySQL 8's, MariaDB's NO PAD ones and its UCA-14 ones."""
    assert charset_of_collation(number) == charset


def test_what_is_not_known_is_refused_by_name() -> None:
    """A set that cannot be decoded exactly is not decoded."""
    with pytest.raises(UnsupportedType, match="column c.*klingon"):
        text_decoder("klingon", "c")
    for number in (0, 9999, 500):
        with pytest.raises(UnsupportedType, match=str(number)):
            charset_of_collation(number)
