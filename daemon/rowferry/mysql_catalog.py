"""What the source's catalogue says of its tables now: columns, key, engine.

Read from information_schema only (https://dev.mysql.com/doc/refman/8.4/en/information-schema.html).
What binlog rows look like is not asked here: their own TABLE_MAP decides.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.chunk_sql import quote
from rowferry.column_settings import configured
from rowferry.errors import ConfigurationError, SchemaMoved
from rowferry.mysql_source import query
from rowferry.row_history import HIDDEN
from rowferry.settings import Settings, TableSettings
from rowferry.table_schema import Column, ColumnType, RowEnd, TableId, TableSchema

_TEXT_KINDS: Final = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
_LABEL_KINDS: Final = frozenset({"enum", "set"})
_CHARSET_KINDS: Final = _TEXT_KINDS | _LABEL_KINDS
_LENGTH_KINDS: Final = _CHARSET_KINDS | {"binary", "varbinary"}
_MAX_READINGS: Final = 10
_TABLES: Final = """
SELECT TABLE_NAME, COALESCE(ENGINE, ''), TABLE_TYPE FROM information_schema.TABLES
WHERE TABLE_SCHEMA = %s AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"""
_NAMES: Final = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"
_COLUMNS: Final = """
SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH,
       NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, CHARACTER_SET_NAME,
       COALESCE(GENERATION_EXPRESSION, '') <> ''
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s{only}
ORDER BY TABLE_NAME, ORDINAL_POSITION"""
_CASCADING: Final = "foreign keys with CASCADE or SET NULL change its rows without a trace in the binlog"
_VERSIONED_BY_TRANSACTION: Final = (
    "the source logs changes of tables with transaction-precise versioning as statements"
)
_ROW_ENDS: Final = """
SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = %s AND GENERATION_EXPRESSION = 'ROW END'"""
_LAST_YEAR: Final = "SELECT IF(FROM_UNIXTIME(2147483648) IS NULL, 2038, 2106)"
_CASCADES: Final = """
SELECT DISTINCT TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS
WHERE CONSTRAINT_SCHEMA = %s AND (DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT')
  OR UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))"""
_KEYS: Final = """
SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, NULLABLE, SUB_PART FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = %s AND NON_UNIQUE = 0{only}
ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX"""


def selected(name: str, tables: TableSettings) -> bool:
    """Whether a table of that name is to be copied."""
    included = any(fnmatchcase(name, glob) for glob in tables.include)
    return included and not any(fnmatchcase(name, glob) for glob in tables.exclude)


def read_configured(
    connection: Connection[Any], settings: Settings, touched: Callable[[str], bool] | None = None
) -> dict[TableId, TableSchema]:
    """The selected tables with what the settings say of them and their columns; see `read_tables`."""
    rename, columns = settings.tables.rename, settings.columns
    found = read_tables(connection, settings.source.database, settings.tables, touched)
    named = {table: configured(schema, columns, rename) for table, schema in found.items()}
    return {table: _unless_taken(schema, rename) for table, schema in named.items()}


def _unless_taken(table: TableSchema, rename: Mapping[str, str]) -> TableSchema:
    """A table whose destination name another one was given has an obstacle."""
    takers = [source for source, target in rename.items() if target == table.id.name != source]
    if not takers or table.target:
        return table
    obstacle = f"its name in the destination was given to table {takers[0]} (tables.rename)"
    return replace(table, obstacle=obstacle)


def table_names(connection: Connection[Any], database: str) -> list[str]:
    """The names of all tables and views of a database. Raises what `mysql_source.query` raises."""
    return [str(name) for (name,) in query(connection, _NAMES, (database,))]


def folds_table_names(connection: Connection[Any]) -> bool:
    """Whether names of tables that differ in case only are one name (lower_case_table_names).

    See https://mariadb.com/kb/en/server-system-variables/#lower_case_table_names.
    """
    [(value,)] = query(connection, "SELECT @@lower_case_table_names")
    return bool(int(value))


def is_gone(connection: Connection[Any], table: TableId) -> bool:
    """Whether the server says that there is no such table; False if it does not let the account know."""
    try:
        with contextlib.suppress(ConfigurationError):
            query(connection, f"SELECT 1 FROM {quote(table.database)}.{quote(table.name)} LIMIT 0")
    except SchemaMoved:
        return True
    return False


def read_tables(
    connection: Connection[Any],
    database: str,
    tables: TableSettings,
    touched: Callable[[str], bool] | None = None,
) -> dict[TableId, TableSchema]:
    """The selected tables of a database as they are now; with `touched`, only those that it names.

    The catalogue takes several statements, between which a table may be dropped or made: it is read
    until two readings agree. Raises what `mysql_source.query` raises.
    """
    found = _read_once(connection, database, tables, touched)
    for _ in range(_MAX_READINGS):
        again = _read_once(connection, database, tables, touched)
        if again == found:
            break
        found = again
    return found


def _read_once(
    connection: Connection[Any],
    database: str,
    tables: TableSettings,
    touched: Callable[[str], bool] | None,
) -> dict[TableId, TableSchema]:
    only, parameters = "", tuple[str, ...]()
    if touched is not None:
        names = [n for (n,) in query(connection, _NAMES, (database,)) if touched(n) and selected(n, tables)]
        if not names:
            return {}
        only, parameters = _restriction(names)
    rows = query(connection, _TABLES + only, (database, *parameters))
    columns, computed = _columns(connection, database, only, parameters)
    keys = _keys(connection, database, only, parameters)
    cascading = _cascading(connection, database)
    found = {}
    for name, engine, _ in rows:
        if selected(name, tables) and columns[name]:
            table = TableId(database, name)
            index, key = keys.get(name, ("", ()))
            obstacle = _CASCADING if name.lower() in cascading else ""
            found[table] = TableSchema(
                table, tuple(columns[name]), key, engine, index, obstacle, computed=name in computed
            )
    versioned = [TableId(database, name) for name, _, kind in rows if kind == "SYSTEM VERSIONED"]
    return found | _versioned(connection, database, found, versioned)


def _versioned(
    connection: Connection[Any],
    database: str,
    found: Mapping[TableId, TableSchema],
    versioned: Collection[TableId],
) -> dict[TableId, TableSchema]:
    """MariaDB's system-versioned tables among those found, with the column that ends a row's life.

    That column is part of every unique index; without it, the index tells the current rows apart
    (https://mariadb.com/kb/en/system-versioned-tables/).
    """
    if not versioned:
        return {}
    [(last_year,)] = query(connection, _LAST_YEAR)
    ends = {name: (column, base) for name, column, base in query(connection, _ROW_ENDS, (database,))}
    made = {}
    for table in [found[t] for t in versioned if t in found]:
        column, base = ends.get(table.id.name, (HIDDEN[1], "timestamp"))
        row_end = RowEnd(column, int(last_year))
        obstacle = table.obstacle if base == "timestamp" else _VERSIONED_BY_TRANSACTION
        key = tuple(k for k in table.key if k != column)
        made[table.id] = replace(table, key=key, obstacle=obstacle, row_end=row_end)
    return made


def _cascading(connection: Connection[Any], database: str) -> set[str]:
    """Tables, in lower case, whose rows foreign keys change inside the engine.

    MySQL writes such changes to the binlog from 9.6 on, unless innodb_native_foreign_keys is on
    (https://dev.mysql.com/doc/refman/9.6/en/create-table-foreign-keys.html); no MariaDB does.
    """
    native = query(connection, "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'")
    if native and str(native[0][1]).upper() == "OFF":
        return set()
    return {str(name).lower() for (name,) in query(connection, _CASCADES, (database,))}


def _restriction(names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    return f" AND TABLE_NAME IN ({', '.join(['%s'] * len(names))})", tuple(names)


def _columns(
    connection: Connection[Any], database: str, only: str, parameters: Sequence[str]
) -> tuple[defaultdict[str, list[Column]], set[str]]:
    """The columns by table, and the tables that have generated ones."""
    columns: defaultdict[str, list[Column]] = defaultdict(list)
    computed: set[str] = set()
    for table, *row, generated in query(connection, _COLUMNS.format(only=only), (database, *parameters)):
        columns[table].append(_column(row))
        if generated:
            computed.add(table)
    return columns, computed


def _column(row: Sequence[Any]) -> Column:
    name, base, text, nullable, length, precision, scale, fraction, charset = row
    base, text = base.lower(), str(text)
    if base not in _LABEL_KINDS:
        text = text.lower().partition(" /*")[0]
    if base == "bit":
        length = precision
    column_type = ColumnType(
        base=base,
        unsigned=base not in _LABEL_KINDS and bool(re.search(r"\bunsigned\b", text)),
        length=int(length) if length is not None and base in _LENGTH_KINDS | {"bit"} else None,
        precision=int(precision) if precision is not None and base == "decimal" else None,
        scale=int(scale) if scale is not None and base == "decimal" else None,
        fraction=int(fraction or 0),
        charset=charset.lower() if charset and base in _CHARSET_KINDS else None,
        text=text,
    )
    return Column(name, column_type, nullable == "YES")


def _keys(
    connection: Connection[Any], database: str, only: str, parameters: Sequence[str]
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Of each table the primary key, else the first unique key of whole, NOT NULL columns."""
    indexes: dict[tuple[str, str], list[str]] = {}
    unfit: set[tuple[str, str]] = set()
    rows = query(connection, _KEYS.format(only=only), (database, *parameters))
    for table, index, column, nullable, part in rows:
        if column is None or nullable == "YES" or part is not None:
            unfit.add((table, index))
        indexes.setdefault((table, index), []).append(column)
    keys: dict[str, tuple[str, tuple[str, ...]]] = {}
    for (table, index), columns in indexes.items():
        if (table, index) not in unfit:
            keys.setdefault(table, (index, tuple(columns)))
    return keys
