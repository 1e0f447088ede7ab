"""A column's definition in a DDL statement: its type, and its attributes. Pure text, no server.

Grammar: https://dev.mysql.com/doc/refman/9.7/en/create-table.html, https://mariadb.com/kb/en/create-table/
and sql_yacc.yy of both servers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from rowferry.column_words import TypeWords, collated, read_type
from rowferry.sql_words import NotUnderstood, Pieces
from rowferry.table_schema import ColumnType


class DefaultKind(Enum):
    """What a definition says of the column's default."""

    NONE = "none"
    NULL = "null"
    TEXT = "text"
    NUMBER = "number"
    EXPRESSION = "expression"


@dataclass(frozen=True, slots=True)
class Default:
    """text: of a literal, without its quotes."""

    kind: DefaultKind = DefaultKind.NONE
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Definition:
    """What a statement says of a column.

    type: charset is None unless the statement names it. texts: how COLUMN_TYPE may show the type; several
    where MariaDB and MySQL differ. collated: whether it names a character set or a collation. nullable:
    None where it depends on a setting of the server (TIMESTAMP). key: whether it makes the column part of
    one. first, after: its place; the name of the column before it.
    """

    name: str
    type: ColumnType
    texts: tuple[str, ...]
    nullable: bool | None = True
    default: Default = Default()
    generated: bool = False
    auto_increment: bool = False
    key: bool = False
    on_update: bool = False
    collated: bool = False
    first: bool = False
    after: str = ""


_NOW: Final = ("CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP")
_FUNCTIONS: Final = (*_NOW, "CURRENT_DATE", "CURDATE", "CURRENT_TIME", "CURTIME", "SYSDATE", "UUID")


def read_definition(pieces: Pieces) -> Definition:
    """A name, a type and attributes, to where they end. Raises NotUnderstood."""
    name, told = pieces.name(), read_type(pieces)
    found = Definition(
        name,
        told.type,
        told.texts,
        nullable=told.nullable,
        auto_increment=told.serial,
        key=told.serial,
        collated=told.collated,
    )
    while (more := _attribute(pieces, found)) is not None:
        found = more
    return found


def _attribute(pieces: Pieces, made: Definition) -> Definition | None:
    """The definition with the next attribute; None if none follows."""
    if pieces.take("NOT", "NULL"):
        return replace(made, nullable=False)
    if pieces.take("NULL"):
        return replace(made, nullable=True)
    if pieces.take("DEFAULT"):
        return replace(made, default=read_default(pieces))
    if pieces.take("COMMENT"):
        pieces.next("text", "quoted")
        return made
    if pieces.take("COLLATE"):
        told = collated(pieces, TypeWords(made.type, made.texts))
        return replace(made, type=told.type, collated=True)
    return _of_key(pieces, made) or _computed(pieces, made) or _placed(pieces, made)


def _of_key(pieces: Pieces, made: Definition) -> Definition | None:
    if pieces.take_one("AUTO_INCREMENT"):
        return replace(made, auto_increment=True, nullable=False)
    if pieces.take("PRIMARY", "KEY") or pieces.take("KEY"):
        return replace(made, key=True, nullable=False)
    if pieces.take("UNIQUE"):
        pieces.take("KEY")
        return replace(made, key=True)
    return None


def _computed(pieces: Pieces, made: Definition) -> Definition | None:
    if pieces.take("ON", "UPDATE"):
        if not pieces.take_one(*_NOW):
            raise NotUnderstood
        _arguments(pieces)
        return replace(made, on_update=True)
    if pieces.take("GENERATED", "ALWAYS", "AS") or pieces.take("AS"):
        pieces.skip_parentheses()
        pieces.take_one("VIRTUAL", "STORED", "PERSISTENT")
        return replace(made, generated=True)
    if pieces.take("CHECK"):
        pieces.skip_parentheses()
        return made
    return None


def _placed(pieces: Pieces, made: Definition) -> Definition | None:
    if pieces.take("FIRST"):
        return replace(made, first=True)
    if pieces.take("AFTER"):
        return replace(made, after=pieces.name())
    return None


def read_default(pieces: Pieces) -> Default:
    """What follows DEFAULT. Raises NotUnderstood."""
    if pieces.comes("text"):
        return Default(DefaultKind.TEXT, pieces.text())
    if pieces.take("NULL"):
        return Default(DefaultKind.NULL)
    if truth := pieces.take_one("TRUE", "FALSE"):
        return Default(DefaultKind.NUMBER, str(int(truth == "TRUE")))
    if pieces.take_one(*_FUNCTIONS):
        _arguments(pieces)
        return Default(DefaultKind.EXPRESSION)
    sign = pieces.take_one("+", "-")
    if sign or pieces.comes("number"):
        return Default(DefaultKind.NUMBER, sign.replace("+", "") + pieces.next("number").raw)
    pieces.skip_parentheses()
    return Default(DefaultKind.EXPRESSION)


def _arguments(pieces: Pieces) -> None:
    if pieces.take("("):
        if pieces.comes("number"):
            pieces.whole_number()
        pieces.need(")")
