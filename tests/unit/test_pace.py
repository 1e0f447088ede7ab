"""The share of a processor: what is used beyond it is rested."""

from __future__ import annotations

import pytest

from rowferry.pace import MOST_REST_SECONDS, SAVED_SECONDS, SHARE, Cached, Pace


def test_a_little_work_needs_no_rest() -> None:
    """A scrape now and then."""
    pace = Pace()
    assert [pace.rest(15.0 * n, 0.05) for n in range(100)] == [0.0] * 100


def test_endless_work_gets_its_share() -> None:
    """Whatever a flood asks for, over time it gets a twentieth."""
    pace, now, used = Pace(), 0.0, 0.0
    for _ in range(5_000):
        used += 0.001
        now += 0.001
        now += pace.rest(now, 0.001)
    assert used == pytest.approx(now * SHARE + SAVED_SECONDS, rel=0.05)


def test_a_rest_is_short() -> None:
    """So that it can be told to end; what is owed stays owed."""
    pace = Pace()
    assert pace.rest(0.0, 10.0) == MOST_REST_SECONDS
    assert pace.rest(1.0, 0.0) == MOST_REST_SECONDS


def test_what_was_costly_is_kept() -> None:
    """And what costs nothing is made anew."""
    made: list[int] = []

    def make() -> int:
        made.append(sum(range(2_000_000)))
        return len(made)

    cached = Cached[int]()
    assert (cached.get(make), cached.get(make)) == (1, 1)
