"""What the account may do at the source: the rights that the daemon needs, and those it should not have.

Rights come from the account's own grants (SHOW GRANTS, with its roles) and, for SELECT, from what the
catalogue says of each column (information_schema.COLUMNS.PRIVILEGES). A line of SHOW GRANTS may hold a
password's hash: none is ever shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.chunk_sql import quote
from rowferry.findings import FAILURE, OK, WARNING, Finding, shorten
from rowferry.mysql_catalog import selected
from rowferry.mysql_source import SourceServer, query
from rowferry.settings import Settings

EVERYTHING: Final = "ALL PRIVILEGES"
_GRANT: Final = re.compile(r"GRANT (?P<rights>.+?) ON (?P<object>\S.*?) TO ", re.DOTALL)
_COLUMNS: Final = re.compile(r"\([^)]*\)")
_HARMLESS: Final = frozenset(
    {
        "USAGE",
        "SELECT",
        "REPLICATION SLAVE",
        "REPLICATION CLIENT",
        "BINLOG MONITOR",
        "SLAVE MONITOR",
        "REPLICATION MASTER ADMIN",
        "SHOW VIEW",
        "SHOW DATABASES",
        "PROCESS",
        "DELETE HISTORY",
        "LOCK TABLES",
    }
)
_VISIBLE: Final = "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s LIMIT 1"
_READABLE: Final = """
SELECT TABLE_NAME, MIN(FIND_IN_SET('select', PRIVILEGES) > 0) FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = %s GROUP BY TABLE_NAME"""
_IN_PART: Final = """
SELECT DISTINCT TABLE_NAME FROM information_schema.COLUMN_PRIVILEGES
WHERE TABLE_SCHEMA = %s AND PRIVILEGE_TYPE = 'SELECT'"""


@dataclass(frozen=True, slots=True)
class Grant:
    """Rights on an object. rights: in capital letters. object: as the server writes it."""

    rights: frozenset[str]
    object: str


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the source as the server knows it, with its rights."""

    name: str
    grants: tuple[Grant, ...]

    def may(self, *rights: str) -> bool:
        """Whether it has one of these rights on everything."""
        wanted = {EVERYTHING, *rights}
        return any(g.object == "*.*" and g.rights & wanted for g in self.grants)

    def selects(self, database: str) -> bool:
        """Whether it may read all tables of a database, those of tomorrow too."""
        found = (g for g in self.grants if g.rights & {EVERYTHING, "SELECT"})
        return any(g.object == "*.*" or covers(g.object, database) for g in found)


def read_account(control: Connection[Any]) -> Account:
    """The account of this session, and its grants."""
    [(current,)] = query(control, "SELECT CURRENT_USER()")
    lines = [str(row[0]) for row in query(control, "SHOW GRANTS")]
    return Account(account_name(str(current)), tuple(g for line in lines if (g := parse_grant(line))))


def parse_grant(line: str) -> Grant | None:
    """A line of SHOW GRANTS; None for one that gives a role. Rights on single columns are left out."""
    match = _GRANT.match(line)
    if match is None:
        return None
    rights = {part.strip().upper() for part in _COLUMNS.sub("(", match["rights"]).split(",")}
    return Grant(frozenset(r for r in rights if not r.endswith("(")), match["object"])


def account_name(current: str) -> str:
    """`user@host`, as CURRENT_USER() gives it, quoted for a statement."""
    user, _, host = current.rpartition("@")
    return f"{text_literal(user)}@{text_literal(host)}"


def text_literal(text: str) -> str:
    """A text in quotes for a statement that a person runs."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def database_pattern(database: str, *, literal: bool = False) -> str:
    r"""The database in a GRANT, where `_` and `%` stand for other characters unless escaped.

    literal: the server takes them as they are (MySQL with partial_revokes); see
    https://dev.mysql.com/doc/refman/8.4/en/grant.html.
    """
    return quote(database if literal else re.sub(r"([_%])", r"\\\1", database))


def covers(pattern: str, database: str) -> bool:
    """Whether the object of a grant (`db`.*) is a pattern that the database's name matches."""
    if not pattern.endswith(".*"):
        return False
    text = pattern[:-2].strip("`").replace("``", "`")
    parts = re.findall(r"\\.|.", text, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    made = "".join(wild.get(p) or re.escape(p[-1]) for p in parts)
    return bool(re.fullmatch(made, database, re.DOTALL))


def check_grants(control: Connection[Any], server: SourceServer, settings: Settings) -> Iterator[Finding]:
    """The rights without which the daemon does not start."""
    account = read_account(control)
    monitor = "BINLOG MONITOR" if server.is_mariadb else "REPLICATION CLIENT"
    yield _global(account, "REPLICATION SLAVE", "to read the binlog", account.may("REPLICATION SLAVE"))
    may = account.may("REPLICATION CLIENT", "BINLOG MONITOR")
    yield _global(account, monitor, "to ask for the binlog position", may)
    yield _select(control, account, settings)


def may_monitor(control: Connection[Any]) -> bool:
    """Whether the account may ask for the binlog's files and position."""
    return read_account(control).may("REPLICATION CLIENT", "BINLOG MONITOR")


def _global(account: Account, right: str, purpose: str, has: bool) -> Finding:
    if has:
        return Finding(f"grant {right}", OK, f"the account has {right}")
    detail = f"the account lacks {right}, {purpose}"
    sql = (f"GRANT {right} ON *.* TO {account.name};",)
    return Finding(f"grant {right}", FAILURE, detail, f"grant it to {account.name}", sql)


def _select(control: Connection[Any], account: Account, settings: Settings) -> Finding:
    database = settings.source.database
    partial = query(control, "SHOW GLOBAL VARIABLES LIKE 'partial_revokes'")
    literal = bool(partial) and str(partial[0][1]).upper() == "ON"
    pattern = database_pattern(database, literal=literal)
    sql = (f"GRANT SELECT ON {pattern}.* TO {account.name};",)
    if not query(control, _VISIBLE, (database,)):
        detail = f"no table of database {database} can be read"
        remedy = "grant it, or mend the database's name in source.url"
        return Finding("grant SELECT", FAILURE, detail, remedy, sql)
    if account.selects(database):
        return Finding("grant SELECT", OK, f"on all tables of database {database}")
    lacking = _unreadable(control, account, settings)
    if lacking:
        detail = f"not on all columns of {shorten(lacking)}"
        remedy = "grant it on the database, or leave these tables out (tables.exclude)"
        return Finding("grant SELECT", WARNING, detail, remedy, sql, tables=tuple(lacking))
    detail = "not on the whole database: tables that the account may not see are not copied"
    remedy = "grant it on the database, so that new tables are copied too"
    return Finding("grant SELECT", WARNING, detail, remedy, sql)


def _unreadable(control: Connection[Any], account: Account, settings: Settings) -> list[str]:
    """The selected tables that the account sees and may read in part or not at all."""
    database = settings.source.database
    found = {name for name, all_of_it in query(control, _READABLE, (database,)) if not int(all_of_it)}
    tables = {g.object for g in account.grants if g.rights & {EVERYTHING, "SELECT"}}
    in_part = {str(name) for (name,) in query(control, _IN_PART, (database,))}
    found |= {name for name in in_part if f"{quote(database)}.{quote(name)}" not in tables}
    return sorted(name for name in found if selected(name, settings.tables))


def check_excess(control: Connection[Any]) -> Iterator[Finding]:
    """Whether the account could change something: it never needs to."""
    account = read_account(control)
    more = sorted({r for g in account.grants for r in g.rights} - _HARMLESS)
    if not more:
        yield Finding("rights", OK, "the account can read and change nothing")
        return
    yield Finding(
        "rights",
        WARNING,
        f"the account can do more than it needs: {shorten(more)}",
        "give Rowferry an account of its own that can only read: `rowferry init` writes the statements",
    )


def all_ok(findings: Sequence[Finding]) -> bool:
    """Whether nothing in a list fails."""
    return all(f.ok for f in findings)
