"""The binlog's events as bytes: which kinds there are and what becomes of each, their header, small bodies.

Pure. Every kind that a server of the supported families has a name for is in exactly one of `READ`,
`HARMLESS` and `REFUSED`; any other number is unknown, whatever its flags say. Sources: enum
Log_event_type in MySQL's libs/mysql/binlog/event/binlog_event.h and in MariaDB's sql/log_event.h,
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html and
https://mariadb.com/kb/en/2-binlog-event-header/.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from rowferry.payload import HEADER_SIZE, uncompressed_record

QUERY: Final = 2
ROTATE: Final = 4
FORMAT_DESCRIPTION: Final = 15
XID: Final = 16
TABLE_MAP: Final = 19
HEARTBEAT: Final = 27
GTID: Final = 33
ANONYMOUS_GTID: Final = 34
XA_PREPARE: Final = 38
TRANSACTION_PAYLOAD: Final = 40
MARIADB_GTID: Final = 162
QUERY_COMPRESSED: Final = 165
PLAIN_ROWS: Final = frozenset({23, 24, 25, 30, 31, 32})
COMPRESSED_ROWS: Final = frozenset(range(166, 172))
READ: Final = (
    frozenset({QUERY, ROTATE, FORMAT_DESCRIPTION, XID, TABLE_MAP, HEARTBEAT, GTID, ANONYMOUS_GTID})
    | {TRANSACTION_PAYLOAD, MARIADB_GTID, QUERY_COMPRESSED}
    | PLAIN_ROWS
    | COMPRESSED_ROWS
)
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
_LOAD_DATA: Final = "a LOAD DATA logged as a statement; set binlog_format=ROW"
_TOO_OLD: Final = "an event of a server older than MySQL 5.1"
REFUSED: Final = {
    **dict.fromkeys((1, 6, 7, 8, 10, 12, 20, 21, 22), _TOO_OLD),
    **dict.fromkeys((9, 11, 17, 18), _LOAD_DATA),
    26: "an INCIDENT: the source says that changes are missing from its binlog",
    XA_PREPARE: "an XA transaction, which is not supported yet",
    39: "a partial JSON update; set binlog_row_value_options=''",
    41: "a heartbeat of version 2, which was not asked for",
    42: "a tagged GTID, which is not supported yet",
    172: "a row event in parts; raise binlog_row_event_fragment_threshold",
}
NEVER_INSIDE_PAYLOAD: Final = (READ | HARMLESS.keys()) - (
    frozenset({QUERY, XID, TABLE_MAP, 5, 13, 14, 28, 29}) | PLAIN_ROWS
)
"""The kinds that a compressed transaction never holds, though they are known outside of one."""

CHECKSUM_NONE, CHECKSUM_CRC32 = 0, 1
CHECKSUM_SIZE: Final = 4
_HEADER: Final = struct.Struct("<IBIIIH")


class EventError(ValueError):
    """A body that is too short for its kind; the message holds no content."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its header's fields, and where in `data` its body is, without a checksum.

    timestamp: seconds since the epoch. log_pos: the low 32 bits of its end's offset in the file, 0 where
    the server does not say.
    """

    kind: int
    timestamp: int
    server_id: int
    log_pos: int
    data: bytes
    start: int
    end: int

    def require(self, size: int) -> None:
        """Raise EventError if the body has fewer bytes."""
        if self.end - self.start < size:
            raise EventError("it ends early")


def kind_of(data: bytes, at: int) -> int:
    """The kind of the event whose header begins at data[at]."""
    return data[at + 4]


def read_event(data: bytes, at: int, end: int) -> Event:
    """The event whose header begins at data[at] and whose body ends at data[end]."""
    timestamp, kind, server_id, _, log_pos, _ = _HEADER.unpack_from(data, at)
    return Event(kind, timestamp, server_id, log_pos, data, at + HEADER_SIZE, end)


def server_version(event: Event) -> str:
    """The version of the server that wrote a FORMAT_DESCRIPTION event: 50 bytes, padded with zeros."""
    return event.data[event.start + 2 : event.start + 52].rstrip(b"\0").decode("ascii", "replace")


def has_valid_checksum(data: bytes, at: int) -> bool:
    """Whether the last four bytes are the CRC-32 of those from data[at] on."""
    view = memoryview(data)
    return zlib.crc32(view[at:-CHECKSUM_SIZE]) == int.from_bytes(view[-CHECKSUM_SIZE:], "little")


def checksum_algorithm(data: bytes) -> int:
    """What a FORMAT_DESCRIPTION event, which ends with data, says of all that follow it."""
    return data[-CHECKSUM_SIZE - 1]


_QUERY_FIELDS: Final = 13
_GTID_FIELDS: Final = 25
_MARIADB_GTID_FIELDS: Final = 13
_ROTATE_FIELDS: Final = 8


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and the session's default database."""

    text: str
    database: str


def read_query(event: Event) -> Query:
    """The body of a QUERY event, or of MariaDB's compressed one.

    Fixed fields, status variables, database, a zero byte, text; only the text is ever compressed. Raises
    EventError where it is cut short, PayloadError where the compressed text is damaged.
    """
    event.require(_QUERY_FIELDS)
    data, start = event.data, event.start
    variables_length = int.from_bytes(data[start + 11 : start + 13], "little")
    schema = start + _QUERY_FIELDS + variables_length
    text_at = schema + data[start + 8] + 1
    event.require(text_at - start)
    text = data[text_at : event.end]
    if event.kind == QUERY_COMPRESSED:
        text = uncompressed_record(data, text_at, event.end)
    database = data[schema : text_at - 1].decode("utf-8", "replace")
    return Query(text.decode("utf-8", "replace"), database)


@dataclass(frozen=True, slots=True)
class MysqlGtid:
    """uuid and number of a transaction; commit_time_us: microseconds since the epoch, 0 if not said."""

    uuid: str
    number: int
    commit_time_us: int


def read_mysql_gtid(event: Event) -> MysqlGtid:
    """The body of a GTID or ANONYMOUS_GTID event. Raises EventError where it is cut short."""
    event.require(_GTID_FIELDS)
    body, start = event.data, event.start
    number = int.from_bytes(body[start + 17 : start + 25], "little")
    return MysqlGtid(_uuid_text(body[start + 1 : start + 17]), number, _commit_time_us(event))


def _commit_time_us(event: Event) -> int:
    offset = event.start + 42
    if event.end < offset + 7:
        return 0
    return int.from_bytes(event.data[offset : offset + 7], "little") & ~(1 << 55)


def _uuid_text(raw: bytes) -> str:
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


_MARIADB_STANDALONE: Final = 1
_MARIADB_XA: Final = 0x40 | 0x80


@dataclass(frozen=True, slots=True)
class MariadbGtid:
    """explicit: an end event follows (no FL_STANDALONE). xa: a part of an XA transaction."""

    domain: int
    server: int
    sequence: int
    explicit: bool
    xa: bool


def read_mariadb_gtid(event: Event) -> MariadbGtid:
    """The body of MariaDB's GTID event (https://mariadb.com/kb/en/gtid_event/). Raises EventError."""
    event.require(_MARIADB_GTID_FIELDS)
    sequence, domain, flags = struct.unpack_from("<QIB", event.data, event.start)
    return MariadbGtid(
        domain, event.server_id, sequence, not flags & _MARIADB_STANDALONE, bool(flags & _MARIADB_XA)
    )


def read_rotate(event: Event) -> tuple[str, int]:
    """The file that follows and the offset in it, of a ROTATE event. Raises EventError."""
    event.require(_ROTATE_FIELDS)
    offset = int.from_bytes(event.data[event.start : event.start + _ROTATE_FIELDS], "little")
    return _file_name(event.data[event.start + _ROTATE_FIELDS : event.end]), offset


def read_heartbeat(event: Event) -> str:
    """The file that a HEARTBEAT event is about. Raises EventError."""
    return _file_name(event.data[event.start : event.end])


def _file_name(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise EventError("it names a file in another encoding than UTF-8") from None
