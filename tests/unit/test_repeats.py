"""What repeats is told now and then, counted, and never forgotten."""

from __future__ import annotations

from typing import Any

from rowferry.repeats import ALWAYS, FIRST_SECONDS, LATER_SECONDS, MAX_KEYS, Repeats


def event(name: str = "retrying", **fields: Any) -> dict[str, Any]:
    """An event as structlog hands it over."""
    return {"event": name, "level": "warning", **fields}


def told(repeats: Repeats, now: float, **fields: Any) -> list[Any]:
    """What is written when an event comes at that time: how often each stands for one held back."""
    return [e.get("repeated", 0) for e in repeats.pass_on(event(**fields), now, f"at {now}")]


def test_a_repeat_is_told_at_once_then_after_a_minute_then_every_ten() -> None:
    """Two events a second for an hour: a handful of lines, and none is lost from the count."""
    repeats = Repeats()
    lines = [e for n in range(7_200) for e in repeats.pass_on(event(), n / 2, "")]
    lines += repeats.flush()
    assert len(lines) == 8
    assert sum(e.get("repeated", 0) for e in lines) + 7 == 7_200


def test_what_was_held_back_is_told_when_the_repeat_is_over() -> None:
    """With the next event of any kind, with how often and when it came last; once."""
    repeats = Repeats()
    assert told(repeats, 0) == [0]
    assert told(repeats, 2) == []
    summary, other = repeats.pass_on(event("table_copied", table="a"), FIRST_SECONDS + 2, "later")
    assert (summary["event"], summary["repeated"], summary["last"]) == ("retrying", 1, "at 2")
    assert other["event"] == "table_copied"
    assert list(repeats.due(FIRST_SECONDS + 3)) == []


def test_what_ended_long_ago_is_new_when_it_comes_again() -> None:
    """It is told at once, and not as a repeat."""
    repeats = Repeats()
    assert told(repeats, 0) == [0]
    assert told(repeats, FIRST_SECONDS + LATER_SECONDS) == [0]


def test_other_tables_kinds_and_words_are_other_events() -> None:
    """Numbers in words make no difference: a position in an error changes every time; a table's name does."""
    repeats = Repeats()
    assert told(repeats, 0, error="cannot read at 4711") == [0]
    assert told(repeats, 1, error="cannot read at 4712") == []
    assert told(repeats, 2, error="cannot write at 4712") == [0]
    assert told(repeats, 3, kind="load") == [0]
    assert told(repeats, 4, table="visit1") == [0]
    assert told(repeats, 5, table="visit2") == [0]


def test_some_events_are_never_held_back() -> None:
    """The line of a batch, and what ends the process."""
    repeats = Repeats()
    for name in ALWAYS:
        assert all(repeats.pass_on(event(name), n, "") == [event(name)] for n in range(3))


def test_memory_is_bounded_and_what_is_forgotten_is_told() -> None:
    """Ten thousand kinds of events at once."""
    repeats = Repeats()
    assert told(repeats, 0) == [0]
    assert told(repeats, 0) == []
    letters = str.maketrans("0123456789", "abcdefghij")
    lines = [n for k in range(10_000) for n in told(repeats, 1, error=str(k).translate(letters))]
    assert len(lines) == 10_001
    assert sum(lines) == 1
    assert len(repeats._told) <= MAX_KEYS
