"""What the decoding tests share: run statements on a real server, get the row events they caused.

The events come through python-mysql-replication, so that its own `rows` can be compared with ours;
the images' bytes are taken from the packet that the library read. For tables on which the library fails
there is `own_events_of`, which reads everything with our own code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pymysql
from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.row_event import (
    DeleteRowsEvent,
    TableMapEvent,
    UpdateRowsEvent,
    WriteRowsEvent,
)

from rowferry.changes import RawRow, TableLayout
from rowferry.convert import Converted, binlog_converter, select_expression, text_converter
from rowferry.decode import RowsHeader, compile_decoder, parse_rows_header
from rowferry.table_map import parse_table_map
from rowferry.table_schema import Column, ColumnType, TableId
from rowferry.temporal_hires import with_catalogue
from rowferry_lab.servers import RunningServer
from tests.integration.library_columns import wire_columns_from_library

DATABASE = "decode_oracle"
SESSION = "SET time_zone='+00:00', sql_mode=''"
EVENT_START = 20
CHECKSUM_BYTES = 4
TABLE_MAP = 19
ROWS_V1 = (23, 24, 25)
REPLICA_ID = 4_000_000
TEXT_KINDS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")


@dataclass(frozen=True)
class SeenEvent:
    """A row event: the library's object, and our reading of its bytes.

    layout: completed with the catalogue of when the events were read.
    """

    library: Any
    layout: TableLayout
    header: RowsHeader
    rows: list[RawRow]
    data: bytes
    end: int


def account(source: RunningServer) -> dict[str, Any]:
    """How to reach the server."""
    return {
        "host": source.host,
        "port": source.port,
        "user": source.user,
        "password": source.password,
        "charset": "utf8mb4",
    }


@contextmanager
def connected(source: RunningServer) -> Iterator[Any]:
    """A connection with the session settings that the daemon's have, in a database of its own."""
    connection = pymysql.connect(**account(source), autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(SESSION)
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
            cursor.execute(f"USE {DATABASE}")
        yield connection
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {DATABASE}")
    finally:
        connection.close()


def run(connection: Any, *statements: str | bytes) -> Sequence[Sequence[Any]]:
    """Execute statements as they are; the rows of the last one."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def is_mysql(connection: Any) -> bool:
    """Whether the server is MySQL, not MariaDB."""
    return "MariaDB" not in connection.get_server_info()


def events_of(source: RunningServer, connection: Any, *statements: str | bytes) -> list[SeenEvent]:
    """The row events that the statements cause."""
    file, position = head(connection)
    run(connection, *statements)
    return events_since(source, connection, file, position)


def events_since(source: RunningServer, connection: Any, file: str, position: int) -> list[SeenEvent]:
    """The row events from a place in the binlog on."""
    reader = _reader(source, file, position)
    try:
        return list(_seen(reader, connection))
    finally:
        reader.close()


def head(connection: Any) -> tuple[str, int]:
    """The binlog's file and position now."""
    status = "SHOW BINARY LOG STATUS" if is_mysql(connection) else "SHOW MASTER STATUS"
    file, position = run(connection, status)[0][:2]
    return file, position


def _reader(source: RunningServer, file: str, position: int) -> Any:
    return BinLogStreamReader(
        connection_settings=account(source),
        server_id=REPLICA_ID + source.port,
        log_file=file,
        log_pos=position,
        resume_stream=True,
        blocking=False,
        only_events=[TableMapEvent, WriteRowsEvent, UpdateRowsEvent, DeleteRowsEvent],
        only_schemas=[DATABASE],
    )


def _seen(reader: Any, connection: Any) -> Iterator[SeenEvent]:
    layouts: dict[int, TableLayout] = {}
    for event in reader:
        if isinstance(event, TableMapEvent):
            layouts[event.table_id] = with_catalogue(_layout(event), catalogue(connection, event.table))
            continue
        yield _read(event, event.event_type, event.packet.packet._data, layouts)


def _read(library: Any, event_type: int, data: bytes, layouts: Mapping[int, TableLayout]) -> SeenEvent:
    header = parse_rows_header(event_type, data, EVENT_START)
    layout, end = layouts[header.table_id], len(data) - CHECKSUM_BYTES
    rows = compile_decoder(layout).decode(data, header.start, end)
    return SeenEvent(library, layout, header, rows, data, end)


def own_events_of(source: RunningServer, connection: Any, *statements: str | bytes) -> list[SeenEvent]:
    """The row events that the statements cause on MariaDB, read without the library (`library` is None)."""
    layouts: dict[int, TableLayout] = {}
    found = []
    for data in packets_of(source, connection, *statements):
        if data[5] == TABLE_MAP:
            seen = parse_table_map(data, EVENT_START, len(data) - CHECKSUM_BYTES, mariadb=True)
            layout = TableLayout(seen.table, seen.columns)
            layouts[seen.table_id] = with_catalogue(layout, catalogue(connection, seen.table.name))
        elif data[5] in ROWS_V1:
            found.append(_read(None, data[5], data, layouts))
    return found


def table_map_packets(source: RunningServer, connection: Any, *statements: str | bytes) -> list[bytes]:
    """The packets of the TABLE_MAP events that the statements cause, unread by the library."""
    return [data for data in packets_of(source, connection, *statements) if data[5] == TABLE_MAP]


def packets_of(source: RunningServer, connection: Any, *statements: str | bytes) -> list[bytes]:
    """The packets of all events that the statements cause but the last, unread by the library."""
    file, position = head(connection)
    run(connection, *statements)
    end = head(connection)[1]
    reader = _reader(source, file, position)
    found = []
    reader._BinLogStreamReader__connect_to_stream()
    while True:
        data = reader._stream_connection._read_packet()._data
        if data[0] != 0 or int.from_bytes(data[14:18], "little") >= end:
            break
        found.append(data)
    reader.close()
    return found


def _layout(event: Any) -> TableLayout:
    """The layout by way of the library, after our own reader was found to read the same."""
    data = event.packet.packet._data
    ours = parse_table_map(data, EVENT_START, len(data) - CHECKSUM_BYTES, event.dbms == "mariadb")
    layout = TableLayout(TableId(event.schema, event.table), wire_columns_from_library(event))
    known = tuple(replace(column, labels=()) for column in ours.columns)
    assert (ours.table_id, ours.table, known) == (event.table_id, layout.table, layout.columns)
    return replace(layout, columns=ours.columns)


def catalogue(connection: Any, table: str) -> list[Column]:
    """The table's columns from information_schema."""
    found = run(
        connection,
        "SELECT column_name, data_type, column_type, is_nullable, character_maximum_length, "
        "numeric_precision, numeric_scale, datetime_precision, character_set_name "
        f"FROM information_schema.columns WHERE table_schema='{DATABASE}' "
        f"AND table_name={connection.escape(table)} "
        "ORDER BY ordinal_position",
    )
    return [_column(*row) for row in found]


def _column(
    name: str,
    base: str,
    text: str,
    nullable: str,
    length: Any,
    precision: Any,
    scale: Any,
    fraction: Any,
    charset: Any,
) -> Column:
    kind = ColumnType(
        base=base.lower(),
        unsigned="unsigned" in text,
        length=length,
        precision=precision if base == "decimal" else None,
        scale=scale if base == "decimal" else None,
        fraction=fraction or 0,
        charset=charset if base in TEXT_KINDS else None,
        text=text,
    )
    return Column(name, kind, nullable == "YES")


def from_binlog(events: Sequence[SeenEvent], columns: Sequence[Column]) -> dict[str, Converted]:
    """All images of events of one layout as columns, by name."""
    layout = events[0].layout
    assert all(event.layout.columns == layout.columns for event in events)
    images = [row for event in events for row in event.rows]
    known = {column.name: column for column in columns}
    return {
        wire.name: binlog_converter(wire, known[wire.name])([row[index] for row in images])
        for index, wire in enumerate(layout.columns)
    }


def from_select(connection: Any, table: str, columns: Sequence[Column]) -> dict[str, Converted]:
    """The same by SELECT, in the order of the column `id`."""
    expressions = ", ".join(select_expression(c, f"`{c.name}`") for c in columns)
    rows = raw_rows(connection, f"SELECT {expressions} FROM `{table}` ORDER BY id")
    return {
        column.name: _converted(column, [row[index] for row in rows]) for index, column in enumerate(columns)
    }


def _converted(column: Column, values: list[bytes | None]) -> Converted:
    """A column's values, which come to the same as an array."""
    listed, array = (text_converter(column)(v) for v in (values, pa.array(values, pa.large_binary())))
    assert listed.array.equals(array.array)
    assert listed.zero_dates == array.zero_dates
    return listed


def raw_rows(connection: Any, query: str) -> list[tuple[bytes | None, ...]]:
    """A query's rows as the bytes that the server sends, each column in its own character set."""
    with connection.cursor() as cursor:
        cursor.execute("SET character_set_results=NULL")
    connection.query(query, unbuffered=True)
    result = connection._result
    result.converters = [(None, None)] * len(result.fields)
    rows = []
    while (row := result._read_rowdata_packet_unbuffered()) is not None:
        rows.append(row)
    with connection.cursor() as cursor:
        cursor.execute("SET character_set_results=utf8mb4")
    return rows
