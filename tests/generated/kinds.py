"""Column types as Hypothesis knows them: DDL, and strategies for values as SQL.

A value is an SQL expression without a chance of injection: digits, or hexadecimal. What cannot be carried
at all (U+0000 in text or JSON) is never made.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

Values = st.SearchStrategy[str]


@dataclass(frozen=True, slots=True)
class Server:
    """What the types depend on: the product, and major and minor version."""

    mysql: bool
    version: tuple[int, int]

    @property
    def late_timestamps(self) -> bool:
        """Whether TIMESTAMP reaches 2106."""
        return not self.mysql and self.version >= (11, 5)


@dataclass(frozen=True, slots=True)
class Kind:
    """A column's type as DDL, its values, and which of them fit a key (None: the type does not)."""

    family: str
    ddl: str
    values: Values
    key_values: Values | None = None

    def __repr__(self) -> str:
        """Short, since Hypothesis prints it."""
        return self.ddl


Kinds = st.SearchStrategy[Kind]


def hexadecimal(data: bytes) -> str:
    """A binary literal."""
    return f"X'{data.hex()}'"


def text_literal(text: str) -> str:
    """A text literal, converted by the server to the column's character set."""
    return f"_utf8mb4 {hexadecimal(text.encode())}"


def quoted(values: Values) -> Values:
    """Text literals of values without a quote."""
    return values.map(lambda text: f"'{text}'")
