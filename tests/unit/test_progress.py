"""How far the copies are, in numbers and words."""

from __future__ import annotations

import io

from rowferry.progress import CopyMeter, CopyState
from rowferry.terminal import Terminal


def test_rows_of_tables_that_are_done_count_until_all_are() -> None:
    """Otherwise the sum would fall with every table that is finished."""
    meter = CopyMeter()
    assert meter.sample(0.0, [("a", 0, 100), ("b", 0, 50)]) == CopyState(2, 0, 150, None)
    assert meter.sample(1.0, [("a", 40, 100), ("b", 50, 50)]) == CopyState(2, 90, 150, 90.0)
    later = meter.sample(2.0, [("a", 70, 100)])
    assert (later.tables, later.rows, later.total) == (1, 120, 150)
    assert later.seconds_left == 0.5
    assert meter.sample(3.0, []) == CopyState(0, 0, 0, None)


def test_more_rows_than_were_expected_are_no_end() -> None:
    """The source only estimates."""
    state = CopyMeter().sample(0.0, [("a", 120, 100)])
    assert (state.rows, state.total, state.seconds_left) == (120, 120, None)
    assert "of about" not in state.describe()


def test_the_words_name_rows_rate_and_time() -> None:
    """As far as they are known."""
    assert CopyState(1, 5, 5).describe() == "copying 1 table: 5 rows"
    assert CopyState(3, 1_000, 61_000, 500.0).describe() == (
        "copying 3 tables: 1,000 rows of about 61,000, 500 rows/s, about 2 min left"
    )
    assert "40 s" in CopyState(3, 1_000, 21_000, 500.0).describe()
    assert "5.0 h" in CopyState(3, 0, 9_000_000, 500.0).describe()


class Screen(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_a_log_line_takes_the_place_of_the_progress_line() -> None:
    """It never begins behind it."""
    screen = Screen()
    terminal = Terminal(screen)
    terminal.progress("half")
    terminal.write("logged\n")
    terminal.progress("done")
    terminal.progress("")
    assert screen.getvalue() == "half\r\x1b[Klogged\ndone\r\x1b[K"


def test_without_a_terminal_there_is_no_progress_line() -> None:
    """A file gets lines only."""
    file = io.StringIO()
    terminal = Terminal(file)
    terminal.progress("half")
    terminal.write("logged\n")
    assert file.getvalue() == "logged\n"
