"""The lab's upgrade night runs on every source server: without it, its test would show nothing."""

from __future__ import annotations

import threading

from rowferry_lab import opendental_upgrade, opendental_wide
from rowferry_lab.demo_office import Office
from rowferry_lab.opendental_upgrade_plan import REBUILT, REBUILT_ROWS, plan
from rowferry_lab.servers import SourceDatabase


def test_an_upgrade_goes_through_while_the_office_works(source_database: SourceDatabase) -> None:
    """As fast as the server takes it; no statement fails, neither the upgrade's nor the office's."""
    with source_database.connect() as connection:
        made = opendental_wide.create(connection, source_database.name)
    assert len(made.tables) > 150
    assert len(made.tables) * 0.4 < len(made.empty) < len(made.tables) * 0.6
    office, steps, ended = Office(source_database, rate=100), plan(), threading.Event()
    office.start()
    try:
        opendental_upgrade.run(
            source_database.connect, steps, lambda n: ended.set() if n == len(steps) else None
        )
    finally:
        office.stop()
    office.check()
    assert ended.is_set()
    assert source_database.rows(f"SELECT count(*), max(SheetFieldNum) FROM {REBUILT}") == [
        (REBUILT_ROWS,) * 2
    ]


def test_an_upgrade_is_the_same_every_time() -> None:
    """So that what went wrong once goes wrong again."""
    assert plan() == plan()
    assert plan() != plan(seed=1)
    assert len(opendental_upgrade.ddl_statements(plan())) > 350
