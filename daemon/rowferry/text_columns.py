"""The rows of a SELECT, as the server sends them, to one Arrow array of bytes for each column.

Pure. All rows advance together, a column at a time; no value becomes an object of Python's. Every length
is checked against its row before it is used: what does not fill a row exactly is MalformedRows.

Formats: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html, and the text
rows and length-encoded integers of page_protocol_com_query_response_text_resultset.html and
page_protocol_basic_dt_integers.html there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

import numpy as np
import pyarrow as pa

from rowferry.arrays import Bools, Bytes, Longs, little_endian
from rowferry.changes import RawRow

HEADER_BYTES: Final = 4
MOST_BYTES: Final = 0xFFFFFF
"""Of one packet's payload; one that is as long goes on in the next packet."""
_LENGTH: Final = Struct("<I").unpack_from
_ERROR: Final = b"\xff"
_EOF: Final = b"\xfe"
_EOF_BYTES: Final = 9
"""An end of the rows has fewer; a value that begins so has more."""
_NULL: Final = 0xFB
_SIZES: Final = {0xFC: 2, 0xFD: 3, 0xFE: 8}
"""Bytes of the length that follows such a first byte."""


class MalformedRows(ValueError):
    """Bytes that are no rows of so many columns. Holds no value of a row."""


@dataclass(frozen=True, slots=True)
class RawColumns:
    """Rows as columns: arrays of large_binary, all of `count` values. Also the rows, one at a time."""

    columns: tuple[pa.Array, ...]
    count: int

    def __len__(self) -> int:
        """How many rows."""
        return self.count

    def __getitem__(self, index: int) -> RawRow:
        """A row's values; the index may count from the end."""
        place = range(self.count)[index]
        return tuple(column[place].as_py() for column in self.columns)

    def __iter__(self) -> Iterator[RawRow]:
        """All rows, each as a tuple; slow."""
        return map(self.__getitem__, range(self.count))

    def first_columns(self, count: int) -> RawColumns:
        """The same rows without the columns behind the first `count`."""
        return RawColumns(self.columns[:count], self.count)


class Packets:
    """Cuts what arrives into payloads.

    A payload of several packets is put together in place, so that each ends one header before the next
    begins. Packets must be numbered without a gap, modulo 256.
    """

    def __init__(self, number: int) -> None:
        """number: of the first packet."""
        self._data = bytearray()
        self._next = 0
        self._number = number
        self._goes_on = False
        self._starts: list[int] = []

    def add(self, data: bytes) -> None:
        """What has arrived next. Raises MalformedRows for a packet that is out of turn."""
        self._data += data
        at, number, filled = self._next, self._number, len(self._data)
        while at + HEADER_BYTES <= filled:
            (header,) = _LENGTH(self._data, at)
            size = header & MOST_BYTES
            stop = at + HEADER_BYTES + size
            if stop > filled:
                break
            if header >> 24 != number:
                raise MalformedRows("a packet is missing")
            number = (number + 1) & 0xFF
            if self._goes_on:
                del self._data[at : at + HEADER_BYTES]
                filled -= HEADER_BYTES
                stop -= HEADER_BYTES
            else:
                self._starts.append(at + HEADER_BYTES)
            self._goes_on = size == MOST_BYTES
            at = stop
        self._next, self._number = at, number

    def end(self) -> bytes | None:
        """The last payload if it ends the rows (EOF, or an error) and nothing came after it."""
        if not self._starts or self._goes_on or self._next != len(self._data):
            return None
        start = self._starts[-1]
        lead = self._data[start : start + 1]
        if lead == _ERROR or (lead == _EOF and len(self._data) - start < _EOF_BYTES):
            return bytes(self._data[start:])
        return None

    def rows(self, columns: int) -> RawColumns:
        """All payloads but the last one, which is the `end`, as rows of text. Raises MalformedRows.

        Nothing can be added any longer.
        """
        starts = np.array(self._starts, np.int64)
        return text_columns(self._data, starts[:-1], starts[1:] - HEADER_BYTES, columns)


def text_columns(data: bytes | bytearray, starts: Longs, stops: Longs, columns: int) -> RawColumns:
    """The rows whose payloads are data[start:stop], in the data's order, none reaching into the next.

    A value is NULL, or a length and so many bytes. Raises MalformedRows unless each row is exactly that
    many values.
    """
    octets = np.frombuffer(data, np.uint8)
    buffer = pa.py_buffer(data)
    at, found = starts, []
    for _ in range(columns):
        if not (at < stops).all():
            raise MalformedRows("a row has too few values")
        first, lengths, null = _lengths(octets, at, stops)
        if not (lengths <= stops - first).all():
            raise MalformedRows("a value is longer than its row")
        at = first + lengths
        found.append(_cut_out(buffer, first, at, null))
    if not (at == stops).all():
        raise MalformedRows("a row has too many values")
    return RawColumns(tuple(found), len(starts))


def _lengths(octets: Bytes, at: Longs, stops: Longs) -> tuple[Longs, Longs, Bools | None]:
    """Where each row's value begins, its length, and which are NULL (None if none is)."""
    lead = octets[at]
    first, lengths = at + 1, lead.astype(np.int64)
    if not len(lead) or lead.max() < _NULL:
        return first, lengths, None
    null = lead == _NULL
    lengths[null] = 0
    for mark in set(np.unique(lead[lead > _NULL]).tolist()):
        if (size := _SIZES.get(mark)) is None:
            raise MalformedRows("a value begins with a byte that no value begins with")
        rows = np.flatnonzero(lead == mark)
        if not (stops[rows] - first[rows] >= size).all():
            raise MalformedRows("a row ends within a length")
        lengths[rows] = _long(octets[first[rows][:, None] + np.arange(size)])
        first[rows] += size
    return first, lengths, null if null.any() else None


def _long(matrix: Bytes) -> Longs:
    numbers = little_endian(matrix)
    if (numbers < 0).any():
        raise MalformedRows("a value is longer than its row")
    return numbers


def _cut_out(buffer: pa.Buffer, first: Longs, stops: Longs, null: Bools | None) -> pa.Array:
    """The values data[first:stop] as an array of their own.

    Arrow is shown an array of each value and of what is between it and the next, and takes every second.
    """
    count = len(first)
    if not count:
        return pa.array([], pa.large_binary())
    bounds = np.empty(2 * count, np.int64)
    bounds[::2], bounds[1::2] = first, stops
    pieces = [None, pa.py_buffer(bounds), buffer]
    whole = pa.Array.from_buffers(pa.large_binary(), 2 * count - 1, pieces)
    places = pa.array(np.arange(0, 2 * count, 2), mask=null)
    return whole.take(places)
