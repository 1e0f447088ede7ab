"""Says a thing that happens again and again only now and then, with the number of times. Pure.

An event that occurs for the first time is told at once. While it goes on, it is told again after a minute
and then every ten minutes, with `repeated`: how often it came since it was last told. What was held back
when it ends is told when its time is over, with `last`: when it came last. Knows nothing of clocks, threads
or how a line looks.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

FIRST_SECONDS: Final = 60.0
LATER_SECONDS: Final = 600.0
MAX_KEYS: Final = 256

ALWAYS: Final = frozenset(
    ["started", "standing_by", "taking_over", "stream_opened", "batch_committed", "ended_by_error", "stopped"]
)
"""Events that are never held back: each says something of its own."""

_IDENTITY: Final = ("kind", "state", "setting", "logger", "place", "thread", "error", "reason")
_DIGITS: Final = re.compile(r"\d+")

Event = Mapping[str, Any]


@dataclass(slots=True)
class _Told:
    """What is known of one kind of event. at: when it was last told, seconds. held: not told since."""

    at: float
    interval: float
    held: int = 0
    event: Event | None = None
    last: str = ""


class Repeats:
    """See the module. Holds at most MAX_KEYS kinds of events; not thread-safe."""

    def __init__(self) -> None:
        """Nothing has been told."""
        self._told: OrderedDict[tuple[str, ...], _Told] = OrderedDict()

    def pass_on(self, event: Event, now: float, time: str) -> list[Event]:
        """The events to write for this one, those that were due before it included.

        now: seconds of a clock that never goes back. time: the same moment, for people.
        """
        if event.get("event") in ALWAYS:
            return [*self.due(now), event]
        key = _key(event)
        told = self._told.get(key)
        if told is None:
            others = list(self.due(now))
            self._told[key] = _Told(now, FIRST_SECONDS)
            return [*others, *self._make_room(), event]
        if now - told.at < told.interval:
            told.held, told.event, told.last = told.held + 1, event, time
            return list(self.due(now))
        repeated = {**event, "repeated": told.held} if told.held else event
        told.at, told.held, told.event = now, 0, None
        told.interval = LATER_SECONDS if "repeated" in repeated else FIRST_SECONDS
        self._told.move_to_end(key)
        return [*self.due(now), repeated]

    def due(self, now: float) -> Iterator[Event]:
        """What was held back and whose time is over; kinds that came no more are forgotten."""
        for key, told in list(self._told.items()):
            if now - told.at < told.interval:
                continue
            if told.event is None:
                del self._told[key]
                continue
            yield _summary(told)
            told.at, told.interval, told.held, told.event = now, LATER_SECONDS, 0, None

    def flush(self) -> Iterator[Event]:
        """All that was held back, at the end."""
        yield from (_summary(told) for told in self._told.values() if told.event is not None)
        self._told.clear()

    def _make_room(self) -> Iterator[Event]:
        """Forget the kinds told longest ago; what was held back of them is told."""
        while len(self._told) > MAX_KEYS:
            _, told = self._told.popitem(last=False)
            if told.event is not None:
                yield _summary(told)


def _summary(told: _Told) -> Event:
    return {**(told.event or {}), "repeated": told.held, "last": told.last}


def _key(event: Event) -> tuple[str, ...]:
    """What makes two events the same: their name and what they are about, whatever numbers a text holds."""
    about = (f"{name}={event[name]}" for name in _IDENTITY if event.get(name) is not None)
    name, table = str(event.get("event")), str(event.get("table", ""))
    return (name, table, *(_DIGITS.sub("#", text) for text in about))
