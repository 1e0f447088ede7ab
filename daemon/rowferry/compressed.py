"""Values of MariaDB's COMPRESSED columns, laid open.

Pure. The binlog holds such a value as the storage engine does. An empty value has no bytes at all. Others
begin with a byte whose upper half names the method: 0, the value follows as it is; 8, zlib. With zlib, its
lower three bits say how many bytes of the plain length follow (big-endian), and the fourth that the
stream is bare (column_compression_zlib_wrap=OFF), without zlib's header and checksum.

Format: MariaDB's sql/field_comp.cc, and Field_longstr::compress and uncompress of sql/field.cc.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Final

from rowferry.arrays import Converted, ValueNotCarriable
from rowferry.changes import WireColumn
from rowferry.wire_types import WireType

Converter = Callable[[Sequence[bytes | None]], Converted]

_AS_IS: Final = 0x00
_ZLIB: Final = 0x80
_BARE: Final = 0x08
_LENGTH_BYTES: Final = 0x07


class _Malformed(Exception):
    """Why a value cannot be laid open."""


def uncompressed_first(wire: WireColumn, convert: Converter) -> Converter:
    """`convert`, which knows plain values, for values as that column of the binlog holds them.

    The very same function for a column that is not COMPRESSED. Otherwise it raises ValueNotCarriable for
    a value that is malformed, or whose plain length is not the one stated or more than the type allows;
    no more than a byte beyond the stated length is ever made of a value.
    """
    if wire.type_code == WireType.VARCHAR_COMPRESSED:
        limit = wire.metadata - 1
    elif wire.type_code == WireType.BLOB_COMPRESSED:
        limit = 256**wire.metadata - 1
    else:
        return convert

    def uncompress_and_convert(values: Sequence[bytes | None]) -> Converted:
        return convert([_nullable(value, limit, wire.name, i) for i, value in enumerate(values)])

    return uncompress_and_convert


def _nullable(value: bytes | None, limit: int, column: str, index: int) -> bytes | None:
    try:
        plain = _uncompressed(value, limit) if value else value
    except _Malformed as error:
        raise ValueNotCarriable(column, index, str(error)) from None
    return plain


def _uncompressed(value: bytes, limit: int) -> bytes:
    """The plain bytes, at most `limit`. Raises _Malformed."""
    head = value[0]
    if head == _AS_IS:
        plain = value[1:]
    elif head & 0xF0 == _ZLIB:
        plain = _inflated(value, limit)
    else:
        raise _Malformed("a value compressed by an unknown method")
    if len(plain) > limit:
        raise _Malformed("a compressed value is longer than its type allows")
    return plain


def _inflated(value: bytes, limit: int) -> bytes:
    start = 1 + (value[0] & _LENGTH_BYTES)
    length = int.from_bytes(value[1:start], "big")
    if length > limit:
        raise _Malformed("a compressed value states a length that its type does not allow")
    stream = zlib.decompressobj(-zlib.MAX_WBITS if value[0] & _BARE else zlib.MAX_WBITS)
    try:
        plain = stream.decompress(value[start:], length + 1)
    except zlib.error:
        raise _Malformed("a compressed value is damaged") from None
    if not stream.eof or stream.unused_data or len(plain) != length:
        raise _Malformed("a compressed value has not the length that it states")
    return plain
