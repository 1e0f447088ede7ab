"""The daemon's desk: looks between batches what people have asked for, and sees to it.

A copy that is asked for begins in the transaction that says so; a repair is done in the transaction that
holds its last rows. What ran when the daemon ended is taken up again: both can be done twice.
"""

from __future__ import annotations

from collections.abc import Callable

from rowferry.applier import Applier
from rowferry.book import Decision, TableBook
from rowferry.checkpoint import TableStatus
from rowferry.copy import Copier
from rowferry.copy_gate import CopyGate
from rowferry.copy_jobs import RepairKeys
from rowferry.destination import Session, run_all
from rowferry.key_texts import read_keys
from rowferry.requests import REPAIR, Request, finish_request, open_requests
from rowferry.table_schema import TableId, TableSchema


class Desk:
    """See the module. Owned by the run loop."""

    def __init__(
        self,
        session: Session,
        book: TableBook,
        applier: Applier,
        copier: Copier,
        gate: CopyGate,
        decided: Callable[[tuple[Decision, ...], str], None],
    ) -> None:
        """decided: told of what became of tables; begins their copies."""
        self._session = session
        self._book = book
        self._applier = applier
        self._copier = copier
        self._gate = gate
        self._decided = decided
        self._repairs: dict[TableId, tuple[int, int]] = {}

    def look(self) -> bool:
        """See to every request; whether any is still open. Raises what the destination's errors are."""
        requests = open_requests(self._session, self._book.dataset)
        open_now = {r.number for r in requests}
        self._repairs = {t: r for t, r in self._repairs.items() if r[0] in open_now}
        for request in requests:
            if request.kind == REPAIR:
                self._repair(request)
            elif request.state == "waiting":
                self._decided(self._applier.copy_again(request), "request")
            else:
                self._follow(request)
        return bool(requests)

    def decided(self, table: TableId) -> None:
        """The table is not what it was: a repair of it that is under way begins anew."""
        self._repairs.pop(table, None)

    def _follow(self, request: Request) -> None:
        """Whether the copy that was asked for is over."""
        record = self._book.records.get(self._table(request))
        if record is not None and record.status is TableStatus.COPYING:
            return
        if record is not None and record.status is TableStatus.STREAMING:
            self._finish(request)
        else:
            self._finish(request, record.error if record is not None else "the table is gone")

    def _repair(self, request: Request) -> None:
        """Begin with a repair, one at a time for each table; a table that is being copied comes first."""
        table = self._table(request)
        if table in self._book.doubts:
            return
        record = self._book.captured(table)
        if record is None:
            self._finish(request, "the table is not among those that are followed")
            return
        generation = self._book.generation(table)
        under_way = self._repairs.get(table)
        if record.status is TableStatus.COPYING or (under_way is not None and under_way[1] == generation):
            return
        try:
            keys = self._keys(record.table, request)
        except ValueError:
            self._finish(request, f"its keys cannot be read; run `rowferry resync {table.name}`")
            return
        self._repairs[table] = (request.number, generation)
        self._copier.submit(self._gate.job(table, self._applier.checkpoint.position, keys))

    @staticmethod
    def _keys(table: TableSchema, request: Request) -> RepairKeys:
        there, there_keys = read_keys(table, [there for _, there in request.keys if there is not None])
        return RepairKeys(tuple(key for key, _ in request.keys), there_keys, there, request.number)

    def _table(self, request: Request) -> TableId:
        return TableId(self._applier.checkpoint.source, request.table)

    def _finish(self, request: Request, error: str = "") -> None:
        run_all(self._session, [finish_request(self._book.dataset, request.number, error)])
