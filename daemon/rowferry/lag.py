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
    """Samples not yet reached, and the newest that was.

    Lag is counted by this machine's steady clock from the moment of that sample: it stays right where the
    source's clock is wrong, and where it is set. Times: microseconds; those of the source since the epoch.
    """

    applied_until_us: int = 0
    applied_steady_us: int | None = None
    sampled_steady_us: int | None = None
    _samples: deque[tuple[int, BinlogPosition, int]] = field(default_factory=deque)

    def sample(self, clock_us: int, head: BinlogPosition, steady_us: int) -> None:
        """The source's clock, its head read after it, and the steady clock before both."""
        self.sampled_steady_us = steady_us
        self._samples.append((clock_us, head, steady_us))
        if len(self._samples) > MAX_SAMPLES:
            del self._samples[1]

    def go_on_from(self, before: LagTracker) -> None:
        """What was known before the source was lost; no lag of 0 follows before it was asked again."""
        if self.applied_steady_us is None:
            self.applied_until_us = max(self.applied_until_us, before.applied_until_us)
            self.applied_steady_us = before.applied_steady_us

    def until(self, position: BinlogPosition) -> int:
        """The source time up to which a copy at `position` is complete; 0 if not known."""
        reached = [clock for clock, head, _ in self._samples if position.reached(head)]
        return max([self.applied_until_us, *reached])

    def applied(self, position: BinlogPosition) -> None:
        """Everything up to `position` is committed."""
        while self._samples and position.reached(self._samples[0][1]):
            clock_us, _, self.applied_steady_us = self._samples.popleft()
            self.applied_until_us = max(self.applied_until_us, clock_us)

    def lag_seconds(self, steady_us: int) -> float | None:
        """Replication lag now; None before anything is known.

        0 only while the source is being asked: once it no longer answers, lag grows with the clock.
        """
        if self.applied_steady_us is None:
            return None
        asked = self.sampled_steady_us is not None and steady_us - self.sampled_steady_us < FRESH_US
        if asked and not self._samples:
            return 0.0
        return max(0.0, (steady_us - self.applied_steady_us) / 1e6)
