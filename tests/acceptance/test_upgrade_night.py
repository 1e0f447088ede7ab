"""An upgrade night: hundreds of schema changes to a database of 200 tables, while the office works."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from rowferry_lab import opendental_upgrade, opendental_wide
from rowferry_lab.demo_office import Office
from rowferry_lab.opendental_upgrade_plan import REBUILT, REBUILT_ROWS, plan
from tests.acceptance.harness import Daemon, Ferry, wait_until

TRAFFIC = 60.0  # statements a second
STEPS = 30.0  # of the upgrade, a second
COPIES = 2.0  # ranges of the rebuilt table that are copied back, a second
# Of columns that the upgrade widens: a tinyint to an int, a date to a datetime, a varchar. They keep their
# types, since Postgres changes none that a view has; the office writes nothing that does not fit.
VIEWS = {
    "patients": 'SELECT "PatNum", "PatStatus", "LName" FROM raw.patient',
    "recalls": 'SELECT "RecallNum", "DateDue", "LName" FROM raw.recall JOIN raw.patient USING ("PatNum")',
}


class Reader:
    """Someone who reads the copy all the time, with no more rights than were granted."""

    def __init__(self, ferry: Ferry, user: str) -> None:
        """Not started yet."""
        self.fewest, self.rounds = REBUILT_ROWS, 0
        self._ferry, self._user = ferry, user

    def read(self, stop: threading.Event) -> None:
        """Count the rows of the table that is rebuilt, and read the views, until told to stop."""
        with self._ferry.destination.connect(user=self._user) as session:
            while not stop.wait(0.05):
                row = session.execute(f"SELECT count(*) FROM raw.{REBUILT}".encode()).fetchone()
                self.fewest = min(self.fewest, row[0] if row else 0)
                for view in VIEWS:
                    session.execute(f"SELECT count(*) FROM reporting.{view}".encode())
                self.rounds += 1


@contextmanager
def analyst(ferry: Ferry) -> Iterator[str]:
    """A role that may read the views and the table that is rebuilt, and no other."""
    user = f"analyst_{ferry.destination.name}"
    ferry.destination.run(
        f'CREATE ROLE "{user}" LOGIN',
        "CREATE SCHEMA reporting",
        *(f"CREATE VIEW reporting.{name} AS {query}" for name, query in VIEWS.items()),
        f'GRANT USAGE ON SCHEMA raw, reporting TO "{user}"',
        f'GRANT SELECT ON reporting.patients, reporting.recalls, raw.{REBUILT}, raw.recall TO "{user}"',
    )
    try:
        yield user
    finally:
        ferry.destination.run(f'DROP OWNED BY "{user}"', f'DROP ROLE "{user}"')


@pytest.mark.parametrize("source", ["mariadb_10_5"], indirect=True)
def test_an_upgrade_night_needs_nobody(ferry: Ferry) -> None:
    """No table stops, readers see whole tables throughout, and in the end the copy is exact."""
    with ferry.source.connect() as connection:
        made = opendental_wide.create(connection, ferry.source.name)
    assert len(made.tables) >= 150
    assert len(opendental_upgrade.ddl_statements(plan())) >= 350
    ferry.settings["ROWFERRY_PROFILE"] = "opendental"
    with ferry.daemon() as daemon:
        wait_until("every table streams", lambda: states(daemon) == {"streaming"})
        with analyst(ferry) as user:
            replay(ferry, daemon, Reader(ferry, user))
    ferry.assert_equal(overridden={("recall", "DateDue"): "date"})


def replay(ferry: Ferry, daemon: Daemon, reader: Reader) -> None:
    """The night: traffic, the upgrade, and a daemon that is killed in its midst and started again."""
    steps = plan()
    half, stop = threading.Event(), threading.Event()
    office = Office(ferry.source, TRAFFIC)

    def done(number: int) -> None:
        if number == len(steps) * 2 // 3:
            half.set()

    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(reader.read, stop)
        office.start()
        try:
            upgrade = pool.submit(
                opendental_upgrade.run,
                ferry.source.connect,
                steps,
                done,
                rate=STEPS,
                parallel_rate=COPIES,
            )
            wait_until("the upgrade is half done", lambda: half.is_set() or upgrade.done())
            daemon.stop(signal.SIGKILL)
            with ferry.daemon() as second:
                upgrade.result()
                office.stop()
                office.check()
                settle(ferry, second)
        finally:
            office.stop()
            stop.set()
        reading.result()
    assert reader.fewest == REBUILT_ROWS
    assert reader.rounds > 50


def settle(ferry: Ferry, daemon: Daemon) -> None:
    """All of it has arrived: `verify` finds every table equal, and views and grants are what they were."""
    ferry.patience_seconds = 320.0
    waited = ferry.run("status", "--wait-for", "now", "--timeout", "300")
    assert waited.returncode == 0, (
        waited.stdout[-3000:],
        waited.stderr[-3000:],
        daemon.log.read_text()[-3000:],
    )
    wait_until("every table streams or is gone", lambda: states(daemon) == {"streaming", "dropped"})
    verified = ferry.run("verify", "--json")
    assert verified.returncode == 0, (verified.stdout[-3000:], verified.stderr[-3000:])
    results = json.loads(verified.stdout)["tables"]
    assert {table["result"] for table in results} == {"equal"}
    assert len(results) >= 150
    for name, query in VIEWS.items():
        seen = ferry.destination.rows(f"SELECT * FROM reporting.{name} ORDER BY 1")
        assert seen == ferry.destination.rows(f"{query} ORDER BY 1")
        assert seen


def states(daemon: Daemon) -> set[Any]:
    """The states that tables are in."""
    return {table["state"] for table in daemon.status().get("tables", ())}


def test_a_table_that_went_before_its_doubt_was_settled_is_known_to_be_gone(mariadb_ferry: Ferry) -> None:
    """Also if the daemon was killed in between, so that nothing in the stream says so any more."""
    ferry = mariadb_ferry
    ferry.source.run(
        "CREATE TABLE sheet (SheetNum bigint PRIMARY KEY, Note text)",
        "CREATE TABLE patient (PatNum bigint PRIMARY KEY)",
        "INSERT INTO sheet VALUES (1, 'kept')",
    )
    with ferry.daemon() as daemon:
        wait_until("every table streams", lambda: states(daemon) == {"streaming"})
        ferry.source.run("RENAME TABLE sheet TO tempConv_sheet1")
        daemon.wait_state("sheet", "copying")
        daemon.stop(signal.SIGKILL)
    ferry.source.run("DROP TABLE tempConv_sheet1")
    with ferry.daemon() as daemon:
        daemon.wait_state("patient", "streaming")
        waited = ferry.run("status", "--wait-for", "now", "--timeout", "20")
        assert waited.returncode == 0, waited.stderr
        daemon.wait_state("sheet", "dropped")
    assert ferry.destination.rows('SELECT "SheetNum" FROM raw.sheet') == [(1,)]
