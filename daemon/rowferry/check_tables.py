"""Which of the selected tables cannot be copied exactly, and what is to be known of the others.

Tables that share a verdict share a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.column_settings import unused
from rowferry.destination import columns_of
from rowferry.errors import TableStopped
from rowferry.findings import FAILURE, FILE, OK, WARNING, Finding, shorten, size
from rowferry.mysql_catalog import read_configured
from rowferry.mysql_source import query
from rowferry.settings import Settings
from rowferry.table_schema import TableId, TableSchema

_ELSEWHERE: Final = frozenset(
    {"federated", "connect", "spider", "mrg_myisam", "sphinx", "oqgraph", "s3", "columnstore", "ndbcluster"}
)
_ENGINES: Final = {
    "memory": ("tables in memory", "a restart of the source empties them"),
    "blackhole": ("tables that keep nothing", "the source throws their rows away, and logs them"),
}
_APART: Final = 3
"""So many tables with one reason have a line each; more share one."""
_SIZES: Final = """
SELECT COALESCE(SUM(TABLE_TYPE = 'VIEW'), 0), COALESCE(SUM(TABLE_TYPE = 'SEQUENCE'), 0),
       COALESCE(SUM(COALESCE(DATA_LENGTH, 0)), 0)
FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"""


def check_tables(control: Connection[Any], settings: Settings) -> Iterator[Finding]:
    """The selected tables, and sections of the settings that fit none of them."""
    tables = read_configured(control, settings)
    stopped = dict(_stopped(tables.values()))
    yield from _groups(stopped)
    kept = [t for t in tables.values() if t.id not in stopped]
    yield from _keyless([t for t in kept if not t.key])
    yield from _engines(kept)
    for section in unused(settings.columns, settings.tables.rename, list(tables.values())):
        detail = "it fits no column of a selected table" if section.startswith("col") else "no such table"
        remedy = "look at its spelling, small letters and large"
        yield Finding(f"setting {section}", WARNING, detail, remedy, where=FILE)
    yield _summary(len(tables), len(stopped))
    yield _others(control, settings)


def _stopped(tables: Iterable[TableSchema]) -> Iterator[tuple[TableId, TableStopped]]:
    for table in tables:
        try:
            columns_of(table)
        except TableStopped as error:
            yield table.id, error


def _groups(stopped: Mapping[TableId, TableStopped]) -> Iterator[Finding]:
    """A line for each table, unless many share a reason."""
    groups: dict[str, list[TableId]] = {}
    for table, error in stopped.items():
        groups.setdefault(_without_names(error.reason), []).append(table)
    for reason, members in groups.items():
        names = tuple(t.name for t in members)
        if len(members) > _APART:
            detail = f"{len(names)} tables ({shorten(names)}): {reason}"
            remedy = "mend that, or add them to tables.exclude"
            yield Finding("tables that stop", WARNING, detail, remedy, tables=names)
            continue
        for table in members:
            error = stopped[table]
            remedy = error.hint or f"add {table.name} to tables.exclude"
            yield Finding(f"table {table.name}", WARNING, error.reason, remedy, tables=(table.name,))


def _without_names(reason: str) -> str:
    """The reason without the name that stands in quotes in it."""
    return re.sub(r"the name '.*' is longer", "the name is longer", reason)


def _keyless(tables: Sequence[TableSchema]) -> Iterator[Finding]:
    if not tables:
        return
    names = tuple(t.id.name for t in tables)
    detail = (
        f"{len(names)} ({shorten(names)}): no primary key and no unique key of whole NOT NULL columns;"
        " each is copied whole when it changes"
    )
    remedy = "give them a primary key, if they are large or change often"
    yield Finding("tables without a key", WARNING, detail, remedy, tables=names)


def _engines(tables: Sequence[TableSchema]) -> Iterator[Finding]:
    """Engines whose rows come and go without row events in this server's binlog."""
    groups: dict[str, list[str]] = {}
    for table in tables:
        engine = table.engine.lower()
        if engine in _ENGINES or engine in _ELSEWHERE:
            groups.setdefault(engine, []).append(table.id.name)
    for engine, names in groups.items():
        point, text = _ENGINES.get(
            engine, ("tables kept elsewhere", "changes made elsewhere are not in this server's binlog")
        )
        detail = f"{shorten(names)} (engine {engine.upper()}): {text}"
        yield Finding(point, WARNING, detail, "add them to tables.exclude", tables=tuple(names))


def _summary(count: int, stopped: int) -> Finding:
    detail = f"{count - stopped} of {count} selected tables can be copied"
    if count > stopped:
        return Finding("tables", OK, detail)
    return Finding("tables", FAILURE, detail, "look at tables.include and tables.exclude", where=FILE)


def _others(control: Connection[Any], settings: Settings) -> Finding:
    [(views, sequences, length)] = query(control, _SIZES, (settings.source.database,))
    detail = f"the database's rows take about {size(float(length))}; not copied:"
    return Finding("data", OK, f"{detail} {int(views)} views, {int(sequences)} sequences")
