"""MySQL's JSON: from its binary form to the very text that the server prints, and columns of both to Arrow.

Pure. The text is the server's character by character, so that a value is the same from the binlog and
from a SELECT. Bytes that are no JSON value are refused, and so is the character U+0000, which jsonb
cannot hold.

Formats: MySQL's sql-common/json_binary.h (storage), json_dom.cc (wrapper_to_string, double_quote),
strings/dtoa.cc (my_gcvt), sql-common/my_time.cc (packed times), strings/decimal.cc (bin2decimal).
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from struct import Struct
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from rowferry.arrays import Converted, ValueNotCarriable
from rowferry.charsets import text_decoder
from rowferry.wire_types import WireType, decimal_bytes, decimal_groups

MAX_DEPTH: Final = 100
MAX_DIGITS: Final = 81
"""Digits of the greatest number that the server computes with; columns hold 65 at most."""

NUL: Final = "it holds the character U+0000"
_NUL_ESCAPE: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

_LARGE_ARRAY: Final = 0x03
_LITERAL, _INT16, _UINT16, _INT32, _UINT32, _INT64, _UINT64 = range(0x04, 0x0B)
_DOUBLE: Final = 0x0B
_STRING: Final = 0x0C
_OPAQUE: Final = 0x0F
_LITERALS: Final = ("null", "true", "false")
_NUMBERS: Final = {
    _INT16: Struct("<h"),
    _UINT16: Struct("<H"),
    _INT32: Struct("<i"),
    _UINT32: Struct("<I"),
    _INT64: Struct("<q"),
    _UINT64: Struct("<Q"),
}
_FLOAT64: Final = Struct("<d")
_TIMES: Final = frozenset({WireType.DATE, WireType.TIME, WireType.DATETIME, WireType.TIMESTAMP})
_SPECIAL: Final = re.compile(r'[\x00-\x1f"\\]')
_NAMED: Final = {"\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r", '"': '"', "\\": "\\"}
_ESCAPES: Final = str.maketrans(
    {chr(code): f"\\u{code:04x}" for code in range(0x20)} | {c: f"\\{name}" for c, name in _NAMED.items()}
)
_BASE64_LINE: Final = 76
_LENGTH_BYTES: Final = 5
_DOUBLE_DIGITS: Final = 15
"""Numbers of at most so many places before the point, or behind it, are printed without an exponent."""


class MalformedJson(ValueError):
    """Bytes that are no JSON value of MySQL. Says what is wrong at which byte, never the value."""

    def __init__(self, at: int, what: str) -> None:
        """Keep what is wrong; `at` is an offset into the value's bytes."""
        super().__init__(f"at byte {at}: {what}")


@dataclass(frozen=True, slots=True)
class _Form:
    """The small or the large storage of objects and arrays.

    sizes: element count and size in bytes. key: offset and length. entry: type, and an offset or the
    value itself. inlined: the types whose value is in the entry.
    """

    sizes: Struct
    key: Struct
    entry: Struct
    inlined: frozenset[int]


_SMALL: Final = _Form(Struct("<HH"), Struct("<HH"), Struct("<BH"), frozenset({_LITERAL, _INT16, _UINT16}))
_LARGE: Final = _Form(Struct("<II"), Struct("<IH"), Struct("<BI"), _SMALL.inlined | {_INT32, _UINT32})


def json_text(data: bytes) -> str:
    """The text that MySQL prints for that JSON value. Raises MalformedJson.

    No bytes at all are `null`, as for the server: a NOT NULL column holds them where a statement
    that ignores errors gave it no value.
    """
    if not data:
        return "null"
    document = _Document(data)
    document.write(data[0], 1, len(data), 0)
    return "".join(document.parts)


def wire_json(column: str) -> Callable[[Sequence[bytes | None]], Converted]:
    """A function from the binlog's values to an array of texts; it raises ValueNotCarriable."""

    def convert(values: Sequence[bytes | None]) -> Converted:
        texts: list[str | None] = []
        for value in values:
            try:
                texts.append(None if value is None else json_text(value))
            except MalformedJson as error:
                reason = f"it is no JSON value, {error}"
                raise ValueNotCarriable(column, len(texts), reason, "invalid_text") from None
        return _without_nul(column, pa.array(texts, pa.large_string()))

    return convert


def text_json(column: str) -> Callable[[Sequence[bytes | None]], Converted]:
    """A function from the texts of a SELECT to an array of texts; it raises ValueNotCarriable."""
    decode = text_decoder("utf8mb4", column)
    return lambda values: _without_nul(column, decode(values))


def _without_nul(column: str, texts: pa.Array) -> Converted:
    suspects = pc.indices_nonzero(pc.fill_null(pc.match_substring(texts, "\\u0000"), False))
    for index in suspects.to_pylist():
        if _NUL_ESCAPE.search(texts[index].as_py()):
            raise ValueNotCarriable(column, index, NUL, "invalid_text")
    return Converted(texts)


class _Document:
    """One JSON value being read. Its text gathers in `parts`.

    No two values share a byte, so all together have no more bytes than the document (`_left` counts
    them): bytes that claim otherwise could stand for a text of any length.
    """

    __slots__ = ("_data", "_left", "parts")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = len(data)
        self.parts: list[str] = []

    def write(self, kind: int, at: int, end: int, depth: int) -> None:
        """Append the text of the value of that type which begins at `at` and must not pass `end`."""
        if kind <= _LARGE_ARRAY:
            self._write_container(kind, at, end, depth + 1)
        else:
            self.parts.append(self._scalar(kind, at, end))

    def _write_container(self, kind: int, start: int, limit: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise MalformedJson(start, f"more than {MAX_DEPTH} levels")
        form, is_object = _LARGE if kind & 1 else _SMALL, kind < 2
        sizes = self._take(start, form.sizes.size, limit)
        count, size = form.sizes.unpack(sizes)
        entries = start + form.sizes.size + is_object * count * form.key.size
        end, values = start + size, entries + count * form.entry.size
        if not values <= end <= limit:
            raise MalformedJson(start, "an object or array passes its end")
        keys = self._keys(form, start, entries, values, end) if is_object else repeat("")
        children = form.entry.iter_unpack(self._take(entries, values - entries, end))
        append = self.parts.append
        append("{" if is_object else "[")
        for index, (key, (child, value)) in enumerate(zip(keys, children, strict=False)):
            append(f", {key}" if index else key)
            if child in form.inlined:
                append(_inlined(child, value, entries))
            elif start + value < values:
                raise MalformedJson(entries, "a value begins in front of its place")
            else:
                self.write(child, start + value, end, depth)
        append("}" if is_object else "]")

    def _keys(self, form: _Form, start: int, entries: int, values: int, end: int) -> Iterator[str]:
        """What stands in front of each member's value, one after the other."""
        first = start + form.sizes.size
        for offset, length in form.key.iter_unpack(self._take(first, entries - first, end)):
            if start + offset < values:
                raise MalformedJson(first, "a key begins in front of its place")
            yield f"{self._string(start + offset, length, end)}: "

    def _take(self, at: int, size: int, end: int) -> bytes:
        if at + size > end:
            raise MalformedJson(at, "a value passes its end")
        self._left -= size
        if self._left < 0:
            raise MalformedJson(at, "values share bytes")
        return self._data[at : at + size]

    def _scalar(self, kind: int, at: int, end: int) -> str:
        number = _NUMBERS.get(kind)
        if number is not None:
            return str(number.unpack(self._take(at, number.size, end))[0])
        if kind == _STRING:
            return self._string(*self._length(at, end), end)
        if kind == _DOUBLE:
            return _double_text(_FLOAT64.unpack(self._take(at, 8, end))[0], at)
        if kind == _LITERAL:
            return _literal(self._take(at, 1, end)[0], at)
        if kind == _OPAQUE:
            return self._opaque(at, end)
        raise MalformedJson(at, f"the type {kind} is not known")

    def _length(self, at: int, end: int) -> tuple[int, int]:
        """Where the bytes behind a length begin, and how many they are; seven bits of it in each byte."""
        length = 0
        for index in range(_LENGTH_BYTES):
            byte = self._take(at + index, 1, end)[0]
            length |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return at + index + 1, length
        raise MalformedJson(at, "a length has no end")

    def _string(self, at: int, size: int, end: int) -> str:
        return _quoted(self._take(at, size, end), at)

    def _opaque(self, at: int, end: int) -> str:
        """A value of another type of MySQL, behind its number and its length."""
        kind = self._take(at, 1, end)[0]
        start, size = self._length(at + 1, end)
        data = self._take(start, size, end)
        if kind == WireType.VAR_STRING:
            return _quoted(data, start)
        if kind == WireType.NEWDECIMAL:
            return _decimal_text(data, start)
        if kind in _TIMES:
            return f'"{_time_text(kind, data, start)}"'
        return _base64_text(kind, data)


def _inlined(kind: int, value: int, at: int) -> str:
    """The text of a value that is in its entry, read as an unsigned number, itself."""
    if kind == _LITERAL:
        return _literal(value & 0xFF, at)
    bits = 16 if kind in (_INT16, _UINT16) else 32
    value &= (1 << bits) - 1
    if kind in (_INT16, _INT32) and value >> (bits - 1):
        value -= 1 << bits
    return str(value)


def _literal(code: int, at: int) -> str:
    if code >= len(_LITERALS):
        raise MalformedJson(at, f"the literal {code} is not known")
    return _LITERALS[code]


def _quoted(data: bytes, at: int) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = at + error.start
    else:
        return f'"{text.translate(_ESCAPES) if _SPECIAL.search(text) else text}"'
    raise MalformedJson(place, "a string is not UTF-8")


def _double_text(value: float, at: int) -> str:
    """The shortest digits that bring the double back, with an exponent only beyond 15 places."""
    if not math.isfinite(value):
        raise MalformedJson(at, "a double is no number")
    text = repr(value)
    digits, _, exponent = text.partition("e")
    power = int(exponent or 0)
    if -_DOUBLE_DIGITS <= power < 0:
        sign = "-" if value < 0 else ""
        return f"{sign}0.{'0' * (-power - 1)}{digits.lstrip('-').replace('.', '')}"
    if exponent:
        return f"{digits}e{power}"
    whole = text.lstrip("-").removesuffix(".0")
    if not whole.isdecimal() or len(whole) <= _DOUBLE_DIGITS:
        return text
    sign, rest = "-" if value < 0 else "", whole[1:].rstrip("0")
    return f"{sign}{whole[0]}{'.' if rest else ''}{rest}e{len(whole) - 1}"


def _decimal_text(data: bytes, at: int) -> str:
    """A DECIMAL behind its precision and its scale: all digits of its scale, zeros at the end included."""
    precision, scale = data[:2] if len(data) >= 2 else (0, 0)
    if not (0 < precision <= MAX_DIGITS and scale <= precision):
        raise MalformedJson(at, "a DECIMAL has no such precision and scale")
    packed = data[2:]
    if len(packed) != decimal_bytes(precision, scale):
        raise MalformedJson(at, "a DECIMAL has another size")
    negative = packed[0] < 0x80
    number = int.from_bytes(packed, "big") ^ 1 << 8 * len(packed) - 1
    if negative:
        number ^= (1 << 8 * len(packed)) - 1
    digits = "".join(_decimal_digits(number.to_bytes(len(packed), "big"), precision, scale, at))
    whole, fraction = digits[: precision - scale].lstrip("0") or "0", digits[precision - scale :]
    return f"{'-' if negative else ''}{whole}{'.' if scale else ''}{fraction}"


def _decimal_digits(packed: bytes, precision: int, scale: int, at: int) -> Iterator[str]:
    start = 0
    for size, places in decimal_groups(precision, scale):
        group = f"{int.from_bytes(packed[start : start + size], 'big'):0{places}}"
        if len(group) > places:
            raise MalformedJson(at + 2 + start, "a DECIMAL has a group of too many digits")
        start += size
        yield group


def _time_text(kind: int, data: bytes, at: int) -> str:
    """A point in time or a span, packed into 64 bits; zero dates are printed as they are."""
    if len(data) != 8:
        raise MalformedJson(at, "a time is not 8 bytes long")
    packed = int.from_bytes(data, "little", signed=True)
    seconds, micros = divmod(abs(packed), 1 << 24)
    clock, minute, second = seconds >> 12, seconds >> 6 & 0x3F, seconds & 0x3F
    if minute > 59 or second > 59 or micros > 999_999:
        raise MalformedJson(at, "a time has no such minute, second or fraction")
    tail = f"{minute:02}:{second:02}.{micros:06}"
    if kind == WireType.TIME:
        if clock > 838:
            raise MalformedJson(at, "a time has no such hour")
        return f"{'-' if packed < 0 else ''}{clock:02}:{tail}"
    day, hour = clock >> 5, clock & 0x1F
    year, month = divmod(day >> 5, 13)
    if packed < 0 or year > 9999 or hour > 23:
        raise MalformedJson(at, "a date has no such year or hour")
    date = f"{year:04}-{month:02}-{day & 0x1F:02}"
    return date if kind == WireType.DATE else f"{date} {hour:02}:{tail}"


def _base64_text(kind: int, data: bytes) -> str:
    """The bytes of any other type, in lines of 76 characters whose ends are escaped."""
    text = base64.b64encode(data).decode("ascii")
    lines = (text[start : start + _BASE64_LINE] for start in range(0, len(text), _BASE64_LINE))
    return f'"base64:type{kind}:' + "\\n".join(lines) + '"'
