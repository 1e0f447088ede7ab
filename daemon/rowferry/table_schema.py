"""What a source table looks like: `TableId`, `ColumnType`, `Column`, `TableSchema`, and their differences.

Pure values. `ColumnType` holds what information_schema.COLUMNS says of a column
(https://mariadb.com/kb/en/information-schema-columns-table/), nothing of the binlog's encoding and
nothing of Postgres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
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

    base: DATA_TYPE in lower case ("bigint", "varchar"). length: characters for text types (of the longest
    label for ENUM, of all labels for SET), bytes for binary ones, bits of BIT. precision, scale: of a
    decimal. fraction: digits of fractional seconds. charset: of text types, ENUM and SET, lower case,
    None for others. text: COLUMN_TYPE, for people; with the labels of ENUM and SET.
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
class ColumnPolicy:
    """What the settings say of a column.

    as_type: the Postgres type to have instead of the default one; "" for the default. zero_dates: what
    becomes of dates that are none: "null", "keep" (as text, in a column of text), "stop", "quarantine",
    or the literal to write instead. invalid_text: of text that Postgres cannot hold. misfits: of any
    other value that the destination's type cannot hold. Both: "stop" (the table) or "quarantine" (the row).
    """

    as_type: str = ""
    zero_dates: str = "null"
    invalid_text: str = "quarantine"
    misfits: str = "stop"


NO_POLICY = ColumnPolicy()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a source table. target: its name in the destination, "" if it is the same.

    kept: the Postgres type that its destination column has and keeps, where type and policy would give
    another; "" as a rule.
    """

    name: str
    type: ColumnType
    nullable: bool = True
    policy: ColumnPolicy = NO_POLICY
    target: str = ""
    kept: str = ""

    @property
    def there(self) -> str:
        """Its name in the destination."""
        return self.target or self.name


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
    "" as a rule. row_end: of a system-versioned table, whose key it is no part of. target: its name in
    the destination, "" if it is the same. computed: whether it may have generated columns.
    """

    id: TableId
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    engine: str = ""
    key_index: str = "PRIMARY"
    obstacle: str = ""
    row_end: RowEnd | None = None
    target: str = ""
    computed: bool = False

    @property
    def there(self) -> str:
        """Its name in the destination."""
        return self.target or self.id.name

    @property
    def transactional(self) -> bool:
        """Whether a rollback undoes changes to this table (false for MyISAM, Aria, MEMORY, CSV)."""
        return self.engine.lower() in TRANSACTIONAL_ENGINES

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)

    def as_destination(self) -> TableSchema:
        """The table as the destination knows it: its own and its columns' names are those there."""
        if not self.target and not any(c.target for c in self.columns):
            return self
        names = {c.name: c.there for c in self.columns}
        return replace(
            self,
            id=TableId(self.id.database, self.there),
            columns=tuple(replace(c, name=names[c.name], target="") for c in self.columns),
            key=tuple(names[k] for k in self.key),
            target="",
        )

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
            "target": self.target,
            "computed": self.computed,
            "row_end": asdict(self.row_end) if self.row_end else None,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises KeyError or TypeError for anything else."""
        return cls(
            id=TableId(document["database"], document["name"]),
            columns=tuple(map(_column_from_json, document["columns"])),
            key=tuple(document["key"]),
            engine=document["engine"],
            key_index=document["key_index"],
            obstacle=document.get("obstacle", ""),
            row_end=RowEnd(**document["row_end"]) if document.get("row_end") else None,
            target=document.get("target", ""),
            computed=document.get("computed", True),
        )


def _column_from_json(document: Mapping[str, Any]) -> Column:
    return Column(
        name=document["name"],
        type=ColumnType(**document["type"]),
        nullable=document["nullable"],
        policy=ColumnPolicy(**document.get("policy", {})),
        target=document.get("target", ""),
        kept=document.get("kept", ""),
    )


def with_kept(before: TableSchema, now: TableSchema) -> TableSchema:
    """`now`, whose columns keep what those of `before` keep, if they fit the same destination column."""
    kept = {c.name: c for c in before.columns if c.kept}

    def inherited(column: Column) -> Column:
        old = kept.get(column.name)
        return column if old is None or _place(old) != _place(column) else replace(column, kept=old.kept)

    return replace(now, columns=tuple(map(inherited, now.columns))) if kept else now


@dataclass(frozen=True, slots=True)
class SchemaDiff:
    """How a table's layout changed. Order of columns and engine do not count.

    revalued: columns whose policy gives other values now, in the same destination column.
    """

    added: tuple[Column, ...] = ()
    dropped: tuple[Column, ...] = ()
    changed: tuple[tuple[Column, Column], ...] = ()
    key_changed: bool = False
    renamed: bool = False
    revalued: tuple[Column, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether rows of both layouts fit the same destination table."""
        return not (self.added or self.dropped or self.changed or self.key_changed or self.renamed)

    def describe(self) -> str:
        """The differences in words, names only."""
        parts = [f"column {c.name} added" for c in self.added]
        parts += [f"column {c.name} dropped" for c in self.dropped]
        parts += [f"column {a.name} changed from {_shown(a)} to {_shown(b)}" for a, b in self.changed]
        parts += ["primary key changed"] if self.key_changed else []
        parts += ["another name in the destination"] if self.renamed else []
        return ", ".join(parts)


def diff(before: TableSchema, after: TableSchema) -> SchemaDiff:
    """What must change in a destination that fits `before` so that it fits `after`."""
    old = {c.name: c for c in before.columns}
    new = {c.name: c for c in after.columns}
    both = [(old[n], c) for n, c in new.items() if n in old]
    return SchemaDiff(
        added=tuple(c for n, c in new.items() if n not in old),
        dropped=tuple(c for n, c in old.items() if n not in new),
        changed=tuple((a, b) for a, b in both if _place(a) != _place(b)),
        key_changed=before.key != after.key,
        renamed=before.target != after.target,
        revalued=tuple(b for a, b in both if a.policy != b.policy),
    )


def _place(column: Column) -> tuple[ColumnType, str, str]:
    """What must be equal for values to fit the same destination column."""
    return column.type, column.policy.as_type, column.target


def _shown(column: Column) -> str:
    parts = [column.type.text or column.type.base]
    parts += [f"as {column.policy.as_type}"] if column.policy.as_type else []
    parts += [f"named {column.target}"] if column.target else []
    return " ".join(parts)
