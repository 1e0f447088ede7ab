"""What changes a large table under load: OpenDental's rebuild, gh-ost, pt-online-schema-change.

Each sends its statements over connections of its own while other sessions write, and calls `halfway`
when a part of the rows is copied.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import pymysql

from rowferry_lab.servers import SourceDatabase
from tests.acceptance.harness import wait_until

COLUMNS: Final = "id, n, s"
_RETRIED: Final = frozenset({1146, 1205, 1213})  # no such table at the moment, lock wait timeout, deadlock
_JOIN_SECONDS: Final = 60.0

Halfway = Callable[[], None]


def fill(source: SourceDatabase, table: str, rows: int, engine: str) -> None:
    """A table of so many rows."""
    source.run(f"CREATE TABLE {table} (id int PRIMARY KEY, n int, s varchar(30) NOT NULL) ENGINE={engine}")
    with source.connect() as connection, connection.cursor() as cursor:
        made = [(number, number * 7 % 1000, f"row {number}") for number in range(1, rows + 1)]
        cursor.executemany(f"INSERT INTO {table} ({COLUMNS}) VALUES (%s, %s, %s)", made)


@contextmanager
def writing(source: SourceDatabase, table: str, seed: int, *, only_inserts: bool = False) -> Iterator[None]:
    """Two sessions that insert, and change and delete what they inserted or change what was there."""
    ended = threading.Event()
    with ThreadPoolExecutor(2) as sessions:
        running = [
            sessions.submit(
                _write, source, table, ended, random.Random(seed + n), 1_000_000 * (n + 1), only_inserts
            )
            for n in range(2)
        ]
        try:
            yield
        finally:
            ended.set()
        for session in running:
            session.result(_JOIN_SECONDS)


def _write(
    source: SourceDatabase,
    table: str,
    ended: threading.Event,
    chance: random.Random,
    number: int,
    only_inserts: bool,
) -> None:
    with source.connect() as connection, connection.cursor() as cursor:
        while not ended.wait(0.01):
            number += 1
            statements = [
                f"INSERT INTO {table} ({COLUMNS}) VALUES ({number}, {chance.randint(0, 99)}, 'new')"
            ]
            if not only_inserts:
                statements += (
                    f"UPDATE {table} SET n = n + 1, s = 'changed' WHERE id = {chance.randint(1, 5000)}",
                    f"DELETE FROM {table} WHERE id = {number - 3}",
                )
            for statement in statements:
                _insist(cursor, statement)


def _insist(cursor: pymysql.cursors.Cursor, statement: str) -> None:
    """As an application does: a statement that meets a rename or a deadlock is lost."""
    try:
        cursor.execute(statement)
    except pymysql.err.Error as error:
        if error.args[0] not in _RETRIED:
            raise


def rebuild(source: SourceDatabase, table: str, alter: str, halfway: Halfway, *, rows: int) -> None:
    """OpenDental's: a new name for the table, an empty one in its place, four connections that copy back."""
    old = f"tempConv_{table}1"
    source.run(
        f"RENAME TABLE {table} TO {old}",
        f"CREATE TABLE {table} LIKE {old}",
        f"ALTER TABLE {table} {alter}",
    )
    starts = list(range(1, rows + 1, 2_500))
    random.Random(rows).shuffle(starts)

    def copy(start: int) -> None:
        ends = f"id BETWEEN {start} AND {start + 2_499}"
        source.run(f"INSERT INTO {table} ({COLUMNS}) SELECT {COLUMNS} FROM {old} WHERE {ends}")

    with ThreadPoolExecutor(4) as connections:
        list(connections.map(copy, starts[:3]))
        halfway()
        list(connections.map(copy, starts[3:]))
    source.run(f"DROP TABLE {old}")


def gh_ost(source: SourceDatabase, table: str, alter: str, halfway: Halfway, *, rows: int) -> None:
    """gh-ost's: a ghost table, filled by chunks and from the binlog, and a swap under a lock.

    What gh-ost reads from the binlog, REPLACE INTO and DELETE, comes here from the table itself.
    https://github.com/github/gh-ost/blob/master/doc/understanding-output.md
    """
    ghost, log, gone = f"_{table}_gho", f"_{table}_ghc", f"_{table}_del"
    note = f"INSERT INTO {log} (hint, value) VALUES (%s, %s) ON DUPLICATE KEY UPDATE value = VALUES(value)"
    with source.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {ghost}, {log}, {gone}")
        cursor.execute(
            f"create /* gh-ost */ table {log} (id bigint unsigned auto_increment, "
            "last_update timestamp not null default current_timestamp on update current_timestamp, "
            "hint varchar(64) charset ascii not null, "
            "value varchar(4096) charset ascii not null, primary key(id), unique key hint_uidx(hint)) "
            "auto_increment=256 comment='gh-ost'"
        )
        cursor.execute(f"create /* gh-ost */ table {ghost} like {table}")
        cursor.execute(f"alter /* gh-ost */ table {ghost} {alter}")
        cursor.execute(note, ("state", "GhostTableMigrated"))
        for start in range(1, rows + 1, 1_000):
            ends = f"id BETWEEN {start} AND {start + 999}"
            cursor.execute(
                f"insert /* gh-ost {source.name}.{table} */ ignore into {ghost} ({COLUMNS}) "
                f"(select {COLUMNS} from {table} force index (`PRIMARY`) where {ends} lock in share mode)"
            )
            cursor.execute(
                f"replace /* gh-ost */ into {ghost} ({COLUMNS}) "
                f"SELECT {COLUMNS} FROM {table} WHERE id > 1000000"
            )
            cursor.execute(note, ("heartbeat", str(start)))
            if start > rows // 2:
                halfway()
                halfway = _nothing
        cursor.execute(
            f"create /* gh-ost */ table {gone} (id int auto_increment primary key) "
            "comment='ghost-cut-over-sentry'"
        )
        _cut_over(source, table, ghost, gone)
        cursor.execute(f"drop /* gh-ost */ table if exists {log}")
        cursor.execute(f"drop /* gh-ost */ table if exists {gone}")


def _nothing() -> None:
    """The half is passed."""


def _cut_over(source: SourceDatabase, table: str, ghost: str, gone: str) -> None:
    """The last changes under a lock, and a RENAME of both names that waits for it."""
    with source.connect() as locking, source.connect() as renaming, ThreadPoolExecutor(1) as other:
        with locking.cursor() as cursor:
            cursor.execute(
                f"lock /* gh-ost */ tables {table} write, {gone} write, {ghost} write, {table} as o write"
            )
            cursor.execute(
                f"replace /* gh-ost */ into {ghost} ({COLUMNS}) SELECT {COLUMNS} FROM {table} AS o"
            )
            cursor.execute(f"DELETE FROM {ghost} WHERE id NOT IN (SELECT id FROM {table} AS o)")
            swap = f"rename /* gh-ost */ table {table} to {gone}, {ghost} to {table}"
            with renaming.cursor() as asking:
                asking.execute("SELECT CONNECTION_ID()")
                [session] = asking.fetchone() or [0]
            swapped = other.submit(renaming.query, swap)
            _wait_blocked(source, session)
            cursor.execute(f"drop /* gh-ost */ table if exists {gone}")
            cursor.execute("unlock tables")
        swapped.result(_JOIN_SECONDS)


def _wait_blocked(source: SourceDatabase, session: object) -> None:
    """Wait until a session waits for a table."""
    query = "SELECT STATE FROM information_schema.PROCESSLIST WHERE ID = %s"
    wait_until("the rename waits", lambda: "metadata" in str(source.rows(query, [session])))


def pt_osc(source: SourceDatabase, table: str, alter: str, halfway: Halfway, *, rows: int) -> None:
    """pt-online-schema-change's: a new table, triggers that keep it up to date, chunks, a swap.

    https://docs.percona.com/percona-toolkit/pt-online-schema-change.html
    """
    new, old, name = f"_{table}_new", f"_{table}_old", source.name
    values = ", ".join(f"NEW.`{column}`" for column in COLUMNS.split(", "))
    replace = f"REPLACE INTO `{name}`.`{new}` ({COLUMNS}) VALUES ({values})"
    delete = f"DELETE IGNORE FROM `{name}`.`{new}` WHERE `{name}`.`{new}`.`id` <=> OLD.`id`"
    moved = f"{delete.replace('WHERE', 'WHERE !(OLD.`id` <=> NEW.`id`) AND')}"
    with source.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE `{name}`.`{new}` LIKE `{name}`.`{table}`")
        cursor.execute(f"ALTER TABLE `{name}`.`{new}` {alter}")
        for event, body in (
            ("DELETE", delete),
            ("UPDATE", f"BEGIN {moved}; {replace}; END"),
            ("INSERT", replace),
        ):
            trigger = f"`{name}`.`pt_osc_{table}_{event[:3].lower()}`"
            cursor.execute(
                f"CREATE TRIGGER {trigger} AFTER {event} ON `{name}`.`{table}` FOR EACH ROW {body}"
            )
        for start in range(1, rows + 1, 1_000):
            ends = f"id >= {start} AND id <= {start + 999}"
            cursor.execute(
                f"INSERT LOW_PRIORITY IGNORE INTO `{name}`.`{new}` ({COLUMNS}) SELECT {COLUMNS} "
                f"FROM `{name}`.`{table}` FORCE INDEX(`PRIMARY`) WHERE {ends} LOCK IN SHARE MODE "
                "/*pt-online-schema-change copy nibble*/"
            )
            if start > rows // 2:
                halfway()
                halfway = _nothing
        cursor.execute(
            f"INSERT IGNORE INTO {new} ({COLUMNS}) SELECT {COLUMNS} FROM {table} WHERE id > {rows}"
        )
        cursor.execute(f"ANALYZE TABLE `{name}`.`{new}` /* pt-online-schema-change */")
        cursor.execute(
            f"RENAME TABLE `{name}`.`{table}` TO `{name}`.`{old}`, `{name}`.`{new}` TO `{name}`.`{table}`"
        )
        cursor.execute(f"DROP TABLE IF EXISTS `{name}`.`{old}`")
        for event in ("DELETE", "UPDATE", "INSERT"):
            cursor.execute(f"DROP TRIGGER IF EXISTS `{name}`.`pt_osc_{table}_{event[:3].lower()}`")
