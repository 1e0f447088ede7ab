"""MariaDB's COMPRESSED columns against the server's own words: the binlog holds them as they are stored.

The library cannot read their table maps, so that all events are read with our own code. That the values
really were compressed, or were not, is read from their first byte.
"""

from __future__ import annotations

import random
from typing import Any

import pymysql
import pytest

from rowferry.charsets import charset_of_collation
from rowferry_lab.servers import RunningServer
from tests.integration.binlog_reading import (
    account,
    catalogue,
    connected,
    from_binlog,
    from_select,
    own_events_of,
    run,
)
from tests.integration.test_decode_oracle import (
    AS_HEX,
    AS_UTF8_HEX,
    MARIADB,
    Case,
    fill,
    same_both_ways,
    shown,
)

VARCHAR, BLOB = 141, 140
THRESHOLD = 100
"""The server's default for column_compression_threshold, in bytes."""
MEBIBYTE = 1 << 20


def noise(size: int, seed: int) -> str:
    """A hex literal of bytes that cannot be compressed."""
    return f"X'{random.Random(seed).randbytes(size).hex()}'"


def around(*lengths: int, what: str = "'a'") -> list[str]:
    """Literals of that many characters, one less and one more."""
    return [f"REPEAT({what}, {length + more})" for length in lengths for more in (-1, 0, 1)]


TEXTS = [
    "''", "'a'", "' '", "NULL", "'Zoë'", *around(THRESHOLD), *around(THRESHOLD, what="'ë'"),
    "CONCAT(REPEAT('Zoë ', 40), ' ')",
]  # fmt: skip
BYTES = ["X''", "X'00'", "NULL", "X'0089FF'", noise(90, 1), noise(180, 2), *around(THRESHOLD, what="X'00'")]
CASES = [
    Case("VARCHAR(127) COMPRESSED CHARACTER SET utf8mb4", [*TEXTS, "REPEAT('😀', 127)"], AS_UTF8_HEX),
    Case(
        "VARCHAR(254) COMPRESSED CHARACTER SET latin1",
        [*TEXTS, *around(254), "REPEAT('€', 254)"],
        AS_UTF8_HEX,
    ),
    Case("VARCHAR(255) COMPRESSED CHARACTER SET latin1", [*TEXTS, *around(255)], AS_UTF8_HEX),
    Case("VARCHAR(256) COMPRESSED CHARACTER SET latin1", [*TEXTS, *around(256)], AS_UTF8_HEX),
    Case("VARCHAR(63) COMPRESSED CHARACTER SET utf8mb4", ["''", "REPEAT('😀', 63)"], AS_UTF8_HEX),
    Case("VARCHAR(64) COMPRESSED CHARACTER SET utf8mb4", ["''", "REPEAT('😀', 64)"], AS_UTF8_HEX),
    Case("VARCHAR(2000) COMPRESSED CHARACTER SET ucs2", [*TEXTS, *around(256, 2000)], AS_UTF8_HEX),
    Case("VARCHAR(300) COMPRESSED CHARACTER SET gbk", ["'中文'", "REPEAT('中文', 150)"], AS_UTF8_HEX),
    Case("VARBINARY(254) COMPRESSED", [*BYTES, noise(254, 3)], AS_HEX),
    Case("VARBINARY(255) COMPRESSED", [*BYTES, noise(255, 4), *around(255, what="X'89'")], AS_HEX),
    Case("VARBINARY(256) COMPRESSED", [*BYTES, noise(256, 5), *around(256, what="X'89'")], AS_HEX),
    Case("TINYTEXT COMPRESSED CHARACTER SET latin1", [*TEXTS, *around(254)], AS_UTF8_HEX),
    Case(
        "TEXT COMPRESSED CHARACTER SET utf8mb4",
        [*TEXTS, *around(255, 65534), "REPEAT('é', 32767)"],
        AS_UTF8_HEX,
    ),
    Case("MEDIUMTEXT COMPRESSED CHARACTER SET latin1", [*TEXTS, *around(65535, 65536)], AS_UTF8_HEX),
    Case("LONGTEXT COMPRESSED CHARACTER SET utf8mb3", [*TEXTS, *around(65535, 1_000_000)], AS_UTF8_HEX),
    Case("TINYBLOB COMPRESSED", [*BYTES, *around(254, what="X'00'"), noise(254, 6), noise(255, 7)], AS_HEX),
    Case("BLOB COMPRESSED", [*BYTES, *around(65534, what="X'01'"), noise(65534, 8), noise(65535, 9)], AS_HEX),
    Case("MEDIUMBLOB COMPRESSED", [*BYTES, *around(65536, what="X'01'"), noise(70000, 10)], AS_HEX),
    Case("LONGBLOB COMPRESSED", [*BYTES, *around(65536, what="X'01'"), noise(70000, 11)], AS_HEX),
]


def agree_with_the_server(
    source: RunningServer, connection: Any, cases: list[Case], statements: list[str]
) -> None:
    """Both ways in are equal, and hold what the server says."""
    arrays = same_both_ways(source, connection, "small", statements, own_events_of)
    asked = ", ".join(case.rendering.format(c=f"c{i}") for i, case in enumerate(cases))
    truth = run(connection, f"SELECT {asked} FROM small ORDER BY id")
    for index, case in enumerate(cases):
        held = arrays[f"c{index}"].to_pylist()
        if case.rendering == AS_UTF8_HEX:
            held = [None if value is None else value.encode() for value in held]
        assert [shown(value) for value in held] == [row[index] for row in truth], case.kind


def first_bytes(events: list[Any], column: int) -> set[int]:
    """How the values of a column are stored."""
    return {row[column][0] for event in events for row in event.rows if row[column]}


@MARIADB
@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM", "Aria"])
def test_all_types_at_all_edges_of_length(source: RunningServer, engine: str) -> None:
    """Around the threshold, around one byte of length and two, and what is longer compressed than plain."""
    with connected(source) as connection:
        agree_with_the_server(source, connection, CASES, fill(CASES, "small", engine))


@MARIADB
@pytest.mark.parametrize(
    "partitions", ["HASH (id) PARTITIONS 3", "RANGE (id) (PARTITION p VALUES LESS THAN (9), "
                   "PARTITION q VALUES LESS THAN MAXVALUE)"]
)  # fmt: skip
def test_partitioned_tables(source: RunningServer, partitions: str) -> None:
    """The row image is the same wherever the row is."""
    cases = [case for case in CASES if "BLOB" in case.kind or "2000" in case.kind]
    drop, create, *inserts = fill(cases, "small")
    with connected(source) as connection:
        statements = [drop, f"{create} PARTITION BY {partitions}", *inserts]
        agree_with_the_server(source, connection, cases, statements)


@MARIADB
@pytest.mark.parametrize("wrap", ["ON", "OFF"])
@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("strategy", ["DEFAULT_STRATEGY", "FILTERED", "HUFFMAN_ONLY", "RLE", "FIXED"])
def test_whatever_the_session_compresses_with(
    source: RunningServer, wrap: str, level: int, strategy: str
) -> None:
    """Level, strategy and wrapping are the writing session's own, and differ from value to value."""
    cases = [Case("TEXT COMPRESSED CHARACTER SET latin1", TEXTS, AS_UTF8_HEX)]
    settings = (
        f"SET column_compression_zlib_wrap={wrap}, column_compression_zlib_level={level},"
        f" column_compression_zlib_strategy={strategy}"
    )
    with connected(source) as connection:
        run(connection, settings)
        drop, create, *inserts = fill(cases, "small")
        agree_with_the_server(source, connection, cases, [drop, create, *inserts])
        text = "REPEAT(CONCAT(REPEAT('a', 40), 'bcd'), 100)"
        (event,) = own_events_of(source, connection, f"INSERT INTO small VALUES (1000, {text})")
        expected = 0 if level == 0 else 0x82 if wrap == "ON" else 0x8A
        assert first_bytes([event], 1) == {expected}


@MARIADB
def test_the_threshold_decides_what_is_compressed(source: RunningServer) -> None:
    """Also a single byte may be asked to be compressed; the first byte tells what became of it."""
    cases = [Case("VARBINARY(300) COMPRESSED", BYTES, AS_HEX)]
    with connected(source) as connection:
        for threshold, stored in ((0, {0, 0x89}), (10_000, {0})):
            run(connection, f"SET column_compression_threshold={threshold}")
            agree_with_the_server(source, connection, cases, fill(cases, "small"))
            events = own_events_of(source, connection, "DELETE FROM small")
            assert first_bytes(events, 1) == stored


@MARIADB
def test_updates_and_deletes_hold_both_images(source: RunningServer) -> None:
    """From compressed to plain, to empty, to NULL, and back."""
    values = ["REPEAT('é', 500)", "'é'", "''", "NULL", "REPEAT('ü', 500)"]
    with connected(source) as connection:
        create = (
            "CREATE TABLE turned (id INT PRIMARY KEY, v VARCHAR(500) COMPRESSED CHARACTER SET utf8mb4,"
            " t TEXT COMPRESSED CHARACTER SET latin1)"
        )
        run(
            connection,
            "DROP TABLE IF EXISTS turned",
            create,
            f"INSERT INTO turned VALUES (1, {values[0]}, 'x')",
        )
        columns = catalogue(connection, "turned")
        plain = [None if value == "NULL" else run(connection, f"SELECT {value}")[0][0] for value in values]
        updates = [f"UPDATE turned SET v = {value}, t = {value}" for value in values[1:]]
        images = from_binlog(own_events_of(source, connection, *updates), columns)
        before, after = images["v"].array.to_pylist()[0::2], images["v"].array.to_pylist()[1::2]
        assert (before, after) == (plain[:-1], plain[1:])
        assert images["t"].array.to_pylist()[1::2] == plain[1:]
        deleted = from_binlog(own_events_of(source, connection, "DELETE FROM turned"), columns)
        assert deleted["v"].array.to_pylist() == plain[-1:]


@MARIADB
def test_the_table_map_says_charset_and_width(source: RunningServer) -> None:
    """Character sets fit their columns among plain ones; VARCHAR counts a byte for the header."""
    with connected(source) as connection:
        create = """CREATE TABLE widths (id INT PRIMARY KEY, a VARCHAR(254) COMPRESSED CHARACTER SET latin1,
            b VARCHAR(9) CHARACTER SET gbk, c VARCHAR(255) COMPRESSED CHARACTER SET latin1,
            d VARBINARY(9) COMPRESSED, e TEXT COMPRESSED CHARACTER SET utf8mb4, f BLOB COMPRESSED,
            g LONGTEXT COMPRESSED CHARACTER SET cp1251, h TINYBLOB COMPRESSED)"""
        insert = "INSERT INTO widths VALUES (1,'a','b','c','d','e','f','g','h')"
        (event,) = own_events_of(source, connection, "DROP TABLE IF EXISTS widths", create, insert)
        seen = [(c.type_code, c.metadata) for c in event.layout.columns]
        assert seen == [
            (3, 0), (VARCHAR, 255), (15, 18), (VARCHAR, 256), (VARCHAR, 10), (BLOB, 2), (BLOB, 2), (BLOB, 4),
            (BLOB, 1),
        ]  # fmt: skip
        charsets = [charset_of_collation(c.collation_id or 0) for c in event.layout.columns[1:]]
        assert charsets == ["latin1", "gbk", "latin1", "binary", "utf8mb4", "binary", "cp1251", "binary"]


@MARIADB
def test_the_longest_varchar(source: RunningServer) -> None:
    """As long as a row can be."""
    cases = [Case("VARCHAR(65523) COMPRESSED CHARACTER SET latin1", [*around(65522), "''"], AS_UTF8_HEX)]
    with connected(source) as connection:
        agree_with_the_server(source, connection, cases, fill(cases, "small"))
        assert catalogue(connection, "small")[1].type.base == "varchar"


@MARIADB
def test_columns_that_become_compressed_and_plain_again(source: RunningServer) -> None:
    """The event's own table map says how its values are stored; the catalogue does not."""
    text = "REPEAT('Zoë', 100)"
    with connected(source) as connection:
        create = "CREATE TABLE turns (id INT PRIMARY KEY, v VARCHAR(300) CHARACTER SET utf8mb4)"
        run(connection, "DROP TABLE IF EXISTS turns", create)
        found = []
        for number, kind in enumerate(["", "COMPRESSED", ""]):
            change = f"ALTER TABLE turns MODIFY v VARCHAR(300) {kind} CHARACTER SET utf8mb4"
            insert = f"INSERT INTO turns VALUES ({number}, {text})"
            events = own_events_of(source, connection, change, insert)
            converted = from_binlog(events, catalogue(connection, "turns"))["v"].array
            found.append((events[0].layout.columns[1].type_code, converted.to_pylist()))
        assert found == [(code, ["Zoë" * 100]) for code in (15, VARCHAR, 15)]


@MARIADB
@pytest.mark.parametrize("compressible", [True, False])
def test_sixteen_mebibytes(source: RunningServer, compressible: bool) -> None:
    """A LONGBLOB, compressed a thousand times, or too random for it, in an event of several packets."""
    size = 16 * MEBIBYTE
    data = bytes(size) if compressible else random.Random(12).randbytes(size)
    with connected(source) as connection:
        ((packet,),) = run(connection, "SELECT @@global.max_allowed_packet")
        run(connection, f"SET GLOBAL max_allowed_packet={64 * MEBIBYTE}")
        try:
            run(connection, "DROP TABLE IF EXISTS great",
                "CREATE TABLE great (id INT PRIMARY KEY, v LONGBLOB COMPRESSED)")  # fmt: skip
            with pymysql.connect(**account(source), database="decode_oracle", autocommit=True) as wide:
                insert = b"INSERT INTO great VALUES (1, X'" + data.hex().encode() + b"')"
                events = own_events_of(source, wide, insert)
                columns = catalogue(wide, "great")
                select = from_select(wide, "great", columns)["v"].array
                assert run(wide, "SELECT LENGTH(v) FROM great") == [(size,)]
            ours = from_binlog(events, columns)["v"].array
            assert ours.to_pylist() == [data]
            assert ours.equals(select)
            assert first_bytes(events, 1) == {0x84 | 8 if compressible else 0}
        finally:
            run(connection, f"SET GLOBAL max_allowed_packet={packet}")
