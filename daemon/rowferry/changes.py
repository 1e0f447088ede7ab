"""The types that flow from the binlog to the load, in the field's terms.

Frozen values; the tuples of row values are the decoder's raw ones (`decode`), columns are Arrow's
(`convert`). No type here that carries changes has a position: only a whole `Transaction` ends
somewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from rowferry.position import BinlogPosition
    from rowferry.table_schema import TableId, TableSchema

RawRow = tuple[Any, ...]


class RowKind(Enum):
    """What a row event does."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class WireColumn:
    """A column as a TABLE_MAP event describes it.

    type_code: the MySQL protocol's type number, with ENUM, SET and CHAR told apart
    (https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html). metadata: the event's
    own bytes for it as an integer (the meaning depends on the type, `decode` knows). collation_id: of
    text, ENUM and SET columns, None where the event names none. labels: of ENUM and SET, in that
    collation's character set; empty where the event names none.
    """

    name: str
    type_code: int
    metadata: int
    unsigned: bool = False
    nullable: bool = True
    collation_id: int | None = None
    labels: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TableLayout:
    """The layout of row images under one TABLE_MAP event: the truth for the rows that follow it.

    Compared by identity: the reader makes one object for each distinct TABLE_MAP. problem: why the
    rows cannot be read; "" if they can. writer: the version of the server that wrote the binlog file.
    """

    table: TableId
    columns: tuple[WireColumn, ...]
    problem: str = ""
    writer: str = ""


@dataclass(frozen=True, slots=True)
class RowEvent:
    """One row event's images, still as bytes: from `start` to `end` of `data` (checksum excluded).

    complete: whether every image holds every column (binlog_row_image=FULL).
    """

    layout: TableLayout
    kind: RowKind
    data: bytes
    start: int
    end: int
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Transaction:
    """A whole committed transaction (or MyISAM group), in the binlog's order.

    gtid: as the server writes it, "" where it has none. commit_time_us: microseconds since the epoch
    by the source's clock. end: where the next transaction begins. size: bytes of its row events.
    statement_names: lower-case names in changes that were logged as statements instead of rows (none
    as a rule); None if such a statement could not be read.
    """

    gtid: str
    commit_time_us: int
    end: BinlogPosition
    events: tuple[RowEvent, ...]
    size: int
    statement_names: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """A DDL statement: a barrier between batches."""

    statement: str
    database: str
    gtid: str
    commit_time_us: int
    end: BinlogPosition


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The source has nothing more to send for now; everything up to `position` was delivered."""

    position: BinlogPosition


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Row events of one table in one load, before the last change of a key won; copied: rows of chunks.

    Of a system-versioned table, what happened to its current rows: a life that ends is a delete, and
    what only concerns history is not counted.
    """

    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    copied: int = 0

    def __add__(self, other: RowCounts) -> RowCounts:
        """The sum, field by field."""
        return RowCounts(
            self.inserts + other.inserts,
            self.updates + other.updates,
            self.deletes + other.deletes,
            self.copied + other.copied,
        )

    @property
    def total(self) -> int:
        """All of them."""
        return self.inserts + self.updates + self.deletes + self.copied


@dataclass(frozen=True, slots=True)
class TableLoad:
    """One table's part of a load: each key once, either among the upserts or among the deletes.

    upserts: the columns to write, named as in the destination. deletes: the key columns alone. fresh: whether
    the upserts are rows of a copy into a table that was empty before it.
    Arrow types are those of `types.destination_type`.
    """

    table: TableSchema
    upserts: pa.Table
    deletes: pa.Table
    counts: RowCounts = RowCounts()
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement to run inside the load's transaction, after the merges.

    Written for Postgres with %s parameters. rows: how many rows it must touch, None for any;
    a mismatch rolls everything back (raises FencedOff). table: whose rows it changes, named as in the
    destination: if Postgres refuses it, that table stops.
    """

    text: str
    parameters: Sequence[Any] = ()
    rows: int | None = None
    table: TableSchema | None = None


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What one Postgres transaction does: merges of all tables, then the statements in their order."""

    load_id: str
    tables: tuple[TableLoad, ...]
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadReceipt:
    """Proof that a load was committed. Times are seconds."""

    load_id: str
    seconds: float
    rows: int
    stages: dict[str, float] = field(default_factory=dict)
