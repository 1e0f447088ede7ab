"""Load ids: decimal seconds since the epoch, as dlt makes them, but strictly rising in every dataset.

Pure. Fixed width, so that they also rise as text: the end of a table copy finds old rows by that order,
whatever the clocks did.
"""

from __future__ import annotations


class LoadIds:
    """Makes ids after the last one that the dataset has seen."""

    def __init__(self, last: str) -> None:
        """last: the newest id in use, "" if there is none."""
        self.last = last or "0000000000.000000"

    def next(self, now_us: int) -> str:
        """An id for the time `now_us` (microseconds since the epoch), or just after the last one."""
        seconds, _, micros = self.last.partition(".")
        number = max(now_us, int(seconds) * 1_000_000 + int(f"{micros:0<6.6}") + 1)
        self.last = f"{number // 1_000_000:010d}.{number % 1_000_000:06d}"
        return self.last
