"""The SELECT of a chunk: the next rows of a table after a key, in the server's own order.

Pure text. Ranges are compared by the server only, with the column's own collation: the last key goes
back as the bytes that the server sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rowferry.convert import select_expression
from rowferry.table_schema import Column, TableSchema

_NUMBER: Final = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?\Z")
_NUMERIC: Final = frozenset(
    {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double"}
)
_BYTES: Final = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})


def quote(name: str) -> str:
    """A MySQL identifier in backticks."""
    return "`" + name.replace("`", "``") + "`"


def qualified(table: TableSchema) -> str:
    """`database`.`table`."""
    return f"{quote(table.id.database)}.{quote(table.id.name)}"


def chunk_select(table: TableSchema, last_key: Sequence[str] | None, limit: int) -> str:
    """The next `limit` rows after `last_key` (as `encode_key` made it), or the first ones."""
    columns = ", ".join(select_expression(c, quote(c.name)) for c in table.columns)
    order = ", ".join(quote(k) for k in table.key)
    where = f" WHERE {_after(table, last_key)}" if last_key is not None else ""
    index = f" FORCE INDEX ({quote(table.key_index)})"
    return f"SELECT {columns} FROM {qualified(table)}{index}{where} ORDER BY {order} LIMIT {limit}"


def encode_key(values: Sequence[bytes]) -> tuple[str, ...]:
    """A key's text, as the server sent it, in hex."""
    return tuple(value.hex() for value in values)


def _after(table: TableSchema, last_key: Sequence[str]) -> str:
    columns = [c for k in table.key if (c := table.column(k)) is not None]
    literals = [_literal(c, bytes.fromhex(v)) for c, v in zip(columns, last_key, strict=True)]
    names = [quote(c.name) for c in columns]
    cases = []
    for depth in range(len(names)):
        equal = [f"{names[i]} = {literals[i]}" for i in range(depth)]
        cases.append("(" + " AND ".join([*equal, f"{names[depth]} > {literals[depth]}"]) + ")")
    return " OR ".join(cases)


def _literal(column: Column, value: bytes) -> str:
    if column.type.base in _NUMERIC:
        if not _NUMBER.match(value):
            raise ValueError(f"column {column.name}: not a number in the server's own output")
        return value.decode()
    if column.type.base in _BYTES:
        return f"X'{value.hex()}'"
    if column.type.charset:
        return f"_{column.type.charset} X'{value.hex()}'"
    return f"_latin1 X'{value.hex()}'"
