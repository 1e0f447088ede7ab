"""What a table becomes by a change."""

from __future__ import annotations

from dataclasses import dataclass

from rowferry.alterations import TableChange
from rowferry.table_schema import Column, TableSchema


@dataclass(frozen=True, slots=True)
class Filled:
    """A new column, and what every old row has in it."""

    column: Column
    value: str | None


@dataclass(frozen=True, slots=True)
class Evolution:
    """The layout after a change."""

    table: TableSchema
    added: tuple[Filled, ...] = ()
    dropped: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    retyped: tuple[tuple[Column, Column], ...] = ()
    truncated: bool = False


def evolve(change: TableChange, table: TableSchema, now: TableSchema | None) -> Evolution | str:
    """The layout after the change, or why its effect is not certain."""
    return "its effect is not certain"
