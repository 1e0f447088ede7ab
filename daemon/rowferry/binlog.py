"""The binlog as a stream of whole transactions: the only importer of pymysqlreplication.

The library connects and asks for the binlog. Packets are taken from its connection, and events are read
here and in `table_map` and `decode`, so that nothing is skipped in silence, a lost connection ends the
stream (the library would reconnect by itself from its first position), tables whose metadata the
library cannot read harm nobody, and rows stay undecoded bytes. Formats:
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html and
https://mariadb.com/kb/en/2-binlog-event-header/.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import pymysql
from pymysqlreplication import BinLogStreamReader

from rowferry import failpoints
from rowferry.changes import Heartbeat, RowEvent, SchemaChange, TableLayout, Transaction
from rowferry.decode import DecodeError, parse_rows_header
from rowferry.errors import PositionLost, StreamStopped, Unreachable
from rowferry.mysql_source import SourceErrors, SourceServer, address, connection_arguments
from rowferry.position import BinlogPosition, MariadbGtidSet, MysqlGtidSet, widen_offset
from rowferry.settings import SourceSettings
from rowferry.table_map import parse_table_map, table_of
from rowferry.table_schema import TableId
from rowferry.transaction import TransactionAssembler

QUERY: Final = 2
ROTATE: Final = 4
FORMAT_DESCRIPTION: Final = 15
XID: Final = 16
TABLE_MAP: Final = 19
HEARTBEAT: Final = 27
GTID: Final = 33
ANONYMOUS_GTID: Final = 34
MARIADB_GTID: Final = 162
ROW_EVENTS: Final = frozenset({23, 24, 25, 30, 31, 32})
HARMLESS: Final = {
    3: "STOP",
    5: "INTVAR",
    13: "RAND",
    14: "USER_VAR",
    28: "IGNORABLE",
    29: "ROWS_QUERY",
    35: "PREVIOUS_GTIDS",
    36: "TRANSACTION_CONTEXT",
    37: "VIEW_CHANGE",
    160: "ANNOTATE_ROWS",
    161: "BINLOG_CHECKPOINT",
    163: "GTID_LIST",
    164: "START_ENCRYPTION",
}
REFUSED: Final = {
    9: "a LOAD DATA logged as a statement; set binlog_format=ROW",
    17: "a LOAD DATA logged as a statement; set binlog_format=ROW",
    18: "a LOAD DATA logged as a statement; set binlog_format=ROW",
    26: "an INCIDENT: the source says that changes are missing from its binlog",
    38: "an XA transaction, which is not supported yet",
    39: "a partial JSON update; set binlog_row_value_options=''",
    40: "a compressed transaction; set binlog_transaction_compression=OFF",
    42: "a tagged GTID, which is not supported yet",
    **dict.fromkeys(range(165, 172), "a compressed event; set log_bin_compress=OFF"),
}
_HEADER: Final = struct.Struct("<IBIIIH")
_HEADER_SIZE: Final = 19
_POSITION_LOST: Final = 1236
_MAX_LAYOUTS: Final = 20_000
_MARIADB_STANDALONE: Final = 1
_MARIADB_XA: Final = 0x40 | 0x80

StreamItem = Transaction | SchemaChange | Heartbeat


@dataclass(frozen=True, slots=True)
class _Event:
    kind: int
    timestamp: int
    server_id: int
    log_pos: int
    data: bytes
    start: int
    end: int


class BinlogReader:
    """One replication connection, from one position on. It never reconnects by itself."""

    def __init__(
        self,
        settings: SourceSettings,
        server: SourceServer,
        server_id: int,
        start: BinlogPosition,
        is_transactional: Callable[[TableId], bool],
    ) -> None:
        """server_id: this replica's own. start: the end of the last transaction applied."""
        self._settings = settings
        self._server = server
        self._position = start
        self._assembler = TransactionAssembler(is_transactional)
        self._layouts: dict[bytes, TableLayout] = {}
        self._tables: dict[int, TableLayout] = {}
        self._writer = ""
        self._checksum: bool | None = None
        self._pending_gtid: tuple[Any, ...] | None = None
        self._reader = self._open(server_id, start)

    @property
    def position(self) -> BinlogPosition:
        """The end of the last whole transaction that was read."""
        return self._position

    def close(self) -> None:
        """Drop the connection; a read in another thread ends with Unreachable."""
        raw = getattr(self._reader._stream_connection, "_sock", None)
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
        self._reader.close()

    def __iter__(self) -> Iterator[StreamItem]:
        """Transactions in the binlog's order, for ever.

        Raises Unreachable when the connection is lost, PositionLost when the server no longer has
        the position, StreamStopped for anything that cannot be carried exactly.
        """
        while True:
            event = self._next_event()
            if event is not None:
                yield from self._dispatch(event)

    def _open(self, server_id: int, start: BinlogPosition) -> BinLogStreamReader:
        timeout = max(3 * self._settings.heartbeat_seconds, 5)
        arguments = {**connection_arguments(self._settings), "read_timeout": timeout}
        by_gtid = bool(start.gtid_set) and self._server.gtid
        reader = BinLogStreamReader(
            connection_settings=arguments,
            ctl_connection_settings=dict(arguments),
            server_id=server_id,
            blocking=True,
            resume_stream=True,
            log_file=start.file,
            log_pos=start.offset,
            auto_position=str(start.gtid_set) if by_gtid else None,
            is_mariadb=by_gtid and self._server.is_mariadb,
            slave_heartbeat=self._settings.heartbeat_seconds,
            filter_non_implemented_events=False,
            freeze_schema=False,
            enable_logging=False,
        )
        try:
            reader._BinLogStreamReader__connect_to_stream()
        except SourceErrors as error:
            raise self._translate(error) from None
        return reader

    def _translate(self, error: Exception) -> StreamStopped | Unreachable:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        where = str(self._position)
        if code == _POSITION_LOST:
            return self._lost(error, where)
        if isinstance(error, pymysql.ProgrammingError | pymysql.NotSupportedError):
            return StreamStopped("read the binlog", where, reason=f"the server refused (error {code})")
        return Unreachable("source", "read the binlog", address(self._settings), reason="connection lost")

    @staticmethod
    def _lost(error: Exception, where: str) -> StreamStopped | Unreachable:
        message = str(error.args[1]) if len(error.args) > 1 else ""
        if "same server_uuid/server_id" in message or "server_id" in message:
            return StreamStopped(
                "read the binlog",
                where,
                reason="another replica has the same server id",
                hint="Set source.server_id to a number that no other replica uses",
            )
        if "max_allowed_packet" in message:
            return StreamStopped(
                "read the binlog", where, reason="an event is larger than the source's max_allowed_packet"
            )
        return PositionLost(
            "read the binlog",
            where,
            reason="the source no longer has this position",
            hint="Run `rowferry resync --all`",
        )

    def _next_event(self) -> _Event | None:
        try:
            packet = self._reader._stream_connection._read_packet()
        except SourceErrors as error:
            raise self._translate(error) from None
        data: bytes = packet._data
        if data[0] == 0xFE and len(data) < 9:
            raise Unreachable(
                "source", "read the binlog", address(self._settings), reason="the server ended the stream"
            )
        if data[0] != 0:
            raise StreamStopped("read the binlog", str(self._position), reason="an unknown packet")
        return self._parse(data)

    def _parse(self, data: bytes) -> _Event:
        timestamp, kind, server_id, _, log_pos, _ = _HEADER.unpack_from(data, 1)
        checksum = self._checksum
        if kind == FORMAT_DESCRIPTION:
            checksum = self._checksum = data[-5] == 1
            end = len(data) - 5
        elif checksum is None:
            checksum = _has_valid_checksum(data)
        if checksum and not _has_valid_checksum(data):
            raise StreamStopped("read the binlog", str(self._position), reason="an event's checksum is wrong")
        if kind != FORMAT_DESCRIPTION:
            end = len(data) - 4 if checksum else len(data)
        return _Event(kind, timestamp, server_id, log_pos, data, 1 + _HEADER_SIZE, end)

    def _dispatch(self, event: _Event) -> Iterator[StreamItem]:
        kind = event.kind
        if kind in ROW_EVENTS:
            self._rows(event)
        elif kind == TABLE_MAP:
            self._table_map(event)
        elif kind == XID:
            yield from self._complete(self._assembler.xid(self._end_of(event), event.timestamp * 1_000_000))
        elif kind == QUERY:
            yield from self._query(event)
        elif kind in (GTID, ANONYMOUS_GTID, MARIADB_GTID):
            self._gtid(event)
        elif kind == HEARTBEAT:
            yield from self._heartbeat(event)
        elif kind == ROTATE:
            self._rotate(event)
        elif kind == FORMAT_DESCRIPTION:
            self._assembler.discard()
            self._begin_file(event)
        elif kind not in HARMLESS:
            self._refuse(event)

    def _refuse(self, event: _Event) -> None:
        reason = REFUSED.get(event.kind, f"an event of unknown type {event.kind}")
        raise StreamStopped(
            "read the binlog",
            str(self._position),
            reason=f"{reason} (event type {event.kind}, server {self._server.version_text})",
            hint="After mending it, run `rowferry resync --all`",
        )

    def _rows(self, event: _Event) -> None:
        header = parse_rows_header(event.kind, event.data, event.start)
        layout = self._tables.get(header.table_id)
        if layout is None:
            if event.end - header.start <= 0:
                return
            raise StreamStopped("read the binlog", str(self._position), reason="rows without a table map")
        self._assembler.rows(
            RowEvent(layout, header.kind, event.data, header.start, event.end, header.complete)
        )
        failpoints.hit("after-read")

    def _table_map(self, event: _Event) -> None:
        table_id = int.from_bytes(event.data[event.start : event.start + 6], "little")
        body = event.data[event.start + 8 : event.end]
        layout = self._layouts.get(body)
        if layout is None:
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[body] = self._parse_table_map(event)
        self._tables[table_id] = layout

    def _parse_table_map(self, event: _Event) -> TableLayout:
        try:
            parsed = parse_table_map(event.data, event.start, event.end, self._server.is_mariadb)
        except DecodeError as error:
            return TableLayout(table_of(event.data, event.start, event.end), (), str(error))
        return TableLayout(parsed.table, parsed.columns, writer=self._writer)

    def _begin_file(self, event: _Event) -> None:
        """Note the server's version from the file's first event: 50 bytes, padded with zeros."""
        writer = event.data[event.start + 2 : event.start + 52].rstrip(b"\0").decode("ascii", "replace")
        if writer != self._writer:
            self._writer, self._layouts = writer, {}

    def _query(self, event: _Event) -> Iterator[StreamItem]:
        schema_length, variables = event.data[event.start + 8], event.start + 13
        variables_length = int.from_bytes(event.data[event.start + 11 : event.start + 13], "little")
        schema = variables + variables_length
        text = event.data[schema + schema_length + 1 : event.end].decode("utf-8", "replace")
        database = event.data[schema : schema + schema_length].decode("utf-8", "replace")
        end = self._end_of(event)
        yield from self._complete(self._assembler.statement(text, database, end, event.timestamp * 1_000_000))

    def _complete(self, items: list[Transaction | SchemaChange]) -> Iterator[StreamItem]:
        for item in items[:-1]:
            yield replace(item, end=self._position)
        if items:
            self._position = items[-1].end
            self._pending_gtid = None
            yield items[-1]

    def _end_of(self, event: _Event) -> BinlogPosition:
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

    def _gtid(self, event: _Event) -> None:
        body, start = event.data, event.start
        self._pending_gtid = None
        if event.kind == MARIADB_GTID:
            sequence, domain, flags = struct.unpack_from("<QIB", body, start)
            if flags & _MARIADB_XA:
                self._refuse(replace(event, kind=38))
            self._pending_gtid = (domain, event.server_id, sequence)
            explicit = not flags & _MARIADB_STANDALONE
            self._assembler.start(f"{domain}-{event.server_id}-{sequence}", 0, explicit=explicit)
            return
        commit_us = _commit_time_us(event)
        if event.kind == ANONYMOUS_GTID:
            self._assembler.start("", commit_us, explicit=False)
            return
        uuid = _uuid_text(body[start + 1 : start + 17])
        number = int.from_bytes(body[start + 17 : start + 25], "little")
        self._pending_gtid = (uuid, number)
        self._assembler.start(f"{uuid}:{number}", commit_us, explicit=False)

    def _heartbeat(self, event: _Event) -> Iterator[StreamItem]:
        file = event.data[event.start : event.end].decode()
        if not self._assembler.open and event.log_pos and file == self._position.file:
            offset = widen_offset(self._position.offset & ~0xFFFFFFFF, event.log_pos)
            if offset > self._position.offset:
                self._position = replace(self._position, offset=offset)
        yield Heartbeat(self._position)

    def _rotate(self, event: _Event) -> None:
        offset = int.from_bytes(event.data[event.start : event.start + 8], "little")
        file = event.data[event.start + 8 : event.end].decode()
        if file != self._position.file or event.timestamp:
            self._tables = {}
        if file != self._position.file:
            self._position = replace(self._position, file=file, offset=offset)


def _has_valid_checksum(data: bytes) -> bool:
    view = memoryview(data)
    return zlib.crc32(view[1:-4]) == int.from_bytes(view[-4:], "little")


def _commit_time_us(event: _Event) -> int:
    offset = event.start + 42
    if event.end < offset + 7:
        return 0
    return int.from_bytes(event.data[offset : offset + 7], "little") & ~(1 << 55)


def _uuid_text(raw: bytes) -> str:
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
