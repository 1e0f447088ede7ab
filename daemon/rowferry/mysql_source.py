"""Connections to the source, and what the server says of itself: family, identity, binlog head.

The only place that opens ordinary (not replication) connections to MySQL or MariaDB. Every session
runs in UTC, with an empty sql_mode, and gets text in each column's own character set.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Never

import pymysql
from pymysql.connections import Connection

from rowferry.errors import (
    ConfigurationError,
    RowferryError,
    SchemaMoved,
    SelectTooLong,
    StreamStopped,
    TableStopped,
    Unreachable,
)
from rowferry.position import BinlogPosition, GtidSet, MariadbGtidSet, MysqlGtidSet
from rowferry.settings import SourceSettings

NET_TIMEOUT_SECONDS: Final = 3600
_MAX_HEAD_READINGS: Final = 1_000
_SESSION: Final = f"SET time_zone='+00:00', sql_mode='', net_write_timeout={NET_TIMEOUT_SECONDS}"
_COPY_SESSION: Final = (
    "SET /*M!100304 system_versioning_asof = DEFAULT, */"  # no old versions
    " character_set_results = NULL, sql_mode = 'ALLOW_INVALID_DATES'"  # else MySQL compares no 2024-02-31
)
_ACCESS_DENIED: Final = frozenset({1044, 1045, 1142, 1143, 1227, 1370, 1698})
_WHO: Final = frozenset({1045, 1698})
_GRANT: Final = "`rowferry check` prints the GRANT"
_NO_DATABASE: Final = 1049
_SCHEMA_MOVED: Final = frozenset({1054, 1146, 1176, 1300, 1412, 1525, 3854})
"""No such column, table or index; or a key of before can be none of the column's type or character set."""
_TOO_LONG: Final = frozenset({1969, 3024})
_UNREADABLE: Final = frozenset({1030, 1033, 1034, 1035, 1194, 1195, 1812, 1932})

SourceErrors: Final = (pymysql.MySQLError, OSError)


def connection_arguments(settings: SourceSettings) -> dict[str, Any]:
    """Keyword arguments for pymysql that reach the source. They hold the password: never log them."""
    arguments: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "user": settings.user,
        "password": settings.secret,
        "charset": "utf8mb4",
        "connect_timeout": settings.connect_timeout_seconds,
        "autocommit": True,
        "init_command": _SESSION,
    }
    return {**arguments, **_tls_arguments(settings)}


def _tls_arguments(settings: SourceSettings) -> dict[str, Any]:
    tls = settings.tls
    mode = tls.mode or ("verify-identity" if tls.ca else None)
    if mode is None:
        return {}
    if mode == "disabled":
        return {"ssl_disabled": True}
    return {
        "ssl": {"check_hostname": mode == "verify-identity"},
        "ssl_ca": str(tls.ca) if tls.ca else None,
        "ssl_cert": str(tls.cert) if tls.cert else None,
        "ssl_key": str(tls.key) if tls.key else None,
        "ssl_verify_cert": mode != "required",
        "ssl_verify_identity": mode == "verify-identity",
    }


def connect(settings: SourceSettings, **extra: Any) -> Connection[Any]:
    """An ordinary session. Raises Unreachable, or ConfigurationError if the account is refused."""
    arguments = {**connection_arguments(settings), "read_timeout": 60, "write_timeout": 60, **extra}
    try:
        return pymysql.connect(**arguments)
    except SourceErrors as error:
        raise translate(error, "connect to the source", address(settings)) from None


def connect_for_copy(settings: SourceSettings) -> Connection[Any]:
    """A session whose rows arrive as bytes, text in each column's own character set."""
    connection = connect(settings, use_unicode=False, conv={}, database=settings.database)
    query(connection, _COPY_SESSION)
    return connection


def address(settings: SourceSettings) -> str:
    """`user@host:port`, for messages."""
    return f"{settings.user}@{settings.host}:{settings.port}"


def translate(error: Exception, operation: str, obj: str) -> RowferryError:
    """One of our errors for one of pymysql's, without any value of a row."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if code in _ACCESS_DENIED:
        hint = "Mend the user or password in source.url, source.password" if code in _WHO else _GRANT
        return ConfigurationError(operation, obj, reason=f"access denied (error {code})", hint=hint)
    if code == _NO_DATABASE:
        return ConfigurationError(operation, obj, reason="there is no such database", hint="Mend source.url")
    if code in _SCHEMA_MOVED:
        return SchemaMoved(operation, obj, reason=f"the table has changed (error {code})")
    if code in _TOO_LONG:
        return SelectTooLong(operation, obj, reason=f"it took longer than it may (error {code})")
    if code in _UNREADABLE:
        return TableStopped(operation, obj, reason=f"the source cannot read the table (error {code})")
    if isinstance(error, pymysql.ProgrammingError | pymysql.NotSupportedError):
        return StreamStopped(operation, obj, reason=f"the server refused a statement (error {code})")
    reason = "timed out" if isinstance(error, TimeoutError) else _reason(error, code)
    return Unreachable("source", operation, obj, reason=reason)


def _reason(error: Exception, code: int) -> str:
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, socket.gaierror):
        return "the host name is not known"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def query(connection: Connection[Any], sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of a statement. Raises what `translate` makes of a failure."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, tuple(parameters) or None)
            return list(cursor.fetchall())
    except SourceErrors as error:
        raise translate(error, "query the source", "") from None


def raise_server_error(packet: bytes) -> Never:
    """Raise one of SourceErrors for the payload of an error packet."""
    pymysql.err.raise_mysql_exception(packet)


@dataclass(frozen=True, slots=True)
class SourceServer:
    """What a server says of itself. version: its three numbers. identity: see BinlogPosition."""

    flavor: str
    version: tuple[int, ...]
    version_text: str
    identity: str
    server_id: int
    gtid: bool

    @property
    def is_mariadb(self) -> bool:
        """Whether it is MariaDB."""
        return self.flavor == "mariadb"


def describe_server(connection: Connection[Any]) -> SourceServer:
    """Ask the server who it is."""
    [(text, server_id)] = query(connection, "SELECT VERSION(), @@server_id")
    mariadb = "mariadb" in text.lower()
    numbers = text.split("-")[1] if text.startswith("5.5.5-") else text.split("-")[0]
    version = tuple(int(n) for n in numbers.split(".") if n.isdigit())
    if mariadb:
        return SourceServer("mariadb", version, text, str(server_id), server_id, gtid=True)
    [(uuid, mode)] = query(connection, "SELECT @@server_uuid, @@gtid_mode")
    return SourceServer("mysql", version, text, uuid, server_id, gtid=str(mode).upper() == "ON")


def head_position(connection: Connection[Any], server: SourceServer) -> BinlogPosition:
    """The end of the server's binlog now. Raises StreamStopped if the server writes no binlog.

    MariaDB before 11 cannot tell the GTIDs at a place behind an event larger than max_allowed_packet
    (BINLOG_GTID_POS is NULL); then they are asked for at a moment in which the end does not move.
    """
    for _ in range(_MAX_HEAD_READINGS):
        position = _head_position(connection, server)
        if position is not None:
            return position
    raise Unreachable(
        "source", "read the binlog position", reason="the binlog grows faster than its GTIDs can be read"
    )


def _head_position(connection: Connection[Any], server: SourceServer) -> BinlogPosition | None:
    rows = _binlog_status(connection, server)
    if not rows:
        raise StreamStopped(
            "read the binlog position",
            reason="the source writes no binlog",
            hint="`rowferry check` prints the settings to change",
        )
    file, offset = rows[0][0], int(rows[0][1])
    gtid_set: GtidSet | None = None
    if server.is_mariadb:
        [(text, now)] = query(
            connection, "SELECT BINLOG_GTID_POS(%s, %s), @@GLOBAL.gtid_binlog_pos", (file, offset)
        )
        if text is None and _binlog_status(connection, server)[0][:2] != rows[0][:2]:
            return None
        gtid_set = MariadbGtidSet.parse(now if text is None else text)
    elif server.gtid:
        gtid_set = _mysql_gtid_set(rows[0][4])
    return BinlogPosition(file, offset, gtid_set, server.identity)


def binlog_filters(connection: Connection[Any], server: SourceServer) -> tuple[list[str], list[str]]:
    """The databases that the binlog is limited to, and those that it leaves out."""
    rows = _binlog_status(connection, server)
    found = [
        [name for name in str(text or "").split(",") if name] for text in (rows[0][2:4] if rows else ("", ""))
    ]
    return found[0], found[1]


def _binlog_status(connection: Connection[Any], server: SourceServer) -> list[tuple[Any, ...]]:
    modern = not server.is_mariadb and server.version >= (8, 2)
    return query(connection, "SHOW BINARY LOG STATUS" if modern else "SHOW MASTER STATUS")


def executed_gtid_set(connection: Connection[Any]) -> MysqlGtidSet:
    """MySQL's @@gtid_executed: every transaction that a SELECT from now on sees."""
    [(text,)] = query(connection, "SELECT @@GLOBAL.gtid_executed")
    return _mysql_gtid_set(text)


def _mysql_gtid_set(text: str | bytes) -> MysqlGtidSet:
    try:
        return MysqlGtidSet.parse(text.decode() if isinstance(text, bytes) else str(text))
    except ValueError:
        raise StreamStopped(
            "read the GTID set", reason="the source has tagged GTIDs, which are not supported yet"
        ) from None


def purged_gtid_set(connection: Connection[Any]) -> MysqlGtidSet:
    """MySQL's @@gtid_purged: transactions that its binlog no longer holds."""
    [(text,)] = query(connection, "SELECT @@GLOBAL.gtid_purged")
    return _mysql_gtid_set(text)


def global_variables(connection: Connection[Any], names: Sequence[str]) -> dict[str, str]:
    """The server's global settings among `names` that it has, by their names in small letters."""
    marks = ", ".join(["%s"] * len(names))
    rows = query(connection, f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({marks})", names)
    return {str(name).lower(): str(value) for name, value in rows}


def clock_us(connection: Connection[Any]) -> int:
    """The source's clock, in microseconds since the epoch."""
    [(value,)] = query(connection, "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)")
    return int(value)
