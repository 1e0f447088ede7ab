"""MySQL's JSON against the truth: the text that the server itself prints for the very same value.

Documents are made by SQL, so that every kind of value is stored as the server stores it; each is read
from the binlog's bytes and by SELECT.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowferry.convert import ValueNotCarriable, binlog_converter, text_converter
from rowferry.mysql_json import NUL, json_text
from rowferry.table_schema import ColumnType
from rowferry_lab.servers import DestinationDatabase, RunningServer
from tests.integration.binlog_reading import (
    catalogue,
    connected,
    events_of,
    from_binlog,
    from_select,
    raw_rows,
    run,
)
from tests.integration.loading import BIGINT, DATASET, load_of, loader_for, make_tables, request_of, table_of

pytestmark = pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)

MAKE = ("DROP TABLE IF EXISTS docs", "CREATE TABLE docs (id INT PRIMARY KEY, j JSON)")
ROWS_AT_ONCE = 500


def text(value: str) -> str:
    """SQL for a string of any characters."""
    return f"CONVERT(X'{value.encode().hex()}' USING utf8mb4)"


def parsed(document: str) -> str:
    """SQL that parses JSON text."""
    return f"CAST({text(document)} AS JSON)"


def inserts(expressions: Sequence[str]) -> list[str]:
    """Statements that store a document for each expression, in order."""
    rows = [f"({n}, {expression})" for n, expression in enumerate(expressions)]
    parts = (rows[at : at + ROWS_AT_ONCE] for at in range(0, len(rows), ROWS_AT_ONCE))
    return [f"INSERT INTO docs VALUES {', '.join(part)}" for part in parts]


def images(events: Sequence[Any], index: int = 1) -> list[Any]:
    """The raw values of a column in all images."""
    return [row[index] for event in events for row in event.rows]


def printed(connection: Any, query: str = "SELECT j FROM docs ORDER BY id") -> list[Any]:
    """What the server prints."""
    return [value for (value,) in run(connection, query)]


def checked(source: RunningServer, connection: Any, expressions: Sequence[str]) -> list[str]:
    """The documents' texts, after the binlog's bytes gave the same as the server's SELECT."""
    events = events_of(source, connection, *MAKE, *inserts(expressions))
    ours, theirs = [json_text(value) for value in images(events)], printed(connection)
    assert len(theirs) == len(expressions)
    for number, (our, their) in enumerate(zip(ours, theirs, strict=True)):
        assert our == their, expressions[number][:200]
    return ours


def same_both_ways(source: RunningServer, connection: Any, expressions: Sequence[str]) -> list[str]:
    """The same, of whole Arrow columns."""
    events = events_of(source, connection, *MAKE, *inserts(expressions))
    columns = catalogue(connection, "docs")
    ours, other = from_binlog(events, columns), from_select(connection, "docs", columns)
    ours["j"].array.validate(full=True)
    assert ours["j"].array.equals(other["j"].array)
    found: list[str] = ours["j"].array.to_pylist()
    assert found == printed(connection)
    return found


LIMITS = [
    n + delta
    for bits in (7, 8, 15, 16, 31, 32, 63, 64)
    for n in (1 << bits, -(1 << bits))
    for delta in (-1, 0, 1)
]
TEXTS = (
    "",
    " ",
    "plain",
    'say "x"',
    "back\\slash",
    "\\u0000",
    "/",
    "".join(map(chr, range(1, 0x21))),
    "\x7f\x80\u2028",
    "Grüße 漢字 😀",
    "'",
    "x" * 127,
    "x" * 128,
    "é" * 8191 + "x",
    "é" * 8192,
    "y" * 70_000,
)
DECIMALS = ("0", "0.0", "-0.5", "0.500", "1", "-1.10", "9" * 65, "-" + "9" * 65, "9" * 35 + "." + "9" * 30)
SCALARS = [
    "CAST('null' AS JSON)",
    "CAST('true' AS JSON)",
    "CAST('false' AS JSON)",
    *(parsed(str(n)) for n in LIMITS),
    *(f"CAST({n} AS JSON)" for n in LIMITS if -(1 << 63) <= n < 1 << 64),
    *(f"JSON_QUOTE({text(t)})" for t in TEXTS),
    *(f"CAST({d} AS JSON)" for d in DECIMALS),
    *(
        f"CAST(CAST('{digits[: p - s] or '0'}.{digits[:s]}' AS DECIMAL({p},{s})) AS JSON)"
        for digits in ("1" + "0" * 64, "9" * 65, "123456789" * 8)
        for p, s in [(1, 0), (1, 1), (9, 9), (10, 9), (18, 9), (19, 10), (30, 30), (38, 19), (65, 30)]
    ),
]
TIMES = [
    *(f"TIME'{t}'" for t in ("00:00:00", "-00:00:00.000001", "-838:59:59", "838:59:59", "-01:00:00.5")),
    *(f"DATE'{d}'" for d in ("0001-01-01", "9999-12-31", "2024-02-29")),
    *(f"CAST('{d}' AS DATE)" for d in ("0000-00-00", "2024-00-10", "0000-01-01")),
    *(f"TIMESTAMP'{d}'" for d in ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999")),
    *(f"CAST('{d}' AS DATETIME(6))" for d in ("0000-00-00 00:00:00", "2024-00-10 01:02:03.4")),
]
BYTES = [f"X'{value.hex()}'" for value in (b"", b"a", b"ab", b"abc", bytes(range(256)), b"z" * 57, b"z" * 58)]
OTHERS = [
    "b'101'",
    "REPEAT(X'00', 100000)",
    "CAST(5 AS YEAR)",
    "PI()",
    "1 = 1",
    "1/3",
    "CAST(1.1 AS FLOAT)",
    "ST_GeomFromText('POINT(1.5 -2)')",
    "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1e100 1e-100))')",
    "ST_GeomFromText('POLYGON((0 0, 1 0, 1 1, 0 0))', 4326)",
    "ST_AsGeoJSON(ST_GeomFromText('POINT(1 2)'))",
    "ST_AsBinary(ST_GeomFromText('POINT(1 2)'))",
]
OPAQUE = [*TIMES, *BYTES, *OTHERS]
COMPOUND = [
    "JSON_ARRAY()",
    "JSON_OBJECT()",
    "JSON_ARRAY(JSON_ARRAY(), JSON_OBJECT(), NULL, TRUE, FALSE, '', 0)",
    f"JSON_ARRAY({', '.join(SCALARS)})",
    f"JSON_ARRAY({', '.join(OPAQUE)})",
    "JSON_OBJECT({})".format(", ".join(f"{text(t[:9000])}, {n}" for n, t in enumerate(TEXTS))),
    f"JSON_OBJECT({', '.join(f'{text(str(n))}, {e}' for n, e in enumerate(OPAQUE))})",
    "JSON_OBJECT('', '', 'ä', 'ä', 'b', JSON_OBJECT('', JSON_OBJECT('', JSON_ARRAY(''))))",
    parsed("[" * 100 + "]" * 100),
    parsed('{"a":' * 100 + "1e3" + "}" * 100),
    parsed('[{"a":' * 50 + "-0.0" + "}]" * 50),
]


def large() -> list[str]:
    """Documents that need offsets of four bytes, alone and inside of others."""
    pick = random.Random(5)
    numbers = [pick.choice(LIMITS[:-6]) for _ in range(70_000)]
    members = {f"key {n} ü": pick.choice((n, -n, str(n), None, True, [n], {"n": n})) for n in range(9000)}
    words = ["w" * pick.randint(0, 30) for _ in range(9000)]
    return [
        parsed(json.dumps(numbers)),
        parsed(json.dumps(members)),
        parsed(json.dumps([words, {"deep": {"deeper": [members, 1]}}, numbers[:10]])),
        parsed(json.dumps([list(range(-40_000, -32_000)), "small again", [65_535, 65_536]])),
        f"JSON_ARRAY({text('q' * 65_600)}, JSON_ARRAY(1.5, TIME'-01:00:00', X'00'))",
        f"JSON_OBJECT({text('k' * 65_535)}, 1)",
        "JSON_ARRAY(REPEAT(X'01', 70000), JSON_OBJECT('a', 70000, 'b', -70000, 'c', 5000000000))",
        parsed("[" * 99 + json.dumps("z" * 70_000) + "]" * 99),
    ]


@pytest.mark.parametrize("family", ["scalars", "opaque", "compound", "large"])
def test_documents_give_the_server_s_text_both_ways(source: RunningServer, family: str) -> None:
    """Every kind of value alone, in arrays, in objects, deep, and in the large storage."""
    documents = {
        "scalars": SCALARS,
        "opaque": [f"CAST({e} AS JSON)" for e in OPAQUE],
        "compound": COMPOUND,
        "large": large(),
    }
    with connected(source) as connection:
        assert len(same_both_ways(source, connection, documents[family])) == len(documents[family])


KINDS = {
    "TIMESTAMP(6) NULL": "'2024-02-29 12:00:00.000001'", "TIMESTAMP": "'1970-01-01 00:00:01'", "YEAR": "2155",
    "DATETIME(3)": "'0001-01-01 00:00:00.5'", "DATE": "'0000-00-00'", "TIME(2)": "'-838:59:58.99'",
    "BIT(1)": "1", "BIT(64)": "18446744073709551615", "TINYBLOB": "X'00FF'", "BLOB": "X''",
    "MEDIUMBLOB": "REPEAT(X'FE', 57)", "LONGBLOB": "REPEAT(X'FD', 70000)", "BINARY(5)": "X'0100'",
    "VARBINARY(9)": "X'2000'", "CHAR(5) CHARACTER SET latin1": "'é '", "VARCHAR(9) CHARACTER SET gbk": "'中'",
    "TEXT CHARACTER SET utf8mb4": "'a\"é😀'", "ENUM('x', 'é')": "'é'", "SET('p', 'q')": "'p,q'",
    "TINYINT(1)": "1", "SMALLINT UNSIGNED": "65535", "MEDIUMINT": "-8388608", "INT UNSIGNED": "4294967295",
    "BIGINT": "-9223372036854775808", "BIGINT UNSIGNED": "18446744073709551615", "FLOAT": "3.14",
    "DOUBLE": "-1e-300", "DOUBLE(9,2)": "1.5", "DECIMAL(65,30)": "-0.000000000000000000000000000001",
    "DECIMAL(5,0) ZEROFILL": "7", "GEOMETRY": "ST_GeomFromText('POINT(1 2)')", "POINT": "POINT(1e300, -0e0)",
    "JSON": "'[1.0, {}]'", "INT": "NULL",
}  # fmt: skip


def test_columns_of_every_type_inside_json(source: RunningServer) -> None:
    """A value from a column can be stored as another kind than the same value from an expression."""
    columns = ", ".join(f"c{n} {kind}" for n, kind in enumerate(KINDS))
    names = [f"c{n}" for n in range(len(KINDS))]
    members = ", ".join(f"'{name}', {name}" for name in names)
    statements = [
        *MAKE,
        "DROP TABLE IF EXISTS kinds",
        f"CREATE TABLE kinds ({columns})",
        f"INSERT INTO kinds VALUES ({', '.join(KINDS.values())})",
        f"INSERT INTO docs SELECT 1, JSON_ARRAY({', '.join(names)}) FROM kinds",
        f"INSERT INTO docs SELECT 2, JSON_OBJECT({members}) FROM kinds",
        f"INSERT INTO docs SELECT 3, JSON_ARRAYAGG(JSON_ARRAY({', '.join(names)})) FROM kinds",
        *(f"INSERT INTO docs SELECT {n + 4}, CAST({name} AS JSON) FROM kinds"
          for n, name in enumerate(names) if name not in ("c14", "c15", "c16", "c17", "c18")),
    ]  # fmt: skip
    with connected(source) as connection:
        events = [e for e in events_of(source, connection, *statements) if e.layout.table.name == "docs"]
        documents = catalogue(connection, "docs")
        ours, other = from_binlog(events, documents), from_select(connection, "docs", documents)
        assert ours == other
        assert ours["j"].array.to_pylist() == printed(connection)
        assert len(ours["j"].array) == 3 + len(KINDS) - 5
        assert '"2024-02-29 12:00:00.000001"' in printed(connection)[0]


@pytest.mark.parametrize("charset", ["ucs2", "utf16", "utf16le", "utf32"])
def test_text_that_the_server_put_unconverted_into_json_is_refused_both_ways(
    source: RunningServer, charset: str
) -> None:
    """MySQL takes the bytes of text in these character sets as they are, and prints them so."""
    statements = [
        *MAKE,
        "DROP TABLE IF EXISTS words",
        f"CREATE TABLE words (id INT, t TEXT CHARACTER SET {charset}, v VARCHAR(9) CHARACTER SET latin1)",
        "INSERT INTO words VALUES (1, 'plain', 'é'), (2, 'é', 'é'), (3, '', 'é')",
        "INSERT INTO docs SELECT id, JSON_ARRAY(t, v) FROM words",
    ]
    with connected(source) as connection:
        *_, last = events_of(source, connection, *statements)
        selected = [j for (j,) in raw_rows(connection, "SELECT j FROM docs ORDER BY id")]
        column, wire = catalogue(connection, "docs")[1], last.layout.columns[1]
        for convert, values in (
            (binlog_converter(wire, column), images([last])),
            (text_converter(column), selected),
        ):
            for wrong in (0, 1):
                with pytest.raises(ValueNotCarriable) as error:
                    convert([None, values[wrong]])
                assert (error.value.column, error.value.index) == ("j", 1)
            assert convert(values[2:]).array.to_pylist() == ['["", "é"]']


def test_what_the_server_prints_is_what_we_think(source: RunningServer) -> None:
    """A few texts in full, so that the comparison cannot pass by comparing nothing."""
    shown = {
        "JSON_ARRAY(TIME'-00:00:00.5', DATE'0001-01-01')": '["-00:00:00.500000", "0001-01-01"]',
        "JSON_ARRAY(18446744073709551615, 1.10, 1e308, 5e-324)": (
            "[18446744073709551615, 1.10, 1e308, 5e-324]"
        ),
        "JSON_ARRAY(1e0, 1e14, 1e15, 0.1e0, 1e-15, 1.5e-16)": (
            "[1.0, 100000000000000.0, 1e15, 0.1, 0.000000000000001, 1.5e-16]"
        ),
        "JSON_OBJECT('bb', X'00', 'a', -0e0)": '{"a": -0.0, "bb": "base64:type15:AA=="}',
        r"""JSON_ARRAY('a\n"\\', CONVERT(X'017f' USING utf8mb4))""": '["a\\n\\"\\\\", "\\u0001\x7f"]',
    }
    with connected(source) as connection:
        assert checked(source, connection, list(shown)) == list(shown.values())


def doubles(pick: random.Random, count: int) -> list[float]:
    """Doubles of random bits, every exponent and sign, and those near to powers of ten and two."""
    found = [
        struct.unpack("<d", struct.pack("<Q", sign << 63 | exponent << 52 | pick.getrandbits(52)))[0]
        for exponent in range(2047)
        for sign in (0, 1)
    ]
    found += [struct.unpack("<d", struct.pack("<Q", 1 << n))[0] for n in range(52)]
    found += [2.0**n for n in range(-1074, 1024)]
    found += [m * 10.0**n for n in range(-20, 21) for m in (1, -1, 1.5, 123456789, 0.999999999999999)]
    found += [float(f"{pick.randint(1, 10**17)}e{pick.randint(-25, 5)}") for _ in range(count)]
    found += [round(pick.uniform(-1e6, 1e6), pick.randint(0, 6)) for _ in range(count)]
    return found


def test_doubles_are_printed_as_the_server_prints_them(source: RunningServer) -> None:
    """Ten thousand of them: the shortest digits, and the server's own rule for the exponent."""
    values = doubles(random.Random(7), 2000)
    with connected(source) as connection:
        (ours,) = checked(source, connection, [parsed(f"[{', '.join(map(repr, values))}]")])
        back = json.loads(ours)
        assert len(back) == len(values) > 10_000
        assert sum(
            struct.pack("<d", a) == struct.pack("<d", b) for a, b in zip(back, values, strict=True)
        ) == len(values)


strings = st.text(st.characters(codec="utf-8"), max_size=20).map(text)
leaves = st.one_of(
    st.sampled_from(["NULL", "TRUE", "FALSE", *OPAQUE]),
    st.integers(-(1 << 63), (1 << 64) - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda v: parsed(repr(v))),
    st.decimals(-(10**34), 10**34, allow_nan=False, places=20).map(lambda d: f"{d:f}"),
    st.integers(-3020399 * 10**6, 3020399 * 10**6).map(lambda n: f"SEC_TO_TIME({n}/1000000)"),
    st.datetimes().map(lambda d: f"TIMESTAMP'{d.isoformat(' ')}'"),
    st.binary(max_size=80).map(lambda b: f"X'{b.hex()}'"),
    strings,
)
documents = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6).map(lambda items: f"JSON_ARRAY({', '.join(items)})"),
        st.lists(st.tuples(strings, inner), max_size=6).map(
            lambda members: f"JSON_OBJECT({', '.join(f'{k}, {v}' for k, v in members)})"
        ),
    ),
    max_leaves=25,
)


def test_random_documents_give_the_server_s_text(source: RunningServer) -> None:
    """Any nesting of any kinds of values, with keys of any characters."""
    with connected(source) as connection:

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(documents.map(lambda e: f"JSON_ARRAY({e})"), min_size=5, max_size=20))
        def check(expressions: list[str]) -> None:
            checked(source, connection, expressions)

        check()


NUL_TEXTS = {
    r'"\u0000"': True,
    r'"a\\u0000"': False,
    r'"a\\\u0000"': True,
    r'"\\\\u0000"': False,
    r'"\\u0000 \u0000"': True,
    r'{"k\u0000": 1}': True,
    r'["\\\\\\u0000", "\\"]': False,
    r'["u0000", "\u00001", 0]': True,
}


def test_the_nul_character_is_refused_both_ways_and_what_looks_like_it_is_not(source: RunningServer) -> None:
    """Postgres has no U+0000; a backslash before u0000 that is itself a character is carried."""
    with connected(source) as connection:
        events = events_of(source, connection, *MAKE, *inserts([parsed(t) for t in NUL_TEXTS]))
        column, wire = catalogue(connection, "docs")[1], events[0].layout.columns[1]
        selected = [j for (j,) in raw_rows(connection, "SELECT j FROM docs ORDER BY id")]
        shown = printed(connection)
        for convert, values in (
            (binlog_converter(wire, column), images(events)),
            (text_converter(column), selected),
        ):
            for number, refused in enumerate(NUL_TEXTS.values()):
                if not refused:
                    assert convert([values[number]]).array.to_pylist() == [shown[number]]
                    continue
                with pytest.raises(ValueNotCarriable) as error:
                    convert([None, values[number]])
                assert (error.value.column, error.value.index, error.value.reason) == ("j", 1, NUL)


SURROGATES = (r'"\ud800"', r'"\udc00"', r'"\udc00\ud800"', r'{"\udfff": 1}')


@pytest.mark.parametrize("document", SURROGATES)
def test_the_server_stores_no_lone_surrogates(source: RunningServer, document: str) -> None:
    """jsonb would refuse them."""
    with connected(source) as connection, pytest.raises(Exception, match="surrogate pair"):
        run(connection, f"SELECT {parsed(document)}")


def test_null_and_what_a_failed_insert_leaves_are_told_apart(source: RunningServer) -> None:
    """SQL's NULL, JSON's null, and the empty value of a NOT NULL column that got none."""
    statements = [
        *MAKE,
        "ALTER TABLE docs ADD k JSON NOT NULL",
        "INSERT IGNORE INTO docs (id, j) VALUES (1, NULL), (2, 'null')",
        "UPDATE docs SET j = '[]'",
    ]
    with connected(source) as connection:
        events = events_of(source, connection, *statements)
        assert images(events)[:2] == [None, b"\x04\x00"]
        assert images(events, 2) == [b""] * 6
        columns = catalogue(connection, "docs")
        before, after = from_binlog(events[:1], columns), from_binlog(events[1:], columns)
        assert before["j"].array.to_pylist() == [None, "null"]
        assert after["k"].array.to_pylist() == ["null"] * 4
        assert after["k"].array[2:].equals(from_select(connection, "docs", columns)["k"].array)


IN_PLACE = (
    "JSON_SET(j, '$.a', 'short')",
    "JSON_SET(j, '$.a', 5, '$.n', 65537)",
    "JSON_REPLACE(j, '$.list[1]', 'y')",
    "JSON_REMOVE(j, '$.gone')",
    "JSON_REMOVE(j, '$.list[0]')",
    "JSON_SET(j, '$.new', JSON_ARRAY(1.5, TIME'-01:00:00'))",
    "JSON_SET(j, '$.a', 'longer than anything that was ever there before, by far')",
    "JSON_SET(j, '$.a', CAST('null' AS JSON))",
)


def test_updates_in_place_leave_holes_that_are_not_read(source: RunningServer) -> None:
    """JSON_SET and its like change a stored document where it is; the binlog has those very bytes."""
    first = (
        "JSON_OBJECT('a', REPEAT('x', 200), 'gone', REPEAT('g', 50), 'n', 1,"
        " 'list', JSON_ARRAY('xxx', 'yyy', 70000))"
    )
    with connected(source) as connection:
        run(connection, "SET SESSION binlog_row_value_options=''", *MAKE, *inserts([first]))
        freed = 0
        for change in IN_PLACE:
            before = printed(connection)
            events = events_of(source, connection, f"UPDATE docs SET j = {change}")
            assert [json_text(value) for value in images(events)] == before + printed(connection)
            freed += printed(connection, "SELECT JSON_STORAGE_FREE(j) FROM docs")[0]
        assert freed > 0


def any_change(pick: random.Random) -> str:
    """A change of one place in a document of the keys k0 to k9."""
    path = f"$.k{pick.randint(0, 9)}{pick.choice(('', '', '[0]', '[1]', '.k1', '.k2'))}"
    value = pick.choice(
        (
            f"REPEAT('é', {pick.randint(0, 90)})",
            str(pick.choice(LIMITS[:-6])),
            "NULL",
            "1.5e0",
            "TIME'-01:00:00'",
            "JSON_ARRAY(1, 'two')",
            "JSON_OBJECT('k1', 70000, 'k2', JSON_ARRAY())",
        )
    )
    return pick.choice(
        (
            f"JSON_SET(j, '{path}', {value})",
            f"JSON_REPLACE(j, '{path}', {value})",
            f"JSON_REMOVE(j, '{path}')",
        )
    )


@pytest.mark.parametrize("filler", [0, 70_000], ids=["small", "large"])
def test_documents_that_were_changed_again_and_again_are_read(source: RunningServer, filler: int) -> None:
    """Holes, moved values and keys that are gone, in both storages."""
    pick = random.Random(filler)
    members = ", ".join(f"'k{n}', REPEAT('x', {n * 20})" for n in range(10))
    with connected(source) as connection:
        run(connection, *MAKE, *inserts([f"JSON_OBJECT({members}, 'filler', REPEAT('f', {filler}))"] * 5))
        first = printed(connection)
        changes = [f"UPDATE docs SET j = {any_change(pick)} WHERE id = {n % 5}" for n in range(300)]
        events = events_of(source, connection, "SET SESSION binlog_row_value_options=''", *changes)
        assert len(events) > 100
        assert max(printed(connection, "SELECT JSON_STORAGE_FREE(j) FROM docs")) > 0
        state = dict(enumerate(first))
        for before, after in (event.rows for event in events):
            assert state[before[0]] == json_text(before[1])
            state[after[0]] = json_text(after[1])
        assert list(state.values()) == printed(connection)


def test_generated_columns_and_defaults_are_carried(source: RunningServer) -> None:
    """Stored and virtual ones, by an insert and by an update."""
    table = (
        "CREATE TABLE docs (id INT PRIMARY KEY, j JSON, s JSON AS (JSON_EXTRACT(j, '$.a')) STORED,"
        " v JSON AS (JSON_ARRAY(JSON_EXTRACT(j, '$.a'), id, 1.10)) VIRTUAL,"
        " d JSON DEFAULT (JSON_ARRAY(1.50)))"
    )
    statements = [
        "DROP TABLE IF EXISTS docs",
        table,
        "INSERT INTO docs (id, j) VALUES (1, '{\"a\": [1, 2.50, {}]}'), (2, NULL)",
    ]
    with connected(source) as connection:
        events = events_of(source, connection, *statements)
        columns = catalogue(connection, "docs")
        ours, other = from_binlog(events, columns), from_select(connection, "docs", columns)
        assert ours == other
        assert ours["s"].array.to_pylist() == ["[1, 2.5, {}]", None]
        assert ours["v"].array.to_pylist() == ["[[1, 2.5, {}], 1, 1.10]", "[null, 2, 1.10]"]
        assert ours["d"].array.to_pylist() == ["[1.50]", "[1.50]"]
        events = events_of(source, connection, "UPDATE docs SET j = JSON_SET(j, '$.a', TIME'-01:00:00')")
        after = {name: column.array.to_pylist()[-1] for name, column in from_binlog(events, columns).items()}
        assert after["s"] == '"-01:00:00.000000"'
        assert after["v"] == '["-01:00:00.000000", 1, 1.10]'


def numbers_exact(document: str) -> Any:
    """A document with its numbers as exact decimals."""
    return json.loads(document, parse_float=Decimal, parse_int=Decimal)


def test_documents_arrive_in_postgres_exactly(
    source: RunningServer, destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """From the binlog through the loader: what jsonb holds is what it makes of the server's own text."""
    with connected(source) as connection:
        texts = same_both_ways(source, connection, [*SCALARS, *COMPOUND, *large()[:3]])
    table = table_of("docs", {"id": BIGINT, "j": ColumnType("json")})
    make_tables(destination_database, table)
    rows = [{"id": n, "j": value} for n, value in enumerate([*texts, None])]
    with loader_for(destination_database, tmp_path, table) as loader:
        loader.load(request_of(load_of(table, rows)))
    found = destination_database.rows(f"SELECT j::text FROM {DATASET}.docs ORDER BY id")
    assert found[-1] == (None,)
    for (stored,), sent in zip(found[:-1], texts, strict=True):
        assert numbers_exact(stored) == numbers_exact(sent)
