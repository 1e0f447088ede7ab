"""DATETIME, TIMESTAMP and TIME in the storage before MySQL 5.6, with or without a fraction of a second.

Pure. MariaDB still makes such columns under `mysql56_temporal_format=OFF`, and keeps old ones. Without a
fraction they are what `temporal` reads. With one they are big-endian integers of sizes that depend on the
number of digits, which no TABLE_MAP event tells: it comes from the catalogue (`with_catalogue`).

While the catalogue is ahead of the stream, its digits may not be the rows' own. Mostly that is refused:
images of another size do not end where the event ends, values leave their type's range. Where it is not
(as many bytes, or odd bytes that fit by chance), wrong rows cannot stay in the copy: the ALTER TABLE that
changed the digits comes later in the same stream, is a barrier, and has the whole table copied again (or
stops it until `resync` does), which replaces or sweeps every row that was written before. The table is
`copying` all that time: the catalogue gets ahead of a table only where its copy begins, at a start or a
barrier. No statement that `ddl` takes to keep a table's rows changes digits. Only an ALTER TABLE under
`sql_log_bin=0` escapes, as it escapes everything else.

Format: MariaDB's sql/field.cc (Field_timestamp_hires, Field_time_hires, Field_datetime_hires) and
sql-common/my_time.c (pack_time).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from rowferry.arrays import Converted, Longs, big_endian, byte_matrix, require
from rowferry.changes import TableLayout, WireColumn
from rowferry.table_schema import Column
from rowferry.temporal import (
    DAY,
    SECOND,
    Converter,
    Values,
    _days,
    _finish,
    _time_text,
    wire_old_datetime,
    wire_old_time,
    wire_old_timestamp,
)
from rowferry.wire_types import OLD_TEMPORAL_BYTES, WireType

_MONTHS: Final = 10_000 * 13
_TIME_LIMIT_SECONDS: Final = 839 * 3600
"""One second more than the greatest TIME; what stands for 0 in the storage."""


def with_catalogue(layout: TableLayout, columns: Iterable[Column]) -> TableLayout:
    """The layout with the digits of old temporal columns, taken from the catalogue's columns by name.

    The very same object where nothing is to be added. Columns that the catalogue does not know, or knows
    as another type, stay as they are: `convert` refuses them.
    """
    digits = {column.name: column.type.fraction for column in columns}
    completed = tuple(_completed(wire, digits.get(wire.name, 0)) for wire in layout.columns)
    return layout if completed == layout.columns else replace(layout, columns=completed)


def _completed(wire: WireColumn, fraction: int) -> WireColumn:
    return replace(wire, metadata=fraction) if wire.type_code in OLD_TEMPORAL_BYTES else wire


def old_datetime(column: str, fraction: int, kind: pa.DataType) -> Converter:
    """DATETIME: a number of 10**-fraction seconds, as if each year had 13 months, each month 32 days."""
    if not fraction:
        return wire_old_datetime(column, kind)
    width, unit = OLD_TEMPORAL_BYTES[WireType.DATETIME][fraction], 10 ** (6 - fraction)

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(values, width, column)
        units = big_endian(matrix)
        day = units // (DAY // unit)
        require((units >= 0) & (day < _MONTHS * 32), valid, column, "no datetime")
        days, exists = _days(day // 32, day % 32)
        return _finish(kind, days * DAY + units % (DAY // unit) * unit, exists, valid)

    return convert


def old_timestamp(column: str, fraction: int, kind: pa.DataType) -> Converter:
    """TIMESTAMP: 4 bytes of seconds since 1970, unsigned, then the fraction's digits. 0 is NULL."""
    if not fraction:
        return wire_old_timestamp(column, kind)
    width, unit = OLD_TEMPORAL_BYTES[WireType.TIMESTAMP][fraction], 10 ** (6 - fraction)

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(values, width, column)
        part = big_endian(matrix[:, 4:]) * unit
        require(part < SECOND, valid, column, "no timestamp")
        micros = big_endian(matrix[:, :4]) * SECOND + part
        return _finish(kind, micros, micros != 0, valid)

    return convert


def old_time(column: str, fraction: int) -> Converter:
    """TIME: a number of 10**-fraction seconds, raised so that -839 hours would be 0."""
    if not fraction:
        return wire_old_time(column)
    width, scale = OLD_TEMPORAL_BYTES[WireType.TIME][fraction], 10**fraction
    zero = _TIME_LIMIT_SECONDS * scale

    def convert(values: Values) -> Converted:
        matrix, valid = byte_matrix(values, width, column)
        number: Longs = big_endian(matrix) - zero
        size = np.abs(number)
        require(size < zero, valid, column, "no time")
        seconds = size // scale
        parts = (seconds // 3600, seconds // 60 % 60, seconds % 60, size % scale * (SECOND // scale))
        return _time_text(number < 0, parts, fraction, valid, column)

    return convert
