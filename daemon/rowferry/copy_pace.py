"""How fast a copy may read: rows of one SELECT, and rows a second of all of them together."""

from __future__ import annotations

import threading
import time
from typing import Final

FIRST_CHUNK_ROWS: Final = 2_000
MIN_CHUNK_ROWS: Final = 50
_AIM: Final = 0.5
"""Of the time that one SELECT may take, so that an ordinary one stays well below it."""


class Pace:
    """The number of rows that a table's next SELECT asks for. Not thread-safe: races cost precision only."""

    def __init__(self, limit_seconds: float, most_rows: int) -> None:
        """limit_seconds: that one SELECT may take. most_rows: that it may ask for."""
        self._limit = limit_seconds
        self._most = most_rows
        self.rows = min(FIRST_CHUNK_ROWS, most_rows)

    @property
    def can_shrink(self) -> bool:
        """Whether a SELECT that takes too long can be tried again with fewer rows."""
        return self.rows > MIN_CHUNK_ROWS

    def took(self, seconds: float, asked: int, found: int) -> None:
        """A SELECT of `asked` rows took so long; at most doubles, and not on account of a short one."""
        aim = self._limit * _AIM
        if found < asked and seconds < aim:
            return
        wanted = int(asked * min(2.0, aim / max(seconds, 1e-6)))
        self.rows = min(max(wanted, MIN_CHUNK_ROWS), self._most)

    def too_long(self, asked: int) -> None:
        """The server gave up a SELECT of `asked` rows."""
        self.rows = max(min(self.rows, asked // 4), MIN_CHUNK_ROWS)


def smooth_rows(rows_per_second: float) -> int:
    """Rows of one SELECT, so that several a second make up the rate."""
    return max(MIN_CHUNK_ROWS, int(rows_per_second / 5))


class Throttle:
    """Keeps all copies together below a number of rows a second. Thread-safe."""

    def __init__(self, rows_per_second: float | None) -> None:
        """None: no bound."""
        self._rate = rows_per_second
        self._lock = threading.Lock()
        self._free_at = 0.0

    def spend(self, rows: int, stopping: threading.Event) -> None:
        """Rows were read; waits until the next ones may be, or until all is to stop."""
        if self._rate is None:
            return
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + rows / self._rate
            wait = self._free_at - time.monotonic()
        stopping.wait(max(0.0, wait))
