"""The binlog as a stream of whole transactions: the only importer of pymysqlreplication.

The library connects and asks for the binlog. Packets are taken from its connection, and events are read by
`dispatch` and what that uses, so that nothing is skipped in silence, a lost connection ends the stream (the
library would reconnect by itself from its first position), tables whose metadata the library cannot read
harm nobody, and rows stay undecoded bytes.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Final

import pymysql
from pymysqlreplication import BinLogStreamReader

from rowferry.dispatch import EventDispatcher, StreamItem
from rowferry.errors import PositionLost, StreamStopped, Unreachable
from rowferry.mysql_source import SourceErrors, SourceServer, address, connection_arguments
from rowferry.position import BinlogPosition
from rowferry.settings import SourceSettings
from rowferry.table_schema import TableId

_POSITION_LOST: Final = 1236


class BinlogReader:
    """One replication connection, from one position on. It never reconnects by itself."""

    def __init__(
        self,
        settings: SourceSettings,
        server: SourceServer,
        server_id: int,
        start: BinlogPosition,
        is_transactional: Callable[[TableId], bool],
        counts: list[int] | None = None,
    ) -> None:
        """server_id: this replica's own. start: the end of the last transaction applied.

        counts: of events read, by type number, 0 to 255; counted up while reading.
        """
        self._settings = settings
        self._server = server
        self._dispatcher = EventDispatcher(server, start, is_transactional, counts)
        self._reader = self._open(server_id, start)

    @property
    def position(self) -> BinlogPosition:
        """The end of the last whole transaction that was read."""
        return self._dispatcher.position

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
            yield from self._dispatcher.read(self._next_packet())

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
        where = str(self.position)
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

    def _next_packet(self) -> bytes:
        """The next packet that holds an event."""
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
            raise StreamStopped("read the binlog", str(self.position), reason="an unknown packet")
        return data
