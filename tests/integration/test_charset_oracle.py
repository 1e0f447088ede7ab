"""Character sets against the server: every byte, and every two-byte code of the multi-byte sets."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from rowferry.arrays import ValueNotCarriable
from rowferry.charset_tables import SINGLE_BYTE
from rowferry.charsets import CODECS, charset_of_collation, text_decoder
from rowferry.types import UnsupportedType
from rowferry_lab.servers import RunningServer
from tests.integration.binlog_reading import connected, run


def ours(charset: str, code: bytes) -> str | None:
    """What we make of a code, None where we refuse it."""
    try:
        text: str = text_decoder(charset, "c")([code])[0].as_py()
    except ValueNotCarriable:
        return None
    return text


def server_text(value: str | None, code: bytes) -> str | None:
    """What the server makes of a code; nothing, '?' and U+FFFD stand for no character."""
    text = None if value is None else bytes.fromhex(value).decode()
    replaced = not text or "\ufffd" in text or ("?" in text and b"?" not in code) or "\0" in text
    return None if replaced else text


@pytest.mark.parametrize("charset", sorted(SINGLE_BYTE))
def test_every_byte_of_a_single_byte_set_is_what_the_server_says(source: RunningServer, charset: str) -> None:
    """latin1 is Windows-1252 plus five bytes, and so on: only the server knows its sets."""
    codes = [bytes([byte]) for byte in range(256)]
    asked = ", ".join(f"HEX(CONVERT(_{charset} X'{code.hex()}' USING utf8mb4))" for code in codes)
    with connected(source) as connection:
        answers = run(connection, f"SELECT {asked}")[0]
    for code, answer in zip(codes, answers, strict=True):
        assert ours(charset, code) == server_text(answer, code), code


CJK = sorted(set(CODECS) - {"ucs2", "utf16", "utf16le", "utf32"})


@pytest.mark.parametrize("charset", CJK)
def test_codes_of_a_multi_byte_set_are_what_the_server_says(source: RunningServer, charset: str) -> None:
    """Python's codecs are used where they agree with the server on every code."""
    codes = [bytes(code) for code in product(range(0x80, 0x100), range(0x40, 0x100))]
    codes += [bytes([byte]) for byte in range(1, 256)]
    with connected(source) as connection:
        answers = converted(connection, charset, codes)
    wrong = [
        (code.hex(), ours(charset, code), server_text(answer, code))
        for code, answer in answers
        if ours(charset, code) != server_text(answer, code)
    ]
    assert wrong[:20] == []


@pytest.mark.parametrize("charset", ["ucs2", "utf16", "utf16le", "utf32"])
def test_encodings_of_unicode_are_what_the_server_says(source: RunningServer, charset: str) -> None:
    """Every character of the first plane; code units that are no character are refused."""
    codec = CODECS[charset].name
    codes = [chr(point).encode(codec) for point in range(1, 0x10000) if not 0xD800 <= point <= 0xDFFF]
    with connected(source) as connection:
        answers = converted(connection, charset, codes)
    texts = text_decoder(charset, "c")([code for code, _ in answers]).to_pylist()
    assert [bytes.fromhex(answer or "").decode() for _, answer in answers] == texts
    lone = "\ud800".encode(codec, "surrogatepass")
    assert ours(charset, lone) is None


def converted(connection: Any, charset: str, codes: list[bytes]) -> list[tuple[bytes, str | None]]:
    """What the server makes of the codes, in hexadecimal; NULL where it cuts off what is malformed."""
    run(connection, "DROP TABLE IF EXISTS codes", "CREATE TABLE codes (c VARBINARY(4) PRIMARY KEY)")
    for start in range(0, len(codes), 8192):
        values = ", ".join(f"(X'{code.hex()}')" for code in codes[start : start + 8192])
        run(connection, f"INSERT INTO codes VALUES {values}")
    read = f"CONVERT(c USING {charset})"
    asked = f"SELECT c, IF(LENGTH({read})=LENGTH(c), HEX(CONVERT({read} USING utf8mb4)), NULL) FROM codes"
    return [(code, answer) for code, answer in run(connection, asked)]


def test_every_collation_of_the_server_is_known(source: RunningServer) -> None:
    """The id in a table map leads to the right character set, on every server."""
    with connected(source) as connection:
        listed = run(
            connection,
            "SELECT id, character_set_name FROM information_schema.collations "
            "WHERE id IS NOT NULL AND character_set_name IS NOT NULL",
        )
    assert len(listed) > 200
    for number, charset in listed:
        assert charset_of_collation(number) == {"utf8": "utf8mb3"}.get(charset, charset)


def test_an_unknown_set_is_refused_by_name() -> None:
    """Never guessed from the connection's."""
    with pytest.raises(UnsupportedType, match="klingon"):
        text_decoder("klingon", "c")
    with pytest.raises(UnsupportedType, match="5000"):
        charset_of_collation(5000)
