"""What the benchmark of the first copy makes of the seconds it measured."""

from __future__ import annotations

from benchmarks.copy import Waits, table, waits


def test_each_copy_has_its_speed_and_its_ratios() -> None:
    """A copy that could not be measured is in nobody's ratio."""
    lines = table(1_000, {"pipe": 2.0, "Rowferry": 5.0}).splitlines()
    assert [line.split()[0] for line in lines] == ["pipe", "Rowferry"]
    assert "500 rows/s; 0.40 times Rowferry" in lines[0]
    assert "200 rows/s; 2.50 times pipe" in lines[1]


def test_waits_are_told_by_the_longest_and_the_median() -> None:
    """One long wait must not be lost among many short ones."""
    assert waits([0.001, 0.002, 0.9]) == Waits(longest=0.9, median=0.002, updates=3)
