"""All families of types, each by its name, and which of them a server has."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from hypothesis import strategies as st

from tests.generated import moments, numbers, shapes, strings
from tests.generated.kinds import Kinds, Server

_FAMILIES: Final[dict[str, Callable[[Server], Kinds]]] = {
    "integer": numbers.integers,
    "decimal": numbers.decimals,
    "float": numbers.floats,
    "text": strings.texts_of(tuple(strings.COLLATIONS)),
    "binary": strings.binaries,
    "temporal": moments.moments(range(7)),
    "zero_date": moments.moments(range(7), moments.ZERO_DATES),
    "no_such_day": moments.moments(range(7), moments.NO_SUCH_DAYS),
    "bit": numbers.bits,
    "year": numbers.years,
    "enum": strings.enums_of(("utf8mb4", "latin1")),
    "set": strings.sets_of(("utf8mb4", "latin1")),
    "json": strings.json_documents,
    "geometry": shapes.geometries,
    "vector": shapes.vectors,
    "identifier": shapes.identifiers,
    "compressed": strings.texts_of(("utf8mb4", "latin1"), suffix=" COMPRESSED"),
    "old_temporal": moments.moments((0,)),
    "old_zero_date": moments.moments((0,), moments.ZERO_DATES),
    "old_fraction": moments.moments(range(7)),
    "simple_text": strings.texts_of(("utf8mb4", "utf8mb3", "latin1", "cp1251", "gbk", "ascii"), holes=""),
    "simple_enum": strings.enums_of(("utf8mb4",)),
    "simple_set": strings.sets_of(("utf8mb4",)),
    "simple_temporal": moments.moments(range(7), negative_fractions=False),
}
_SIMPLE: Final = frozenset({"simple_text", "simple_enum", "simple_set", "simple_temporal"})
_MANY_SHAPES: Final = frozenset({"text", "simple_text", "temporal", "simple_temporal"})
FAMILIES: Final = frozenset(_FAMILIES) - _SIMPLE
OLD_FAMILIES: Final = frozenset({"old_temporal", "old_zero_date", "old_fraction"})
NEW_TEMPORAL_FAMILIES: Final = frozenset({"temporal", "zero_date", "no_such_day", "simple_temporal"})


def known_families(server: Server) -> frozenset[str]:
    """The families of types that the server has. Those in OLD_FAMILIES need storage as before MySQL 5.6."""
    if server.mysql:
        return frozenset(_FAMILIES) - OLD_FAMILIES - {"compressed", "identifier"}
    return frozenset(_FAMILIES) - (set() if server.version >= (11, 7) else {"vector"})


def kinds(server: Server, families: Collection[str]) -> Kinds:
    """Column types of these families."""
    drawn = sorted((*families, *(_MANY_SHAPES & set(families)), *(_MANY_SHAPES & set(families))))
    return st.sampled_from(drawn).flatmap(lambda family: _FAMILIES[family](server))
