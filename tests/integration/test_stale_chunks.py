"""A chunk of a table that the source has changed and of which the stream does not know yet."""

from __future__ import annotations

from contextlib import closing, nullcontext, suppress

import pytest

from rowferry.batch import KeyRange
from rowferry.chunk_sql import encode_key
from rowferry.copy_pace import Pace
from rowferry.copy_read import read_chunk
from rowferry.errors import SchemaMoved
from rowferry.mysql_source import connect, connect_for_copy, describe_server
from rowferry.settings import SourceSettings
from rowferry.table_schema import Column, ColumnType, TableId, TableSchema
from rowferry_lab.servers import SourceDatabase

TYPES = {
    "int": ("7", ColumnType("int"), b"5"),
    "varchar(20) CHARACTER SET utf8mb4": ("'k1'", ColumnType("varchar", charset="utf8mb4"), b"k\xc3\xa9"),
    "varchar(20) CHARACTER SET latin1": ("'k\u00e9'", ColumnType("varchar", charset="latin1"), b"\xe9"),
    "varbinary(20)": ("x'ff41'", ColumnType("varbinary"), b"\xffA"),
    "enum('a','b')": ("'a'", ColumnType("enum", charset="utf8mb4"), b"1"),
    "date": ("'2024-02-29'", ColumnType("date"), b"2020-01-02"),
    "datetime": ("'2024-02-29 10:11:12'", ColumnType("datetime"), b"2020-01-02 03:04:05"),
    "decimal(9,2)": ("1.5", ColumnType("decimal", precision=9, scale=2), b"1.25"),
}
"""A value in SQL, the type as it is known, and a last key as the server sent it."""


@pytest.fixture
def settings(source_database: SourceDatabase) -> SourceSettings:
    """Of the source."""
    return SourceSettings(url=source_database.url)


def _chunk(settings: SourceSettings, kind: ColumnType, last: bytes | None, index: str = "PRIMARY") -> None:
    columns = (Column("k", kind, nullable=False), Column("n", ColumnType("int")))
    table = TableSchema(TableId(settings.database, "t"), columns, ("k",), key_index=index)
    key = None if last is None else encode_key([last])
    with closing(connect(settings)) as control, closing(connect_for_copy(settings)) as rows:
        read_chunk(rows, describe_server(control), table, KeyRange(key), Pace(0.2, 10), 5.0)


@pytest.mark.parametrize("now", TYPES)
def test_a_key_of_another_type_is_a_change_at_the_most(
    source_database: SourceDatabase, settings: SourceSettings, now: str
) -> None:
    """The key so far goes back as what it was; the server may refuse it, and that ends no attempt."""
    source_database.run(
        "SET sql_mode = ''",
        f"CREATE TABLE t (k {now} NOT NULL PRIMARY KEY, n int) CHARACTER SET utf8mb4",
        f"INSERT INTO t VALUES ({TYPES[now][0]}, 1)",
    )
    for name, (_, kind, last) in TYPES.items():
        for bound in (None, last):
            with nullcontext() if name == now else suppress(SchemaMoved):
                _chunk(settings, kind, bound)


def test_a_key_that_can_be_null_now_is_a_change(
    source_database: SourceDatabase, settings: SourceSettings
) -> None:
    """No row without a key gets into the destination, where it would stop the table."""
    source_database.run(
        "CREATE TABLE t (k int NULL, n int, UNIQUE KEY only_one (k))",
        "INSERT INTO t VALUES (1, 1), (NULL, 2)",
    )
    with pytest.raises(SchemaMoved):
        _chunk(settings, ColumnType("int"), None, index="only_one")
