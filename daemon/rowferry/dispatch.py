"""From the packets of a binlog to whole transactions. Knows no connection.

Every kind of event has its place here or in `binlog_events`; one that has none stops the stream with its
number and the server's version. What is compressed goes the same way as what is not: `payload` makes plain
events out of a compressed transaction, and plain bodies out of compressed ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from rowferry import binlog_events as events
from rowferry import failpoints
from rowferry.binlog_events import Event, EventError
from rowferry.changes import Heartbeat, RowEvent, SchemaChange, TableLayout, Transaction
from rowferry.decode import DecodeError, parse_rows_header
from rowferry.errors import StreamStopped
from rowferry.mysql_source import SourceServer
from rowferry.payload import HEADER_SIZE, PayloadError, inner_events, uncompressed_record
from rowferry.position import BinlogPosition, MariadbGtidSet, MysqlGtidSet, widen_offset
from rowferry.table_map import parse_table_map, table_of
from rowferry.table_schema import TableId
from rowferry.transaction import TransactionAssembler

_MAX_LAYOUTS: Final = 20_000
_UNREADABLE: Final = (DecodeError, EventError, PayloadError, UnicodeDecodeError)

StreamItem = Transaction | SchemaChange | Heartbeat
Completed = list[Transaction | SchemaChange]


class EventDispatcher:
    """See the module. Packets come in the binlog's order, from the start position on.

    Anything that cannot be carried exactly raises StreamStopped; after that it is of no use.
    """

    def __init__(
        self,
        server: SourceServer,
        start: BinlogPosition,
        is_transactional: Callable[[TableId], bool],
        counts: list[int] | None = None,
    ) -> None:
        """start: the end of the last transaction applied. counts: of events, by type number, 0 to 255."""
        self._server = server
        self._counts = counts if counts is not None else [0] * 256
        self._position = start
        self._assembler = TransactionAssembler(is_transactional)
        self._layouts: dict[bytes, TableLayout] = {}
        self._tables: dict[int, TableLayout] = {}
        self._writer = ""
        self._checksum: bool | None = None
        self._pending_gtid: tuple[Any, ...] | None = None
        self._controls: dict[int, Callable[[Event], list[StreamItem]]] = {
            events.GTID: self._mysql_gtid,
            events.ANONYMOUS_GTID: self._mysql_gtid,
            events.MARIADB_GTID: self._mariadb_gtid,
            events.HEARTBEAT: self._heartbeat,
            events.ROTATE: self._rotate,
            events.FORMAT_DESCRIPTION: self._format_description,
        }
        self._changes: dict[int, Callable[[Event], Completed]] = {
            **dict.fromkeys(events.PLAIN_ROWS | events.COMPRESSED_ROWS, self._rows),
            events.TABLE_MAP: self._table_map,
            events.XID: self._xid,
            events.QUERY: self._query,
            events.QUERY_COMPRESSED: self._query,
            events.TRANSACTION_PAYLOAD: self._payload,
        }

    @property
    def position(self) -> BinlogPosition:
        """The end of the last whole transaction that was read."""
        return self._position

    def read(self, packet: bytes) -> list[StreamItem]:
        """What a packet completes, in order. packet: a zero byte and one event, its checksum included."""
        event = self._parse(packet)
        self._counts[event.kind] += 1
        control = self._controls.get(event.kind)
        try:
            return control(event) if control is not None else self._complete(self._change(event))
        except _UNREADABLE as error:
            raise self._unreadable(error, event) from None

    def _parse(self, packet: bytes) -> Event:
        if len(packet) <= HEADER_SIZE:
            raise StreamStopped("read the binlog", str(self._position), reason="an event without a header")
        describes = events.kind_of(packet, 1) == events.FORMAT_DESCRIPTION
        if describes:
            self._checksum = self._has_checksums(packet)
        checksum = self._checksum
        if checksum is None:
            checksum = events.has_valid_checksum(packet, 1)
        elif checksum and not events.has_valid_checksum(packet, 1):
            raise StreamStopped("read the binlog", str(self._position), reason="an event's checksum is wrong")
        end = len(packet) - (events.CHECKSUM_SIZE if checksum or describes else 0)
        return events.read_event(packet, 1, end)

    def _has_checksums(self, packet: bytes) -> bool:
        """Whether the events that follow this FORMAT_DESCRIPTION event end with a checksum."""
        algorithm = events.checksum_algorithm(packet)
        if algorithm not in (events.CHECKSUM_NONE, events.CHECKSUM_CRC32):
            raise self._stopped(f"checksum algorithm {algorithm} is not known", events.FORMAT_DESCRIPTION)
        return algorithm == events.CHECKSUM_CRC32

    def _change(self, event: Event) -> Completed:
        """An event that may be part of a transaction."""
        change = self._changes.get(event.kind)
        if change is not None:
            return change(event)
        if event.kind not in events.HARMLESS:
            raise self._refused(event.kind)
        return []

    def _refused(self, kind: int) -> StreamStopped:
        if kind in events.REFUSED:
            return self._stopped(events.REFUSED[kind], kind)
        return self._stopped(f"an event of unknown type {kind}", kind, unknown=True)

    def _stopped(self, reason: str, kind: int, *, unknown: bool = False) -> StreamStopped:
        return StreamStopped(
            "read the binlog",
            str(self._position),
            reason=f"{reason} (event type {kind}, server {self._server.version_text})",
            hint="After mending it, run `rowferry resync --all`",
            unknown_event=kind if unknown else None,
        )

    def _unreadable(self, error: ValueError, event: Event) -> StreamStopped:
        """Bytes that are not what they should be; none of them is told."""
        what = "names that are not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        return self._stopped(f"an event that cannot be read: {what}", event.kind)

    def _payload(self, event: Event) -> Completed:
        """A whole transaction, compressed; it ends where this event does. Nothing leaves before the end."""
        done: Completed = []
        for data in inner_events(event.data, event.start, event.end):
            if done:
                raise PayloadError("it goes on after the end of its transaction")
            done = self._inside(replace(events.read_event(data, 0, len(data)), log_pos=event.log_pos))
        if not done or self._assembler.open:
            raise self._stopped("a compressed transaction without its end", event.kind)
        return done

    def _inside(self, event: Event) -> Completed:
        self._counts[event.kind] += 1
        if event.kind in events.NEVER_INSIDE_PAYLOAD:
            raise self._stopped("an event that has no place in a compressed transaction", event.kind)
        try:
            return self._change(event)
        except _UNREADABLE as error:
            raise self._unreadable(error, event) from None

    def _rows(self, event: Event) -> Completed:
        data, end = event.data, event.end
        header = parse_rows_header(event.kind, data, event.start)
        start = header.start
        event.require(start - event.start)
        if event.kind in events.COMPRESSED_ROWS:
            data = uncompressed_record(data, start, end)
            start, end = 0, len(data)
        layout = self._tables.get(header.table_id)
        if layout is not None:
            self._assembler.rows(RowEvent(layout, header.kind, data, start, end, header.complete))
            failpoints.hit("after-read")
        elif end > start:
            raise StreamStopped("read the binlog", str(self._position), reason="rows without a table map")
        return []

    def _table_map(self, event: Event) -> Completed:
        table_id = int.from_bytes(event.data[event.start : event.start + 6], "little")
        body = event.data[event.start + 8 : event.end]
        layout = self._layouts.get(body)
        if layout is None:
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[body] = self._parse_table_map(event)
        self._tables[table_id] = layout
        return []

    def _parse_table_map(self, event: Event) -> TableLayout:
        try:
            parsed = parse_table_map(event.data, event.start, event.end, self._server.is_mariadb)
        except DecodeError as error:
            problem = f"{error} (server {self._server.version_text})"
            return TableLayout(table_of(event.data, event.start, event.end), (), problem)
        return TableLayout(parsed.table, parsed.columns, writer=self._writer)

    def _xid(self, event: Event) -> Completed:
        return self._assembler.xid(self._end_of(event), event.timestamp * 1_000_000)

    def _query(self, event: Event) -> Completed:
        query = events.read_query(event)
        end = self._end_of(event)
        return self._assembler.statement(query.text, query.database, end, event.timestamp * 1_000_000)

    def _complete(self, items: Completed) -> list[StreamItem]:
        """Hand out what ended together; only the last of it ends where the next transaction begins."""
        if not items:
            return []
        before = [replace(item, end=self._position) for item in items[:-1]]
        self._position = items[-1].end
        self._pending_gtid = None
        return [*before, items[-1]]

    def _end_of(self, event: Event) -> BinlogPosition:
        position = self._position
        gtid_set = position.gtid_set
        if self._pending_gtid is not None:
            if self._server.is_mariadb:
                known = gtid_set if isinstance(gtid_set, MariadbGtidSet) else MariadbGtidSet()
                gtid_set = known.add(*self._pending_gtid)
            else:
                executed = gtid_set if isinstance(gtid_set, MysqlGtidSet) else MysqlGtidSet()
                gtid_set = executed.add(*self._pending_gtid)
        offset = widen_offset(position.offset, event.log_pos) if event.log_pos else position.offset
        return BinlogPosition(position.file, offset, gtid_set, self._server.identity)

    def _mysql_gtid(self, event: Event) -> list[StreamItem]:
        gtid = events.read_mysql_gtid(event)
        self._pending_gtid = None
        name = ""
        if event.kind == events.GTID:
            self._pending_gtid = (gtid.uuid, gtid.number)
            name = f"{gtid.uuid}:{gtid.number}"
        self._assembler.start(name, gtid.commit_time_us, explicit=False)
        return []

    def _mariadb_gtid(self, event: Event) -> list[StreamItem]:
        gtid = events.read_mariadb_gtid(event)
        if gtid.xa:
            raise self._refused(events.XA_PREPARE)
        self._pending_gtid = (gtid.domain, gtid.server, gtid.sequence)
        name = f"{gtid.domain}-{gtid.server}-{gtid.sequence}"
        self._assembler.start(name, 0, explicit=gtid.explicit)
        return []

    def _heartbeat(self, event: Event) -> list[StreamItem]:
        file = events.read_heartbeat(event)
        if not self._assembler.open and event.log_pos and file == self._position.file:
            offset = widen_offset(self._position.offset & ~0xFFFFFFFF, event.log_pos)
            if offset > self._position.offset:
                self._position = replace(self._position, offset=offset)
        return [Heartbeat(self._position)]

    def _rotate(self, event: Event) -> list[StreamItem]:
        file, offset = events.read_rotate(event)
        if file != self._position.file or event.timestamp:
            self._tables = {}
        if file != self._position.file:
            self._position = replace(self._position, file=file, offset=offset)
        return []

    def _format_description(self, event: Event) -> list[StreamItem]:
        """A new file: what was open was never committed; the server may be another version now."""
        self._assembler.discard()
        writer = events.server_version(event)
        if writer != self._writer:
            self._writer, self._layouts = writer, {}
        return []
