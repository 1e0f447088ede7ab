"""Replication lag by the source's own clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.lag import FRESH_US, MAX_SAMPLES, LagTracker
from tests.unit.flow import position

SECOND = 1_000_000
HOUR = 3_600 * SECOND
NOON = 1_700_000_000 * SECOND


def test_nothing_is_known_at_the_start() -> None:
    """0 would say: in step."""
    assert LagTracker().lag_seconds(NOON) is None
    assert LagTracker().until(position(1)) == 0


def test_an_idle_stream_has_no_lag() -> None:
    """However long ago the last change was."""
    tracker = LagTracker()
    for second in range(5):
        now = NOON + second * HOUR
        tracker.sample(now, position(100), now)
        tracker.applied(position(100))
        assert tracker.lag_seconds(now + SECOND) == 0.0
        assert tracker.applied_until_us == now


def test_lag_grows_once_the_source_is_no_longer_asked() -> None:
    """Disconnected is not idle: 0 would hide it."""
    tracker = LagTracker()
    tracker.sample(NOON, position(100), NOON)
    tracker.applied(position(100))
    assert tracker.lag_seconds(NOON + FRESH_US - 1) == 0.0
    assert tracker.lag_seconds(NOON + FRESH_US) == FRESH_US / 1e6
    assert tracker.lag_seconds(NOON + HOUR) == 3_600.0


def test_lag_grows_while_the_head_is_not_reached() -> None:
    """From the newest sample that was reached."""
    tracker = LagTracker()
    tracker.sample(NOON, position(100), NOON)
    tracker.sample(NOON + SECOND, position(200), NOON + SECOND)
    tracker.applied(position(150))
    assert tracker.applied_until_us == NOON
    assert tracker.lag_seconds(NOON + 5 * SECOND) == 5.0
    tracker.applied(position(200))
    assert tracker.lag_seconds(NOON + 5 * SECOND) == 0.0


@pytest.mark.parametrize("offset", [-HOUR, 0, HOUR])
def test_a_clock_that_is_wrong_does_not_matter(offset: int) -> None:
    """The source's clock and this machine's may differ by an hour."""
    tracker = LagTracker()
    tracker.sample(NOON + offset, position(100), NOON)
    tracker.applied(position(100))
    tracker.sample(NOON + offset + SECOND, position(200), NOON + SECOND)
    assert tracker.lag_seconds(NOON + 3 * SECOND) == 3.0


def test_lag_is_never_negative() -> None:
    """A clock that is set back."""
    tracker = LagTracker()
    tracker.sample(NOON, position(100), NOON)
    tracker.applied(position(100))
    tracker.sample(NOON - HOUR, position(200), NOON)
    assert tracker.lag_seconds(NOON) == 0.0


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_clock_that_is_set_changes_no_lag(jump: int) -> None:
    """Neither when it happens while something waits, nor afterwards."""
    tracker = LagTracker()
    tracker.sample(NOON, position(100), NOON)
    tracker.applied(position(100))
    tracker.sample(NOON + jump + SECOND, position(200), NOON + SECOND)
    assert tracker.lag_seconds(NOON + 4 * SECOND) == 4.0
    tracker.applied(position(200))
    tracker.sample(NOON + jump + 5 * SECOND, position(300), NOON + 5 * SECOND)
    assert tracker.lag_seconds(NOON + 7 * SECOND) == 6.0


def test_a_new_connection_goes_on_from_what_was_known() -> None:
    """Nothing reached yet is neither unknown nor 0."""
    before, after = LagTracker(), LagTracker()
    before.sample(NOON, position(100), NOON)
    before.applied(position(100))
    after.go_on_from(before)
    assert after.lag_seconds(NOON + SECOND) == 1.0
    assert after.applied_until_us == NOON
    after.sample(NOON + 9 * SECOND, position(300), NOON + 9 * SECOND)
    assert after.lag_seconds(NOON + 10 * SECOND) == 10.0
    after.applied(position(300))
    assert after.lag_seconds(NOON + 10 * SECOND) == 0.0


def test_a_batch_may_ask_before_it_is_committed() -> None:
    """Its checkpoint carries the time; what was asked is not yet applied."""
    tracker = LagTracker()
    tracker.sample(NOON, position(100), NOON)
    tracker.sample(NOON + SECOND, position(200), NOON)
    assert tracker.until(position(99)) == 0
    assert tracker.until(position(150)) == NOON
    assert tracker.until(position(200)) == NOON + SECOND
    assert tracker.applied_until_us == 0


def test_samples_are_bounded_and_the_oldest_is_kept() -> None:
    """A backlog of days: lag stays right, memory stays small."""
    tracker = LagTracker()
    for number in range(MAX_SAMPLES + 50):
        tracker.sample(NOON + number * SECOND, position(number), NOON + number * SECOND)
    assert len(tracker._samples) == MAX_SAMPLES
    tracker.applied(position(0))
    assert tracker.applied_until_us == NOON


@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans(), st.integers(0, 50)), max_size=40),
)
def test_what_is_applied_never_goes_back(steps: list[tuple[int, bool, int]]) -> None:
    """And never runs ahead of the newest sample at or before the position."""
    tracker = LagTracker()
    clock, head, done, before = NOON, 0, 0, 0
    seen: list[tuple[int, int]] = []
    for ahead, apply, reach in steps:
        clock, head = clock + SECOND, head + ahead
        tracker.sample(clock, position(head), clock)
        seen.append((clock, head))
        if apply:
            done = max(done, min(head, reach))
            tracker.applied(position(done))
        expected = max([t for t, h in seen if h <= done], default=0)
        assert tracker.until(position(done)) == expected
        assert before <= tracker.applied_until_us <= expected
        before = tracker.applied_until_us
