"""Errors: one line for people, parts for logs, a kind for metrics, an exit code for scripts."""

from __future__ import annotations

import pytest

from rowferry import errors
from rowferry.errors import ExitCode, RowferryError, Unreachable
from rowferry.metric_families import ERROR_KINDS

CODES = {
    "RowferryError": 1,
    "UsageError": 2,
    "ConfigurationError": 78,
    "Unreachable": 69,
    "LockHeld": 75,
    "FencedOff": 75,
    "StreamStopped": 1,
    "PositionLost": 1,
    "TableStopped": 1,
    "RowRefused": 1,
    "TableRefused": 1,
    "SchemaMoved": 1,
    "SelectTooLong": 1,
    "LoadFailed": 1,
    "Interrupted": 1,
}
TREE = {
    name: found
    for name, found in vars(errors).items()
    if isinstance(found, type) and issubclass(found, RowferryError)
}


def test_an_error_is_one_sentence_with_its_way_out() -> None:
    """What, where, why, what to do."""
    error = RowferryError("read the binlog", "binlog.000001:4", reason="it is gone", hint="Run `x`")
    assert str(error) == "cannot read the binlog (binlog.000001:4): it is gone. Run `x`"
    assert (error.operation, error.obj, error.reason, error.hint) == (
        "read the binlog",
        "binlog.000001:4",
        "it is gone",
        "Run `x`",
    )


def test_parts_that_are_missing_leave_no_trace() -> None:
    """No empty brackets."""
    assert str(RowferryError("start")) == "cannot start"
    assert str(RowferryError("start", reason="no")) == "cannot start: no"
    assert str(RowferryError("start", "x", hint="Do y")) == "cannot start (x). Do y"


def test_an_error_is_one_line_whatever_its_parts_hold() -> None:
    """A server's own messages have line breaks."""
    error = RowferryError("a\nb", "c\r\nd", reason="e\n\n\t f", hint="g\nh")
    assert str(error) == "cannot a b (c d): e f. g h"


def test_every_error_has_the_exit_code_that_is_documented() -> None:
    """Scripts and service managers rely on them."""
    assert {name: int(error.exit_code) for name, error in TREE.items()} == CODES
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 69, 75, 78]


def test_only_what_can_mend_itself_is_transient() -> None:
    """The run loop retries these for ever, the others never."""
    assert {name for name, error in TREE.items() if error.transient} == {
        "Unreachable",
        "SchemaMoved",
        "SelectTooLong",
        "LoadFailed",
    }


@pytest.mark.parametrize("error", TREE.values(), ids=str)
def test_every_error_of_a_running_daemon_is_counted_under_its_kind(error: type[RowferryError]) -> None:
    """A kind without a metric that starts at 0 would be missed by the first alert."""
    assert error.kind in ERROR_KINDS or error.kind in {"usage", "interrupted"}


def test_unreachable_names_the_side() -> None:
    """For the metric of reconnects."""
    error = Unreachable("source", "connect", "db:3306", reason="refused")
    assert error.side == "source"
    assert str(error) == "cannot connect (db:3306): refused"
