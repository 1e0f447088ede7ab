"""Days of a database's life as statements, from a seed: rows, tables and columns come, change and go.

Every statement is one that MariaDB and MySQL take under sql_mode ''.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

TYPES: Final = {
    "int": "int",
    "bigint": "bigint",
    "small": "tinyint unsigned",
    "short": "varchar(5)",
    "long": "varchar(60)",
    "text": "text",
    "latin": "varchar(20) CHARACTER SET latin1",
    "double": "double",
    "decimal": "decimal(8,2)",
    "date": "date",
    "datetime": "datetime",
    "fine": "datetime(3)",
    "enum": "enum('a','b','c')",
    "bytes": "varbinary(40)",
}
VALUES: Final = (
    "NULL", "0", "-1", "255", "2147483647", "9223372036854775807", "1.5", "-99999.99", "''", "'a'", "'b'",
    "'caf\u00e9'", "'a text that is longer than most'", "'2024-02-29'", "'0000-00-00'",
    "'9999-12-31 23:59:59.987'", "'12'", "X'41'",
)  # fmt: skip
# A NOT NULL column's default must be one of its type; the others have none.
DEFAULTS: Final = {
    "int": "-7", "bigint": "9223372036854775807", "small": "255", "short": "'five5'", "long": "'it''s'",
    "latin": "'\u00e9'", "double": "0.1", "decimal": "-1.25", "date": "'2001-02-03'",
    "datetime": "'2001-02-03 04:05:06'", "enum": "'b'", "bytes": "'bytes'",
}  # fmt: skip


@dataclass
class _Table:
    name: str
    engine: str
    columns: dict[str, str] = field(default_factory=dict)


class History:
    """The statements; `tables` is what is there after those that were taken so far."""

    def __init__(self, seed: int, tables: int) -> None:
        """Nothing has happened yet."""
        self._chance = random.Random(seed)
        self._wanted = tables
        self._number = 0
        self.tables: list[_Table] = []

    def beginning(self) -> Iterator[str]:
        """The tables, with rows."""
        for _ in range(self._wanted):
            yield from self._create()

    def days(self, steps: int) -> Iterator[str]:
        """So many steps: three or four changes of rows, then one of the schema."""
        actions = (
            *([self._add] * 6), *([self._modify] * 6), *([self._drop_column] * 3),
            *([self._rename_column] * 2),
            self._rename_table, self._swap, self._truncate, self._replace, self._drop_table, self._place,
            self._key,
        )  # fmt: skip
        for step in range(steps):
            for _ in range(self._chance.randint(2, 4)):
                yield from self._rows(self._chance.choice(self.tables))
            yield from self._chance.choice(actions)()
            if step % 50 == 20:
                yield "FLUSH BINARY LOGS"
        for table in self.tables:
            yield from self._rows(table)

    def _next(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}{self._number}"

    def _any(self) -> _Table:
        return self._chance.choice(self.tables)

    def _column(self, table: _Table) -> str | None:
        return self._chance.choice(list(table.columns)) if table.columns else None

    def _definition(self, kind: str) -> str:
        if kind in DEFAULTS and self._chance.random() < 0.7:
            return f"{TYPES[kind]} NOT NULL DEFAULT {DEFAULTS[kind]}"
        return f"{TYPES[kind]} {self._chance.choice(['NULL', 'NOT NULL'])}"

    def _rows(self, table: _Table) -> Iterator[str]:
        names = ["id", *table.columns]
        for _ in range(self._chance.randint(1, 3)):
            self._number += 1
            values = [str(self._number), *(self._value() for _ in table.columns)]
            yield f"INSERT IGNORE INTO {table.name} ({', '.join(names)}) VALUES ({', '.join(values)})"
        low = max(0, self._number - self._chance.randint(1, 400))
        if column := self._column(table):
            where = f"id BETWEEN {low} AND {low + 60}"
            yield f"UPDATE IGNORE {table.name} SET {column} = {self._value()} WHERE {where}"
        yield f"DELETE FROM {table.name} WHERE id BETWEEN {low} AND {low + 5}"

    def _value(self) -> str:
        return self._chance.choice(VALUES)

    def _create(self, name: str = "") -> Iterator[str]:
        engine = self._chance.choice(["MyISAM", "InnoDB"])
        table = _Table(name or self._next("t"), engine)
        for _ in range(self._chance.randint(1, 4)):
            table.columns[self._next("c")] = self._chance.choice(list(TYPES))
        columns = ", ".join(f"{column} {TYPES[kind]}" for column, kind in table.columns.items())
        key = self._chance.choice(["PRIMARY KEY (id)", "PRIMARY KEY (id)", "UNIQUE KEY u (id)", "KEY k (id)"])
        self.tables.append(table)
        yield f"CREATE TABLE {table.name} (id bigint NOT NULL, {columns}, {key}) ENGINE={engine}"
        yield from self._rows(table)

    def _add(self) -> Iterator[str]:
        table, column, kind = self._any(), self._next("c"), self._chance.choice(list(TYPES))
        place = self._chance.choice(["", "", " FIRST", " AFTER id"])
        table.columns[column] = kind
        yield f"ALTER TABLE {table.name} ADD COLUMN {column} {self._definition(kind)}{place}"

    def _modify(self) -> Iterator[str]:
        table, kind = self._any(), self._chance.choice(list(TYPES))
        if column := self._column(table):
            table.columns[column] = kind
            yield f"ALTER TABLE {table.name} MODIFY {column} {TYPES[kind]}"

    def _place(self) -> Iterator[str]:
        table = self._any()
        if column := self._column(table):
            yield f"ALTER TABLE {table.name} MODIFY {column} {TYPES[table.columns[column]]} FIRST"

    def _drop_column(self) -> Iterator[str]:
        """It may come back at once with its old name and another type."""
        table = self._any()
        if column := self._column(table):
            del table.columns[column]
            yield f"ALTER TABLE {table.name} DROP COLUMN {column}"
            if self._chance.random() < 0.4:
                yield from self._rows(table)
                kind = table.columns[column] = self._chance.choice(list(TYPES))
                yield f"ALTER TABLE {table.name} ADD {column} {self._definition(kind)}"

    def _rename_column(self) -> Iterator[str]:
        table, new = self._any(), self._next("c")
        if column := self._column(table):
            kind = table.columns[new] = table.columns.pop(column)
            yield f"ALTER TABLE {table.name} CHANGE {column} {new} {TYPES[kind]}"

    def _rename_table(self) -> Iterator[str]:
        table, new = self._any(), self._next("t")
        yield f"RENAME TABLE {table.name} TO {new}"
        table.name = new

    def _swap(self) -> Iterator[str]:
        one, other = self._chance.sample(self.tables, 2)
        yield f"RENAME TABLE {one.name} TO swapping, {other.name} TO {one.name}, swapping TO {other.name}"
        one.name, other.name = other.name, one.name

    def _truncate(self) -> Iterator[str]:
        table = self._any()
        yield f"TRUNCATE TABLE {table.name}"
        yield from self._rows(table)

    def _replace(self) -> Iterator[str]:
        table = self._any()
        self.tables.remove(table)
        yield f"DROP TABLE {table.name}"
        yield from self._create(table.name)

    def _drop_table(self) -> Iterator[str]:
        table = self._any()
        self.tables.remove(table)
        yield f"DROP TABLE {table.name}"
        yield from self._create()

    def _key(self) -> Iterator[str]:
        """A table without an index becomes one with a unique key: INSERT IGNORE let no number in twice."""
        table = self._any()
        table.engine = "InnoDB" if table.engine == "MyISAM" else "MyISAM"
        yield f"ALTER TABLE {table.name} ENGINE={table.engine}"
        yield f"ALTER TABLE {table.name} ADD UNIQUE KEY {self._next('u')} (id)"
