"""The SELECT of a chunk: the next rows of a table after a key, in the server's own order.

Pure text. Ranges are compared by the server only, with the column's own collation: the last key goes
back as the bytes that the server sent. ENUM and SET are ordered by their number, not by their text: a
key of theirs goes back as that number, which the SELECT asks for besides the columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rowferry.convert import select_expression
from rowferry.table_schema import Column, TableSchema

_NUMBER: Final = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?\Z")
_NUMERIC: Final = frozenset(
    {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "year"}
)
_BY_NUMBER: Final = frozenset({"enum", "set"})
_BYTES: Final = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})


def quote(name: str) -> str:
    """A MySQL identifier in backticks."""
    return "`" + name.replace("`", "``") + "`"


def qualified(table: TableSchema) -> str:
    """`database`.`table`."""
    return f"{quote(table.id.database)}.{quote(table.id.name)}"


def chunk_select(
    table: TableSchema, last_key: Sequence[str] | None, limit: int, until: Sequence[str] | None = None
) -> str:
    """The next `limit` rows after `last_key` (as `encode_key` made it), or the first ones.

    until: the last key that counts. Both may be the first columns of a key: after all rows that begin so,
    and up to the last of them. A row holds the table's columns, and what `key_values` needs behind them.
    """
    selected = [select_expression(c, quote(c.name)) for c in table.columns]
    columns = ", ".join([*selected, *map(_number, _by_number(table))])
    order = ", ".join(quote(k) for k in table.key)
    bounds = [_beyond(table, last_key, ">")] if last_key is not None else []
    bounds += [_until(table, until)] if until is not None else []
    where = " AND ".join(f"({bound})" for bound in bounds) if len(bounds) > 1 else "".join(bounds)
    where = f" WHERE {where}" if where else ""
    return f"SELECT {columns} FROM {qualified(table)}{_by_key(table)}{where} ORDER BY {order} LIMIT {limit}"


def whole_select(table: TableSchema, limit: int) -> str:
    """All rows of a table without a key, in any order; up to `limit`."""
    columns = ", ".join(select_expression(c, quote(c.name)) for c in table.columns)
    return f"SELECT {columns} FROM {qualified(table)} LIMIT {limit}"


def key_bounds_select(table: TableSchema) -> str:
    """The least and the greatest value of the key's first column."""
    lead = quote(table.key[0])
    return f"SELECT MIN({lead}), MAX({lead}) FROM {qualified(table)}{_by_key(table)}"


def _by_key(table: TableSchema) -> str:
    return f" FORCE INDEX ({quote(table.key_index)})"


def key_values(table: TableSchema, row: Sequence[bytes]) -> list[bytes]:
    """The key of a row of `chunk_select`, in the form in which it is compared."""
    found = dict(zip((c.name for c in table.columns), row, strict=False))
    found.update(zip((c.name for c in _by_number(table)), row[len(table.columns) :], strict=True))
    return [found[k] for k in table.key]


def encode_key(values: Sequence[bytes]) -> tuple[str, ...]:
    """A key's text, as the server sent it, in hex."""
    return tuple(value.hex() for value in values)


def can_follow(table: TableSchema, values: Sequence[bytes]) -> bool:
    """Whether `chunk_select` can ask for what comes after a key, as the server sent it."""
    columns = [c for k in table.key if (c := table.column(k)) is not None]
    return all(_NUMBER.match(v) for c, v in zip(columns, values, strict=True) if _is_number(c))


def _is_number(column: Column) -> bool:
    return column.type.base in _NUMERIC | _BY_NUMBER


def _by_number(table: TableSchema) -> list[Column]:
    columns = [c for k in table.key if (c := table.column(k)) is not None]
    return [c for c in columns if c.type.base in _BY_NUMBER]


def _number(column: Column) -> str:
    return f"CAST({quote(column.name)} AS UNSIGNED)"


def within(table: TableSchema, low: Sequence[str] | None, high: Sequence[str] | None) -> str:
    """` WHERE ...` for the rows behind `low` and not behind `high`; None: without that bound."""
    bounds = [f"({_beyond(table, low, '>')})"] if low is not None else []
    bounds += [f"({_until(table, high)})"] if high is not None else []
    return " WHERE " + " AND ".join(bounds) if bounds else ""


def boundary_select(
    table: TableSchema, low: Sequence[str] | None, high: Sequence[str] | None, rows: int
) -> str:
    """The key of the row that is `rows` rows behind `low`, in the form in which keys are compared.

    No row comes where so many do not follow, or not up to `high`.
    """
    columns = [c for k in table.key if (c := table.column(k)) is not None]
    names = ", ".join(_number(c) if c.type.base in _BY_NUMBER else quote(c.name) for c in columns)
    order = ", ".join(quote(k) for k in table.key)
    place = f"{_by_key(table)}{within(table, low, high)}"
    return f"SELECT {names} FROM {qualified(table)}{place} ORDER BY {order} LIMIT 1 OFFSET {rows - 1}"


def _beyond(table: TableSchema, key: Sequence[str], sign: str) -> str:
    names, literals = _sides(table, key)
    cases = []
    for depth in range(len(names)):
        equal = [f"{names[i]} = {literals[i]}" for i in range(depth)]
        cases.append("(" + " AND ".join([*equal, f"{names[depth]} {sign} {literals[depth]}"]) + ")")
    return " OR ".join(cases)


def _sides(table: TableSchema, key: Sequence[str]) -> tuple[list[str], list[str]]:
    columns = [c for k in table.key[: len(key)] if (c := table.column(k)) is not None]
    literals = [_literal(c, bytes.fromhex(v)) for c, v in zip(columns, key, strict=True)]
    return [_compared(c) for c in columns], literals


def _equal(table: TableSchema, key: Sequence[str]) -> str:
    return " AND ".join(f"{a} = {b}" for a, b in zip(*_sides(table, key), strict=True))


def _until(table: TableSchema, key: Sequence[str]) -> str:
    """Keys that begin so, and all before them."""
    before, last = _beyond(table, key, "<"), _equal(table, key)
    return f"{before} OR ({last})" if len(key) > 1 else _beyond(table, key, "<=")


def _compared(column: Column) -> str:
    """The side of the comparison that is the column's.

    The servers compare a SET of 64 labels with a number as a signed double, hence the cast.
    """
    return _number(column) if column.type.base == "set" else quote(column.name)


def _literal(column: Column, value: bytes) -> str:
    if column.type.base == "bit":
        return str(int.from_bytes(value, "big"))
    if _is_number(column):
        if not _NUMBER.match(value):
            raise ValueError(f"column {column.name}: not a number in the server's own output")
        return value.decode()
    if column.type.base in _BYTES:
        return f"X'{value.hex()}'"
    if column.type.charset:
        return f"_{column.type.charset} X'{value.hex()}'"
    return f"_latin1 X'{value.hex()}'"
