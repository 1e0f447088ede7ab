"""DECIMAL from the binlog's packed bytes to Arrow decimals, exactly, up to DECIMAL(65,30).

Pure. Format (MySQL's strings/decimal.c, decimal2bin): digits in groups of nine, four bytes each,
big-endian, the leftmost and the rightmost group packed into fewer bytes; the first bit is inverted,
and all bits of a negative number are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rowferry.arrays import Bytes, Converted, Longs, big_endian, byte_matrix, from_numpy
from rowferry.wire_types import decimal_bytes, decimal_groups

_INT64_DIGITS: Final = 18


def wire_decimal(
    column: str, precision: int, scale: int, kind: pa.DataType
) -> Callable[[Sequence[bytes | None]], Converted]:
    """A function from packed values to an array of `kind`, a decimal128 or decimal256."""
    size, groups = decimal_bytes(precision, scale), decimal_groups(precision, scale)
    zero = b"\x80".ljust(size, b"\0")
    spread = _spread_int64 if precision <= _INT64_DIGITS else _spread_large

    def convert(values: Sequence[bytes | None]) -> Converted:
        matrix, valid = byte_matrix(values, size, column, null=zero)
        negative = matrix[:, 0] < 0x80
        digits = matrix ^ np.where(negative, 0xFF, 0).astype(np.uint8)[:, None]
        digits[:, 0] ^= 0x80
        number = _unscaled(digits, groups, precision)
        number = np.where(negative, -number, number)
        return Converted(from_numpy(kind, spread(number, kind.bit_width // 8), valid))

    return convert


def _unscaled(digits: Bytes, groups: list[tuple[int, int]], precision: int) -> NDArray[Any]:
    """The number without its point: int64 up to 18 digits, else Python integers."""
    number: NDArray[Any] = np.zeros(len(digits), np.int64 if precision <= _INT64_DIGITS else object)
    at = 0
    for size, places in groups:
        number = number * 10**places + big_endian(digits[:, at : at + size])
        at += size
    return number


def _spread_int64(number: Longs, width: int) -> NDArray[Any]:
    """Little-endian two's complement integers of `width` bytes."""
    wide = np.empty((len(number), width // 8), np.int64)
    wide[:, 0] = number
    wide[:, 1:] = (number >> 63)[:, None]
    return wide


def _spread_large(number: NDArray[Any], width: int) -> NDArray[Any]:
    joined = b"".join(int(value).to_bytes(width, "little", signed=True) for value in number)
    return np.frombuffer(joined, np.uint8).reshape(len(number), width)
