"""The first copy of a table of 15 columns: Rowferry, pgloader, and a pipe of the servers' own clients.

    python -m benchmarks.copy [ROWS]

ROWS is 1,000,000 unless given. From MariaDB 10.11 into Postgres 15, both on this machine, every time into a
fresh database and a table with the primary key; medians of three. Rowferry is a whole process,
`rowferry run --until-caught-up`. The pipe is the floor: it takes the text NULL for no value, and its
SELECT is one statement over the whole table. pgloader (the Debian package of that name) is measured where
it is installed.

Then the other side of the coin: how long the copy holds up the source. On MyISAM, where a SELECT keeps
every writer waiting, the longest SELECT of a copy by the server's own slow log, and the longest that a
single-row UPDATE took meanwhile, and with no copy.
"""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import source_table
from benchmarks.backlog import catch_up, environment
from rowferry.destination import columns_of, name
from rowferry.mysql_catalog import read_tables
from rowferry.mysql_source import connect
from rowferry.settings import SourceSettings, TableSettings
from rowferry_lab.servers import (
    DestinationDatabase,
    Lab,
    ProviderUnavailable,
    RunningServer,
    SourceDatabase,
    fresh_destination_database,
    fresh_source_database,
)
from rowferry_lab.servers.clients import psql, source_client

ROWS: Final = 1_000_000
RUNS: Final = 3
PAUSE_SECONDS: Final = 0.005
QUIET_SECONDS: Final = 10.0
SLOW_LOG: Final = ("--slow-query-log=1", "--long-query-time=0", "--log-output=TABLE")

Copy = Callable[[SourceDatabase, DestinationDatabase], float]


def rowferry(source: SourceDatabase, destination: DestinationDatabase) -> float:
    """Seconds of a whole process."""
    with tempfile.TemporaryDirectory() as state:
        return catch_up(environment(source.url, destination.url, Path(state))).seconds


def pgloader(source: SourceDatabase, destination: DestinationDatabase) -> float:
    """Seconds of pgloader, which makes the table itself. Raises RuntimeError if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "copy.load")
        script.write_text(
            f"LOAD DATABASE FROM {source.url} INTO {destination.url}"
            " WITH create tables, create indexes, reset no sequences, quote identifiers;\n"
        )
        started = time.monotonic()
        done = subprocess.run(["pgloader", str(script)], capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
    if done.returncode:
        raise RuntimeError(done.stdout[-1000:] + done.stderr[-1000:])
    return seconds


def pipe(source: SourceDatabase, destination: DestinationDatabase) -> float:
    """Seconds of `mariadb --quick --batch | psql` into a table that is there. Raises CalledProcessError."""
    _make_table(source, destination)
    server = source.server
    reading = [
        *source_client(server.spec),
        *("--no-defaults", "--quick", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"),
        *("--protocol=tcp", f"--host={server.host}", f"--port={server.port}", f"--user={server.user}"),
        *(f"--password={server.password}", source.name, f"--execute=SELECT * FROM {source_table.TABLE}"),
    ]
    copy = f"\\copy {source_table.TABLE} FROM STDIN WITH (NULL 'NULL')"
    writing = [*psql(destination.server.spec), "--no-psqlrc", "--quiet", f"--command={copy}", destination.url]
    started = time.monotonic()
    with subprocess.Popen(reading, stdout=subprocess.PIPE) as reader:
        subprocess.run(writing, stdin=reader.stdout, check=True)
    if reader.returncode:
        raise subprocess.CalledProcessError(reader.returncode, "mariadb")
    return time.monotonic() - started


def _make_table(source: SourceDatabase, destination: DestinationDatabase) -> None:
    with connect(SourceSettings(url=source.url)) as control:
        [table] = read_tables(control, source.name, TableSettings()).values()
    columns = ", ".join(f"{name(column)} {kind}" for column, kind in columns_of(table))
    key = ", ".join(map(name, table.key))
    destination.run(f"CREATE TABLE {source_table.TABLE} ({columns}, PRIMARY KEY ({key}))")


COPIES: Final[dict[str, tuple[Copy, str]]] = {
    "pipe of the clients": (pipe, source_table.TABLE),
    "pgloader": (pgloader, '"{source}".' + source_table.TABLE),
    "Rowferry": (rowferry, "raw." + source_table.TABLE),
}
"""By title, how it copies and where the table is afterwards."""


def fill(source: SourceDatabase, engine: str, rows: int) -> None:
    """Make the source's table."""
    with source.connect() as connection:
        source_table.create(connection, engine)
        source_table.change(connection, inserts=rows, updates=0, deletes=0)


def measure(source: SourceDatabase, server: RunningServer, title: str, rows: int) -> float | None:
    """The median of the seconds that a copy takes; None, and why, if it cannot be had on this machine."""
    copy, there = COPIES[title]
    if title == "pgloader" and shutil.which("pgloader") is None:
        print("pgloader: not installed, not measured")
        return None
    seconds = []
    for _ in range(RUNS):
        with fresh_destination_database(server, "bench") as destination:
            try:
                seconds.append(copy(source, destination))
            except ProviderUnavailable as error:
                print(f"{title}: not measured: {error}")
                return None
            [(found,)] = destination.rows(f"SELECT count(*) FROM {there.format(source=source.name)}")
        if found != rows:
            raise RuntimeError(f"{title} copied {found} of {rows} rows")
    return statistics.median(seconds)


def compare(lab: Lab, rows: int) -> None:
    """Print the copies' speeds."""
    server, target = lab.servers("mariadb:10.11", "postgres:15")
    with fresh_source_database(server, "bench") as source:
        fill(source, "InnoDB", rows)
        found = {title: measure(source, target, title, rows) for title in COPIES}
    print(table(rows, {title: seconds for title, seconds in found.items() if seconds is not None}))


def table(rows: int, seconds: Mapping[str, float]) -> str:
    """A line for each copy: its time, its speed, and its time as so many times that of each other one."""
    lines = []
    for title, mine in seconds.items():
        ratios = [f"{mine / other:.2f} times {them}" for them, other in seconds.items() if them != title]
        speed = f"{title:20} {rows:,} rows in {mine:6.2f} s: {rows / mine:9,.0f} rows/s"
        lines.append("; ".join([speed, *ratios]))
    return "\n".join(lines)


class Waits(NamedTuple):
    """What single-row UPDATEs took, in seconds."""

    longest: float
    median: float
    updates: int


@contextmanager
def writer(source: SourceDatabase, rows: int, seconds: list[float]) -> Iterator[None]:
    """For the length of a block, update one random row after the other, and note what each took."""
    over = threading.Event()

    def write() -> None:
        with source.connect() as connection, connection.cursor() as cursor:
            while not over.wait(PAUSE_SECONDS):
                key = random.randint(1, rows)
                started = time.monotonic()
                cursor.execute(
                    f"UPDATE {source_table.TABLE} SET Minutes = Minutes + 1 WHERE VisitNum = %s", [key]
                )
                seconds.append(time.monotonic() - started)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def waits(seconds: list[float]) -> Waits:
    """What is told of the UPDATEs."""
    return Waits(max(seconds), statistics.median(seconds), len(seconds))


def hold_up(lab: Lab, rows: int) -> None:
    """Print what a copy of a MyISAM table costs those who write to it."""
    server = lab.server("mariadb:10.11", options=SLOW_LOG, name="slow log")
    [target] = lab.servers("postgres:15")
    with fresh_source_database(server, "bench") as source, fresh_destination_database(target) as destination:
        fill(source, "MyISAM", rows)
        quiet: list[float] = []
        with writer(source, rows, quiet):
            time.sleep(QUIET_SECONDS)
        source.run("TRUNCATE mysql.slow_log")
        busy: list[float] = []
        with writer(source, rows, busy):
            copied = rowferry(source, destination)
        selects = source.rows(
            "SELECT TIME_TO_SEC(query_time), TIME_TO_SEC(lock_time), rows_sent FROM mysql.slow_log"
            f" WHERE sql_text LIKE '%%SELECT%%FROM `{source.name}`.`{source_table.TABLE}`%%' ORDER BY 1 DESC"
        )
    seconds, lock, sent = selects[0]
    print(
        f"MyISAM, {rows:,} rows copied in {copied:.1f} s by {len(selects)} SELECTs; the longest took"
        f" {float(seconds) * 1000:.0f} ms (of which waiting for writers {float(lock) * 1000:.0f} ms,"
        f" {sent} rows)"
    )
    for title, found in (("during the copy", waits(busy)), ("with no copy", waits(quiet))):
        print(
            f"  {found.updates} single-row UPDATEs {title}: the longest {found.longest * 1000:.1f} ms,"
            f" median {found.median * 1000:.2f} ms"
        )


def main(rows: int = ROWS) -> None:
    """Measure both."""
    with Lab() as lab:
        compare(lab, rows)
        hold_up(lab, rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
