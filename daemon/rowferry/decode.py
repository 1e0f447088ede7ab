"""Row events as raw tuples: the event's header, and decoders generated for each table layout.

Pure: bytes in, tuples out. A raw value is a Python number for integers, FLOAT and DOUBLE, the value's
own bytes for everything else (also MEDIUMINT), None for NULL. Within one layout two raw values are
equal if, and only if, their bytes are (save 0.0 and -0.0, which are one key in MySQL and in Postgres).
What the bytes mean is `convert`'s business.

A row image is a bitmap of NULLs (one bit a column, unused bits set) and the values that are not NULL
one after the other (rpl_record.cc, pack_row). For each pattern of NULLs that a layout shows, a loop is
generated that reads images as long as the pattern stays: one `struct` call for each run of constant
width, the length of the next variable value included, and one slice for each variable value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any, Final

from rowferry.changes import RawRow, RowKind, TableLayout
from rowferry.wire_types import DecodeError, Storage, describe, storage

__all__ = ["DecodeError", "RowDecoder", "RowsHeader", "compile_decoder", "parse_rows_header"]

MAX_PATTERNS: Final = 256
"""Generated loops a decoder keeps; rarer patterns of NULLs are read column by column."""

_KINDS: Final = {
    23: RowKind.INSERT,
    24: RowKind.UPDATE,
    25: RowKind.DELETE,
    30: RowKind.INSERT,
    31: RowKind.UPDATE,
    32: RowKind.DELETE,
    166: RowKind.INSERT,
    167: RowKind.UPDATE,
    168: RowKind.DELETE,
    169: RowKind.INSERT,
    170: RowKind.UPDATE,
    171: RowKind.DELETE,
}
_VERSION_2: Final = frozenset({30, 31, 32, 169, 170, 171})
_STATEMENT_END: Final = 0x0001


@dataclass(frozen=True, slots=True)
class RowsHeader:
    """What precedes the images of a row event.

    start: offset of the first image. complete: every column is in every image (it is not under
    binlog_row_image=MINIMAL or NOBLOB). columns: how many columns the event counts. statement_end:
    the last row event of its statement.
    """

    table_id: int
    kind: RowKind
    start: int
    columns: int
    complete: bool
    statement_end: bool


def parse_rows_header(event_type: int, data: bytes, start: int) -> RowsHeader:
    """Read the header of a row event whose body (after the 19-byte common header) begins at `start`.

    Event types 23 to 25 (version 1) and 30 to 32 (version 2), and those of MariaDB whose images are
    compressed, 166 to 168 and 169 to 171: what precedes the images never is. Raises DecodeError for any
    other, such as a partial JSON update (39), and for a body that ends too early. Format:
    https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Rows__event.html
    """
    kind = _KINDS.get(event_type)
    if kind is None:
        raise DecodeError(f"event type {event_type} is no full row event")
    try:
        return _rows_header(event_type, kind, data, start)
    except (IndexError, struct.error):
        raise DecodeError(f"row event of type {event_type} ends inside its header") from None


_POST_HEADER: Final = Struct("<IHH")
_EXTRA_LENGTH: Final = Struct("<H")


def _rows_header(event_type: int, kind: RowKind, data: bytes, start: int) -> RowsHeader:
    low, high, flags = _POST_HEADER.unpack_from(data, start)
    at = start + 8
    if event_type in _VERSION_2:
        at += _EXTRA_LENGTH.unpack_from(data, at)[0]
    columns, at = _length_coded(data, at)
    size, bitmaps = (columns + 7) // 8, 2 if kind is RowKind.UPDATE else 1
    complete = all(_all_set(data, at + i * size, columns) for i in range(bitmaps))
    return RowsHeader(
        table_id=high << 32 | low,
        kind=kind,
        start=at + bitmaps * size,
        columns=columns,
        complete=complete,
        statement_end=bool(flags & _STATEMENT_END),
    )


def _length_coded(data: bytes, at: int) -> tuple[int, int]:
    """A length-coded integer and the offset after it."""
    first = data[at]
    if first < 0xFB:
        return first, at + 1
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first)
    if width is None:
        raise DecodeError("row event with a malformed column count")
    return int.from_bytes(data[at + 1 : at + 1 + width], "little"), at + 1 + width


def _all_set(data: bytes, at: int, bits: int) -> bool:
    bitmap = data[at : at + (bits + 7) // 8]
    if len(bitmap) * 8 < bits:
        raise DecodeError("row event ends inside its column bitmap")
    mask = (1 << bits) - 1
    return int.from_bytes(bitmap, "little") & mask == mask


Loop = Callable[[bytes, int, int, Callable[[RawRow], None]], int]
"""Reads images of one pattern of NULLs: (data, start, end, append) to the offset where it stopped."""


class RowDecoder:
    """Reads the row images of one table layout. Not for use by two threads at once."""

    def __init__(self, layout: TableLayout) -> None:
        """Raise DecodeError if the layout holds a type that cannot be read."""
        self.layout = layout
        self._storages = tuple(storage(column) for column in layout.columns)
        self._bitmap_bytes = (len(layout.columns) + 7) // 8
        self._loops: dict[bytes, Loop] = {}

    def decode(self, data: bytes, start: int, end: int) -> list[RawRow]:
        """All images from `start` to `end`, in their order; an update's alternate before, after.

        Raises DecodeError, naming column and type number, if an image does not end exactly at `end`.
        """
        rows: list[RawRow] = []
        at, size, loops = start, self._bitmap_bytes, self._loops
        if end > len(data):
            raise self._error("images end after the event's data")
        try:
            while at < end:
                loop = loops.get(data[at : at + size]) or self._loop(data[at : at + size])
                at = loop(data, at, end, rows.append)
        except struct.error:
            at = -1
        if at != end:
            self._explain(data, start, end)
        return rows

    def _loop(self, bitmap: bytes) -> Loop:
        if len(bitmap) < self._bitmap_bytes or len(self._loops) >= MAX_PATTERNS:
            return self._read_slowly
        made = self._loops[bitmap] = _compiled(self._storages, bitmap)
        return made

    def _read_slowly(self, data: bytes, start: int, end: int, append: Callable[[RawRow], None]) -> int:
        """One image, column by column, every bound checked: for rare patterns, and to find a fault."""
        bitmap = data[start : start + self._bitmap_bytes]
        at = start + self._bitmap_bytes
        if at > end:
            raise self._error("an image ends inside its bitmap of NULLs")
        row: list[Any] = []
        for index in range(len(self._storages)):
            value, at = (None, at) if _is_null(bitmap, index) else self._value(index, data, at, end)
            row.append(value)
        append(tuple(row))
        return at

    def _value(self, index: int, data: bytes, at: int, end: int) -> tuple[Any, int]:
        form = self._storages[index]
        size = form.prefix or Struct("<" + form.fixed).size
        if form.prefix and at + size <= end:
            length = int.from_bytes(data[at : at + size], "little")
            at, size = at + size, length
        if at + size > end:
            column = self.layout.columns[index]
            raise self._error(f"column {column.name}, type {describe(column)}, passes the end")
        if form.prefix:
            return data[at : at + size], at + size
        return Struct("<" + form.fixed).unpack_from(data, at)[0], at + size

    def _explain(self, data: bytes, start: int, end: int) -> None:
        """Raise the DecodeError that says where reading goes wrong."""
        at = start
        while at < end:
            at = self._read_slowly(data, at, end, lambda _: None)
        raise self._error("the generated decoder and the checked one disagree")

    def _error(self, what: str) -> DecodeError:
        return DecodeError(f"row images of {self.layout.table}: {what}")


@lru_cache(maxsize=4096)
def compile_decoder(layout: TableLayout) -> RowDecoder:
    """The decoder of a layout, made once. Raises DecodeError for a type that cannot be read."""
    return RowDecoder(layout)


def _is_null(bitmap: bytes, index: int) -> int:
    return bitmap[index >> 3] >> (index & 7) & 1


@lru_cache(maxsize=4096)
def _compiled(storages: tuple[Storage, ...], bitmap: bytes) -> Loop:
    """Generate and compile the loop for one pattern of NULLs. The source text holds numbers only."""
    text, structs = _source(storages, bitmap)
    names: dict[str, Any] = {f"u{i}": made.unpack_from for i, made in enumerate(structs)}
    names["NULLS"] = bitmap
    exec(compile(text, "<row decoder>", "exec"), names)  # noqa: S102 - generated from indexes alone
    loop: Loop = names["loop"]
    return loop


def _source(storages: tuple[Storage, ...], bitmap: bytes) -> tuple[str, list[Struct]]:
    """The loop's Python text, and the structs it calls as u0, u1, ..."""
    structs: list[Struct] = []
    lines: list[str] = []
    targets: list[str] = []
    run, skipped = "", len(bitmap)
    for index, form in enumerate(storages):
        if _is_null(bitmap, index):
            continue
        run += form.fixed or _PREFIX_CODES[form.prefix]
        targets += [f"v{index}"] if form.fixed else _PREFIX_NAMES[form.prefix]
        if form.fixed:
            continue
        made = Struct("<" + run)
        lines += _read_run(len(structs), targets, skipped)
        lines.append(f"b = at + {skipped + made.size}")
        lines.append(f"at = b + {_LENGTHS[form.prefix]}")
        lines.append(f"v{index} = data[b:at]")
        structs.append(made)
        run, targets, skipped = "", [], 0
    size = skipped
    if run:
        structs.append(Struct("<" + run))
        lines += _read_run(len(structs) - 1, targets, skipped)
        size += structs[-1].size
    lines += [f"at += {size}"] if size else []
    values = ("None" if _is_null(bitmap, i) else f"v{i}" for i in range(len(storages)))
    lines.append(f"append(({', '.join(values)},))")
    return _LOOP.format(size=len(bitmap), body="\n        ".join(lines)), structs


def _read_run(number: int, targets: list[str], skipped: int) -> list[str]:
    offset = f"at + {skipped}" if skipped else "at"
    return [f"{', '.join(targets)}, = u{number}(data, {offset})"]


_PREFIX_CODES: Final = {1: "B", 2: "H", 3: "HB", 4: "I"}
_PREFIX_NAMES: Final = {1: ["n"], 2: ["n"], 3: ["n", "m"], 4: ["n"]}
_LENGTHS: Final = {1: "n", 2: "n", 3: "(n | m << 16)", 4: "n"}
_LOOP: Final = """\
def loop(data, at, end, append):
    while at < end and data[at:at + {size}] == NULLS:
        {body}
    return at
"""
