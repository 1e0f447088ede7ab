"""A backlog of 220,000 row changes on one table, from the binlog to Postgres, both servers on this machine.

    python -m benchmarks.backlog

Each run is a whole process, `rowferry run --until-caught-up`, start included; prints medians of rows a
second and of the process's peak memory. A run with nothing to do tells what the start costs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import source_table
from rowferry_lab.servers import Lab, fresh_destination_database, fresh_source_database

INSERTS: Final = 100_000
UPDATES: Final = 100_000
DELETES: Final = 20_000
RUNS: Final = 5


class Run(NamedTuple):
    """One process: wall seconds and peak memory in MiB."""

    seconds: float
    peak_mib: float


def catch_up(environment: dict[str, str]) -> Run:
    """Run `rowferry run --until-caught-up` to its end. Raises RuntimeError if it fails."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "rowferry", "run", "--until-caught-up"], env=environment, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            log.seek(0)
            raise RuntimeError(log.read()[-2000:].decode())
    return Run(time.monotonic() - started, usage.ru_maxrss / 1024)


def environment(source: str, destination: str, state: Path) -> dict[str, str]:
    """The daemon's settings for these servers."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "ROWFERRY_SOURCE__URL": source,
        "ROWFERRY_DESTINATION__URL": destination,
        "ROWFERRY_STATE_DIR": str(state),
    }


def measure(lab: Lab, server: str, engine: str) -> None:
    """Print the figures for one source server."""
    source, destination = lab.servers(server, "postgres:15")
    with (
        fresh_source_database(source) as database,
        fresh_destination_database(destination) as target,
        tempfile.TemporaryDirectory() as state,
    ):
        settings = environment(database.url, target.url, Path(state))
        with database.connect() as connection:
            source_table.create(connection, engine)
            catch_up(settings)
            idle = [catch_up(settings).seconds for _ in range(3)]
            runs = []
            for _ in range(RUNS):
                rows = source_table.change(connection, inserts=INSERTS, updates=UPDATES, deletes=DELETES)
                runs.append(catch_up(settings))
    rates = sorted(rows / run.seconds for run in runs)
    peak = max(run.peak_mib for run in runs)
    print(
        f"{source.version_text}, {engine}: {rows} row changes, {len(runs)} runs: median"
        f" {statistics.median(rates):,.0f} rows/s (min {rates[0]:,.0f}, max {rates[-1]:,.0f}), start"
        f" included; an idle start takes {statistics.median(idle):.2f} s; peak memory {peak:.0f} MiB"
    )


def main() -> None:
    """Measure on MariaDB and on MySQL."""
    with Lab() as lab:
        measure(lab, "mariadb:10.11", "InnoDB")
        measure(lab, "mysql:9.7", "InnoDB")


if __name__ == "__main__":
    main()
