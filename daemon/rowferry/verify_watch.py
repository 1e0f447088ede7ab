"""The continuous verification inside the daemon: every table once a day, slowly, one after the other.

It never holds up the stream: it has connections of its own, reads a bounded number of rows a second, and
whatever goes wrong with it is told and tried again at the next table.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Final

from rowferry.changes import Statement
from rowferry.checkpoint import TableStatus, read_tables
from rowferry.checksum_there import SESSION
from rowferry.destination import Session, run_all
from rowferry.destination import connect as connect_destination
from rowferry.errors import Interrupted, RowferryError
from rowferry.mysql_source import SourceServer, connect, connect_for_copy
from rowferry.settings import Settings
from rowferry.verify import Stream, TableResult, Verifier

_IDLE_SECONDS: Final = 5.0


class VerifyWatch:
    """See the module. `run` belongs in a thread."""

    def __init__(self, settings: Settings, server: SourceServer, tell: Callable[[TableResult], None]) -> None:
        """tell: told of each table's result, in this thread."""
        self._settings = settings
        self._limits = settings.verify
        self._server = server
        self._tell = tell
        self._stopping = threading.Event()
        self._rows = 0
        self._free_at = 0.0

    def stop(self) -> None:
        """Let `run` end."""
        self._stopping.set()

    def run(self) -> None:
        """Verify table after table until `stop`. Raises Interrupted at the end."""
        while True:
            started = time.monotonic()
            tables = self._tables()
            period = self._limits.period_hours * 3600
            for number, table in enumerate(tables):
                self._pause(started + period * number / len(tables) - time.monotonic())
                self._tell(self._verify(table))
            self._pause(started + period - time.monotonic() if tables else _IDLE_SECONDS)

    def _tables(self) -> list[str]:
        """Those that stream, in an order that does not change. None while Postgres cannot be asked."""
        try:
            with closing(connect_destination(self._settings.destination)) as session:
                records = read_tables(session, self._settings.destination.dataset).values()
        except RowferryError:
            return []
        return sorted(r.table.id.name for r in records if r.status is TableStatus.STREAMING)

    def _verify(self, table: str) -> TableResult:
        self._rows = 0
        try:
            with ExitStack() as stack:
                session = stack.enter_context(closing(connect_destination(self._settings.destination)))
                return self._compare(table, session, stack)
        except Interrupted:
            raise
        except RowferryError as error:
            return TableResult(table, problem=str(error), failed=error.kind)

    def _compare(self, table: str, session: Session, stack: ExitStack) -> TableResult:
        run_all(session, [Statement(text) for text in SESSION])
        control = stack.enter_context(connect(self._settings.source))
        rows = stack.enter_context(connect_for_copy(self._settings.source))
        stream = Stream(self._settings, control, self._server, session, self._require_running)
        return Verifier(self._settings, rows, session, stream, self._read).verify([table])[0]

    def _read(self, _table: str, rows: int) -> None:
        """So many rows of the table were read: keep below the rate."""
        rate = self._limits.max_rows_per_second
        self._free_at = max(self._free_at, time.monotonic()) + max(0, rows - self._rows) / rate
        self._rows = rows
        self._pause(self._free_at - time.monotonic())

    def _pause(self, seconds: float) -> None:
        self._stopping.wait(max(0.0, seconds))
        self._require_running()

    def _require_running(self) -> None:
        if self._stopping.is_set():
            raise Interrupted("go on verifying")
