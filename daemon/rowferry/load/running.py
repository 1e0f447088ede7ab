"""The load under way: what dlt's jobs and its completion do inside the one transaction.

Knows Postgres and the plan, nothing of dlt.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from psycopg2.sql import SQL, Composable, Identifier

from rowferry import failpoints
from rowferry.changes import Statement
from rowferry.errors import FencedOff
from rowferry.load import faults, merge, straight
from rowferry.load.plan import Part, Plan
from rowferry.load.staging import Staging
from rowferry.load.transaction import SharedTransaction
from rowferry.table_schema import TableSchema


class RunningLoad:
    """One load at a time on the shared transaction: staged file by file, then completed.

    stages: seconds by stage.
    """

    def __init__(self, transaction: SharedTransaction, dataset: str, staging: Staging, name: str) -> None:
        """name: dlt's name of the pipeline and of its schema."""
        self.transaction = transaction
        self.staging = staging
        self.stages: dict[str, float] = {}
        self._dataset = dataset
        self._name = name
        self._plan = Plan("", (), ())
        self._schema_hash = ""

    def begin(self, plan: Plan, schema_hash: str) -> None:
        """Begin the transaction of a load. schema_hash: of the published schema."""
        self._plan = plan
        self._schema_hash = schema_hash
        self.stages = {}
        self.transaction.begin()

    def stage(self, path: Path) -> BaseException | None:
        """Copy one file of the plan into its table's twin, or the table; what went wrong, if anything did."""
        part = self._plan.part(path.name)
        if part.fresh:
            return self._do("stage", lambda: self._straight(part, path), faults.Blame(part.table))
        blame = faults.Blame(part.table, staging=True)
        return self._do("stage", lambda: self.staging.copy(self.transaction.connection, part, path), blame)

    def complete(self) -> BaseException | None:
        """Merge all tables, write the records, run the statements, commit; what went wrong."""
        failpoints.hit("load-staged")
        for deletes, upserts in self._plan.tables():
            if upserts is not None and upserts.fresh:
                continue
            failure = self._merge_table(deletes, upserts)
            if failure is not None:
                return failure
        failpoints.hit("load-merged")
        return self._do("record", self._record) or self._run_all() or self._commit()

    def end(self) -> None:
        """Let go of the plan; what is not committed is rolled back, with the twins that it may have made."""
        self._plan = Plan("", (), ())
        if not self.transaction.committed:
            self.transaction.rollback()
            self.staging.forget()

    def _straight(self, part: Part, path: Path) -> None:
        straight.copy(self.transaction.connection, self._dataset, part, path)

    def _merge_table(self, deletes: Part | None, upserts: Part | None) -> BaseException | None:
        table = _table(deletes, upserts)
        texts = merge.statements(self._dataset, self.staging, deletes, upserts, self._plan.load_id)

        def merge_all() -> None:
            for text in texts:
                self._execute(text)
            self.staging.empty(self.transaction.connection, table)

        return self._do("merge", merge_all, faults.Blame(table))

    def _record(self) -> None:
        """dlt's own load record."""
        self._execute(merge.load_record(self._dataset), (self._plan.load_id, self._name, self._schema_hash))
        # A restore reads the state through its load; loads are pruned, so it goes along with the newest.
        self._execute(
            SQL("UPDATE {} SET _dlt_load_id = %s WHERE pipeline_name = %s").format(
                Identifier(self._dataset, "_dlt_pipeline_state")
            ),
            (self._plan.load_id, self._name),
        )

    def _run_all(self) -> BaseException | None:
        """The caller's statements; what Postgres refuses is the doing of the table that they change."""
        for statement in self._plan.statements:
            blame = faults.Blame(statement.table) if statement.table is not None else faults.NOBODY
            failure = self._do("record", partial(self._run, statement), blame)
            if failure is not None:
                return failure
        return None

    def _run(self, statement: Statement) -> None:
        touched = self._execute(statement.text, tuple(statement.parameters) or None)
        if statement.rows is not None and touched != statement.rows:
            raise FencedOff(
                faults.OPERATION,
                "checkpoint",
                reason=f"a statement touched {touched} rows where {statement.rows} were expected",
                hint="Another instance has taken over, or somebody deleted the checkpoint.",
            )

    def _commit(self) -> BaseException | None:
        failpoints.hit("before-commit")
        failure = self._do("commit", self.transaction.commit)
        if failure is None:
            failpoints.hit("after-commit")
        return failure

    def _execute(self, text: str | Composable, parameters: tuple[object, ...] | None = None) -> int:
        """Execute; how many rows were touched. Without parameters a % is just a %."""
        with self.transaction.connection.cursor() as cursor:
            cursor.execute(text, parameters)
            return cursor.rowcount

    def _do(
        self, stage: str, action: Callable[[], None], blame: faults.Blame = faults.NOBODY
    ) -> BaseException | None:
        started = time.monotonic()
        failure = self.transaction.attempt(action, blame)
        self.stages[stage] = self.stages.get(stage, 0.0) + time.monotonic() - started
        return failure


def _table(deletes: Part | None, upserts: Part | None) -> TableSchema:
    part = upserts or deletes
    if part is None:
        raise ValueError("a table without parts")
    return part.table
