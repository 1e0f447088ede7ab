"""The reader's side of the queue: decodes whole transactions and hands them on, in order.

Runs in a thread of its own. Decides nothing: a table that cannot go on becomes a barrier, which the
loader answers by changing the book; then the same transaction is decoded again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from rowferry import failpoints
from rowferry.batch import Route, make_route
from rowferry.batch_queue import BatchQueue, DecodedRows, TableFault
from rowferry.book import TableBook
from rowferry.changes import Heartbeat, RowEvent, SchemaChange, Transaction
from rowferry.errors import StreamStopped, TableStopped
from rowferry.table_schema import TableId, TableSchema
from rowferry.touched import TouchLog
from rowferry.wire_types import DecodeError

_MAX_ROUTES: Final = 20_000


class _Fault(Exception):
    """A table of the transaction at hand cannot go on."""

    def __init__(self, fault: TableFault) -> None:
        super().__init__()
        self.fault = fault


class Feeder:
    """Feeds the queue from a stream of transactions."""

    def __init__(self, book: TableBook, queue: BatchQueue, touches: TouchLog) -> None:
        """Reads the book, and changes it never."""
        self._book = book
        self._queue = queue
        self._touches = touches
        self._routes: dict[int, Route] = {}
        self.received_us = 0

    def run(self, stream: Iterable[Transaction | SchemaChange | Heartbeat]) -> None:
        """Feed until the stream raises."""
        for item in stream:
            match item:
                case Transaction():
                    self._transaction(item)
                case SchemaChange():
                    self._queue.barrier(item)
                    self._routes.clear()
                case Heartbeat(position):
                    self._queue.advance(position)

    def _transaction(self, transaction: Transaction) -> None:
        """Decode by the book, and again if the book has changed before the rows have their place."""
        while True:
            version, began = self._book.version, time.monotonic()
            try:
                self._refuse_statements(transaction)
                rows = [d for e in transaction.events for d in self._decode(e)]
                touched = {e.layout.table for e in transaction.events if self._has_no_key(e)}
            except _Fault as raised:
                self._queue.barrier(raised.fault)
                self._routes.clear()
                continue
            self.received_us = transaction.commit_time_us
            if self._place(transaction, rows, touched, version, time.monotonic() - began):
                return
            self._routes.clear()

    def _place(
        self,
        transaction: Transaction,
        rows: list[DecodedRows],
        touched: set[TableId],
        version: int,
        seconds: float,
    ) -> bool:
        return self._queue.add_transaction(
            transaction,
            rows,
            lambda: self._note(transaction, rows, touched),
            lambda: self._book.version == version,
            touched,
            seconds,
        )

    def _has_no_key(self, event: RowEvent) -> bool:
        record = self._book.captured(event.layout.table)
        return record is not None and not record.table.key

    def _refuse_statements(self, transaction: Transaction) -> None:
        names = transaction.statement_names
        if names is None:
            raise StreamStopped(
                "read the binlog",
                str(transaction.end),
                reason="a change logged as a statement that cannot be read",
                hint="Set binlog_format=ROW for all sessions, then run `rowferry resync --all`",
            )
        for table in [t for t in self._book.records if names and t.name.lower() in names]:
            if self._book.captured(table) is not None:
                error = TableStopped(
                    "follow changes",
                    f"table {table}",
                    reason="a session changed it in statement format, without row events",
                    hint=f"Set binlog_format=ROW for all sessions, then run `rowferry resync {table.name}`",
                )
                raise _Fault(TableFault(table, error, self._queue.position, final=True))

    def _decode(self, event: RowEvent) -> list[DecodedRows]:
        table = event.layout.table
        record = self._book.captured(table)
        if record is None or not record.table.key:
            return []
        try:
            self._require_complete(event)
            route = self._route(event, record.table)
            images = route.decoder.decode(event.data, event.start, event.end)
        except TableStopped as error:
            raise _Fault(TableFault(table, error, self._queue.position, final=not event.complete)) from None
        except DecodeError as error:
            stopped = TableStopped("decode rows", f"table {table}", reason=str(error))
            raise _Fault(TableFault(table, stopped, self._queue.position, final=True)) from None
        failpoints.hit("in-decode")
        changes = route.changes(event.kind, images)
        size = event.end - event.start
        return [DecodedRows(route, kind, rows, size // len(changes)) for kind, rows in changes]

    @staticmethod
    def _require_complete(event: RowEvent) -> None:
        if not event.complete:
            raise TableStopped(
                "decode rows",
                f"table {event.layout.table}",
                reason="a row image lacks columns",
                hint="Set binlog_row_image=FULL for all sessions, then run"
                f" `rowferry resync {event.layout.table.name}`",
            )

    def _route(self, event: RowEvent, table: TableSchema) -> Route:
        layout = event.layout
        route = self._routes.get(id(layout))
        if route is None or route.layout is not layout:
            route = make_route(table, layout)
            self._require_all_columns(route)
            self._require_same_history(route)
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            self._routes[id(layout)] = route
        return route

    def _require_all_columns(self, route: Route) -> None:
        """Rows that lack a known column are of another layout."""
        lacking = {c.name for c in route.table.columns} - set(route.names)
        if lacking:
            raise TableStopped(
                "decode rows", f"table {route.table.id}", reason=f"rows lack column {min(lacking)}"
            )

    def _require_same_history(self, route: Route) -> None:
        """Rows have versions if and only if the table has."""
        if (route.history is None) != (route.table.row_end is None):
            reason = "rows and catalogue disagree on whether it is system-versioned"
            raise TableStopped("decode rows", f"table {route.table.id}", reason=reason)

    def _note(self, transaction: Transaction, rows: list[DecodedRows], touched: set[TableId]) -> None:
        arrived = time.monotonic()
        for table in touched:
            if self._touches.watches(table):
                self._touches.note(arrived, transaction.end, transaction.gtid, table)
        for row in rows:
            if self._touches.watches(row.route.table.id):
                self._touches.record(arrived, transaction.end, transaction.gtid, row.route, row.images)
