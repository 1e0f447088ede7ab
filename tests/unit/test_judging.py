"""Judging: a copy that only lags is never called different, and a row that differs always is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rowferry.judging import READINGS_NEEDED, Difference, Judgement, Kind, Reading

KEY = ("1",)
ROWS = st.sampled_from([None, "a", "b"])


def readings_of(history: list[str | None], pauses: list[tuple[int, int]]) -> list[Reading]:
    """What `verify` reads of a row with that history while a faithful copy follows.

    pauses: by reading, how many changes the copy applied beyond what it had to, and how many more the
    source had by the look at it. Each change writes a new version.
    """
    found, applied, seen = [], 0, 0
    last = len(history) - 1
    for more, ahead in pauses:
        applied = min(max(applied, seen) + more, last)
        seen = min(max(seen, applied) + ahead, last)
        there = history[applied]
        found.append(Reading(history[seen], there, "" if there is None else str(applied)))
    return found


def judged(readings: list[Reading]) -> list[Difference]:
    """The verdict after those readings."""
    judgement = Judgement([KEY])
    for reading in readings:
        if judgement.open:
            judgement.hear({KEY: reading})
    return judgement.found


PAUSES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8)


@given(st.lists(ROWS, min_size=1, max_size=20), PAUSES)
def test_a_faithful_copy_is_never_called_different(
    history: list[str | None], pauses: list[tuple[int, int]]
) -> None:
    """Whatever the row goes through, there and back; a missing row only if it came back three times."""
    found = judged(readings_of(history, pauses))
    returns = sum(a is None and b is not None for a, b in zip(history, history[1:], strict=False))
    assert all(d.kind is Kind.MISSING and returns >= READINGS_NEEDED[Kind.MISSING] for d in found)


@given(ROWS, ROWS, st.booleans())
def test_a_row_that_differs_and_rests_is_found(here: str | None, there: str | None, expected: bool) -> None:
    """By as many readings as its kind needs, with its key in the destination; unless it is expected."""
    shown = None if there is None else ("01",)
    reading = Reading(here, there, "7", shown, expected)
    wanted = [] if reading.equal else [Difference(reading.kind, KEY, shown)]
    assert reading.equal is (expected or here == there)
    assert judged([reading] * READINGS_NEEDED[reading.kind]) == wanted
    assert judged([reading] * (READINGS_NEEDED[reading.kind] - 1)) == []


def test_another_version_with_the_same_values_begins_anew() -> None:
    """Somebody wrote the row in between: nothing is known yet."""
    readings = [Reading("a", "b", version) for version in ("1", "2", "3", "4")]
    judgement = Judgement([KEY])
    for reading in readings:
        judgement.hear({KEY: reading})
    assert judgement.open == [KEY]
    judgement.hear({KEY: readings[-1]})
    assert judgement.found == [Difference(Kind.DIFFERENT, KEY, None)]


def test_what_was_equal_once_is_no_candidate_any_more() -> None:
    """A row that truly differs is never equal."""
    judgement = Judgement([KEY, ("2",)])
    judgement.hear({KEY: Reading("a", "a", "1"), ("2",): Reading("a", None)})
    assert judgement.open == [("2",)]
