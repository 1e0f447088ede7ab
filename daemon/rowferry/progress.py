"""How far the copies have come, in words and numbers: tables, rows, rows a second, time left.

Pure; the caller has the clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_WINDOW_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class CopyState:
    """tables: that are being copied. rows, total: read and expected, of these and of those done since."""

    tables: int
    rows: int
    total: int
    rows_per_second: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """None if nothing is known of it."""
        if not self.rows_per_second or self.total <= self.rows:
            return None
        return (self.total - self.rows) / self.rows_per_second

    def describe(self) -> str:
        """For a terminal."""
        parts = [f"copying {self.tables} table{'s' if self.tables != 1 else ''}: {self.rows:,} rows"]
        if self.total > self.rows:
            parts[0] += f" of about {self.total:,}"
        if self.rows_per_second:
            parts.append(f"{self.rows_per_second:,.0f} rows/s")
        if self.seconds_left is not None:
            parts.append(f"about {_duration(self.seconds_left)} left")
        return ", ".join(parts)


@dataclass(slots=True)
class CopyMeter:
    """Sums up copies over time."""

    _known: dict[str, tuple[int, int]] = field(default_factory=dict)
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def sample(self, now: float, copying: Iterable[tuple[str, int, int]]) -> CopyState:
        """copying: name, rows read and rows estimated of each table that is being copied. now: seconds."""
        under_way = {name: (rows, max(rows, total)) for name, rows, total in copying}
        finished = {name: (rows, rows) for name, (rows, _) in self._known.items() if name not in under_way}
        self._known = {**finished, **under_way} if under_way else {}
        rows = sum(done for done, _ in self._known.values())
        total = sum(estimate for _, estimate in self._known.values())
        if self._samples and rows < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((now, rows))
        while now - self._samples[0][0] > _WINDOW_SECONDS:
            self._samples.popleft()
        began, before = self._samples[0]
        rate = (rows - before) / (now - began) if now > began else None
        return CopyState(len(under_way), rows, total, rate)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
