"""The book of tables: what is known of each captured table, and what a change at the source does to it.

Holds the decisions, as values: new records and the statements that make them true in Postgres. Only the
loader changes the book; the statements commit together with the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from rowferry.changes import Statement
from rowferry.checkpoint import CopyProgress, TableRecord, TableStatus, save_table
from rowferry.destination import (
    LOAD_ID,
    LOADED_AT,
    Session,
    add_columns,
    columns_of,
    create_table,
    mark_owner,
    run_groups,
    same_type,
)
from rowferry.errors import TableStopped
from rowferry.fitting import make_fit
from rowferry.standing import Standing
from rowferry.table_schema import TableId, TableSchema, diff, with_kept

CAPTURED = frozenset({TableStatus.COPYING, TableStatus.STREAMING})


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a table. copy: whether it must be copied from its start. reason: for the log.

    made: whether its destination table is new. policy: that of a column that stopped the table; "" as a rule.
    """

    record: TableRecord
    statements: tuple[Statement, ...]
    copy: bool = False
    reason: str = ""
    policy: str = ""
    made: bool = False


@dataclass(slots=True)
class TableBook:
    """Records by table, and a number for each copy that was begun (`generation`).

    empty: tables whose destination table was made for the copy that is under way. version: rises whenever a
    table's record was replaced, so that a reader sees that it read an older one.
    """

    dataset: str
    records: dict[TableId, TableRecord] = field(default_factory=dict)
    generations: dict[TableId, int] = field(default_factory=dict)
    empty: set[TableId] = field(default_factory=set)
    version: int = 0
    _numbers: Iterable[int] = field(default_factory=lambda: count(1))

    def captured(self, table: TableId) -> TableRecord | None:
        """The record of a table whose changes are applied."""
        record = self.records.get(table)
        return record if record is not None and record.status in CAPTURED else None

    def is_transactional(self, table: TableId) -> bool:
        """Whether a rollback undoes changes to the table; true for tables that are not captured."""
        record = self.records.get(table)
        return record is None or record.table.transactional

    def accept(self, decision: Decision) -> None:
        """Make a committed decision the book's truth."""
        self.records[decision.record.table.id] = decision.record
        table = decision.record.table.id
        (self.empty.add if decision.made else self.empty.discard)(table)
        if decision.copy:
            self.next_generation(table)
        self.version += 1

    def generation(self, table: TableId) -> int:
        """The number of the table's last copy since the start; 0 if none was begun."""
        return self.generations.get(table, 0)

    def next_generation(self, table: TableId) -> int:
        """A new number for the table's copy; chunks of an older one are out of date."""
        self.generations[table] = next(iter(self._numbers))
        return self.generations[table]

    def schemas(self) -> list[TableSchema]:
        """The layouts of all tables that have a destination table, named as there."""
        records = self.records.values()
        return [r.table.as_destination() for r in records if r.status is not TableStatus.STOPPED]

    def copy_began(self, table: TableId) -> str:
        """The load id before the first row of the table's copy; "" if it is not being copied."""
        record = self.records.get(table)
        return record.copy.began if record is not None and record.status is TableStatus.COPYING else ""

    def at_destination(self, there: TableId) -> TableId | None:
        """The captured table whose destination table is named so; others may have had the name."""
        named = (t for t, r in self.records.items() if r.table.as_destination().id == there)
        return next((t for t in named if self.captured(t) is not None), None)

    def with_status(self, status: TableStatus) -> list[TableRecord]:
        """The records in that state."""
        return [r for r in self.records.values() if r.status is status]


def adopt(dataset: str, table: TableSchema, standing: Standing, load_id: str) -> Decision:
    """A table to copy from its start: make its destination table, or make the one that stands fit.

    load_id: the last one in use.
    """
    try:
        columns_of(table)
        _require_own(table, standing)
        _require_made_here(table, standing)
        fit = make_fit(dataset, table, standing)
    except TableStopped as error:
        return stop(dataset, TableRecord(table, TableStatus.STOPPED), str(error))
    reason = "from its start, in place" if standing.columns else "new table"
    return replace(_copied(dataset, fit.table, fit.statements, load_id, reason), made=not standing.columns)


def _require_own(table: TableSchema, standing: Standing) -> None:
    """Raise TableStopped for a destination table of somebody else, whose rows a copy would sweep out."""
    there, name, owner = table.there, table.id.name, standing.owner
    if not standing.columns or owner == str(table.id) or (not owner and not table.target):
        return
    raise TableStopped(
        "copy",
        f"table {table.id}",
        reason=f"the destination has a table {there} already, "
        + (f"the copy of {owner}" if owner else "which Rowferry did not make"),
        hint=f"Give tables.rename.{name} another name, or drop {there} in the destination;"
        f" then run `rowferry resync {name}`",
    )


def _require_made_here(table: TableSchema, standing: Standing) -> None:
    """Raise TableStopped for a table of other types that neither says whose it is nor has our columns."""
    if standing.owner or not standing.columns or {LOADED_AT, LOAD_ID} & set(standing.columns):
        return
    for column, kind in columns_of(table):
        found = standing.types.get(column, kind)
        if found != kind and not same_type(found, kind):
            raise TableStopped(
                "copy",
                f"table {table.id}",
                reason=f"column {column} is {found} in the destination, {kind} is needed, in a table"
                " that Rowferry did not make",
                hint=f'Drop "{table.there}" in the destination, or give tables.rename.{table.id.name} another'
                f" name; then run `rowferry resync {table.id.name}`",
            )


def reconcile(
    dataset: str, record: TableRecord, now: TableSchema | None, load_id: str, *, rows_kept: bool
) -> Decision | None:
    """What a change at the source does to a known table; None: nothing.

    now: the table in the catalogue, None if it is gone. rows_kept: whether the change provably left
    its rows and columns alone.
    """
    if now is None:
        return _dropped(dataset, record)
    now = with_kept(record.table, now)
    if record.status is TableStatus.STOPPED:
        return None
    made: list[Statement] = []
    if now.obstacle or record.status is TableStatus.DROPPED:  # it may never have had a destination table
        try:
            made = [create_table(dataset, now), mark_owner(dataset, now)]
        except TableStopped as error:
            return stop(dataset, record, str(error))
    change = diff(record.table, now)
    moved = record.status in CAPTURED and _last_moment_moved(record.table, now)
    if change.empty and not moved:
        same_rows = rows_kept and record.table.row_end == now.row_end and not change.revalued
        if same_rows and record.status is not TableStatus.DROPPED:
            return _relayouted(dataset, record, now, load_id)
        reason = "its rows may have changed without row events"
        if change.revalued:
            reason = f"another policy for {', '.join(c.name for c in change.revalued)}"
        return _copied(dataset, now, made, load_id, reason)
    if change.only_added and not moved:
        try:
            ddl = [*made, add_columns(dataset, now, change.added)]
        except TableStopped as error:
            return stop(dataset, record, str(error))
        return _copied(dataset, now, ddl, load_id, change.describe())
    stopped = TableStopped(
        "follow a schema change",
        f"table {now.id}",
        reason=change.describe(),
        hint=f"Run `rowferry resync {now.id.name}` to go on with the new layout",
    )
    return stop(dataset, record, str(_upgraded(now) if moved else stopped))


def stop(dataset: str, record: TableRecord, error: str, policy: str = "") -> Decision:
    """The table stops with an error; its rows stay as they are. policy: that of a column that wants it."""
    stopped = replace(record, status=TableStatus.STOPPED, error=error)
    return Decision(stopped, (save_table(dataset, stopped),), reason=error, policy=policy)


def _last_moment_moved(before: TableSchema, now: TableSchema) -> bool:
    ends = before.row_end, now.row_end
    return ends[0] is not None and ends[1] is not None and ends[0].last_year != ends[1].last_year


def _upgraded(table: TableSchema) -> TableStopped:
    """From MariaDB 11.5 on, no row lives in a system-versioned table until mariadb-upgrade has rewritten it.

    That leaves nothing in the binlog, so a copy that was made before it would stay empty.
    """
    return TableStopped(
        "follow an upgrade of the source",
        f"table {table.id}",
        reason="the last moment of its TIMESTAMP has moved, which ends every row of a system-versioned table",
        hint=f"Run `mariadb-upgrade` on the source, then `rowferry resync {table.id.name}`",
    )


def commit(
    session: Session, dataset: str, decisions: Sequence[Decision], after: Sequence[Statement]
) -> tuple[Decision, ...]:
    """Make decisions true in Postgres, all in one transaction; what they came to be.

    A table that Postgres cannot make stops, and the others go on. Raises what `destination.run_all` raises.
    """
    found = list(decisions)

    def instead(place: int, state: str) -> Sequence[Statement]:
        table = found[place].record.table
        error = TableStopped(
            "make the destination table",
            f"table {table.id}",
            reason=f"Postgres refuses its definition (SQLSTATE {state})",
            hint=f"Exclude it, or mend what Postgres cannot have; then run `rowferry resync {table.id.name}`",
        )
        found[place] = stop(dataset, found[place].record, str(error))
        return found[place].statements

    run_groups(session, [d.statements for d in decisions], after, instead)
    return tuple(found)


def _dropped(dataset: str, record: TableRecord) -> Decision | None:
    if record.status is TableStatus.DROPPED:
        return None
    error = "dropped or renamed at the source; its last rows are kept"
    dropped = replace(record, status=TableStatus.DROPPED, error=error)
    return Decision(dropped, (save_table(dataset, dropped),), reason=error)


def _relayouted(dataset: str, record: TableRecord, now: TableSchema, load_id: str) -> Decision | None:
    """Same columns, perhaps in another order or another engine."""
    if record.table == now:
        return None
    if record.status is TableStatus.COPYING:
        return _copied(dataset, now, [], load_id, "its index or engine changed during the copy")
    moved = replace(record, table=now)
    return Decision(moved, (save_table(dataset, moved),), reason="engine, index or order of columns")


def _copied(
    dataset: str, table: TableSchema, ddl: Iterable[Statement], load_id: str, reason: str
) -> Decision:
    record = TableRecord(table, TableStatus.COPYING, CopyProgress(began=load_id))
    return Decision(record, (*ddl, save_table(dataset, record)), copy=True, reason=reason)
