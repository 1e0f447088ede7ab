"""Lag, watermark and reconnects as the metrics tell them, while servers come and go."""

from __future__ import annotations

import re
from pathlib import Path

from rowferry_lab.servers import Lab, RunningServer, fresh_destination_database, fresh_source_database
from tests.acceptance.harness import Daemon, Ferry, wait_until


def metric(daemon: Daemon, name: str, **labels: str) -> float:
    """One sample."""
    for line in daemon.get("/metrics")[1].splitlines():
        if line.startswith(f"rowferry_{name}{{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            return float(re.split(r"\s+", line)[-1])
    return float("nan")


def test_lag_is_true_idle_held_up_and_disconnected(postgres_15: RunningServer, tmp_path: Path) -> None:
    """0 when idle, growing while loading is held up and while the source is gone, and 0 again after both."""
    with Lab() as lab:
        server = lab.server("mariadb:10.11", name="lag")
        with fresh_source_database(server) as source, fresh_destination_database(postgres_15) as target:
            ferry = Ferry(source, target, tmp_path)
            source.run("CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 1)")
            with ferry.daemon() as daemon:
                daemon.wait_state("t", "streaming")
                wait_until("idle", lambda: metric(daemon, "replication_lag_seconds") == 0)
                first = metric(daemon, "applied_source_timestamp_seconds")
                wait_until("it advances", lambda: metric(daemon, "applied_source_timestamp_seconds") > first)
                with target.connect(autocommit=False) as holder:
                    holder.execute("LOCK TABLE raw.t IN ACCESS EXCLUSIVE MODE")
                    source.run("UPDATE t SET v = 2")
                    wait_until("it grows", lambda: metric(daemon, "replication_lag_seconds") > 2)
                    holder.rollback()
                wait_until("caught up", lambda: metric(daemon, "replication_lag_seconds") == 0)
                server.shut_down()
                wait_until("it grows", lambda: metric(daemon, "replication_lag_seconds") > 6)
                stood = metric(daemon, "applied_source_timestamp_seconds")
                assert metric(daemon, "connected", side="source") == 0
                assert metric(daemon, "reconnects_total", side="source", reason="unreachable") >= 1
                wait_until("it grows on", lambda: metric(daemon, "replication_lag_seconds") > 7)
                assert metric(daemon, "applied_source_timestamp_seconds") == stood
                server.restart()
                wait_until("back", lambda: metric(daemon, "replication_lag_seconds") == 0)
                assert metric(daemon, "events_total", type="update_rows") >= 1
                assert daemon.stop() == 0
