"""BIT, YEAR, VECTOR, UUID, INET4 and INET6, from the binlog's bytes and from SELECT's, to Arrow.

Pure, a column at a time. BIT(1) becomes a boolean, BIT(n) text of n digits; VECTOR the text of a
Postgres array; UUID, INET4 and INET6 text of one form by both ways in.

Formats: MySQL's and MariaDB's field.cc (Field_bit, Field_year), MariaDB's sql_type_fixedbin.h and
sql_type_uuid.h (the binlog holds a UUID's bytes in the order of its text, whatever order the engine
stores), and https://dev.mysql.com/doc/refman/9.7/en/vector.html.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowferry.arrays import (
    Bools,
    Bytes,
    Converted,
    ValueNotCarriable,
    as_binary,
    as_list,
    byte_matrix,
    from_pieces,
    null_mask,
    require,
)

Values = Sequence[bytes | None]
Converter = Callable[[Values], Converted]

_HEX_DIGITS: Final = np.frombuffer(b"0123456789abcdef", np.uint8)
_UUID_GROUPS: Final = (4, 2, 2, 2, 6)
_INET6_GROUPS: Final = (2,) * 8
_UUID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_ZERO_YEAR: Final = 1900
_FLOAT_BYTES: Final = 4


def bits(column: str, width: int) -> Converter:
    """BIT(width), whose bytes both ways send big-endian.

    Raises ValueNotCarriable where a bit above the width is set.
    """
    size = (width + 7) // 8

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(values, size, column)
        digits = np.unpackbits(matrix, axis=1)
        spare = size * 8 - width
        beyond = np.count_nonzero(digits[:, :spare], axis=1)
        require(beyond == 0, valid, column, "a bit beyond the column's width")
        shown = digits[:, spare:]
        if width == 1:
            nulls = None if valid is None else ~valid
            return Converted(pa.array(shown[:, 0].astype(np.bool_), pa.bool_(), mask=nulls))
        return Converted(_characters(shown + np.uint8(48), valid))

    return convert


def wire_year() -> Callable[[Sequence[int | None]], Converted]:
    """YEAR of the binlog: years since 1900 in one byte, and 0 for the year 0."""

    def convert(values: Sequence[int | None]) -> Converted:
        years = [year + _ZERO_YEAR if year else year for year in values]
        return Converted(pa.array(years, pa.int16()))

    return convert


def vector(column: str) -> Converter:
    """VECTOR: floats, little-endian, as `{1.5,2}` with as many digits as bring each back bit by bit.

    Raises ValueNotCarriable for a broken length, and for what is no finite number.
    """

    def convert(values: Values) -> Converted:
        values = as_list(values)
        valid = null_mask(values)
        lengths = np.array([len(value or b"") for value in values], np.int64)
        require(lengths % _FLOAT_BYTES == 0, valid, column, "a vector of a broken length")
        numbers = np.frombuffer(b"".join(value or b"" for value in values), "<f4")
        ends = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths // _FLOAT_BYTES, out=ends[1:])
        if len(numbers) and not np.isfinite(numbers).all():
            wrong = int(np.searchsorted(ends, np.isfinite(numbers).argmin(), "right")) - 1
            raise ValueNotCarriable(column, wrong, "a vector with an entry that is no finite number")
        texts = pa.array(numbers, pa.float32()).cast(pa.large_string())
        lists = pa.LargeListArray.from_arrays(pa.array(ends), texts)
        opened, comma, closed, nothing = (pa.scalar(text, texts.type) for text in ("{", ",", "}", ""))
        joined = pc.binary_join(lists, comma)
        whole = pc.binary_join_element_wise(opened, joined, closed, nothing)
        return Converted(_with_nulls(whole, valid))

    return convert


def wire_uuid(column: str) -> Converter:
    """UUID of the binlog: 16 bytes in the order of the text, without trailing zero bytes."""

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(_padded(values, 16), 16, column)
        return Converted(_grouped(matrix, valid, _UUID_GROUPS, "-"))

    return convert


def text_uuid(column: str) -> Converter:
    """UUID of a SELECT: as the server prints it. Raises ValueNotCarriable for anything else."""

    def convert(values: Values) -> Converted:
        text = as_binary(values)
        good = pc.match_substring_regex(text, _UUID_PATTERN).fill_null(True)
        require(good.to_numpy(zero_copy_only=False), None, column, "no UUID")
        return Converted(text.cast(pa.string()))

    return convert


def wire_inet6(column: str) -> Converter:
    """INET6 of the binlog: 16 bytes without trailing zero bytes; eight groups of four digits as text."""

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(_padded(values, 16), 16, column)
        return Converted(_grouped(matrix, valid, _INET6_GROUPS, ":"))

    return convert


def text_inet6(column: str) -> Converter:
    """INET6 of a SELECT, in any notation. Raises ValueNotCarriable for anything else."""
    convert = wire_inet6(column)
    return lambda values: convert(_packed(values, ipaddress.IPv6Address, column))


def wire_inet4(column: str) -> Converter:
    """INET4 of the binlog: 4 bytes without trailing zero bytes."""

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(_padded(values, 4), 4, column)
        parts = [pa.array(matrix[:, place]).cast(pa.string()) for place in range(4)]
        return Converted(_with_nulls(pc.binary_join_element_wise(*parts, "."), valid))

    return convert


def text_inet4(column: str) -> Converter:
    """INET4 of a SELECT. Raises ValueNotCarriable for anything else."""
    convert = wire_inet4(column)
    return lambda values: convert(_packed(values, ipaddress.IPv4Address, column))


def _packed(
    values: Values, kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address], column: str
) -> list[bytes | None]:
    packed: list[bytes | None] = []
    for index, value in enumerate(as_list(values)):
        try:
            packed.append(None if value is None else kind(value.decode("ascii")).packed)
        except ValueError:
            raise ValueNotCarriable(column, index, "no network address") from None
    return packed


def _padded(values: Values, width: int) -> list[bytes | None]:
    return [None if value is None else value.ljust(width, b"\0") for value in values]


def _grouped(matrix: Bytes, valid: Bools | None, groups: Sequence[int], separator: str) -> pa.Array:
    """Two hexadecimal digits for each byte, a separator between groups of so many bytes."""
    rows, width = matrix.shape
    digits = _HEX_DIGITS[np.stack((matrix >> 4, matrix & 15), axis=2)].reshape(rows, 2 * width)
    places = np.cumsum(groups)[:-1] * 2
    return _characters(np.insert(digits, places, ord(separator), axis=1), valid)


def _characters(matrix: Bytes, valid: Bools | None) -> pa.Array:
    """Each row's ASCII characters as a text."""
    rows, width = matrix.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    return from_pieces(pa.string(), offsets, np.ascontiguousarray(matrix), valid)


def _with_nulls(array: pa.Array, valid: Bools | None) -> pa.Array:
    return array if valid is None else pc.if_else(pa.array(valid), array, pa.scalar(None, array.type))
