"""The SELECT of rows by their keys' texts, as `policies.key_text` made them.

Pure text. Values go into it as hexadecimal literals, or as decimal digits that were checked.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import Final

from rowferry.chunk_sql import qualified, quote
from rowferry.convert import select_expression
from rowferry.table_schema import Column, TableSchema

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
_FLOAT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[-+][0-9]+)?\Z")
_BITS: Final = re.compile(r"[01]+\Z")
_NUMBERS: Final = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year"})


def rows_select(table: TableSchema, keys: Sequence[Sequence[str]]) -> str:
    """All columns of the rows with those keys. Raises ValueError for a text that no such key has."""
    columns = ", ".join(select_expression(c, quote(c.name)) for c in table.columns)
    return f"SELECT {columns} FROM {qualified(table)} WHERE {with_keys(table, keys)}"


def with_keys(table: TableSchema, keys: Sequence[Sequence[str]]) -> str:
    """The condition that a row has one of those keys, as the column's collation compares them.

    Raises ValueError for a text that no such key has.
    """
    parts = [c for k in table.key if (c := table.column(k)) is not None]
    wanted = [
        " AND ".join(f"{quote(c.name)} = {_literal(c, text)}" for c, text in zip(parts, key, strict=True))
        for key in keys
    ]
    return " OR ".join(f"({each})" for each in wanted)


def _literal(column: Column, text: str) -> str:
    kind = column.type
    if text.startswith("hex:"):
        return _bytes(bytes.fromhex(text.removeprefix("hex:")), kind.charset)
    text = text.removeprefix("text:")
    if kind.base == "bit" and len(text) == (kind.length or 1):  # else a number: an override made it one
        return f"b'{_checked(_BITS, column, text)}'"
    if kind.base in _NUMBERS or kind.base == "bit":
        return _checked(_NUMBER, column, text)
    if kind.base in ("float", "double"):
        return _double(kind.base, _checked(_FLOAT, column, text))
    if kind.charset:
        return _bytes(text.encode(), "utf8mb4")
    if column.policy.as_type == "uuid" and kind.base in ("binary", "varbinary"):
        return f"X'{text.replace('-', '')}'"
    return _bytes(text.encode(), "latin1")


def _checked(form: re.Pattern[str], column: Column, text: str) -> str:
    if not form.match(text):
        raise ValueError(f"column {column.name}: the key's text is no number")
    return text


def _double(base: str, text: str) -> str:
    """As the server compares it: a FLOAT becomes the double of its bits."""
    number = float(text)
    return repr(struct.unpack("<f", struct.pack("<f", number))[0] if base == "float" else number)


def _bytes(value: bytes, charset: str | None) -> str:
    return f"_{charset} X'{value.hex()}'" if charset else f"X'{value.hex()}'"
