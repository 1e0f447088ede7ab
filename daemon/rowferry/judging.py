"""Which keys truly differ, on a live system: readings of both sides, judged by values alone. Pure.

A reading looks at a key in the destination first and in the source afterwards. Between two readings the
stream passes the binlog head that was seen after the first one's look at the source, and more time goes
by than a change takes from the binlog to a SELECT (`copy.settle_seconds`).

Invariant: a key that is found `extra` or `different` truly differs. Why: both readings saw the same version
of the destination's row, so the stream wrote nothing to it in between. All changes of the key up to the
first look at the source were applied by the second reading; as none was in between, they were before the
first. So the destination's row is what became of the row that the source still shows, and it is another.
A `missing` row has no version: it would be a false alarm only if it was deleted and inserted again around
each of three readings, so that each found the source's row there and the destination's not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Key = tuple[str, ...]
"""A key's texts, see `policies.key_text`."""


class Kind(StrEnum):
    """How a key differs: only in the source, only in the destination, in both with other values."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Difference:
    """A key that truly differs. there: the key as Postgres prints it; None if it is missing there."""

    kind: Kind
    key: Key
    there: Key | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a key on both sides. here, there: the rows' digests, None where there is no row.

    version: of the destination's row. there_key: its key as Postgres prints it. expected: whether the
    sides are as they should be though the digests say otherwise (a row that is set aside; values that
    were compared one by one).
    """

    here: str | None
    there: str | None
    version: str = ""
    there_key: Key | None = None
    expected: bool = False

    @property
    def equal(self) -> bool:
        """Whether nothing is wrong with the key."""
        return self.expected or self.here == self.there

    @property
    def kind(self) -> Kind:
        """How the key differs, if it does."""
        if self.there is None:
            return Kind.MISSING
        return Kind.EXTRA if self.here is None else Kind.DIFFERENT


READINGS_NEEDED: Final = {Kind.MISSING: 3, Kind.EXTRA: 2, Kind.DIFFERENT: 2}
"""How many readings in a row must have seen the same."""


class Judgement:
    """The candidates of one table, and what has become of them."""

    def __init__(self, keys: Iterable[Key]) -> None:
        """keys: those that looked different once."""
        self._last: dict[Key, tuple[Reading | None, int]] = dict.fromkeys(keys, (None, 0))
        self.found: list[Difference] = []

    @property
    def open(self) -> list[Key]:
        """Keys of which nothing is certain yet."""
        return list(self._last)

    def hear(self, readings: Mapping[Key, Reading]) -> None:
        """Take one reading of every open key."""
        for key in self.open:
            reading = readings[key]
            last, times = self._last.pop(key)
            if reading.equal:
                continue
            times = times + 1 if reading == last else 1
            if times >= READINGS_NEEDED[reading.kind]:
                self.found.append(Difference(reading.kind, key, reading.there_key))
            else:
                self._last[key] = (reading, times)
