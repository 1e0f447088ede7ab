"""The tracking tables in the dataset: checkpoint, states of the tables, metrics of loads.

Builds statements and reads rows; what commits together is the caller's business. The checkpoint is
written only by a statement that also checks the fencing epoch, in the transaction of the data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from rowferry.batch import ChunkMark, CopyMark, CopyPlanned, KeyRange
from rowferry.changes import RowCounts, Statement
from rowferry.destination import Session, ddl, fetch, literal, name
from rowferry.position import BinlogPosition, GtidSet, MariadbGtidSet, MysqlGtidSet
from rowferry.quarantine import TABLE as QUARANTINE
from rowferry.quarantine import create_quarantine
from rowferry.requests import create_requests, prune_requests
from rowferry.schema_log import TABLE as SCHEMA_CHANGES
from rowferry.schema_log import create_schema_changes, prune_changes
from rowferry.table_schema import TableSchema

METRICS_KEPT_DAYS: Final = 30
NOTHING_COPIED: Final = (
    "Run `rowferry run`; if something was, its tracking tables are damaged: run `rowferry resync --all`"
)
_RELATIONS: Final = (
    "_rowferry_checkpoint",
    "_rowferry_tables",
    "_dlt_metrics",
    "_rowferry_quarantine",
    "_rowferry_requests",
    "_rowferry_freshness",
)
SAFE_AS_OF: Final = "rowferry_safe_as_of"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TableStatus(StrEnum):
    """What a table's copy is worth.

    held: its layout changed, and a person must agree. dropped: gone at the source; its last rows are kept.
    """

    COPYING = "copying"
    STREAMING = "streaming"
    HELD = "held"
    STOPPED = "stopped"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The binlog position that the dataset's rows correspond to."""

    source: str
    flavor: str
    position: BinlogPosition
    epoch: int
    load_id: str = ""
    commit_time_us: int = 0


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """How far the copy of a table has come.

    began: the load id before its first row. ranges: of its keys; none before it is planned. rows: read so
    far. total: rows that the table had, roughly, when the copy was planned.
    """

    began: str = ""
    ranges: tuple[KeyRange, ...] = ()
    rows: int = 0
    total: int = 0

    def after(self, mark: CopyMark) -> CopyProgress:
        """The progress once a mark of the copy has passed."""
        match mark:
            case CopyPlanned(ranges=ranges, total=total):
                return replace(self, ranges=ranges, total=total)
            case ChunkMark(part=part):
                moved = list(self.ranges)
                known = moved[part]
                moved[part] = replace(known, last_key=mark.last_key or known.last_key, done=mark.done)
                return replace(self, ranges=tuple(moved), rows=self.rows + mark.rows)
            case _:
                return self


@dataclass(frozen=True, slots=True)
class TableRecord:
    """A row of `_rowferry_tables`."""

    table: TableSchema
    status: TableStatus
    copy: CopyProgress = field(default_factory=CopyProgress)
    error: str = ""


def to_time(us: int) -> datetime | None:
    """A timestamp for Postgres out of microseconds since the epoch; None for 0."""
    return _EPOCH + timedelta(microseconds=us) if us else None


def create_tracking_tables(dataset: str) -> list[Statement]:
    """The schema, the tracking tables, the view and the function, each only if it is missing."""
    texts = [
        f"CREATE SCHEMA IF NOT EXISTS {name(dataset)}",
        f"CREATE SCHEMA IF NOT EXISTS {name(dataset + '_staging')}",
        f"""CREATE TABLE IF NOT EXISTS {name(dataset, "_rowferry_checkpoint")} (
            source text PRIMARY KEY, flavor text NOT NULL, server_identity text NOT NULL,
            binlog_file text NOT NULL, binlog_offset bigint NOT NULL, gtid_set text,
            commit_time timestamptz, applied_until timestamptz, load_id text NOT NULL DEFAULT '',
            epoch bigint NOT NULL, updated_at timestamptz NOT NULL DEFAULT now())""",
        f"""CREATE TABLE IF NOT EXISTS {name(dataset, "_rowferry_tables")} (
            table_name text PRIMARY KEY, state text NOT NULL, copy_began text NOT NULL DEFAULT '',
            copy_ranges jsonb NOT NULL DEFAULT '[]', copy_rows bigint NOT NULL DEFAULT 0,
            copy_total bigint NOT NULL DEFAULT 0,
            consistent_since timestamptz, as_of timestamptz, last_change timestamptz,
            rows_applied bigint NOT NULL DEFAULT 0, error text NOT NULL DEFAULT '',
            source_schema jsonb NOT NULL, updated_at timestamptz NOT NULL DEFAULT now())""",
        f"""ALTER TABLE {name(dataset, "_rowferry_tables")} DROP COLUMN IF EXISTS copy_last_key,
            DROP COLUMN IF EXISTS copy_done,
            ADD COLUMN IF NOT EXISTS copy_ranges jsonb NOT NULL DEFAULT '[]',
            ADD COLUMN IF NOT EXISTS copy_total bigint NOT NULL DEFAULT 0""",
        f"""CREATE TABLE IF NOT EXISTS {name(dataset, "_dlt_metrics")} (
            load_id text NOT NULL, table_name text NOT NULL, inserts bigint NOT NULL, updates bigint NOT NULL,
            deletes bigint NOT NULL, copied bigint NOT NULL, load_start timestamptz NOT NULL,
            load_end timestamptz NOT NULL, status text NOT NULL, source_commit_time timestamptz,
            PRIMARY KEY (load_id, table_name))""",
        create_quarantine(dataset),
        create_requests(dataset),
        create_schema_changes(dataset),
        f"""CREATE OR REPLACE VIEW {name(dataset, "_rowferry_freshness")} AS
            SELECT t.table_name, t.state,
                   CASE WHEN t.state = 'streaming' THEN c.applied_until ELSE t.as_of END AS as_of,
                   coalesce(q.rows, 0) AS rows_set_aside
            FROM {name(dataset, "_rowferry_tables")} t
            LEFT JOIN (SELECT table_name, count(*) AS rows FROM {name(dataset, QUARANTINE)}
                       GROUP BY table_name) q USING (table_name)
            CROSS JOIN {name(dataset, "_rowferry_checkpoint")} c""",
        _safe_as_of(dataset),
    ]
    return [ddl(text) for text in texts]


def _safe_as_of(dataset: str) -> str:
    """The function that gives the time up to which all tables are complete, whatever the search_path.

    The rows of a table without a key are those of its last copy while it waits for the next one.
    """
    body = (
        "SELECT CASE WHEN bool_and(f.as_of IS NOT NULL"
        " AND (f.state <> 'copying' OR t.source_schema -> 'key' = '[]'::jsonb)) THEN min(f.as_of) END"
        f" FROM {name(dataset, '_rowferry_freshness')} f"
        f" JOIN {name(dataset, '_rowferry_tables')} t USING (table_name) WHERE f.state <> 'dropped'"
    )
    return (
        f"CREATE OR REPLACE FUNCTION {name(dataset, SAFE_AS_OF)}() RETURNS timestamptz LANGUAGE sql STABLE"
        f" SET search_path = pg_catalog, pg_temp AS {literal(body.replace('%%', '%'))}"
    )


def has_tracking_tables(session: Session, dataset: str) -> bool:
    """Whether all that `create_tracking_tables` makes is there, what older versions did not make included."""
    sql = (
        "SELECT to_regprocedure(format('%%I.%%I()', %s::text, %s::text)) IS NOT NULL"
        " AND to_regclass(format('%%I.%%I', %s::text, %s::text)) IS NOT NULL"
    )
    names = [dataset, SAFE_AS_OF, dataset, SCHEMA_CHANGES]
    return has_copy(session, dataset) and bool(fetch(session, sql, names)[0][0])


def has_copy(session: Session, dataset: str) -> bool:
    """Whether the tables are there and can be read, an older version's too."""
    sql = (
        "SELECT bool_and(to_regclass(format('%%I.%%I', %s::text, t)) IS NOT NULL)"
        " AND EXISTS (SELECT 1 FROM pg_attribute WHERE attname = 'copy_ranges' AND NOT attisdropped"
        "   AND attrelid = to_regclass(format('%%I._rowferry_tables', %s::text)))"
        " FROM unnest(%s::text[]) AS t"
    )
    return bool(fetch(session, sql, [dataset, dataset, list(_RELATIONS)])[0][0])


def read_checkpoint(session: Session, dataset: str) -> Checkpoint | None:
    """The checkpoint, None before the first copy. Raises what `destination.fetch` raises."""
    rows = fetch(
        session,
        "SELECT source, flavor, server_identity, binlog_file, binlog_offset, gtid_set, epoch, load_id"
        f" FROM {name(dataset, '_rowferry_checkpoint')} WHERE %s",
        [True],
    )
    if not rows:
        return None
    source, flavor, identity, file, offset, gtid_text, epoch, load_id = rows[0]
    gtid_set: GtidSet | None = None
    if gtid_text is not None:
        gtid_set = (MariadbGtidSet if flavor == "mariadb" else MysqlGtidSet).parse(gtid_text)
    return Checkpoint(source, flavor, BinlogPosition(file, offset, gtid_set, identity), epoch, load_id)


def first_checkpoint(dataset: str, checkpoint: Checkpoint) -> Statement:
    """Insert the checkpoint of a new dataset."""
    position = checkpoint.position
    return Statement(
        f"INSERT INTO {name(dataset, '_rowferry_checkpoint')} (source, flavor, server_identity,"
        " binlog_file, binlog_offset, gtid_set, epoch, load_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            checkpoint.source,
            checkpoint.flavor,
            *_position_values(position),
            checkpoint.epoch,
            checkpoint.load_id,
        ],
        rows=1,
    )


def take_epoch(session: Session, dataset: str) -> int:
    """Fence off every instance that ran before; the new epoch."""
    rows = fetch(
        session,
        f"UPDATE {name(dataset, '_rowferry_checkpoint')} SET epoch = epoch + %s RETURNING epoch",
        [1],
    )
    return int(rows[0][0])


def newest_load_id(session: Session, dataset: str) -> str:
    """The newest load id in dlt's own record of loads; "" if there is none."""
    sql = "SELECT to_regclass(format('%%I._dlt_loads', %s::text)) IS NOT NULL"
    if not fetch(session, sql, [dataset])[0][0]:
        return ""
    newest = f'SELECT max(load_id COLLATE "C") FROM {name(dataset, "_dlt_loads")} WHERE %s'
    return str(fetch(session, newest, [True])[0][0] or "")


def save_checkpoint(dataset: str, checkpoint: Checkpoint, applied_until_us: int = 0) -> Statement:
    """Move the checkpoint. Touches no row, and so fails the transaction, if another epoch began."""
    return Statement(
        f"UPDATE {name(dataset, '_rowferry_checkpoint')} SET flavor = %s, server_identity = %s,"
        " binlog_file = %s, binlog_offset = %s, gtid_set = %s, commit_time = coalesce(%s, commit_time),"
        " applied_until = greatest(%s, applied_until), load_id = %s, updated_at = now()"
        " WHERE source = %s AND epoch = %s",
        [
            checkpoint.flavor,
            *_position_values(checkpoint.position),
            to_time(checkpoint.commit_time_us),
            to_time(applied_until_us),
            checkpoint.load_id,
            checkpoint.source,
            checkpoint.epoch,
        ],
        rows=1,
    )


def _position_values(position: BinlogPosition) -> list[Any]:
    gtid_set = None if position.gtid_set is None else str(position.gtid_set)
    return [position.identity, position.file, position.offset, gtid_set]


def read_tables(session: Session, dataset: str) -> dict[str, TableRecord]:
    """The known tables by name."""
    rows = fetch(
        session,
        "SELECT table_name, state, copy_began, copy_ranges, copy_rows, copy_total, error, source_schema"
        f" FROM {name(dataset, '_rowferry_tables')} WHERE %s",
        [True],
    )
    records = {}
    for table, state, began, ranges, copied, total, error, schema in rows:
        copy = CopyProgress(began, tuple(map(_range, ranges)), copied, total)
        records[table] = TableRecord(TableSchema.from_json(schema), TableStatus(state), copy, error)
    return records


def _range(document: dict[str, Any]) -> KeyRange:
    keys = [None if document[k] is None else tuple(document[k]) for k in ("last_key", "until")]
    return KeyRange(keys[0], keys[1], document["done"])


def save_table(dataset: str, record: TableRecord) -> Statement:
    """Write a table's whole row; its as_of stays, or becomes the checkpoint's when it leaves streaming."""
    copy = record.copy
    return Statement(
        f"INSERT INTO {name(dataset, '_rowferry_tables')} AS t (table_name, state, copy_began,"
        " copy_ranges, copy_rows, copy_total, error, source_schema) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (table_name) DO UPDATE SET state = excluded.state, copy_began = excluded.copy_began,"
        " copy_ranges = excluded.copy_ranges, copy_rows = excluded.copy_rows,"
        " copy_total = excluded.copy_total, error = excluded.error, source_schema = excluded.source_schema,"
        " as_of = CASE WHEN t.state = 'streaming' AND excluded.state <> 'streaming' THEN"
        f" (SELECT applied_until FROM {name(dataset, '_rowferry_checkpoint')}) ELSE t.as_of END,"
        " consistent_since = CASE WHEN excluded.state = 'streaming' AND t.state <> 'streaming' THEN now()"
        " WHEN excluded.state = 'streaming' THEN t.consistent_since END, updated_at = now()",
        [
            record.table.id.name,
            record.status.value,
            copy.began,
            json.dumps([asdict(r) for r in copy.ranges]),
            copy.rows,
            copy.total,
            record.error,
            json.dumps(record.table.to_json()),
        ],
    )


def forget_as_of(dataset: str, table: str) -> Statement:
    """The table is copied again because its rows are doubted: nobody knows as of when they are."""
    return Statement(
        f"UPDATE {name(dataset, '_rowferry_tables')} SET as_of = NULL WHERE table_name = %s", [table]
    )


def set_as_of(dataset: str, table: str, as_of_us: int) -> Statement:
    """The table's rows are complete as of this time of the source's clock (microseconds)."""
    return Statement(
        f"UPDATE {name(dataset, '_rowferry_tables')} SET as_of = %s WHERE table_name = %s",
        [to_time(as_of_us), table],
    )


def forget_tables(dataset: str, tables: Sequence[str]) -> Statement:
    """Remove the rows of tables that are no longer selected."""
    return Statement(
        f"DELETE FROM {name(dataset, '_rowferry_tables')} WHERE table_name = ANY(%s)", [list(tables)]
    )


def count_rows(dataset: str, table: str, counts: RowCounts, commit_time_us: int) -> Statement:
    """Add what a load did to a table's row."""
    return Statement(
        f"UPDATE {name(dataset, '_rowferry_tables')} SET rows_applied = rows_applied + %s,"
        " last_change = coalesce(%s, last_change), updated_at = now() WHERE table_name = %s",
        [counts.inserts + counts.updates + counts.deletes, to_time(commit_time_us), table],
    )


def load_metrics(
    dataset: str, load_id: str, table: str, counts: RowCounts, started_us: int, commit_time_us: int
) -> Statement:
    """A row of `_dlt_metrics`: what one load did to one table. started_us: microseconds since the epoch."""
    return Statement(
        f"INSERT INTO {name(dataset, '_dlt_metrics')} (load_id, table_name, inserts, updates, deletes,"
        " copied, load_start, load_end, status, source_commit_time)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp(), 'completed', %s)",
        [
            load_id,
            table,
            counts.inserts,
            counts.updates,
            counts.deletes,
            counts.copied,
            to_time(started_us),
            to_time(commit_time_us),
        ],
    )


def sweep(dataset: str, table: str, began: str, last: str) -> Statement:
    """Delete the rows that neither the copy nor the stream has written since the copy began.

    last: the newest load id in use; a row with a later one was written by somebody else.
    """
    return Statement(
        f'DELETE FROM {name(dataset, table)} WHERE "_dlt_load_id" COLLATE "C" <= %s'
        ' OR "_dlt_load_id" COLLATE "C" > %s',
        [began, last],
    )


def replace_rows(dataset: str, table: str, load_id: str) -> Statement:
    """Delete all rows but those of one load."""
    return Statement(f'DELETE FROM {name(dataset, table)} WHERE "_dlt_load_id" <> %s', [load_id])


def prune(dataset: str) -> list[Statement]:
    """Bound the tables that grow by a row a load: `_dlt_metrics` and dlt's `_dlt_loads`."""
    days = timedelta(days=METRICS_KEPT_DAYS)
    return [
        Statement(f"DELETE FROM {name(dataset, '_dlt_metrics')} WHERE load_end < now() - %s", [days]),
        Statement(f"DELETE FROM {name(dataset, '_dlt_loads')} WHERE inserted_at < now() - %s", [days]),
        prune_requests(dataset),
        prune_changes(dataset),
    ]
