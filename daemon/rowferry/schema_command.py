"""`rowferry schema [TABLE ...]`: the destination's DDL for the source's tables, and all differences.

Only reads, with or without a daemon; takes no lock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from rowferry.checkpoint import has_copy, read_tables
from rowferry.column_settings import reconfigured
from rowferry.destination import connect, is_locked
from rowferry.errors import RowferryError
from rowferry.mysql_catalog import read_configured, selected
from rowferry.mysql_source import connect as connect_source
from rowferry.schema_report import Difference, Sides, TableReport, report
from rowferry.settings import Settings
from rowferry.standing import read_standing

_START = {
    "make": "makes and copies it",
    "copy": "copies it again",
    "follow": "follows it",
    "hold": "holds it",
    "stop": "stops it",
    "note": "only notes it",
    "forget": "forgets it",
}


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """What the command shows. running: whether an instance of Rowferry holds the dataset's lock."""

    dataset: str
    running: bool
    tables: tuple[TableReport, ...]


def look(settings: Settings, tables: Sequence[str]) -> SchemaReport:
    """Read both ends, and compare. tables: names at the source; none means all.

    Raises RowferryError for a name that neither the source nor Rowferry knows, and what connecting raises.
    """
    dataset = settings.destination.dataset
    with closing(connect(settings.destination)) as session:
        running = is_locked(session, dataset)
        records = read_tables(session, dataset) if has_copy(session, dataset) else {}
        standing = read_standing(session, dataset)
        with connect_source(settings.source) as control:
            found = read_configured(control, settings)
    now = {t.name: schema for t, schema in found.items()}
    names = _names(tables, {*now, *records})
    holds = settings.schema_rules.changes == "hold"

    def sides(name: str) -> Sides:
        record, is_selected = records.get(name), selected(name, settings.tables)
        wanted = reconfigured(record.table, settings.columns, settings.tables.rename) if record else None
        return Sides(dataset, name, now.get(name), record, standing, is_selected, wanted, holds)

    return SchemaReport(dataset, running, tuple(report(sides(name)) for name in names))


def _names(wanted: Sequence[str], known: set[str]) -> list[str]:
    if unknown := sorted(set(wanted) - known):
        raise RowferryError(
            "show the schema",
            f"table {unknown[0]}",
            reason="no table of that name is selected at the source, or known to Rowferry",
            hint="`rowferry schema` shows all",
        )
    return sorted(set(wanted) or known)


def as_json(found: SchemaReport) -> str:
    """For programs; the field names are fixed."""
    document = {
        "dataset": found.dataset,
        "daemon_running": found.running,
        "tables": [_table_document(table) for table in found.tables],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _table_document(table: TableReport) -> Mapping[str, Any]:
    return {
        "table": table.name,
        "destination_table": table.destination,
        "state": table.state or None,
        "ddl": list(table.ddl),
        "cannot": table.cannot or None,
        "next_start": {"action": table.next_start, "reason": table.reason},
        "differences": [asdict(difference) for difference in table.differences],
    }


def render(found: SchemaReport) -> str:
    """For people: of each table its DDL, as comments the rest, so that it is SQL as a whole."""
    running = "a daemon runs on it" if found.running else "no daemon runs on it"
    lines = [f"-- dataset {found.dataset}, {running}"]
    for table in found.tables:
        lines += ["", *_table_lines(table)]
    different = [t for t in found.tables if any(not d.harmless for d in t.differences)]
    named = ": " + ", ".join(t.name for t in different) if different else ""
    return "\n".join([*lines, "", f"-- {len(found.tables)} tables, {len(different)} with differences{named}"])


def _table_lines(table: TableReport) -> list[str]:
    lines = [f"-- {table.name}: {table.state or 'not known yet'}"]
    if table.next_start in _START:
        lines.append(f"--   the next start {_START[table.next_start]}: {table.reason}")
    if table.cannot:
        lines.append(f"--   {table.cannot}")
    for difference in table.differences:
        lines += _difference_lines(difference)
    return [line.replace("\n", " ") for line in lines] + [f"{statement};" for statement in table.ddl]


def _difference_lines(difference: Difference) -> list[str]:
    mark = "harmless: " if difference.harmless else ""
    return [f"--   * {mark}{difference.text}", f"--       -> {difference.remedy}"]
