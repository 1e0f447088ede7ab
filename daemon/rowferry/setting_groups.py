"""The groups of settings: what there is to set, its default, and what is accepted.

Pure models; `settings` reads them from their sources.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from rowferry.column_settings import destination_name

LISTEN_OFF: Final = "off"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that are this machine."""


def _split_list(value: Any) -> Any:
    """Globs from `a,b`, or from a JSON list; `[ab]*` is a glob, so only quotes make a text JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("[") and '"' in value:
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError('must be globs separated by commas, or a JSON list: ["a*", "b"]') from None
    return [part.strip() for part in value.split(",") if part.strip()]


Globs = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_list)]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsSettings(_Group):
    """How the connection to the source is encrypted."""

    mode: Literal["disabled", "required", "verify-ca", "verify-identity"] | None = Field(
        default=None, description="unset: verify-identity if `ca` is given, else as the server offers"
    )
    ca: Path | None = Field(default=None, description="file with the certificate authority's certificate")
    cert: Path | None = Field(default=None, description="file with the client's certificate")
    key: Path | None = Field(default=None, description="file with the client's private key")


class SourceSettings(_Group):
    """The MySQL or MariaDB server and database to read."""

    url: str = Field(description="mysql://user@host:3306/database")
    password: SecretStr | None = Field(default=None, description="password, if not in the URL")
    server_id: int | None = Field(
        default=None, ge=1, le=4294967295, description="replica id; unset: derived from the dataset"
    )
    tls: TlsSettings = TlsSettings()
    heartbeat_seconds: float = Field(default=1.0, gt=0, le=60, description="binlog heartbeat period")
    connect_timeout_seconds: int = Field(default=10, ge=1, description="time to wait for a connection")

    @field_validator("url")
    @classmethod
    def _check(cls, value: str) -> str:
        parts = _split(value, ("mysql", "mariadb"))
        if not parts.path.strip("/") or "/" in parts.path.strip("/"):
            raise ValueError("must name one database: mysql://user@host:3306/database")
        return value

    @property
    def host(self) -> str:
        """Host name or address."""
        return urlsplit(self.url).hostname or "localhost"

    @property
    def port(self) -> int:
        """TCP port."""
        return urlsplit(self.url).port or 3306

    @property
    def user(self) -> str:
        """Account name."""
        return unquote(urlsplit(self.url).username or "rowferry")

    @property
    def database(self) -> str:
        """The database to copy."""
        return unquote(urlsplit(self.url).path.strip("/"))

    @property
    def secret(self) -> str:
        """The password; "" if there is none."""
        if self.password is not None:
            return self.password.get_secret_value()
        return unquote(urlsplit(self.url).password or "")


class DestinationSettings(_Group):
    """The Postgres server, database and schema to write."""

    url: str = Field(description="postgresql://user@host:5432/database")
    password: SecretStr | None = Field(default=None, description="password, if not in the URL")
    dataset: str = Field(default="raw", description="Postgres schema that holds the copy")

    @field_validator("url")
    @classmethod
    def _check(cls, value: str) -> str:
        parts = _split(value, ("postgresql", "postgres"))
        if not parts.path.strip("/"):
            raise ValueError("must name a database: postgresql://user@host:5432/database")
        return value

    @field_validator("dataset")
    @classmethod
    def _check_dataset(cls, value: str) -> str:
        if not value or len(value.encode()) > 54 or '"' in value or value.startswith("pg_"):
            raise ValueError("must be a schema name of 1 to 54 bytes, without a quote, not starting with pg_")
        return value

    @property
    def host(self) -> str:
        """Host name or address."""
        return urlsplit(self.url).hostname or "localhost"

    @property
    def port(self) -> int:
        """TCP port."""
        return urlsplit(self.url).port or 5432

    @property
    def database(self) -> str:
        """The database that holds the copy."""
        return unquote(urlsplit(self.url).path.strip("/"))

    @property
    def secret(self) -> str:
        """The password; "" if there is none."""
        if self.password is not None:
            return self.password.get_secret_value()
        return unquote(urlsplit(self.url).password or "")


class TableSettings(_Group):
    """Which tables are copied: names that match a glob of `include` and none of `exclude`."""

    include: Globs = Field(default=("*",), description="globs of table names, separated by commas")
    exclude: Globs = Field(default=(), description="globs of table names, separated by commas")
    rename: dict[str, str] = Field(default={}, description="names in the destination, by table")

    @field_validator("rename")
    @classmethod
    def _check_rename(cls, value: dict[str, str]) -> dict[str, str]:
        names = [destination_name(name) for name in value.values()]
        if len(set(names)) != len(names):
            raise ValueError("two tables would have one name")
        return value


class BatchSettings(_Group):
    """When a micro-batch closes. Under backlog it grows up to `max_bytes`."""

    max_age_seconds: float = Field(default=0.5, gt=0, le=60, description="oldest change waits this long")
    max_rows: int = Field(default=100_000, ge=1, description="row changes in one batch")
    max_bytes: int = Field(
        default=32 << 20, ge=1 << 16, description="bytes of row images waiting to be loaded"
    )


class CopySettings(_Group):
    """How tables are copied while the stream goes on."""

    connections: int | None = Field(
        default=None, ge=1, le=32, description="SELECTs at the same time; unset: 2, or 1 on up to two cores"
    )
    max_rows_per_second: float | None = Field(
        default=None, gt=0, description="bound on all copies together; unset: none"
    )
    first: Globs = Field(default=(), description="globs of tables to copy before the others")
    chunk_seconds: float = Field(default=0.2, gt=0, le=10, description="one SELECT takes no longer")
    max_chunk_rows: int = Field(default=50_000, ge=1, description="rows of one SELECT at most")
    keyless_seconds: float = Field(
        default=60.0, ge=0, description="least time between two copies of a table without a key"
    )
    keyless_max_rows: int = Field(
        default=1_000_000, ge=1, description="a table without a key that has more rows stops"
    )
    settle_seconds: float = Field(
        default=2.0, ge=0.1, le=60, description="how long a change may take from the binlog to a SELECT"
    )

    @property
    def parallel(self) -> int:
        """SELECTs at the same time: on two cores a second one only takes time from the servers beside it."""
        return self.connections or (2 if (os.cpu_count() or 1) > 2 else 1)


class SchemaSettings(_Group):
    """How changes of the source's tables are followed."""

    changes: Literal["apply", "hold"] = Field(
        default="apply", description="hold: a table whose layout changed waits for `rowferry schema apply`"
    )
    dropped_columns: Literal["keep", "drop"] = Field(
        default="keep",
        description="a column that the source dropped; a kept one is NULL in later rows",
    )
    dropped_tables: Literal["keep", "drop"] = Field(
        default="keep", description="what becomes of a table that the source dropped"
    )
    rebuild_names: Globs = Field(
        default=("tempConv_{table}", "tempConv_{table}[0-9]*"),
        description="globs; while the source has such a table, {table} is rebuilt, and keeps its rows here",
    )
    rebuild_seconds: float = Field(default=3600.0, ge=0, description="how long a rebuild is waited for")


class VerifySettings(_Group):
    """The continuous comparison of all tables with their copies."""

    continuous: bool = Field(default=False, description="compare all tables again and again")
    period_hours: float = Field(default=24.0, gt=0, description="each table once in this time")
    max_rows_per_second: float = Field(default=20_000, gt=0, description="bound on the rows that it reads")


class HttpSettings(_Group):
    """The daemon's small HTTP server."""

    listen: str = Field(default="127.0.0.1:9580", description="address:port, or off")
    ready_lag_seconds: float | None = Field(
        default=None, gt=0, description="/readyz says no while the lag is greater; unset: no limit"
    )

    @field_validator("listen")
    @classmethod
    def _check(cls, value: str) -> str:
        if value != LISTEN_OFF and not value.rpartition(":")[2].isdigit():
            raise ValueError("must be address:port, for instance 127.0.0.1:9580")
        return value


class LogSettings(_Group):
    """How the daemon logs."""

    format: Literal["auto", "text", "json", "journal"] = Field(
        default="auto", description="auto: text on a terminal, journal in systemd's journal, else json"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level shown"
    )


def split_listen(listen: str) -> tuple[str, str]:
    """Host (without brackets) and port of address:port, as `http.listen` has them."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), port


def _split(url: str, schemes: Sequence[str]) -> SplitResult:
    form = f"{schemes[0]}://user@host:port/database"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text quotes the URL, perhaps the password
        reason = "with a port from 1 to 65535, and %2F %23 %3F %5B %5D for / # ? [ ] in a password"
        raise ValueError(f"must look like {form}, {reason}") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"must look like {form}")
    if port == 0:
        raise ValueError("must have a port from 1 to 65535")
    return parts
