"""Strategies for text in many character sets, bytes, labels and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from hypothesis import strategies as st

from tests.generated.kinds import Kind, Kinds, Server, hexadecimal, text_literal

_ALPHABET: Final = (
    "aAbBzZ019 _%;'\"\\`{}-#@&|,.<>?!~^\n\r\t\x01\x1a\x7f\u00a0ßéÉëÿœ€Žž\u0436\u0416\u0451日本語中文表ソｱ"
    "\uff3c\uff5e\u2016\u2212\u00a5\u203e\u2028\ufeff\ufffd"
)
_WIDE: Final = "😀𝒳🇨🇭"
COLLATIONS: Final = {
    "utf8mb4": ("utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_unicode_ci"),
    "utf8mb3": ("utf8mb3_general_ci", "utf8mb3_bin"),
    "latin1": ("latin1_swedish_ci", "latin1_bin", "latin1_general_cs"),
    "cp1251": ("cp1251_general_ci", "cp1251_bin"),
    "sjis": ("sjis_japanese_ci", "sjis_bin"),
    "gbk": ("gbk_chinese_ci", "gbk_bin"),
    "ucs2": ("ucs2_general_ci", "ucs2_bin"),
    "utf16": ("utf16_general_ci", "utf16_bin"),
    "utf32": ("utf32_general_ci",),
    "ascii": ("ascii_general_ci",),
}
_MYSQL_UTF8MB4: Final = ("utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_0900_bin")
_LATIN1_HOLES: Final = "\x81\x8d\x8f\x90\x9d"


def _collation(server: Server, charset: str) -> st.SearchStrategy[str]:
    known = COLLATIONS[charset]
    if charset == "utf8mb3" and server.version < (10, 6) and not server.mysql:
        known = tuple(name.replace("utf8mb3", "utf8") for name in known)
    if charset == "utf8mb4" and server.mysql:
        known += _MYSQL_UTF8MB4
    if charset == "utf8mb4" and not server.mysql:
        known += ("utf8mb4_nopad_bin", "utf8mb4_unicode_520_nopad_ci")
    if charset == "utf8mb4" and not server.mysql and server.version >= (10, 10):
        known += ("utf8mb4_uca1400_ai_ci", "utf8mb4_uca1400_nopad_as_cs")
    return st.sampled_from(known)


def _characters(charset: str, holes: str) -> str:
    wide = _WIDE if charset in ("utf8mb4", "utf16", "utf32") else ""
    return _ALPHABET + wide + (holes if charset == "latin1" else "")


def texts_of(
    charsets: Sequence[str], suffix: str = "", holes: str = _LATIN1_HOLES
) -> Callable[[Server], Kinds]:
    """Text types in one of these character sets; holes: characters of latin1 that cp1252 has not."""

    @st.composite
    def kinds(draw: st.DrawFn, server: Server) -> Kind:
        charset = draw(st.sampled_from(charsets))
        collation = draw(_collation(server, charset))
        length = draw(st.sampled_from([20, 5, 1, 0, 64, 255, 300]))
        shapes = [
            f"VARCHAR({length})",
            f"CHAR({min(length, 255)})",
            "TINYTEXT",
            "TEXT",
            "MEDIUMTEXT",
            "LONGTEXT",
        ]
        shape = draw(st.sampled_from([s for s in shapes if not suffix or not s.startswith("CHAR")]))
        sized = "(" in shape
        longest = min(length, 12) if sized else 12
        texts = st.text(st.sampled_from(_characters(charset, holes)), max_size=longest).map(text_literal)
        if not sized:
            texts = texts | st.sampled_from([63, 300]).map(lambda n: text_literal("é" * n))
        fits = sized and 0 < length <= 20 and not suffix
        ddl = f"{shape}{suffix} CHARACTER SET {charset} COLLATE {collation}"
        return Kind("compressed" if suffix else "text", ddl, texts, texts if fits else None)

    return kinds


def binaries(_: Server) -> Kinds:
    """BINARY, VARBINARY and the BLOBs, with zeros and spaces at the end."""

    def of(shape: str, length: int) -> Kind:
        sized = shape in ("BINARY", "VARBINARY")
        if shape == "BINARY":
            length = min(length, 255)
        size = min(length, 12) if sized else 12
        values = (st.binary(max_size=size) | st.sampled_from([b"", b"\0", b" ", b"a\0\0", b"\0a"])).map(
            lambda data: hexadecimal(data[:size])
        )
        fits = sized and 0 < length <= 20
        return Kind("binary", f"{shape}({length})" if sized else shape, values, values if fits else None)

    shapes = ["BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"]
    return st.builds(of, st.sampled_from(shapes), st.sampled_from([16, 4, 1, 0, 255, 300]))


_LABELS: Final = ("a", "b c", "it's", 'q"q', "100%", "%s", ";--", "{0}", "back\\slash", "", " lead", "x")
_WIDE_LABELS: Final = ("é", "ß", "日本", "жук")


def _labels(charset: str) -> st.SearchStrategy[list[str]]:
    known = _LABELS + (_WIDE_LABELS if charset == "utf8mb4" else _WIDE_LABELS[:2])
    return st.lists(st.sampled_from(known), min_size=1, max_size=10, unique=True)


def _label_list(labels: Sequence[str]) -> str:
    return ",".join("'" + label.replace("\\", "\\\\").replace("'", "''") + "'" for label in labels)


def enums_of(charsets: Sequence[str]) -> Callable[[Server], Kinds]:
    """ENUM with an index of one byte or two; among its values the one that is no label."""

    @st.composite
    def kinds(draw: st.DrawFn, _: Server) -> Kind:
        charset = draw(st.sampled_from(charsets))
        labels = draw(_labels(charset))
        if draw(st.sampled_from([False, False, False, True])):
            labels = [*labels, *(f"label{n}" for n in range(300))]  # an index of two bytes
        known = st.integers(1, len(labels)).map(str)
        ddl = f"ENUM({_label_list(labels)}) CHARACTER SET {charset}"
        return Kind("enum", ddl, known | st.just("'no such label'"), known if all(labels) else None)

    return kinds


def sets_of(charsets: Sequence[str]) -> Callable[[Server], Kinds]:
    """SET of each of its sizes."""

    @st.composite
    def kinds(draw: st.DrawFn, _: Server) -> Kind:
        charset = draw(st.sampled_from(charsets))
        labels = [label for label in draw(_labels(charset)) if label] or ["only"]
        more = draw(st.sampled_from([0, 0, 7, 15, 23, 64]))
        labels += [f"label{n}" for n in range(more - len(labels))]
        top = 2 ** len(labels) - 1
        numbers = (st.sampled_from([0, 1, top]) | st.integers(0, top)).map(str)
        return Kind("set", f"SET({_label_list(labels)}) CHARACTER SET {charset}", numbers, numbers)

    return kinds


_JSON_TEXT: Final = st.text(st.sampled_from(_ALPHABET + _WIDE), max_size=6)
_JSON_SCALARS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 2**63, 2**64 - 1, -(2**63), 32767, 32768, -32769]),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    _JSON_TEXT,
)
_JSON: Final[st.SearchStrategy[Any]] = st.recursive(
    _JSON_SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_JSON_TEXT, inner, max_size=3),
    max_leaves=6,
)
_JSON_OF_MYSQL: Final = (
    "JSON_OBJECT('d', CAST('2024-02-29' AS DATE), 't', CAST('-10:00:00.5' AS TIME(1)))",
    "JSON_ARRAY(CAST('2024-02-29 01:02:03.000004' AS DATETIME(6)), CAST(-1.50 AS DECIMAL(9,2)))",
    "JSON_ARRAY(CAST(12345678901234567890.123456789 AS DECIMAL(40,9)), X'00ff', b'101')",
)


def json_documents(server: Server) -> Kinds:
    """JSON, in MySQL also with scalars that JSON's text has not."""
    values = _JSON.map(lambda value: text_literal(json.dumps(value, ensure_ascii=False)))
    if server.mysql:
        return st.just(Kind("json", "JSON", values | st.sampled_from(_JSON_OF_MYSQL)))
    return st.just(Kind("json", "JSON", values))
