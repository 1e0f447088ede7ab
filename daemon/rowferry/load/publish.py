"""The published schema: all captured tables, in dlt's schema storage and in the dataset's own tables.

Makes `_dlt_version`, `_dlt_loads` and `_dlt_pipeline_state` through dlt's code, and never a table
that holds data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import psycopg2
from dlt.common.destination.client import StorageSchemaInfo
from dlt.common.exceptions import DltException
from dlt.common.schema import Schema
from dlt.common.schema.typing import LOADS_TABLE_NAME, PIPELINE_STATE_TABLE_NAME
from dlt.common.storages.load_package import create_load_id
from dlt.common.utils import uniq_id
from dlt.destinations.exceptions import DatabaseException
from dlt.pipeline.state_sync import state_doc
from psycopg2.sql import SQL, Identifier, Placeholder

from rowferry.errors import LoadFailed, RowferryError
from rowferry.load import faults
from rowferry.load.destination import OneTransactionClient, OneTransactionPostgres
from rowferry.load.dlt_schema import Document, base_document, with_tables
from rowferry.load.merge import load_record
from rowferry.load.package import Workspace
from rowferry.load.transaction import SharedTransaction
from rowferry.table_schema import TableSchema

KEPT_VERSIONS: Final = 20


class Publisher:
    """Knows what is published. base: a stored schema of dlt's own tables, for the packages."""

    def __init__(
        self,
        workspace: Workspace,
        destination: OneTransactionPostgres,
        transaction: SharedTransaction,
        dataset: str,
        name: str,
    ) -> None:
        """name: of the pipeline and of its schema."""
        self.base: Document = {}
        self.schema_hash = ""
        self._workspace = workspace
        self._destination = destination
        self._transaction = transaction
        self._dataset = dataset
        self._name = name
        self._tables: tuple[TableSchema, ...] | None = None
        self._next_version = 1

    def require(self) -> None:
        """Raise LoadFailed unless a schema was published by this process."""
        if self._tables is None:
            raise LoadFailed(faults.OPERATION, reason="no schema was published yet")

    def publish(self, tables: Sequence[TableSchema]) -> None:
        """Publish the schema of `tables`, unless it is what is published. Raises Unreachable, LoadFailed."""
        wanted = tuple(sorted(tables, key=lambda table: table.id))
        if wanted == self._tables:
            return
        failure: RowferryError | None = None
        try:
            schema = self._store(wanted)
            self._workspace.publish(schema)
            self._store_state(schema.stored_version_hash)
        except psycopg2.Error as error:
            failure = faults.translate(error, False)
        except DatabaseException as error:
            cause = error.dbapi_exception
            known = cause if isinstance(cause, psycopg2.Error) else psycopg2.ProgrammingError()
            failure = faults.translate(known, False)
        except (DltException, OSError, ValueError, KeyError) as error:
            self._workspace.reset()
            failure = LoadFailed("publish the schema", reason=type(error).__name__)
        if failure is not None:
            self._transaction.close()
            raise failure
        self.schema_hash = schema.stored_version_hash
        self._next_version = (schema.stored_version or 0) + 1
        self._tables = wanted

    def _store(self, tables: Sequence[TableSchema]) -> Schema:
        """Write the schema to the dataset, unless it is the newest there already."""
        self.base = base_document(self._name)
        schema = self._schema(tables, self._next_version)
        client = self._destination.client(schema)
        with client:
            client.initialize_storage()
            newest = client.get_stored_schema(self._name)
            changed = newest is not None and newest.version_hash != schema.stored_version_hash
            if newest is not None and changed and newest.version + 1 != schema.stored_version:
                schema = self._schema(tables, newest.version + 1)
                client.schema = schema
            with client.sql_client.begin_transaction():
                self._update(client, schema, newest)
        return schema

    def _schema(self, tables: Sequence[TableSchema], version: int) -> Schema:
        document = with_tables(self.base, ((table.id.name, table) for table in tables))
        fresh = {**document, "version": version, "version_hash": "", "previous_hashes": []}
        return Schema.from_dict(fresh, validate_schema=False)

    def _update(self, client: OneTransactionClient, schema: Schema, newest: StorageSchemaInfo | None) -> None:
        """Have dlt make its tables and add the version, if it is not the newest one already."""
        if newest is not None and newest.version_hash != schema.stored_version_hash:
            # dlt looks for the hash alone: one that was published before would not become the newest.
            versions = Identifier(self._dataset, schema.version_table_name)
            self._execute(SQL("DELETE FROM {} WHERE version_hash = %s"), versions, schema.stored_version_hash)
        client.update_stored_schema(only_tables=self.base["tables"])
        self._prune(schema)

    def _prune(self, schema: Schema) -> None:
        """Keep the newest versions of the schema only."""
        self._execute(
            SQL(
                "DELETE FROM {0} WHERE schema_name = %s AND version_hash NOT IN (SELECT version_hash"
                " FROM {0} WHERE schema_name = %s ORDER BY inserted_at DESC LIMIT %s)"
            ),
            Identifier(self._dataset, schema.version_table_name),
            self._name,
            self._name,
            KEPT_VERSIONS,
        )

    def _store_state(self, schema_hash: str) -> None:
        """Write the pipeline's state, and a load that it belongs to, unless a restore would find it."""
        load_id = create_load_id()
        document = dict(state_doc(self._workspace.pipeline().state, load_id))
        states = Identifier(self._dataset, PIPELINE_STATE_TABLE_NAME)
        loads = Identifier(self._dataset, LOADS_TABLE_NAME)
        connection = self._transaction.ensure_open()
        with connection.cursor() as cursor:
            cursor.execute(
                SQL(
                    "SELECT s.version_hash FROM {} s JOIN {} l ON l.load_id = s._dlt_load_id"
                    " WHERE s.pipeline_name = %s AND l.status = 0"
                ).format(states, loads),
                (self._name,),
            )
            if cursor.fetchall() == [(document["version_hash"],)]:
                return
            document["_dlt_id"] = uniq_id(10)
            names = SQL(", ").join(map(Identifier, document))
            values = SQL(", ").join(Placeholder() * len(document))
            cursor.execute("BEGIN")
            cursor.execute(SQL("DELETE FROM {} WHERE pipeline_name = %s").format(states), (self._name,))
            cursor.execute(
                SQL("INSERT INTO {} ({}) VALUES ({})").format(states, names, values),
                tuple(document.values()),
            )
            cursor.execute(load_record(self._dataset), (load_id, self._name, schema_hash))
            cursor.execute("COMMIT")

    def _execute(self, text: SQL, table: Identifier, *parameters: object) -> None:
        with self._transaction.connection.cursor() as cursor:
            cursor.execute(text.format(table), parameters)
