"""Helpers for the tests of `verify`: a table copied without a daemon, by the daemon's own conversions."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from psycopg import sql

from rowferry.carry import Carried, carry
from rowferry.checksum_there import SESSION
from rowferry.chunk_sql import chunk_select
from rowferry.copy import select_form
from rowferry.destination import connect as connect_destination
from rowferry.destination import create_table
from rowferry.load import csv_file
from rowferry.mysql_catalog import read_tables
from rowferry.mysql_source import connect, connect_for_copy, query
from rowferry.settings import DestinationSettings, QuarantineSettings, SourceSettings, TableSettings
from rowferry.table_schema import ColumnPolicy, TableSchema
from rowferry.verify_sides import DestinationSide, SourceSide
from rowferry_lab.servers import DestinationDatabase, SourceDatabase

DATASET: Final = "raw"


class Copied:
    """A pair of databases between which tables are copied by hand."""

    def __init__(self, source: SourceDatabase, destination: DestinationDatabase, folder: Path) -> None:
        """Connect to both."""
        self._stack = ExitStack()
        settings = SourceSettings(url=source.url)
        self.database = settings.database
        self.folder = folder
        self.control = self._stack.enter_context(connect(settings))
        self.rows = self._stack.enter_context(connect_for_copy(settings))
        self.writer: Any = self._stack.enter_context(source.connect())
        self.session = self._stack.enter_context(
            connect_destination(DestinationSettings(url=destination.url, dataset=DATASET))
        )
        self.session.execute(f"CREATE SCHEMA IF NOT EXISTS {DATASET}".encode())
        for statement in SESSION:
            self.session.execute(statement.encode())

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        self._stack.close()

    def run(self, *statements: str) -> None:
        """Run statements on the source."""
        with self.writer.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def there(self, statement: str, *parameters: Any) -> int:
        """Run a statement on the destination; the number of rows."""
        return self.session.execute(statement.encode(), parameters or None).rowcount

    def table(self, table: str, **policies: ColumnPolicy) -> TableSchema:
        """A table as the catalogue has it, with policies by column."""
        found = read_tables(self.control, self.database, TableSettings())
        [schema] = [t for t in found.values() if t.id.name == table]
        columns = (replace(c, policy=policies.get(c.name, c.policy)) for c in schema.columns)
        return replace(schema, columns=tuple(columns))

    def copy(self, table: TableSchema) -> Carried:
        """Make the destination's table and fill it."""
        statement = create_table(DATASET, table)
        self.session.execute(statement.text.encode())
        found = [row[: len(table.columns)] for row in query(self.rows, chunk_select(table, None, 100_000))]
        carried = carry(select_form(table), found, QuarantineSettings())
        target = table.as_destination()
        rows = carried.rows.rename_columns([c.name for c in target.columns])
        rows = rows.append_column("_loaded_at", [["2024-01-01 00:00:00"] * rows.num_rows])
        rows = rows.append_column("_dlt_load_id", [["1"] * rows.num_rows])
        if rows.num_rows:
            self._load(target, rows)
        return carried

    def _load(self, target: TableSchema, rows: Any) -> None:
        path = self.folder / "rows.csv"
        csv_file.write(rows, path)
        text = sql.SQL("COPY {} ({}) FROM STDIN WITH ({})").format(
            sql.Identifier(DATASET, target.id.name),
            sql.SQL(", ").join(map(sql.Identifier, rows.column_names)),
            sql.SQL(csv_file.COPY_OPTIONS),
        )
        with self.session.cursor() as cursor, cursor.copy(text) as copying:
            copying.write(path.read_bytes())

    def sides(self, table: TableSchema) -> tuple[SourceSide, DestinationSide]:
        """Both sides of a table."""
        return SourceSide(self.rows, table), DestinationSide(self.session, DATASET, table)
