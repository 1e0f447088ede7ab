"""The walk of `verify` through a table: which keys look different, found by checksums of ranges.

Ranges are cut along the source's key, each as large as takes the source about half of
`copy.chunk_seconds`, like a chunk of the copy. They tile the table without a gap, from before the first key
to behind the last, so that rows are seen that only the destination has. Where Postgres orders the keys as
the source does, it sums the same ranges. Other tables are divided by a digest of the key into buckets, which
are added up in the daemon over all of the source's ranges. What differs is looked at again when the stream
has passed, in ranges of at most LEAF_ROWS rows; the rows of one that differs still are told by key and
digest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from rowferry.checksum_sql import Bound
from rowferry.copy_pace import Pace
from rowferry.judging import Key
from rowferry.settings import CopySettings
from rowferry.verify_keys import ordered_alike
from rowferry.verify_sides import DestinationSide, Here, SourceSide, Sums, There

LEAF_ROWS: Final = 1_000
MAX_CANDIDATES: Final = 100_000
_LISTED_ROWS: Final = 200_000

Range = tuple[Bound, Bound]


@dataclass(slots=True)
class Found:
    """What a walk saw. rows: of the source. unfit: candidates whose keys the destination cannot hold.

    complete: False if there were too many candidates to look at all of them.
    """

    rows: int = 0
    candidates: set[Key] = field(default_factory=set)
    unfit: set[Key] = field(default_factory=set)
    complete: bool = True


class Walk:
    """One walk through one table."""

    def __init__(
        self,
        source: SourceSide,
        destination: DestinationSide,
        limits: CopySettings,
        progress: Callable[[int], None],
    ) -> None:
        """progress: told of the rows read so far."""
        self._source = source
        self._destination = destination
        self._limits = limits
        self._progress = progress
        self._pace = Pace(limits.chunk_seconds, limits.max_chunk_rows)
        self.found = Found()

    def steps(self) -> Iterator[None]:
        """Walk; where it stops, it goes on when the stream has passed all that was read so far.

        Raises what the servers' errors become.
        """
        return self._by_ranges() if ordered_alike(self._source.table) else self._by_buckets()

    def _by_ranges(self) -> Iterator[None]:
        differing = [part for part in self._ranges(None, None) if not self._equal(part, count=True)]
        if differing:
            yield
        for part in differing:
            if self._equal(part):
                continue
            for leaf in self._ranges(*part, rows=LEAF_ROWS):
                if not self._equal(leaf):
                    low, high = map(self._source.texts, leaf)
                    there = self._destination.digests(low, high, MAX_CANDIDATES)
                    self._compare(self._source.digests(*leaf), there, MAX_CANDIDATES)
                if not self.found.complete:
                    return

    def _by_buckets(self) -> Iterator[None]:
        here: dict[str, Sums] = {}
        for part in self._ranges(None, None):
            began = time.monotonic()
            sums = self._source.bucket_sums(*part)
            here.update({b: here.get(b, Sums()) + found for b, found in sums.items()})
            self._count(sum(found.rows for found in sums.values()), began)
        there = self._destination.bucket_sums()
        differing = [b for b in sorted(here.keys() | there.keys()) if here.get(b) != there.get(b)]
        if differing:
            yield
        for lot in _lots({b: max(here.get(b, Sums()).rows, there.get(b, Sums()).rows) for b in differing}):
            rows: dict[Key, Here] = {}
            for part in self._ranges(None, None):
                rows |= self._source.digests(*part, lot)
            self._compare(rows, self._destination.bucket_digests(lot, _LISTED_ROWS * 2), _LISTED_ROWS * 2)
            if not self.found.complete:
                return

    def _ranges(self, low: Bound, high: Bound, rows: int = 0) -> Iterator[Range]:
        """Adjoining ranges from `low` to `high`, of so many rows; none said: as the pace has it then."""
        while True:
            end = self._source.boundary(low, high, rows or self._pace.rows)
            if end is None or end == high:
                yield low, high
                return
            yield low, end
            low = end

    def _equal(self, part: Range, *, count: bool = False) -> bool:
        began = time.monotonic()
        here = self._source.sums(*part)
        if count:
            self._count(here.rows, began)
        low, high = map(self._source.texts, part)
        return here == self._destination.sums(low, high)

    def _compare(self, here: dict[Key, Here], there: dict[Key, There], most: int) -> None:
        """Both sides' rows of one part of the table. most: how many the destination was asked for."""
        found = self.found
        for key, row in here.items():
            copy = there.get(key)
            if copy is None or copy.digest != row.digest:
                found.candidates.add(key)
            if not row.fit:
                found.unfit.add(key)
        found.candidates.update(there.keys() - here.keys())
        if len(there) >= most or len(found.candidates) >= MAX_CANDIDATES:
            found.complete = False

    def _count(self, rows: int, began: float) -> None:
        self._pace.took(time.monotonic() - began, rows, rows)
        self.found.rows += rows
        self._progress(self.found.rows)


def _lots(rows: dict[str, int]) -> Iterator[list[str]]:
    """Buckets in lots of so few rows that a lot fits into memory."""
    lot: list[str] = []
    total = 0
    for bucket, count in rows.items():
        if lot and total + count > _LISTED_ROWS:
            yield lot
            lot, total = [], 0
        lot.append(bucket)
        total += count
    if lot:
        yield lot
