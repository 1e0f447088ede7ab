"""What one load consists of: a CSV file for each table's upserts and deletes, then statements.

Pure values; also the names that tables have inside a dlt load package.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from rowferry.changes import LoadRequest, Statement
from rowferry.errors import ConfigurationError
from rowferry.table_schema import TableSchema

# A job's file name is `table.id.retry.csv`; dlt keeps names that begin with _dlt to itself.
_FILE_SAFE: Final = re.compile(r"(?!_dlt)[A-Za-z0-9_-]{1,63}\Z")

RESERVED: Final = frozenset({"_dlt_loads", "_dlt_version", "_dlt_pipeline_state"})


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table that share a file.

    deletes: their keys are to be deleted, else upserted. fresh: upserts that go straight into the table.
    """

    table: TableSchema
    alias: str
    rows: pa.Table
    deletes: bool
    fresh: bool = False

    @property
    def file_name(self) -> str:
        """The job's file name in the load package."""
        return f"{self.alias}.{'deletes' if self.deletes else 'upserts'}.0.csv"


@dataclass(frozen=True, slots=True)
class Plan:
    """A load on its way through dlt."""

    load_id: str
    parts: tuple[Part, ...]
    statements: tuple[Statement, ...]

    @property
    def rows(self) -> int:
        """How many rows are staged."""
        return sum(part.rows.num_rows for part in self.parts)

    def part(self, file_name: str) -> Part:
        """The part that was written to the file of that name. Raises KeyError."""
        return {part.file_name: part for part in self.parts}[file_name]

    def tables(self) -> Iterator[tuple[Part | None, Part | None]]:
        """(deletes, upserts) of each table, in the request's order."""
        pairs: dict[str, dict[bool, Part]] = {}
        for part in self.parts:
            pairs.setdefault(part.alias, {})[part.deletes] = part
        for pair in pairs.values():
            yield pair.get(True), pair.get(False)


def plan(request: LoadRequest) -> Plan:
    """The parts of a request that have rows. Raises ConfigurationError for names that would clash."""
    parts: list[Part] = []
    _check_names([load.table.id.name for load in request.tables])
    for load in request.tables:
        alias = package_name(load.table.id.name)
        if load.deletes.num_rows:
            parts.append(Part(load.table, alias, load.deletes, deletes=True))
        if load.upserts.num_rows:
            fresh = load.fresh and not load.deletes.num_rows
            parts.append(Part(load.table, alias, load.upserts, deletes=False, fresh=fresh))
    return Plan(request.load_id, tuple(parts), request.statements)


def _check_names(names: Sequence[str]) -> None:
    """In Postgres a table is known by its name alone, and dlt's own tables are not the source's."""
    for name, uses in Counter(names).items():
        if uses > 1 or name in RESERVED:
            reason = "the name is dlt's own" if name in RESERVED else "two tables have this name"
            raise ConfigurationError("load a batch", f"table {name}", reason=reason)


def package_name(name: str) -> str:
    """The name of a table inside the load package: its own, or a digest where a file cannot have it."""
    if _FILE_SAFE.match(name):
        return name
    return "table-" + hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
