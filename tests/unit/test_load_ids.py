"""Load ids: the sweep at the end of a copy finds old rows by their order as text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.load_ids import LoadIds

TIMES = st.integers(0, 9_000_000_000 * 1_000_000)


@given(
    st.lists(TIMES, max_size=30), st.just("") | st.from_regex(r"[0-8][0-9]{9}\.[0-9]{1,9}", fullmatch=True)
)
def test_ids_rise_as_text_whatever_the_clock_does(times: list[int], last: str) -> None:
    """Also after another pipeline's id, which has any number of digits after the point."""
    ids = LoadIds(last)
    made = [last, *(ids.next(now) for now in times)]
    assert made == sorted(set(made))
    assert all(re.fullmatch(r"\d{10}\.\d{6}", text) for text in made[1:])


def test_an_id_is_the_time() -> None:
    """As dlt makes them."""
    assert LoadIds("").next(1_700_000_000_123_456) == "1700000000.123456"


def test_ids_within_a_microsecond_differ() -> None:
    """And carry over into the seconds."""
    ids = LoadIds("1700000000.999998")
    assert [ids.next(0) for _ in range(3)] == [
        "1700000000.999999",
        "1700000001.000000",
        "1700000001.000001",
    ]


@pytest.mark.parametrize(
    ("last", "following"),
    [
        ("1700000000.5", "1700000000.500001"),
        ("1700000000.1234567", "1700000000.123457"),
        ("1700000000", "1700000000.000001"),
    ],
)
def test_an_id_follows_one_of_another_length(last: str, following: str) -> None:
    """`.5` is half a second, not five microseconds."""
    ids = LoadIds(last)
    assert ids.last == last
    assert ids.next(0) == following > last
