"""The HTTP server of a daemon at work: the page in a real browser, readiness, and clients that misbehave."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from contextlib import closing, suppress
from pathlib import Path

from tests.acceptance.browser import find_browser
from tests.acceptance.harness import Daemon, Ferry, wait_until

PATIENCE_SECONDS = 30
BLANK_PNG_BYTES = 20_000
TABLES = (
    "CREATE TABLE appointment (AptNum bigint PRIMARY KEY, Note text)",
    "INSERT INTO appointment SELECT seq, 'Canary' FROM seq_1_to_20000",
    "CREATE TABLE claim (ClaimNum bigint PRIMARY KEY, Sent date)",
    "INSERT INTO claim VALUES (1, '2024-02-29')",
    "CREATE TABLE patient (PatNum bigint PRIMARY KEY, Birthdate date)",
    "INSERT INTO patient VALUES (1, '1970-01-01')",
    "CREATE TABLE `<b>odd & name` (n int PRIMARY KEY)",
)
SETTINGS = {
    "ROWFERRY_COLUMNS": json.dumps({"patient": {"Birthdate": {"zero_dates": "stop"}}}),
    "ROWFERRY_COPY__FIRST": "claim,patient,<b>odd*",
    "ROWFERRY_COPY__MAX_ROWS_PER_SECOND": "20",
    "ROWFERRY_COPY__MAX_CHUNK_ROWS": "20",
}


def test_people_and_programs_are_told_the_same(mariadb_ferry: Ferry, tmp_path: Path) -> None:
    """One daemon, with a stopped table and one that is being copied, and clients that misbehave."""
    browser, ferry = find_browser(tmp_path), mariadb_ferry
    ferry.source.run(*TABLES)
    with ferry.daemon(**SETTINGS) as daemon:
        daemon.wait_state("patient", "streaming")
        ferry.source.run("SET sql_mode = ''", "INSERT INTO patient VALUES (2, '0000-00-00')")
        daemon.wait_state("patient", "stopped")
        daemon.wait_state("claim", "streaming")
        wait_until("a copy is under way", lambda: daemon.table("appointment").get("rows_copied", 0) > 0)
        _readiness(daemon)
        _status(daemon, ferry)
        url = f"http://127.0.0.1:{daemon.port}/?refresh=off"
        dom, console = browser.run(url, "--dump-dom")
        assert console == []
        for text in ("Needs you", "patient is stopped", "rowferry resync patient", "Running copies"):
            assert text in dom
        assert "&lt;b&gt;odd &amp; name" in dom
        for text in ("Canary", "mysql://", "postgresql://", "postgres@"):
            assert text not in dom
        (light, one), (dark, two) = (browser.picture(url, dark=dark) for dark in (False, True))
        assert one + two == []
        assert min(len(light), len(dark)) > BLANK_PNG_BYTES
        assert light != dark
        _flood(daemon, ferry)
        assert daemon.stop() == 0


def _readiness(daemon: Daemon) -> None:
    code, body = daemon.get("/readyz?verbose")
    assert code == 200, body
    assert "tables: ok (1 of 4 stopped or held: patient)" in body
    assert daemon.get("/readyz") == (200, "copying\n")
    assert daemon.get("/readyz?tables=all") == (503, "copying: tables\n")
    assert daemon.get("/livez") == (200, "ok\n")
    assert daemon.get("/status/")[0] == 404


def _status(daemon: Daemon, ferry: Ferry) -> None:
    """All names of `rowferry status --json`, and of a table at rest its values."""
    shown = json.loads(ferry.run("status", "--json", **SETTINGS).stdout)
    told = daemon.status()
    assert shown.keys() <= told.keys()
    assert shown["checkpoint"].keys() <= told["checkpoint"].keys()
    tables = {t["table"]: t for t in told["tables"]}
    for each in shown["tables"]:
        assert each.keys() <= tables[each["table"]].keys()
    mine = next(t for t in shown["tables"] if t["table"] == "patient")
    assert {k: tables["patient"][k] for k in mine} == mine
    errors = told["last_errors"]
    assert [(e["kind"], e["table"]) for e in errors] == [("table", "patient")]
    assert "rowferry resync patient" in errors[0]["remedy"]
    assert "Canary" not in json.dumps(told)


def _flood(daemon: Daemon, ferry: Ferry) -> None:
    """Rows arrive, and a client of another address gets its metrics, while others do their worst."""
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            daemon.get("/metrics")

    floods = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    for thread in floods:
        thread.start()
    slow = [socket.create_connection(("127.0.0.1", daemon.port), PATIENCE_SECONDS) for _ in range(100)]
    try:
        for client in slow:
            with suppress(OSError):
                client.sendall(b"GET /metr")
        ferry.source.run("INSERT INTO claim VALUES (2, '2024-03-01')")
        count = "SELECT count(*) FROM raw.claim"
        wait_until("the row is there", lambda: ferry.destination.rows(count) == [(2,)])
        polite = http.client.HTTPConnection("127.0.0.1", daemon.port, PATIENCE_SECONDS, ("127.0.0.9", 0))
        with closing(polite):
            polite.request("GET", "/metrics")
            answer = polite.getresponse()
            assert answer.status == 200
            assert b"rowferry_replication_lag_seconds" in answer.read()
    finally:
        stop.set()
        for client in slow:
            client.close()
        for thread in floods:
            thread.join(PATIENCE_SECONDS)


def test_who_asks_for_metrics_sees_why_it_ends(mysql_ferry: Ferry) -> None:
    """A daemon that has been asked waits for one more question before it ends with its error."""
    mysql_ferry.source.run("CREATE TABLE patient (PatNum bigint PRIMARY KEY)")
    with mysql_ferry.daemon() as daemon:
        daemon.wait_state("patient", "streaming")
        assert 'errors_total{kind="stream",source=' in daemon.get("/metrics")[1]
        mysql_ferry.source.run(
            "XA START 'x'", "INSERT INTO patient VALUES (1)", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"
        )
        wait_until("it has met its end", lambda: daemon.status().get("state") == "halted")
        assert daemon.process.poll() is None
        told: list[str] = []

        def asked() -> bool:
            code, body = daemon.get("/metrics")
            told.extend([body] if code == 200 else [])
            return daemon.process.poll() is not None

        wait_until("it has ended", asked)
        assert re.search(r'rowferry_errors_total\{kind="stream",.*\} 1\.0', told[-1])
        assert re.search(r'rowferry_state\{.*state="halted"\} 1\.0', told[-1])
        assert daemon.process.wait() == 1
