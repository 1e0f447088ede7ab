"""A statement's words, names, texts, numbers and signs, in order. Pure text, no server.

Strict: what could be read in two ways, by another sql_mode or another server, is not read at all. Two
readers must agree on where each piece ends: this one, and sqlglot's of the same pieces without comments.

Lexical rules: https://dev.mysql.com/doc/refman/9.7/en/language-structure.html and
https://mariadb.com/kb/en/comment-syntax/. A conditional comment that the server did not execute is an
ordinary comment in the binlog: the server has taken its exclamation mark away (sql_lex.cc of both).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from rowferry.ddl import tokens_in


class NotUnderstood(ValueError):
    """A statement that is not understood for sure. Holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """kind: "word", "name" (in backticks), "text", "quoted" (in double quotes), "number" or "sign".

    raw: as it stands in the statement, with its quotes.
    """

    kind: str
    raw: str = field(repr=False)

    @property
    def word(self) -> str:
        """A bare word in upper case; "" for everything else."""
        return self.raw.upper() if self.kind == "word" else ""


_PIECE: Final = re.compile(
    r"(?P<space>[ \t\n\r\v\f]+|#[^\n]*|--(?=[\x00-\x20\x7f]|\Z)[^\n]*)"
    r"|(?P<open>/\*M?!(?:\d{5,6}(?!\d)|(?!\d)))"
    r"|(?P<comment>/\*(?!M?!).*?\*/)"
    r"|(?P<close>\*/)"
    r"|(?P<name>`(?:[^`]|``)+`(?!`))"
    r"|(?P<text>'(?:[^'\\]|''|\\.)*'(?!'))"
    r'|(?P<quoted>"(?:[^"\\]|""|\\.)*"(?!"))'
    r"|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w$.]))"
    r"|(?P<word>[A-Za-z_$][A-Za-z0-9_$]*(?![^\x00-\x7f]))"
    r"|(?P<sign>[(),.=+\-;*/%<>!|&^~])",
    re.S,
)
_UNESCAPED: Final = {"text": re.compile(r"'(?:[^']|'')*'(?!')"), "quoted": re.compile(r'"(?:[^"]|"")*"(?!")')}
_MARIADB_ONLY: Final = re.compile(r"/\*M!.*?\*/", re.S)


def pieces(statement: str) -> list[Piece]:
    """All pieces but comments; conditional comments are laid open. Raises NotUnderstood."""
    found = _pieces(statement)
    if "/*M!" in statement and _pieces(_MARIADB_ONLY.sub(" ", statement)) != found:
        raise NotUnderstood
    _check_with_sqlglot(found)
    return found


def _pieces(statement: str) -> list[Piece]:
    found, at, inside = [], 0, False
    while at < len(statement):
        match = _PIECE.match(statement, at)
        if match is None:
            raise NotUnderstood
        at, kind = match.end(), match.lastgroup or ""
        if kind in ("open", "close"):
            if inside == (kind == "open"):
                raise NotUnderstood
            inside = not inside
        elif kind == "comment" and inside:
            raise NotUnderstood
        elif kind not in ("space", "comment"):
            _check_end(kind, match)
            found.append(Piece(kind, match[0]))
    if inside:
        raise NotUnderstood
    return found


def _check_end(kind: str, match: re.Match[str]) -> None:
    """A text must end at the same place whether backslashes escape or not (NO_BACKSLASH_ESCAPES)."""
    if kind in _UNESCAPED and "\\" in match[0]:
        other = _UNESCAPED[kind].match(match.string, match.start())
        if other is None or other.end() != match.end():
            raise NotUnderstood


def _check_with_sqlglot(found: list[Piece]) -> None:
    # The first word keeps sqlglot from taking RENAME for a command without names.
    text = "_ " + " ".join(piece.raw for piece in found)
    seen: list[str] = []
    for raw in tokens_in(text)[1:]:
        seen += [raw] if raw[:1] in ("'", '"', "`") else raw.split()
    if seen != [piece.raw for piece in found]:
        raise NotUnderstood


class Pieces:
    """Reads a statement's pieces one after the other. Every method raises NotUnderstood."""

    def __init__(self, found: list[Piece]) -> None:
        """found: of `pieces`."""
        self._found = found
        self._at = 0

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._found)

    def take(self, *wanted: str) -> bool:
        """Step over these words (upper case) and signs if all of them come next."""
        if not self.would_take(*wanted):
            return False
        self._at += len(wanted)
        return True

    def would_take(self, *wanted: str) -> bool:
        """Whether these words and signs come next."""
        coming = self._found[self._at : self._at + len(wanted)]
        return [p.word or (p.raw if p.kind == "sign" else "") for p in coming] == list(wanted)

    def take_one(self, *choices: str) -> str:
        """Step over one of these words and signs; which one it was, or ""."""
        return next((choice for choice in choices if self.take(choice)), "")

    def need(self, *wanted: str) -> None:
        """Step over these words and signs, which must come next."""
        if not self.take(*wanted):
            raise NotUnderstood

    def next(self, *kinds: str) -> Piece:
        """The next piece, which must be of one of these kinds."""
        if self.ended or self._found[self._at].kind not in kinds:
            raise NotUnderstood
        self._at += 1
        return self._found[self._at - 1]

    def comes(self, *kinds: str) -> bool:
        """Whether the next piece is of one of these kinds."""
        return not self.ended and self._found[self._at].kind in kinds

    def name(self) -> str:
        """A name without its quotes; one that is not ASCII may have been in another character set."""
        piece = self.next("word", "name")
        found = piece.raw if piece.kind == "word" else piece.raw[1:-1].replace("``", "`")
        if not found.isascii():
            raise NotUnderstood
        return found

    def whole_number(self) -> int:
        """A number of digits alone."""
        piece = self.next("number")
        if not re.fullmatch(r"[0-9]{1,18}", piece.raw):
            raise NotUnderstood
        return int(piece.raw)

    def text(self) -> str:
        """A text in single quotes, whose value depends on no sql_mode."""
        raw = self.next("text").raw
        if "\\" in raw:
            raise NotUnderstood
        return raw[1:-1].replace("''", "'")

    def skip_parentheses(self) -> None:
        """Step over a pair of parentheses and all that is in it."""
        self.need("(")
        depth = 1
        while depth:
            if self.ended:
                raise NotUnderstood
            raw = self._found[self._at].raw
            depth += (raw == "(") - (raw == ")")
            self._at += 1
