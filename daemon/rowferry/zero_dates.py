"""Dates that are none (0000-00-00, 2024-00-10, 2024-02-31) as the source's own text, value by value.

Pure, and slow: only for the few values that the calendar lacks, where a setting wants to keep their text
or where the key of a row that is set aside has one. Formats: see `temporal`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rowferry.changes import WireColumn
from rowferry.wire_types import WireType

Render = Callable[[bytes], str]


def select_text(value: bytes) -> str:
    """SELECT's text is the source's own."""
    return value.decode("ascii")


def wire_text(wire: WireColumn, fraction: int) -> Render | None:
    """A function from a value of the binlog to the text that the server prints; None for other types."""
    maker = _MAKERS.get(wire.type_code)
    return None if maker is None else lambda value: maker(value, fraction)


def _date(value: bytes, _: int) -> str:
    packed = int.from_bytes(value, "little")
    return _day(packed >> 9, packed >> 5 & 15, packed & 31)


def _datetime(value: bytes, fraction: int) -> str:
    packed = int.from_bytes(value[:5], "big")
    month = packed >> 22 & 0x1FFFF
    day = _day(month // 13, month % 13, packed >> 17 & 31)
    clock = f"{packed >> 12 & 31:02}:{packed >> 6 & 63:02}:{packed & 63:02}"
    micros = int.from_bytes(value[5:], "big") * 10 ** (6 - 2 * len(value[5:]))
    return f"{day} {clock}{_fraction(micros, fraction)}"


def _old_datetime(value: bytes, fraction: int) -> str:
    if fraction:
        return _hires(int.from_bytes(value, "big"), fraction)
    digits = f"{int.from_bytes(value, 'little'):014}"
    day = _day(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    return f"{day} {digits[8:10]}:{digits[10:12]}:{digits[12:14]}"


def _hires(packed: int, fraction: int) -> str:
    """MariaDB's storage before 5.6 with a fraction: one number (see `temporal_hires`)."""
    whole, rest = divmod(packed, 10**fraction)
    parts = []
    for size in (60, 60, 24, 32, 13):
        whole, part = divmod(whole, size)
        parts.append(part)
    second, minute, hour, day, month = parts
    return f"{_day(whole, month, day)} {hour:02}:{minute:02}:{second:02}.{rest:0{fraction}}"


def _timestamp(_: bytes, fraction: int) -> str:
    return f"0000-00-00 00:00:00{_fraction(0, fraction)}"


def _day(year: int, month: int, day: int) -> str:
    return f"{year:04}-{month:02}-{day:02}"


def _fraction(micros: int, digits: int) -> str:
    return f".{micros:06}"[: digits + 1] if digits else ""


_MAKERS: Final[dict[int, Callable[[bytes, int], str]]] = {
    WireType.DATE: _date,
    WireType.NEWDATE: _date,
    WireType.DATETIME: _old_datetime,
    WireType.DATETIME2: _datetime,
    WireType.TIMESTAMP: _timestamp,
    WireType.TIMESTAMP2: _timestamp,
}
