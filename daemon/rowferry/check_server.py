"""What else the source's server is like: encryption, its clock, room for sessions, other replicas."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.check_source import set_global
from rowferry.errors import RowferryError
from rowferry.findings import FAILURE, FILE, HOST, OK, UNKNOWN, WARNING, Finding, size
from rowferry.mysql_source import SourceServer, clock_us, global_variables, query
from rowferry.setting_groups import LOOPBACK
from rowferry.settings import Settings
from rowferry.startup import derive_server_id

MAX_OFFSET_SECONDS: Final = 1.0
_SPARE_SESSIONS: Final = 4
"""Reader, monitor, checks and a command beside the copies."""
_LEAST_PACKET: Final = 16 << 20


def check_server(control: Connection[Any], server: SourceServer, settings: Settings) -> Iterator[Finding]:
    """Everything about the server that is not its binlog."""
    yield _encryption(control, settings)
    variables = global_variables(control, ("max_connections", "max_allowed_packet"))
    yield _sessions(control, server, settings, int(variables["max_connections"]))
    yield _packet(server, int(variables["max_allowed_packet"]))
    yield _gtid(server)
    yield clock_finding("source clock", _offset(control), "the source")
    yield _replicas(control, server, settings)


def encryption_finding(point: str, cipher: str, host: str, remedy: str) -> Finding:
    """Whether a connection is encrypted, or needs no encryption since it does not leave the machine."""
    if cipher:
        return Finding(point, OK, f"encrypted: {cipher}")
    if host in LOOPBACK or host.startswith("/"):
        return Finding(point, OK, "not encrypted, and it does not leave this machine")
    return Finding(point, WARNING, f"not encrypted: rows travel to {host} in the clear", remedy, where=FILE)


def clock_finding(point: str, offset: float, whose: str) -> Finding:
    """Whether two clocks agree. offset: seconds by which the other one is ahead of this host's."""
    ahead = "ahead of" if offset > 0 else "behind"
    detail = f"{abs(offset):.3f} s {ahead} this host's"
    if abs(offset) <= MAX_OFFSET_SECONDS:
        return Finding(point, OK, detail)
    remedy = f"have {whose} and this host set their clocks by NTP (`timedatectl set-ntp true`)"
    return Finding(point, WARNING, detail, remedy, where=HOST)


def _encryption(control: Connection[Any], settings: Settings) -> Finding:
    rows = query(control, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    remedy = "set source.tls.ca, or source.tls.mode = required, once the server has a certificate"
    cipher = str(rows[0][1]) if rows else ""
    return encryption_finding("source connection", cipher, settings.source.host, remedy)


def _sessions(control: Connection[Any], server: SourceServer, settings: Settings, most: int) -> Finding:
    [(_, used)] = query(control, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")
    [(of_account,)] = query(control, "SELECT @@SESSION.max_user_connections")
    needed = settings.copying.parallel + _SPARE_SESSIONS
    detail = f"{used} of {most} are in use; Rowferry takes up to {needed}"
    own = int(of_account)
    if own and own < needed:
        detail += f", and the account may have {own} (max_user_connections)"
        remedy = "allow the account more sessions (MAX_USER_CONNECTIONS of its account)"
        return Finding("source sessions", WARNING, detail, remedy)
    if most - int(used) >= needed:
        return Finding("source sessions", OK, detail)
    sql, config = set_global(server, "max_connections", str(most + 2 * needed))
    return Finding("source sessions", WARNING, detail, "allow more sessions", sql, config)


def _packet(server: SourceServer, allowed: int) -> Finding:
    detail = f"max_allowed_packet={size(allowed)}"
    if allowed >= _LEAST_PACKET:
        return Finding("max_allowed_packet", OK, detail)
    sql, config = set_global(server, "max_allowed_packet", str(4 * _LEAST_PACKET))
    remedy = "allow more: a row that is larger cannot be read"
    return Finding("max_allowed_packet", WARNING, detail, remedy, sql, config)


def _gtid(server: SourceServer) -> Finding:
    if server.gtid:
        return Finding("GTID", OK, "the server has GTIDs: the daemon can go on at a server that replaces it")
    detail = "gtid_mode=OFF: if another server takes this one's place, all is copied again"
    return Finding("GTID", OK, detail)


def _offset(control: Connection[Any]) -> float:
    """Seconds by which the source's clock is ahead, from the quickest of a few readings."""
    best = (float("inf"), 0.0)
    for _ in range(3):
        began = time.time()
        there = clock_us(control) / 1e6
        took = time.time() - began
        best = min(best, (took, there - began - took / 2))
    return best[1]


def _replicas(control: Connection[Any], server: SourceServer, settings: Settings) -> Finding:
    """Whether another replica has our number; our own daemon, at work, is not told from it."""
    ours = derive_server_id(settings)
    if ours == server.server_id:
        detail = f"{ours} is the source's own server_id: no replica may have it"
        return Finding("replica id", FAILURE, detail, "choose another source.server_id", where=FILE)
    modern = not server.is_mariadb and server.version >= (8, 0, 22)
    try:
        rows = query(control, "SHOW REPLICAS" if modern else "SHOW SLAVE HOSTS")
    except RowferryError:
        detail = f"{ours}; the account may not ask which other replicas there are, and need not"
        return Finding("replica id", UNKNOWN, detail)
    same = [row for row in rows if int(row[0]) == ours]
    others = f"{len(rows)} replicas have registered, {len(same)} of them with this number"
    if len(same) < 2:
        return Finding("replica id", OK, f"{ours}; {others}")
    return Finding("replica id", WARNING, f"{ours}; {others}", "choose another source.server_id", where=FILE)
