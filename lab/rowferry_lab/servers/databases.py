"""Fresh databases on running servers: named so that nobody else has one, dropped when done with."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
import pymysql
import pymysql.cursors
from psycopg import sql

from rowferry_lab.servers.running import RunningServer

# In quotes: only the type checker knows that pymysql's connections are generic.
SourceConnection: TypeAlias = "pymysql.connections.Connection[pymysql.cursors.Cursor]"
DestinationConnection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class SourceDatabase:
    """A database of a MySQL or MariaDB server."""

    server: RunningServer
    name: str

    @property
    def url(self) -> str:
        """The URL of the database, mysql://..."""
        return self.server.url(self.name)

    def connect(self, **options: Any) -> SourceConnection:
        """Open a connection to it, which commits every statement unless told otherwise."""
        return _source_connection(self.server, **{"database": self.name, **options})

    def run(self, *statements: str) -> None:
        """Run statements, each committed."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rows(self, query: str, parameters: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        """Give a query's rows."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return list(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class DestinationDatabase:
    """A database of a Postgres server."""

    server: RunningServer
    name: str

    @property
    def url(self) -> str:
        """The URL of the database, postgresql://..."""
        return self.server.url(self.name)

    def connect(self, **options: Any) -> DestinationConnection:
        """Open a connection to it, which commits every statement unless told otherwise."""
        return psycopg.connect(self.url, **{"autocommit": True, **options})

    def run(self, *statements: str) -> None:
        """Run statements, each committed."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def rows(self, query: str, parameters: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        """Give a query's rows."""
        with self.connect() as connection:
            return connection.execute(query.encode(), parameters).fetchall()


@contextmanager
def fresh_source_database(server: RunningServer, prefix: str = "lab") -> Iterator[SourceDatabase]:
    """Make a database on a source, and drop it at the end."""
    name = _unique(prefix)
    with _source_connection(server) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    try:
        yield SourceDatabase(server, name)
    finally:
        with _source_connection(server) as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION lock_wait_timeout = 10")  # rather an error than a wait for ever
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")


@contextmanager
def fresh_destination_database(server: RunningServer, prefix: str = "lab") -> Iterator[DestinationDatabase]:
    """Make a database on a Postgres server, and drop it at the end, whoever is still connected."""
    name = _unique(prefix)
    quoted = sql.Identifier(name)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(quoted))
    try:
        yield DestinationDatabase(server, name)
    finally:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(quoted))


def _source_connection(server: RunningServer, **options: Any) -> SourceConnection:
    defaults: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "password": server.password,
        "charset": "utf8mb4",
        "autocommit": True,
    }
    return pymysql.connect(**{**defaults, **options})


def _unique(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(4)}"
