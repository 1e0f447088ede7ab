"""The workload as the demo runs it: in a thread, with its counts in words."""

from __future__ import annotations

import threading

import pymysql

from rowferry_lab.demo_daemon import DemoFailed
from rowferry_lab.servers import SourceDatabase
from rowferry_lab.workload import Workload


class Office:
    """The workload in a thread of its own."""

    def __init__(self, source: SourceDatabase, rate: float) -> None:
        """Not started yet. rate: statements a second."""
        self.workload = Workload(source.connect, source.name, seed=7)
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(rate,), name="office", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End after the operation under way; may be called again."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> None:
        """Raise what ended the workload before its time."""
        if self._error is not None:
            raise DemoFailed(f"the workload failed: {type(self._error).__name__}") from self._error

    @property
    def summary(self) -> str:
        """What it did so far."""
        counts = self.workload.counts
        return f"{counts.statements:,} statements, {counts.rows:,} rows, {counts.rollbacks:,} rollbacks"

    def _run(self, rate: float) -> None:
        try:
            self.workload.run(self._stop.is_set, rate)
        except (pymysql.err.Error, OSError) as error:
            self._error = error
