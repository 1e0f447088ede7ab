"""Killed at every step and started again: nothing is lost, nothing doubled."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

import pytest

from rowferry import failpoints
from tests.acceptance.harness import Ferry

CREATE = (
    "CREATE TABLE account (id bigint PRIMARY KEY, v bigint NOT NULL, note text) ENGINE=InnoDB",
    "CREATE TABLE entry (id bigint PRIMARY KEY, account bigint, v bigint) ENGINE=MyISAM",
    "INSERT INTO account SELECT seq, 0, 'x' FROM numbers",
)
CHANGES = (
    "UPDATE account SET v = v + 1",
    "INSERT INTO entry SELECT seq, seq % 10, 5 FROM numbers",
    "UPDATE account SET id = id + 1000 WHERE id % 7 = 0",
    "DELETE FROM account WHERE id % 5 = 0",
    "UPDATE entry SET v = v * 2 WHERE id % 2 = 0",
    "INSERT INTO account VALUES (5, 99, 'again')",
)
HITS = {"after-read": 3, "in-decode": 4}


def _prepare(ferry: Ferry) -> None:
    ferry.source.run("CREATE TABLE numbers (seq bigint PRIMARY KEY)")
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO numbers VALUES (%s)", [(n,) for n in range(200)])
    ferry.source.run(*CREATE)


def _change(ferry: Ferry) -> int:
    """Change rows; how many row events that made."""
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        return sum(cursor.execute(statement) for statement in CHANGES)


def _kill_at(ferry: Ferry, point: str, hit: int, command: Sequence[str]) -> None:
    done = ferry.run(*command, ROWFERRY_FAILPOINT=f"{point}:{hit}")
    assert done.returncode == -signal.SIGKILL, f"{point} was not hit: {done.stderr[-2000:]}"


def _applied(ferry: Ferry) -> int:
    rows = ferry.destination.rows("SELECT sum(rows_applied) FROM raw._rowferry_tables")
    return int(rows[0][0])


def _assert_consistent(ferry: Ferry) -> None:
    """Every record of a load is there once, and the checkpoint is the last of them."""
    assert (
        ferry.destination.rows(
            "SELECT load_id FROM raw._rowferry_checkpoint c WHERE NOT EXISTS"
            " (SELECT 1 FROM raw._dlt_loads l WHERE l.load_id = c.load_id)"
        )
        == []
    )
    assert ferry.destination.rows("SELECT load_id FROM raw._dlt_loads GROUP BY 1 HAVING count(*) > 1") == []
    assert (
        ferry.destination.rows(
            "SELECT load_id FROM raw._dlt_metrics WHERE load_id NOT IN (SELECT load_id FROM raw._dlt_loads)"
        )
        == []
    )


STREAM_POINTS = [p for p in failpoints.NAMES if p != "copy-chunk-read"]


@pytest.mark.parametrize(
    ("source", "point"),
    [("mariadb_10_5", p) for p in STREAM_POINTS]
    + [("mysql_9_7", p) for p in ("in-decode", "load-merged", "after-commit")],
    indirect=["source"],
)
def test_killed_while_streaming(ferry: Ferry, point: str) -> None:
    """SIGKILL at the step, then a start: equal, and every row event counted exactly once."""
    _prepare(ferry)
    ferry.catch_up()
    events = _change(ferry)
    _kill_at(ferry, point, HITS.get(point, 1), ["run", "--until-caught-up"])
    ferry.catch_up()
    ferry.assert_equal()
    assert _applied(ferry) == events
    _assert_consistent(ferry)


@pytest.mark.parametrize(
    ("point", "hit"),
    [("copy-chunk-read", hit) for hit in (1, 2, 4)]
    + [("load-staged", 2), ("before-commit", 1), ("after-commit", 4)],
)
def test_killed_while_copying(mariadb_ferry: Ferry, point: str, hit: int) -> None:
    """A copy goes on at the chunk it was at, with changes made while it was dead."""
    ferry = mariadb_ferry
    ferry.settings["ROWFERRY_COPY__MAX_CHUNK_ROWS"] = "100"
    ferry.settings["ROWFERRY_BATCH__MAX_ROWS"] = "100"
    _prepare(ferry)
    _kill_at(ferry, point, hit, ["run", "--until-caught-up"])
    _change(ferry)
    ferry.catch_up()
    ferry.assert_equal()
    _assert_consistent(ferry)


def test_killed_again_and_again(mysql_ferry: Ferry) -> None:
    """Kills at different steps of the same backlog, without a calm start between them."""
    ferry = mysql_ferry
    ferry.settings["ROWFERRY_BATCH__MAX_ROWS"] = "60"
    _prepare(ferry)
    ferry.catch_up()
    events = _change(ferry)
    for point, hit in (("load-merged", 1), ("after-commit", 2), ("before-commit", 2), ("load-staged", 1)):
        _kill_at(ferry, point, hit, ["run", "--until-caught-up"])
    ferry.catch_up()
    ferry.assert_equal()
    assert _applied(ferry) == events
    _assert_consistent(ferry)


def test_sigterm_ends_at_a_batch_boundary(mariadb_ferry: Ferry) -> None:
    """Under load the daemon ends with 0, and what it left is a state that the source had."""
    ferry = mariadb_ferry
    _prepare(ferry)
    with ferry.daemon() as daemon:
        daemon.wait_state("account", "streaming")
        _change(ferry)
        assert daemon.stop(signal.SIGTERM) == 0
        log = daemon.log.read_text()
    assert re.search(r'"event": "stopped"', log)
    assert "Traceback" not in log
    _assert_consistent(ferry)
    ferry.catch_up()
    ferry.assert_equal()
