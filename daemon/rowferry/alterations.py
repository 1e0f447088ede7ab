"""DDL statements on one table, read into actions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableChange:
    """What a statement does to a table. database: "" if it names none."""

    database: str
    table: str
    actions: tuple[object, ...]


def read_change(statement: str) -> TableChange | None:
    """The statement's actions; None if anything in it is not understood for sure."""
    return None
