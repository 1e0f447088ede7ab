"""Whole row events: signs and charsets of their table maps, and the library's own decoder as the oracle.

The library's known defects (reference/traps.md) each have a test that they are still there, and not ours.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest

from rowferry.charsets import charset_of_collation
from rowferry.convert import ValueNotCarriable, binlog_converter
from rowferry.table_map import parse_table_map
from rowferry_lab.servers import RunningServer
from tests.integration.binlog_reading import (
    CHECKSUM_BYTES,
    EVENT_START,
    catalogue,
    connected,
    events_of,
    from_binlog,
    from_select,
    table_map_packets,
)

SIGNS = """CREATE TABLE signs (id INT UNSIGNED PRIMARY KEY, a TINYINT, y YEAR, b TINYINT UNSIGNED,
    bits BIT(9),
    e ENUM('x','y') CHARACTER SET latin1, c BIGINT UNSIGNED, g GEOMETRY, d BIGINT, h DATE,
    s SET('p','q') CHARACTER SET cp1251, i MEDIUMINT UNSIGNED, j SMALLINT UNSIGNED, k FLOAT UNSIGNED,
    l DECIMAL(5,2) UNSIGNED, m INT, t1 TEXT CHARACTER SET latin1, b1 BLOB,
    v1 VARCHAR(9) CHARACTER SET gbk, v2 VARBINARY(9), c1 CHAR(3) CHARACTER SET utf8mb4, b2 BINARY(3),
    t2 LONGTEXT CHARACTER SET ucs2)"""
CHARSETS = {
    "e": "latin1", "s": "cp1251", "t1": "latin1", "b1": "binary", "v1": "gbk", "v2": "binary",
    "c1": "utf8mb4", "b2": "binary", "t2": "ucs2",
}  # fmt: skip


def test_signs_and_charsets_fit_their_columns_among_types_that_shift_them(source: RunningServer) -> None:
    """The table map lists signs and charsets over some types only, and servers differ over which."""
    row = (
        "1,-1,2024,200,b'101010101','y',18446744073709551615,ST_GeomFromText('POINT(1 2)'),-5,'2024-01-01',"
        "'p,q',16777215,65535,1.5,999.99,-7,'t','b','v','v','c','b','t'"
    )
    with connected(source) as connection:
        insert = f"INSERT INTO signs VALUES ({row}),({row.replace('1,-1', '2,-1', 1)})"
        events = events_of(source, connection, "DROP TABLE IF EXISTS signs", SIGNS, insert)
        layout = events[0].layout
        known = {column.name: column.type for column in catalogue(connection, "signs")}
        integers = [c for c in layout.columns if c.type_code in (1, 2, 3, 8, 9, 246, 4)]
        assert [c.unsigned for c in integers] == [known[c.name].unsigned for c in integers]
        assert {
            c.name: charset_of_collation(c.collation_id)
            for c in layout.columns
            if c.collation_id is not None and c.name != "g"
        } == CHARSETS
        first, second = events[0].rows
        assert first[1:] == second[1:]
        assert first[6] == 2**64 - 1
        assert first[2] == 124


LIBRARY_TABLE = """CREATE TABLE plain (id INT PRIMARY KEY, a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT,
    d BIGINT, e FLOAT, f DOUBLE, g DECIMAL(12,4), h DATE, i DATETIME(3), j TIMESTAMP NULL, k TIME(4),
    l VARCHAR(300) CHARACTER SET utf8mb4, m CHAR(5) CHARACTER SET utf8mb4, n TEXT CHARACTER SET utf8mb4)"""


def plain_row(pick: random.Random, number: int) -> str:
    """A row of values that the library decodes without a defect; a third of them NULL."""
    values = [
        pick.randint(-128, 127), pick.randint(0, 65535), pick.randint(-8388608, 8388607),
        pick.randint(-(2**63), 2**63 - 1), pick.uniform(-9, 9), pick.uniform(-1e300, 1e300),
        f"{pick.randint(-(10**11), 10**11) / 1e4:.4f}",
        f"'{pick.randint(1, 9999):04}-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}'",
        f"'{pick.randint(1000, 9999)}-05-06 07:08:{pick.randint(0, 59):02}.{pick.randint(0, 999):03}'",
        f"'20{pick.randint(0, 37):02}-05-06 07:08:09'",
        f"'{pick.randint(0, 838)}:{pick.randint(0, 59)}:{pick.randint(0, 58)}.{pick.randint(0, 9999):04}'",
        "'" + "é" * pick.randint(0, 290) + "'", "'ab'", "'" + "n" * pick.randint(0, 400) + "'",
    ]  # fmt: skip
    return f"({number}, " + ", ".join("NULL" if pick.random() < 0.3 else str(v) for v in values) + ")"


def library_value(value: Any) -> Any:
    """A value of the library in the form of ours."""
    match value:
        case dt.timedelta():
            seconds, micros = divmod(value // dt.timedelta(microseconds=1), 1_000_000)
            tail = f".{micros // 100:04}"
            return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{tail}"
    return value


def test_the_library_decodes_the_same_rows(source: RunningServer) -> None:
    """The library's own slow decoder is the oracle for whole events: inserts, updates, deletes."""
    pick = random.Random(11)
    rows = ", ".join(plain_row(pick, i) for i in range(200))
    with connected(source) as connection:
        events = events_of(
            source,
            connection,
            "DROP TABLE IF EXISTS plain",
            LIBRARY_TABLE,
            f"INSERT INTO plain VALUES {rows}",
            "UPDATE plain SET id = id + 1000, l = NULL, n = 'new'",
            "DELETE FROM plain WHERE id % 2 = 0",
        )
        columns = catalogue(connection, "plain")
        ours = from_binlog(events, columns)
        theirs = [image for event in events for row in event.library.rows for image in images(row)]
        assert len(theirs) == 200 + 2 * 200 + 100
        for name, converted in ours.items():
            held = [
                v.replace(tzinfo=None) if hasattr(v, "tzinfo") else v for v in converted.array.to_pylist()
            ]
            assert held == [library_value(row[name]) for row in theirs], name


def images(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The images of a row of the library, before and after where it has both."""
    return [row["values"]] if "values" in row else [row["before_values"], row["after_values"]]


@pytest.mark.parametrize(
    ("kind", "literal_text", "defect", "truth"),
    [
        ("BINARY(4)", "X'AB00'", b"\xab", b"\xab\0\0\0"),
        ("VARCHAR(9) CHARACTER SET latin1", "X'81'", UnicodeDecodeError, "\x81"),
        ("DATE", "'2024-02-31'", ValueError, None),
    ],
    ids=["binary loses zeros", "latin1 lacks 0x81", "invalid date raises"],
)
def test_known_defects_of_the_library_are_not_ours(
    source: RunningServer, kind: str, literal_text: str, defect: Any, truth: Any
) -> None:
    """What traps.md says of the library still holds, and we read the value."""
    statements = [
        "SET sql_mode='ALLOW_INVALID_DATES'",
        "DROP TABLE IF EXISTS defect",
        f"CREATE TABLE defect (id INT PRIMARY KEY, v {kind})",
        f"INSERT INTO defect VALUES (1, {literal_text})",
        "SET sql_mode=''",
    ]
    with connected(source) as connection:
        events = events_of(source, connection, *statements)
        columns = catalogue(connection, "defect")
        assert from_binlog(events, columns)["v"].array.to_pylist() == [truth]
        if isinstance(defect, type):
            with pytest.raises(defect):
                _ = events[0].library.rows
        else:
            assert events[0].library.rows[0]["values"]["v"] in (defect, defect.decode("latin-1"))


def test_text_that_postgres_cannot_hold_is_refused_by_both_ways(source: RunningServer) -> None:
    """A NUL character is never stripped; the error names the row, not the value."""
    statements = [
        "DROP TABLE IF EXISTS nul",
        "CREATE TABLE nul (id INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET latin1, "
        "w TEXT CHARACTER SET utf8mb4)",
        "INSERT INTO nul VALUES (1, 'fine', 'fine'), (2, CONCAT('a', CHAR(0)), CONCAT('b', CHAR(0)))",
    ]
    with connected(source) as connection:
        events = events_of(source, connection, *statements)
        columns = catalogue(connection, "nul")
        for index, column in enumerate(columns[1:], 1):
            wire = events[0].layout.columns[index]
            with pytest.raises(ValueNotCarriable) as refused:
                binlog_converter(wire, column)([row[index] for row in events[0].rows])
            assert (refused.value.column, refused.value.index) == (column.name, 1)
        with pytest.raises(ValueNotCarriable):
            from_select(connection, "nul", columns)


def test_bytes_written_before_a_charset_change_are_read_by_their_own_charset(source: RunningServer) -> None:
    """The table map of the event decides, not the catalogue of now."""
    with connected(source) as connection:
        events = events_of(
            source,
            connection,
            "DROP TABLE IF EXISTS changed",
            "CREATE TABLE changed (id INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET latin1)",
            "INSERT INTO changed VALUES (1, 'Zoë')",
            "ALTER TABLE changed MODIFY v VARCHAR(20) CHARACTER SET utf8mb4",
        )
        assert from_binlog(events, catalogue(connection, "changed"))["v"].array.to_pylist() == ["Zoë"]


HARD_COLUMNS = [
    ("mysql_9_7", "VECTOR(2)", 242),
    ("mariadb_11_8", "VARCHAR(20) COMPRESSED", 141),
    ("mariadb_10_5", "TEXT COMPRESSED", 140),
]


@pytest.mark.parametrize(("source", "kind", "code"), HARD_COLUMNS, indirect=["source"])
def test_table_maps_on_which_the_library_fails_are_read(source: RunningServer, kind: str, code: int) -> None:
    """One such table, even one that is not captured, must not end the stream."""
    statements = [
        "DROP TABLE IF EXISTS hard",
        f"CREATE TABLE hard (id INT PRIMARY KEY, a TEXT CHARACTER SET latin1, v {kind} NULL, "
        "b VARCHAR(9) CHARACTER SET gbk, c BIGINT UNSIGNED)",
        "INSERT INTO hard VALUES (1, 'a', NULL, 'b', 2)",
    ]
    with connected(source) as connection:
        with pytest.raises(ValueError, match="MetadataFieldType"):
            events_of(source, connection, *statements)
        (packet,) = table_map_packets(source, connection, *statements)
    end, mariadb = len(packet) - CHECKSUM_BYTES, source.spec.product == "mariadb"
    seen = parse_table_map(packet, EVENT_START, end, mariadb)
    assert [column.name for column in seen.columns] == ["id", "a", "v", "b", "c"]
    assert seen.columns[2].type_code == code
    charsets = [charset_of_collation(seen.columns[index].collation_id or 0) for index in (1, 3)]
    assert charsets == ["latin1", "gbk"]
    assert seen.columns[4].unsigned
