"""The SELECTs of the copy: what a SELECT is known to see, the ranges of a table, and a chunk's rows.

No locks beyond the SELECT's own, no objects in the source. A SELECT that takes too long is ended by the
server, and asked for again with fewer rows.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.batch import KeyRange
from rowferry.chunk_sql import can_follow, chunk_select, encode_key, key_bounds_select, key_values
from rowferry.copy_pace import Pace
from rowferry.errors import ConfigurationError, SchemaMoved, SelectTooLong, TableStopped
from rowferry.mysql_source import SourceServer, executed_gtid_set, query
from rowferry.position import BinlogPosition
from rowferry.raw_rows import select_columns
from rowferry.table_schema import TableSchema
from rowferry.text_columns import RawColumns
from rowferry.touched import Settled, SettledPosition, SettledSet, SettledTime

MIN_RANGE_ROWS: Final = 50_000
_WHOLE: Final = re.compile(rb"-?[0-9]+")
_INTEGERS: Final = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_ROWS: Final = "SELECT TABLE_NAME, TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a SELECT found. last_key: of the last row. done: nothing comes after it."""

    found: RawColumns
    last_key: tuple[str, ...] | None
    done: bool


def settles_by_time(server: SourceServer, table: TableSchema) -> bool:
    """Whether only time tells what a SELECT sees: no GTIDs (MySQL), or no snapshot (MariaDB, not InnoDB)."""
    if server.is_mariadb:
        return table.engine.lower() != "innodb"
    return not server.gtid


def observe(
    rows: Connection[Any], server: SourceServer, table: TableSchema, settle_seconds: float
) -> Settled:
    """What the next SELECT on the connection sees; on MariaDB a snapshot is opened for it."""
    if settles_by_time(server, table):
        return SettledTime(time.monotonic() - settle_seconds)
    if server.is_mariadb:
        return _snapshot(rows, server)
    return SettledSet(executed_gtid_set(rows))


def _snapshot(rows: Connection[Any], server: SourceServer) -> SettledPosition:
    query(rows, "ROLLBACK")
    query(rows, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
    found = {k.lower(): v for k, v in query(rows, "SHOW STATUS LIKE 'binlog_snapshot_%'")}
    file, offset = found[b"binlog_snapshot_file"], found[b"binlog_snapshot_position"]
    return SettledPosition(BinlogPosition(file.decode(), int(offset), None, server.identity))


def table_sizes(rows: Connection[Any], database: str) -> dict[str, int]:
    """Rows of each table, as the server estimates them."""
    return {name.decode(): int(count or 0) for name, count in query(rows, _ROWS, (database,))}


def plan_ranges(rows: Connection[Any], table: TableSchema, size: int, most: int) -> tuple[KeyRange, ...]:
    """Up to `most` ranges that hold every key together; several only if an integer leads the key.

    Bounds are cut out of the least and the greatest number, which the key's index knows; they are no numbers
    if the key has just got another type.
    """
    count = min(most, size // MIN_RANGE_ROWS)
    lead = table.column(table.key[0]) if table.key else None
    if count < 2 or lead is None or lead.type.base not in _INTEGERS:
        return (KeyRange(),)
    [(least, greatest)] = query(rows, key_bounds_select(table))
    if not (_WHOLE.fullmatch(least or b"") and _WHOLE.fullmatch(greatest)):
        return (KeyRange(),)
    low, high = int(least), int(greatest)
    cuts = sorted({low + (high - low) * n // count for n in range(1, count)} - {high})
    bounds = [encode_key([str(cut).encode()]) for cut in cuts]
    return tuple(KeyRange(last, until) for last, until in zip([None, *bounds], [*bounds, None], strict=True))


def read_chunk(
    rows: Connection[Any],
    server: SourceServer,
    table: TableSchema,
    part: KeyRange,
    pace: Pace,
    limit_seconds: float,
) -> Rows:
    """The next rows of a range. Raises TableStopped, SchemaMoved, SelectTooLong (the pace has shrunk)."""
    asked, can_shrink = pace.rows, pace.can_shrink
    sql = chunk_select(table, part.last_key, asked, part.until)
    if can_shrink:
        sql = limited(sql, server, limit_seconds)
    started = time.monotonic()
    try:
        found = select(table, sql, rows)
    except SelectTooLong:
        pace.too_long(asked)
        raise
    pace.took(time.monotonic() - started, asked, len(found))
    _require_keys(table, found)
    key = encode_key(key_values(table, found[-1])) if len(found) else None
    return Rows(found.first_columns(len(table.columns)), key, len(found) < asked)


def _require_keys(table: TableSchema, found: RawColumns) -> None:
    """Raise SchemaMoved if what is the key can be NULL now, or is a number no longer."""
    keys = [i for i, column in enumerate(table.columns) if column.name in table.key]
    moved = any(found.columns[i].null_count for i in keys)
    if moved or (len(found) and not can_follow(table, key_values(table, found[-1]))):
        raise SchemaMoved("copy", f"table {table.id}", reason="what was its key is none any more")


def too_many_rows(table: TableSchema, most: int) -> TableStopped:
    """The error for a table without a key that is too large to be copied whole again and again."""
    return TableStopped(
        "copy",
        f"table {table.id}",
        reason=f"it has no key, and more rows than copy.keyless_max_rows ({most:,})",
        hint=f"Give it a primary key, then run `rowferry resync {table.id.name}`; or exclude it",
    )


def limited(sql: str, server: SourceServer, seconds: float) -> str:
    """A SELECT that the server gives up after some time.

    See https://mariadb.com/kb/en/aborting-statements/ and
    https://dev.mysql.com/doc/refman/8.4/en/optimizer-hints.html#optimizer-hints-execution-time.
    """
    if server.is_mariadb:
        return f"SET STATEMENT max_statement_time = {seconds:.3f} FOR {sql}"
    return sql.replace("SELECT ", f"SELECT /*+ MAX_EXECUTION_TIME({max(1, int(seconds * 1000))}) */ ", 1)


def select(table: TableSchema, sql: str, rows: Connection[Any]) -> RawColumns:
    """All rows of a SELECT; its snapshot is let go of, so that no ALTER TABLE in the source waits for it.

    Raises TableStopped with a way out if the server cannot read the table.
    """
    try:
        found = select_columns(rows, sql)
    except ConfigurationError as error:
        hint = f"Give the account SELECT on it, then run `rowferry resync {table.id.name}`"
        raise TableStopped("copy", f"table {table.id}", reason=error.reason, hint=hint) from None
    except TableStopped as error:
        hint = f"Run REPAIR TABLE in the source, then `rowferry resync {table.id.name}`"
        raise TableStopped("copy", f"table {table.id}", reason=error.reason, hint=hint) from None
    query(rows, "ROLLBACK")
    return found
