"""The daemon was away for days of changes, and reads all of them after the last."""

from __future__ import annotations

import signal
from typing import Final

import pytest

from tests.acceptance.harness import Ferry
from tests.acceptance.schema_cases import write, writer
from tests.acceptance.schema_ends import assert_same, assert_verified
from tests.acceptance.schema_history import History

BOTH = pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
TABLES: Final = 20
STEPS: Final = 200
KILLS: Final = (
    ("load-merged", 1),
    ("after-read", 3),
    ("copy-chunk-read", 2),
    ("before-commit", 2),
    ("load-staged", 4),
    ("after-commit", 3),
    ("copy-chunk-read", 9),
)


def _live(ferry: Ferry, seed: int) -> None:
    """A first copy, then all that the daemon is not there for."""
    history = History(seed, TABLES)
    with writer(ferry.source) as connection:
        write(connection, history.beginning())
    ferry.catch_up()
    with writer(ferry.source) as connection:
        write(connection, history.days(STEPS))


def _assert_whole(ferry: Ferry) -> None:
    stopped = ferry.destination.rows(
        "SELECT table_name, error FROM raw._rowferry_tables WHERE state NOT IN ('streaming', 'dropped')"
    )
    assert stopped == []
    assert_same(ferry)
    assert_verified(ferry)


@BOTH
@pytest.mark.parametrize("seed", [1])
def test_days_of_changes_are_replayed(ferry: Ferry, seed: int) -> None:
    """No row is read by today's layout: hardly a table still has the one that its rows were written in."""
    _live(ferry, seed)
    done = ferry.catch_up()
    assert "Traceback" not in done.stderr
    _assert_whole(ferry)


@pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)
def test_days_of_changes_are_replayed_with_kills(ferry: Ferry) -> None:
    """SIGKILL at several places of the replay; each start goes on, and the last one ends equal."""
    ferry.settings["ROWFERRY_BATCH__MAX_ROWS"] = "100"
    _live(ferry, seed=3)
    killed = []
    for point, hit in KILLS:
        done = ferry.run("run", "--until-caught-up", ROWFERRY_FAILPOINT=f"{point}:{hit}")
        assert done.returncode in (0, -signal.SIGKILL), done.stderr[-3000:]
        killed.append(done.returncode)
    assert killed.count(-signal.SIGKILL) >= 3, killed
    ferry.catch_up()
    _assert_whole(ferry)
