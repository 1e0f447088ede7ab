"""A source database and a destination schema that a test fills by hand, for the comparer's own tests."""

from __future__ import annotations

from typing import Any

import psycopg

from rowferry_lab.compare import compare
from rowferry_lab.compare_result import Comparison, TableResult
from rowferry_lab.servers import DestinationDatabase, SourceDatabase


class Pair:
    """A fresh source database and a fresh destination schema."""

    def __init__(self, source: SourceDatabase, destination: DestinationDatabase) -> None:
        """Connect to both, the source as a server without strictness."""
        self.source_url = source.url
        self.schema, self.destination_url = "raw", destination.url
        self.source = source.connect()
        self.destination = psycopg.connect(destination.url, autocommit=True)
        for statement in ("SET NAMES utf8mb4", "SET sql_mode = ''", "SET time_zone = '+00:00'"):
            self.run_source(statement)
        self.run_destination("CREATE SCHEMA {schema}")

    def run_source(self, statement: str) -> None:
        """Run one statement on the source."""
        with self.source.cursor() as cursor:
            cursor.execute(statement)

    def run_destination(self, statement: str) -> None:
        """Run one statement on the destination; {schema} is the schema."""
        self.destination.execute(statement.replace("{schema}", self.schema).encode())

    def compare(self, **options: Any) -> Comparison:
        """The comparison of everything."""
        return compare(self.source_url, self.destination_url, schema=self.schema, **options)

    def only_table(self, **options: Any) -> TableResult:
        """The result of the only table."""
        (table,) = self.compare(**options).tables
        return table

    def close(self) -> None:
        """Disconnect."""
        self.source.close()
        self.destination.close()
