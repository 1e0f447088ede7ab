"""Hypothesis strategies for columns of every type of MySQL and MariaDB, with values as SQL.

A value is an SQL expression without a chance of injection: digits, or hexadecimal. What cannot be carried
at all (U+0000 in text or JSON) is never made.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import struct
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

Values = st.SearchStrategy[str]


@dataclass(frozen=True, slots=True)
class Server:
    """What the types depend on: the product, and major and minor version."""

    mysql: bool
    version: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Kind:
    """A column's type as DDL, its values, and which of them fit a key (None: the type does not)."""

    family: str
    ddl: str
    values: Values
    key_values: Values | None = None

    def __repr__(self) -> str:
        """Short, since Hypothesis prints it."""
        return self.ddl


Kinds = st.SearchStrategy[Kind]


def hexadecimal(data: bytes) -> str:
    """A binary literal."""
    return f"X'{data.hex()}'"


def text_literal(text: str) -> str:
    """A text literal, converted by the server to the column's character set."""
    return f"_utf8mb4 {hexadecimal(text.encode())}"


def _integers(_: Server) -> Kinds:
    def of(name: str, bits: int, unsigned: bool, zerofill: bool) -> Kind:
        low, high = (0, 2**bits - 1) if unsigned or zerofill else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        values = (st.sampled_from([low, low + 1, 0, 1, high - 1, high]) | st.integers(low, high)).map(str)
        suffix = " UNSIGNED ZEROFILL" if zerofill else " UNSIGNED" if unsigned else ""
        return Kind("integer", name + suffix, values, values)

    sizes = [("TINYINT", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32), ("BIGINT", 64), ("BOOL", 8)]
    plain = st.tuples(st.sampled_from(sizes[:5]), st.booleans(), st.sampled_from([False, False, True]))
    return st.one_of(
        plain.map(lambda drawn: of(*drawn[0], drawn[1], drawn[2])), st.just(of("BOOL", 8, False, False))
    )


def _decimals(_: Server) -> Kinds:
    def of(precision: int, scale: int) -> Kind:
        scale = min(scale, precision)
        top = 10**precision - 1
        digits = st.sampled_from([top, -top, 0, 1, -1]) | st.integers(-top, top)
        values = digits.map(lambda number: f"'{_scaled(number, scale)}'")
        return Kind("decimal", f"DECIMAL({precision},{scale})", values, values)

    precisions = st.sampled_from([1, 9, 10, 18, 19, 38, 39, 65]) | st.integers(1, 65)
    return st.builds(of, precisions, st.sampled_from([0, 2, 9, 30]) | st.integers(0, 30))


def _scaled(number: int, scale: int) -> str:
    digits = str(abs(number)).rjust(scale + 1, "0")
    whole, fraction = digits[: len(digits) - scale], digits[len(digits) - scale :]
    return f"{'-' if number < 0 else ''}{whole}.{fraction}".rstrip(".")


def _floats(_: Server) -> Kinds:
    def of(ddl: str, width: int, bound: float | None) -> Kind:
        lowest = None if bound is None else -bound
        found = st.floats(
            lowest, bound, width=32 if width == 32 else 64, allow_nan=False, allow_infinity=False
        )
        return Kind("float", ddl, found.map(_float_literal))

    return st.sampled_from(
        [
            of("FLOAT", 32, None),
            of("DOUBLE", 64, None),
            of("FLOAT(7,2)", 32, 8192.0),
            of("DOUBLE(10,2)", 64, 1e7),
        ]
    )


def _float_literal(value: float) -> str:
    """As SQL that is no DECIMAL, which has no -0."""
    text = repr(value)
    return text if "e" in text else f"{text}e0"


_ALPHABET: Final = "aAbBzZ019 _%;'\"\\`{}-#@&|,.<>?!~^\n\r\t\x01\x1a\x7f\u00a0ßéÉëÿœ€Žžж\u0416\u0451日本語中文表ソｱ＼～‖−¥‾\u2028\ufeff\ufffd"
_WIDE: Final = "😀𝒳🇨🇭"
_COLLATIONS: Final = {
    "utf8mb4": ("utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_unicode_ci"),
    "utf8mb3": ("utf8mb3_general_ci", "utf8mb3_bin"),
    "latin1": ("latin1_swedish_ci", "latin1_bin", "latin1_general_cs"),
    "cp1251": ("cp1251_general_ci", "cp1251_bin"),
    "sjis": ("sjis_japanese_ci", "sjis_bin"),
    "gbk": ("gbk_chinese_ci", "gbk_bin"),
    "ucs2": ("ucs2_general_ci", "ucs2_bin"),
    "utf16": ("utf16_general_ci", "utf16_bin"),
    "utf32": ("utf32_general_ci",),
    "ascii": ("ascii_general_ci",),
}
_MYSQL_UTF8MB4: Final = ("utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_0900_bin")
_LATIN1_HOLES: Final = "\x81\x8d\x8f\x90\x9d"


def _collation(server: Server, charset: str) -> st.SearchStrategy[str]:
    known = _COLLATIONS[charset]
    if charset == "utf8mb3" and server.version < (10, 6) and not server.mysql:
        known = tuple(name.replace("utf8mb3", "utf8") for name in known)
    if charset == "utf8mb4" and server.mysql:
        known += _MYSQL_UTF8MB4
    if charset == "utf8mb4" and not server.mysql:
        known += ("utf8mb4_nopad_bin", "utf8mb4_unicode_520_nopad_ci")
    if charset == "utf8mb4" and not server.mysql and server.version >= (10, 10):
        known += ("utf8mb4_uca1400_ai_ci", "utf8mb4_uca1400_nopad_as_cs")
    return st.sampled_from(known)


def _characters(charset: str) -> str:
    return (
        _ALPHABET
        + (_WIDE if charset in ("utf8mb4", "utf16", "utf32") else "")
        + (_LATIN1_HOLES if charset == "latin1" else "")
    )


def _texts_of(charsets: Sequence[str], suffix: str = "") -> Callable[[Server], Kinds]:
    @st.composite
    def kinds(draw: st.DrawFn, server: Server) -> Kind:
        charset = draw(st.sampled_from(charsets))
        collation = draw(_collation(server, charset))
        length = draw(st.sampled_from([20, 5, 1, 0, 64, 255, 300]))
        shapes = [
            f"VARCHAR({length})",
            f"CHAR({min(length, 255)})",
            "TINYTEXT",
            "TEXT",
            "MEDIUMTEXT",
            "LONGTEXT",
        ]
        shape = draw(st.sampled_from([s for s in shapes if not suffix or not s.startswith("CHAR")]))
        sized = "(" in shape
        longest = min(length, 12) if sized else 12
        texts = st.text(st.sampled_from(_characters(charset)), max_size=longest).map(text_literal)
        if not sized:
            texts = texts | st.sampled_from([63, 300]).map(lambda n: text_literal("é" * n))
        fits = sized and 0 < length <= 20 and not suffix
        ddl = f"{shape}{suffix} CHARACTER SET {charset} COLLATE {collation}"
        return Kind("compressed" if suffix else "text", ddl, texts, texts if fits else None)

    return kinds


def _binaries(_: Server) -> Kinds:
    def of(shape: str, length: int) -> Kind:
        sized = shape in ("BINARY", "VARBINARY")
        if shape == "BINARY":
            length = min(length, 255)
        size = min(length, 12) if sized else 12
        values = (st.binary(max_size=size) | st.sampled_from([b"", b"\0", b" ", b"a\0\0", b"\0a"])).map(
            lambda data: hexadecimal(data[:size])
        )
        fits = sized and 0 < length <= 20
        return Kind("binary", f"{shape}({length})" if sized else shape, values, values if fits else None)

    shapes = ["BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"]
    return st.builds(of, st.sampled_from(shapes), st.sampled_from([16, 4, 1, 0, 255, 300]))


def _number(low: int, high: int, digits: int = 2) -> Values:
    return st.integers(low, high).map(lambda number: str(number).zfill(digits))


_DATES: Final = st.sampled_from(
    ["0001-01-01", "9999-12-31", "1969-12-31", "1970-01-01", "2024-02-29"]
) | st.tuples(_number(1, 9999, 4), _number(1, 12), _number(1, 28)).map("-".join)
_NO_DATES: Final = st.sampled_from(["0000-00-00", "2024-00-10", "2024-05-00", "0000-05-06", "2023-02-30"])
_CLOCK: Final = st.tuples(_number(0, 23), _number(0, 59), _number(0, 59)).map(":".join)
_SIGNED_32: Final = 2**31 - 1
_UNSIGNED_32: Final = 2**32 - 1


def _fraction(digits: int) -> Values:
    if not digits:
        return st.just("")
    top = 10**digits - 1
    numbers = st.sampled_from([0, 1, top]) | st.integers(0, top)
    return numbers.map(lambda number: "." + str(number).zfill(digits))


def _quoted(values: Values) -> Values:
    return values.map(lambda text: f"'{text}'")


def _moments(zero: bool, fractions: Sequence[int]) -> Callable[[Server], Kinds]:
    def kinds(server: Server) -> Kinds:
        return st.sampled_from(fractions).flatmap(lambda digits: _moments_of(server, digits, zero))

    return kinds


def _moments_of(server: Server, digits: int, zero: bool) -> Kinds:
    family = "zero_date" if zero else "temporal"
    last = _UNSIGNED_32 if not server.mysql and server.version >= (11, 5) else _SIGNED_32
    seconds = st.sampled_from([1, 2**31 - 2, last - 1]) | st.integers(1, last - 1)
    dates = _quoted(_DATES)
    datetimes = _quoted(st.tuples(_DATES, st.just(" "), _CLOCK, _fraction(digits)).map("".join))
    timestamps = _quoted(st.tuples(seconds.map(_utc), _fraction(digits)).map("".join))
    times = _quoted(_times(digits))
    unreal = _quoted(_NO_DATES)
    later = _quoted(st.tuples(_NO_DATES, st.just(" "), _CLOCK, _fraction(digits)).map("".join))
    made = [
        Kind(family, "DATE", dates | unreal if zero else dates, dates),
        Kind(family, f"DATETIME({digits})", datetimes | later if zero else datetimes, datetimes),
        Kind(family, f"TIMESTAMP({digits})", timestamps | unreal if zero else timestamps, timestamps),
    ]
    return st.sampled_from(made if zero else [*made, Kind(family, f"TIME({digits})", times, times)])


def _utc(seconds: int) -> str:
    return (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)).isoformat(" ")


def _times(digits: int) -> Values:
    whole = st.tuples(_number(0, 837), st.just(":"), _number(0, 59), st.just(":"), _number(0, 59)).map(
        "".join
    )
    edges = st.sampled_from(["00:00:00", "00:00:01", "00:59:59", "01:00:00", "837:59:59"])
    return st.tuples(st.sampled_from(["", "-"]), whole | edges, _fraction(digits)).map(
        "".join
    ) | st.sampled_from(["838:59:59", "-838:59:59"])


def _bits(_: Server) -> Kinds:
    def of(width: int) -> Kind:
        numbers = st.sampled_from([0, 1, 2**width - 1, 2 ** (width - 1)]) | st.integers(0, 2**width - 1)
        values = numbers.map(lambda number: f"b'{number:b}'")
        return Kind("bit", f"BIT({width})", values, values)

    return st.builds(of, st.sampled_from([1, 8, 9, 64]) | st.integers(1, 64))


def _years(_: Server) -> Kinds:
    values = (st.sampled_from([1901, 2155, 2000]) | st.integers(1901, 2155)).map(str) | st.just("'0000'")
    return st.just(Kind("year", "YEAR", values, values))


_LABELS: Final = ("a", "b c", "it's", 'q"q', "100%", "%s", ";--", "{0}", "back\\slash", "", " lead", "x")
_WIDE_LABELS: Final = ("é", "ß", "日本", "жук")


def _labels(charset: str) -> st.SearchStrategy[list[str]]:
    known = _LABELS + (_WIDE_LABELS if charset == "utf8mb4" else _WIDE_LABELS[:2])
    return st.lists(st.sampled_from(known), min_size=1, max_size=10, unique=True)


def _label_list(labels: Sequence[str]) -> str:
    return ",".join("'" + label.replace("\\", "\\\\").replace("'", "''") + "'" for label in labels)


@st.composite
def _enums(draw: st.DrawFn, _: Server) -> Kind:
    charset = draw(st.sampled_from(["utf8mb4", "latin1"]))
    labels = draw(_labels(charset))
    if draw(st.sampled_from([False, False, False, True])):
        labels = [*labels, *(f"label{n}" for n in range(300))]  # an index of two bytes
    known = st.integers(1, len(labels)).map(str)
    ddl = f"ENUM({_label_list(labels)}) CHARACTER SET {charset}"
    return Kind("enum", ddl, known | st.just("'no such label'"), known)


@st.composite
def _sets(draw: st.DrawFn, _: Server) -> Kind:
    charset = draw(st.sampled_from(["utf8mb4", "latin1"]))
    labels = [label for label in draw(_labels(charset)) if label] or ["only"]
    more = draw(st.sampled_from([0, 0, 7, 15, 23, 64]))
    labels += [f"label{n}" for n in range(more - len(labels))]
    top = 2 ** len(labels) - 1
    numbers = (st.sampled_from([0, 1, top]) | st.integers(0, top)).map(str)
    return Kind("set", f"SET({_label_list(labels)}) CHARACTER SET {charset}", numbers, numbers)


_JSON_TEXT: Final = st.text(st.sampled_from(_ALPHABET + _WIDE), max_size=6)
_JSON_SCALARS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 2**63, 2**64 - 1, -(2**63), 32767, 32768, -32769]),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    _JSON_TEXT,
)
_JSON: Final[st.SearchStrategy[Any]] = st.recursive(
    _JSON_SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_JSON_TEXT, inner, max_size=3),
    max_leaves=6,
)
_JSON_OF_MYSQL: Final = (
    "JSON_OBJECT('d', CAST('2024-02-29' AS DATE), 't', CAST('-10:00:00.5' AS TIME(1)))",
    "JSON_ARRAY(CAST('2024-02-29 01:02:03.000004' AS DATETIME(6)), CAST(-1.50 AS DECIMAL(9,2)))",
    "JSON_ARRAY(CAST(12345678901234567890.123456789 AS DECIMAL(40,9)), X'00ff', b'101')",
)


def _json(server: Server) -> Kinds:
    values = _JSON.map(lambda value: text_literal(json.dumps(value, ensure_ascii=False)))
    if server.mysql:
        return st.just(Kind("json", "JSON", values | st.sampled_from(_JSON_OF_MYSQL)))
    return st.just(Kind("json", "JSON", values))


_COORDINATE: Final = st.sampled_from([0.0, -0.5, 1.25]) | st.floats(-80, 80, width=16)


def _geometries(server: Server) -> Kinds:
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


def _vectors(_: Server) -> Kinds:
    def of(size: int) -> Kind:
        numbers = st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=size, max_size=size
        )
        values = numbers.map(lambda found: hexadecimal(struct.pack(f"<{size}f", *found)))
        return Kind("vector", f"VECTOR({size})", values)

    return st.builds(of, st.sampled_from([1, 2, 5]))


def _identifiers(server: Server) -> Kinds:
    numbers = st.sampled_from([0, 1, 2**128 - 1]) | st.integers(0, 2**128 - 1)
    short = st.sampled_from([0, 2**32 - 1]) | st.integers(0, 2**32 - 1)
    addresses = (numbers | short.map(lambda number: 0xFFFF00000000 + number)).map(ipaddress.IPv6Address)
    found = [("inet", "INET6", addresses.map(str))]
    if server.version >= (10, 10):
        found.append(("inet", "INET4", short.map(ipaddress.IPv4Address).map(str)))
        found.append(("uuid", "UUID", numbers.map(lambda number: str(uuid.UUID(int=number)))))
    return st.sampled_from([Kind(name, ddl, _quoted(values), _quoted(values)) for name, ddl, values in found])


_FAMILIES: Final[dict[str, Callable[[Server], Kinds]]] = {
    "integer": _integers,
    "decimal": _decimals,
    "float": _floats,
    "text": _texts_of(tuple(_COLLATIONS)),
    "binary": _binaries,
    "temporal": _moments(zero=False, fractions=range(7)),
    "zero_date": _moments(zero=True, fractions=range(7)),
    "bit": _bits,
    "year": _years,
    "enum": _enums,
    "set": _sets,
    "json": _json,
    "geometry": _geometries,
    "vector": _vectors,
    "identifier": _identifiers,
    "compressed": _texts_of(("utf8mb4", "latin1"), " COMPRESSED"),
    "old_temporal": _moments(zero=False, fractions=(0,)),
    "old_zero_date": _moments(zero=True, fractions=(0,)),
    "old_fraction": _moments(zero=False, fractions=range(7)),
}
FAMILIES: Final = frozenset(_FAMILIES)
OLD_FAMILIES: Final = frozenset({"old_temporal", "old_zero_date", "old_fraction"})
NEW_TEMPORAL_FAMILIES: Final = frozenset({"temporal", "zero_date"})


def known_families(server: Server) -> frozenset[str]:
    """The families of types that the server has. Those in OLD_FAMILIES need storage as before MySQL 5.6."""
    if server.mysql:
        return FAMILIES - OLD_FAMILIES - {"compressed", "identifier"}
    return FAMILIES if server.version >= (11, 7) else FAMILIES - {"vector"}


def kinds(server: Server, families: Collection[str]) -> Kinds:
    """Column types of these families."""
    return st.sampled_from(sorted(families)).flatmap(lambda family: _FAMILIES[family](server))
