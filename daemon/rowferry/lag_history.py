"""The lag of the last minutes, once a second, with gaps where it is not known. Pure: told the time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

KEPT_SECONDS: Final = 900.0
STEP_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class LagSample:
    """age: seconds before now. lag: seconds; None where it is not known."""

    age: float
    lag: float | None


@dataclass(slots=True)
class LagHistory:
    """At most one sample for each step of time."""

    _samples: deque[tuple[float, float | None]] = field(
        default_factory=lambda: deque(maxlen=int(KEPT_SECONDS / STEP_SECONDS) + 1)
    )

    def due(self, now: float) -> bool:
        """Whether it is time for a sample. now: seconds of a clock that only rises."""
        return not self._samples or now - self._samples[-1][0] >= STEP_SECONDS

    def add(self, now: float, lag: float | None) -> None:
        """Note the lag as of now, in seconds."""
        self._samples.append((now, lag))

    def samples(self, now: float) -> list[LagSample]:
        """What is kept, the oldest first. Where nobody looked for a while, a gap is put in."""
        shown: list[LagSample] = []
        for at, lag in tuple(self._samples):
            age = max(0.0, now - at)
            if age > KEPT_SECONDS:
                continue
            if shown and shown[-1].age - age > 5 * STEP_SECONDS:
                shown.append(LagSample(shown[-1].age, None))
            shown.append(LagSample(age, lag))
        return shown
