"""Every type and every name that the loader carries arrives exactly."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rowferry.table_schema import ColumnType
from rowferry_lab.servers import DestinationDatabase
from tests.integration.loading import (
    BIGINT,
    DATASET,
    TEXT,
    load_of,
    loader_for,
    make_tables,
    quoted,
    request_of,
    table_of,
)

STRINGS = (
    "",
    " ",
    "plain",
    'a "quoted" one, with a comma',
    '"',
    '""',
    "\\.",
    "a\n\\.\nb",
    "\\N",
    "NULL",
    "\\x41",
    "back\\slash\\",
    "\r\n",
    "\n",
    "\t",
    "\x01\x1f\x7f",
    "Grüße, 漢字 😀",
    "\u2028\ufeff",
    "'; DROP TABLE x; --",
    "%s %% %(a)s {} {0}",
)
BYTES = (b"", b"\x00", b"\\", b"\\x41", b"\n\\.\n", bytes(range(256)), b'"', b"text")


def signed(bits: int) -> tuple[int, ...]:
    """The values at the ends of a signed integer's range, and around zero."""
    return (-(1 << bits - 1), -1, 0, 1, (1 << bits - 1) - 1)


def unsigned(bits: int) -> tuple[int, ...]:
    """The values at the ends of an unsigned integer's range, and where a signed one ends."""
    return (0, 1, (1 << bits - 1) - 1, 1 << bits - 1, (1 << bits) - 1)


def decimals(precision: int, scale: int) -> tuple[Decimal, ...]:
    """The smallest step, the largest value, their negatives, and zero."""
    digits = tuple(int(d) for d in "9" * precision)
    largest = Decimal((0, digits, -scale))
    return (
        Decimal(0),
        Decimal((0, (1,), -scale)),
        Decimal((1, (1,), -scale)),
        largest,
        largest.copy_negate(),
    )


def single(bits: int) -> float:
    """The float whose IEEE 754 single-precision form has those bits."""
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


FLOATS = (0.0, -0.0, 1.5, -2.25)
CASES: dict[str, tuple[ColumnType, tuple[Any, ...]]] = {
    "tinyint": (ColumnType("tinyint"), signed(8)),
    "tinyint unsigned": (ColumnType("tinyint", unsigned=True), unsigned(8)),
    "smallint": (ColumnType("smallint"), signed(16)),
    "smallint unsigned": (ColumnType("smallint", unsigned=True), unsigned(16)),
    "mediumint": (ColumnType("mediumint"), signed(24)),
    "int": (ColumnType("int"), signed(32)),
    "int unsigned": (ColumnType("int", unsigned=True), unsigned(32)),
    "bigint": (BIGINT, signed(64)),
    "bigint unsigned": (ColumnType("bigint", unsigned=True), unsigned(64)),
    "float": (
        ColumnType("float"),
        (*FLOATS, single(1), single(0x7FFFFF), single(0x800000), single(0x7F7FFFFF), single(0x3DCCCCCD)),
    ),
    "double": (
        ColumnType("double"),
        (*FLOATS, 5e-324, 2.2250738585072011e-308, 1.7976931348623157e308, 0.1, 1 / 3, 123456789.123456789),
    ),
    "decimal(10,2)": (ColumnType("decimal", precision=10, scale=2), decimals(10, 2)),
    "decimal(38,30)": (ColumnType("decimal", precision=38, scale=30), decimals(38, 30)),
    "decimal(65,30)": (ColumnType("decimal", precision=65, scale=30), decimals(65, 30)),
    "decimal(65,0)": (ColumnType("decimal", precision=65, scale=0), decimals(65, 0)),
    "varchar": (TEXT, STRINGS),
    "longtext": (ColumnType("longtext"), (*STRINGS, "x" * 3_000_000)),
    "varbinary": (ColumnType("varbinary", length=300), BYTES),
    "longblob": (ColumnType("longblob"), (*BYTES, bytes(1_000_000))),
    "date": (ColumnType("date"), (date(1, 1, 1), date(1582, 10, 10), date(1970, 1, 1), date(9999, 12, 31))),
    "datetime(6)": (
        ColumnType("datetime", fraction=6),
        (datetime(1, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999), datetime.max),
    ),
    "timestamp(6)": (
        ColumnType("timestamp", fraction=6),
        (
            datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
            datetime(2024, 3, 31, 1, 30, tzinfo=UTC),
            datetime(2038, 1, 19, 3, 14, 7, 999999, tzinfo=UTC),
        ),
    ),
    "year": (ColumnType("year"), (0, 1901, 2155)),
    "bit(1)": (ColumnType("bit", length=1), (True, False)),
    "bit(9)": (ColumnType("bit", length=9), ("000000000", "100000001", "111111111")),
    "bit(64)": (ColumnType("bit", length=64), ("0" * 64, "1" * 64, "10" * 32)),
    "enum": (ColumnType("enum", length=40, charset="latin1"), STRINGS),
    "set": (ColumnType("set", length=90, charset="latin1"), (*STRINGS, "a,b,c")),
    "geometry": (ColumnType("geometry"), (b"\x01\x01\x00\x00\x20\xe6\x10\x00\x00" + bytes(16), *BYTES)),
    "time(6)": (
        ColumnType("time", fraction=6),
        ("-838:59:59.000000", "-00:00:00.000001", "838:59:59.999999"),
    ),
}


def comparable(kind: str, value: object) -> object:
    """The value in a form in which equal means identical: bits of floats, digits of decimals."""
    if isinstance(value, float):
        return struct.pack("<f" if kind == "float" else "<d", value)
    if isinstance(value, Decimal):
        scale = int(kind.rstrip(")").partition(",")[2] or 0)
        return f"{value:.{scale}f}"
    if kind == "bigint unsigned":
        return str(value)
    return interval(value) if isinstance(value, str) and kind.startswith("time(") else value


def interval(text: str) -> timedelta:
    """MySQL's TIME text as a duration."""
    hours, minutes, seconds = text.lstrip("-").split(":")
    whole, _, micros = seconds.partition(".")
    span = timedelta(
        hours=int(hours), minutes=int(minutes), seconds=int(whole), microseconds=int(micros or 0)
    )
    return -span if text.startswith("-") else span


@pytest.mark.parametrize("destination", ["postgres_15", "postgres_17"], indirect=True)
@pytest.mark.parametrize("kind", CASES)
def test_each_value_of_a_type_arrives_exactly(
    destination_database: DestinationDatabase, tmp_path: Path, kind: str
) -> None:
    """Whatever MySQL can hold in a column of the type is what Postgres holds, NULL included."""
    column, values = CASES[kind]
    table = table_of("values", {"id": BIGINT, "value": column})
    make_tables(destination_database, table)
    rows = [{"id": n, "value": value} for n, value in enumerate((*values, None))]
    with loader_for(destination_database, tmp_path, table) as loader:
        receipt = loader.load(request_of(load_of(table, rows)))
    assert receipt.rows == len(rows)
    found = destination_database.rows(f"SELECT value FROM {DATASET}.values ORDER BY id")
    assert [comparable(kind, v) for (v,) in found[:-1]] == [comparable(kind, v) for v in values]
    assert found[-1] == (None,)


JSON = {
    "null": "null",
    "{}": "{}",
    '""': '""',
    '"\\""': '"\\""',
    '"a\\n\\\\.\\n, \\"b\\", \\\\N"': '"a\\n\\\\.\\n, \\"b\\", \\\\N"',
    '"\\u0001\x7f Grüße 漢字 😀 \\\\u0000"': '"\\u0001\x7f Grüße 漢字 😀 \\\\u0000"',
    '{"": 1, "b": [1.10, -0.5], "aa": {"ü": null}}': '{"": 1, "b": [1.10, -0.5], "aa": {"ü": null}}',
    f"[{'9' * 65}, -0.{'0' * 29}1]": f"[{'9' * 65}, -0.{'0' * 29}1]",
    "[18446744073709551615, -9223372036854775808]": "[18446744073709551615, -9223372036854775808]",
    "[1e308, 1.7976931348623157e308]": f"[1{'0' * 308}, 17976931348623157{'0' * 292}]",
    "[5e-324, 2.5e-16]": f"[0.{'0' * 323}5, 0.00000000000000025]",
    "[1.0, 100.00, 1e15]": "[1.0, 100.00, 1000000000000000]",
    "[-0.0]": "[0.0]",
    "[" * 100 + "]" * 100: "[" * 100 + "]" * 100,
}


@pytest.mark.parametrize("destination", ["postgres_15", "postgres_17"], indirect=True)
def test_json_arrives_with_every_digit(destination_database: DestinationDatabase, tmp_path: Path) -> None:
    """jsonb writes numbers in its own way, and has no minus zero; no digit is lost."""
    table = table_of("documents", {"id": BIGINT, "value": ColumnType("json")})
    make_tables(destination_database, table)
    texts = [*JSON, f'["{"x" * 3_000_000}"]', None]
    with loader_for(destination_database, tmp_path, table) as loader:
        loader.load(request_of(load_of(table, [{"id": n, "value": t} for n, t in enumerate(texts)])))
    found = destination_database.rows(f"SELECT value::text FROM {DATASET}.documents ORDER BY id")
    assert [value for (value,) in found] == [*JSON.values(), *texts[-2:]]


FLOAT_BITS = (
    "ARRAY(SELECT encode(float4send(x), 'hex') FROM unnest(value) WITH ORDINALITY u(x, n) ORDER BY n)"
)
UUIDS = ("00000000-0000-0000-0000-000000000000", "12345678-9abc-7def-8123-456789abcd00")
TRAVELLERS: dict[str, tuple[str, tuple[str, ...], list[Any]]] = {
    "uuid": ("value::text", UUIDS, list(UUIDS)),
    "inet4": ("host(value)", ("0.0.0.0", "192.168.0.1"), ["0.0.0.0", "192.168.0.1"]),
    "inet6": (
        "host(value)",
        ("0000:0000:0000:0000:0000:ffff:0102:0304", "fe80:0000:0000:0000:0000:0000:0000:0001"),
        ["::ffff:1.2.3.4", "fe80::1"],
    ),
    "vector": (
        f"CASE WHEN value IS NOT NULL THEN {FLOAT_BITS} END",
        ("{0,-0,1}", "{}", "{1e-45,3.4028235e+38}", "{0.1}"),
        [["00000000", "80000000", "3f800000"], [], ["00000001", "7f7fffff"], ["3dcccccd"]],
    ),
}


@pytest.mark.parametrize("destination", ["postgres_15", "postgres_17"], indirect=True)
@pytest.mark.parametrize("base", TRAVELLERS)
def test_what_travels_as_text_is_read_as_its_own_type(
    destination_database: DestinationDatabase, tmp_path: Path, base: str
) -> None:
    """Postgres reads the very value, also where the text is written another way; NULL stays NULL."""
    shown, texts, expected = TRAVELLERS[base]
    table = table_of("values", {"id": BIGINT, "value": ColumnType(base)})
    make_tables(destination_database, table)
    rows = [{"id": n, "value": text} for n, text in enumerate((*texts, None))]
    with loader_for(destination_database, tmp_path, table) as loader:
        loader.load(request_of(load_of(table, rows)))
    found = destination_database.rows(f"SELECT {shown} FROM {DATASET}.values ORDER BY id")
    assert [value for (value,) in found] == [*expected, None]


ODD_NAMES = (
    "select",
    "MixedCase",
    'a "quoted" name',
    "semi;colon",
    "per%cent %s {x}",
    "back\\slash",
    "dots.and/slashes",
    "new\nline",
    "_dlt_looks_like_dlt",
    "Größe 漢字",
    "x" * 63,
    "ü" * 31,
)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_are_kept_as_they_are(
    destination_database: DestinationDatabase, tmp_path: Path, name: str
) -> None:
    """Tables, keys and columns are called in Postgres what they are called in MySQL."""
    columns = {name: BIGINT, "_rowferry_deleted": TEXT, name[1:] + "!": TEXT}
    table = table_of(name, columns, key=(name,))
    make_tables(destination_database, table)
    first, second = ({n: (i if n == name else f"v{i}") for n in columns} for i in (1, 2))
    with loader_for(destination_database, tmp_path, table) as loader:
        loader.load(request_of(load_of(table, [first, second])))
        loader.load(request_of(load_of(table, [second], deletes=[{name: 1}])))
    selected = ", ".join(map(quoted, columns))
    found = destination_database.rows(f"SELECT {selected} FROM {DATASET}.{quoted(name)}")
    assert found == [tuple(second.values())]


KEYS: dict[str, tuple[dict[str, ColumnType], list[tuple[Any, ...]]]] = {
    "text": ({"a": TEXT}, [("",), ("a",), ("A",), ("ä",), ("a ",)]),
    "binary": ({"a": ColumnType("binary", length=2)}, [(b"\x00\x00",), (b"\x00\x01",), (b"\\x",)]),
    "composite": ({"a": BIGINT, "b": TEXT}, [(1, "x"), (1, "y"), (2, "x")]),
    "unsigned": ({"a": ColumnType("bigint", unsigned=True)}, [(0,), (2**64 - 1,)]),
    "decimal": (
        {"a": ColumnType("decimal", precision=5, scale=2)},
        [(Decimal("1.00"),), (Decimal("-1.00"),)],
    ),
    "bits": ({"a": ColumnType("bit", length=1), "b": ColumnType("bit", length=3)}, [(True, "101")]),
    "labels": ({"a": ColumnType("enum", length=2, charset="latin1")}, [("",), ("é",), ("a ",)]),
    "datetime": ({"a": ColumnType("datetime", fraction=3)}, [(datetime(2024, 1, 1, 0, 0, 0, 1000),)]),
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_any_type_are_matched_in_tables_of_nothing_but_keys(
    destination_database: DestinationDatabase, tmp_path: Path, kind: str
) -> None:
    """A table may consist of its key; writing a row again changes nothing, deleting it removes it."""
    columns, keys = KEYS[kind]
    table = table_of("keys", columns, key=tuple(columns))
    make_tables(destination_database, table)
    rows = [dict(zip(columns, key, strict=True)) for key in keys]
    with loader_for(destination_database, tmp_path, table) as loader:
        loader.load(request_of(load_of(table, rows)))
        again = loader.load(request_of(load_of(table, rows)))
        found = destination_database.rows(f"SELECT {', '.join(columns)}, _dlt_load_id FROM {DATASET}.keys")
        assert set(found) == {(*key, again.load_id) for key in keys}
        loader.load(request_of(load_of(table, deletes=rows)))
    assert destination_database.rows(f"SELECT * FROM {DATASET}.keys") == []
