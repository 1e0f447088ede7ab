"""How long the binlog will still be there, against what a server with a short retention really does."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rowferry_lab.servers import (
    RunningServer,
    ServerSpec,
    SourceDatabase,
    fresh_destination_database,
    fresh_source_database,
)
from tests.acceptance.harness import Daemon, Ferry, wait_until
from tests.acceptance.measures import metric

if TYPE_CHECKING:
    from tests.conftest import GetServer

RETENTION_SECONDS = 12


def files(source: SourceDatabase) -> list[str]:
    """The server's binlog files."""
    return [str(row[0]) for row in source.rows("SHOW BINARY LOGS")]


def watch_until_purged(source: SourceDatabase, daemon: Daemon, file: str) -> list[tuple[float, float]]:
    """Give the server occasion to purge until the file is gone.

    Each headroom that the daemon told, with the steady clock before it.
    """
    told: list[tuple[float, float]] = []

    def purged() -> bool:
        now = time.monotonic()
        headroom = metric(daemon, "binlog_retention_headroom_seconds")
        if not math.isnan(headroom):  # it has been asked
            told.append((now, headroom))
        source.run("FLUSH BINARY LOGS")
        return file not in files(source)

    wait_until(f"{file} is purged", purged)
    return told


def test_headroom_falls_while_loading_is_held_up_and_the_server_purges_no_earlier(
    get_server: GetServer, postgres_15: RunningServer, tmp_path: Path
) -> None:
    """The checkpoint's file waits; the server's own purge comes when it was said to, or later."""
    options = [f"--binlog-expire-logs-seconds={RETENTION_SECONDS}"]
    server = get_server(ServerSpec.parse("mariadb:10.11"), options=options, name="headroom")
    with fresh_source_database(server) as source, fresh_destination_database(postgres_15) as target:
        ferry = Ferry(source, target, tmp_path)
        source.run("CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 1)")
        ferry.catch_up()
        source.run("UPDATE t SET v = 2")
        waiting = files(source)[-1]
        source.run("FLUSH BINARY LOGS")
        with target.connect(autocommit=False) as holder:
            holder.execute("LOCK TABLE raw.t IN EXCLUSIVE MODE")
            with ferry.daemon() as daemon:
                daemon.wait_ready()
                told = watch_until_purged(source, daemon, waiting)
                purged_at = time.monotonic()
                assert metric(daemon, "binlog_backlog_bytes") > 0
                holder.rollback()
                wait_until("the rows arrive", lambda: target.rows("SELECT v FROM raw.t") == [(2,)])
                ferry.assert_equal()
                assert daemon.stop() == 0
    server.shut_down()
    assert purged_at >= max(now + headroom for now, headroom in told if headroom > 0)
    headrooms = [headroom for _, headroom in told]
    assert headrooms == sorted(headrooms, reverse=True)
    assert 0 < headrooms[0] <= RETENTION_SECONDS
    assert headrooms[0] > headrooms[-1]
