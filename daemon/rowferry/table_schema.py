"""What a source table looks like: `TableId`, `ColumnType`, `Column`, `TableSchema`, and their differences.

Pure values. `ColumnType` holds what information_schema.COLUMNS says of a column
(https://mariadb.com/kb/en/information-schema-columns-table/), nothing of the binlog's encoding and
nothing of Postgres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

TRANSACTIONAL_ENGINES = frozenset({"innodb", "rocksdb", "tokudb", "ndbcluster"})


@dataclass(frozen=True, slots=True, order=True)
class TableId:
    """A table of the source: database and table name, exactly as the server spells them."""

    database: str
    name: str

    def __str__(self) -> str:
        """`database.name`, for people."""
        return f"{self.database}.{self.name}"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type as the catalogue names it.

    base: DATA_TYPE in lower case ("bigint", "varchar"). length: characters for text types, bytes for
    binary ones. precision, scale: of a decimal. fraction: digits of fractional seconds. charset: of
    text types, lower case, None for others. text: COLUMN_TYPE, for people.
    """

    base: str
    unsigned: bool = False
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    fraction: int = 0
    charset: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a source table."""

    name: str
    type: ColumnType
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class RowEnd:
    """Of a system-versioned table (MariaDB), the column that ends a row's life.

    The catalogue may hide it. In rows that live it holds the last moment of the server's TIMESTAMP.
    last_year: the year of that moment, 2038, or 2106 from MariaDB 11.5 on.
    """

    column: str
    last_year: int


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A source table's columns in their order, its key, and its engine.

    key: the columns of the primary key, else of a unique key without NULLs; empty if there is none.
    key_index: the name of that key's index. obstacle: why its rows cannot be followed by the binlog;
    "" as a rule. row_end: of a system-versioned table, whose key it is no part of.
    """

    id: TableId
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    engine: str = ""
    key_index: str = "PRIMARY"
    obstacle: str = ""
    row_end: RowEnd | None = None

    @property
    def transactional(self) -> bool:
        """Whether a rollback undoes changes to this table (false for MyISAM, Aria, MEMORY, CSV)."""
        return self.engine.lower() in TRANSACTIONAL_ENGINES

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON document; `from_json` reads them."""
        return {
            "database": self.id.database,
            "name": self.id.name,
            "columns": [asdict(c) for c in self.columns],
            "key": list(self.key),
            "engine": self.engine,
            "key_index": self.key_index,
            "obstacle": self.obstacle,
            "row_end": asdict(self.row_end) if self.row_end else None,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises KeyError or TypeError for anything else."""
        columns = tuple(
            Column(c["name"], ColumnType(**c["type"]), c["nullable"]) for c in document["columns"]
        )
        table = TableId(document["database"], document["name"])
        key = tuple(document["key"])
        engine, key_index = document["engine"], document["key_index"]
        row_end = RowEnd(**document["row_end"]) if document.get("row_end") else None
        return cls(table, columns, key, engine, key_index, document.get("obstacle", ""), row_end)


@dataclass(frozen=True, slots=True)
class SchemaDiff:
    """How a table's layout changed. Order of columns and engine do not count."""

    added: tuple[Column, ...] = ()
    dropped: tuple[Column, ...] = ()
    changed: tuple[tuple[Column, Column], ...] = ()
    key_changed: bool = False

    @property
    def empty(self) -> bool:
        """Whether rows of both layouts fit the same destination table."""
        return not (self.added or self.dropped or self.changed or self.key_changed)

    @property
    def only_added(self) -> bool:
        """Whether columns were added and nothing else."""
        return bool(self.added) and not (self.dropped or self.changed or self.key_changed)

    def describe(self) -> str:
        """The differences in words, names only."""
        parts = [f"column {c.name} added" for c in self.added]
        parts += [f"column {c.name} dropped" for c in self.dropped]
        parts += [f"column {a.name} changed from {a.type.text} to {b.type.text}" for a, b in self.changed]
        parts += ["primary key changed"] if self.key_changed else []
        return ", ".join(parts)


def diff(before: TableSchema, after: TableSchema) -> SchemaDiff:
    """What must change in a destination that fits `before` so that it fits `after`."""
    old = {c.name: c for c in before.columns}
    new = {c.name: c for c in after.columns}
    return SchemaDiff(
        added=tuple(c for n, c in new.items() if n not in old),
        dropped=tuple(c for n, c in old.items() if n not in new),
        changed=tuple((old[n], c) for n, c in new.items() if n in old and old[n].type != c.type),
        key_changed=before.key != after.key,
    )
