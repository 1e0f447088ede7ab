"""GEOMETRY of the binlog and of SELECT, which send the same bytes, as EWKB.

Pure. The source's form is the SRID in four bytes, little-endian, and the geometry as WKB, longitude
or x first whatever the SRID says
(https://dev.mysql.com/doc/refman/8.4/en/gis-data-formats.html). EWKB is PostGIS's form: WKB with a flag
in the type of the outermost geometry and the SRID behind it
(https://postgis.net/docs/ST_AsEWKB.html), plain WKB where the SRID is 0.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final

import pyarrow as pa

from rowferry.arrays import Converted, ValueNotCarriable, as_list

Converter = Callable[[Sequence[bytes | None]], Converted]

KINDS: Final = frozenset(
    {
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geometrycollection",
        "geomcollection",
    }
)
"""MySQL says geomcollection for what MariaDB calls geometrycollection."""

_HEADER: Final = struct.Struct("<IBI")
_EWKB_HEADER: Final = struct.Struct("<BII")
_HAS_SRID: Final = 0x2000_0000
_LITTLE_ENDIAN: Final = 1
_COUNT_BYTES: Final = 4
_LAST_TYPE: Final = 7


def ewkb(column: str) -> Converter:
    """From the source's bytes to EWKB. Raises ValueNotCarriable for what is no geometry.

    MariaDB has such: an empty value, where a row gives none for a NOT NULL column.
    """

    def convert(values: Sequence[bytes | None]) -> Converted:
        found = [None if v is None else _ewkb(v, column, i) for i, v in enumerate(as_list(values))]
        return Converted(pa.array(found, pa.large_binary()))

    return convert


def _ewkb(value: bytes, column: str, index: int) -> bytes:
    if len(value) < _HEADER.size + _COUNT_BYTES:
        raise ValueNotCarriable(column, index, "a value is too short for a geometry")
    srid, order, kind = _HEADER.unpack_from(value)
    if order != _LITTLE_ENDIAN or not 1 <= kind <= _LAST_TYPE:
        raise ValueNotCarriable(column, index, "a value is no geometry of a known kind")
    if not srid:
        return value[4:]
    return _EWKB_HEADER.pack(order, kind | _HAS_SRID, srid) + value[_HEADER.size :]
