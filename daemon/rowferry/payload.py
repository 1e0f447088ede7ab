"""Compressed parts of the binlog: MySQL's compressed transactions, MariaDB's compressed records.

Pure: bytes in, bytes out. Knows no event but the length in an event's header; what the events say is
for others. Formats: MySQL's `Transaction_payload_event` and its codec
(https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Transaction__payload__event.html),
MariaDB's `binlog_buf_compress` in sql/log_event.cc.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import zstandard

HEADER_SIZE: Final = 19
"""Bytes of the header that every event begins with; its length is in bytes 9 to 12."""

_END_MARK, _PAYLOAD_SIZE, _COMPRESSION, _UNCOMPRESSED_SIZE = range(4)
_FIELDS: Final = frozenset({_PAYLOAD_SIZE, _COMPRESSION, _UNCOMPRESSED_SIZE})
_ZSTD, _NONE = 0, 255
_LENGTH: Final = slice(9, 13)
_WIDE: Final = {0xFC: 2, 0xFD: 3, 0xFE: 8}
_IS_RECORD: Final = 0x80
_ALGORITHM: Final = 0x70
_LENGTH_BYTES: Final = 0x07


class PayloadError(ValueError):
    """Compressed bytes that are not what they should be; the message says in what, and holds no content."""


class _Source(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class PayloadHeader:
    """What precedes a compressed transaction. start: offset of its first byte. Sizes are bytes."""

    compression: int
    size: int
    uncompressed_size: int
    start: int


def payload_header(data: bytes, start: int, end: int) -> PayloadHeader:
    """Read the fields of a TRANSACTION_PAYLOAD event whose body is data[start:end].

    Each field is type, length and value, all of them length-coded numbers; type 0 ends them and has
    neither. Raises PayloadError for a field or a compression that is not known, and for sizes that do
    not fit.
    """
    fields: dict[int, int] = {}
    kind, at = _number(data, start, end)
    while kind != _END_MARK:
        if kind not in _FIELDS or kind in fields:
            raise PayloadError(f"its header has an unknown or doubled field {kind}")
        length, at = _number(data, at, end)
        fields[kind], after = _number(data, at, end)
        if after != at + length:
            raise PayloadError(f"field {kind} of its header has another length than it says")
        kind, at = _number(data, after, end)
    compression = fields.get(_COMPRESSION)
    if compression not in (_ZSTD, _NONE):
        raise PayloadError(f"its compression type {compression} is not known")
    size = fields.get(_PAYLOAD_SIZE, -1)
    if size != end - at:
        raise PayloadError("its header says another size than it has")
    uncompressed = fields.get(_UNCOMPRESSED_SIZE, size if compression == _NONE else -1)
    if uncompressed < 0 or (compression == _NONE and uncompressed != size):
        raise PayloadError("its header does not say its uncompressed size")
    return PayloadHeader(compression, size, uncompressed, at)


def inner_events(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """The events inside of a TRANSACTION_PAYLOAD event whose body is data[start:end], one after the other.

    Each with its header, and without a checksum. Not more than one of them is uncompressed at a time.
    Raises PayloadError as `payload_header` does, if the content cannot be uncompressed, ends early, or
    is larger or smaller than the header says; only when the last event was taken is all of that known.
    """
    header = payload_header(data, start, end)
    content = memoryview(data)[header.start : end]
    source = _uncompressing(content) if header.compression == _ZSTD else io.BytesIO(content)
    left = header.uncompressed_size
    try:
        while left:
            head = _take(source, HEADER_SIZE, left)
            length = int.from_bytes(head[_LENGTH], "little")
            if length < HEADER_SIZE:
                raise PayloadError("an event inside of it is shorter than its header")
            yield head + _take(source, length - HEADER_SIZE, left - HEADER_SIZE)
            left -= length
        if source.read(1):
            raise PayloadError("it holds more than it says")
    except zstandard.ZstdError:
        raise PayloadError("it cannot be uncompressed") from None


def _uncompressing(content: memoryview) -> _Source:
    reader: _Source = zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True)
    return reader


def _take(source: _Source, size: int, left: int) -> bytes:
    """Exactly so many bytes, of which `left` should be there."""
    if size > left:
        raise PayloadError("an event inside of it passes its end")
    found = source.read(size) if size else b""
    if len(found) != size:
        raise PayloadError("it ends early")
    return found


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A length-coded number and the offset after it."""
    first = data[at] if at < end else 0xFF
    if first < 0xFB:
        return first, at + 1
    after = at + 1 + _WIDE.get(first, end)
    if after > end:
        raise PayloadError("its header ends early or is malformed")
    return int.from_bytes(data[at + 1 : after], "little"), after


def uncompressed_record(data: bytes, start: int, end: int) -> bytes:
    """The content of MariaDB's compressed record data[start:end].

    Its first byte has the highest bit set, in three bits the algorithm (0: zlib), and in three more how
    many bytes follow with the length of the content, the highest first; then comes what zlib made.
    Raises PayloadError for anything else.
    """
    first = data[start] if start < end else 0
    width = first & _LENGTH_BYTES
    if not first & _IS_RECORD or first & _ALGORITHM or not 1 <= width <= 4:
        raise PayloadError(f"its first byte {first:#04x} is that of no known compression")
    at = start + 1 + width
    size = int.from_bytes(data[start + 1 : at], "big")
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(memoryview(data)[at:end], size + 1)
    except zlib.error:
        raise PayloadError("it cannot be uncompressed") from None
    if len(content) != size or not reader.eof or reader.unused_data:
        raise PayloadError("it holds more or less than it says")
    return content
