"""How a test of schema changes ends: all is applied, no table is stopped, every row is equal."""

from __future__ import annotations

import json

from rowferry_lab.compare_kinds import CannotCompare
from tests.acceptance.harness import Daemon, Ferry, wait_until


def states(daemon: Daemon) -> dict[str, str]:
    """Each table's state."""
    return {table["table"]: table["state"] for table in daemon.status().get("tables", ())}


def wait_streaming(daemon: Daemon) -> None:
    """Wait until there are tables and each of them is streaming, or dropped at the source."""

    def settled() -> bool:
        daemon.assert_alive()
        found = states(daemon)
        return bool(found) and set(found.values()) <= {"streaming", "dropped"}

    try:
        wait_until("every table is streaming", settled)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{troubles(daemon)}") from None


def troubles(daemon: Daemon) -> str:
    """The tables that are not streaming, with what they say about it."""
    tables = daemon.status().get("tables", ())
    return "\n".join(
        f"{table['table']}: {table['state']}: {table.get('error')}"
        for table in tables
        if table["state"] not in ("streaming", "dropped")
    )


def mark(ferry: Ferry) -> None:
    """Write a row into the table `marker`."""
    ferry.source.run("INSERT INTO marker VALUES ()")


def wait_passed(ferry: Ferry) -> None:
    """Wait until the daemon has applied all that was done up to now, or knows that it has to copy."""
    mark(ferry)
    count = ferry.source.rows("SELECT COUNT(*) FROM marker")
    query = "SELECT count(*) FROM raw.marker"
    wait_until("the marker arrived", lambda: ferry.destination.rows(query) == count)


def differences(ferry: Ferry) -> str:
    """A line for each table of the source whose copy differs, or cannot be compared."""
    tables = [
        str(name)
        for (name,) in ferry.source.rows(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
            " AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_NAME NOT LIKE 'temp%' ORDER BY 1"
        )
    ]
    try:
        result = ferry.compare(*tables, wider=True)
    except CannotCompare:
        return "\n".join(filter(None, (_difference(ferry, table) for table in tables)))
    return "" if result.equal else result.describe()


def _difference(ferry: Ferry, table: str) -> str:
    try:
        result = ferry.compare(table, wider=True)
    except CannotCompare as error:
        return str(error)
    return "" if result.equal else result.tables[0].describe()


def assert_ends_equal(ferry: Ferry, daemon: Daemon) -> None:
    """The daemon applies all that there is, stops no table, ends when it is told to; `verify` agrees."""
    done = ferry.run("status", "--wait-for", "now", "--timeout", "80")
    assert done.returncode == 0, f"{done.stderr}\n{troubles(daemon)}"
    wait_streaming(daemon)
    assert_same(ferry)
    assert daemon.stop() == 0
    log = daemon.log.read_text()
    assert "Traceback" not in log, log[log.index("Traceback") :][:3000]
    assert_verified(ferry)


def assert_verified(ferry: Ferry) -> None:
    """`verify` finds every table equal; it may say of one without a key that its rows cannot be compared."""
    done = ferry.run("verify", "--json")
    assert done.stdout, done.stderr[-3000:]
    tables = json.loads(done.stdout)["tables"]
    found = [
        t for t in tables if t["result"] != "equal" and not t["problem"].startswith("no key, and column")
    ]
    assert tables
    assert not found, found
    assert done.returncode == (0 if all(t["result"] == "equal" for t in tables) else 1), done.stderr[-3000:]


def assert_same(ferry: Ferry) -> None:
    """Every table of the source is in Postgres, row by row, whatever else Postgres has kept."""
    found = differences(ferry)
    assert not found, found
