"""How much of a processor something may take: rests for a thread, answers kept for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

SHARE: Final = 0.05
SAVED_SECONDS: Final = 0.5
MOST_REST_SECONDS: Final = 0.25
KEPT_AT_MOST_SECONDS: Final = 5.0

T = TypeVar("T")


@dataclass(slots=True)
class Pace:
    """Processor seconds that were not used are saved, for a short burst."""

    saved: float = SAVED_SECONDS
    _at: float | None = None

    def rest(self, now: float, used: float) -> float:
        """Seconds to rest now. now: of the monotonic clock. used: processor seconds since the last call."""
        earned = 0.0 if self._at is None else (now - self._at) * SHARE
        self._at = now
        self.saved = min(SAVED_SECONDS, self.saved + earned) - used
        return min(MOST_REST_SECONDS, -self.saved / SHARE) if self.saved < 0 else 0.0


@dataclass(slots=True)
class Cached(Generic[T]):
    """A value that is made anew when it is older than some times the seconds that making it took."""

    _value: T | None = None
    _until: float = 0.0

    def get(self, make: Callable[[], T]) -> T:
        """The value, kept or made now."""
        now = time.monotonic()
        if self._value is None or now >= self._until:
            began = time.thread_time()
            self._value = make()
            took = time.thread_time() - began
            self._until = time.monotonic() + min(KEPT_AT_MOST_SECONDS, took / SHARE)
        return self._value
