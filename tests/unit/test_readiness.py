"""Readiness, point by point."""

from __future__ import annotations

from typing import Any

import pytest

from rowferry.metrics import STATES
from rowferry.readiness import readiness

TABLES = [{"table": "a", "state": "streaming"}, {"table": "b", "state": "stopped"}]


def judge(state: str = "streaming", **values: Any) -> tuple[bool, str, str]:
    """ready, line, verbose."""
    usual = {"error": "", "tables": TABLES[:1], "lag": 0.4}
    found = readiness(state, **{**usual, **values})
    return found.ready, found.line(), found.verbose()


@pytest.mark.parametrize("state", [*STATES, "standby"])
def test_only_a_stream_that_flows_is_ready(state: str) -> None:
    """The line is the state."""
    ready, line, verbose = judge(state, error="cannot connect")
    assert ready == (state in ("copying", "streaming"))
    assert line == state
    assert verbose.endswith("\nready") == ready
    assert ("lock held: ok" in verbose) == ready
    assert ready or f"checkpoint loaded: failed (not while {state})" in verbose
    assert verbose.startswith(f"state: {state}\n" if ready else f"state: {state} (cannot connect)\n")


def test_a_stopped_table_is_told_and_no_outage() -> None:
    """Unless it is asked for, or none is left."""
    ready, line, verbose = judge(tables=TABLES)
    assert (ready, line) == (True, "streaming")
    assert "tables: ok (1 of 2 stopped or held: b)" in verbose
    assert judge(tables=TABLES, every_table=True)[:2] == (False, "streaming: tables")
    assert judge(tables=TABLES[1:])[:2] == (False, "streaming: tables")


def test_the_lag_has_a_limit_only_if_one_is_set() -> None:
    """A lag that is not known is not within it."""
    assert judge(lag=9e9)[0]
    assert judge(lag=30.0, most_lag=30.0)[0]
    assert judge(lag=30.1, most_lag=30.0)[:2] == (False, "streaming: lag")
    assert judge(lag=None, most_lag=30.0)[:2] == (False, "streaming: lag")


def test_a_standby_is_ready_only_as_one() -> None:
    """For whoever asks for that."""
    assert not judge("standby")[0]
    assert judge("standby", standby_is_ready=True)[:2] == (True, "standby")
    assert not judge("retrying", standby_is_ready=True)[0]
