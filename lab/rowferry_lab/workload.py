"""A live office: an endless, realistic mix of changes to an OpenDental-shaped database.

    work = Workload(lambda: pymysql.connect(...), "opendental", seed=7)
    work.run(stop.is_set, rate=50)      # in a thread of the caller's; then look at work.counts

Deterministic by seed as long as nobody else writes. Several workloads may run at once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pymysql

from rowferry_lab.workload_operations import DDL_OPERATIONS, OPERATIONS, Operation
from rowferry_lab.workload_session import Counts, Session

if TYPE_CHECKING:
    from typing import Any

    Connection = pymysql.connections.Connection[Any]

_LOCK_WAIT_TIMEOUT: Final = 1205
_DEADLOCK: Final = 1213
_DUPLICATE_KEY: Final = 1062
_CONFLICTS: Final = (_LOCK_WAIT_TIMEOUT, _DEADLOCK, _DUPLICATE_KEY)
_LONGEST_SLEEP_SECONDS: Final = 0.2


class Workload:
    """Runs operations until it is told to stop; `counts` says what it did and may be read meanwhile."""

    def __init__(
        self, connect: Callable[[], Connection], database: str, seed: int = 1, *, ddl: bool = False
    ) -> None:
        """connect: opens a connection to the source, for a user who may write. ddl: schema changes too."""
        self.counts = Counts()
        self._connect, self._database = connect, database
        self._rng = random.Random(seed)
        self._mix = dict(OPERATIONS) | (DDL_OPERATIONS if ddl else {})

    def run(self, until: Callable[[], bool], rate: float | None = 40.0) -> None:
        """Work until `until()` is true, asked between operations (an operation is never cut short).

        rate: statements a second on average; None for as many as the server takes.
        """
        operations, weights = list(self._mix), list(self._mix.values())
        with closing(self._connect()) as connection:
            session = Session(connection, self._database, self._rng, self.counts)
            started, first = time.monotonic(), self.counts.statements
            while not until():
                self._do(session, self._rng.choices(operations, weights)[0])
                if rate is not None:
                    due = started + (self.counts.statements - first) / rate
                    _sleep_until(due, until)

    def _do(self, session: Session, operation: Operation) -> None:
        try:
            operation(session)
        except (pymysql.err.OperationalError, pymysql.err.IntegrityError) as error:
            if error.args[0] not in _CONFLICTS:
                raise
            session.give_up()
        self.counts.operations[operation.__name__] += 1


def _sleep_until(due: float, until: Callable[[], bool]) -> None:
    while (left := due - time.monotonic()) > 0 and not until():
        time.sleep(min(left, _LONGEST_SLEEP_SECONDS))
