"""What the workload's operations work with: one connection, its counts, and the keys known to exist.

Knows no operation (`workload_operations`) and no pace (`workload`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rowferry_lab.opendental import insert_rows, prepare_session, quote
from rowferry_lab.opendental_rows import Row, RowMaker, Value
from rowferry_lab.opendental_schema import BY_NAME, TABLES, Table

if TYPE_CHECKING:
    from typing import Any

    import pymysql

    Connection = pymysql.connections.Connection[Any]

_MAX_KNOWN_KEYS: Final = 20_000


@dataclass(slots=True)
class Counts:
    """What a workload did. rows: as the server reports them affected, rolled-back ones included."""

    statements: int = 0
    rows: int = 0
    transactions: int = 0
    rollbacks: int = 0
    conflicts: int = 0
    operations: Counter[str] = field(default_factory=Counter)


class Session:
    """A client of the office: runs statements, counts them, and remembers keys to work on.

    A key may be gone (rolled back, or deleted by another session): statements on it touch no row.
    """

    def __init__(self, connection: Connection, database: str, rng: random.Random, counts: Counts) -> None:
        """Reads the keys of all tables."""
        self.rng, self.counts, self.maker = rng, counts, RowMaker(rng)
        connection.autocommit(True)
        self.added_columns: list[str] = []
        self._connection = connection
        self._cursor = connection.cursor()
        prepare_session(self._cursor)
        self._cursor.execute(f"USE {quote(database)}")
        self._keys = {table.name: self._read_keys(table) for table in TABLES}
        self.mixes_engines = self._may_mix_engines()

    def execute(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Run one statement; returns the rows it affected."""
        affected = int(self._cursor.execute(statement, tuple(values) or None))
        self.counts.statements += 1
        self.counts.rows += max(0, affected)
        return affected

    def insert(self, table_name: str, **given: Value) -> int:
        """Insert one row: the given columns, invented values for the rest. Returns its key."""
        table = BY_NAME[table_name]
        row = {c.name: self.maker.value(table, c) for c in table.columns[1:]} | given
        if table_name == "commlog":
            row[table.key] = self.maker.random_key()
        names = ", ".join(quote(name) for name in row)
        marks = ", ".join(["%s"] * len(row))
        self.execute(f"INSERT INTO {quote(table_name)} ({names}) VALUES ({marks})", tuple(row.values()))
        key = row.get(table.key, self._cursor.lastrowid)
        return self.remember(table_name, int(key or 0))

    def insert_many(self, table_name: str, count: int) -> None:
        """Insert rows by one statement, with the server's own keys."""
        table = BY_NAME[table_name]
        rows: list[Row] = [self.maker.values(table) for _ in range(count)]
        inserted = insert_rows(self._cursor, table, rows, with_key=False)
        first = int(self._cursor.lastrowid or 0)
        self.counts.statements += 1
        self.counts.rows += inserted
        for key in range(first, first + inserted):
            self.remember(table_name, key)

    def update(self, table_name: str, key: int, **values: Value) -> None:
        """Update one row by its key."""
        assignments = ", ".join(f"{quote(name)} = %s" for name in values)
        where = quote(BY_NAME[table_name].key)
        statement = f"UPDATE {quote(table_name)} SET {assignments} WHERE {where} = %s"
        self.execute(statement, (*values.values(), key))

    def delete(self, table_name: str, key: int) -> None:
        """Delete one row by its key, and forget the key."""
        self.execute(f"DELETE FROM {quote(table_name)} WHERE {quote(BY_NAME[table_name].key)} = %s", (key,))
        self.forget(table_name, key)

    @contextmanager
    def transaction(self, *, commit: bool = True) -> Iterator[None]:
        """Statements between BEGIN and COMMIT, or ROLLBACK."""
        self._connection.begin()
        yield
        if commit:
            self._connection.commit()
            self.counts.transactions += 1
        else:
            self._connection.rollback()
            self.counts.rollbacks += 1

    def give_up(self) -> None:
        """End a transaction that met another one's lock."""
        self._connection.rollback()
        self.counts.conflicts += 1

    def pick(self, table_name: str) -> int:
        """The key of some row; 0 where the table has none left."""
        keys = self._keys[table_name]
        return self.rng.choice(keys) if keys else 0

    def remember(self, table_name: str, key: int) -> int:
        """Note that a key exists; returns it."""
        keys = self._keys[table_name]
        if len(keys) < _MAX_KNOWN_KEYS:
            keys.append(key)
        else:
            keys[self.rng.randrange(len(keys))] = key
        return key

    def forget(self, table_name: str, key: int) -> None:
        """Note that a key is gone."""
        keys = self._keys[table_name]
        if key in keys:
            keys.remove(key)

    def refresh_keys(self, table_name: str) -> None:
        """Read a table's keys again, after a statement that took an unknown set of them away."""
        self._keys[table_name] = self._read_keys(BY_NAME[table_name])

    def _read_keys(self, table: Table) -> list[int]:
        self._cursor.execute(
            f"SELECT {quote(table.key)} FROM {quote(table.name)} ORDER BY 1 LIMIT {_MAX_KNOWN_KEYS}"
        )
        return [int(row[0]) for row in self._cursor.fetchall()]

    def _may_mix_engines(self) -> bool:
        """MySQL refuses MyISAM changes inside transactions where it enforces GTID consistency."""
        self._cursor.execute("SHOW VARIABLES LIKE 'enforce_gtid_consistency'")
        found = self._cursor.fetchone()
        return found is None or str(found[1]).upper() in ("OFF", "0")
