"""dlt's Postgres destination, made to load a whole package in one transaction.

Jobs COPY into the staging twins; nothing is merged before `complete_load`, which merges every table,
writes dlt's load record and the request's statements, and commits. The connection, the client and
the configuration are kept between loads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.client import LoadJob, RunnableLoadJob, TLoadJobState
from dlt.common.destination.exceptions import DestinationTerminalException
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.normalizers.naming import NamingConvention
from dlt.common.normalizers.naming.direct import NamingConvention as DirectNaming
from dlt.common.schema import Schema
from dlt.destinations.impl.postgres.configuration import PostgresClientConfiguration, PostgresCredentials
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from dlt.destinations.typing import DBTransaction
from psycopg2 import extensions
from typing_extensions import override

from rowferry.load.running import RunningLoad
from rowferry.load.transaction import parse


class StagingFailed(DestinationTerminalException):
    """Tells dlt that a job failed for good; the reason is the running load's `failure`."""


class CopyJob(RunnableLoadJob):
    """COPY of one CSV file into its table's staging twin."""

    _job_client: OneTransactionClient

    @override
    def run(self) -> None:
        """Copy. Raises StagingFailed, which carries nothing of the rows."""
        failure = self._job_client.running.stage(Path(self._file_path))
        if failure is not None:
            raise StagingFailed(type(failure).__name__)

    @override
    def state(self) -> TLoadJobState:
        """dlt's; a job runs inside the call that starts it, so one that still runs has died."""
        state = super().state()
        return "failed" if state == "running" else state

    @override
    def failed_message(self) -> str:
        """No traceback, since dlt writes this to a file."""
        return type(self).__name__


class SharedSqlClient(Psycopg2SqlClient):
    """dlt's SQL client on the shared connection, whose transaction is only ended by its owner."""

    def __init__(self, running: RunningLoad, *arguments: Any) -> None:
        """running: the owner; arguments: dlt's."""
        super().__init__(*arguments)
        self._transaction = running.transaction

    @override
    def open_connection(self) -> extensions.connection:
        """Use the shared connection, which is opened where no transaction runs."""
        transaction = self._transaction
        connection = transaction.connection if transaction.active else transaction.ensure_open()
        self._conn = connection
        return connection

    @override
    def close_connection(self) -> None:
        """Let go of the shared connection."""
        self._conn = None

    @override
    @contextmanager
    def begin_transaction(self) -> Iterator[DBTransaction]:
        """dlt's own, or a part of the transaction that is already under way."""
        if self._transaction.active or not self._conn.autocommit:
            yield self
        else:
            with super().begin_transaction():
                yield self

    @override
    def _reset_connection(self) -> None:
        """Leave a failed transaction to its owner."""
        if not self._transaction.active:
            super()._reset_connection()


class OneTransactionClient(PostgresClient):
    """dlt's Postgres client, whose packages are complete when their one transaction is committed."""

    def __init__(
        self,
        running: RunningLoad,
        schema: Schema,
        config: PostgresClientConfiguration,
        capabilities: DestinationCapabilitiesContext,
    ) -> None:
        """running: the load that jobs and completion belong to."""
        super().__init__(schema, config, capabilities)
        self.running = running
        stock = self.sql_client
        self.sql_client = SharedSqlClient(
            running,
            stock.dataset_name,
            stock.staging_dataset_name,
            config.credentials,
            capabilities,
        )

    @override
    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        """A CopyJob for every file."""
        return CopyJob(file_path)

    @override
    def complete_load(self, load_id: str) -> None:
        """Merge, record and commit. Raises what went wrong; the owner rolls back."""
        failure = self.running.complete()
        if failure is not None:
            raise failure


class OneTransactionPostgres(dlt.destinations.postgres):
    """The destination factory; dlt's state names it as stock Postgres, so that any dlt can attach."""

    def __init__(self, url: str, dataset: str, running: RunningLoad) -> None:
        """url: its password stays with the connection; dlt gets none."""
        credentials = _credentials(url)
        super().__init__(credentials=credentials)
        self._running = running
        self._configuration = PostgresClientConfiguration(
            credentials=credentials, create_indexes=False
        )._bind_dataset_name(dataset)
        self._configuration.enable_dataset_name_normalization = False
        self._capabilities = super().capabilities(self._configuration, DirectNaming())
        self._capabilities.preferred_loader_file_format = "csv"
        self._client: OneTransactionClient | None = None

    @property
    def destination_type(self) -> str:
        """Stock Postgres."""
        return "dlt.destinations.postgres"

    @property
    def client_class(self) -> type[PostgresClient]:
        """The one-transaction client."""
        return OneTransactionClient

    @override
    def configuration(
        self, initial_config: PostgresClientConfiguration, accept_partial: bool = False
    ) -> PostgresClientConfiguration:
        """Always the same one, resolved once."""
        return self._configuration

    @override
    def capabilities(
        self, config: PostgresClientConfiguration | None = None, naming: NamingConvention | None = None
    ) -> DestinationCapabilitiesContext:
        """Always the same ones, those of a naming convention that keeps names."""
        return self._capabilities

    @override
    def client(
        self, schema: Schema, initial_config: PostgresClientConfiguration | None = None
    ) -> OneTransactionClient:
        """The client for `schema`, kept until another schema comes."""
        if self._client is None or self._client.schema is not schema:
            self._client = OneTransactionClient(
                self._running, schema, self._configuration, self._capabilities
            )
        return self._client


def _credentials(url: str) -> PostgresCredentials:
    """What dlt needs to name the place; connections are not made by it."""
    given = parse(url)
    credentials = PostgresCredentials()
    credentials.host = given.get("host") or "localhost"
    credentials.database = given.get("dbname") or given.get("user") or "postgres"
    credentials.username = given.get("user") or "postgres"
    credentials.password = ""
    credentials.resolve()
    return credentials
