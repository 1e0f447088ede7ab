"""`rowferry schema --plan`: what DDL statements that nobody has run yet would do to the copy.

Decided by the same rules as in the stream; but the source's catalogue cannot be asked about statements that
it has not seen, so a column's character set is taken to be utf8mb4 where the statement does not say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Final

from rowferry.actions import TableChange
from rowferry.alterations import read_change
from rowferry.book import Decision
from rowferry.checkpoint import TableRecord, TableStatus, has_copy, read_tables
from rowferry.ddl import WORDS, DdlEffect, StatementKind, classify, effect, gist, plain, split_statements
from rowferry.destination import Session, columns_of, connect
from rowferry.errors import RowferryError, UsageError
from rowferry.evolve import evolve
from rowferry.fitting import METADATA
from rowferry.layout_changes import in_place
from rowferry.schema_log import shown
from rowferry.settings import Settings
from rowferry.standing import Standing, StandingColumn, read_table
from rowferry.table_schema import TableId

_BODY: Final = re.compile(
    r"CREATE\b.*\b(?:PROCEDURE|FUNCTION|TRIGGER|EVENT|PACKAGE)\b.*\bBEGIN\b", re.I | re.S
)
_VERBS: Final = WORDS | {
    *("COMMIT", "DEALLOCATE", "EXECUTE", "HANDLER", "KILL", "LOCK", "PREPARE", "REPAIR", "ROLLBACK"),
    *("SAVEPOINT", "SHOW", "START", "TABLE", "UNLOCK", "VALUES", "XA"),
}
_WORDS: Final = {
    "in place": "in place, the table streams on",
    "copy": "copied again, in place",
    "look": "looked up afterwards: copied again if the source has it, else",
    "hold": "waits for `rowferry schema apply`",
    "nothing": "nothing changes",
}


@dataclass(frozen=True, slots=True)
class Step:
    """What one statement does to one table. table: "" if it touches none. sql: what runs in Postgres."""

    statement: str
    table: str
    what: str
    why: str
    sql: tuple[str, ...] = ()


def plan(settings: Settings, text: str) -> list[Step]:
    """What the statements would do, one after the other. Raises UsageError for a text that is no SQL."""
    statements = split_statements(text.removeprefix("\ufeff"))
    if not statements:
        raise UsageError("plan", reason="there is no statement, or a quotation mark that is not closed")
    for number, statement in enumerate(statements, 1):
        _require_sql(number, statement)
    dataset = settings.destination.dataset
    with closing(connect(settings.destination)) as session:
        if not has_copy(session, dataset):
            raise RowferryError("plan", f"dataset {dataset}", reason="nothing was copied yet")
        planner = _Planner(settings, session)
        return [step for statement in statements for step in planner.steps(statement)]


def _require_sql(number: int, statement: str) -> None:
    """Raise UsageError for what is no statement of SQL, or one that only a DELIMITER holds together."""
    text = plain(statement)
    word = text.split(None, 1)[0].strip("(").upper() if text else ""
    if word in ("DELIMITER", "BEGIN", "END", "DECLARE") or _BODY.match(text):
        reason = f"statement {number} has a body of several statements, or a DELIMITER"
        raise UsageError("plan", reason=reason, hint="Leave procedures, triggers and events out")
    if word and word not in _VERBS:
        raise UsageError(
            "plan", reason=f"statement {number} is none of SQL", hint="For a file: --plan - < FILE"
        )


class _Planner:
    """The records, and what stands in Postgres, as the statements so far would leave them."""

    def __init__(self, settings: Settings, session: Session) -> None:
        self._settings = settings
        self._rules = settings.schema_rules
        self._session = session
        self._dataset = settings.destination.dataset
        records = read_tables(session, self._dataset).values()
        self._records: dict[TableId, TableRecord] = {r.table.id: r for r in records}
        self._standing: dict[TableId, Standing] = {}

    def steps(self, statement: str) -> Iterator[Step]:
        """What a statement does to each table that it touches."""
        if classify(statement).kind is not StatementKind.DDL:
            yield Step(statement, "", "nothing", "it changes no table's layout")
            return
        read, touching = read_change(statement), effect(statement)
        source = self._settings.source.database
        if read is not None and read.database not in ("", source):
            yield Step(statement, "", "nothing", "it is about another database")
            return
        touched = [r for t, r in sorted(self._records.items()) if _touches(t, read, touching)]
        for record in touched:
            yield self._step(statement, record, read)
        if not touched:
            yield Step(statement, "", "nothing", self._unknown(read))

    def _unknown(self, read: TableChange | None) -> str:
        """Why a statement touches no table that is copied."""
        if read is None:
            return "it names no table that is copied; a new one is copied"
        near = [t.name for t in self._records if t.name.lower() == read.table.lower()]
        return f"no table {read.table} is copied" + (f"; did you mean {near[0]}?" if near else "")

    def _step(self, statement: str, record: TableRecord, read: TableChange | None) -> Step:
        table = record.table.id
        goes = read is None and gist(statement) in ("tables are dropped", "tables are renamed")
        if goes and record.status is not TableStatus.DROPPED:
            return self._looked_up(statement, record)
        if record.status in (TableStatus.STOPPED, TableStatus.HELD, TableStatus.DROPPED) and not goes:
            return Step(statement, table.name, "nothing", f"the table is {record.status.value}")
        if read is None:
            return self._uncertain(statement, record, gist(statement))
        after = evolve(read, record.table, None)
        if isinstance(after, str):
            return self._uncertain(statement, record, after)
        standing = self._standing.get(table) or read_table(self._session, self._dataset, record.table.there)
        drop = self._rules.dropped_columns == "drop"
        made = in_place(self._dataset, record, after, standing, drop_columns=drop)
        if isinstance(made, str):
            return self._uncertain(statement, record, made)
        if self._rules.changes == "hold" and record.table.columns != made.record.table.columns:
            return Step(statement, table.name, "hold", made.reason)
        self._records[table] = made.record
        self._standing[table] = _left_standing(standing, made)
        sql = tuple(s.text for s in made.statements if not s.parameters)
        return Step(statement, table.name, "in place", made.reason, sql)

    def _looked_up(self, statement: str, record: TableRecord) -> Step:
        drop = self._rules.dropped_tables == "drop" and self._rules.changes != "hold"
        fate = "dropped here, too, unless something depends on it" if drop else "its last rows are kept"
        return Step(statement, record.table.id.name, "look", fate)

    def _uncertain(self, statement: str, record: TableRecord, why: str) -> Step:
        what = "hold" if self._rules.changes == "hold" else "copy"
        return Step(statement, record.table.id.name, what, why)


def _touches(table: TableId, read: TableChange | None, touching: DdlEffect) -> bool:
    if read is not None:
        return table.name == read.table
    return touching.touches(table.name)


def _left_standing(before: Standing, made: Decision) -> Standing:
    """What would stand in Postgres after the change."""
    table = made.record.table
    kinds = dict(columns_of(table)) | METADATA
    columns = {column: StandingColumn(kind) for column, kind in kinds.items()}
    return replace(before, columns=before.columns | columns, primary=table.as_destination().key)


def plan_as_json(steps: list[Step]) -> str:
    """For programs; the field names are fixed."""
    hidden = [replace(step, statement=shown(step.statement)) for step in steps]
    return json.dumps([asdict(step) for step in hidden], indent=2, ensure_ascii=False)


def render_plan(steps: list[Step]) -> str:
    """For people: each statement as a comment, below it what it does; what runs in Postgres is SQL."""
    lines: list[str] = []
    last = ""
    for step in steps:
        if step.statement is not last:
            lines += ["", *(f"-- {line}" for line in shown(step.statement).splitlines())]
        last = step.statement
        table = f"{step.table}: " if step.table else ""
        lines.append(f"--   -> {table}{_WORDS[step.what]} ({step.why})".replace("\n", " "))
        lines += [f"{text};" for text in step.sql]
    return "\n".join(lines[1:])
