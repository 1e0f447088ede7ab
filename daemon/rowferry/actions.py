"""What a DDL statement may do to a table: actions as values."""

from __future__ import annotations

from dataclasses import dataclass

from rowferry.definitions import Definition


@dataclass(frozen=True, slots=True)
class AddColumn:
    """ADD COLUMN. if_not_exists: nothing happens if there is one of that name."""

    definition: Definition
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropColumn:
    """DROP COLUMN."""

    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class RenameColumn:
    """RENAME COLUMN."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ChangeColumn:
    """CHANGE, and MODIFY, which keeps the name. if_exists: nothing happens without such a column."""

    old: str
    definition: Definition
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class SetDefault:
    """ALTER COLUMN ... SET DEFAULT, for rows to come."""

    name: str


@dataclass(frozen=True, slots=True)
class DropDefault:
    """ALTER COLUMN ... DROP DEFAULT."""

    name: str


@dataclass(frozen=True, slots=True)
class KeepsRows:
    """What changes neither rows nor columns. engine: the table's engine from now on, if it is named."""

    engine: str | None = None


@dataclass(frozen=True, slots=True)
class UniqueIndex:
    """An index that may be unique comes, goes or is renamed. name: "PRIMARY" or another one's; may be ""."""

    name: str


@dataclass(frozen=True, slots=True)
class ConvertCharset:
    """CONVERT TO CHARACTER SET. charset: lower case."""

    charset: str


@dataclass(frozen=True, slots=True)
class Truncate:
    """All rows go."""


Action = (
    AddColumn
    | DropColumn
    | RenameColumn
    | ChangeColumn
    | SetDefault
    | DropDefault
    | KeepsRows
    | UniqueIndex
    | ConvertCharset
    | Truncate
)


@dataclass(frozen=True, slots=True)
class TableChange:
    """A statement on one table. database: "" if it names none; names are as written."""

    database: str
    table: str
    actions: tuple[Action, ...]
