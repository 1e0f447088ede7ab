"""The source's half of `verify`: SELECTs of checksums of key ranges, and of single rows' digests.

Pure text. A row's digest is the SHA-256 of its columns' texts (`row_text`), in hexadecimal. The checksum of
rows is their number and two sums over 48 bits of each digest, which both servers compute exactly; rows
are added up in any order. A bucket is the first byte of the digest of the key alone, in hexadecimal.
(MySQL has SHA2 in the server; MD5 is an extension from 9.6 on:
https://dev.mysql.com/doc/refman/9.7/en/encryption-functions.html.)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from rowferry.chunk_sql import qualified, quote, within
from rowferry.convert import select_expression
from rowferry.key_sql import with_keys
from rowferry.row_text import NOT_CARRIED, NULL, key_columns, row_text
from rowferry.table_schema import Column, TableSchema

Bound = Sequence[str] | None
"""A key as `chunk_sql.encode_key` makes it; None: no bound."""

_SUMS: Final = ", ".join(
    [
        "COUNT(*)",
        *(f"COALESCE(SUM(CAST(CONV(SUBSTR(h, {at}, 12), 16, 10) AS UNSIGNED)), 0)" for at in (1, 13)),
    ]
)
_ALL: Final = "LIMIT 18446744073709551615"
"""So that the digests are computed once, and not once for each sum."""


def digest(columns: Sequence[Column], key: Sequence[str]) -> str:
    """The expression for the digest of these columns. Raises UnsupportedType."""
    texts = ", ".join(_text(column, key=column.name in key) for column in columns)
    return f"SHA2(CONCAT_WS(',', {texts}), 256)"


def _text(column: Column, *, key: bool) -> str:
    """A column's text. If the server cannot make one of a value (too long, say), it equals none."""
    quoted = quote(column.name)
    text = row_text(column, key=key)
    return f"IF({quoted} IS NULL, {NULL}, IFNULL({text.in_source(quoted)}, {NOT_CARRIED}))"


def sums_select(table: TableSchema, low: Bound, high: Bound) -> str:
    """The checksum of the rows behind `low` and not behind `high`: one row. Raises UnsupportedType."""
    rows = _digests(table, low, high)
    return f"SELECT {_SUMS} FROM ({rows} {_ALL}) AS r"


def bucket_sums_select(table: TableSchema, low: Bound, high: Bound) -> str:
    """The same, for each bucket that has rows: the bucket, then its checksum. Raises UnsupportedType."""
    rows = _digests(table, low, high, f", {_bucket(table)} AS b")
    return f"SELECT b, {_SUMS} FROM ({rows} {_ALL}) AS r GROUP BY b"


def digests_select(table: TableSchema, low: Bound, high: Bound, buckets: Collection[str] = ()) -> str:
    """The digest and the key's columns of each row of a range; with `buckets`, of those buckets only.

    Raises UnsupportedType.
    """
    rows = _digests(table, low, high, ", " + _key(table))
    if not buckets:
        return rows
    wanted = ", ".join(f"'{int(bucket, 16):02x}'" for bucket in buckets)
    link = "AND" if low is not None or high is not None else "WHERE"
    return f"{rows} {link} {_bucket(table)} IN ({wanted})"


def digests_by_key(table: TableSchema, keys: Sequence[Sequence[str]]) -> str:
    """The digest and the key's columns of the rows that the collation takes for those key texts.

    Raises UnsupportedType, ValueError (see `key_sql`).
    """
    where = with_keys(table, keys)
    return f"SELECT {_of_row(table)} AS h, {_key(table)} FROM {qualified(table)} WHERE {where}"


def whole_rows_by_key(table: TableSchema, keys: Sequence[Sequence[str]]) -> str:
    """The same, and then all columns as a chunk's SELECT has them."""
    columns = ", ".join(select_expression(c, quote(c.name)) for c in table.columns)
    where = with_keys(table, keys)
    return f"SELECT {_of_row(table)} AS h, {columns} FROM {qualified(table)} WHERE {where}"


def _digests(table: TableSchema, low: Bound, high: Bound, more: str = "") -> str:
    index = f" FORCE INDEX ({quote(table.key_index)})" if table.key else ""
    where = within(table, low, high)
    return f"SELECT {_of_row(table)} AS h{more} FROM {qualified(table)}{index}{where}"


def _of_row(table: TableSchema) -> str:
    return digest(table.columns, table.key)


def _bucket(table: TableSchema) -> str:
    return f"SUBSTR({digest(key_columns(table), table.key)}, 1, 2)"


def _key(table: TableSchema) -> str:
    return ", ".join(select_expression(c, quote(c.name)) for c in key_columns(table))
