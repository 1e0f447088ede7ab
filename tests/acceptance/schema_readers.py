"""Somebody who reads the copy in Postgres all the time: by a view and a grant that must survive."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg

from rowferry_lab.servers import DestinationDatabase
from tests.acceptance.harness import wait_until

_PAUSE_SECONDS: Final = 0.02


class Reader(threading.Thread):
    """Counts the rows of some relations, again and again, as a role that was granted them once."""

    def __init__(self, destination: DestinationDatabase, role: str, relations: Sequence[str]) -> None:
        """relations: as SQL names them."""
        super().__init__(name="reader", daemon=True)
        self._destination, self._role = destination, role
        self._ended = threading.Event()
        self.fewest = dict.fromkeys(relations, 1 << 62)
        self.polls = 0
        self.errors: list[str] = []

    def run(self) -> None:
        """Read until the end."""
        with self._destination.connect() as connection:
            connection.execute(f'SET ROLE "{self._role}"'.encode())
            while not self._ended.is_set():
                for relation in self.fewest:
                    self._count(connection, relation)
                self.polls += 1
                self._ended.wait(_PAUSE_SECONDS)

    def end(self) -> None:
        """Read no more."""
        self._ended.set()
        self.join()

    def reads_on(self) -> None:
        """Wait until everything has been counted once more."""
        seen = self.polls
        wait_until("the reader reads on", lambda: self.polls >= seen + 2 or not self.is_alive())

    def assert_never_fewer(self, rows: int) -> None:
        """It read more than once, without an error, and always found so many rows."""
        assert self.errors == []
        assert self.polls > 1
        assert min(self.fewest.values()) >= rows, self.fewest

    def _count(self, connection: psycopg.Connection[tuple[object, ...]], relation: str) -> None:
        try:
            row = connection.execute(f"SELECT count(*) FROM {relation}".encode()).fetchone()
        except psycopg.Error as error:
            self.errors.append(f"{relation}: {error}")
            return
        assert row is not None
        self.fewest[relation] = min(self.fewest[relation], int(str(row[0])))


@contextmanager
def reading(destination: DestinationDatabase, table: str, columns: str) -> Iterator[Reader]:
    """A reader of raw's table and of a view on some of its columns, for the length of a block."""
    role = f"reader_{secrets.token_hex(4)}"
    view = f"public.seen_{table}"
    destination.run(
        f'CREATE ROLE "{role}"',
        f'GRANT USAGE ON SCHEMA raw TO "{role}"',
        f'GRANT SELECT ON raw."{table}" TO "{role}"',
        f'CREATE VIEW {view} AS SELECT {columns} FROM raw."{table}"',
        f'GRANT SELECT ON {view} TO "{role}"',
    )
    reader = Reader(destination, role, (f'raw."{table}"', view))
    reader.start()
    try:
        yield reader
    finally:
        reader.end()
        destination.run(f'DROP OWNED BY "{role}"', f'DROP ROLE "{role}"')
