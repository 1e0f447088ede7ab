"""Keys as texts (`policies.key_text`), from the source's bytes and from Postgres's texts, and back.

Pure. The texts of a key are the same by every way, so that a row of the source and its copy are known by
them, and a row that is set aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from rowferry.carry import Form, UnfitKey, carry_keys
from rowferry.changes import RawRow
from rowferry.key_texts import as_source_prints
from rowferry.overrides import column_type
from rowferry.policies import select_column, texts_of_keys
from rowferry.row_text import key_columns, row_text
from rowferry.table_schema import Column, TableSchema

_ORDERED: Final = frozenset(
    {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year", "binary", "varbinary"}
)
_MARKS: Final = ("hex:", "text:")


@dataclass(frozen=True, slots=True)
class SourceKey:
    """A key of the source. fit: whether the destination's type can hold it."""

    texts: tuple[str, ...]
    fit: bool = True


def key_form(table: TableSchema) -> Form:
    """How rows that are keys alone become columns. Raises UnsupportedType."""
    return Form(table, table.key, tuple(select_column(c, key=True) for c in key_columns(table)))


def source_keys(form: Form, rows: Sequence[RawRow]) -> list[SourceKey]:
    """The keys of rows that hold the key's columns as a SELECT sends them."""
    if not rows:
        return []
    columns = key_columns(form.table)
    carried, unfit = carry_keys(form, rows)
    if not unfit:
        texts = [texts_of_keys(carried.column(c.name).combine_chunks(), c) for c in columns]
        return [SourceKey(key) for key in zip(*texts, strict=True)]
    return [SourceKey(form.key_texts(row), not isinstance(form.identity(row), UnfitKey)) for row in rows]


def ordered_alike(table: TableSchema) -> bool:
    """Whether Postgres orders the table's keys as the source does, and can hold all of them."""
    return all(c.type.base in _ORDERED and not (c.policy.as_type or c.kept) for c in key_columns(table))


def unmatched(table: TableSchema) -> str:
    """Why the keys of both sides cannot be matched by their texts; "" if they can. Raises UnsupportedType."""
    odd = [c.name for c in key_columns(table) if not row_text(c, key=True).exact]
    return f"the key's column {odd[0]} has no exact text" if odd else ""


def there_key(table: TableSchema, texts: Sequence[str]) -> tuple[str, ...]:
    """The key texts for a key as Postgres prints it (`::text`)."""
    return tuple(_from_postgres(c, t) for c, t in zip(key_columns(table), texts, strict=True))


def _from_postgres(column: Column, text: str) -> str:
    arrow = column_type(column).arrow
    if pa.types.is_large_binary(arrow):
        return "hex:" + text.removeprefix("\\x")
    if pa.types.is_boolean(arrow):
        return "1" if text == "true" else "0"
    if pa.types.is_timestamp(arrow):
        return as_source_prints(column, text.removesuffix("+00"))
    if column.type.base == "year":
        return as_source_prints(column, text).zfill(4)
    text = as_source_prints(column, text)
    return f"text:{text}" if text.startswith(_MARKS) else text


def cast_type(column: Column) -> str:
    """The Postgres type to which a key's text is cast: one that cuts nothing off."""
    postgres = column_type(column).postgres
    return "text" if postgres.startswith("varchar") else postgres


def parameter(text: str) -> str:
    """A key's text as Postgres reads it."""
    if text.startswith("hex:"):
        return "\\x" + text.removeprefix("hex:")
    return text.removeprefix("text:")
