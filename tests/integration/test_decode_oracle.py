"""Both ways in against the truth: the real server's own rendering, and the library's own decoder.

A value is written once, read from the binlog and by SELECT, and both must give the same Arrow array;
what it holds must be what the server says by CAST, HEX or DATE_FORMAT, none of which our code uses.
"""

from __future__ import annotations

import datetime as dt
import math
import random
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rowferry.types import destination_type
from rowferry_lab.servers import RunningServer
from tests.integration.binlog_reading import (
    catalogue,
    connected,
    events_of,
    from_binlog,
    from_select,
    is_mysql,
    run,
)

AS_TEXT = "CAST({c} AS CHAR)"
AS_HEX = "HEX({c})"
AS_UTF8_HEX = "HEX(CONVERT({c} USING utf8mb4))"
AS_MOMENT = "IF(MONTH({c})=0 OR DAY({c})=0 OR YEAR({c})=0, NULL, DATE_FORMAT({c}, '%Y-%m-%d %H:%i:%s.%f'))"


@dataclass(frozen=True)
class Case:
    """A column: its type, the literals to store, and how the server is asked what it holds."""

    kind: str
    literals: list[str]
    rendering: str = AS_TEXT


def quoted(*texts: str) -> list[str]:
    """SQL literals of texts that hold no quote."""
    return [f"'{text}'" for text in texts]


def integers(bits: int) -> list[Case]:
    """Limits of an integer type of that many bits, in both signs."""
    name = {8: "TINYINT", 16: "SMALLINT", 24: "MEDIUMINT", 32: "INT", 64: "BIGINT"}[bits]
    half = 1 << bits - 1
    signed = [str(n) for n in (-half, -half + 1, -1, 0, 1, 127, half - 1)]
    unsigned = [str(n) for n in (0, 1, 127, 128, half - 1, half, 2 * half - 1)]
    return [Case(name, signed), Case(f"{name} UNSIGNED", unsigned)]


def decimals() -> list[Case]:
    """Precisions and scales around every edge of the packed format, and the greatest."""
    cases = []
    for precision, scale in [
        (1, 0), (1, 1), (2, 1), (4, 2), (9, 0), (9, 9), (10, 0), (10, 2), (10, 9), (18, 9), (18, 0),
        (19, 4), (20, 20), (28, 10), (38, 0), (38, 10), (39, 1), (60, 30), (65, 0), (65, 30),
    ]:  # fmt: skip
        whole, tail = "9" * (precision - scale) or "0", "9" * scale
        top = f"{whole}.{tail}" if scale else whole
        least = f"0.{'0' * (scale - 1)}1" if scale else "1"
        middle = f"{whole[: len(whole) // 2] or '0'}.{tail[: scale // 2]}5"
        texts = [top, f"-{top}", least, f"-{least}", "0", "-0", f"-{middle}"]
        cases.append(Case(f"DECIMAL({precision},{scale})", quoted(*texts)))
    return cases


def moments() -> list[Case]:
    """DATE, DATETIME, TIMESTAMP and TIME with every number of fractional digits."""
    cases = [
        Case(
            "DATE",
            quoted("0001-01-01", "9999-12-31", "1970-01-01", "1969-12-31", "0000-00-00", "2024-00-10",
                   "2024-02-29", "2024-05-00", "1000-01-01", "0000-01-01"),
            AS_MOMENT,
        )
    ]  # fmt: skip
    for digits in range(7):
        tail = "." + "9" * digits if digits else ""
        small = "." + "0" * (digits - 1) + "1" if digits else ""
        cases += [
            Case(
                f"DATETIME({digits})",
                quoted(f"9999-12-31 23:59:59{tail}", "0001-01-01 00:00:00", f"1969-12-31 23:59:59{small}",
                       "0000-00-00 00:00:00", "2024-00-10 01:02:03", f"0001-01-01 00:00:00{small}"),
                AS_MOMENT,
            ),
            Case(
                f"TIMESTAMP({digits}) NULL",
                quoted(f"2038-01-19 03:14:07{tail}", f"1970-01-01 00:00:01{small}", "0000-00-00 00:00:00",
                       "2024-02-29 12:00:00", f"1999-12-31 23:59:59{small}"),
                AS_MOMENT,
            ),
            Case(
                f"TIME({digits})",
                quoted("-838:59:59", "838:59:59", f"-00:00:00{tail}", f"-00:00:01{small}",
                       f"-00:00:00{small}", f"-837:59:59{tail}", f"99:59:59{tail}", "100:00:00",
                       "-01:00:00", "00:00:00", f"-00:00:59{small}", f"-00:59:59{tail}", f"10:11:12{small}"),
            ),
        ]  # fmt: skip
    return cases


def texts() -> list[Case]:
    """Text of several character sets, of every length class, and bytes."""
    odd = quoted("", "a", " lead and trail ", 'quote"and\\\\backslash', "tab\\tnew\\nline", "O", "x" * 255)
    wide = [*odd, "'Zoë'", "'日本'"]
    return [
        Case("VARCHAR(255) CHARACTER SET utf8mb4", [*wide, "'😀'"], AS_UTF8_HEX),
        Case("VARCHAR(255) CHARACTER SET latin1", [*odd, "'Zoë €'", "X'818D8F909D80FF'"], AS_UTF8_HEX),
        Case("VARCHAR(2000) CHARACTER SET utf8mb3", wide, AS_UTF8_HEX),
        Case("VARCHAR(60) CHARACTER SET ucs2", quoted("", "abc", "é"), AS_UTF8_HEX),
        Case("VARCHAR(60) CHARACTER SET utf16", ["'a😀'", "''"], AS_UTF8_HEX),
        Case("VARCHAR(60) CHARACTER SET utf32", ["'a😀'", "''"], AS_UTF8_HEX),
        Case("VARCHAR(60) CHARACTER SET gbk", ["'中文'", "'a'"], AS_UTF8_HEX),
        Case("VARCHAR(60) CHARACTER SET cp1251", ["'Жук'", "'a'"], AS_UTF8_HEX),
        Case("CHAR(10) CHARACTER SET utf8mb4", quoted("", "a ", " b", "日本語"), AS_UTF8_HEX),
        Case(
            "CHAR(255) CHARACTER SET utf8mb4", [*quoted("", "a ", "y" * 255), "REPEAT('😀',255)"], AS_UTF8_HEX
        ),
        Case("CHAR(10) CHARACTER SET ucs2", quoted("", "a ", "é"), AS_UTF8_HEX),
        Case("CHAR(100) CHARACTER SET latin1", quoted("", "a ", "é"), AS_UTF8_HEX),
        Case("TINYTEXT CHARACTER SET latin1", odd, AS_UTF8_HEX),
        Case("TEXT CHARACTER SET utf8mb4", [*wide, "REPEAT('é', 30000)"], AS_UTF8_HEX),
        Case("MEDIUMTEXT CHARACTER SET utf8mb4", [*wide, "REPEAT('b', 70000)"], AS_UTF8_HEX),
        Case("LONGTEXT CHARACTER SET utf8mb3", [*wide, "REPEAT('c', 70000)"], AS_UTF8_HEX),
        Case("BINARY(7)", ["X''", "X'00'", "X'0100'", "X'01020304050607'", "X'20'"], AS_HEX),
        Case("BINARY(255)", ["X''", "X'FF'"], AS_HEX),
        Case("VARBINARY(20)", ["X''", "X'00'", "X'0100'", "X'2020'"], AS_HEX),
        Case("VARBINARY(300)", ["X''", "X'00'", "X'FF00'"], AS_HEX),
        Case("TINYBLOB", ["X''", "X'00FF'"], AS_HEX),
        Case("BLOB", ["X''", "X'00FF'", "REPEAT('z', 300)"], AS_HEX),
        Case("MEDIUMBLOB", ["X''", "X'00FF'", "REPEAT('z', 70000)"], AS_HEX),
        Case("LONGBLOB", ["X''", "X'00FF'"], AS_HEX),
    ]


CASES = [*(c for bits in (8, 16, 24, 32, 64) for c in integers(bits)), *decimals(), *moments(), *texts()]
CASES += [Case("INT(8) UNSIGNED ZEROFILL", ["7", "0", "123456789"], "CAST({c}+0 AS CHAR)")]
CASES += [Case("DECIMAL(12,3) UNSIGNED ZEROFILL", ["7.5", "0"], "CAST(CAST({c} AS DECIMAL(20,3)) AS CHAR)")]


def shown(value: Any) -> str | None:
    """A Python value as the server's CAST, HEX or DATE_FORMAT writes it."""
    match value:
        case None:
            return None
        case bytes():
            return value.hex().upper()
        case dt.datetime():
            return value.replace(tzinfo=None).isoformat(" ", "microseconds")
        case dt.date():
            return f"{value.isoformat()} 00:00:00.000000"
        case Decimal():
            return f"{value:f}"
    return str(value)


def fill(cases: list[Case], table: str, engine: str = "InnoDB") -> list[str]:
    """Statements that make a table with one column for each case, and rows up to the longest case."""
    columns = ", ".join(f"c{i} {case.kind}" for i, case in enumerate(cases))
    count = max(len(case.literals) for case in cases) + 1
    rows = []
    for row in range(count):
        values = [c.literals[row] if row < len(c.literals) else "NULL" for c in cases]
        rows.append(f"({row}, {', '.join(values)})")
    return [
        f"DROP TABLE IF EXISTS {table}",
        f"CREATE TABLE {table} (id INT PRIMARY KEY, {columns}) ENGINE={engine} ROW_FORMAT=DYNAMIC",
        *(f"INSERT INTO {table} VALUES {row}" for row in rows),
    ]


def bits(array: pa.Array) -> bytes:
    """The bytes of a float array (Arrow holds -0.0 and 0.0 for equal), nothing for other types."""
    return array.fill_null(0).to_numpy().tobytes() if pa.types.is_floating(array.type) else b""


def same_both_ways(
    source: RunningServer, connection: Any, table: str, statements: list[str], read: Any = events_of
) -> dict[str, pa.Array]:
    """The table's columns, after both ways in were found equal and of the promised type."""
    events = read(source, connection, *statements)
    columns = catalogue(connection, table)
    binlog, select = from_binlog(events, columns), from_select(connection, table, columns)
    for column in columns:
        ours, other = binlog[column.name], select[column.name]
        assert ours.array.type == destination_type(column.type).arrow
        assert ours.array.equals(other.array), (column, ours.array, other.array)
        assert bits(ours.array) == bits(other.array)
        assert ours.zero_dates == other.zero_dates
        ours.array.validate(full=True)
        other.array.validate(full=True)
    return {name: converted.array for name, converted in binlog.items()}


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
@pytest.mark.parametrize("part", range(3))
def test_both_ways_hold_what_the_server_says(source: RunningServer, engine: str, part: int) -> None:
    """The heart of the matter: limits and odd values of every type, by both ways, against the server."""
    cases = CASES[part::3]
    with connected(source) as connection:
        arrays = same_both_ways(source, connection, "every_type", fill(cases, "every_type", engine))
        asked = ", ".join(case.rendering.format(c=f"c{i}") for i, case in enumerate(cases))
        truth = run(connection, f"SELECT {asked} FROM every_type ORDER BY id")
        for index, case in enumerate(cases):
            expected = [row[index] for row in truth]
            held = arrays[f"c{index}"].to_pylist()
            if case.rendering == AS_UTF8_HEX:
                held = [None if value is None else value.encode() for value in held]
            assert [shown(value) for value in held] == expected, case.kind


def literal(value: float) -> str:
    """A double as SQL that is no DECIMAL (which has no -0)."""
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def floats(seed: int, single: bool) -> list[float]:
    """Odd values and random bit patterns of a float type, as doubles; no infinities, no NaN."""
    pick = random.Random(seed)
    code, size = ("<f", 4) if single else ("<d", 8)
    least, top = (1e-45, 3.4028234663852886e38) if single else (5e-324, 1.7976931348623157e308)
    found = [0.0, -0.0, 1.0, -1.5, 3.14, 0.1, 1 / 3, least, -least, top, -top, 16777217.0, 123456.789e10]
    found = [struct.unpack(code, struct.pack(code, value))[0] for value in found]
    while len(found) < 3000:
        value = struct.unpack(code, pick.randbytes(size))[0]
        if math.isfinite(value):
            found.append(value)
    return found


@pytest.mark.parametrize("single", [True, False], ids=["float", "double"])
def test_floats_are_bit_exact_by_both_ways(source: RunningServer, single: bool) -> None:
    """FLOAT prints as 3.14 and is 3.1400001: only the bits count, from denormals to the greatest."""
    values = floats(7, single)
    kind, width = ("FLOAT", np.uint32) if single else ("DOUBLE", np.uint64)
    statements = [
        "DROP TABLE IF EXISTS real_numbers",
        f"CREATE TABLE real_numbers (id INT PRIMARY KEY, v {kind})",
        "INSERT INTO real_numbers VALUES " + ", ".join(f"({i},{literal(v)})" for i, v in enumerate(values)),
    ]
    with connected(source) as connection:
        held = same_both_ways(source, connection, "real_numbers", statements)["v"].to_numpy()
        stored = np.array(values, np.float32 if single else np.float64)
        no_negative_zero = "MariaDB" in connection.get_server_info() and not held.view(width)[1]
        if no_negative_zero:
            stored[1] = 0.0  # MariaDB 10.11 stores -0.0 as 0.0
        assert (held.view(width) == stored.view(width)).all()


def test_floats_with_declared_digits_are_bit_exact(source: RunningServer) -> None:
    """FLOAT(7,2) and DOUBLE(10,2) print their declared digits; the stored bits hold more."""
    values = [0.01, -0.01, 99999.99, 1.005, 33333.33, -0.0, 12345.67]
    statements = [
        "DROP TABLE IF EXISTS declared",
        "CREATE TABLE declared (id INT PRIMARY KEY, f FLOAT(7,2), d DOUBLE(10,2), n DOUBLE(10,2) UNSIGNED)",
        *(
            f"INSERT INTO declared VALUES ({i},{literal(v)},{literal(v)},ABS({v!r}))"
            for i, v in enumerate(values)
        ),
    ]
    with connected(source) as connection:
        same_both_ways(source, connection, "declared", statements)


def test_days_that_no_month_has_become_null_and_are_counted(source: RunningServer) -> None:
    """ALLOW_INVALID_DATES lets 2024-02-31 in; Postgres has no such day."""
    statements = [
        "SET sql_mode='ALLOW_INVALID_DATES'",
        "DROP TABLE IF EXISTS no_days",
        "CREATE TABLE no_days (id INT PRIMARY KEY, d DATE, t DATETIME(3))",
        "INSERT INTO no_days VALUES (1,'2024-02-31','2023-02-29 10:00:00.5'),(2,'2024-02-29',NULL),"
        "(3,NULL,'2023-04-31'),(4,'0000-00-00','2024-12-31')",
        "SET sql_mode=''",
    ]
    with connected(source) as connection:
        events = events_of(source, connection, *statements)
        columns = catalogue(connection, "no_days")
        for way in (from_binlog(events, columns), from_select(connection, "no_days", columns)):
            assert way["d"].array.to_pylist() == [None, dt.date(2024, 2, 29), None, None]
            assert way["t"].array.to_pylist() == [None, None, None, dt.datetime(2024, 12, 31)]
            assert (way["d"].zero_dates, way["t"].zero_dates) == (2, 2)


def test_timestamps_reach_2106_where_the_server_does(source: RunningServer) -> None:
    """MariaDB 11.5 and later store TIMESTAMP in 32 bits without a sign."""
    with connected(source) as connection:
        run(connection, "DROP TABLE IF EXISTS late", "CREATE TABLE late (id INT, t TIMESTAMP(2) NULL)")
        late = "INSERT INTO late VALUES (1,'2106-02-07 06:28:15.99')"
        arrays = same_both_ways(source, connection, "late", [late])
        far = dt.datetime(2106, 2, 7, 6, 28, 15, 990000, tzinfo=dt.UTC)
        if not is_mysql(connection) and server_version(connection) >= (11, 5):
            assert arrays["t"].to_pylist() == [far]


def test_half_a_second_into_1970_is_no_zero_date(source: RunningServer) -> None:
    """MariaDB stores it with 0 whole seconds; only 0 altogether is the zero date."""
    with connected(source) as connection:
        run(connection, "DROP TABLE IF EXISTS early", "CREATE TABLE early (id INT, t TIMESTAMP(1) NULL)")
        insert = "INSERT INTO early VALUES (1,'1970-01-01 00:00:00.5')"
        arrays = same_both_ways(source, connection, "early", [insert])
        half = dt.datetime(1970, 1, 1, 0, 0, 0, 500000, tzinfo=dt.UTC)
        assert arrays["t"].to_pylist() == [None if is_mysql(connection) else half]


def server_version(connection: Any) -> tuple[int, int]:
    """Major and minor number."""
    major, minor = run(connection, "SELECT VERSION()")[0][0].split(".")[:2]
    return int(major), int(minor)


MARIADB_VERSIONS = ["mariadb_10_5", "mariadb_10_11", "mariadb_11_8"]
MARIADB = pytest.mark.parametrize("source", MARIADB_VERSIONS, indirect=True)
OLD_FORMAT_VALUES = (
    "(1,'-01:00:00','2024-05-06 07:08:09','2001-02-03 04:05:06','2024-01-02')",
    "(2,'838:59:59','0000-00-00 00:00:00','0000-00-00 00:00:00','0000-00-00')",
    "(3,'-838:59:59','9999-12-31 23:59:59','2038-01-19 03:14:07','9999-12-31')",
    "(4,'-00:00:01','0001-01-01 00:00:00','1970-01-01 00:00:01','0001-01-01')",
    "(5,NULL,NULL,NULL,NULL)",
    "(6,'00:00:00','2024-00-10 00:00:01','2024-02-29 12:00:00','2024-00-01')",
)


@MARIADB
def test_temporal_storage_before_5_6_is_read_both_ways(source: RunningServer) -> None:
    """Old OpenDental columns: TIME keeps its sign, zero dates stay countable."""
    with connected(source) as connection:
        statements = [
            "SET GLOBAL mysql56_temporal_format=OFF",
            "DROP TABLE IF EXISTS old_times",
            "CREATE TABLE old_times (id INT PRIMARY KEY, t TIME, d DATETIME, s TIMESTAMP NULL, a DATE)",
            "SET GLOBAL mysql56_temporal_format=ON",
            "INSERT INTO old_times VALUES " + ",".join(OLD_FORMAT_VALUES),
        ]
        events = events_of(source, connection, *statements)
        assert [c.type_code for c in events[0].layout.columns[1:4]] == [11, 12, 7]
        columns = catalogue(connection, "old_times")
        ours, other = from_binlog(events, columns), from_select(connection, "old_times", columns)
        for name in ("t", "d", "s", "a"):
            assert ours[name].array.equals(other[name].array)
            assert ours[name].zero_dates == other[name].zero_dates
        assert ours["t"].array.to_pylist()[:4] == ["-01:00:00", "838:59:59", "-838:59:59", "-00:00:01"]
