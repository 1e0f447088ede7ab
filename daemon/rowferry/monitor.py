"""Asks the source for its clock and its binlog head, twice a second, for the replication lag."""

from __future__ import annotations

import threading
import time
from typing import Final

from rowferry.binlog_files import BinlogFiles
from rowferry.lag import LagTracker
from rowferry.mysql_source import SourceServer, clock_us, connect, head_position
from rowferry.position import BinlogPosition
from rowferry.settings import SourceSettings

PERIOD_SECONDS: Final = 0.5


class Monitor:
    """Holds the lag tracker, which the thread fills and the run loop reads."""

    def __init__(self, settings: SourceSettings, server: SourceServer, position: BinlogPosition) -> None:
        """Connects when `run` begins. position: the checkpoint."""
        self._settings = settings
        self._server = server
        self._tracker = LagTracker()
        self._position = position
        self._offset_us = 0
        self.files = BinlogFiles(settings)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.head: BinlogPosition | None = None

    def run(self) -> None:
        """Sample until `stop`. Raises what connections raise."""
        with connect(self._settings) as control:
            while not self._stop.is_set():
                steady = _steady_us()
                clock = clock_us(control)
                offset = clock - time.time_ns() // 1000
                head = head_position(control, self._server)
                with self._lock:
                    self._tracker.sample(clock, head, steady)
                    self._offset_us = offset
                    self.head, position = head, self._position
                self.files.look(control, position, head, clock / 1e6)
                self._stop.wait(PERIOD_SECONDS)

    def stop(self) -> None:
        """Let `run` end."""
        self._stop.set()

    def applied_until(self, position: BinlogPosition) -> int:
        """Source time (microseconds) up to which a copy at `position` is complete; 0 if not known."""
        with self._lock:
            return self._tracker.until(position)

    def applied(self, position: BinlogPosition) -> None:
        """Everything up to `position` is committed."""
        with self._lock:
            self._position = position
            self._tracker.applied(position)

    def lag(self) -> tuple[float | None, int, float]:
        """Replication lag in seconds (None: not known), watermark (us), clock offset in seconds."""
        with self._lock:
            tracker = self._tracker
            return tracker.lag_seconds(_steady_us()), tracker.applied_until_us, self._offset_us / 1e6

    def go_on_from(self, before: Monitor) -> None:
        """What the monitor of the attempt before knew of the lag stays true; it is not at work any more."""
        with self._lock:
            self._tracker.go_on_from(before._tracker)


def _steady_us() -> int:
    return time.monotonic_ns() // 1000
