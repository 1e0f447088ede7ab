"""`_rowferry_schema_changes`: every DDL statement that touched a captured table, and what became of it.

Written in the transaction that moves the checkpoint over the statement.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from rowferry.changes import SchemaChange, Statement
from rowferry.destination import name

TABLE: Final = "_rowferry_schema_changes"
KEPT_DAYS: Final = 730
MAX_STATEMENT: Final = 20_000
"""Characters of a statement that are kept."""
WAITING: Final = "waiting"
HELD: Final = "held"
_SECRET: Final = re.compile(
    r"\b(CONNECTION|PASSWORD|IDENTIFIED\s+(?:BY|WITH|AS|VIA))(\s*=?\s*)"
    r"('(?:[^'\\]|\\.|'')*'?|\"(?:[^\"\\]|\\.|\"\")*\"?)",
    re.I | re.S,
)
_SELECT: Final = re.compile(r"\b(SELECT|VALUES|TABLE\s+\w+\s+AS)\b", re.I)
_CREATE: Final = re.compile(r"\A\s*(?:/\*.*?\*/\s*)*CREATE\b", re.I | re.S)


def create_schema_changes(dataset: str) -> str:
    """The statement that makes the table if it is missing."""
    return f"""CREATE TABLE IF NOT EXISTS {name(dataset, TABLE)} (
            change bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, table_name text NOT NULL,
            statement text NOT NULL, database text NOT NULL, position text NOT NULL, gtid text NOT NULL,
            commit_time timestamptz, decision text NOT NULL, reason text NOT NULL, result text NOT NULL,
            seconds real, decided_at timestamptz NOT NULL DEFAULT now())"""


def note_change(
    dataset: str, change: SchemaChange, table: str, decision: str, reason: str, result: str
) -> Statement:
    """A row for one table that the statement touched; `seconds` is the age of the transaction it is in."""
    time = datetime.fromtimestamp(change.commit_time_us / 1e6, UTC) if change.commit_time_us else None
    return Statement(
        f"INSERT INTO {name(dataset, TABLE)} (table_name, statement, database, position, gtid, commit_time,"
        " decision, reason, result, seconds) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s,"
        " extract(epoch FROM clock_timestamp() - now()))",
        [
            table,
            shown(change.statement),
            change.database,
            str(change.end),
            change.gtid,
            time,
            decision,
            reason,
            result,
        ],
    )


def settle_changes(dataset: str, table: str, result: str) -> Statement:
    """The statements after which the table waited: what it came to; `seconds`: how long it waited."""
    return Statement(
        f"UPDATE {name(dataset, TABLE)} SET result = %s,"
        " seconds = extract(epoch FROM clock_timestamp() - decided_at)"
        " WHERE table_name = %s AND result = ANY(%s)",
        [result, table, [WAITING, HELD]],
    )


def prune_changes(dataset: str) -> Statement:
    """Forget those of long ago."""
    return Statement(
        f"DELETE FROM {name(dataset, TABLE)} WHERE decided_at < now() - %s", [timedelta(days=KEPT_DAYS)]
    )


def shown(statement: str) -> str:
    """The statement without passwords, without what a CREATE ... SELECT selects, and not too long."""
    text = _SECRET.sub(r"\1\2'***'", statement)
    if _CREATE.match(text) and (found := _SELECT.search(text)):
        text = f"{text[: found.start()]}{found[0]} ..."
    return text if len(text) <= MAX_STATEMENT else text[:MAX_STATEMENT] + " ..."
