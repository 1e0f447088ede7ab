"""A table, rows, one or more statements of DDL, rows again: the form of what follows the schema's changes.

In a statement `{t}` stands for the case's table, `{db}` for its database and `{other}` for another database
that is not copied. A statement that begins with `!` must fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pymysql
from pymysql.constants import CLIENT

from rowferry_lab.servers import SourceDatabase

if TYPE_CHECKING:
    from rowferry_lab.servers.databases import SourceConnection

PET: Final = (
    "id bigint NOT NULL PRIMARY KEY, n int, s varchar(20) NOT NULL, d date NOT NULL, t datetime, "
    "x double, m decimal(10,2), note text"
)
PETS: Final = (
    "INSERT INTO {t} (id, n, s, d, t, x, m, note) VALUES "
    "(1, 2147483647, 'Rex', '0000-00-00', '0000-00-00 00:00:00', 1.7976931348623157e308, 99999999.99, NULL), "
    "(2, -2147483648, '', '9999-12-31', '9999-12-31 23:59:59', -2.2250738585072014e-308, -99999999.99, ''), "
    "(3, NULL, '12 cats \u00e4\u20ac\U0001f431', '1000-01-01', NULL, NULL, NULL, '\\t \\\\ \\n'), "
    "(4, 0, 'x', '2024-00-10', '2024-02-31 10:00:00', -0.0, 0.01, 'four'), "
    "(5, 1, '5', '2024-02-29', '2024-02-29 12:34:56', 0.1, 5, 'five')"
)
LATER: Final = (
    "INSERT INTO {t} (id, s, d) VALUES (10, 'after', '2024-02-29'), (12, 'gone', '2024-03-01')",
    "UPDATE {t} SET s = 'changed' WHERE id = 1",
    "UPDATE {t} SET id = 11 WHERE id = 3",
    "DELETE FROM {t} WHERE id IN (2, 12)",
)


@dataclass(frozen=True)
class Case:
    """One table's life.

    table: its name. statements: the change. layout: what stands in the brackets of its CREATE TABLE, or
    nothing where the statements make it. rows: what it holds before; later: what happens after. options:
    behind the brackets. engine: by turns where it is empty. only: the product that has it, since a
    version of it. also: statements before the daemon knows the table. outside: by a connection that has
    no database.
    """

    table: str
    statements: tuple[str, ...]
    layout: str = PET
    rows: tuple[str, ...] = (PETS,)
    later: tuple[str, ...] = LATER
    options: str = ""
    engine: str = ""
    only: str = ""
    since: tuple[int, ...] = ()
    also: tuple[str, ...] = ()
    outside: bool = False

    def create(self, engine: str) -> tuple[str, ...]:
        """The statements that make the table and fill it."""
        made = f"CREATE TABLE {{t}} ({self.layout}) ENGINE={self.engine or engine} {self.options}"
        return (*((made, *self.rows) if self.layout else ()), *self.also)

    def filled(self, statements: Sequence[str], database: str, other: str) -> Iterator[str]:
        """Statements with the names in their places."""
        for statement in statements:
            named = statement.replace("{t}", self.table).replace("{db}", f"`{database}`")
            yield named.replace("{other}", f"`{other}`")


def case(table: str, *statements: str, **options: object) -> Case:
    """A case of the usual layout unless the options say otherwise."""
    return Case(table, statements, **options)  # type: ignore[arg-type]


def known_to(cases: Sequence[Case], database: SourceDatabase) -> list[Case]:
    """Those that this server knows."""
    spec = database.server.spec
    product, version = spec.product, tuple(int(part) for part in spec.version.split("."))
    return [one for one in cases if not one.only or (one.only == product and one.since <= version)]


def writer(database: SourceDatabase, *, inside: bool = True) -> SourceConnection:
    """A connection that takes dates that are none and several statements at once."""
    return database.connect(
        database=database.name if inside else None,
        client_flag=CLIENT.MULTI_STATEMENTS,
        init_command="SET SESSION sql_mode = ''",
    )


def write(connection: SourceConnection, statements: Sequence[str] | Iterator[str]) -> None:
    """Run statements, each to its last result; those that begin with `!` must fail."""
    with connection.cursor() as cursor:
        for statement in statements:
            if statement.startswith("!"):
                _refused(cursor, statement[1:])
                continue
            try:
                cursor.execute(statement)
                while cursor.nextset():
                    pass
            except pymysql.err.Error as error:
                raise AssertionError(f"the server refuses {statement!r}: {error}") from error


def _refused(cursor: pymysql.cursors.Cursor, statement: str) -> None:
    try:
        cursor.execute(statement)
    except pymysql.err.Error:
        return
    raise AssertionError(f"the server takes {statement!r}")
