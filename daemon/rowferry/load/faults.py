"""What can go wrong in a load, in Rowferry's errors: which table, which SQLSTATE, never a value.

Postgres puts row values into its messages, details and contexts. So nothing of an error passes here
but its SQLSTATE and the names of objects, and the errors made here have no cause or context.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import psycopg2
from psycopg2 import errorcodes

from rowferry.errors import LoadFailed, RowferryError, TableRefused, Unreachable
from rowferry.table_schema import TableId, TableSchema

OPERATION: Final = "load a batch"

# Data exceptions, constraints, undefined or mismatched objects, privileges, limits, unsupported features.
_TABLE_CLASSES: Final = frozenset({"0A", "22", "23", "42", "54"})
# While staging: the twin was dropped by somebody, or may not be made. Not the table's doing.
_STAGING_STATES: Final = frozenset({"42501", "42P01"})
_LOST_CLASSES: Final = frozenset({"08"})
_LOST_STATES: Final = frozenset({"57P01", "57P02", "57P03", "57P05"})
_COPY_COLUMN: Final = re.compile(r"^COPY .*?, line \d+, column (.*)", re.DOTALL)


class TableLoadFailed(TableRefused):
    """One table's rows cannot be loaded as they are; the load was rolled back.

    table: which. sqlstate: Postgres's code. constraint, column: names, empty where unknown.
    """

    kind = "table_load"

    def __init__(self, table: TableId, sqlstate: str, *, constraint: str = "", column: str = "") -> None:
        """Name the parts; the message is made of them."""
        self.table = table
        self.sqlstate = sqlstate
        self.constraint = constraint
        self.column = column
        super().__init__(
            OPERATION,
            f"table {table}",
            reason=_reason(sqlstate, constraint, column),
            hint="None of its rows was loaded: mend or drop the destination table,"
            f" then run `rowferry resync {table.name}`",
        )


class CommitUnknown(Unreachable):
    """The connection was lost during COMMIT: the checkpoint at the destination tells the outcome."""

    kind = "commit_unknown"

    def __init__(self) -> None:
        """Nothing is known but the fact."""
        super().__init__(
            "destination",
            "commit a batch",
            reason="the connection was lost during COMMIT",
            hint="The checkpoint in Postgres tells whether it was committed.",
        )


@dataclass(frozen=True, slots=True)
class Blame:
    """Whose doing an error may be: the table's whose rows are loaded, if any; staging: into its twin."""

    table: TableSchema | None = None
    staging: bool = False

    def holds(self, state: str) -> bool:
        """Whether an error with that SQLSTATE is the table's, so that a retry cannot help."""
        if self.table is None or (self.staging and state in _STAGING_STATES):
            return False
        return state[:2] in _TABLE_CLASSES


NOBODY: Final = Blame()


def is_lost(error: psycopg2.Error, closed: bool) -> bool:
    """Whether `error` means that the connection is gone; closed: what the connection says itself."""
    state = error.pgcode or ""
    return (
        closed
        or state in _LOST_STATES
        or state[:2] in _LOST_CLASSES
        or (not state and isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)))
    )


def translate(error: psycopg2.Error, closed: bool, blame: Blame = NOBODY) -> RowferryError:
    """Rowferry's error for `error`; closed: whether the connection says that it is."""
    state = error.pgcode or ""
    if is_lost(error, closed):
        reason = _reason(state, "", "") if state else "the connection was lost"
        return Unreachable("destination", OPERATION, reason=reason)
    constraint = error.diag.constraint_name or ""
    table = blame.table
    if table is None:
        return LoadFailed(OPERATION, reason=_reason(state, constraint, ""))
    if not blame.holds(state):
        return LoadFailed(OPERATION, f"table {table.id}", reason=_reason(state, constraint, ""))
    column = error.diag.column_name or _copied_column(error.diag.context, table)
    return TableLoadFailed(table.id, state, constraint=constraint, column=column)


def connection_refused(error: psycopg2.Error) -> Unreachable:
    """The error for a connection that could not be made; libpq's first line names host and reason."""
    lines = str(error).strip().splitlines()
    return Unreachable("destination", "connect to Postgres", reason=lines[0] if lines else "")


def _copied_column(context: str | None, table: TableSchema) -> str:
    """The column that COPY's context names: only ever one of the table's own names."""
    match = _COPY_COLUMN.match(context or "")
    if match is None:
        return ""
    names = [c.name for c in table.columns if match[1] == c.name or match[1].startswith(f"{c.name}: ")]
    return max(names, key=len, default="")


def _reason(state: str, constraint: str, column: str) -> str:
    if not state:
        return "the client library refused"
    try:
        name = errorcodes.lookup(state).lower()
    except KeyError:
        name = "error"
    parts = [f"{name} (SQLSTATE {state})"]
    parts += [f"constraint {constraint}"] if constraint else []
    parts += [f"column {column}"] if column else []
    return ", ".join(parts)
