"""The Postgres side outside of loads: connections, the lock, and all DDL on the dataset.

Names and types only; rows never pass here. Identifiers are composed with psycopg.sql.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote as url_quote
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from rowferry.changes import Statement
from rowferry.column_settings import MAX_NAME_BYTES
from rowferry.errors import (
    ConfigurationError,
    FencedOff,
    LoadFailed,
    LockHeld,
    RowferryError,
    TableRefused,
    TableStopped,
    Unreachable,
)
from rowferry.overrides import column_type
from rowferry.policies import select_column
from rowferry.retype import kept_name
from rowferry.settings import DestinationSettings, mask_url
from rowferry.table_schema import NO_POLICY, Column, TableSchema
from rowferry.types import UnsupportedType

LOADED_AT: Final = "_loaded_at"
LOAD_ID: Final = "_dlt_load_id"
OWNER_PREFIX: Final = "Copied by Rowferry from "
SYSTEM_COLUMNS: Final = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
LOCK_PATIENCE_SECONDS: Final = 2.0
LOCK_TIMEOUT: Final = "55P03"
NO_PRIVILEGE: Final = "42501"
LOST_CLIENT: Final = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
"""Settings of a server session whose client may vanish: seconds, and milliseconds."""
_DDL_PATIENCE: Final = "SET LOCAL lock_timeout = '2s'"
"""So long DDL waits for a table that is in use; as long, those who come later wait behind it."""
_REFUSALS: Final = {
    "password authentication failed": "the password is wrong",
    "no password supplied": "the server wants a password, and none is set",
    r'role ".*" does not exist': "there is no such user",
    r'database ".*" does not exist': "there is no such database",
    "no pg_hba.conf entry": "the server's pg_hba.conf does not admit this user from here",
    "is not permitted to log in": "the user may not log in",
}
_MISSING: Final = ("42703", "42P01")
_ALTERED: Final = (
    "A table or a column is gone: `rowferry schema` says which;"
    " if it is one of the tracking tables, run `rowferry resync --all`"
)
_ACCESS: Final = ("28", "42501", "3D000")
_OBJECT_CLASSES: Final = ("0A", "22", "23", "2B", "42", "54")

Session = psycopg.Connection[tuple[Any, ...]]


def url_with_password(settings: DestinationSettings) -> str:
    """The destination's URL with its password: a secret."""
    parts = urlsplit(settings.url)
    if settings.password is None:
        return settings.url
    account = parts.username or ""
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{account}:{url_quote(settings.secret, safe='')}@{host}").geturl()


def connect(settings: DestinationSettings, *, autocommit: bool = True) -> Session:
    """A session. Raises Unreachable, or ConfigurationError if the account or database is refused."""
    try:
        session = psycopg.connect(
            url_with_password(settings),
            autocommit=autocommit,
            connect_timeout=10,
            application_name="rowferry",
            options="-c timezone=UTC -c client_min_messages=warning -c jit=off",
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
        )
    except psycopg.Error as error:
        raise translate(error, "connect to the destination", mask_url(settings.url)) from None
    return session


def translate(error: psycopg.Error, operation: str, obj: str = "") -> RowferryError:
    """One of our errors for one of psycopg's, without any value of a row."""
    state = error.sqlstate or ""
    if refusal := _refusal(error):
        hint = "Mend the user, password or database in destination.url, destination.password"
        return ConfigurationError(operation, obj, reason=refusal, hint=hint)
    if state.startswith(_ACCESS[0]) or state in _ACCESS[1:]:
        reason = error.diag.message_primary or "the server refused the account or database"
        return ConfigurationError(operation, obj, reason=reason, hint="`rowferry check` prints the GRANT")
    if not state or state.startswith(("08", "57P")):
        return Unreachable("destination", operation, obj, reason=_first_line(error))
    hint = _ALTERED if state in _MISSING else ""
    return LoadFailed(operation, obj, reason=f"Postgres error {state}", hint=hint)


def _refusal(error: psycopg.Error) -> str:
    """Why the server let nobody in, in words of our own; "" for any other error."""
    text = str(error)
    return next((ours for theirs, ours in _REFUSALS.items() if re.search(theirs, text)), "")


def _first_line(error: psycopg.Error) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def name(*parts: str) -> str:
    """A quoted, qualified name for a statement that has parameters (so that % is doubled)."""
    return sql.Identifier(*parts).as_string(None).replace("%", "%%")


def literal(text: str) -> str:
    """A quoted text for DDL, which takes no parameters; `%` is doubled, as in `name`."""
    return sql.Literal(text).as_string(None).replace("%", "%%")


def run(session: Session, statement: Statement) -> int:
    """Execute one statement; the number of rows it touched. Raises FencedOff if that is not as asked."""
    text: Any = statement.text  # composed of quoted names, see `name`
    touched = session.execute(text, list(statement.parameters) or None).rowcount
    if statement.rows is not None and touched != statement.rows:
        raise FencedOff(
            "write the checkpoint",
            reason="another instance has taken over this dataset, or somebody deleted the checkpoint",
        )
    return touched


def run_all(session: Session, statements: Sequence[Statement]) -> None:
    """Execute the statements in one transaction.

    Raises FencedOff, LoadFailed, Unreachable; TableRefused for a statement that names its table.
    """
    table: TableSchema | None = None
    try:
        with session.transaction():
            for statement in statements:
                table = statement.table
                run(session, statement)
            table = None
    except psycopg.Error as error:
        if table is not None and _is_of_object(error):
            raise _refused(table, error) from None
        raise translate(error, "write the tracking tables") from None


def _is_of_object(error: psycopg.Error) -> bool:
    state = error.sqlstate or ""
    return state.startswith(_OBJECT_CLASSES) and state not in _ACCESS


def _refused(table: TableSchema, error: psycopg.Error) -> TableRefused:
    constraint = error.diag.constraint_name
    reason = f"SQLSTATE {error.sqlstate}" + (f", constraint {constraint}" if constraint else "")
    refused = TableRefused("load a batch", f"table {table.id}", reason=reason)
    refused.table = table.id
    return refused


def run_groups(
    session: Session,
    groups: Sequence[Sequence[Statement]],
    after: Callable[[], Sequence[Statement]],
    instead: Callable[[int, str], Sequence[Statement]],
) -> None:
    """Execute groups of statements in one transaction; one whose DDL Postgres refuses is undone and replaced.

    instead: from the group's place and Postgres's code to what is executed in its stead. So is one that waits
    for a lock too long (`LOCK_TIMEOUT`). after: what is executed at the end. Raises what `run_all` raises.
    """
    try:
        with session.transaction():
            run(session, Statement(_DDL_PATIENCE))
            for place, group in enumerate(groups):
                refusal = _refusal_of(session, group)
                for statement in instead(place, refusal) if refusal else ():
                    run(session, statement)
            for statement in after():
                run(session, statement)
    except psycopg.Error as error:
        raise translate(error, "write the tracking tables") from None


def _refusal_of(session: Session, group: Sequence[Statement]) -> str:
    """Execute a group; "", or Postgres's code if the fault is in what was asked (then nothing was done)."""
    try:
        with session.transaction():
            for statement in group:
                run(session, statement)
    except psycopg.Error as error:
        if not _is_of_object(error) and error.sqlstate not in (LOCK_TIMEOUT, NO_PRIVILEGE):
            raise
        return error.sqlstate or ""
    return ""


def fetch(session: Session, text: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of a query. Raises what `translate` makes of a failure."""
    query: Any = text
    try:
        return session.execute(query, list(parameters) or None).fetchall()
    except psycopg.Error as error:
        raise translate(error, "query the destination") from None


def copy_in(session: Session, text: str, path: Path) -> None:
    """Send a file to a `COPY ... FROM STDIN`. Raises what `translate` makes of a failure."""
    query: Any = text
    try:
        with session.cursor() as cursor, cursor.copy(query) as copying:
            copying.write(path.read_bytes())
    except psycopg.Error as error:
        raise translate(error, "copy rows to compare them") from None


def take_lock(session: Session, dataset: str) -> None:
    """Hold the dataset's advisory lock for the life of the session. Raises LockHeld.

    Postgres frees a lock a moment after its session has ended: so it is asked for several times.
    """
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    _let_the_server_notice_our_end(session)
    while not _try_lock(session, dataset):
        if time.monotonic() < deadline:
            time.sleep(0.1)
            continue
        raise LockHeld(
            "start",
            f"dataset {dataset}",
            reason="another instance of Rowferry is running on it",
            hint="Stop that one first (the daemon, as a rule)",
        )


def _let_the_server_notice_our_end(session: Session) -> None:
    """Have the server end the session, and with it the lock, within half a minute if this machine vanishes.

    Keepalives while nothing is under way, the user timeout while an answer is, and a look at the socket while
    a statement runs, which not every version and platform of the server offers
    (https://www.postgresql.org/docs/current/runtime-config-connection.html).
    """
    for setting, value in LOST_CLIENT.items():
        fetch(session, "SELECT set_config(%s, %s, false)", [setting, value])
    with contextlib.suppress(psycopg.errors.UndefinedObject, psycopg.errors.InvalidParameterValue):
        session.execute("SET client_connection_check_interval = '10s'")


def _try_lock(session: Session, dataset: str) -> bool:
    sql_text = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
    return bool(fetch(session, sql_text, [f"rowferry:{dataset}"])[0][0])


def lock_holder(session: Session, dataset: str) -> int | None:
    """The process of Postgres that holds the dataset's lock now. Takes nothing, so it is in nobody's way.

    A lock's 64-bit key stands in pg_locks in two halves, with objsubid 1
    (https://www.postgresql.org/docs/current/view-pg-locks.html).
    """
    sql_text = (
        "SELECT l.pid FROM pg_locks l, hashtextextended(%s, 0) AS k"
        " WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND (l.classid::bigint << 32) | l.objid::bigint = k"
    )
    rows = fetch(session, sql_text, [f"rowferry:{dataset}"])
    return int(rows[0][0]) if rows else None


def is_locked(session: Session, dataset: str) -> bool:
    """Whether some instance holds the dataset's lock now."""
    return lock_holder(session, dataset) is not None


def columns_of(table: TableSchema) -> list[tuple[str, str]]:
    """Names and Postgres types of a destination table's columns, without the metadata columns.

    Raises TableStopped for what Postgres or Rowferry cannot hold: types, policies, names.
    """
    where = f"table {table.id}"
    if table.obstacle:
        raise TableStopped("copy", where, reason=table.obstacle, hint="Mend that, or exclude the table")
    _check_names(table)
    return [(c.there, _postgres_type(table, c)) for c in table.columns]


def _check_names(table: TableSchema) -> None:
    """Raise TableStopped, saying which setting gives another name, for names that cannot be."""
    named = table.id.name
    there = table.there
    owner = "Rowferry" if there.startswith(("_rowferry_", "_dlt_")) else ""
    _check_name(table, there, owner, f"tables.rename.{named}")
    for column in table.columns:
        there = column.there
        owner = "Rowferry" if there in (LOADED_AT, LOAD_ID) else ""
        owner = "Postgres" if there in SYSTEM_COLUMNS else owner
        _check_name(table, there, owner, f"columns.{named}.{column.name}.name")
    twice = [n for n, uses in Counter(c.there for c in table.columns).items() if uses > 1]
    if twice:
        reason = f"two columns would have the name {twice[0]}"
        raise TableStopped("copy", f"table {table.id}", reason=reason, hint="Look at columns.*.name")


def _check_name(table: TableSchema, text: str, owner: str, setting: str) -> None:
    """owner: whose name it is, if nobody else may have it."""
    reason = ""
    if len(text.encode()) > MAX_NAME_BYTES:
        reason = f"the name {text!r} is longer than {MAX_NAME_BYTES} bytes, and Postgres would cut it"
    elif owner:
        reason = f"the name {text} is {owner}'s own: it is reserved"
    if reason:
        hint = f"Set {setting} to another name, then run `rowferry resync {table.id.name}`"
        raise TableStopped("copy", f"table {table.id}", reason=reason, hint=hint)


def _postgres_type(table: TableSchema, column: Column) -> str:
    try:
        select_column(column, key=column.name in table.key)
        return column_type(column).postgres
    except UnsupportedType as error:
        chosen = column.policy != NO_POLICY
        hint = f"Mend columns.{table.id.name}.{column.name} in the settings" if chosen else ""
        where = f"table {table.id}, column {column.name}"
        raise TableStopped("copy", where, reason=str(error), hint=hint) from None


def create_table(dataset: str, table: TableSchema) -> Statement:
    """Create the destination table if it is missing. Raises TableStopped."""
    there = table.as_destination()
    key = set(there.key)
    parts = [f"{name(n)} {kind}{' NOT NULL' if n in key else ''}" for n, kind in columns_of(table)]
    parts.append(f"{name(LOADED_AT)} timestamptz NOT NULL")
    parts.append(f"{name(LOAD_ID)} text NOT NULL")
    if there.key:
        parts.append(f"PRIMARY KEY ({', '.join(name(k) for k in there.key)})")
    return ddl(f"CREATE TABLE IF NOT EXISTS {name(dataset, there.id.name)} ({', '.join(parts)})")


def mark_owner(dataset: str, table: TableSchema) -> Statement:
    """Note at the destination table, in its comment, which source table it holds."""
    there = name(dataset, table.there)
    return ddl(f"COMMENT ON TABLE {there} IS {literal(OWNER_PREFIX + str(table.id))}")


def add_columns(dataset: str, table: TableSchema, columns: Sequence[Column]) -> Statement:
    """Add columns, nullable, to the destination table. Raises TableStopped."""
    kinds = dict(columns_of(table))
    names = [c.there for c in columns]
    parts = [f"ADD COLUMN IF NOT EXISTS {name(n)} {kinds[n]}" for n in names]
    return ddl(f"ALTER TABLE {name(dataset, table.there)} {', '.join(parts)}")


def ddl(text: str) -> Statement:
    """A statement without parameters, made of names whose per cent signs were doubled."""
    return Statement(text.replace("%%", "%"))


def same_type(found: str, kind: str) -> bool:
    """Whether a type as Postgres prints it is the one that `columns_of` gives."""
    return kept_name(found) == kept_name(kind)
