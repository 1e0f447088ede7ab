"""The texts of keys, on real servers: one by both ways in, and by it the row is found again.

Else a row that the copy set aside would not be released by the stream, and `quarantine retry` would take a
row for gone that is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from rowferry.batch import make_route
from rowferry.chunk_sql import chunk_select, encode_key, key_values
from rowferry.copy import select_form
from rowferry.key_sql import rows_select
from rowferry.mysql_catalog import read_tables
from rowferry.mysql_source import connect, connect_for_copy, query
from rowferry.settings import SourceSettings, TableSettings
from rowferry.table_schema import ColumnPolicy, TableSchema
from rowferry_lab.servers import RunningServer
from tests.integration.binlog_reading import DATABASE, connected, events_of, is_mysql, run

pytestmark = pytest.mark.parametrize("source", ["mysql_9_7", "mariadb_11_8"], indirect=True)
BIN = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
Kinds = dict[str, list[tuple[str, str, str | None]]]
KEYS: Kinds = {
    "tinyint": [("-5", "", "-5"), ("2", "boolean", "2"), ("1", "boolean", "1")],
    "int(8) zerofill": [("42", "", "42")],
    "bigint unsigned": [
        ("18446744073709551615", wanted, "18446744073709551615") for wanted in ("", "bigint")
    ],
    "decimal(12,2)": [("-12.5", "", "-12.50"), ("0.5", "bigint", "0.50"), ("5", "bigint", "5")],
    "float": [("0.1", "", "0.1"), ("-1.17549435e-38", "", None)],
    "double": [("0.1", "", "0.1"), ("1.5e300", "", "1.5e+300")],
    "year": [("0", "text", "0000"), ("2024", "integer", "2024")],
    "bit(12)": [("b'1011'", "", "000000001011"), ("b'1011'", "smallint", "11")],
    "bit(64)": [("~0", "bigint", "1" * 64), ("3", "bigint", "3")],
    "bit(1)": [("b'1'", "", "1"), ("b'1'", "smallint", "1")],
    f"varchar(20) {BIN}": [
        ("'é'", "", "é"),
        ("'éééé'", "varchar(3)", "éééé"),
        ("'text:x'", "", "text:text:x"),
    ],
    f"char(20) {BIN}": [("'é  '", "", "é")],
    "varchar(20) CHARACTER SET latin1 COLLATE latin1_general_cs": [
        ("'é'", "", "é"),
        ("'hex:1'", "", "text:hex:1"),
    ],
    "varchar(20) CHARACTER SET latin1 COLLATE latin1_bin": [("CONCAT('a', CHAR(0))", "", "hex:6100")],
    "varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci": [("'😀'", "", "😀")],
    "varchar(20) CHARACTER SET ucs2 COLLATE ucs2_bin": [("'é'", "", "é")],
    "binary(4)": [("X'00FF0000'", "", "hex:00ff0000"), ("X'00FF0000'", "text", "hex:00ff0000")],
    "varbinary(8)": [
        ("X'C3A9'", "text", "é"),
        ("X'FF00'", "text", "hex:ff00"),
        ("X'6ccd'", "uuid", "hex:6ccd"),
    ],
    "binary(16)": [("X'6ccd780cbaba102695645b8c65600000'", "uuid", "6ccd780c-baba-1026-9564-5b8c65600000")],
    "date": [(f"'{text}'", "", text) for text in ("2024-02-29", "0000-00-00", "2024-00-10", "2024-02-31")],
    "datetime": [
        ("'2024-02-29 01:02:03'", "date", "2024-02-29 01:02:03"),
        ("'2024-02-29'", "date", "2024-02-29"),
    ],
    "datetime(2)": [("'2024-02-31 01:02:03.25'", "text", "2024-02-31 01:02:03.25")],
    "timestamp(3)": [
        ("0", "", "0000-00-00 00:00:00.000"),
        ("'2024-02-29 01:02:03'", "", "2024-02-29 01:02:03.000"),
    ],
    "time(2)": [("'-0:00:01.5'", "time", "-00:00:01.50"), ("'-838:59:59'", "", "-838:59:59.00")],
    f"enum('a','ü') {BIN}": [("'ü'", "", "ü"), ("'x'", "", "")],
    f"set('a','b','ü') {BIN}": [("'ü,a'", "", "a,ü"), ("''", "", "")],
}
ADDRESSES: Kinds = {
    "uuid": [("'6ccd780c-baba-1026-9564-5b8c65600000'", "", "6ccd780c-baba-1026-9564-5b8c65600000")],
    "inet6": [("'::ffff:1.2.0.0'", "", "0000:0000:0000:0000:0000:ffff:0102:0000")],
    "inet4": [("'1.2.0.0'", "", "1.2.0.0")],
}


@pytest.fixture
def connection(source: RunningServer) -> Iterator[Any]:
    """Give a session that writes any date, in the database of these tests."""
    with connected(source) as made:
        run(made, "SET sql_mode = 'ALLOW_INVALID_DATES'")
        yield made


def with_type(table: TableSchema, wanted: str) -> TableSchema:
    """The table whose key is to have that type, and whose odd rows are set aside."""
    policy = ColumnPolicy(as_type=wanted, zero_dates="quarantine", misfits="quarantine")
    columns = tuple(replace(c, policy=policy) if c.name == "k" else c for c in table.columns)
    return replace(table, columns=columns)


def test_a_key_has_one_text_and_by_it_its_row_is_found(source: RunningServer, connection: Any) -> None:
    """Of every type and every misfit; and the next chunk begins behind it."""
    url = f"mysql://{source.user}:{source.password}@{source.host}:{source.port}/{DATABASE}"
    kinds = KEYS if is_mysql(connection) else KEYS | ADDRESSES
    settings = SourceSettings(url=url)
    with closing(connect(settings)) as control, closing(connect_for_copy(settings)) as rows:
        for number, (kind, values) in enumerate(kinds.items()):
            name = f"t{number}"
            run(
                connection,
                f"CREATE TABLE {name} (a int, k {kind.removesuffix(' NULL')} NOT NULL, PRIMARY KEY (k, a))",
            )
            [known] = read_tables(control, DATABASE, TableSettings(include=(name,))).values()
            for literal, wanted, shown in values:
                table = with_type(known, wanted)
                insert = [f"DELETE FROM {name}", f"INSERT INTO {name} VALUES (1, {literal})"]
                seen = events_of(source, connection, *insert, f"INSERT INTO {name} SELECT 2, k FROM {name}")[
                    -1
                ]
                [first] = query(rows, chunk_select(table, None, 1))
                copied, streamed = select_form(table), make_route(table, seen.layout).form
                selected = copied.key_of(first[: len(table.columns)])
                [image] = seen.rows
                text = copied.key_texts(selected)
                case = (kind, literal, wanted)
                assert text == (text[0] if shown is None else shown, "1"), case
                assert streamed.key_texts(streamed.key_of(image)) == (text[0], "2"), case
                [found] = query(rows, rows_select(table, [text]))
                assert copied.key_texts(copied.key_of(found)) == text, case
                last = encode_key(key_values(table, first))
                assert len(query(rows, chunk_select(table, last, 10))) == 1, case
