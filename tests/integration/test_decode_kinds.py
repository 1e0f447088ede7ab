"""ENUM, SET, BIT, YEAR, shapes, VECTOR, UUID and addresses: both ways in against the server's own words.

A value is written once, read from the binlog and by SELECT as the daemon reads them, and both must give
the same Arrow array; what it holds must be what the server says by BIN, HEX, CONVERT or ST_AsBinary.
"""

from __future__ import annotations

import random
import struct
import uuid
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rowferry.changes import TableLayout
from rowferry.convert import binlog_converter
from rowferry.decode import compile_decoder, parse_rows_header
from rowferry.mysql_catalog import read_tables
from rowferry.settings import TableSettings
from rowferry.table_map import parse_table_map
from rowferry.table_schema import Column
from rowferry.types import UnsupportedType, destination_type
from rowferry_lab.servers import RunningServer
from tests.integration.binlog_reading import (
    CHECKSUM_BYTES,
    DATABASE,
    EVENT_START,
    TABLE_MAP,
    connected,
    from_select,
    is_mysql,
    packets_of,
    run,
)

ROW_EVENTS = {23, 24, 25, 30, 31, 32}
ENGINES = pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
ALL_MARIADB = pytest.mark.parametrize(
    "source", ["mariadb_10_5", "mariadb_10_11", "mariadb_11_8"], indirect=True
)
WITH_UUID = pytest.mark.parametrize("source", ["mariadb_10_11", "mariadb_11_8"], indirect=True)
WITH_VECTOR = pytest.mark.parametrize("source", ["mariadb_11_8", "mysql_9_7"], indirect=True)


def columns_of(connection: Any, table: str) -> list[Column]:
    """The table's columns as the daemon reads them from the catalogue."""
    [schema] = read_tables(connection, DATABASE, TableSettings(include=(table,))).values()
    return list(schema.columns)


def both_ways(source: RunningServer, connection: Any, table: str, *statements: str) -> dict[str, pa.Array]:
    """The table's columns, after the binlog of the statements and a SELECT were found to say the same."""
    packets = packets_of(source, connection, *statements)
    columns = columns_of(connection, table)
    binlog = arrays_of(packets, {c.name: c for c in columns}, mariadb=not is_mysql(connection))
    select = from_select(connection, table, columns)
    assert set(binlog) == set(select)
    for column in columns:
        ours, other = binlog[column.name], select[column.name].array
        for array in (ours, other):
            array.validate(full=True)
            assert array.type == destination_type(column.type).arrow
        assert ours.equals(other), (column, ours, other)
    return binlog


def arrays_of(packets: list[bytes], known: dict[str, Column], mariadb: bool) -> dict[str, pa.Array]:
    """All row images of the packets, which must be of one layout, as columns."""
    layouts, rows = dict[int, TableLayout](), list[tuple[Any, ...]]()
    for data in packets:
        end = len(data) - CHECKSUM_BYTES
        if data[5] == TABLE_MAP:
            seen = parse_table_map(data, EVENT_START, end, mariadb)
            layouts[seen.table_id] = TableLayout(seen.table, seen.columns)
        elif data[5] in ROW_EVENTS:
            header = parse_rows_header(data[5], data, EVENT_START)
            rows += compile_decoder(layouts[header.table_id]).decode(data, header.start, end)
    [columns] = {layout.columns for layout in layouts.values()}
    return {
        wire.name: binlog_converter(wire, known[wire.name])([row[i] for row in rows]).array
        for i, wire in enumerate(columns)
    }


def made(table: str, kinds: list[str], rows: list[list[str]], engine: str = "InnoDB") -> list[str]:
    """Statements that make a table `(id, c0, c1, ...)` anew and insert the rows, and a row of NULLs."""
    columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(kinds))
    values = [", ".join([str(n), *row]) for n, row in enumerate([*rows, ["NULL"] * len(kinds)])]
    return [
        f"DROP TABLE IF EXISTS {table}",
        f"CREATE TABLE {table} (id INT PRIMARY KEY, {columns}) ENGINE={engine}",
        *(f"INSERT INTO {table} VALUES ({row})" for row in values),
    ]


def truth(connection: Any, expression: str, table: str) -> list[Any]:
    """What the server says of each row."""
    return [row[0] for row in run(connection, f"SELECT {expression} FROM {table} ORDER BY id")]


@ENGINES
def test_bits_are_a_boolean_or_their_digits(source: RunningServer, engine: str) -> None:
    """Of every width; the first and the last bit are told apart."""
    widths = [1, 2, 7, 8, 9, 16, 17, 31, 32, 33, 63, 64]
    rows = [["0"] * len(widths), ["1"] * len(widths), [f"b'{'1' * w}'" for w in widths]]
    rows += [[f"b'1{'0' * (w - 1)}'" for w in widths], [f"b'{'1100101' * 10}' >> {70 - w}" for w in widths]]
    with connected(source) as connection:
        statements = made("bits", [f"BIT({w})" for w in widths], rows, engine)
        arrays = both_ways(source, connection, "bits", *statements)
        for index, width in enumerate(widths):
            held = arrays[f"c{index}"].to_pylist()
            shown = [None if v is None else str(int(v)) if width == 1 else v for v in held]
            assert shown == truth(connection, f"LPAD(BIN(c{index} + 0), {width}, '0')", "bits"), width


@ENGINES
def test_years_are_numbers_and_the_year_0_stays(source: RunningServer, engine: str) -> None:
    """Every year that there is."""
    with connected(source) as connection:
        rows = [[str(year)] for year in (0, *range(1901, 2156))]
        arrays = both_ways(source, connection, "years", *made("years", ["YEAR"], rows, engine))
        held = arrays["c0"].to_pylist()
        assert held == truth(connection, "c0 + 0", "years")
        assert held == [0, *range(1901, 2156), None]


@ALL_MARIADB
def test_a_year_of_two_digits_is_refused(source: RunningServer) -> None:
    """SELECT prints 55 for 1955 and for 2055; the binlog would tell them apart, the copy does not."""
    with connected(source) as connection:
        run(connection, *made("short_years", ["YEAR(2)"], [["1955"], ["2055"]]))
        assert truth(connection, "c0", "short_years")[:2] == [55, 55]
        with pytest.raises(UnsupportedType, match=r"year\(2\).*century"):
            destination_type(columns_of(connection, "short_years")[1].type)


ODD_LABELS = ["it''s", "back\\\\slash", " lead", "x /* y */ Z", '"q"', "`t`", "UNSIGNED", "(a)", "%s"]
LABELS = {
    "utf8mb4": ["Zoë", "日本", "😀", "a😀b"],
    "utf8mb3": ["Zoë", "日本"],
    "latin1": ["Zoë", "€"],
    "cp1251": ["Жук"],
    "sjis": ["ソ", "表示"],
    "cp932": ["ソ", "①"],
    "gbk": ["中文"],
    "euckr": ["한글"],
    "ucs2": ["日本", "é"],
    "utf16": ["日本", "😀"],
    "utf32": ["日本", "😀"],
}


@ENGINES
@pytest.mark.parametrize("charset", LABELS)
def test_labels_are_what_the_server_prints(source: RunningServer, charset: str, engine: str) -> None:
    """In every kind of character set, with every odd character, among columns of other sets."""
    labels = [*LABELS[charset], *ODD_LABELS]
    listed = ", ".join(f"'{label}'" for label in labels)
    kinds = [
        f"ENUM({listed}) CHARACTER SET {charset}",
        "SET('x', 'é') CHARACTER SET latin1",
        f"SET({listed}) CHARACTER SET {charset}",
        "ENUM('y', 'Ж') CHARACTER SET cp1251",
    ]
    count = len(labels)
    rows = [[str(i), str(i % 4), str(1 << i >> 1), str(i % 3)] for i in range(count + 1)]
    rows += [["0", "3", str((1 << count) - 1), "2"], ["1", "2", str(0x5555 & (1 << count) - 1), "1"]]
    with connected(source) as connection:
        statements = made("labels", kinds, rows, engine)
        arrays = both_ways(source, connection, "labels", *statements)
        for index in range(len(kinds)):
            held = [None if v is None else v.encode().hex().upper() for v in arrays[f"c{index}"].to_pylist()]
            assert held == truth(connection, f"HEX(CONVERT(c{index} USING utf8mb4))", "labels")
        types = [column.type for column in columns_of(connection, "labels")[1:]]
        assert [(t.charset or "").replace("utf8mb3", "utf8") for t in types[:2]] == [
            charset.replace("utf8mb3", "utf8"),
            "latin1",
        ]
        assert not any(t.unsigned for t in types)
        assert "x /* y */ Z" in types[0].text
        longest = max(len(label.replace("''", "'").replace("\\\\", "\\")) for label in labels)
        assert destination_type(types[0]).postgres == f"varchar({longest})"
        assert destination_type(types[2]).postgres == "varchar"


@ENGINES
def test_many_labels_take_more_bytes(source: RunningServer, engine: str) -> None:
    """ENUM of two bytes; SET of one to four bytes, and eight."""

    def listed(count: int) -> str:
        return ", ".join(f"'label{i}'" for i in range(count))

    sizes = [1, 8, 9, 16, 17, 24, 25, 32, 33, 63, 64]
    kinds = [f"ENUM({listed(255)})", f"ENUM({listed(256)})", f"ENUM({listed(3000)})", "ENUM('')", "SET('')"]
    kinds += [f"SET({listed(size)})" for size in sizes]
    pick = random.Random(5)
    rows = [["0"] * len(kinds), ["1"] * len(kinds)]
    rows.append(["255", "256", "3000", "1", "1", *(str((1 << size) - 1) for size in sizes)])
    rows.append(["254", "255", "257", "0", "0", *(str(1 << size - 1) for size in sizes)])
    for _ in range(40):
        numbers = [pick.randint(0, n) for n in (255, 256, 3000, 1, 1)]
        rows.append([*map(str, numbers), *(str(pick.getrandbits(size)) for size in sizes)])
    with connected(source) as connection:
        arrays = both_ways(source, connection, "many", *made("many", kinds, rows, engine))
        for index in range(len(kinds)):
            assert arrays[f"c{index}"].to_pylist() == truth(connection, f"c{index}", "many")


SHAPES = [
    "POINT(1.5 -2.5)",
    "LINESTRING(0 0, 1 1, 2 0)",
    "POLYGON((0 0, 10 0, 10 10, 0 10, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))",
    "MULTIPOINT(1 1, 2 2)",
    "MULTILINESTRING((0 0, 1 1), (2 2, 3 3))",
    "MULTIPOLYGON(((0 0, 1 0, 1 1, 0 1, 0 0)), ((5 5, 6 5, 6 6, 5 6, 5 5)))",
    "GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))",
    "GEOMETRYCOLLECTION(POINT(1 1), GEOMETRYCOLLECTION(LINESTRING(0 0, 1 1)))",
    "GEOMETRYCOLLECTION EMPTY",
]
KINDS_OF_SHAPES = ["GEOMETRY", *dict.fromkeys(shape.partition("(")[0].split()[0] for shape in SHAPES)]


def ewkb_parts(value: bytes | None) -> tuple[str, int] | None:
    """WKB in hex without the SRID, and the SRID, as PostGIS reads them from EWKB."""
    if value is None:
        return None
    order, kind = struct.unpack_from("<BI", value)
    assert order == 1
    if not kind & 0x2000_0000:
        return value.hex().upper(), 0
    (srid,) = struct.unpack_from("<I", value, 5)
    assert srid
    return (struct.pack("<BI", order, kind & ~0x2000_0000) + value[9:]).hex().upper(), srid


@ENGINES
@pytest.mark.parametrize("srid", [0, 4326, 3857])
def test_shapes_are_ewkb_with_the_longitude_first(source: RunningServer, srid: int, engine: str) -> None:
    """Every kind of shape in a column of any shape, and in one of its own."""
    with connected(source) as connection:
        order = ", 'axis-order=long-lat'" if is_mysql(connection) else ""
        kinds = [*KINDS_OF_SHAPES]
        rows = []
        for shape in SHAPES:
            text = f"ST_GeomFromText('{shape}', {srid}{order if srid == 4326 else ''})"
            own = shape.partition("(")[0].split()[0]
            rows.append([text, *(text if kind == own else "NULL" for kind in kinds[1:])])
        arrays = both_ways(source, connection, "shapes", *made("shapes", kinds, rows, engine))
        for index in range(len(kinds)):
            wkb = f"IF(c{index} IS NULL, NULL, HEX(ST_AsBinary(c{index}{order})))"
            expected = list(
                zip(truth(connection, wkb, "shapes"), truth(connection, f"ST_SRID(c{index})", "shapes"),
                    strict=True)
            )  # fmt: skip
            held = [ewkb_parts(v) for v in arrays[f"c{index}"].to_pylist()]
            assert held == [None if a is None else (a, b) for a, b in expected]
            assert {parts[1] for parts in held if parts} == {srid}


@pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)
def test_a_latitude_that_was_written_first_comes_second(source: RunningServer) -> None:
    """MySQL writes SRID 4326 latitude first; PostGIS wants the longitude first."""
    text = "ST_GeomFromText('POINT(48.2 16.37)', 4326)"
    with connected(source) as connection:
        arrays = both_ways(source, connection, "vienna", *made("vienna", ["POINT SRID 4326"], [[text]]))
        value = arrays["c0"].to_pylist()[0]
        assert struct.unpack_from("<dd", value, 9) == (16.37, 48.2)
        assert truth(connection, "ST_Longitude(c0)", "vienna")[0] == 16.37


def floats(size: int, limit: float) -> list[bytes]:
    """Vectors of that many floats below a limit: odd ones, and random bits."""
    pick = random.Random(9)
    odd = [0.0, -0.0, 1.0, -1.5, 0.1, 1e-45, -1e-45, 1e18, 16777217.0, 1 / 3, 1e10, 1e-5]
    found = [struct.pack("<f", value) for value in odd]
    while len(found) < 200 * size:
        bits = pick.randbytes(4)
        if abs(struct.unpack("<f", bits)[0]) <= limit:
            found.append(bits)
    return [b"".join(found[at : at + size]) for at in range(0, len(found) - size, size)]


@ENGINES
@WITH_VECTOR
def test_vectors_are_bit_exact(source: RunningServer, engine: str) -> None:
    """With the fewest digits that bring each float back; MariaDB's VECTOR is a VARCHAR to the binlog.

    MariaDB stores zeros for a vector whose squares add up to more than a float holds.
    """
    with connected(source) as connection:
        limit = 3.5e38 if is_mysql(connection) else 1e18
        rows = [[f"X'{value.hex()}'", "NULL"] for value in floats(3, limit)]
        rows.append(["NULL", f"X'{floats(80, 1e16)[0].hex()}'"])
        statements = made("vectors", ["VECTOR(3)", "VECTOR(80)"], rows, engine)
        arrays = both_ways(source, connection, "vectors", *statements)
        for name in ("c0", "c1"):
            held = [None if v is None else bits_of(v) for v in arrays[name].to_pylist()]
            assert held == truth(connection, f"HEX({name})", "vectors")
        assert arrays["c0"].to_pylist()[:3] == [
            "{0,-0,1}",
            "{-1.5,0.1,1e-45}",
            "{-1e-45,1e+18,16777216}",
        ]


def bits_of(text: str) -> str:
    """The floats of `{1.5,2}` as the server's HEX."""
    return np.array([float(t) for t in text.strip("{}").split(",")], "<f4").tobytes().hex().upper()


@pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)
def test_shorter_and_empty_vectors_are_what_they_are(source: RunningServer) -> None:
    """MySQL's dimension is the greatest; without strict mode one that is too long becomes empty."""
    texts = ["[1]", "[1,2]", "[1,2,3]", "[1,2,3,4]"]
    with connected(source) as connection:
        rows = [[f"STRING_TO_VECTOR('{text}')"] for text in texts]
        arrays = both_ways(source, connection, "short", *made("short", ["VECTOR(3)"], rows))
        assert arrays["c0"].to_pylist() == ["{1}", "{1,2}", "{1,2,3}", "{}", None]


def uuids() -> list[str]:
    """UUIDs of every version, nil, the greatest, and with zero bytes at either end."""
    pick = random.Random(2)
    found = [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "12345678-9abc-1def-8123-000000000000",
        "00000000-0000-1000-8000-000000000001",
        "12345678-0000-0000-0000-000000000000",
    ]
    for version in (1, 3, 4, 5, 6, 7):
        for tail in (0, 1, 3, 6):
            digits = list(f"{pick.getrandbits(128):032x}")
            digits[12], digits[16] = str(version), pick.choice("89ab")
            digits[32 - 2 * tail :] = "0" * (2 * tail)
            found.append(str(uuid.UUID("".join(digits))))
    return found


@ENGINES
@WITH_UUID
def test_uuids_are_their_text_whatever_the_engine_stores(source: RunningServer, engine: str) -> None:
    """MariaDB stores the parts of some versions in another order; the binlog cuts zero bytes off."""
    with connected(source) as connection:
        rows = [[f"'{text}'"] for text in uuids()]
        arrays = both_ways(source, connection, "uuids", *made("uuids", ["UUID"], rows, engine))
        held = arrays["c0"].to_pylist()
        assert held == truth(connection, "CAST(c0 AS CHAR)", "uuids")
        assert held == [*uuids(), None]


@ENGINES
@ALL_MARIADB
def test_inet6_is_the_address(source: RunningServer, engine: str) -> None:
    """However it is written, with zero bytes at either end, and with IPv4 inside."""
    texts = ["::", "::1", "::ffff:192.0.2.1", "::192.0.2.1", "fe80::", "2001:db8::ff00:0", "1:2:3:4:5:6:7:8"]
    texts += ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::", "::2020:2020", "2001:db8:0:0:1::"]
    with connected(source) as connection:
        rows = [[f"'{text}'"] for text in texts]
        arrays = both_ways(source, connection, "inet6s", *made("inet6s", ["INET6"], rows, engine))
        held = [None if v is None else IPv6Address(v).packed.hex() for v in arrays["c0"].to_pylist()]
        assert held == truth(connection, "LOWER(HEX(CAST(c0 AS BINARY(16))))", "inet6s")
        assert held == [*(IPv6Address(text).packed.hex() for text in texts), None]


@ENGINES
@WITH_UUID
def test_inet4_is_the_address(source: RunningServer, engine: str) -> None:
    """With zero bytes at either end."""
    texts = ["0.0.0.0", "1.2.3.4", "10.0.0.0", "255.255.255.255", "32.32.32.32", "0.0.0.1", "192.168.0.0"]
    with connected(source) as connection:
        rows = [[f"'{text}'"] for text in texts]
        arrays = both_ways(source, connection, "inet4s", *made("inet4s", ["INET4"], rows, engine))
        held = arrays["c0"].to_pylist()
        assert held == truth(connection, "CAST(c0 AS CHAR)", "inet4s")
        assert [None if v is None else str(IPv4Address(v)) for v in held] == [*texts, None]


PLACES = [
    "",
    "PARTITION BY HASH (id) PARTITIONS 3",
    "PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (2), PARTITION b VALUES LESS THAN MAXVALUE)",
]


@pytest.mark.parametrize("place", PLACES, ids=["whole", "hash", "range"])
def test_generated_invisible_and_partitioned_are_as_any_other(source: RunningServer, place: str) -> None:
    """The value as stored; a virtual column has one in the binlog, too."""
    with connected(source) as connection:
        create = (
            "CREATE TABLE made (id INT NOT NULL PRIMARY KEY, n INT,"
            " e ENUM('low', 'high') CHARACTER SET latin1,"
            " stored_year YEAR GENERATED ALWAYS AS (2000 + n) STORED,"
            " virtual_sum BIGINT GENERATED ALWAYS AS (n * 2) VIRTUAL,"
            " virtual_bits BIT(8) GENERATED ALWAYS AS (n) VIRTUAL,"
            " hidden BIT(3) NOT NULL DEFAULT 5 INVISIBLE,"
            " stored_text VARCHAR(20) CHARACTER SET utf8mb4"
            " GENERATED ALWAYS AS (CONCAT('n', n)) STORED INVISIBLE,"
            f" last SET('a', 'b') CHARACTER SET latin1) {place}"
        )
        inserts = [f"INSERT INTO made (id, n, e, last) VALUES ({i}, {i}, 'high', 'a,b')" for i in range(4)]
        inserts.append("INSERT INTO made (id, hidden) VALUES (9, 2)")
        arrays = both_ways(source, connection, "made", "DROP TABLE IF EXISTS made", create, *inserts)
        held = {name: array.to_pylist() for name, array in arrays.items()}
        assert held["stored_year"] == [2000, 2001, 2002, 2003, None]
        assert held["virtual_sum"] == [0, 2, 4, 6, None]
        assert held["virtual_bits"] == [f"{n:08b}" for n in range(4)] + [None]
        assert held["hidden"] == ["101"] * 4 + ["010"]
        assert held["stored_text"] == ["n0", "n1", "n2", "n3", None]
        assert held["e"] == ["high"] * 4 + [None]
        assert held["last"] == ["a,b"] * 4 + [None]
