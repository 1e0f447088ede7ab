"""`make demo`: a real office database, a real daemon, a live workload, and proof that the copy is exact.

Starts a MariaDB and a Postgres, creates an OpenDental-shaped database, runs `python -m rowferry run` as a
user would, lets an office work for a while, waits until the copy has caught up, and compares every row of
every table. Exit code 0 if all are equal. Nothing stays: with --keep, until Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import psycopg
import pymysql

from rowferry_lab import opendental
from rowferry_lab.compare import compare
from rowferry_lab.compare_kinds import CannotCompare
from rowferry_lab.compare_result import Comparison
from rowferry_lab.demo_daemon import BinlogHead, Daemon, DaemonDied, DemoFailed, Status
from rowferry_lab.demo_office import Office
from rowferry_lab.demo_probe import FreshnessProbe
from rowferry_lab.demo_screen import Screen
from rowferry_lab.opendental_schema import Engine
from rowferry_lab.servers import (
    DestinationDatabase,
    Lab,
    LabError,
    ProviderUnavailable,
    RunningServer,
    SourceDatabase,
    fresh_destination_database,
    fresh_source_database,
)

SOURCES: Final = ("mariadb:10.11", "mariadb:11.8", "mariadb:10.5", "mariadb:11", "mariadb:10", "mysql:9.7")
DESTINATIONS: Final = ("postgres:15", "postgres:17", "postgres:18", "postgres:16", "postgres:14")
DATASET: Final = "raw"
_START_SECONDS, _COPY_SECONDS, _CATCH_UP_SECONDS = 60.0, 300.0, 120.0
_REPORT_EVERY_SECONDS: Final = 5.0
_EQUAL, _FAILED = 0, 1
_SAMPLE_QUERY: Final = 'SELECT "PatNum", "BalTotal", "DateTStamp", _loaded_at FROM raw."patient" LIMIT 5;'


class Stopped(Exception):
    """A signal asked the demo to end."""

    def __init__(self, number: int) -> None:
        """number: of the signal."""
        self.number = number
        super().__init__(signal.Signals(number).name)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    keep: bool
    seconds: float
    rate: float
    rows_scale: float


@dataclass(frozen=True, slots=True)
class Delays:
    """How far behind the copy was, in seconds: as the daemon says, and as seen from outside."""

    lag: Sequence[float]
    visible_after: Sequence[float]

    def __str__(self) -> str:
        """For the verdict."""
        parts = (("replication lag", self.lag), ("commit to visible", self.visible_after))
        return "; ".join(
            f"{name} median {statistics.median(found):.1f} s, max {max(found):.1f} s"
            for name, found in parts
            if found
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is on the stage."""

    screen: Screen
    options: Options
    source: SourceDatabase
    destination: DestinationDatabase
    created: opendental.Created
    daemon: Daemon


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options, screen = _options(arguments), Screen()
    try:
        with _signals_raise(), ExitStack() as stack:
            return _demo(options, screen, stack)
    except Stopped as stopped:
        screen.failure(f"stopped by {stopped}; nothing is left running")
        return 128 + stopped.number
    except (DemoFailed, LabError, CannotCompare, pymysql.err.Error, psycopg.Error) as error:
        screen.failure(" ".join(str(error).split()))
        return _FAILED


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m rowferry_lab.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    parser.add_argument("--seconds", type=float, default=60, help="how long the office works (default: 60)")
    parser.add_argument("--rate", type=float, default=40, help="statements a second (default: 40)")
    parser.add_argument("--scale", type=float, default=1, help="size of the database (default: 1)")
    found = parser.parse_args(arguments)
    return Options(found.keep, found.seconds, found.rate, found.scale)


@contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP end the demo by an exception; further ones do not disturb its end."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, _: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    for number in numbers:
        signal.signal(number, stop)
    yield


def _demo(options: Options, screen: Screen, stack: ExitStack) -> int:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rowferry-demo-")))
    lab = stack.enter_context(Lab())
    source, destination = _servers(screen, lab, stack)
    created = _create(screen, source, options.rows_scale)
    daemon = stack.enter_context(Daemon(source, destination, folder))
    scene = Scene(screen, options, source, destination, created, daemon)
    office = Office(source, options.rate)
    stack.callback(office.stop)
    probe = FreshnessProbe(source, destination)
    stack.callback(probe.stop)
    try:
        delays = _run(scene, office, probe)
    except DaemonDied:
        screen.heading("The end of the daemon's log")
        for line in daemon.log_tail():
            screen.line(line)
        raise
    return _finish(scene, delays)


def _run(scene: Scene, office: Office, probe: FreshnessProbe) -> Delays:
    _begin(scene)
    _copy(scene, office)
    probe.start()
    lags = _stream(scene, office)
    probe.stop()
    _catch_up(scene, office)
    return Delays(lags, probe.seconds)


def _finish(scene: Scene, delays: Delays) -> int:
    result = _compare(scene)
    verdict = _verdict(result, delays)
    _where_to_look(scene)
    if scene.options.keep:
        scene.screen.line("")
        scene.screen.line(verdict)
        scene.screen.line("Everything stays up until Ctrl-C.")
        _wait_for_signal(scene.daemon)
    scene.screen.verdict(verdict, good=result.equal)
    return _EQUAL if result.equal else _FAILED


def _servers(screen: Screen, lab: Lab, stack: ExitStack) -> tuple[SourceDatabase, DestinationDatabase]:
    screen.heading("Servers")
    source, destination = _first(lab, SOURCES), _first(lab, DESTINATIONS)
    for role, server in (("source", source), ("destination", destination)):
        product = server.spec.title.partition(" ")[0]
        where = f"{server.host}:{server.port}, from: {server.provider}"
        screen.line(f"{role:<12} {product} {server.version_text} at {where}")
    if source.provider == "environment":
        source_database = stack.enter_context(fresh_source_database(source, "opendental"))
    else:
        source_database = SourceDatabase(source, "opendental")
    return source_database, stack.enter_context(fresh_destination_database(destination, "analytics"))


def _first(lab: Lab, specs: Sequence[str]) -> RunningServer:
    """The first of the servers that this machine can have."""
    refusals = []
    for spec in specs:
        try:
            return lab.server(spec)
        except ProviderUnavailable as refusal:
            refusals.append(refusal)
    raise refusals[0]


def _create(screen: Screen, source: SourceDatabase, rows_scale: float) -> opendental.Created:
    screen.heading("Source database")
    started = time.monotonic()
    with source.connect(database=None) as connection:
        created = opendental.create(connection, source.name, rows_scale=rows_scale)
    seconds = time.monotonic() - started
    engines = f"{created.engines[Engine.MYISAM]} MyISAM, {created.engines[Engine.INNODB]} InnoDB"
    tables = f"{len(created.tables)} tables ({engines})"
    screen.line(f"{source.name}: {tables}, {created.total_rows:,} rows, made in {seconds:.1f} s")
    screen.line(f"and {', '.join(created.excluded)}, which the profile's globs leave out")
    return created


def _begin(scene: Scene) -> None:
    """Wait until the daemon answers."""
    screen, daemon = scene.screen, scene.daemon
    screen.heading("Daemon")
    screen.line(f"python -m rowferry run, process {daemon.pid}")
    screen.line(f"log {daemon.log}")
    screen.line(f"http://{daemon.listen}/ (also /metrics, /status, /readyz)")
    daemon.wait(
        "the start of the daemon",
        lambda status: bool(status.tables) and status.state in ("copying", "streaming"),
        seconds=_START_SECONDS,
        show=lambda status: screen.progress(f"state: {status.state}"),
    )


def _copy(scene: Scene, office: Office) -> None:
    """The first copy, while the office already works."""
    screen, started = scene.screen, time.monotonic()
    screen.heading("Copy (the office works meanwhile)")
    office.start()

    def show(status: Status) -> None:
        office.check()
        tables = f"{status.count('streaming')} of {len(status.tables)} tables"
        elapsed = time.monotonic() - started
        screen.progress(
            f"{elapsed:5.1f} s   {tables}   {status.rows_copied:,} rows copied   {office.summary}"
        )

    status = scene.daemon.wait("the copy", lambda s: s.all_streaming, seconds=_COPY_SECONDS, show=show)
    seconds = time.monotonic() - started
    screen.line(f"{len(status.tables)} tables, {status.rows_copied:,} rows copied in {seconds:.1f} s")


def _stream(scene: Scene, office: Office) -> list[float]:
    """Watch the stream for a while; returns the lags that were seen, in seconds."""
    screen, seconds = scene.screen, scene.options.seconds
    screen.heading(f"Streaming for {seconds:.0f} s")
    started, reported, lags = time.monotonic(), 0.0, list[float]()
    for status in scene.daemon.watch(lambda: time.monotonic() - started >= seconds):
        office.check()
        if status.lag_seconds is not None:
            lags.append(status.lag_seconds)
        elapsed = time.monotonic() - started
        text = f"{elapsed:5.1f} s   {_lag(status)}   {status.rows_applied:,} rows applied   {office.summary}"
        if elapsed - reported >= _REPORT_EVERY_SECONDS:
            reported = elapsed
            screen.line(text)
    return lags


def _lag(status: Status) -> str:
    return "lag unknown" if status.lag_seconds is None else f"lag {status.lag_seconds:.1f} s"


def _catch_up(scene: Scene, office: Office) -> None:
    """Stop the office, and wait until the daemon is where the source's binlog ends."""
    screen = scene.screen
    screen.heading("Catching up")
    office.stop()
    office.check()
    head, started = source_head(scene.source), time.monotonic()
    screen.line(f"the office stopped: {office.summary}; the binlog ends at {head.file}:{head.offset}")

    def there(status: Status) -> bool:
        found = BinlogHead.parse(status.position)
        return found is not None and found.order >= head.order and status.all_streaming

    scene.daemon.wait(
        "catching up", there, seconds=_CATCH_UP_SECONDS, show=lambda s: screen.progress(f"at {s.position}")
    )
    screen.line(f"caught up {time.monotonic() - started:.1f} s later")


def source_head(source: SourceDatabase) -> BinlogHead:
    """Where the source's binlog ends now, by the statement that this server knows."""
    with source.connect() as connection, connection.cursor() as cursor:
        try:
            cursor.execute("SHOW MASTER STATUS")
        except pymysql.err.ProgrammingError:  # gone since MySQL 8.4
            cursor.execute("SHOW BINARY LOG STATUS")
        row = cursor.fetchone()
    if row is None:
        raise DemoFailed("the source writes no binlog")
    return BinlogHead(str(row[0]), int(row[1]))


def _compare(scene: Scene) -> Comparison:
    screen = scene.screen
    screen.heading("Comparison, row by row, by a program that shares no code with the daemon")
    result = compare(
        scene.source.url,
        scene.destination.url,
        schema=DATASET,
        tables=scene.created.tables,
    )
    for table in result.tables:
        screen.line(f"{table.table:<15} {table.rows_compared:>8,} rows   {table.finding}")
    return result


def _verdict(result: Comparison, delays: Delays) -> str:
    word = "EQUAL" if result.equal else "NOT EQUAL"
    text = f"{word}: {len(result.tables)} tables, {result.rows_compared:,} rows compared"
    text += f", {result.differences:,} differences"
    return "; ".join(filter(None, (text, str(delays))))


def _where_to_look(scene: Scene) -> None:
    screen, keep = scene.screen, scene.options.keep
    screen.heading(
        "Where to look next" + ("" if keep else " (`make demo KEEP=1` leaves all of this running)")
    )
    screen.line(f"http://{scene.daemon.listen}/status    tables, states and lag")
    screen.line(f"http://{scene.daemon.listen}/metrics   for Prometheus")
    screen.line(f"psql '{scene.destination.url}'")
    screen.line(f"  {_SAMPLE_QUERY}")
    screen.line("  SELECT * FROM raw._rowferry_freshness ORDER BY 1;")
    server, name = scene.source.server, scene.source.name
    screen.line("with any client of MySQL or MariaDB:")
    screen.line(f"  mysql --host={server.host} --port={server.port} --user={server.user} {name}")
    screen.line("    UPDATE patient SET BalTotal = BalTotal + 1 WHERE PatNum = 1;")


def _wait_for_signal(daemon: Daemon) -> None:
    try:
        for _ in daemon.watch(lambda: False, every_seconds=1.0):
            pass
    except Stopped:
        return


if __name__ == "__main__":
    sys.exit(main())
