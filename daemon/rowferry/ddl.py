"""What a QUERY event's statement is, and which tables it may touch. Pure text, no server.

Over-approximation is safe here (a table that is named is copied again), the opposite
is not: a statement that cannot be read touches every table whose name is in its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

import sqlglot
from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError


class StatementKind(Enum):
    """What a statement in the binlog does to the transaction around it."""

    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    SAVEPOINT = "savepoint"
    ROLLBACK_TO = "rollback to"
    XA = "xa"
    DML = "dml"
    DDL = "ddl"
    HARMLESS = "harmless"


@dataclass(frozen=True, slots=True)
class StatementInfo:
    """A classified statement. savepoint: its name, for SAVEPOINT and ROLLBACK TO."""

    kind: StatementKind
    savepoint: str = ""


@dataclass(frozen=True, slots=True)
class DdlEffect:
    """What a DDL statement may touch.

    names: every name in it, lower case; None if it could not be read: then it may touch what its text holds.
    all_tables: whether it touches every table of the database at hand (DROP DATABASE,
    or CREATE OR REPLACE DATABASE of MariaDB).
    """

    names: frozenset[str] | None
    all_tables: bool = False
    text: str = ""

    def mentions(self, database: str) -> bool:
        """Whether the statement may be about another database than the one that it was run in."""
        return self.names is None or database.lower() in self.names

    def touches(self, table: str) -> bool:
        """Whether the statement may touch the table of that name."""
        if self.names is None and not self.all_tables:
            return table.lower().replace("`", "``") in self.text
        return self.all_tables or self.mentions(table)


_SPACE_OR_COMMENT: Final = re.compile(r"\A(?:\s+|/\*(?!M?!).*?\*/|--[^\n]*(?:\n|\Z)|#[^\n]*(?:\n|\Z))+", re.S)
_CONDITIONAL: Final = re.compile(r"/\*M?!\d*(.*?)\*/", re.S)
_WORD: Final = re.compile(r"[A-Za-z_]+")
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.S)
_SAVEPOINT: Final = re.compile(
    r"\A(SAVEPOINT|ROLLBACK(?:\s+WORK)?\s+TO(?:\s+SAVEPOINT)?)(?:\s+|(?=`))(.+)\Z", re.I | re.S
)

_DML: Final = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "CALL", "DO", "SELECT"})
_DDL: Final = frozenset({"CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE"})
_HARMLESS: Final = frozenset(
    {"GRANT", "REVOKE", "SET", "FLUSH", "ANALYZE", "OPTIMIZE", "CHECK", "RELEASE", "INSTALL"}
    | {"UNINSTALL", "RESET", "PURGE", "CACHE", "USE", "COMMENT"}
)
WORDS: Final = _DML | _DDL | _HARMLESS
"""What the statements begin with that are told apart here by their first word alone."""
_OTHER_OBJECTS: Final = re.compile(
    r"\A(?:CREATE|ALTER|DROP|RENAME)\s+(?:OR\s+REPLACE\s+)?(?:ALGORITHM\s*=\s*\w+\s+)?"
    r"(?:DEFINER\s*=\s*\S+\s+)?(?:SQL\s+SECURITY\s+\w+\s+)?(?:AGGREGATE\s+)?"
    r"(?:VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT|USER|ROLE|SERVER|PACKAGE|TEMPORARY|RESOURCE|"
    r"LOGFILE|TABLESPACE|INSTANCE|SPATIAL\s+REFERENCE)\b",
    re.I,
)
_GAP: Final = r"(?>(?:\s|/\*.*?\*/|(?:#|--(?=\s|\Z))[^\n]*)+)"
"""What may stand between two words: all of it, so that what follows is the next word."""
_WRAPPED_DML: Final = re.compile(
    rf"\AANALYZE{_GAP}(?!(?:(?:LOCAL|NO_WRITE_TO_BINLOG){_GAP})?TABLES?\b)", re.I | re.S
)
_WRAPPED_DDL: Final = re.compile(rf"\ASET{_GAP}STATEMENT\b", re.I | re.S)
_DROP_DATABASE: Final = re.compile(
    rf"\A(?:DROP|CREATE{_GAP}OR{_GAP}REPLACE){_GAP}(?:DATABASE|SCHEMA)\b", re.I | re.S
)
_TABLES: Final = rf"(?:{_GAP}(?:TEMPORARY|IF|EXISTS))*{_GAP}TABLES?\b"
_GISTS: Final = (
    (re.compile(rf"\ADROP{_TABLES}", re.I | re.S), "tables are dropped"),
    (re.compile(rf"\ARENAME{_TABLES}", re.I | re.S), "tables are renamed"),
    (re.compile(rf"\ACREATE(?:{_GAP}OR{_GAP}REPLACE)?{_TABLES}", re.I | re.S), "a table is made"),
)
_CREATE_TABLE: Final = re.compile(
    rf"\ACREATE(?:{_GAP}OR{_GAP}REPLACE)?{_GAP}TABLE(?:{_GAP}IF{_GAP}NOT{_GAP}EXISTS)?+{_GAP}"
    r"(`(?:[^`]|``)+`|[\w$]+)(?:\s*\.\s*(`(?:[^`]|``)+`|[\w$]+))?+"
    rf"(?![\w$`]|(?:{_GAP})?\.)",
    re.I | re.S,
)
_DASHES: Final = re.compile(r"--(?!\s|\Z)")


def classify(statement: str) -> StatementInfo:
    """What the statement is. One that cannot be recognised counts as DDL, which is looked into."""
    text = plain(statement)
    match = _WORD.match(text)
    word = match[0].upper() if match else ""
    if word in ("BEGIN", "COMMIT"):
        return StatementInfo(StatementKind[word])
    if word == "XA":
        return StatementInfo(StatementKind.XA)
    if word in ("SAVEPOINT", "ROLLBACK"):
        return _savepoint(text)
    if word in _DML or _WRAPPED_DML.match(text):
        return StatementInfo(StatementKind.DML)
    if _WRAPPED_DDL.match(text):
        return StatementInfo(StatementKind.DDL)
    if not text or word in _HARMLESS or _OTHER_OBJECTS.match(text):
        return StatementInfo(StatementKind.HARMLESS)
    return StatementInfo(StatementKind.DDL)


def effect(statement: str) -> DdlEffect:
    """Which tables a DDL statement may touch."""
    text = plain(statement)
    if made := _CREATE_TABLE.match(text):  # what it is made from is only read
        parts = (part for part in made.groups() if part)
        return DdlEffect(frozenset(_unquoted(p).lower() for p in parts))
    return DdlEffect(names_in(text), bool(_DROP_DATABASE.match(text)), statement.lower())


def gist(statement: str) -> str:
    """In words what a statement does whose effect is not certain."""
    text = plain(statement)
    found = (words for form, words in _GISTS if form.match(text))
    return next(found, "the effect of the statement is not certain")


def names_written(statement: str) -> frozenset[str] | None:
    """The names in a DML statement; None for a call, which changes tables that it does not name."""
    match = _WORD.match(plain(statement))
    calls = match is not None and match[0].upper() in ("SELECT", "DO", "CALL")
    return None if calls else names_in(statement)


def names_in(statement: str) -> frozenset[str] | None:
    """Every word and quoted name of a statement, lower case; None if it cannot be read."""
    # The first word keeps sqlglot from taking RENAME for a command without names; MySQL has -- only
    # before a space. Text in double quotes is a name under ANSI_QUOTES.
    text = "_ " + _DASHES.sub("- -", plain(statement))
    tokens = _tokens(text)
    if tokens is None:
        return None
    names: set[str] = set()
    for token in tokens[1:]:
        is_text = token.token_type is TokenType.STRING and text[token.start] != '"'
        if not is_text and token.token_type is not TokenType.NUMBER:
            names.add(token.text.replace("``", "`").lower())
    return frozenset(names)


def tokens_in(statement: str) -> list[str]:
    """The statement as sqlglot cuts it, each part as it is written; empty if it cannot."""
    return [statement[token.start : token.end + 1] for token in _tokens(statement) or ()]


def _tokens(text: str) -> list[Token] | None:
    """None if sqlglot cannot cut it."""
    try:
        return sqlglot.tokenize(text, dialect="mysql")
    except SqlglotError:
        return None


def plain(statement: str) -> str:
    """The statement without leading comments, with conditional comments (/*! ... */) laid open."""
    opened = _CONDITIONAL.sub(r" \1 ", statement)
    return _SPACE_OR_COMMENT.sub("", opened).strip()


def _savepoint(text: str) -> StatementInfo:
    match = _SAVEPOINT.match(_COMMENT.sub(" ", text))
    if not match:
        return StatementInfo(StatementKind.ROLLBACK)
    kind = StatementKind.SAVEPOINT if match[1].upper() == "SAVEPOINT" else StatementKind.ROLLBACK_TO
    return StatementInfo(kind, _unquoted(match[2].strip()))


def _unquoted(name: str) -> str:
    return name.strip("`").replace("``", "`")


def split_statements(text: str) -> list[str]:
    """The statements between semicolons; none if the text cannot be read."""
    tokens = _tokens(text)
    if tokens is None:
        return []
    ends = [t.start for t in tokens if t.token_type is TokenType.SEMICOLON]
    starts = [0, *(end + 1 for end in ends)]
    parts = (text[a:b].strip() for a, b in zip(starts, [*ends, len(text)], strict=True))
    return [part for part in parts if part]
