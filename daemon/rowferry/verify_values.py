"""Rows whose digests may differ though their values do not: their values themselves are compared.

The source's rows are converted as the copy converts them, put into a temporary table of the session, and
compared by Postgres. No value comes back: only which rows differ.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rowferry.carry import carry
from rowferry.copy import select_form
from rowferry.destination import copy_in, ddl, fetch, name, run_all
from rowferry.judging import Key
from rowferry.row_text import inexact_columns, key_columns
from rowferry.settings import QuarantineSettings
from rowferry.table_schema import Column
from rowferry.verify_keys import there_key
from rowferry.verify_sides import DestinationSide, SourceSide

ROWS_AT_ONCE: Final = 50
_TABLE: Final = "_rowferry_verify"


@dataclass(frozen=True, slots=True)
class Compared:
    """A row of both sides. digest: of the source's row as it was compared. version: of the other."""

    digest: str
    version: str
    equal: bool


class ValueComparer:
    """Compares the rows of one table. Has a temporary table in the session of `destination`."""

    def __init__(self, source: SourceSide, destination: DestinationSide, rules: QuarantineSettings) -> None:
        """Asks nothing yet. Raises TableStopped, UnsupportedType for a table that cannot be carried."""
        self._source = source
        self._destination = destination
        self._rules = rules
        self._form = select_form(source.table)
        self._inexact = frozenset(inexact_columns(source.table))

    def compare(self, keys: Sequence[Key]) -> dict[Key, Compared]:
        """The rows that exist on both sides and can be carried. Raises RowRefused, as the copy would."""
        found: dict[Key, Compared] = {}
        for start in range(0, len(keys), ROWS_AT_ONCE):
            found |= self._compare(keys[start : start + ROWS_AT_ONCE])
        return found

    def _compare(self, keys: Sequence[Key]) -> dict[Key, Compared]:
        rows = self._source.whole_rows(keys)
        digests = {row.key: row.digest for row in rows}
        carried = carry(self._form, [row.values for row in rows], self._rules).rows
        if not carried.num_rows:
            return {}
        self._load(carried)
        found = {}
        for version, equal, *texts in fetch(self._destination.session, self._select(), [True]):
            key = there_key(self._source.table, texts)
            if key in digests:
                found[key] = Compared(digests[key], version, equal)
        return found

    def _load(self, rows: Any) -> None:
        """Fill the temporary table, made anew."""
        csv_file = importlib.import_module("rowferry.load.csv_file")  # imports dlt: only where it is needed
        target = self._source.table.as_destination()
        columns = ", ".join(name(c.name) for c in target.columns)
        table = name(self._destination.dataset, target.id.name)
        temporary = name("pg_temp", _TABLE)
        make = [
            f"DROP TABLE IF EXISTS {temporary}",
            f"CREATE TEMPORARY TABLE {name(_TABLE)} AS SELECT {columns} FROM {table} WITH NO DATA",
        ]
        run_all(self._destination.session, [ddl(text) for text in make])
        copy = f"COPY {temporary} ({columns}) FROM STDIN WITH ({csv_file.COPY_OPTIONS})"
        with tempfile.TemporaryDirectory(prefix="rowferry-") as folder:
            path = Path(folder) / "rows.csv"
            csv_file.write(rows.rename_columns([c.name for c in target.columns]), path)
            copy_in(self._destination.session, ddl(copy).text, path)

    def _select(self) -> str:
        """Version, whether all values are equal, and the key, of each row that is in both tables."""
        table = self._source.table
        key = key_columns(table)
        same_key = " AND ".join(f"t.{name(c.there)} = s.{name(c.there)}" for c in key)
        equal = " AND ".join(self._equal(c) for c in table.columns)
        texts = ", ".join(f"t.{name(c.there)}::text" for c in key)
        there, here = name(self._destination.dataset, table.there), name("pg_temp", _TABLE)
        return (
            f"SELECT t.xmin::text, {equal}, {texts} FROM {there} AS t JOIN {here} AS s ON {same_key} WHERE %s"
        )

    def _equal(self, column: Column) -> str:
        """By value for what has more than one text (0 and -0 are equal), by text for all else."""
        quoted = name(column.there)
        by_value = column.name in self._inexact and column.policy.as_type != "json"
        cast = "" if by_value else "::text"
        return f"t.{quoted}{cast} IS NOT DISTINCT FROM s.{quoted}{cast}"
