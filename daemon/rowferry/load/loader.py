"""The loader: publishes schemas and loads batches, the face of this package.

Holds the order of things: begin, write the package, let dlt load it, clean up. Not thread-safe; one
loader a process, since dlt's surroundings are the process's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
from dlt.common.exceptions import DltException

from rowferry.changes import LoadReceipt, LoadRequest
from rowferry.errors import ConfigurationError, LoadFailed
from rowferry.load import environment, faults
from rowferry.load.destination import OneTransactionPostgres
from rowferry.load.package import Workspace
from rowferry.load.plan import Plan, plan
from rowferry.load.publish import Publisher
from rowferry.load.running import RunningLoad
from rowferry.load.staging import Staging
from rowferry.load.transaction import SharedTransaction
from rowferry.table_schema import TableSchema

# Whatever dlt, the disk or Arrow may raise; Postgres's own errors never come out of dlt.
_EXPECTED: Final = (DltException, OSError, pa.ArrowException, ValueError, KeyError)


class Loader:
    """Loads batches into one dataset, each in one Postgres transaction, through dlt."""

    def __init__(
        self,
        destination_url: str,
        dataset: str,
        pipelines_dir: Path,
        pipeline_name: str = "rowferry",
    ) -> None:
        """destination_url: postgresql://..., with the password. Connects to nothing yet.

        What a former process left in `pipelines_dir` for this pipeline is abandoned.
        """
        _make(pipelines_dir)
        environment.isolate(pipelines_dir)
        self._transaction = SharedTransaction(destination_url, f"{_quoted(dataset)},public")
        staging = Staging(f"{dataset}_staging")
        self._running = RunningLoad(self._transaction, dataset, staging, pipeline_name)
        destination = OneTransactionPostgres(destination_url, dataset, self._running)
        self._workspace = Workspace(pipelines_dir, pipeline_name, destination, dataset)
        self._publisher = Publisher(self._workspace, destination, self._transaction, dataset, pipeline_name)

    def publish_schema(self, tables: Sequence[TableSchema]) -> None:
        """Make the full schema known to dlt, here and in the dataset; only a changed one is written.

        Makes the dataset and dlt's own tables if they are missing, never a table with data. Raises
        Unreachable or LoadFailed.
        """
        self._publisher.publish(tables)

    def load(self, request: LoadRequest) -> LoadReceipt:
        """Load a batch: all of it is committed, or nothing of it.

        Raises TableLoadFailed, FencedOff, Unreachable, CommitUnknown, LoadFailed; after all but
        CommitUnknown the destination is as it was before.
        """
        started = time.monotonic()
        planned = plan(request)
        self._publisher.require()
        try:
            failure = self._load(planned)
            committed = self._transaction.committed
        finally:
            self._running.end()
            self._workspace.discard(planned.load_id)
        if failure is not None and self._transaction.failure is None:
            self._workspace.reset()
        if failure is not None and not committed:
            raise failure
        self._workspace.purge()
        seconds = time.monotonic() - started
        return LoadReceipt(planned.load_id, seconds, planned.rows, dict(self._running.stages))

    def close(self) -> None:
        """Close the connection. The loader opens it again if it is used again."""
        self._transaction.close()

    def _load(self, planned: Plan) -> BaseException | None:
        """Have dlt load the plan; what went wrong, free of row values."""
        self._running.begin(planned, self._publisher.schema_hash)
        try:
            started = time.monotonic()
            self._workspace.write(planned, self._publisher.base)
            self._running.stages["package"] = time.monotonic() - started
            self._workspace.pipeline().load(workers=1)
        except _EXPECTED as error:
            cause = getattr(error, "exception", None) or error
            interrupt = cause if isinstance(cause, KeyboardInterrupt) else None
            unknown = interrupt or LoadFailed(faults.OPERATION, reason=type(cause).__name__)
            return self._transaction.failure or unknown
        if not self._transaction.committed:
            return LoadFailed(faults.OPERATION, reason="dlt did not load the package")
        return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        hint = "Set state_dir to a folder that this account may write"
        raise ConfigurationError("make a folder", str(directory), reason=reason, hint=hint) from None
