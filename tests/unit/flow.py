"""Small values that flow, for the tests of this folder: a table, its route, positions, transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from rowferry.batch import ChunkMark, ChunkSegment, Route, make_route
from rowferry.batch_queue import DecodedRows
from rowferry.changes import (
    RawRow,
    RowEvent,
    RowKind,
    SchemaChange,
    TableLayout,
    Transaction,
    WireColumn,
)
from rowferry.position import BinlogPosition, GtidSet
from rowferry.table_schema import Column, ColumnType, TableId, TableSchema
from rowferry.types import destination_type

INT = ColumnType("int", text="int(11)")
NAME = ColumnType("varchar", length=40, charset="utf8mb4", text="varchar(40)")
UTF8MB4_BIN = 46


def position(offset: int, file: int = 1, gtid_set: GtidSet | None = None) -> BinlogPosition:
    """A place in the binlog of the one server."""
    return BinlogPosition(f"binlog.{file:06d}", offset, gtid_set, "server")


def table(
    *columns: str,
    name: str = "patient",
    key: Sequence[str] = ("id",),
    engine: str = "InnoDB",
    types: Mapping[str, ColumnType] | None = None,
    key_index: str = "PRIMARY",
) -> TableSchema:
    """A table: `id` is an INT and every other column text, unless `types` says otherwise."""
    known = {"id": INT, **(types or {})}
    made = tuple(Column(c, known.get(c, NAME), c not in key) for c in columns or ("id", "name"))
    return TableSchema(TableId("clinic", name), made, tuple(key), engine, key_index)


def layout(schema: TableSchema) -> TableLayout:
    """The layout of its rows in the binlog."""
    columns = [
        WireColumn(c.name, 3, 0, nullable=c.nullable)
        if c.type.base == "int"
        else WireColumn(c.name, 15, 160, nullable=c.nullable, collation_id=UTF8MB4_BIN)
        for c in schema.columns
    ]
    return TableLayout(schema.id, tuple(columns))


def route(schema: TableSchema | None = None) -> Route:
    """A route of the table, or of `patient (id, name)`."""
    schema = schema or table()
    return make_route(schema, layout(schema))


def chunk(
    schema: TableSchema, rows: Sequence[RawRow], generation: int = 1, done: bool = False
) -> ChunkSegment:
    """A chunk of converted rows."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema.columns)
    arrays = {
        c.name: pa.array(values, destination_type(c.type).arrow)
        for c, values in zip(schema.columns, columns, strict=True)
    }
    mark = ChunkMark(schema.id, generation, None, len(rows), done)
    return ChunkSegment(schema, pa.table(arrays), mark)


def row_event(schema: TableSchema, content: bytes = b"row") -> RowEvent:
    """An event whose bytes are only told apart, never read."""
    return RowEvent(layout(schema), RowKind.INSERT, content, 0, len(content))


def decoded(path: Route, *rows: RawRow, kind: RowKind = RowKind.INSERT, size: int = 10) -> DecodedRows:
    """A decoded row event."""
    return DecodedRows(path, kind, list(rows), size)


def transaction(end: int, gtid: str = "", commit_time_us: int = 0) -> Transaction:
    """A transaction that ends there; its rows are given to the queue decoded."""
    return Transaction(gtid, commit_time_us, position(end), (), 0)


def ddl(statement: str, end: int) -> SchemaChange:
    """A DDL statement that ends there."""
    return SchemaChange(statement, "clinic", "", 0, position(end))
