"""Asks the source for its binlog files: how much is still to be read, and how long it will be kept.

Needs no right beyond those of replication. When a file was begun, and when it was changed last, is told by
its first and its last event, which short binlog dumps bring; with server id 0, so that they disturb no
replica.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.binlog_events import CHECKSUM_SIZE, FORMAT_DESCRIPTION, ROTATE, kind_of
from rowferry.mysql_source import SourceErrors, connect, global_variables, query
from rowferry.payload import HEADER_SIZE
from rowferry.position import BinlogPosition
from rowferry.retention import (
    VARIABLES,
    BinlogFile,
    Retention,
    backlog_bytes,
    headroom_seconds,
    read_retention,
)
from rowferry.settings import SourceSettings

PERIOD_SECONDS: Final = 30.0
_DUMP: Final = 0x12
_FIRST: Final = 4
_STOP: Final = 3
_ROTATE_FIXED: Final = 8
_NO_WAIT: Final = 1
_TIMEOUT_SECONDS: Final = 10
_MAX_PACKETS: Final = 6


class BinlogFiles:
    """What the source's files mean for a checkpoint. Not thread-safe.

    backlog_bytes: from the checkpoint to the head.
    """

    def __init__(self, settings: SourceSettings) -> None:
        """Asks nothing yet."""
        self._settings = settings
        self._files: list[BinlogFile] = []
        self._begun: dict[str, float] = {}
        self._changed: dict[str, float] = {}
        self._asked = -math.inf
        self.backlog_bytes = math.nan
        self._headroom_seconds = math.nan

    def headroom_seconds(self) -> float:
        """Seconds until the checkpoint's file may go; taken to shrink from when the source was asked."""
        if not math.isfinite(self._headroom_seconds):
            return self._headroom_seconds
        return max(0.0, self._headroom_seconds - (time.monotonic() - self._asked))

    def look(
        self, control: Connection[Any], position: BinlogPosition, head: BinlogPosition, clock: float
    ) -> None:
        """Ask what is due. position: the checkpoint. clock: the source's, seconds. Raises what queries do."""
        due = time.monotonic() - self._asked >= PERIOD_SECONDS
        if due or not self._files or self._files[-1].name != head.file:
            self._files = list_files(control)
        self.backlog_bytes = backlog_bytes(self._files, position, head)
        if due:
            asked = time.monotonic()
            retention = read_retention(global_variables(control, VARIABLES))
            found = self._headroom(retention, position, head, clock)
            self._asked, self._headroom_seconds = asked, found

    def _headroom(
        self, retention: Retention, position: BinlogPosition, head: BinlogPosition, clock: float
    ) -> float:
        if position.identity != head.identity:
            return math.nan
        listed = {f.name for f in self._files}
        self._begun = {name: at for name, at in self._begun.items() if name in listed}
        self._changed = {name: at for name, at in self._changed.items() if name in listed}
        return headroom_seconds(
            retention, self._files, position.file, clock, self._begun_at, self._changed_at
        )

    def _begun_at(self, file: str) -> float | None:
        if file not in self._begun and (began := begun_at(self._settings, file)) is not None:
            self._begun[file] = began
        return self._begun.get(file)

    def _changed_at(self, file: BinlogFile, following: str) -> float | None:
        """Not before the file was begun, where its end does not tell."""
        if file.name not in self._changed:
            changed = changed_at(self._settings, file, following) or self._begun_at(file.name)
            if changed is not None:
                self._changed[file.name] = changed
        return self._changed.get(file.name)


def list_files(control: Connection[Any]) -> list[BinlogFile]:
    """The files that there are, oldest first."""
    return [BinlogFile(str(row[0]), int(row[1])) for row in query(control, "SHOW BINARY LOGS")]


def begun_at(settings: SourceSettings, file: str) -> float | None:
    """When the server began the file, by its clock in seconds; None if it will not say."""
    return _event_time(settings, file, _FIRST, lambda event: kind_of(event, 1) == FORMAT_DESCRIPTION)


def changed_at(settings: SourceSettings, file: BinlogFile, following: str) -> float | None:
    """When the server wrote the end of a file that `following` follows; None if it has no proper end.

    The end is a ROTATE event, which names the file that follows, or the STOP event of a shutdown. Neither has
    a position that one could look up; so they are looked for where they must begin, with and without a
    checksum. A crash leaves neither. The file that follows is no witness: it was begun by the next start.
    """

    def ends(event: bytes) -> bool:
        log_pos = int.from_bytes(event[14:18], "little")
        return kind_of(event, 1) in (ROTATE, _STOP) and log_pos == file.size & 0xFFFFFFFF

    for body in (len(following.encode()) + _ROTATE_FIXED, 0):
        for checksum in (CHECKSUM_SIZE, 0):
            start = file.size - HEADER_SIZE - body - checksum
            if _FIRST < start <= 0xFFFFFFFF and (found := _event_time(settings, file.name, start, ends)):
                return found
    return None


def _event_time(
    settings: SourceSettings, file: str, offset: int, wanted: Callable[[bytes], bool]
) -> float | None:
    """The time of the first event that is wanted, of those that a dump from there begins with."""
    connection: Any = connect(settings, read_timeout=_TIMEOUT_SECONDS)
    with closing(connection):
        query(connection, "SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE'")
        try:
            connection._execute_command(_DUMP, struct.pack("<IHI", offset, _NO_WAIT, 0) + file.encode())
            for _ in range(_MAX_PACKETS):
                event: bytes = connection._read_packet()._data
                if event[0] != 0:
                    return None
                if wanted(event):
                    return float(int.from_bytes(event[1:5], "little"))
        except SourceErrors:
            return None
    return None
