"""An upgrade night of OpenDental: what its version upgrades send to the database, as steps, and their run.

    steps = opendental_upgrade_plan.plan()
    opendental_upgrade.run(connect, steps, done=print)

The database is one of `opendental_wide`. The workload (`workload`) may go on meanwhile: its tables
change only in ways that it survives. Statements that meet another's lock are sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pymysql

from rowferry_lab.opendental import prepare_session

if TYPE_CHECKING:
    from typing import Any

    Connection = pymysql.connections.Connection[Any]

REBUILD_CONNECTIONS: Final = 4
_LOCK_WAIT_TIMEOUT: Final = 1205
_DEADLOCK: Final = 1213
_ATTEMPTS: Final = 10
_DATA_VERBS: Final = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@dataclass(frozen=True, slots=True)
class Step:
    """Statements that are sent one after the other or, if `parallel`, by several connections at once."""

    statements: tuple[str, ...]
    parallel: bool = False


def one(statement: str) -> Step:
    """A step of one statement."""
    return Step((statement,))


def ddl_statements(steps: Sequence[Step]) -> tuple[str, ...]:
    """The statements that change the schema (TRUNCATE and CREATE TABLE ... SELECT among them)."""
    return tuple(s for step in steps for s in step.statements if not s.startswith(_DATA_VERBS))


def run(
    connect: Callable[[], Connection],
    steps: Sequence[Step],
    done: Callable[[int], None] = lambda _: None,
    *,
    rate: float | None = None,
) -> None:
    """Send the steps in order; `done` hears the number of steps after each.

    connect: opens a connection to the database, for a user who may do everything in it.
    rate: steps a second at most; None for as many as the server takes.
    Raises pymysql.err.Error if a statement fails; one that met a lock fails after ten attempts.
    """
    with closing(connect()) as connection:
        _prepare(connection)
        started = time.monotonic()
        for number, step in enumerate(steps, 1):
            if step.parallel:
                _send_in_parallel(connect, step.statements)
            else:
                _send(connection, step.statements)
            done(number)
            if rate is not None:
                time.sleep(max(0.0, started + number / rate - time.monotonic()))


def _prepare(connection: Connection) -> None:
    connection.autocommit(True)
    with connection.cursor() as cursor:
        prepare_session(cursor)


def _send_in_parallel(connect: Callable[[], Connection], statements: Sequence[str]) -> None:
    def send(part: Sequence[str]) -> None:
        with closing(connect()) as connection:
            _prepare(connection)
            _send(connection, part)

    parts = [statements[number::REBUILD_CONNECTIONS] for number in range(REBUILD_CONNECTIONS)]
    with ThreadPoolExecutor(REBUILD_CONNECTIONS) as pool:
        list(pool.map(send, parts))


def _send(connection: Connection, statements: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    cursor.execute(statement)
                    break
                except pymysql.err.OperationalError as error:
                    if error.args[0] not in (_LOCK_WAIT_TIMEOUT, _DEADLOCK) or attempt == _ATTEMPTS:
                        raise
