"""Binlog events made byte by byte, for the tests of this folder."""

from __future__ import annotations

import struct
import zlib

import zstandard

from rowferry.binlog_events import (
    FORMAT_DESCRIPTION,
    GTID,
    MARIADB_GTID,
    QUERY,
    QUERY_COMPRESSED,
    TABLE_MAP,
    TRANSACTION_PAYLOAD,
    XID,
)
from rowferry.mysql_source import SourceServer

MYSQL = SourceServer("mysql", (9, 7, 4), "9.7.4-test", "server", 7, gtid=True)
MARIADB = SourceServer("mariadb", (11, 8, 6), "11.8.6-MariaDB-test", "7", 7, gtid=True)
UUID = "01020304-0506-0708-090a-0b0c0d0e0f10"
TABLE_NUMBER = 77
WRITE_ROWS_V1, WRITE_ROWS_V2 = 23, 30
BODY = struct.pack("<IHH", TABLE_NUMBER, 0, 1)


def event(kind: int, body: bytes = b"", *, log_pos: int = 0, timestamp: int = 1_700_000_000) -> bytes:
    """Header and body, as they stand in a compressed transaction."""
    return struct.pack("<IBIIIH", timestamp, kind, 7, 19 + len(body), log_pos, 0) + body


def packet(content: bytes, *, checksum: bool = True) -> bytes:
    """An event as the server sends it: a zero byte in front, and its checksum behind."""
    tail = struct.pack("<I", zlib.crc32(content)) if checksum else b""
    return b"\0" + content + tail


def format_description(algorithm: int = 1) -> bytes:
    """The packet that says which checksum the others have."""
    content = event(FORMAT_DESCRIPTION, bytes(80) + bytes([algorithm]))
    return packet(content)


def gtid(number: int, log_pos: int = 0) -> bytes:
    """MySQL's, with a commit time of 5 microseconds."""
    raw = bytes.fromhex(UUID.replace("-", ""))
    body = b"\x01" + raw + number.to_bytes(8, "little") + bytes(17) + (5).to_bytes(7, "little")
    return event(GTID, body, log_pos=log_pos)


def mariadb_gtid(number: int, flags: int = 0) -> bytes:
    """MariaDB's, of domain 0."""
    return event(MARIADB_GTID, struct.pack("<QIB", number, 0, flags) + bytes(6))


def query(text: str | bytes, *, kind: int = QUERY, log_pos: int = 0) -> bytes:
    """A statement in the database `clinic`; five bytes of status variables."""
    body = struct.pack("<IIBHH", 1, 0, 6, 0, 5) + b"\0\0\0\0\0" + b"clinic\0"
    return event(kind, body + (text.encode() if isinstance(text, str) else text), log_pos=log_pos)


def compressed_query(text: str, log_pos: int = 0) -> bytes:
    """The same as MariaDB compresses it."""
    return query(record(text.encode()), kind=QUERY_COMPRESSED, log_pos=log_pos)


def table_map() -> bytes:
    """Of `clinic.patient (id INT)`."""
    body = BODY[:6] + b"\1\0" + b"\6clinic\0" + b"\7patient\0" + b"\1\3\0\0"
    return event(TABLE_MAP, body + b"\4\3\2id")


def rows(*values: int, kind: int = WRITE_ROWS_V2, extra: bytes = b"") -> bytes:
    """Inserted rows. extra: what stands between header and images and is skipped by its length."""
    return event(kind, rows_header(kind, extra) + images(*values))


def rows_header(kind: int, extra: bytes = b"") -> bytes:
    """What precedes the images."""
    between = struct.pack("<H", 2 + len(extra)) + extra if kind >= WRITE_ROWS_V2 else b""
    return BODY + between + b"\1\xff"


def images(*values: int) -> bytes:
    """Rows of one INT."""
    return b"".join(b"\xfe" + struct.pack("<i", value) for value in values)


def xid(log_pos: int = 0) -> bytes:
    """The commit."""
    return event(XID, bytes(8), log_pos=log_pos)


def field(kind: int, value: int) -> bytes:
    """A field of a compressed transaction's header, its value eight bytes wide."""
    return bytes([kind, 9, 0xFE]) + value.to_bytes(8, "little")


def payload_body(content: bytes, said: int | None = None) -> bytes:
    """The body of a compressed transaction. said: another uncompressed size than is true."""
    packed = zstandard.ZstdCompressor().compress(content)
    size = len(content) if said is None else said
    return field(2, 0) + field(3, size) + field(1, len(packed)) + b"\0" + packed


def payload(*inner: bytes, log_pos: int = 0) -> bytes:
    """A compressed transaction of these events."""
    return event(TRANSACTION_PAYLOAD, payload_body(b"".join(inner)), log_pos=log_pos)


def record(content: bytes, said: int | None = None) -> bytes:
    """A compressed record of MariaDB. said: another length than is true."""
    size = len(content) if said is None else said
    width = max(1, (size.bit_length() + 7) // 8)
    return bytes([0x80 | width]) + size.to_bytes(width, "big") + zlib.compress(content)
