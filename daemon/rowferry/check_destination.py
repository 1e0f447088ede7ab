"""What the destination must be like: version, rights and owners, session settings, room, its clock."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Final

from rowferry.check_server import clock_finding, encryption_finding
from rowferry.checkpoint import has_tracking_tables
from rowferry.destination import Session, ddl, fetch, name
from rowferry.findings import DESTINATION, FAILURE, FILE, OK, WARNING, Finding, Level, shorten, size
from rowferry.settings import Settings

MIN_POSTGRES: Final = 130000
_SPARE_SESSIONS: Final = 5
_TIMEOUTS: Final = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
)
_OTHERS_TABLES: Final = """
SELECT n.nspname, c.relname, c.relkind::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT pg_has_role(c.relowner, 'USAGE') ORDER BY 1, 2"""
_KINDS: Final = {"v": "VIEW", "m": "MATERIALIZED VIEW", "f": "FOREIGN TABLE"}
_SCHEMAS: Final = """
SELECT nspname, pg_has_role(nspowner, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = ANY(%s)"""
_OTHERS_FUNCTIONS: Final = """
SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %s AND p.proname LIKE 'rowferry\\_%%' AND NOT pg_has_role(p.proowner, 'USAGE')"""


def check_destination(session: Session, settings: Settings, tables: Collection[str]) -> Iterator[Finding]:
    """Everything about the destination but the state of the copy. tables: names that copies have there."""
    yield from _server(session)
    yield _encryption(session, settings)
    yield pooler_finding(session)
    yield from _writable(session)
    yield from _schemas(session, settings.destination.dataset)
    yield from _owners(session, settings.destination.dataset, tables)
    yield from _timeouts(session)
    yield from _room(session)
    began = time.time()
    [(there,)] = fetch(session, "SELECT extract(epoch FROM clock_timestamp())::float8 WHERE %s", [True])
    now = time.time()
    yield clock_finding("destination clock", float(there) - (began + now) / 2, "the destination")


def can_look(session: Session, dataset: str) -> bool:
    """Whether the account may use the schema, if it exists."""
    usage = "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = %s"
    return all(may for (may,) in fetch(session, usage, [dataset]))


def _server(session: Session) -> Iterator[Finding]:
    [(version, number, encoding, commit)] = fetch(
        session,
        "SELECT current_setting('server_version'), current_setting('server_version_num')::int,"
        " current_setting('server_encoding'), current_setting('synchronous_commit') WHERE %s",
        [True],
    )
    level: Level = OK if number >= MIN_POSTGRES else FAILURE
    remedy = "" if level == OK else "use Postgres 13 or later"
    yield Finding("destination version", level, f"PostgreSQL {version}", remedy, where=DESTINATION)
    level, detail = OK if encoding == "UTF8" else FAILURE, f"server_encoding={encoding}"
    remedy = "" if level == OK else "use a database in UTF8 (CREATE DATABASE ... ENCODING 'UTF8')"
    yield Finding("encoding", level, detail, remedy, where=DESTINATION)
    note = "" if commit != "off" else ": after a crash of Postgres the daemon goes back to what is there"
    yield Finding("synchronous_commit", OK, f"synchronous_commit={commit}{note}", where=DESTINATION)


def _encryption(session: Session, settings: Settings) -> Finding:
    rows = fetch(
        session, "SELECT version, cipher FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid() AND %s", [True]
    )
    cipher = f"{rows[0][0]} {rows[0][1]}" if rows else ""
    remedy = "add ?sslmode=verify-full&sslrootcert=FILE to destination.url, once the server has a certificate"
    return encryption_finding("destination connection", cipher, settings.destination.host, remedy)


def pooler_finding(session: Session) -> Finding:
    """A pooler gives a process number of its own at the login; in transaction mode the real one changes."""
    pids = {int(fetch(session, "SELECT pg_backend_pid() WHERE %s", [True])[0][0]) for _ in range(5)}
    if pids == {session.info.backend_pid}:
        return Finding("pooler", OK, "none between this host and Postgres", where=DESTINATION)
    level: Level = FAILURE if len(pids) > 1 else WARNING
    detail = "a pooler stands between this host and Postgres: the lock needs one session"
    remedy = "connect to Postgres itself, or have the pooler keep a session (pool_mode = session)"
    return Finding("pooler", level, detail, remedy, where=FILE)


def _writable(session: Session) -> Iterator[Finding]:
    [(standby, read_only, user, database)] = fetch(
        session,
        "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on',"
        " current_user::text, current_database()::text WHERE %s",
        [True],
    )
    if standby:
        remedy = "name the primary server in destination.url"
        yield Finding("writable", FAILURE, "the server is a standby: it takes no rows", remedy, where=FILE)
    elif read_only:
        sql = (_set_for(user, database, "default_transaction_read_only", "off"),)
        detail = "default_transaction_read_only=on"
        yield Finding("writable", FAILURE, detail, "switch it off for the account", sql, where=DESTINATION)
    else:
        yield Finding("writable", OK, "the server takes rows", where=DESTINATION)


def _set_for(user: str, database: str, setting: str, value: str) -> str:
    return ddl(f"ALTER ROLE {name(user)} IN DATABASE {name(database)} SET {setting} = {value};").text


def _schemas(session: Session, dataset: str) -> Iterator[Finding]:
    names = [dataset, f"{dataset}_staging"]
    owned = dict(fetch(session, _SCHEMAS, [names]))
    [(may_create, user, database)] = fetch(
        session,
        "SELECT has_database_privilege(current_database(), 'CREATE'), current_user::text,"
        " current_database()::text WHERE %s",
        [True],
    )
    grant = ddl(f"GRANT CREATE ON DATABASE {name(database)} TO {name(user)};").text
    made = can_look(session, dataset) and has_tracking_tables(session, dataset)
    sql = [] if may_create or made else [grant]
    for schema in names:
        if owned.get(schema) is False:
            sql.append(ddl(f"ALTER SCHEMA {name(schema)} OWNER TO {name(user)};").text)
    detail = f"schemas {' and '.join(names)}: "
    if not sql:
        state = "the account owns them" if len(owned) == len(names) else "the account can make them"
        yield Finding("schema", OK, detail + state, where=DESTINATION)
        return
    remedy = "let the account make schemas in the database, and own those that exist"
    why = "the account must own them, and be able to create what is missing"
    yield Finding("schema", FAILURE, detail + why, remedy, tuple(sql), where=DESTINATION)


def _owners(session: Session, dataset: str, tables: Collection[str]) -> Iterator[Finding]:
    """Copies and tracking tables that another role owns: only an owner may alter a table."""
    [(user,)] = fetch(session, "SELECT current_user::text WHERE %s", [True])
    ours, copies, sql = [], [], []
    for schema, table, kind in fetch(session, _OTHERS_TABLES, [[dataset, f"{dataset}_staging"]]):
        if table.startswith(("_rowferry_", "_dlt_")) or schema != dataset:
            ours.append(table)
        elif table in tables:
            copies.append(table)
        else:
            continue
        words = _KINDS.get(kind, "TABLE")
        sql.append(ddl(f"ALTER {words} {name(schema, table)} OWNER TO {name(user)};").text)
    for (function,) in fetch(session, _OTHERS_FUNCTIONS, [dataset]):
        ours.append(function)
        sql.append(f"ALTER FUNCTION {function} OWNER TO {ddl(name(user)).text};")
    if not sql:
        yield Finding("owners", OK, "the account owns all that it must alter", where=DESTINATION)
        return
    detail = f"another role owns {shorten([*ours, *copies])}"
    level: Level = FAILURE if ours else WARNING
    why = "" if ours else ": these tables stop"
    remedy, copied = "let the account own them", tuple(copies)
    yield Finding("owners", level, detail + why, remedy, tuple(sql), where=DESTINATION, tables=copied)


def _timeouts(session: Session) -> Iterator[Finding]:
    rows = fetch(
        session,
        "SELECT s, current_setting(s, true), current_user::text, current_database()::text"
        " FROM unnest(%s::text[]) s WHERE coalesce(current_setting(s, true), '') NOT IN ('', '0')",
        [list(_TIMEOUTS)],
    )
    if not rows:
        yield Finding("timeouts", OK, "no timeout ends the daemon's sessions", where=DESTINATION)
        return
    detail = ", ".join(f"{setting}={value}" for setting, value, *_ in rows)
    sql = tuple(_set_for(user, database, setting, "0") for setting, _, user, database in rows)
    remedy = "switch them off for the account: they would break off large loads"
    yield Finding("timeouts", WARNING, detail, remedy, sql, where=DESTINATION)


def _room(session: Session) -> Iterator[Finding]:
    [(used, most, of_role, of_database, length)] = fetch(
        session,
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
        " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,"
        " (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),"
        " (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),"
        " pg_database_size(current_database()) WHERE %s",
        [True],
    )
    limits = [most - used, *(limit for limit in (of_role, of_database) if limit >= 0)]
    good = min(limits) >= _SPARE_SESSIONS
    detail = f"{used} of {most} are in use; Rowferry takes up to {_SPARE_SESSIONS}"
    remedy = "" if good else "raise max_connections, or the role's or database's CONNECTION LIMIT"
    yield Finding("destination sessions", OK if good else WARNING, detail, remedy, where=DESTINATION)
    note = "how much disk is free there, Postgres does not tell"
    detail = f"the database takes {size(float(length))}; {note}"
    yield Finding("destination size", OK, detail, where=DESTINATION)
