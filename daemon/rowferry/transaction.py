"""From control events and row events to whole transactions.

Invariant: nothing leaves here before its transaction has ended, and what leaves is exactly what the
source committed. A transaction ends at XID, COMMIT or ROLLBACK; a DDL statement outside of one stands
alone. After ROLLBACK only changes to tables whose engine has no rollback are real (MyISAM).
Pure: no sockets, no clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rowferry.changes import RowEvent, SchemaChange, Transaction
from rowferry.ddl import StatementInfo, StatementKind, classify, names_written
from rowferry.errors import StreamStopped
from rowferry.position import BinlogPosition
from rowferry.table_schema import TableId


@dataclass(slots=True)
class _Group:
    gtid: str = ""
    commit_time_us: int = 0
    explicit: bool = False
    events: list[RowEvent] = field(default_factory=list)
    size: int = 0
    savepoints: dict[str, int] = field(default_factory=dict)
    names: set[str] | None = field(default_factory=set)
    schema_changes: list[SchemaChange] = field(default_factory=list)


class TransactionAssembler:
    """Collects the events of one transaction at a time."""

    def __init__(self, is_transactional: Callable[[TableId], bool]) -> None:
        """is_transactional: whether a rollback undoes changes to that table."""
        self._is_transactional = is_transactional
        self._group = _Group()

    @property
    def open(self) -> bool:
        """Whether a transaction has begun and not ended."""
        return self._group.explicit or bool(self._group.events)

    def start(self, gtid: str, commit_time_us: int, *, explicit: bool) -> None:
        """A GTID event. explicit: an end event follows (MariaDB's GTID without FL_STANDALONE)."""
        if self.open:
            raise StreamStopped(
                "assemble a transaction", gtid, reason="a new one began before the last one's end"
            )
        self._group = _Group(gtid=gtid, commit_time_us=commit_time_us, explicit=explicit)

    def discard(self) -> None:
        """A new binlog file begins: a transaction still open was cut off by a crash and never committed."""
        self._group = _Group()

    def rows(self, event: RowEvent) -> None:
        """A row event of the open transaction."""
        self._group.events.append(event)
        self._group.size += event.end - event.start

    def xid(self, end: BinlogPosition, timestamp_us: int) -> list[Transaction | SchemaChange]:
        """The commit of a transactional group; what it completes, in order."""
        return [*self._group.schema_changes, self._finish(end, timestamp_us)]

    def statement(
        self, text: str, database: str, end: BinlogPosition, timestamp_us: int
    ) -> list[Transaction | SchemaChange]:
        """A QUERY event; what it completes, in order."""
        info = classify(text)
        match info.kind:
            case StatementKind.BEGIN:
                self._group.explicit = True
                return []
            case StatementKind.COMMIT:
                return [*self._group.schema_changes, self._finish(end, timestamp_us)]
            case StatementKind.ROLLBACK:
                self._undo(0)
                return [*self._group.schema_changes, self._finish(end, timestamp_us)]
            case StatementKind.SAVEPOINT | StatementKind.ROLLBACK_TO:
                self._savepoint(info, end)
                return []
            case StatementKind.XA:
                raise StreamStopped(
                    "read the binlog", str(end), reason="an XA transaction, which is not supported yet"
                )
            case StatementKind.DML:
                self._statement_rows(text)
                return self._finish_alone(end, timestamp_us)
            case StatementKind.HARMLESS:
                return self._finish_alone(end, timestamp_us)
            case StatementKind.DDL:
                return self._schema_change(text, database, end, timestamp_us)

    def _savepoint(self, info: StatementInfo, end: BinlogPosition) -> None:
        name, known = info.savepoint.lower(), self._group.savepoints
        if info.kind is StatementKind.SAVEPOINT:
            known[name] = len(self._group.events)
        elif name in known:
            self._undo(known[name])
        else:
            raise StreamStopped("read the binlog", str(end), reason="a rollback to an unknown savepoint")

    def _undo(self, since: int) -> None:
        events = self._group.events
        kept = [e for e in events[since:] if not self._is_transactional(e.layout.table)]
        self._group.events = [*events[:since], *kept]
        self._group.size = sum(e.end - e.start for e in self._group.events)

    def _statement_rows(self, text: str) -> None:
        names = names_written(text)
        if names is None or self._group.names is None:
            self._group.names = None
        else:
            self._group.names |= names

    def _schema_change(
        self, text: str, database: str, end: BinlogPosition, timestamp_us: int
    ) -> list[Transaction | SchemaChange]:
        group = self._group
        time = group.commit_time_us or timestamp_us
        change = SchemaChange(text, database, group.gtid, time, end)
        if group.explicit:
            group.schema_changes.append(change)
            return []
        before = [self._finish(end, timestamp_us)] if group.events else []
        self._group = _Group()
        return [*before, change]

    def _finish_alone(self, end: BinlogPosition, timestamp_us: int) -> list[Transaction | SchemaChange]:
        return [] if self._group.explicit else [self._finish(end, timestamp_us)]

    def _finish(self, end: BinlogPosition, timestamp_us: int) -> Transaction:
        group, self._group = self._group, _Group()
        return Transaction(
            gtid=group.gtid,
            commit_time_us=group.commit_time_us or timestamp_us,
            end=end,
            events=tuple(group.events),
            size=group.size,
            statement_names=None if group.names is None else frozenset(group.names),
        )
