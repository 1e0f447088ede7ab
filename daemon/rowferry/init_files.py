"""The files that `rowferry init` writes, as texts: settings, SQL for both servers, the unit's drop-in.

Pure but for the passwords, which come from the operating system's source of randomness.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Final

from rowferry.check_grants import database_pattern, text_literal
from rowferry.check_source import WANTED, keep_a_week
from rowferry.destination import ddl, literal, name
from rowferry.init_answers import Answers
from rowferry.setting_groups import LOOPBACK

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
CREDENTIALS: Final = "credentials"
SOURCE_FILE: Final = "ROWFERRY_SOURCE__PASSWORD"
DESTINATION_FILE: Final = "ROWFERRY_DESTINATION__PASSWORD"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to write. path: below the chosen folder. mode: its permissions."""

    path: str
    text: str
    mode: int


def new_password() -> str:
    """A password of 192 random bits, with characters of all classes, that needs no quoting in SQL."""
    return f"{secrets.token_urlsafe(24)}-Aa1"


def make_files(answers: Answers, source_password: str, destination_password: str) -> list[NewFile]:
    """All files; those that hold a password are private."""
    unit = f"rowferry@{answers['name']}.service.d/override.conf"
    return [
        NewFile("rowferry.toml", settings_text(answers), PUBLIC),
        NewFile("source.sql", source_sql(answers, source_password), PRIVATE),
        NewFile("destination.sql", destination_sql(answers, destination_password), PRIVATE),
        NewFile(f"{CREDENTIALS}/{SOURCE_FILE}", source_password, PRIVATE),
        NewFile(f"{CREDENTIALS}/{DESTINATION_FILE}", destination_password, PRIVATE),
        NewFile(unit, drop_in(answers), PUBLIC),
    ]


def settings_text(answers: Answers) -> str:
    """rowferry.toml, without a password."""
    profile = 'profile = "opendental"\n\n' if answers.opendental else ""
    return (
        f"# Rowferry, instance {answers['name']}. Passwords are in files of their own.\n"
        f"{profile}[source]\nurl = {_toml(answers.source_url)}\n\n"
        f"[destination]\nurl = {_toml(answers.destination_url)}\ndataset = {_toml(answers['dataset'])}\n"
    )


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def source_sql(answers: Answers, password: str) -> str:
    """The account with its rights, and the binlog's settings: for the source's administrator."""
    account = f"{text_literal(answers['source_account'])}@{text_literal(answers['account_host'])}"
    monitor = "BINLOG MONITOR" if answers.is_mariadb else "REPLICATION CLIENT"
    verb = "SET GLOBAL" if answers.is_mariadb else "SET PERSIST"
    lines = [
        "-- Run this at the source as its administrator. It holds a password: delete it afterwards.",
        f"CREATE USER {account} IDENTIFIED BY {text_literal(password)};",
        f"GRANT SELECT ON {database_pattern(answers['source_database'])}.* TO {account};",
        f"GRANT REPLICATION SLAVE, {monitor} ON *.* TO {account};",
        "-- These take effect for sessions that connect from now on:",
        *(f"{verb} {setting} = '{value}';" for setting, value in WANTED.items()),
        "-- In the server's configuration (my.cnf, my.ini), so that it lasts; log_bin needs a restart.",
        "-- A server_id that is there already stays as it is.",
        *(f"--   {line}" for line in configuration(answers)),
    ]
    return "\n".join(lines) + "\n"


def configuration(answers: Answers) -> list[str]:
    """Lines for the source's configuration file."""
    kept = keep_a_week("mariadb" if answers.is_mariadb else "mysql", answers.version)
    settings = [f"{setting}={value}" for setting, value in (*WANTED.items(), kept)]
    return ["[mysqld]", "server_id=1", "log_bin=binlog", *settings]


def destination_sql(answers: Answers, password: str) -> str:
    """The account and its right to make schemas: for a superuser of Postgres."""
    role, database = (name(answers[k]) for k in ("destination_account", "destination_database"))
    lines = [
        "-- Run this in Postgres as a superuser. It holds a password: delete it afterwards.",
        "-- If there is no such database yet, make it first:",
        f"-- CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0;",
        f"CREATE ROLE {role} LOGIN PASSWORD {literal(password)};",
        f"GRANT CONNECT, CREATE ON DATABASE {database} TO {role};",
    ]
    return ddl("\n".join(lines) + "\n").text


def drop_in(answers: Answers) -> str:
    """What the unit rowferry@NAME needs beside its template: to start after servers on this machine."""
    after = []
    if answers["source_host"] in LOOPBACK:
        after.append("mariadb.service" if answers.is_mariadb else "mysql.service")
    if answers["destination_host"] in LOOPBACK:
        after.append("postgresql.service")
    order = f"After={' '.join(after)}\n" if after else ""
    return (
        f"# /etc/systemd/system/rowferry@{answers['name']}.service.d/override.conf\n[Unit]\n"
        f"Description=Rowferry: copy of {answers['source_database'].replace('%', '%%')}\n{order}"
    )
