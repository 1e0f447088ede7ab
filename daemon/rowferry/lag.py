"""How far the copy is behind the source, told by the source's own clock. Pure.

A sample is the source's clock, read before its binlog head. Once everything up to that head is applied,
the copy is complete as of that clock time; so lag is right on idle streams too, where no event carries
a time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from rowferry.position import BinlogPosition

MAX_SAMPLES: Final = 3_600
FRESH_US: Final = 5_000_000


@dataclass(slots=True)
class LagTracker:
    """Samples not yet reached, and the newest that was. Times: microseconds since the epoch."""

    applied_until_us: int = 0
    clock_offset_us: int = 0
    sampled_local_us: int = 0
    _samples: deque[tuple[int, BinlogPosition]] = field(default_factory=deque)

    def sample(self, clock_us: int, head: BinlogPosition, local_us: int) -> None:
        """The source's clock, its head read after it, and this machine's clock at that moment."""
        self.clock_offset_us = clock_us - local_us
        self.sampled_local_us = local_us
        self._samples.append((clock_us, head))
        if len(self._samples) > MAX_SAMPLES:
            del self._samples[1]

    def until(self, position: BinlogPosition) -> int:
        """The source time up to which a copy at `position` is complete; 0 if not known."""
        reached = [clock for clock, head in self._samples if position.reached(head)]
        return max([self.applied_until_us, *reached])

    def applied(self, position: BinlogPosition) -> None:
        """Everything up to `position` is committed."""
        while self._samples and position.reached(self._samples[0][1]):
            self.applied_until_us = max(self.applied_until_us, self._samples.popleft()[0])

    def lag_seconds(self, local_us: int) -> float | None:
        """Replication lag now; None before anything is known.

        0 only while the source is being asked: once it no longer answers, lag grows with the clock.
        """
        if not self.applied_until_us:
            return None
        if not self._samples and local_us - self.sampled_local_us < FRESH_US:
            return 0.0
        return max(0.0, (local_us + self.clock_offset_us - self.applied_until_us) / 1e6)
