"""The last errors: bounded, counted, with their remedies apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rowferry.errors import RowferryError
from rowferry.happenings import KEPT, Happenings, split_remedy

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_repeats_are_counted() -> None:
    """A server that is away for a night is one error; it is the newest again."""
    happenings = Happenings()
    for minute in range(100):
        happenings.note(NOW + timedelta(minutes=minute), "unreachable", "cannot connect")
    happenings.note(NOW, "table", "cannot carry", "Mend it", "patient")
    happenings.note(NOW + timedelta(days=1), "unreachable", "cannot connect")
    newest, other = happenings.newest_first()
    assert (newest["count"], newest["first_at"], newest["last_at"]) == (101, NOW, NOW + timedelta(days=1))
    assert (other["table"], other["remedy"], other["count"]) == ("patient", "Mend it", 1)


def test_they_are_bounded() -> None:
    """The oldest go."""
    happenings = Happenings()
    for number in range(KEPT + 5):
        happenings.note(NOW, "table", f"error {number}")
    shown = [each["message"] for each in happenings.newest_first()]
    assert shown == [f"error {n}" for n in range(KEPT + 4, 4, -1)]


def test_a_remedy_is_found_in_an_error_s_line() -> None:
    """Of a stopped table only the line is kept."""
    error = RowferryError("copy", "table a.b", reason="v1.2 is odd", hint="Run `x`. Then y")
    assert split_remedy(str(error)) == ("cannot copy (table a.b): v1.2 is odd", "Run `x`. Then y")
    assert split_remedy("the source is gone") == ("the source is gone", "")
