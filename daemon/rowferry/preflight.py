"""What the daemon needs of both servers, each point with the statement that mends it.

`rowferry check` shows all of it; the daemon refuses to start on a failing point of the source.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.column_settings import unused
from rowferry.destination import Session, columns_of, fetch
from rowferry.errors import ConfigurationError, TableStopped
from rowferry.mysql_catalog import read_configured
from rowferry.mysql_source import SourceServer, binlog_filters, query
from rowferry.settings import Settings

_MINIMUM: Final = {"mysql": (8, 0, 14), "mariadb": (10, 5)}
_MIN_POSTGRES: Final = 130000
_NO_KEY: Final = "it has no primary key and no unique key of NOT NULL columns: copied whole when it changes"
_VISIBLE: Final = "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s LIMIT 1"


@dataclass(frozen=True, slots=True)
class Finding:
    """One point. level: ok, warning or failure. remedy: what to run or to change."""

    point: str
    level: str
    detail: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether the daemon can work as it is."""
        return self.level != "failure"


def _point(point: str, good: bool, detail: str, remedy: str = "") -> Finding:
    return Finding(point, "ok" if good else "failure", detail, "" if good else remedy)


def check_source(control: Connection[Any], server: SourceServer, settings: Settings) -> Iterator[Finding]:
    """Version, binlog settings and grants of the source."""
    minimum = _MINIMUM[server.flavor]
    needed = ".".join(map(str, minimum))
    yield _point(
        "source version",
        server.version >= minimum,
        server.version_text,
        f"{server.flavor} {needed} or later is needed: older ones do not describe columns in the binlog",
    )
    variables = _variables(control)
    yield _point(
        "log_bin",
        variables.get("log_bin") in ("ON", "1"),
        f"log_bin={variables.get('log_bin')}",
        "in the server's configuration, under [mysqld]: log_bin=binlog; then restart it",
    )
    for name, wanted in _WANTED.items():
        found = variables.get(name, "(not known)")
        yield _point(name, found.upper() == wanted, f"{name}={found}", f"SET GLOBAL {name} = '{wanted}';")
    yield _point(
        "server_id", server.server_id != 0, f"server_id={server.server_id}", "SET GLOBAL server_id = 1;"
    )
    yield from _source_row_values(variables)
    yield from _source_retention(variables)
    grants = list(_source_grants(control, server, settings))
    yield from grants
    if all(f.ok for f in grants):
        yield from _source_filters(control, server, settings)


_WANTED: Final = {"binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL"}
_OTHERS: Final = (
    "binlog_row_value_options",
    "binlog_expire_logs_seconds",
    "expire_logs_days",
    "log_slave_updates",
    "log_replica_updates",
)
_WEEK_SECONDS: Final = 7 * 86_400


def _source_row_values(variables: dict[str, str]) -> Iterator[Finding]:
    if "binlog_row_value_options" in variables:
        options = variables["binlog_row_value_options"]
        yield _point(
            "binlog_row_value_options",
            not options,
            f"binlog_row_value_options='{options}'",
            "SET GLOBAL binlog_row_value_options = '';",
        )


def _source_filters(control: Connection[Any], server: SourceServer, settings: Settings) -> Iterator[Finding]:
    """Whether the binlog holds this database's changes, those of a server upstream included."""
    only, ignored = binlog_filters(control, server)
    database = settings.source.database
    yield _point(
        "binlog filters",
        (not only or database in only) and database not in ignored,
        f"binlog_do_db={','.join(only)} binlog_ignore_db={','.join(ignored)}",
        "remove binlog_do_db and binlog_ignore_db from the server's configuration; then restart it",
    )


def _source_retention(variables: dict[str, str]) -> Iterator[Finding]:
    seconds = float(variables.get("binlog_expire_logs_seconds", "0"))
    seconds = seconds or float(variables.get("expire_logs_days", "0")) * 86_400
    detail = f"the binlog is kept for {seconds / 86_400:g} days" if seconds else "the binlog is never purged"
    if 0 < seconds < _WEEK_SECONDS:
        yield Finding("binlog retention", "warning", detail, "keep it for 7 days or more")
    else:
        yield Finding("binlog retention", "ok", detail)
    updates = variables.get("log_replica_updates", variables.get("log_slave_updates", "ON"))
    note = "" if updates.upper() in ("ON", "1") else " (must be ON if this server is itself a replica)"
    yield Finding("log_slave_updates", "ok", f"log_slave_updates={updates}{note}")


def _variables(control: Connection[Any]) -> dict[str, str]:
    names = ("log_bin", *_WANTED, *_OTHERS)
    marks = ", ".join(["%s"] * len(names))
    rows = query(control, f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({marks})", names)
    return {str(k).lower(): str(v) for k, v in rows}


def _source_grants(control: Connection[Any], server: SourceServer, settings: Settings) -> Iterator[Finding]:
    user, database = settings.source.user, settings.source.database
    monitor = "BINLOG MONITOR" if server.is_mariadb else "REPLICATION CLIENT"
    grants = " ".join(str(r[0]).upper() for r in query(control, "SHOW GRANTS"))
    everything = "ALL PRIVILEGES ON *.*" in grants
    may_monitor = everything or monitor in grants or "REPLICATION CLIENT" in grants
    may_read = everything or bool(re.search(r"REPLICATION SLAVE(?! ADMIN)", grants))
    account = f"'{user}'@'%'"
    yield _point(
        "grant REPLICATION SLAVE",
        may_read,
        _right(may_read, "REPLICATION SLAVE", "to read the binlog"),
        f"GRANT REPLICATION SLAVE ON *.* TO {account};",
    )
    yield _point(
        f"grant {monitor}",
        may_monitor,
        _right(may_monitor, monitor, "to ask for the binlog position"),
        f"GRANT {monitor} ON *.* TO {account};",
    )
    visible = query(control, _VISIBLE, (database,))
    yield _point(
        "grant SELECT",
        bool(visible),
        f"on database {database}" if visible else f"no table of database {database} can be read",
        f"GRANT SELECT ON `{database}`.* TO {account}; or mend the database's name in source.url",
    )


def _right(has: bool, right: str, purpose: str) -> str:
    return f"the account has {right}" if has else f"the account lacks {right}, {purpose}"


def check_tables(control: Connection[Any], settings: Settings) -> Iterator[Finding]:
    """Which of the selected tables cannot be copied, and why."""
    tables = read_configured(control, settings)
    bad = 0
    for table in tables.values():
        try:
            columns_of(table)
            if not table.key:
                yield Finding(f"table {table.id.name}", "warning", _NO_KEY, "give it a primary key")
        except TableStopped as error:
            bad += 1
            remedy = error.hint or f"add {table.id.name} to tables.exclude"
            yield Finding(f"table {table.id.name}", "warning", error.reason, remedy)
    for section in unused(settings.columns, settings.tables.rename, list(tables.values())):
        detail = "it fits no column of a selected table" if section.startswith("col") else "no such table"
        yield Finding(
            f"setting {section}", "warning", detail, "look at its spelling, small letters and large"
        )
    detail = f"{len(tables) - bad} of {len(tables)} selected tables can be copied"
    yield _point("tables", len(tables) > bad, detail, "look at tables.include and tables.exclude")


def check_destination(session: Session, settings: Settings) -> Iterator[Finding]:
    """Version and privileges of the destination."""
    [(version, number, can_create, owner, database, user)] = fetch(
        session,
        "SELECT current_setting('server_version'), current_setting('server_version_num')::int,"
        " has_database_privilege(current_database(), 'CREATE'),"
        " (SELECT bool_and(pg_has_role(nspowner, 'USAGE')) FROM pg_namespace"
        " WHERE nspname IN (%s, %s)), current_database(), current_user",
        [settings.destination.dataset, settings.destination.dataset + "_staging"],
    )
    yield _point(
        "destination version", number >= _MIN_POSTGRES, f"PostgreSQL {version}", "use Postgres 13 or later"
    )
    yield _point(
        "schema",
        bool(owner) or (owner is None and can_create),
        f"schemas {settings.destination.dataset} and {settings.destination.dataset}_staging: the account"
        " must own them, or be able to create them",
        f'GRANT CREATE ON DATABASE "{database}" TO "{user}"; and let it own the schemas that exist',
    )
    [(encoding,)] = fetch(session, "SELECT current_setting('server_encoding') WHERE %s", [True])
    yield _point("encoding", encoding == "UTF8", f"server_encoding={encoding}", "use a database in UTF8")


def require_source(control: Connection[Any], server: SourceServer, settings: Settings) -> None:
    """Raise ConfigurationError for the failing points of the source."""
    failing = [f for f in check_source(control, server, settings) if not f.ok]
    if failing:
        raise ConfigurationError(
            "start",
            reason="; ".join(f.detail for f in failing),
            hint=f"Mend it: {' '.join(f.remedy for f in failing)} (`rowferry check` shows all points)",
        )


def check_state_dir(settings: Settings) -> Iterator[Finding]:
    """Whether the working folder can be written or made."""
    folder = settings.state_dir.absolute()
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    yield _point(
        "state_dir",
        nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK),
        f"state_dir={folder}",
        f"let this account write {nearest}, or set state_dir to a folder of its own",
    )
