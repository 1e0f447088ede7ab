"""Text of every character set of the server as UTF-8, exactly as the server itself would convert it.

Pure. Bytes that are no character of their set, and U+0000 (which Postgres cannot hold), are refused;
nothing is replaced, stripped or guessed. A whole column is decoded at once: UTF-8 is checked in C,
single-byte sets go through a table, multi-byte ones through Python's codecs where those agree with
the server code by code (`tests/integration/test_charset_oracle.py`).
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from rowferry.arrays import (
    ValueNotCarriable,
    as_binary,
    as_list,
    bytes_of,
    from_pieces,
    offsets_of,
    valid_of,
)
from rowferry.charset_tables import COLLATIONS, NOPAD_OFFSET, SINGLE_BYTE, UCA1400, UNDEFINED
from rowferry.types import UnsupportedType

TextDecoder = Callable[[Sequence[bytes | None]], pa.Array]

UTF8: Final = frozenset({"utf8", "utf8mb3", "utf8mb4"})


@dataclass(frozen=True, slots=True)
class Codec:
    """Python's codec for a multi-byte set, and where the server differs from it.

    replaced: a character that Python gives, and which one it is to the server. refused: characters that
    Python gives for codes in which the server sees none. plane: the greatest character.
    """

    name: str
    replaced: tuple[str, str] | None = None
    refused: str = ""
    plane: str = "\U0010ffff"


CODECS: Final = {
    "gbk": Codec("gbk"),
    "gb2312": Codec("gb2312"),
    "euckr": Codec("cp949"),
    "cp932": Codec("cp932", refused="\x80\uf8f0\uf8f1\uf8f2\uf8f3"),
    "sjis": Codec("shift_jis", ("＼", "\\")),
    "ucs2": Codec("utf-16-be", plane="\uffff"),
    "utf16": Codec("utf-16-be"),
    "utf16le": Codec("utf-16-le"),
    "utf32": Codec("utf-32-be"),
}
"""Multi-byte sets by the server's name. Not here, since Python gives one character for codes that the
server tells apart, or none for codes in which it sees one: big5, eucjpms, gb18030, ujis."""

INVALID: Final = "bytes that are no character of its character set"
NUL: Final = "the character U+0000, which Postgres cannot store"


def charset_of_collation(collation_id: int) -> str:
    """The character set of a collation id; "binary" for 63. Raises UnsupportedType for unknown ids."""
    if collation_id >= 2 * NOPAD_OFFSET:
        place = (collation_id - 2 * NOPAD_OFFSET) >> 8
        charset = UCA1400[place] if place < len(UCA1400) else None
    else:
        charset = _by_id().get(collation_id % NOPAD_OFFSET)
    if charset is None:
        raise UnsupportedType(f"collation id {collation_id} is not known")
    return charset


@lru_cache(maxsize=1)
def _by_id() -> dict[int, str]:
    found: dict[int, str] = {}
    for charset, ranges in COLLATIONS.items():
        for part in ranges.split():
            first, _, last = part.partition("-")
            found.update(dict.fromkeys(range(int(first), int(last or first) + 1), charset))
    return found


def text_decoder(charset: str, column: str) -> TextDecoder:
    """A function from bytes of that character set to an Arrow array of type large_string.

    Raises UnsupportedType for a set that cannot be decoded exactly; the function raises
    ValueNotCarriable for invalid bytes and for U+0000.
    """
    name = charset.lower()
    if name in UTF8:
        return lambda values: _utf8(values, column)
    if name in SINGLE_BYTE:
        table = _table(name)
        return lambda values: _single_byte(values, table, column)
    if name in CODECS:
        codec = CODECS[name]
        return lambda values: _by_codec(values, codec, column)
    raise UnsupportedType(f"column {column}: character set {charset} is not supported")


def invalid_text(column: str, index: int, reason: str) -> ValueNotCarriable:
    """The error for text that Postgres cannot hold, which the column's `invalid_text` policy decides."""
    return ValueNotCarriable(column, index, reason, "invalid_text")


def _utf8(values: Sequence[bytes | None], column: str) -> pa.Array:
    binary = as_binary(values)
    try:
        text = binary.cast(pa.large_string())
    except pa.ArrowInvalid:
        raise invalid_text(column, _first_invalid(as_list(values), "utf-8"), INVALID) from None
    data = bytes_of(binary)
    if len(data) and not data.all():
        _refuse(values, lambda value: b"\0" in value, column, NUL)
    return text


def _first_invalid(values: Sequence[bytes | None], codec: str) -> int:
    for index, value in enumerate(values):
        try:
            (value or b"").decode(codec)
        except UnicodeDecodeError:
            return index
    return 0


def _refuse(values: Sequence[bytes | None], bad: Callable[[bytes], bool], column: str, reason: str) -> None:
    index = next(i for i, value in enumerate(as_list(values)) if value is not None and bad(value))
    raise invalid_text(column, index, reason)


class _Table:
    """A single-byte set: its 256 characters as text, and the UTF-8 length of each (0: undefined)."""

    def __init__(self, name: str) -> None:
        codec, patches = SINGLE_BYTE[name]
        chars = [bytes([byte]).decode(codec, "replace") for byte in range(256)]
        for start, run in patches.items():
            chars[start : start + len(run)] = run
        self.characters = "".join(chars)
        self.lengths = np.array([0 if c == UNDEFINED else len(c.encode()) for c in chars], np.int64)
        self.ascii = self.characters[:128] == bytes(range(128)).decode("ascii")


@lru_cache(maxsize=64)
def _table(name: str) -> _Table:
    return _Table(name)


def _single_byte(values: Sequence[bytes | None], table: _Table, column: str) -> pa.Array:
    binary = as_binary(values)
    if len(binary) == 0:
        return binary.cast(pa.large_string())
    data, offsets = bytes_of(binary), offsets_of(binary)
    offsets = offsets - offsets[0]
    if len(data) and not data.all():
        _refuse(values, lambda value: b"\0" in value, column, NUL)
    if not len(data) or (table.ascii and data.max() < 128):
        return binary.cast(pa.large_string())
    lengths = table.lengths[data]
    if not lengths.all():
        wrong = int(np.searchsorted(offsets, lengths.argmin(), "right")) - 1
        raise invalid_text(column, wrong, INVALID)
    ends = np.zeros(len(data) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    text = codecs.charmap_decode(data.tobytes(), "strict", table.characters)[0].encode()
    return from_pieces(pa.large_string(), ends[offsets], text, valid_of(binary))


def _by_codec(values: Sequence[bytes | None], codec: Codec, column: str) -> pa.Array:
    texts = [
        None if value is None else _multi_byte(value, codec, column, index)
        for index, value in enumerate(as_list(values))
    ]
    return pa.array(texts, pa.large_string())


def _multi_byte(value: bytes, codec: Codec, column: str, index: int) -> str:
    try:
        text = value.decode(codec.name)
    except UnicodeDecodeError:
        raise invalid_text(column, index, INVALID) from None
    if "\0" in text:
        raise invalid_text(column, index, NUL)
    if any(char in text for char in codec.refused) or max(text, default="") > codec.plane:
        raise invalid_text(column, index, INVALID)
    return text.replace(*codec.replaced) if codec.replaced else text
