"""The alerts and the dashboard, in a real Prometheus that scrapes a real daemon under load.

The alert rules are the shipped ones, their times made a hundred times shorter (`prometheus.shorten`). A fault
is a real one; an alert that is not caused here is caused in promtool's unit tests alone: PROMTOOL_ONLY says
why.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from rowferry_lab import prometheus, tools
from rowferry_lab.prometheus import Prometheus, shorten
from rowferry_lab.wire import Wire
from tests.acceptance.harness import ROOT, Daemon, Ferry, free_port, wait_until
from tests.conftest import end_without

RULES: Final = ROOT / "deploy/prometheus/rowferry.rules.yml"
DASHBOARD: Final = ROOT / "deploy/grafana/dashboards/rowferry.json"
GONE: Final = "gone"

PROMTOOL_ONLY: Final = {
    "RowferryUnknownEvent": "no server here writes such an event",
    "RowferryTableHeld": "it takes another setting of the daemon, so a daemon of its own",
    "RowferryVerifyStale": "two days are half an hour even a hundred times shorter",
    "RowferryFlapping": "six slices of five minutes are more time than the whole of this test",
    "RowferryClockOffset": "it takes two clocks",
    "RowferryStateDirectoryFull": "it takes a disk to fill",
}

MAY_BE_EMPTY: Final = {
    "Schema changes": "no layout changed",
    "Rows still to copy": "the copies were over before the first scrape",
    "Errors": "none in the normal state",
    "New attempts": "none in the normal state",
    "Rows that differ": "none in the normal state",
    "Rows set aside": "none in the normal state",
    "Zero dates": "the tables hold none",
    "Policies": "none in the normal state",
}


def expressions() -> Iterator[tuple[str, str]]:
    """Title and expression of every query, with Grafana's variables filled in."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"].replace("$source", ".*")
            yield panel["title"], text.replace("$__rate_interval", "5s").replace("$__range", "2m")


def answers(server: Prometheus) -> dict[tuple[str, str], int]:
    """How many series each expression gives now; raises where one fails, now or over the last seconds."""
    found: dict[tuple[str, str], int] = {}
    for title, text in expressions():
        found[title, text] = len(server.query(text))
        server.query_range(text, 30)
    return found


def silent(found: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    """Expressions without an answer that must have one."""
    return [query for query, number in found.items() if not number and query[0] not in MAY_BE_EMPTY]


def alerts() -> set[str]:
    """Names of all alerts."""
    lines = (line.strip() for line in RULES.read_text().splitlines())
    return {line.removeprefix("- alert: ") for line in lines if line.startswith("- alert: ")}


class Scene:
    """A daemon between two lines that can break, a Prometheus, and what fired so far."""

    def __init__(self, ferry: Ferry, server: Prometheus, daemon: Daemon, source: Wire, target: Wire) -> None:
        """All of them at work."""
        self.ferry, self.server, self.daemon = ferry, server, daemon
        self.source, self.target = source, target
        self.seen: set[str] = set()

    def wait_for(self, *names: str, source: str | None = None) -> None:
        """Wait until these alerts fire for the daemon's source, or for another one."""
        of = self.ferry.source.name if source is None else source
        wanted = {(name, of) for name in names}

        def all_fire() -> bool:
            firing = self.server.firing()
            self.seen |= {name for name, _ in wanted & firing}
            return wanted <= firing

        try:
            wait_until(f"{', '.join(names)} fire", all_fire)
        except AssertionError as error:
            raise AssertionError(f"{error}; not: {wanted - self.server.firing()}") from None

    def wait_for_end(self, *names: str) -> None:
        """Wait until these alerts no longer fire for the daemon's source."""
        ended = {(name, self.ferry.source.name) for name in names}
        wait_until(f"{', '.join(names)} end", lambda: not ended & self.server.firing())


@contextmanager
def load(ferry: Ferry) -> Iterator[None]:
    """Rows come and change in `visit` until the end of the block."""
    ended = threading.Event()

    def work() -> None:
        number = 100
        with ferry.source.connect(autocommit=True) as connection, connection.cursor() as cursor:
            while not ended.wait(0.02):
                number += 1
                cursor.execute("INSERT INTO visit VALUES (%s, REPEAT('a', 3000))", [number])
                cursor.execute("UPDATE visit SET note = 'short' WHERE id = %s", [number - 5])
                cursor.execute("DELETE FROM visit WHERE id = %s", [number - 50])

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def scene(ferry: Ferry, folder: Path) -> Iterator[Scene]:
    """Everything at work, watched, and three targets more: a second instance, another source, one unnamed."""
    servers = ferry.source.server, ferry.destination.server
    wires = Wire(servers[0].port), Wire(servers[1].port)
    urls = ferry.source.url, ferry.destination.url
    settings = {
        "ROWFERRY_SOURCE__URL": urls[0].replace(f":{servers[0].port}/", f":{wires[0].port}/"),
        "ROWFERRY_DESTINATION__URL": urls[1].replace(f":{servers[1].port}/", f":{wires[1].port}/"),
        "ROWFERRY_BATCH__MAX_BYTES": "65536",
        "ROWFERRY_VERIFY__CONTINUOUS": "true",
        "ROWFERRY_VERIFY__PERIOD_HOURS": "0.001",
    }
    name = ferry.source.name
    labels: tuple[dict[str, str], ...] = ({"source": name}, {"source": GONE}, {})
    others = {f"127.0.0.1:{free_port()}": one for one in labels}
    try:
        with ferry.daemon(**settings) as daemon:
            targets = {f"127.0.0.1:{daemon.port}": {"source": name}, **others}
            with prometheus.prometheus(folder, targets, shorten(RULES.read_text())) as server:
                daemon.wait_ready()
                yield Scene(ferry, server, daemon, *wires)
    finally:
        for wire in wires:
            wire.close()


def mistakes_in_the_configuration(now: Scene) -> None:
    """An instance, a source and a label that lack; a source that has lost all is no other source's matter."""
    now.wait_for("RowferryInstanceDown")
    now.wait_for("RowferryDown", source=GONE)
    now.wait_for("RowferryNotWatched", source="")


def rows_and_tables(now: Scene) -> None:
    """A row that cannot be carried, a change logged as a statement, a copy that somebody changed."""
    source = now.ferry.source
    source.run("INSERT INTO note VALUES (9, CONCAT('a', CHAR(0)))")
    source.run("SET binlog_format = STATEMENT", "UPDATE odd SET n = n + 1")
    now.ferry.destination.run("UPDATE raw.fee SET amount = 7 WHERE id = 1")
    now.wait_for("RowferryQuarantineNotEmpty", "RowferryTableStopped", "RowferryVerifyMismatch")
    found = answers(now.server)
    for title in ("Quarantine", "Rows set aside", "Rows that differ", "Errors"):
        assert any(number for (panel, _), number in found.items() if panel == title), title


def retention_is_short(now: Scene) -> None:
    """The source keeps its binlog for a few minutes only."""
    source = now.ferry.source
    before = source.rows("SELECT @@binlog_expire_logs_seconds")[0][0]
    source.run("SET GLOBAL binlog_expire_logs_seconds = 150")
    try:
        now.wait_for("RowferryRetentionHeadroomCritical", "RowferryRetentionHeadroomLow")
    finally:
        source.run(f"SET GLOBAL binlog_expire_logs_seconds = {before}")


def postgres_hangs(now: Scene) -> None:
    """Postgres takes nothing, though its connections stay: the copy gets old and the queue fills."""
    now.target.freeze()
    now.wait_for("RowferryBehind", "RowferryFarBehind", "RowferryStalled", "RowferryQueueFull")
    answers(now.server)
    now.target.mend()
    now.wait_for_end("RowferryBehind", "RowferryStalled", "RowferryQueueFull")


def postgres_lost_commits(now: Scene) -> None:
    """Postgres goes away and comes back with a checkpoint of some time ago."""
    target = now.ferry.destination
    target.run("CREATE TABLE kept AS SELECT * FROM raw._rowferry_checkpoint")
    position = "SELECT binlog_file, binlog_offset FROM "
    kept = target.rows(f"{position} kept")
    wait_until("it goes on", lambda: target.rows(f"{position} raw._rowferry_checkpoint") != kept)
    now.target.cut()
    now.wait_for("RowferryDown")
    found = answers(now.server)
    assert any(number for (panel, _), number in found.items() if panel == "New attempts")
    target.run(
        "DELETE FROM raw._rowferry_checkpoint", "INSERT INTO raw._rowferry_checkpoint SELECT * FROM kept"
    )
    now.target.mend()
    now.wait_for("RowferryCheckpointWentBack")
    now.wait_for_end("RowferryDown")


def source_goes_away(now: Scene) -> None:
    """The source cannot be reached for a while."""
    now.source.cut()
    now.wait_for("RowferryDown")
    answers(now.server)
    now.source.mend()
    now.wait_for_end("RowferryDown")


def daemon_dies(now: Scene) -> None:
    """The process is killed; the expressions know how to say nothing."""
    now.daemon.stop(9)
    now.wait_for("RowferryDown")
    answers(now.server)


FAULTS: Final = (
    mistakes_in_the_configuration,
    rows_and_tables,
    retention_is_short,
    postgres_hangs,
    postgres_lost_commits,
    source_goes_away,
    daemon_dies,
)


def test_every_alert_fires_for_its_fault_and_every_panel_has_its_answer(
    mariadb_ferry: Ferry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One daemon and one Prometheus go through all the faults, one after the other."""
    try:
        tools.find("prometheus", "prometheus")
    except tools.ToolUnavailable as error:
        end_without(str(error))
    mariadb_ferry.source.run(
        "CREATE TABLE visit (id INT PRIMARY KEY, note TEXT)",
        "CREATE TABLE note (id INT PRIMARY KEY, text TEXT)",
        "CREATE TABLE odd (id INT PRIMARY KEY, n INT)",
        "CREATE TABLE fee (id INT PRIMARY KEY, amount INT)",
        "INSERT INTO visit VALUES (1, 'first')",
        "INSERT INTO note VALUES (1, 'a')",
        "INSERT INTO odd VALUES (1, 1)",
        "INSERT INTO fee VALUES (1, 100), (2, 200)",
    )
    with scene(mariadb_ferry, tmp_path_factory.mktemp("prometheus")) as now, load(mariadb_ferry):
        wait_until("every panel shows something", lambda: not silent(answers(now.server)))
        own = {name for name, source in now.server.firing() if source == mariadb_ferry.source.name}
        assert own <= {"RowferryInstanceDown"}, "nothing else fires in the normal state"
        for fault in FAULTS:
            fault(now)
    assert alerts() - now.seen == set(PROMTOOL_ONLY)
