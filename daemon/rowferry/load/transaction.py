"""The one connection to Postgres that loads use, and the one transaction on it.

Knows nothing of dlt, batches or tables. A transaction that is not committed is rolled back whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import psycopg2
from psycopg2 import extensions

from rowferry.destination import LOST_CLIENT
from rowferry.errors import ConfigurationError, LoadFailed, RowferryError
from rowferry.load import faults

_KEEPALIVE: Final = {
    "connect_timeout": "15",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


class SharedTransaction:
    """A connection that stays open between loads, and at most one transaction at a time.

    failure: the first thing that went wrong since `begin`. committed: whether COMMIT was confirmed.
    """

    def __init__(self, url: str, search_path: str) -> None:
        """url: of the database, with credentials. search_path: a quoted list. Opens nothing yet."""
        self._dsn = _dsn(url, search_path)
        self._connection: extensions.connection | None = None
        self.active = False
        self.committed = False
        self.failure: BaseException | None = None

    @property
    def connection(self) -> extensions.connection:
        """The open connection. Raises LoadFailed if there is none."""
        if self._connection is None:
            raise LoadFailed(faults.OPERATION, reason="no connection is open")
        return self._connection

    def ensure_open(self) -> extensions.connection:
        """The connection, proven to work at this moment. Raises Unreachable."""
        if self._connection is None or not self._answers(self._connection):
            self.close()
            self._connection = self._open()
        return self._connection

    def begin(self) -> None:
        """Begin the transaction, with a fresh connection if the old one is gone. Raises Unreachable."""
        self.failure = None
        self.committed = False
        connection = self.ensure_open()
        connection.autocommit = False
        self.active = True
        # Said again here, since a connection pooler may drop what the connection was opened with.
        failure = self.attempt(self._read_utc)
        if failure is not None:
            raise failure

    def commit(self) -> None:
        """Commit. Raises CommitUnknown if the connection is lost meanwhile: the outcome is open."""
        failure: RowferryError | None = None
        try:
            self.connection.commit()
        except psycopg2.Error as error:
            lost = faults.is_lost(error, self._closed)
            failure = faults.CommitUnknown() if lost else faults.translate(error, False)
        if failure is not None:
            self.failure = failure
            raise failure
        self.committed = True
        self._end()

    def rollback(self) -> None:
        """Undo everything since `begin`; a connection that cannot even do that is closed."""
        if not self.active:
            return
        try:
            self.connection.rollback()
            self._end()
        except psycopg2.Error:
            self.close()

    def attempt(
        self, action: Callable[[], None], blame: faults.Blame = faults.NOBODY
    ) -> BaseException | None:
        """Do `action`; None, or what went wrong, kept as `failure` and free of row values."""
        failure: BaseException
        try:
            action()
            return None
        except psycopg2.Error as error:
            failure = faults.translate(error, self._closed, blame)
        except (RowferryError, OSError, KeyboardInterrupt, SystemExit) as error:
            failure = error
        self.failure = self.failure or failure
        return failure

    def close(self) -> None:
        """Close the connection; what was not committed is undone by the server."""
        connection, self._connection = self._connection, None
        self.active = False
        if connection is not None and not connection.closed:
            connection.close()

    def _read_utc(self) -> None:
        """Have Postgres read times without a zone as UTC, which is how they are staged."""
        with self.connection.cursor() as cursor:
            cursor.execute("SET LOCAL TimeZone = 'UTC'")

    @property
    def _closed(self) -> bool:
        return self._connection is None or bool(self._connection.closed)

    def _end(self) -> None:
        self.active = False
        self.connection.autocommit = True

    def _open(self) -> extensions.connection:
        try:
            connection = psycopg2.connect(self._dsn)
        except psycopg2.Error as error:
            failure = faults.connection_refused(error)
        else:
            connection.autocommit = True
            return connection
        raise failure

    @staticmethod
    def _answers(connection: extensions.connection) -> bool:
        """Whether the server still answers; whatever was left open on the connection is rolled back."""
        try:
            if connection.info.transaction_status != extensions.TRANSACTION_STATUS_IDLE:
                connection.rollback()
                connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error:
            return False
        return True


def parse(url: str) -> dict[str, str]:
    """libpq's parameters in a connection URL. Raises ConfigurationError, which does not quote the URL."""
    try:
        given: dict[str, str] = extensions.parse_dsn(url)
    except psycopg2.Error:
        given = {}
    if not given:
        raise ConfigurationError("read the destination's URL", reason="it is not a postgresql:// URL")
    return given


def _dsn(url: str, search_path: str) -> str:
    """libpq's connection string: the URL's own parameters, and what exact loading relies on."""
    given = parse(url)
    settings = {
        "search_path": search_path,
        "timezone": "UTC",
        "datestyle": "ISO",
        "intervalstyle": "postgres",
        "jit": "off",
        "default_transaction_isolation": "read committed",
        **LOST_CLIENT,
    }
    options = " ".join(f"-c {name}={_escape(value)}" for name, value in settings.items())
    fixed = {"client_encoding": "UTF8", "options": f"{given.get('options', '')} {options}".strip()}
    return extensions.make_dsn(**{"application_name": "rowferry", **_KEEPALIVE, **given, **fixed})


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
