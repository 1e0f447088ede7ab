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
    parallel_rate: float | None = None,
) -> None:
    """Send the steps in order; `done` hears the number of steps after each.

    connect: opens a connection to the database, for a user who may do everything in it.
    rate: steps a second at most; None for as many as the server takes. parallel_rate: the same of the
    statements of a parallel step, over all connections.
    Raises pymysql.err.Error if a statement fails; one that met a lock fails after ten attempts.
    """
    with closing(connect()) as connection:
        _prepare(connection)
        pace = _Pace(rate)
        for number, step in enumerate(steps, 1):
            if step.parallel:
                _send_in_parallel(connect, step.statements, parallel_rate)
                pace = _Pace(rate)
            else:
                _send(connection, step.statements, _Pace(None))
            done(number)
            pace.wait()


def _prepare(connection: Connection) -> None:
    connection.autocommit(True)
    with connection.cursor() as cursor:
        prepare_session(cursor)


class _Pace:
    """Keeps a loop from going faster than `rate` rounds a second; None: as fast as it can."""

    def __init__(self, rate: float | None) -> None:
        self._rate, self._started, self._rounds = rate, time.monotonic(), 0

    def wait(self) -> None:
        """Called at the end of a round."""
        self._rounds += 1
        if self._rate is not None:
            time.sleep(max(0.0, self._started + self._rounds / self._rate - time.monotonic()))


def _send_in_parallel(
    connect: Callable[[], Connection], statements: Sequence[str], rate: float | None
) -> None:
    def send(part: Sequence[str]) -> None:
        with closing(connect()) as connection:
            _prepare(connection)
            _send(connection, part, _Pace(rate / REBUILD_CONNECTIONS if rate else None))

    parts = [statements[number::REBUILD_CONNECTIONS] for number in range(REBUILD_CONNECTIONS)]
    with ThreadPoolExecutor(REBUILD_CONNECTIONS) as pool:
        list(pool.map(send, parts))


def _send(connection: Connection, statements: Sequence[str], pace: _Pace) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    cursor.execute(statement)
                    break
                except pymysql.err.OperationalError as error:
                    if error.args[0] not in (_LOCK_WAIT_TIMEOUT, _DEADLOCK) or attempt == _ATTEMPTS:
                        raise
            pace.wait()
