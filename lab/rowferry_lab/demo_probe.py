"""How fresh the copy is, measured from outside: a change is committed, and looked for in Postgres.

Uses one column that the workload leaves alone, and asks the daemon nothing.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import psycopg
import pymysql

from rowferry_lab.servers import DestinationDatabase, SourceDatabase

_LOOK_EVERY_SECONDS: Final = 0.02
_PAUSE_SECONDS: Final = 0.73  # no multiple of a batch's age, so that all phases of a batch are met
_CHANGE: Final = "UPDATE clinic SET Phone = %s WHERE ClinicNum = 1"
_LOOK: Final = 'SELECT "Phone" FROM raw."clinic" WHERE "ClinicNum" = 1'


class FreshnessProbe:
    """Measures in a thread of its own. seconds: from commit to visible, one for each change seen."""

    def __init__(self, source: SourceDatabase, destination: DestinationDatabase) -> None:
        """Not started yet."""
        self.seconds: list[float] = []
        self._source, self._destination = source, destination
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)

    def start(self) -> None:
        """Begin to measure."""
        self._thread.start()

    def stop(self) -> None:
        """End, also in the middle of a measurement; may be called again."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            with self._source.connect() as source, self._destination.connect() as destination:
                number = 0
                while not self._stop.wait(_PAUSE_SECONDS):
                    number += 1
                    with source.cursor() as cursor:
                        cursor.execute(_CHANGE, (f"probe {number}",))
                    self._await(destination, f"probe {number}", time.monotonic())
        except (pymysql.err.Error, psycopg.Error, OSError):
            return  # a server went away: the demo finds that out where it matters

    def _await(self, destination: psycopg.Connection[tuple[object, ...]], wanted: str, since: float) -> None:
        while destination.execute(_LOOK).fetchone() != (wanted,):
            if self._stop.wait(_LOOK_EVERY_SECONDS):
                return
        self.seconds.append(time.monotonic() - since)
