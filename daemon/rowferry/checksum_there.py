"""The destination's half of `verify`: the same checksums and digests as `checksum_sql`, in Postgres's SQL.

Statements with parameters; keys go into them as the texts of `policies.key_text`, and Postgres casts them.
Where a row is told, its version (xmin) is told, too: no two writings of a row have the same.
See https://www.postgresql.org/docs/current/functions-binarystring.html.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from rowferry.changes import Statement
from rowferry.destination import name
from rowferry.row_text import key_columns, row_text
from rowferry.table_schema import Column, TableSchema
from rowferry.verify_keys import cast_type, parameter

Texts = Sequence[str] | None
"""A key as its texts; None: no bound."""

_SUMS: Final = ", ".join(
    ["count(*)", *(f"coalesce(sum(('x' || substr(h, {at}, 12))::bit(48)::bigint), 0)" for at in (1, 13))]
)
SESSION: Final = (
    "SET DateStyle = 'ISO, YMD'",
    "SET IntervalStyle = 'postgres'",
    "SET extra_float_digits = 1",
)
"""How values must be printed in the session that runs these statements."""


def digest_there(columns: Sequence[Column], key: Sequence[str]) -> str:
    """The expression for the digest of these columns of table `t`. Raises UnsupportedType."""
    texts = [row_text(c, key=c.name in key).in_destination(_of(c)) for c in columns]
    return (
        f"encode(sha256(convert_to(array_to_string(ARRAY[{', '.join(texts)}]::text[], ',', 'N'), 'UTF8')),"
        " 'hex')"
    )


def sums_there(dataset: str, table: TableSchema, low: Texts, high: Texts) -> Statement:
    """The checksum of the rows behind `low` and not behind `high`: one row. Raises UnsupportedType."""
    where, parameters = _within(table, low, high)
    rows = _digests(dataset, table, where)
    return Statement(f"SELECT {_SUMS} FROM ({rows} OFFSET 0) AS r", parameters)


def bucket_sums_there(dataset: str, table: TableSchema) -> Statement:
    """The checksum of each bucket that has rows: the bucket, then its checksum. Raises UnsupportedType."""
    rows = _digests(dataset, table, " WHERE %s", f", {_bucket(table)} AS b")
    return Statement(f"SELECT b, {_SUMS} FROM ({rows} OFFSET 0) AS r GROUP BY b", [True])


def digests_there(dataset: str, table: TableSchema, low: Texts, high: Texts, most: int) -> Statement:
    """Digest, version and key of the rows of a range, not more than `most`. Raises UnsupportedType."""
    where, parameters = _within(table, low, high)
    return Statement(_digests(dataset, table, f"{where} LIMIT %s", _told(table)), [*parameters, most])


def bucket_digests_there(dataset: str, table: TableSchema, buckets: Collection[str], most: int) -> Statement:
    """The same of some buckets. Raises UnsupportedType."""
    where = f" WHERE {_bucket(table)} = ANY(%s) LIMIT %s"
    return Statement(_digests(dataset, table, where, _told(table)), [sorted(buckets), most])


def digests_there_by_key(dataset: str, table: TableSchema, keys: Sequence[Sequence[str]]) -> Statement:
    """The same of the rows with those key texts, which Postgres must be able to cast."""
    columns = key_columns(table)
    wanted = ", ".join(f"k{i}" for i in range(len(columns)))
    arrays = ", ".join("%s::text[]" for _ in columns)
    same = " AND ".join(f"{_of(c)} = w.k{i}::{cast_type(c)}" for i, c in enumerate(columns))
    parameters = [[parameter(key[i]) for key in keys] for i in range(len(columns))]
    join = f" JOIN unnest({arrays}) AS w({wanted}) ON {same}"
    return Statement(_digests(dataset, table, join, _told(table)), parameters)


def _digests(dataset: str, table: TableSchema, where: str, more: str = "") -> str:
    row = digest_there(table.columns, table.key)
    return f"SELECT {row} AS h{more} FROM {name(dataset, table.there)} AS t{where}"


def _told(table: TableSchema) -> str:
    return ", t.xmin::text, " + ", ".join(f"{_of(c)}::text" for c in key_columns(table))


def _bucket(table: TableSchema) -> str:
    return f"substr({digest_there(key_columns(table), table.key)}, 1, 2)"


def _of(column: Column) -> str:
    return f"t.{name(column.there)}"


def _within(table: TableSchema, low: Texts, high: Texts) -> tuple[str, list[Any]]:
    columns = key_columns(table)
    row = ", ".join(map(_of, columns))
    casts = ", ".join(f"%s::{cast_type(c)}" for c in columns)
    conditions, given = ["%s"], list[Any]([True])
    for bound, operator in ((low, ">"), (high, "<=")):
        if bound is not None:
            conditions.append(f"({row}) {operator} ({casts})")
            given += map(parameter, bound)
    return f" WHERE {' AND '.join(conditions)}", given
