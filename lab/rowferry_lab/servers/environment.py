"""Servers that somebody else runs, named by URLs in the environment.

`ROWFERRY_LAB_<PRODUCT>_<VERSION>_URL` names the server for one version (`ROWFERRY_LAB_MARIADB_10_5_URL`,
`ROWFERRY_LAB_POSTGRES_15_URL`); it must be of that version. `ROWFERRY_LAB_<PRODUCT>_URL`
(`ROWFERRY_LAB_MYSQL_URL`) serves whichever version it turns out to be. The user must be allowed to create
databases; for a source, also to replicate. Such servers are never stopped or killed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql

from rowferry_lab.servers.errors import NotOurs, ProviderUnavailable
from rowferry_lab.servers.running import RunningServer
from rowferry_lab.servers.spec import Product, ServerSpec, read_version

_LOGIN_SECONDS = 5
_DEFAULTS: dict[Product, tuple[int, str]] = {
    "mariadb": (3306, "root"),
    "mysql": (3306, "root"),
    "postgres": (5432, "postgres"),
}


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL."""

    host: str
    port: int
    user: str
    password: str


class NotStoppable:
    """The handle of a server that is not ours."""

    pid: int | None = None

    def stop(self) -> None:
        """Leave it running."""

    discard = stop

    def shut_down(self) -> None:
        """Refuse."""
        raise NotOurs("the server was named by the environment: it is not ours to shut down")

    kill = restart = shut_down


def variable_names(spec: ServerSpec) -> tuple[str, str]:
    """Give the variable for exactly this version, and the one for the product."""
    product = f"ROWFERRY_LAB_{spec.product.upper()}"
    return f"{product}_{spec.version.replace('.', '_')}_URL", f"{product}_URL"


def parse_url(product: Product, url: str) -> Address:
    """Split a URL; a user, a host and a port may be left out."""
    parts = urlsplit(url)
    port, user = _DEFAULTS[product]
    return Address(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or port,
        user=unquote(parts.username or user),
        password=unquote(parts.password or ""),
    )


class EnvironmentProvider:
    """Serves what the environment names."""

    name = "environment"

    def check(self, spec: ServerSpec) -> str:
        """Look for a variable, ask the server for its version, and compare."""
        variable, _, _ = self._find(spec)
        return f"named by {variable}"

    def start(self, spec: ServerSpec, options: Sequence[str], data_dir: Path | None) -> RunningServer:
        """Give the server out as it is."""
        variable, address, version_text = self._find(spec)
        if options or data_dir:
            raise ProviderUnavailable(spec, f"{variable} names a server that cannot be given options")
        return RunningServer(
            spec=spec,
            provider=self.name,
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            version_text=version_text,
            handle=NotStoppable(),
        )

    def _find(self, spec: ServerSpec) -> tuple[str, Address, str]:
        names = variable_names(spec)
        variable = next((name for name in names if os.environ.get(name)), None)
        if variable is None:
            raise ProviderUnavailable(spec, f"{names[0]} is not set")
        address = parse_url(spec.product, os.environ[variable])
        version_text = _ask(spec, address, variable)
        reported = read_version(spec.product, version_text)
        if reported is None or not spec.is_met_by(reported.product, reported.version):
            raise ProviderUnavailable(spec, f"{variable} names a server of another version, {version_text}")
        return variable, address, version_text


def _ask(spec: ServerSpec, address: Address, variable: str) -> str:
    try:
        return _postgres_version(address) if spec.product == "postgres" else _mysql_version(address)
    except (pymysql.MySQLError, psycopg.Error, OSError) as error:
        reason = f"{variable} names {address.host}:{address.port}, which does not let us in"
        raise ProviderUnavailable(spec, reason, hint=type(error).__name__) from error


def _postgres_version(address: Address) -> str:
    with psycopg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        dbname="postgres",
        connect_timeout=_LOGIN_SECONDS,
    ) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else ""


def _mysql_version(address: Address) -> str:
    with (
        pymysql.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            connect_timeout=_LOGIN_SECONDS,
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT VERSION()")
        row = cursor.fetchone()
    return str(row[0]) if row else ""
