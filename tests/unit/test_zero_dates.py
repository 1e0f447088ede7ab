"""Dates that are none, kept as text: the binlog's bytes say what a SELECT prints, in every storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.changes import WireColumn
from rowferry.policies import binlog_column, select_column
from rowferry.table_schema import Column, ColumnPolicy, ColumnType
from rowferry.wire_types import OLD_TEMPORAL_BYTES, WireType
from rowferry.zero_dates import wire_text
from tests.unit.test_convert import as_arrays

KEEP = ColumnPolicy(as_type="text", zero_dates="keep")


@dataclass(frozen=True)
class Moment:
    """A value as the servers hold it, whether a calendar has it or not."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0
    micros: int = 0

    def date(self) -> str:
        """A DATE as the server prints it."""
        return f"{self.year:04d}-{self.month:02d}-{self.day:02d}"

    def text(self, fraction: int) -> str:
        """A DATETIME as the server prints it."""
        shown = f"{self.date()} {self.hour:02d}:{self.minute:02d}:{self.second:02d}"
        return shown + (f".{self.micros // 10 ** (6 - fraction):0{fraction}d}" if fraction else "")


def packed_date(moment: Moment) -> bytes:
    """Three bytes."""
    return (moment.day | moment.month << 5 | moment.year << 9).to_bytes(3, "little")


def packed_datetime(moment: Moment, fraction: int) -> bytes:
    """DATETIME2."""
    clock = moment.hour << 12 | moment.minute << 6 | moment.second
    whole = 1 << 39 | (moment.year * 13 + moment.month) << 22 | moment.day << 17 | clock
    width = (fraction + 1) // 2
    part: int = moment.micros // 10 ** (6 - 2 * width)
    return whole.to_bytes(5, "big") + part.to_bytes(width, "big")


def packed_old_datetime(moment: Moment, fraction: int) -> bytes:
    """Before 5.6: a decimal number, and MariaDB's with a fraction."""
    digits = Moment.text(moment, 0)
    if not fraction:
        return int(digits.translate({ord(c): None for c in "- :"})).to_bytes(8, "little")
    days = (moment.year * 13 + moment.month) * 32 + moment.day
    seconds = days * 86_400 + moment.hour * 3600 + moment.minute * 60 + moment.second
    number: int = seconds * 10**fraction + moment.micros // 10 ** (6 - fraction)
    return number.to_bytes(OLD_TEMPORAL_BYTES[WireType.DATETIME][fraction], "big")


MOMENTS = st.builds(
    Moment,
    st.sampled_from([0, 1, 1970, 2024, 9999]) | st.integers(0, 9999),
    st.integers(0, 12),
    st.integers(0, 31),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 59),
    st.integers(0, 999_999),
)


def both_ways(kind: ColumnType, wire: WireColumn, raw: bytes, text: str) -> list[Any]:
    """What comes of a value, among NULLs, by the binlog; the same by SELECT."""
    column = Column("d", kind, policy=KEEP)
    streamed = binlog_column(wire, column, key=False)([None, raw, None])
    values = [None, text.encode(), None]
    for given_values in (values, *as_arrays(values)):
        copied = select_column(column, key=False)(given_values)
        assert streamed.array.equals(copied.array)
        assert streamed.zero_dates == copied.zero_dates
    found: list[Any] = streamed.array.to_pylist()
    return found


@given(MOMENTS, st.sampled_from([WireType.DATE, WireType.NEWDATE]))
def test_a_date_keeps_its_text(moment: Moment, code: WireType) -> None:
    """Real or not."""
    wire = WireColumn("d", code, 0)
    found = both_ways(ColumnType("date"), wire, packed_date(moment), moment.date())
    assert found == [None, moment.date(), None]


PACKERS: dict[WireType, Callable[[Moment, int], bytes]] = {
    WireType.DATETIME2: packed_datetime,
    WireType.DATETIME: packed_old_datetime,
}


@pytest.mark.parametrize("fraction", range(7))
@pytest.mark.parametrize("code", PACKERS)
@given(moment=MOMENTS)
def test_a_datetime_keeps_its_text(code: WireType, fraction: int, moment: Moment) -> None:
    """With the digits of its column, in the storage before and after 5.6."""
    kind = ColumnType("datetime", fraction=fraction)
    wire, text = WireColumn("d", code, fraction), moment.text(fraction)
    assert both_ways(kind, wire, PACKERS[code](moment, fraction), text) == [None, text, None]


@pytest.mark.parametrize("fraction", range(7))
@pytest.mark.parametrize("code", [WireType.TIMESTAMP, WireType.TIMESTAMP2])
def test_a_timestamp_of_zero_keeps_its_text(code: WireType, fraction: int) -> None:
    """The only one that is no date."""
    width = 4 + (fraction + 1) // 2
    if code is WireType.TIMESTAMP:
        width = OLD_TEMPORAL_BYTES[code][fraction]
    wire, text = WireColumn("d", code, fraction), Moment(0, 0, 0).text(fraction)
    kind = ColumnType("timestamp", fraction=fraction)
    assert both_ways(kind, wire, bytes(width), text) == [None, text, None]


def test_other_types_have_no_zero_dates() -> None:
    """A TIME of 0 is a time, a YEAR of 0 a year."""
    for code in set(WireType) - set(PACKERS) - {
        WireType.DATE, WireType.NEWDATE, WireType.TIMESTAMP, WireType.TIMESTAMP2
    }:  # fmt: skip
        assert wire_text(WireColumn("d", code, 0), 0) is None
