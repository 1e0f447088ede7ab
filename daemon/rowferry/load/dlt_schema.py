"""Rowferry's table schemas as dlt schemas: the published one of all tables, and a package's small one.

Pure. Identifiers are the source's; the `direct` naming convention is declared so that dlt leaves
them alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, Final

import pyarrow as pa
from dlt.common.schema import Schema
from dlt.common.schema.utils import pipeline_state_table

from rowferry.load.merge import LOAD_ID, LOADED_AT
from rowferry.overrides import column_type
from rowferry.table_schema import Column, TableSchema
from rowferry.types import seconds_digits

Document = dict[str, Any]
_SEEN: Final = {"seen-data": True}


def base_document(name: str) -> Document:
    """A stored schema that holds dlt's own tables only."""
    schema = Schema(name, normalizers={"names": "direct"})
    document: Document = dict(schema.to_dict())
    state = pipeline_state_table(add_dlt_id=True)
    document["tables"][state["name"]] = {**state, "x-normalizer": _SEEN}
    return document


def with_tables(base: Document, tables: Iterable[tuple[str, TableSchema]]) -> Document:
    """`base` and the given tables, each under its given name. Shares nothing, since dlt writes to it."""
    document = copy.deepcopy(base)
    document["tables"].update((n, _table(n, table)) for n, table in tables if n not in base["tables"])
    return document


def _table(name: str, table: TableSchema) -> Document:
    columns = {c.name: _column(c, key=c.name in table.key) for c in table.columns}
    columns[LOADED_AT] = {"name": LOADED_AT, "data_type": "timestamp", "nullable": True}
    columns[LOAD_ID] = {"name": LOAD_ID, "data_type": "text", "nullable": True}
    return {
        "name": name,
        "columns": columns,
        "write_disposition": "merge",
        "x-merge-strategy": "upsert",
        "resource": name,
        "x-normalizer": _SEEN,
    }


def _column(column: Column, *, key: bool) -> Document:
    document: Document = {"name": column.name, **_data_type(column)}
    document["nullable"] = column.nullable and not key
    if key:
        document["primary_key"] = True
    return document


def _data_type(column: Column) -> Document:
    """dlt's data type and its parameters."""
    kind = column_type(column)
    if kind.postgres == "jsonb":
        return {"data_type": "json"}
    arrow = kind.arrow
    found = (describe(arrow, column) for is_kind, describe in _KINDS if is_kind(arrow))
    return next(found, {"data_type": "text"})


_KINDS: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType, Column], Document]], ...]] = (
    (pa.types.is_boolean, lambda _, __: {"data_type": "bool"}),
    (pa.types.is_uint64, lambda _, __: {"data_type": "decimal", "precision": 20, "scale": 0}),
    (pa.types.is_integer, lambda t, _: {"data_type": "bigint", "precision": t.bit_width}),
    (pa.types.is_decimal, lambda t, _: {"data_type": "decimal", "precision": t.precision, "scale": t.scale}),
    (pa.types.is_timestamp, lambda t, c: {"data_type": "timestamp", **_timestamp(t, c)}),
    (pa.types.is_floating, lambda _, __: {"data_type": "double"}),
    (pa.types.is_date, lambda _, __: {"data_type": "date"}),
    (pa.types.is_binary, lambda _, __: {"data_type": "binary"}),
    (pa.types.is_large_binary, lambda _, __: {"data_type": "binary"}),
)


def _timestamp(arrow: pa.DataType, column: Column) -> Document:
    digits = seconds_digits(column_type(column).postgres)
    return {"timezone": arrow.tz is not None, "precision": digits}
