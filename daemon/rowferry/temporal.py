"""DATE, DATETIME, TIMESTAMP and TIME, from the binlog's bytes and from SELECT's text, to Arrow.

Pure, a column at a time. DATE becomes date32; DATETIME and TIMESTAMP int64 microseconds; TIME text
(`[-]HH:MM:SS[.ffffff]`, hours from two to three digits, as the server prints it). What is no date of
the calendar becomes NULL and is counted: a zero or partly zero date, a day that its month does not
have (ALLOW_INVALID_DATES), the year 0 (Postgres has none), a TIMESTAMP of 0.

Formats: MySQL's my_time.cc (my_datetime_packed_from_binary, my_time_packed_from_binary,
my_timestamp_from_binary), MariaDB's sql/compat56.cc; before 5.6: Field_timestamp, Field_time and
Field_datetime of field.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowferry.arrays import (
    Bools,
    Bytes,
    Converted,
    Longs,
    as_binary,
    big_endian,
    byte_matrix,
    from_numpy,
    from_pieces,
    little_endian,
    require,
)

Values = Sequence[bytes | None]
Converter = Callable[[Values], Converted]

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
_TIME_PATTERN: Final = r"^-?[0-9]{2,3}:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?$"
_MONTHS: Final = 1 << 17
"""DATETIME2 numbers months as year * 13 + month in 17 bits; month 0 is part of the calendar there."""


def _calendar() -> tuple[Longs, Longs]:
    """By that number: the day before the month's first (since 1970-01-01), and the month's length."""
    numbers = np.arange(_MONTHS)
    year, month = numbers // 13, numbers % 13
    real = (month > 0) & (year > 0) & (year < 10_000)
    firsts = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = firsts.astype("datetime64[D]").astype(np.int64)
    after = (firsts + 1).astype("datetime64[D]").astype(np.int64)
    return days - 1, np.where(real, after - days, 0)


_BEFORE_MONTH, _MONTH_LENGTH = _calendar()


def _days(month: Longs, day: Longs) -> tuple[Longs, Bools]:
    """Days since 1970-01-01 of a month's number and a day, and whether the calendar has that day."""
    return _BEFORE_MONTH[month] + day, (day > 0) & (day <= _MONTH_LENGTH[month])


def _finish(kind: pa.DataType, data: Longs, exists: Bools, valid: Bools | None) -> Converted:
    """The array with NULL for what does not exist, and which those are."""
    width = np.int32 if kind == pa.date32() else np.int64
    if exists.all():
        return Converted(from_numpy(kind, data.astype(width, copy=False), valid))
    shown = exists if valid is None else exists & valid
    missing = ~exists if valid is None else valid & ~exists
    return Converted(
        from_numpy(kind, data.astype(width, copy=False), shown), missing if missing.any() else None
    )


# DATE


def wire_date(column: str) -> Converter:
    """DATE of the binlog: 3 bytes, little-endian, 15 bits of year, 4 of month, 5 of day."""

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(values, 3, column)
        packed = little_endian(matrix)
        year, month = packed >> 9, packed >> 5 & 15
        require((year < 10_000) & (month < 13), valid, column, "no date")
        days, exists = _days(year * 13 + month, packed & 31)
        return _finish(pa.date32(), days, exists, valid)

    return convert


def text_date(column: str) -> Converter:
    """DATE of a SELECT: `YYYY-MM-DD`."""

    def convert(values: Values) -> Converted:
        digits, valid = _digits(values, b"0000-00-00", column)
        days, exists = _days(*_month_and_day(digits, column))
        return _finish(pa.date32(), days, exists, valid)

    return convert


# DATETIME


def wire_datetime(column: str, fraction: int, kind: pa.DataType) -> Converter:
    """DATETIME2: 5 bytes, big-endian (sign 1, month 17, day 5, hour 5, minute 6, second 6), fraction."""
    width = 5 + (fraction + 1) // 2

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(values, width, column)
        packed = big_endian(matrix[:, :5])
        days, exists = _days(packed >> 22 & 0x1FFFF, packed >> 17 & 31)
        clock = _clock(packed >> 12 & 31, packed >> 6 & 63, packed & 63, valid, column)
        return _finish(kind, days * DAY + clock + _micros(matrix[:, 5:]), exists, valid)

    return convert


def wire_old_datetime(column: str, kind: pa.DataType) -> Converter:
    """DATETIME before 5.6: 8 bytes, little-endian, the decimal number YYYYMMDDhhmmss."""

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(values, 8, column)
        packed = little_endian(matrix)
        year, month = packed // 10**10, packed // 10**8 % 100
        inside = (packed >= 0) & (year < 10_000) & (month < 13)
        require(inside, valid, column, "no datetime")
        days, exists = _days(year * 13 + month, packed // 10**6 % 100)
        clock = _clock(packed // 10_000 % 100, packed // 100 % 100, packed % 100, valid, column)
        return _finish(kind, days * DAY + clock, exists, valid)

    return convert


def text_datetime(column: str, fraction: int, kind: pa.DataType) -> Converter:
    """DATETIME or TIMESTAMP of a SELECT in a session whose time zone is UTC."""
    shape = b"0000-00-00 00:00:00" + (b"." + b"0" * fraction if fraction else b"")

    def convert(values: Values) -> Converted:
        digits, valid = _digits(values, shape, column)
        days, exists = _days(*_month_and_day(digits, column))
        hour, minute, second = (_number(digits, at, 2) for at in (11, 14, 17))
        clock = _clock(hour, minute, second, valid, column)
        micros = _number(digits, 20, fraction) * 10 ** (6 - fraction)
        return _finish(kind, days * DAY + clock + micros, exists, valid)

    return convert


# TIMESTAMP


def wire_timestamp(column: str, fraction: int, kind: pa.DataType) -> Converter:
    """TIMESTAMP2: 4 bytes of seconds since 1970, unsigned, big-endian, then the fraction. 0 is NULL."""
    width = 4 + (fraction + 1) // 2

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(values, width, column)
        micros = big_endian(matrix[:, :4]) * SECOND + _micros(matrix[:, 4:])
        return _finish(kind, micros, micros != 0, valid)

    return convert


def wire_old_timestamp(column: str, kind: pa.DataType) -> Converter:
    """TIMESTAMP before 5.6: 4 bytes of seconds since 1970, unsigned, little-endian. 0 is NULL."""

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(values, 4, column)
        micros = little_endian(matrix) * SECOND
        return _finish(kind, micros, micros != 0, valid)

    return convert


# TIME


def wire_time(column: str, fraction: int) -> Converter:
    """TIME2: an excess-coded integer over all its bytes (hour 10, minute 6, second 6 bits, fraction).

    The fraction belongs to the integer: the whole is negated for a negative time.
    """
    extra = (fraction + 1) // 2
    zero = 0x800000 << 8 * extra

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(values, 3 + extra, column)
        number = big_endian(matrix) - zero
        size = np.abs(number)
        whole, rest = size >> 8 * extra, size & (1 << 8 * extra) - 1
        parts = (whole >> 12, whole >> 6 & 63, whole & 63, rest * 10 ** (6 - 2 * extra))
        return _time_text(number < 0, parts, fraction, valid, column)

    return convert


def wire_old_time(column: str) -> Converter:
    """TIME before 5.6: 3 bytes, little-endian, signed, the decimal number hhmmss."""

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(values, 3, column)
        number = little_endian(matrix)
        number = np.where(number >= 1 << 23, number - (1 << 24), number)
        size = np.abs(number)
        parts = (size // 10_000, size // 100 % 100, size % 100, np.zeros_like(size))
        return _time_text(number < 0, parts, 0, valid, column)

    return convert


def text_time(column: str) -> Converter:
    """TIME of a SELECT: as the server prints it. Raises ValueNotCarriable for anything else."""

    def convert(values: Values) -> Converted:
        text = as_binary(values)
        good = pc.match_substring_regex(text, _TIME_PATTERN).fill_null(True)
        require(good.to_numpy(zero_copy_only=False), None, column, "no time")
        return Converted(text.cast(pa.string()))

    return convert


def _time_text(
    negative: Bools,
    parts: tuple[Longs, Longs, Longs, Longs],
    fraction: int,
    valid: Bools | None,
    column: str,
) -> Converted:
    """Hours, minutes, seconds and microseconds as text, a character matrix with gaps cut out."""
    hour, minute, second, micros = parts
    good = (hour < 1000) & (minute < 60) & (second < 60) & (micros < SECOND)
    require(good, valid, column, "no time")
    places = [negative * 45, *_ascii(hour, 3), np.full(len(hour), 58), *_ascii(minute, 2)]
    places += [np.full(len(hour), 58), *_ascii(second, 2)]
    if fraction:
        digits = _ascii(micros // 10 ** (6 - fraction), fraction)
        places += [np.full(len(hour), 46), *digits]
    matrix = np.stack(places, axis=1).astype(np.uint8)
    keep = np.ones(matrix.shape, np.bool_)
    keep[:, 0], keep[:, 1] = negative, hour >= 100
    if valid is not None:
        keep &= valid[:, None]
    offsets = np.zeros(len(hour) + 1, np.int32)
    np.cumsum(keep.sum(axis=1), out=offsets[1:])
    return Converted(from_pieces(pa.string(), offsets, matrix[keep], valid))


def _ascii(number: Longs, width: int) -> list[Longs]:
    """The last `width` decimal digits as characters, one array for each place."""
    return [number // 10**place % 10 + 48 for place in range(width - 1, -1, -1)]


# Parts


def _micros(matrix: Bytes) -> Longs | int:
    """Microseconds of a fraction of 0 to 3 bytes, each byte two decimal digits' worth."""
    width = matrix.shape[1]
    return big_endian(matrix) * 10 ** (6 - 2 * width) if width else 0


def _clock(hour: Longs, minute: Longs, second: Longs, valid: Bools | None, column: str) -> Longs:
    """Microseconds since midnight. Raises ValueNotCarriable for what no clock shows."""
    require((hour < 24) & (minute < 60) & (second < 60), valid, column, "no time of day")
    return ((hour * 60 + minute) * 60 + second) * SECOND


def _digits(values: Values, shape: bytes, column: str) -> tuple[Bytes, Bools | None]:
    """Texts of exactly that shape (0 stands for any digit) as a matrix of digits."""
    matrix, valid = byte_matrix(values, len(shape), column, null=shape)
    least = np.frombuffer(shape, np.uint8)
    span = np.where(least == 48, 9, 0).astype(np.uint8)
    digits = matrix - least
    if (digits > span).any():
        require(np.all(digits <= span, axis=1), valid, column, "text of an unexpected form")
    return digits, valid


def _number(digits: Bytes, at: int, width: int) -> Longs:
    """The number whose decimal digits are in those places; 0 for no places."""
    number = np.zeros(len(digits), np.int64)
    for place in range(at, at + width):
        number = number * 10 + digits[:, place]
    return number


def _month_and_day(digits: Bytes, column: str) -> tuple[Longs, Longs]:
    """The month's number and the day of `YYYY-MM-DD`."""
    month = _number(digits, 5, 2)
    require(month < 13, None, column, "no date")
    return _number(digits, 0, 4) * 13 + month, _number(digits, 8, 2)
