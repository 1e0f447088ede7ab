"""A SELECT's rows as columns: the same values as row after row, however they arrive, or an error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, cycle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.text_columns import MOST_BYTES, MalformedRows, Packets, RawColumns, text_columns

Row = tuple[bytes | None, ...]
EOF = b"\xfe\x00\x00\x02\x00"
LENGTHS = (0, 1, 12, 13, 250, 251, 252, 253, 254, 255, 256, 65535, 65536, 65537)


def encoded(value: bytes | None) -> bytes:
    """A value as the text protocol has it."""
    if value is None:
        return b"\xfb"
    size = len(value)
    if size < 251:
        return bytes([size]) + value
    mark, width = (0xFC, 2) if size < 1 << 16 else (0xFD, 3) if size < 1 << 24 else (0xFE, 8)
    return bytes([mark]) + size.to_bytes(width, "little") + value


def payload_of(row: Row) -> bytes:
    """A row's payload."""
    return b"".join(map(encoded, row))


def packets_of(payloads: Iterable[bytes], number: int) -> bytes:
    """Payloads as they go over the wire, in as many packets as they need."""
    wire = []
    for payload in payloads:
        for at in range(0, len(payload) + 1, MOST_BYTES):
            part = payload[at : at + MOST_BYTES]
            wire += [len(part).to_bytes(3, "little"), bytes([number]), part]
            number = (number + 1) % 256
    return b"".join(wire)


def arrived(wire: bytes, number: int, sizes: Sequence[int]) -> Packets:
    """Them, having arrived in pieces of those sizes, again and again."""
    packets, at, turns = Packets(number), 0, cycle(sizes)
    while at < len(wire):
        assert packets.end() is None
        size = next(turns)
        packets.add(wire[at : at + size])
        at += size
    return packets


def columns_of(payloads: Sequence[bytes], columns: int) -> RawColumns:
    """The columns of payloads that lie one behind the other."""
    bounds = np.array([0, *accumulate(map(len, payloads))], np.int64)
    return text_columns(b"".join(payloads), bounds[:-1], bounds[1:], columns)


LONG = st.sampled_from(LENGTHS).map(lambda size: (b"\xfb\xfe\x00" * size)[:size])
VALUES = st.none() | st.binary(max_size=20) | LONG
TABLES = st.integers(1, 6).flatmap(
    lambda width: st.tuples(st.just(width), st.lists(st.tuples(*[VALUES] * width), max_size=12))
)


@given(TABLES, st.integers(0, 255), st.lists(st.integers(1, 70_000) | st.integers(1, 9), min_size=1))
def test_rows_are_the_same_however_they_arrive(
    table: tuple[int, list[Row]], number: int, sizes: list[int]
) -> None:
    """Values of every kind of length, cut anywhere on their way."""
    width, rows = table
    packets = arrived(packets_of([*map(payload_of, rows), EOF], number), number, sizes)
    assert packets.end() == EOF
    found = packets.rows(width)
    assert (len(found), list(found)) == (len(rows), rows)
    for place, column in enumerate(found.columns):
        column.validate(full=True)
        assert column.type == pa.large_binary()
        assert column.to_pylist() == [row[place] for row in rows]


@pytest.mark.parametrize("extra", [-5, -4, -3, 0, 1, MOST_BYTES - 9, MOST_BYTES])
def test_a_row_of_several_packets_is_put_together(extra: int) -> None:
    """Of 16 MB and more; if its length is that of whole packets, an empty one ends it."""
    rows: list[Row] = [(b"a", None), (b"x" * (MOST_BYTES + extra), b"end"), (b"b", b"c")]
    packets = arrived(packets_of([*map(payload_of, rows), EOF], 250), 250, [1 << 20, 5])
    assert list(packets.rows(2)) == rows


@pytest.mark.parametrize("end", [EOF, b"\xff\x15\x04#HY000secret"])
def test_the_end_is_told_from_rows(end: bytes) -> None:
    """Rows whose first value begins as an end does are none."""
    rows: list[Row] = [(b"\xff" * 20,), (b"\xfe" * 254,), (None,), (b"",)]
    packets = Packets(3)
    for number, payload in enumerate([*map(payload_of, rows), end], 3):
        assert packets.end() is None
        packets.add(packets_of([payload], number))
    assert packets.end() == end
    assert list(packets.rows(1)) == rows
    long = arrived(packets_of([payload_of((b"x" * (1 << 24),))], 0), 0, [1 << 22])
    assert long.end() is None


def test_a_missing_packet_is_an_error() -> None:
    """Also where what is there would make whole rows."""
    wire = [packets_of([payload_of((b"a",))], number) for number in (1, 2, 4)]
    with pytest.raises(MalformedRows, match="missing"):
        arrived(b"".join(wire), 1, [3])


@given(TABLES.filter(lambda table: bool(table[1])), st.data())
def test_what_does_not_fill_its_row_is_an_error(table: tuple[int, list[Row]], data: st.DataObject) -> None:
    """A byte less, a byte more, another number of columns: never a byte of another row."""
    width, rows = table
    payloads = [*map(payload_of, rows)]
    broken = data.draw(st.integers(0, len(rows) - 1))
    whole = payloads[broken]
    for payload in (whole[: data.draw(st.integers(0, len(whole) - 1))], whole + b"\xfb", whole + b"\x09"):
        with pytest.raises(MalformedRows):
            columns_of([*payloads[:broken], payload, *payloads[broken + 1 :]], width)
    for other in (width - 1, width + 1):
        with pytest.raises(MalformedRows):
            columns_of(payloads, other)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"\x05abcd",
        b"\xfc",
        b"\xfc\x01",
        b"\xfd\x01\x00",
        b"\xfe" + b"\x01" * 7,
        b"\xfe" + (1 << 62).to_bytes(8, "little"),
        b"\xfe" + (2**64 - 1).to_bytes(8, "little"),
        b"\xfe" + (2**63).to_bytes(8, "little") + b"x",
    ],
    ids=bytes.hex,
)
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("behind", [0, 1])
def test_a_length_beyond_its_row_is_an_error(payload: bytes, before: int, behind: int) -> None:
    """Whatever lies behind it, and though the row before it is whole."""
    good = payload_of((b"x" * 300,))
    with pytest.raises(MalformedRows) as caught:
        columns_of([good] * before + [payload] + [good] * behind, 1)
    assert "x" * 5 not in str(caught.value)


def test_rows_are_had_one_by_one_too() -> None:
    """From either end, and of the first columns alone."""
    rows: list[Row] = [(b"a", None, b"1"), (b"b", b"", b"2")]
    found = columns_of([*map(payload_of, rows)], 3)
    assert (found[0], found[-1], len(found)) == (*rows, 2)
    assert list(found.first_columns(2)) == [row[:2] for row in rows]
    for beyond in (2, -3):
        with pytest.raises(IndexError):
            found[beyond]


def test_no_rows_have_columns() -> None:
    """Of the same type."""
    found = arrived(packets_of([EOF], 9), 9, [1]).rows(2)
    assert (len(found), [column.type for column in found.columns]) == (0, [pa.large_binary()] * 2)
