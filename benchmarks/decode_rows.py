"""Row images to columns: the compiled decoder against python-mysql-replication's own `event.rows`.

    python -m benchmarks.decode_rows

Both read the same binlog of the same server in the same run: 100,000 inserts, updates and deletes each,
in groups of 500, on a table of 15 columns. Counted are row changes a second, from the connection on.
The library hands out dictionaries of Python values; the daemon's way ends in Arrow columns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent

from benchmarks import source_table
from rowferry.assemble import table_load
from rowferry.batch import Route, StreamSegment, make_route
from rowferry.binlog import BinlogReader
from rowferry.changes import RowEvent, Transaction
from rowferry.mysql_catalog import read_tables
from rowferry.mysql_source import connect, describe_server, head_position
from rowferry.position import BinlogPosition
from rowferry.settings import QuarantineSettings, SourceSettings, TableSettings
from rowferry_lab.servers import Lab, SourceDatabase, fresh_source_database

CHANGES: Final = 100_000
RUNS: Final = 5
LIBRARY_RUNS: Final = 3


class Stretch:
    """A stretch of binlog: everything between two positions."""

    def __init__(self, database: SourceDatabase, engine: str) -> None:
        """Write it."""
        self.settings = SourceSettings(url=database.url)
        with connect(self.settings) as control:
            self.server = describe_server(control)
            with database.connect() as connection:
                source_table.create(connection, engine)
                self.start = head_position(control, self.server)
                self.rows = source_table.change(connection, inserts=CHANGES, updates=CHANGES, deletes=CHANGES)
            self.end = head_position(control, self.server)
            [self.table] = read_tables(control, database.name, TableSettings()).values()


def ours(stretch: Stretch, consume: Callable[[RowEvent], int]) -> tuple[int, float]:
    """Read the stretch with the daemon's reader; rows and seconds."""
    start = BinlogPosition(stretch.start.file, stretch.start.offset, None, stretch.server.identity)
    started = time.perf_counter()
    reader = BinlogReader(stretch.settings, stretch.server, 4_000_001, start, lambda _: True)
    rows = 0
    for item in reader:
        if isinstance(item, Transaction):
            rows += sum(consume(event) for event in item.events)
            if item.end.reached(stretch.end):
                break
    seconds = time.perf_counter() - started
    reader.close()
    return rows, seconds


def library(stretch: Stretch) -> tuple[int, float]:
    """Read the stretch with the library's rows; rows and seconds."""
    settings = stretch.settings
    connection: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "user": settings.user,
        "passwd": settings.secret,
        "charset": "utf8mb4",
    }
    started = time.perf_counter()
    reader = BinLogStreamReader(
        connection_settings=connection,
        server_id=4_000_002,
        resume_stream=True,
        log_file=stretch.start.file,
        log_pos=stretch.start.offset,
        only_events=[WriteRowsEvent, UpdateRowsEvent, DeleteRowsEvent],
        enable_logging=False,
    )
    rows = 0
    for event in reader:
        rows += len(event.rows)
        if rows >= stretch.rows:
            break
    seconds = time.perf_counter() - started
    reader.close()
    return rows, seconds


def to_columns(stretch: Stretch) -> Callable[[RowEvent], int]:
    """Decode each event and, 20,000 rows at a time, turn the last change of each key into columns."""
    routes: dict[int, Route] = {}
    open_segment: list[StreamSegment] = []

    def consume(event: RowEvent) -> int:
        route = routes.get(id(event.layout))
        if route is None:  # as the daemon does: once for each layout
            route = routes[id(event.layout)] = make_route(stretch.table, event.layout)
        if not open_segment or open_segment[0].route is not route:
            open_segment[:] = [StreamSegment(route)]
        segment = open_segment[0]
        before = len(segment.rows)
        segment.add(event.kind, route.decoder.decode(event.data, event.start, event.end))
        rows = len(segment.rows) - before
        if len(segment.rows) >= 20_000:
            table_load([segment], QuarantineSettings())
            open_segment.clear()
        return rows

    return consume


def main() -> None:
    """Measure on MariaDB and on MySQL."""
    with Lab() as lab:
        for server in ("mariadb:10.11", "mysql:9.7"):
            source = lab.server(server)
            with fresh_source_database(source) as database:
                report(source.version_text, Stretch(database, "InnoDB"))


def report(version: str, stretch: Stretch) -> None:
    """Print the medians."""
    columns: list[float] = []
    reading: list[float] = []
    theirs: list[float] = []
    for run in range(RUNS):
        for rates, result in (
            (columns, ours(stretch, to_columns(stretch))),
            (reading, ours(stretch, lambda _: 0)),
        ):
            rates.append(stretch.rows / result[1])
        if run < LIBRARY_RUNS:
            rows, seconds = library(stretch)
            theirs.append(rows / seconds)
    mine, base = statistics.median(columns), statistics.median(theirs)
    print(
        f"{version}: {stretch.rows} row changes: to columns {mine:,.0f} rows/s, event.rows {base:,.0f}"
        f" rows/s: {mine / base:.1f} times; reading alone {statistics.median(reading):,.0f} rows/s"
    )


if __name__ == "__main__":
    main()
