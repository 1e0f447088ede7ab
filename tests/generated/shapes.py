"""Strategies for geometry, vectors, UUID and addresses."""

from __future__ import annotations

import ipaddress
import struct
import uuid
from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from tests.generated.kinds import Kind, Kinds, Server, hexadecimal, quoted

_COORDINATE: Final = st.sampled_from([0.0, -0.5, 1.25]) | st.floats(-80, 80, width=16)


def geometries(server: Server) -> Kinds:
    """GEOMETRY and its kinds, with and without SRID."""
    srids = st.sampled_from([0, 4326] if server.mysql else [0, 4326, 2**32 - 1])

    def of(ddl: str, shapes: Sequence[str]) -> Kind:
        values = st.builds(
            _geometry, st.sampled_from(shapes), st.lists(_COORDINATE, min_size=8, max_size=8), srids
        )
        return Kind("geometry", ddl, values)

    made = [of(name.upper(), [name]) for name in _SHAPES]
    return st.sampled_from([*made, of("GEOMETRY", list(_SHAPES)), of("GEOMETRY", list(_SHAPES))])


_SHAPES: Final = {
    "point": "POINT({0} {1})",
    "linestring": "LINESTRING({0} {1},{2} {3},{4} {5})",
    "polygon": "POLYGON((0 0,0 {6},1 {6},0 0))",
    "multipoint": "MULTIPOINT({0} {1},{2} {3})",
    "multilinestring": "MULTILINESTRING(({0} {1},{2} {3}),({4} {5},{6} {7}))",
    "multipolygon": "MULTIPOLYGON(((0 0,0 3,3 3,0 0)),((5 5,5 6,6 6,5 5)))",
    "geometrycollection": "GEOMETRYCOLLECTION(POINT({0} {1}),LINESTRING({2} {3},{4} {5}))",
}


def _geometry(shape: str, numbers: Sequence[float], srid: int) -> str:
    return f"ST_GeomFromText('{_SHAPES[shape].format(*map(repr, numbers))}',{srid})"


def vectors(_: Server) -> Kinds:
    """VECTOR."""

    def of(size: int) -> Kind:
        numbers = st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=size, max_size=size
        )
        values = numbers.map(lambda found: hexadecimal(struct.pack(f"<{size}f", *found)))
        return Kind("vector", f"VECTOR({size})", values)

    return st.builds(of, st.sampled_from([1, 2, 5]))


def identifiers(server: Server) -> Kinds:
    """MariaDB's UUID, INET4 and INET6."""
    numbers = st.sampled_from([0, 1, 2**128 - 1]) | st.integers(0, 2**128 - 1)
    short = st.sampled_from([0, 2**32 - 1]) | st.integers(0, 2**32 - 1)
    addresses = (numbers | short.map(lambda number: 0xFFFF00000000 + number)).map(ipaddress.IPv6Address)
    found = [("inet", "INET6", addresses.map(str))]
    if server.version >= (10, 10):
        found.append(("inet", "INET4", short.map(ipaddress.IPv4Address).map(str)))
        found.append(("uuid", "UUID", numbers.map(lambda number: str(uuid.UUID(int=number)))))
    return st.sampled_from([Kind(name, ddl, quoted(values), quoted(values)) for name, ddl, values in found])
