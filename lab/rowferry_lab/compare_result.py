"""What the comparer found: for each table counts, keys and column names, never other values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from rowferry_lab.compare_kinds import Text

KEPT_EXAMPLES: Final = 1_000

Key = tuple[Text, ...]
_Example = TypeVar("_Example")


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row that is there on both sides: which columns differ."""

    key: Key
    columns: tuple[str, ...]


@dataclass(slots=True)
class TableResult:
    """What was found in one table.

    Keys are canonical text (`compare_kinds`; text keys in hexadecimal); of rows without a key, a digest.
    The lists hold the first KEPT_EXAMPLES, the counts all. absent: there is no such table.
    missing_columns: of the source. extra_columns: only in the destination, which is no difference
    (a dropped column may be kept). masked: compared as hashes, see `compare.compare`;
    in_the_clear: those of them that hold some text unhashed. set_aside: how many of the source's rows are
    known not to be in the destination; not_set_aside: keys said to be such that the source has not.
    """

    table: str
    rows_compared: int = 0
    missing_count: int = 0
    extra_count: int = 0
    different_count: int = 0
    missing: list[Key] = field(default_factory=list)
    extra: list[Key] = field(default_factory=list)
    different: list[RowDifference] = field(default_factory=list)
    absent: bool = False
    missing_columns: tuple[str, ...] = ()
    extra_columns: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    in_the_clear: tuple[str, ...] = ()
    set_aside: int = 0
    not_set_aside: tuple[Key, ...] = ()

    @property
    def differences(self) -> int:
        """Rows that are missing, extra, different or set aside for nothing, columns, the table itself."""
        rows = self.missing_count + self.extra_count + self.different_count + len(self.not_set_aside)
        return rows + len(self.missing_columns) + self.absent

    @property
    def equal(self) -> bool:
        """Whether the copy is exact."""
        return self.differences == 0

    def describe(self) -> str:
        """One line."""
        return f"{self.table}: {self.rows_compared:,} rows compared: {self.finding}"

    @property
    def finding(self) -> str:
        """What was found, in a few words."""
        if self.absent:
            return "no such table in the destination"
        if self.equal:
            return "equal"
        parts = [f"{self.missing_count:,} missing{_first(self.missing)}"] if self.missing_count else []
        parts += [f"{self.extra_count:,} extra{_first(self.extra)}"] if self.extra_count else []
        if self.different_count:
            first = self.different[0]
            where = f"{_show(first.key)} in {', '.join(first.columns)}"
            parts.append(f"{self.different_count:,} different, first {where}")
        if self.not_set_aside:
            unknown = _first(list(self.not_set_aside))
            parts.append(f"{len(self.not_set_aside):,} set aside that the source has not{unknown}")
        parts += [f"in the clear: {', '.join(self.in_the_clear)}"] if self.in_the_clear else []
        parts += [f"columns missing: {', '.join(self.missing_columns)}"] if self.missing_columns else []
        return "; ".join(parts)

    def add_missing(self, key: Key) -> None:
        """The destination lacks a row."""
        self.missing_count += 1
        _keep(self.missing, key)

    def add_extra(self, key: Key) -> None:
        """The destination has a row too many."""
        self.extra_count += 1
        _keep(self.extra, key)

    def add_different(self, key: Key, columns: Iterable[str]) -> None:
        """A row differs."""
        self.different_count += 1
        _keep(self.different, RowDifference(key, tuple(columns)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found in all tables."""

    tables: tuple[TableResult, ...]

    @property
    def equal(self) -> bool:
        """Whether every table is an exact copy, and there was any."""
        return bool(self.tables) and all(table.equal for table in self.tables)

    @property
    def rows_compared(self) -> int:
        """Rows of the source that were compared."""
        return sum(table.rows_compared for table in self.tables)

    @property
    def differences(self) -> int:
        """The sum over all tables."""
        return sum(table.differences for table in self.tables)

    def describe(self) -> str:
        """A line for each table that differs, and a verdict."""
        lines = [table.describe() for table in self.tables if not table.equal]
        verdict = "EQUAL" if self.equal else "DIFFERENT"
        counts = f"{len(self.tables)} tables, {self.rows_compared:,} rows compared"
        return "\n".join([*lines, f"{verdict}: {counts}, {self.differences:,} differences"])


def _keep(examples: list[_Example], example: _Example) -> None:
    if len(examples) < KEPT_EXAMPLES:
        examples.append(example)


def _show(key: Key) -> str:
    return "(" + ", ".join("NULL" if part is None else part for part in key) + ")"


def _first(keys: list[Key]) -> str:
    return f", first {_show(keys[0])}"
