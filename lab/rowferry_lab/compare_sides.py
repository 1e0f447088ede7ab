"""The two servers as the comparer sees them: columns from their catalogues, rows as canonical text.

`SourceSide` (MySQL, MariaDB) and `DestinationSide` (Postgres) stream rows in one same order. Only
SELECTs are sent. Rows are read under no lock: compare while nobody writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql

from rowferry_lab.compare_kinds import CannotCompare, Kind, Text, kind_of

if TYPE_CHECKING:
    from typing import Any

METADATA_COLUMNS: Final = frozenset({"_loaded_at", "_dlt_load_id", "_dlt_id"})
_FETCH_ROWS: Final = 5_000
_READ_TIMEOUT_SECONDS: Final = 600
_SOURCE_SESSION: Final = (
    "SET NAMES utf8mb4", "SET time_zone = '+00:00'", "SET sql_mode = ''", "SET max_sort_length = 16384",
)  # fmt: skip
_DESTINATION_SESSION: Final = (
    b"SET TimeZone = 'UTC'", b"SET DateStyle = 'ISO, YMD'", b"SET IntervalStyle = 'postgres'",
    b"SET default_transaction_read_only = on",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the source, with the way to render it, and the destination's column that holds it."""

    name: str
    kind: Kind
    target: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A table of the source: the columns to compare, and which of them are the key (none: no key)."""

    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The key's columns, in the key's order."""
        by_name = {column.name: column for column in self.columns}
        return tuple(by_name[name] for name in self.key)

    @property
    def key_indexes(self) -> tuple[int, ...]:
        """Where the key's columns are in a row."""
        names = [column.name for column in self.columns]
        return tuple(names.index(name) for name in self.key)


class SourceSide:
    """MySQL or MariaDB, by a mysql:// URL that names the database."""

    def __init__(self, url: str) -> None:
        """Connect, with sql_mode '' and time zone UTC in this session."""
        parts = urlsplit(url)
        self.database = unquote(parts.path.lstrip("/"))
        if not self.database:
            raise CannotCompare("the source URL names no database")
        encoders: dict[Any, Any] = dict(pymysql.converters.encoders)  # no decoders: all values come as text
        self._connection: pymysql.connections.Connection[Any] = pymysql.connect(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=self.database,
            charset="utf8mb4",
            conv=encoders,
            read_timeout=_READ_TIMEOUT_SECONDS,
        )
        for statement in _SOURCE_SESSION:
            self._query(statement)
        self._mariadb = "MariaDB" in str(self._query("SELECT VERSION()")[0][0])

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()

    def tables(self) -> list[str]:
        """All tables of the database, views apart."""
        rows = self._query(
            "SELECT TABLE_NAME FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA = {self._literal(self.database)} "
            "AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1"
        )
        return [str(row[0]) for row in rows]

    def layout(self, table: str) -> Layout:
        """A table's columns and key. Raises CannotCompare on a type that is not known here."""
        where = f"TABLE_SCHEMA = {self._literal(self.database)} AND TABLE_NAME = {self._literal(table)}"
        rows = self._query(
            "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE FROM information_schema.COLUMNS "
            f"WHERE {where} ORDER BY ORDINAL_POSITION"
        )
        if not rows:
            raise CannotCompare(f"the source has no table {table}")
        columns = tuple(self._column(table, *map(str, row)) for row in rows)
        return Layout(table, columns, self._key(where))

    def rows(self, layout: Layout) -> Iterator[tuple[Text, ...]]:
        """All rows as canonical text, in key order (any order where there is no key)."""
        columns = [c.kind.source.format(c=_backticked(c.name)) for c in layout.columns]
        text = f"SELECT {', '.join(columns)} FROM {_backticked(layout.table)}"
        order = [_source_order(column) for column in layout.key_columns]
        normalisers = [(i, c.kind.normalise) for i, c in enumerate(layout.columns) if c.kind.normalise]
        with self._connection.cursor(pymysql.cursors.SSCursor) as cursor:
            cursor.execute(text + (f" ORDER BY {', '.join(order)}" if order else ""))
            while batch := cursor.fetchmany(_FETCH_ROWS):
                for row in batch:
                    yield _normalised(row, normalisers)
        self._refuse_warnings(layout.table)

    def _column(self, table: str, name: str, data_type: str, column_type: str) -> Column:
        kind = kind_of(data_type, column_type.partition(" /*")[0], self._mariadb)
        if kind is None:
            raise CannotCompare(f"table {table}, column {name}: no canonical form is known for {column_type}")
        return Column(name, kind, target=name)

    def _refuse_warnings(self, table: str) -> None:
        """A warning here means a value that the server could not print: too long, or not valid text."""
        if found := self._query("SHOW WARNINGS LIMIT 1"):
            raise CannotCompare(f"table {table}: the source could not print a value (warning {found[0][1]})")

    def _key(self, where: str) -> tuple[str, ...]:
        """The primary key, else the first unique key without NULLs and prefixes, else none."""
        rows = self._query(
            "SELECT INDEX_NAME, COLUMN_NAME, NULLABLE, SUB_PART FROM information_schema.STATISTICS "
            f"WHERE {where} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX"
        )
        keys: dict[str, list[Sequence[Text]]] = {}
        for row in rows:
            keys.setdefault(str(row[0]), []).append(row)
        for name, parts in keys.items():
            usable = all(part[1] and part[2] != "YES" and part[3] is None for part in parts)
            if usable or name == "PRIMARY":
                return tuple(str(part[1]) for part in parts)
        return ()

    def _query(self, statement: str) -> list[Sequence[Text]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def _literal(self, text: str) -> str:
        return str(self._connection.escape(text))


class DestinationSide:
    """Postgres, by a postgresql:// URL, and the schema that holds the copy."""

    def __init__(self, url: str, schema: str) -> None:
        """Connect, read-only and with time zone UTC in this session."""
        self._schema = schema
        self._connection = psycopg.connect(url, autocommit=True)
        for statement in _DESTINATION_SESSION:
            self._connection.execute(statement)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()

    def column_types(self, table: str) -> dict[str, str]:
        """The Postgres type of each column but the metadata; empty where there is no such table."""
        rows = self._connection.execute(
            "SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid "
            "WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm') "
            "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            (self._schema, table),
        ).fetchall()
        return {str(name): str(found) for name, found in rows if name not in METADATA_COLUMNS}

    def rows(self, table: str, layout: Layout) -> Iterator[tuple[Text, ...]]:
        """All rows of the destination's table as canonical text, in the layout's columns and key order."""
        columns = [c.kind.destination.format(c=f"t.{_quoted(c.target)}") for c in layout.columns]
        text = f"SELECT {', '.join(columns)} FROM {_quoted(self._schema)}.{_quoted(table)} AS t"
        if order := [_destination_order(column) for column in layout.key_columns]:
            text += f" ORDER BY {', '.join(order)}"
        normalisers = [
            (i, c.kind.normalise_destination)
            for i, c in enumerate(layout.columns)
            if c.kind.normalise_destination
        ]
        with self._connection.transaction(), self._connection.cursor(name="rowferry_lab_compare") as cursor:
            cursor.itersize = _FETCH_ROWS
            cursor.execute(text.encode())
            for row in cursor:
                yield _normalised(row, normalisers)


def _normalised(row: Sequence[Any], normalisers: Sequence[tuple[int, Any]]) -> tuple[Text, ...]:
    if not normalisers:
        return tuple(row)
    values = list(row)
    for index, normalise in normalisers:
        if values[index] is not None:
            values[index] = normalise(values[index])
    return tuple(values)


def _source_order(column: Column) -> str:
    name = _backticked(column.name)
    return name if column.kind.order_by_value else f"CAST({column.kind.source.format(c=name)} AS BINARY)"


def _destination_order(column: Column) -> str:
    name = f"t.{_quoted(column.target)}"  # the bare name would be the output column: the text
    if column.kind.order_by_value:
        return f"{name} NULLS FIRST"
    return f'({column.kind.destination.format(c=name)}) COLLATE "C" NULLS FIRST'


def _backticked(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
