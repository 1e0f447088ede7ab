"""`run --standby`: a second instance waits for the lock, and takes over when the first one is gone."""

from __future__ import annotations

import json
import signal
import threading
import time

import pytest

from tests.acceptance.harness import Daemon, Ferry, wait_until
from tests.acceptance.service_manager import service_manager

CREATE = (
    "CREATE TABLE visit (id bigint AUTO_INCREMENT PRIMARY KEY, v int NOT NULL) ENGINE=InnoDB",
    "CREATE TABLE visit_log (id bigint AUTO_INCREMENT PRIMARY KEY, v int NOT NULL) ENGINE=MyISAM",
    "INSERT INTO visit (v) VALUES (0)",
)


def work(ferry: Ferry, stop: threading.Event) -> None:
    """Change rows without a pause, on both kinds of table."""
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        number = 0
        while not stop.wait(0.002):
            number += 1
            cursor.execute("INSERT INTO visit (v) VALUES (%s)", (number,))
            cursor.execute("UPDATE visit SET v = v + 1 WHERE id = %s", (number // 2,))
            cursor.execute("INSERT INTO visit_log (v) VALUES (%s)", (number,))
            cursor.execute("DELETE FROM visit_log WHERE id = %s", (number - 50,))


def is_state(daemon: Daemon, state: str) -> bool:
    """Whether it says so."""
    return daemon.assert_alive() and daemon.status().get("state") == state


def last_event(daemon: Daemon) -> str:
    """The newest one of its log."""
    events = [json.loads(row)["event"] for row in daemon.log.read_text().splitlines() if row[:1] == "{"]
    return str(events[-1])


def load_id(ferry: Ferry) -> str:
    """The newest load that was committed."""
    return str(ferry.destination.rows("SELECT load_id FROM raw._rowferry_checkpoint")[0][0])


def epoch(ferry: Ferry) -> int:
    """Whose turn it is."""
    return int(ferry.destination.rows("SELECT epoch FROM raw._rowferry_checkpoint")[0][0])


def test_a_standby_takes_over_from_a_leader_that_is_killed(
    mariadb_ferry: Ferry, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under load; the copy is exact, and the time without commits is told."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(ferry, stop))
    with (
        service_manager(ferry.state / "notify", watchdog_seconds=60) as manager,
        ferry.daemon("--standby") as first,
    ):
        first.wait_state("visit_log", "streaming")
        worker.start()
        try:
            with ferry.daemon("--standby", **manager.environment) as second:
                _assert_stands_by(second)
                manager.wait("READY")
                manager.wait("STATUS", "standby")
                gap = _seconds_without_commits(ferry, first)
                with ferry.daemon("--standby") as third:
                    wait_until("the third stands by", lambda: is_state(third, "standby"))
                    _assert_one_that_is_fenced_off_stands_by(ferry, second, third)
                    assert third.stop() == 0
                assert second.stop() == 0
        finally:
            stop.set()
            worker.join()
    ferry.catch_up()
    ferry.assert_equal()
    with capsys.disabled():
        print(f"\nfrom the leader's end to the standby's first commit: {gap:.2f} s")


def _seconds_without_commits(ferry: Ferry, leader: Daemon) -> float:
    """Kill the leader; until the next one's first commit."""
    before = epoch(ferry)
    leader.process.kill()
    killed = time.monotonic()
    leader.process.wait()
    at_kill = load_id(ferry)
    wait_until("the standby commits", lambda: load_id(ferry) != at_kill)
    gap = time.monotonic() - killed
    assert epoch(ferry) > before
    return gap


def _assert_stands_by(daemon: Daemon) -> None:
    """It lives, is not ready, and says what it is."""
    wait_until("the second stands by", lambda: is_state(daemon, "standby"))
    assert daemon.get("/livez")[0] == 200
    assert daemon.get("/readyz")[0] == 503
    text = daemon.get("/metrics")[1]
    [line] = [row for row in text.splitlines() if row.startswith("rowferry_state{") and row.endswith(" 1.0")]
    assert 'state="standby"' in line


def _assert_one_that_is_fenced_off_stands_by(ferry: Ferry, leader: Daemon, waiting: Daemon) -> None:
    """A leader that stood still until Postgres forgot its session does not end, and does no harm."""
    leader.process.send_signal(signal.SIGSTOP)
    try:
        ferry.destination.run(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        wait_until("the other one leads", lambda: is_state(waiting, "streaming"))
        at_turn = load_id(ferry)
        wait_until("it commits", lambda: load_id(ferry) != at_turn)
    finally:
        leader.process.send_signal(signal.SIGCONT)
    wait_until("the first stands by", lambda: is_state(leader, "standby"))
    wait_until("the first says so", lambda: last_event(leader) == "standing_by")
    assert waiting.status()["state"] == "streaming"


def test_a_standby_can_be_stopped_and_without_it_a_second_instance_ends(mariadb_ferry: Ferry) -> None:
    """75 without the option, as ever; SIGTERM ends the wait with 0."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    with ferry.daemon() as leader:
        leader.wait_ready()
        with ferry.daemon("--standby") as waiting:
            wait_until("it stands by", lambda: is_state(waiting, "standby"))
            assert ferry.run("run", ROWFERRY_HTTP__LISTEN="off").returncode == 75
            assert waiting.stop() == 0
        assert leader.stop() == 0
