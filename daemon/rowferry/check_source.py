"""What the source's binlog must be like: version, settings, filters, retention.

Each point comes with the statement for this server: SET PERSIST on MySQL, which outlives a restart, and
SET GLOBAL with a line for the configuration on MariaDB.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.binlog_files import list_files
from rowferry.findings import FAILURE, OK, WARNING, Finding, size
from rowferry.mysql_source import SourceServer, binlog_filters, global_variables, query
from rowferry.retention import VARIABLES, read_retention
from rowferry.settings import Settings

MINIMUM: Final = {"mysql": (8, 0, 14), "mariadb": (10, 5)}
"""From these on, the binlog describes columns by name (binlog_row_metadata)."""
NO_LONGER_MAINTAINED: Final[dict[tuple[str, tuple[int, ...]], str]] = {
    ("mariadb", (10, 5)): "June 2025",
    ("mysql", (8, 0)): "April 2026",
}
WEEK_SECONDS: Final = 7 * 86_400
_DAY: Final = 86_400
WANTED: Final = {"binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL"}
_OLD_SESSIONS: Final = "; sessions that are connected already keep the old value until they connect anew"
_RESTART: Final = "change the server's configuration as shown, under [mysqld]; then restart it"
NAMES: Final = (
    "log_bin",
    *WANTED,
    "binlog_row_value_options",
    *VARIABLES,
    "log_slave_updates",
    "log_replica_updates",
    "binlog_transaction_compression",
    "log_bin_compress",
)


def set_global(server: SourceServer, name: str, value: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The statement that changes a setting now, and the line that keeps it (MySQL needs none).

    value: as SQL writes it. See https://dev.mysql.com/doc/refman/8.4/en/persisted-system-variables.html.
    """
    if server.is_mariadb:
        return (f"SET GLOBAL {name} = {value};",), (f"{name}={value.strip(chr(39))}",)
    return (f"SET PERSIST {name} = {value};",), ()


def check_binlog(control: Connection[Any], server: SourceServer) -> Iterator[Finding]:
    """Version and settings without which the daemon does not start, and what else concerns the binlog."""
    variables = global_variables(control, NAMES)
    yield _version(server)
    yield _log_bin(variables)
    for name, wanted in WANTED.items():
        yield _setting(server, variables, name, wanted)
    yield _server_id(server)
    yield from _row_values(server, variables)
    yield from _compression(variables)
    yield retention(server, variables)


def check_filters(control: Connection[Any], server: SourceServer, settings: Settings) -> Iterator[Finding]:
    """Whether the binlog holds this database's changes. Needs the right to ask for the position."""
    only, ignored = binlog_filters(control, server)
    database = settings.source.database
    good = (not only or database in only) and database not in ignored
    detail = f"binlog_do_db={','.join(only)} binlog_ignore_db={','.join(ignored)}"
    if good:
        yield Finding("binlog filters", OK, detail)
        return
    remedy = "remove binlog_do_db and binlog_ignore_db from the server's configuration; then restart it"
    yield Finding("binlog filters", FAILURE, detail, remedy, needs_restart=True)


def _version(server: SourceServer) -> Finding:
    minimum = MINIMUM[server.flavor]
    if server.version < minimum:
        needed = ".".join(map(str, minimum))
        remedy = f"{server.flavor} {needed} or later is needed: older ones do not describe columns"
        return Finding("source version", FAILURE, server.version_text, remedy, needs_restart=True)
    ended = NO_LONGER_MAINTAINED.get((server.flavor, server.version[:2]))
    note = f" (its makers no longer maintain it since {ended})" if ended else ""
    return Finding("source version", OK, server.version_text + note)


def _log_bin(variables: Mapping[str, str]) -> Finding:
    found = variables.get("log_bin")
    if found in ("ON", "1"):
        return Finding("log_bin", OK, f"log_bin={found}")
    return Finding(
        "log_bin",
        FAILURE,
        f"log_bin={found}: the server writes no binlog",
        _RESTART,
        config=("log_bin=binlog",),
        needs_restart=True,
    )


def _setting(server: SourceServer, variables: Mapping[str, str], name: str, wanted: str) -> Finding:
    found = variables.get(name, "(not known)")
    if found.upper() == wanted:
        return Finding(name, OK, f"{name}={found}")
    sql, config = set_global(server, name, f"'{wanted}'")
    remedy = f"set it to {wanted}{_OLD_SESSIONS}"
    return Finding(name, FAILURE, f"{name}={found}", remedy, sql, config)


def _server_id(server: SourceServer) -> Finding:
    detail = f"server_id={server.server_id}"
    if server.server_id:
        return Finding("server_id", OK, detail)
    sql, config = set_global(server, "server_id", "1")
    return Finding("server_id", FAILURE, detail, "give the server a number of its own", sql, config)


def _row_values(server: SourceServer, variables: Mapping[str, str]) -> Iterator[Finding]:
    """Only MySQL has the setting; with it, JSON values are logged in part."""
    name = "binlog_row_value_options"
    options = variables.get(name)
    if options is None:
        return
    if not options:
        yield Finding(name, OK, f"{name}=''")
        return
    sql, config = set_global(server, name, "''")
    remedy = f"set it to ''{_OLD_SESSIONS}"
    yield Finding(name, FAILURE, f"{name}='{options}'", remedy, sql, config)


def _compression(variables: Mapping[str, str]) -> Iterator[Finding]:
    for name in ("binlog_transaction_compression", "log_bin_compress"):
        if name in variables:
            yield Finding("binlog compression", OK, f"{name}={variables[name]}: read either way")


def retention(server: SourceServer, variables: Mapping[str, str]) -> Finding:
    """How long the server keeps its binlog; a week is the least that leaves time to mend things."""
    kept = read_retention(variables)
    forever = math.isinf(kept.seconds)
    detail = (
        "the binlog is never purged" if forever else f"the binlog is kept for {kept.seconds / _DAY:g} days"
    )
    limit = not math.isinf(kept.max_bytes)
    if limit:
        detail += f", and no more than {size(kept.max_bytes)} of it (max_binlog_total_size)"
    short = kept.seconds < WEEK_SECONDS
    if not short and not limit:
        return Finding("binlog retention", OK, detail)
    sql, config = set_global(server, *keep_a_week(server.flavor, server.version)) if short else ((), ())
    remedy = "keep 7 days or more, and mind the disk: if the daemon stands longer, all is copied again"
    if limit:
        remedy += "; see that max_binlog_total_size is enough for a week"
    return Finding("binlog retention", WARNING, detail, remedy, sql, config)


def keep_a_week(flavor: str, version: Sequence[int]) -> tuple[str, str]:
    """The setting that keeps the binlog for seven days, and its value; MariaDB had only days before 10.6."""
    if flavor == "mariadb" and tuple(version) < (10, 6):
        return "expire_logs_days", "7"
    return "binlog_expire_logs_seconds", str(WEEK_SECONDS)


def check_binlog_files(control: Connection[Any], server: SourceServer, *, may_ask: bool) -> Iterator[Finding]:
    """How much binlog lies on the source now, and whether changes from elsewhere are in it."""
    if may_ask:
        files = list_files(control)
        oldest = files[0].name if files else "none"
        detail = f"{len(files)} files, {size(sum(f.size for f in files))}, the oldest is {oldest}"
        yield Finding("binlog files", OK, detail)
    variables = global_variables(control, NAMES)
    name = "log_replica_updates" if "log_replica_updates" in variables else "log_slave_updates"
    value = variables.get(name, "ON")
    detail = f"{name}={value}"
    if value.upper() in ("ON", "1") or not _may_be_replica(control, server, may_ask=may_ask):
        yield Finding("log_slave_updates", OK, detail)
        return
    yield Finding(
        "log_slave_updates",
        WARNING,
        f"{detail}, and the server is a replica or was one: what it receives is not in its binlog",
        f"if it still is a replica: {_RESTART}",
        config=(f"{name}=ON",),
        needs_restart=True,
    )


def _may_be_replica(control: Connection[Any], server: SourceServer, *, may_ask: bool) -> bool:
    """Whether the server has applied another server's changes (MariaDB), or has a replica's settings."""
    if server.is_mariadb:
        [(position,)] = query(control, "SELECT @@GLOBAL.gtid_slave_pos")
        return bool(position)
    statement = "SHOW REPLICA STATUS" if server.version >= (8, 0, 22) else "SHOW SLAVE STATUS"
    return may_ask and bool(query(control, statement))
