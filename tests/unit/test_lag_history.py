"""The lag of the last minutes: bounded, with gaps."""

from __future__ import annotations

from rowferry.lag_history import KEPT_SECONDS, LagHistory, LagSample


def test_a_quarter_of_an_hour_is_kept() -> None:
    """However long the daemon runs."""
    history = LagHistory()
    for second in range(5_000):
        assert history.due(float(second))
        history.add(float(second), 0.1)
    samples = history.samples(4_999.0)
    assert samples[0] == LagSample(KEPT_SECONDS, 0.1)
    assert len(samples) == 901


def test_it_is_sampled_once_a_second() -> None:
    """Whoever asks more often changes nothing."""
    history = LagHistory()
    history.add(10.0, 0.1)
    assert not history.due(10.9)
    assert history.due(11.0)


def test_what_nobody_sampled_is_a_gap() -> None:
    """A machine that slept has no lag for that time."""
    history = LagHistory()
    history.add(0.0, 0.1)
    history.add(60.0, 0.2)
    assert [s.lag for s in history.samples(60.0)] == [0.1, None, 0.2]
