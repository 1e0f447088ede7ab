"""Large tables that are rebuilt under load: by OpenDental, by gh-ost, by pt-online-schema-change."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Final

import pytest

from rowferry_lab.servers import RunningServer
from tests.acceptance.harness import Daemon, Ferry, wait_until
from tests.acceptance.online_tools import fill, gh_ost, pt_osc, rebuild, writing
from tests.acceptance.schema_ends import assert_ends_equal, mark, wait_passed, wait_streaming
from tests.acceptance.schema_readers import Reader, reading

ROWS: Final = 20_000
ALTER: Final = "ADD COLUMN c varchar(20) NOT NULL DEFAULT 'grey' AFTER id, MODIFY n bigint NOT NULL"
PROGRAM: Final = shutil.which("pt-online-schema-change")


def _prepare(ferry: Ferry, engine: str, *exclude: str) -> None:
    ferry.settings["ROWFERRY_TABLES__EXCLUDE"] = json.dumps(["temp*", *exclude])
    ferry.source.run("CREATE TABLE marker (id int PRIMARY KEY AUTO_INCREMENT) ENGINE=InnoDB")
    ferry.source.run(
        "CREATE TABLE calm (id int, v int NOT NULL, PRIMARY KEY (id))", "INSERT INTO calm VALUES (1, 1)"
    )
    fill(ferry.source, "visit", ROWS, engine)


def _halfway(ferry: Ferry, reader: Reader) -> Callable[[], None]:
    """Wait until another table was copied twice: so would the one have been that is rebuilt."""

    def passed() -> None:
        for key in ("id, v", "id"):
            ferry.source.run(f"ALTER TABLE calm DROP PRIMARY KEY, ADD PRIMARY KEY ({key})")
            wait_passed(ferry)
            wait_until("calm is copied again", lambda: ferry.tracked("state", "calm") == "streaming")
        reader.reads_on()

    return passed


def _ends_whole(ferry: Ferry, daemon: Daemon, reader: Reader) -> None:
    mark(ferry)
    assert_ends_equal(ferry, daemon)
    reader.reads_on()
    reader.assert_never_fewer(ROWS)


@pytest.mark.parametrize(
    ("source", "engine"), [("mariadb_10_5", "MyISAM"), ("mysql_9_7", "InnoDB")], indirect=["source"]
)
def test_a_large_table_is_rebuilt_by_a_parallel_copy(ferry: Ferry, engine: str) -> None:
    """Nobody who reads the copy ever finds fewer than the old rows, by the table or by a view on it."""
    _prepare(ferry, engine)
    with ferry.daemon() as daemon:
        wait_streaming(daemon)
        with reading(ferry.destination, "visit", "id, s") as reader:
            with writing(ferry.source, "visit", seed=5, only_inserts=True):
                rebuild(ferry.source, "visit", ALTER, _halfway(ferry, reader), rows=ROWS)
            _ends_whole(ferry, daemon, reader)


@pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)
def test_gh_ost_swaps_a_table(ferry: Ferry) -> None:
    """The captured table sees a RENAME alone; the ghost tables are captured as well, and do no harm."""
    _prepare(ferry, "InnoDB")
    with ferry.daemon() as daemon:
        wait_streaming(daemon)
        with reading(ferry.destination, "visit", "id, s") as reader:
            with writing(ferry.source, "visit", seed=6):
                gh_ost(ferry.source, "visit", ALTER, _halfway(ferry, reader), rows=ROWS)
            _ends_whole(ferry, daemon, reader)


@pytest.mark.parametrize("source", ["mariadb_10_5"], indirect=True)
def test_pt_online_schema_change_swaps_a_table(ferry: Ferry) -> None:
    """Its new table is excluded: what comes by the RENAME was never seen before."""
    _prepare(ferry, "InnoDB", "_visit_*")
    with ferry.daemon() as daemon:
        wait_streaming(daemon)
        with reading(ferry.destination, "visit", "id, s") as reader:
            with writing(ferry.source, "visit", seed=7):
                pt_osc(ferry.source, "visit", ALTER, _halfway(ferry, reader), rows=ROWS)
            _ends_whole(ferry, daemon, reader)


def _run_program(server: RunningServer, database: str) -> None:
    assert PROGRAM is not None
    address = f"h={server.host},P={server.port},u={server.user},D={database},t=visit"
    options = ("--execute", "--alter", ALTER, "--chunk-size", "1000", "--no-check-replication-filters")
    done = subprocess.run(
        [PROGRAM, *options, "--recursion-method=none", "--no-version-check", address],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.skipif(PROGRAM is None, reason="pt-online-schema-change (percona-toolkit) is not installed")
def test_the_program_pt_online_schema_change(mariadb_ferry: Ferry) -> None:
    """The program itself, while others write: equal at the end, and no reader missed a row."""
    ferry = mariadb_ferry
    _prepare(ferry, "InnoDB")
    with ferry.daemon() as daemon:
        wait_streaming(daemon)
        with reading(ferry.destination, "visit", "id, s") as reader:
            with writing(ferry.source, "visit", seed=8):
                _run_program(ferry.source.server, ferry.source.name)
            _ends_whole(ferry, daemon, reader)
