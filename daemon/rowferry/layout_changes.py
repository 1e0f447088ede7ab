"""What becomes of a table whose layout may have changed: decisions, as values.

Either the change is certain and is made in place, with the table streaming on; or the table is *doubtful*:
its rows are discarded until the stream has passed the binlog's head, and then it is copied anew, in place, by
the catalogue of then. Nothing in between: rows are never fitted to a layout that is not theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from rowferry.book import Check, Decision, stop
from rowferry.changes import Statement
from rowferry.checkpoint import CopyProgress, TableRecord, TableStatus, save_table
from rowferry.destination import (
    LOAD_ID,
    LOADED_AT,
    LOCK_TIMEOUT,
    NO_PRIVILEGE,
    Session,
    columns_of,
    ddl,
    literal,
    name,
    run_groups,
    same_type,
)
from rowferry.errors import TableStopped
from rowferry.evolve import Evolution
from rowferry.fitting import change_types
from rowferry.position import BinlogPosition
from rowferry.quarantine import forget_entries
from rowferry.standing import Standing
from rowferry.table_schema import SchemaDiff, TableSchema, diff, with_kept

_AGAIN: Final = {
    TableStatus.HELD: "changes are no longer held",
    TableStatus.DROPPED: "the table is there again",
}
RETRY_SECONDS: Final = 2.0
"""A doubt that cannot end now, for a lock in Postgres or a rebuild, is looked at again after this time."""


def same_layout(one: TableSchema, other: TableSchema) -> bool:
    """Whether rows of both are read and written alike; engine, indexes and order of columns do not count."""
    change = diff(one, other)
    return change.empty and not change.revalued and one.row_end == other.row_end


def doubt(dataset: str, record: TableRecord, until: BinlogPosition, load_id: str, reason: str) -> Decision:
    """The table's rows are discarded until `until` at least; then its layout is looked up.

    load_id: the last one in use.
    """
    error = f"waits to be copied: {reason}"
    doubtful = replace(record, status=TableStatus.COPYING, copy=CopyProgress(began=load_id), error=error)
    return Decision(doubtful, (save_table(dataset, doubtful),), reason=reason, until=until)


def hold(dataset: str, record: TableRecord, reason: str) -> Decision:
    """The table waits for a person; its rows stay as they are."""
    hint = f"run `rowferry schema apply {record.table.id.name}` to go on with the new layout"
    held = replace(record, status=TableStatus.HELD, error=f"{reason}; {hint}")
    return Decision(held, (save_table(dataset, held),), reason=reason)


def dropped(
    dataset: str, record: TableRecord, standing: Standing, *, gone: bool, drop: bool
) -> Decision | None:
    """The account sees the table no more. gone: surely not there. drop: whether its copy goes, too."""
    if record.status is TableStatus.DROPPED:
        return None
    error, statements = "dropped or renamed at the source; its last rows are kept", list[Statement]()
    if not gone:
        error = "the account may not read it at the source, if it is still there; its last rows are kept"
    if gone and drop and standing.columns:
        if uses := sorted({use for uses in standing.blockers.values() for use in uses}):
            error = f"{error}, since this depends on them: {', '.join(uses)}"
        elif standing.owner == str(record.table.id):
            error = "dropped or renamed at the source, and here"
            statements = [ddl(f"DROP TABLE {name(dataset, record.table.there)}")]
    kept = replace(record, status=TableStatus.DROPPED, error=error)
    return Decision(kept, (*statements, save_table(dataset, kept)), reason=error)


def in_place(
    dataset: str, record: TableRecord, after: Evolution, standing: Standing, *, drop_columns: bool
) -> Decision | str:
    """A change that is certain, made in Postgres without a copy; or why that cannot be.

    standing: what stands there now. drop_columns: whether dropped columns go there, too.
    """
    if problem := _unexpected(record.table, after, standing):
        return problem
    there = name(dataset, record.table.there)
    table = with_kept(record.table, after.table)
    try:
        kinds = dict(columns_of(table))
        fit = change_types(dataset, table, _renamed(record.table, after, standing))
    except TableStopped as error:
        return error.reason
    emptied = (ddl(f"DELETE FROM {there}"), forget_entries(dataset, [record.table.id.name]))
    statements = list(emptied) if after.truncated else []
    for old, new in _renames(record.table, after):
        statements.append(ddl(f"ALTER TABLE {there} RENAME COLUMN {name(old)} TO {name(new)}"))
    for filled in after.added:
        statements += _add(there, filled.column.there, kinds[filled.column.there], filled.value)
    statements += fit.statements
    if drop_columns:
        gone = [c.there for c in record.table.columns if c.name in after.dropped]
        statements += _drop(there, [c for c in gone if c not in standing.blockers])
    changed = replace(record, table=fit.table)
    told = describe(record.table, after, fit.table, standing, drop_columns)
    return Decision(changed, (*statements, save_table(dataset, changed)), reason=told)


def describe(
    before: TableSchema, after: Evolution, fitted: TableSchema, standing: Standing, drop: bool
) -> str:
    """What changes, in words; names and types only. fitted: with the types that Postgres keeps."""
    parts = ["emptied"] if after.truncated else []
    parts += [f"column {f.column.name} added" for f in after.added]
    parts += [f"column {old} renamed to {new}" for old, new in after.renamed]
    parts += [SchemaDiff(changed=(pair,)).describe() for pair in after.retyped]
    for column in fitted.columns:
        known = before.column(column.name)
        if column.kept and (known is None or known.kept != column.kept):
            uses = standing.blockers.get(column.there, ())
            why = f", since this depends on it: {', '.join(uses)}" if uses else ", which holds every value"
            parts.append(f"column {column.there} keeps {column.kept} in Postgres{why}")
    for gone in [c for c in before.columns if c.name in after.dropped]:
        goes = drop and gone.there not in standing.blockers
        parts.append(
            f"column {gone.name} dropped" + ("" if goes else ", and kept in Postgres with its last values")
        )
    if before.engine != after.table.engine:
        parts.append(f"engine {after.table.engine}")
    return ", ".join(parts) or "its columns and rows stay the same"


def without_dropped(
    dataset: str, before: TableSchema, now: TableSchema, standing: Standing
) -> list[Statement]:
    """What drops the columns that the source dropped, if nothing in Postgres depends on them."""
    left = {c.there for c in now.columns}
    gone = [c.there for c in before.columns if c.there not in left and c.there in standing.columns]
    return _drop(name(dataset, now.there), [c for c in gone if c not in standing.blockers])


def _unexpected(before: TableSchema, after: Evolution, standing: Standing) -> str:
    """Why what stands in Postgres is not what the change can be made in; "" if it is."""
    for column, kind in columns_of(before):
        if column not in standing.columns or not same_type(standing.columns[column].type, kind):
            return f"column {column} is not as expected in Postgres"
    key = before.as_destination().key
    if key and frozenset(key) not in standing.keys:
        return "its key in Postgres is not as expected"
    news = [f.column.there for f in after.added] + [new for _, new in _renames(before, after)]
    taken = [n for n in news if n in standing.columns or n in (LOADED_AT, LOAD_ID)]
    return f"Postgres has a column {taken[0]} already" if taken else ""


def _renames(before: TableSchema, after: Evolution) -> list[tuple[str, str]]:
    """Old and new names of columns, as the destination has them."""
    found = []
    for old, new in after.renamed:
        one, other = before.column(old), after.table.column(new)
        if one is not None and other is not None and one.there != other.there:
            found.append((one.there, other.there))
    return found


def _add(there: str, column: str, kind: str, value: str | None) -> Sequence[Statement]:
    """A column whose old rows all have one value. Postgres does not touch the rows for that.

    See https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES.
    """
    filled = "" if value is None else f" DEFAULT {literal(value)}"
    made = [ddl(f"ALTER TABLE {there} ADD COLUMN {name(column)} {kind}{filled}")]
    if filled:
        made.append(ddl(f"ALTER TABLE {there} ALTER COLUMN {name(column)} DROP DEFAULT"))
    return made


def _renamed(before: TableSchema, after: Evolution, standing: Standing) -> Standing:
    """What stands once the columns have their new names."""
    names = dict(_renames(before, after))
    return replace(
        standing,
        columns={names.get(n, n): c for n, c in standing.columns.items()},
        blockers={names.get(n, n): b for n, b in standing.blockers.items()},
    )


def _drop(there: str, columns: Sequence[str]) -> list[Statement]:
    return [ddl(f"ALTER TABLE {there} DROP COLUMN {name(c)}") for c in columns]


def commit(
    session: Session,
    dataset: str,
    decisions: Sequence[Decision],
    after: Callable[[Sequence[Decision]], Sequence[Statement]],
    head: Callable[[], BinlogPosition],
) -> tuple[Decision, ...]:
    """Make decisions true in Postgres, all in one transaction; what they came to be.

    after: what is written beside them, given that. head: asks where the source's binlog ends. A table that
    Postgres cannot make stops, one that somebody else has locked is in doubt, and the others go on. Raises
    what `destination.run_all` raises.
    """
    found = list(decisions)

    def instead(place: int, state: str) -> Sequence[Statement]:
        decision = found[place]
        if state == LOCK_TIMEOUT:
            why = "another session has locked it in Postgres"
            waits = doubt(dataset, decision.record, head(), decision.record.copy.began, why)
            found[place] = replace(waits, delay=RETRY_SECONDS)
        else:
            found[place] = stop(dataset, decision.record, str(_refused(decision.record.table, state)))
        return found[place].statements

    run_groups(session, [d.statements for d in decisions], lambda: after(found), instead)
    return tuple(found)


def _refused(table: TableSchema, state: str) -> TableStopped:
    if state == NO_PRIVILEGE:
        return TableStopped(
            "change the destination table",
            f"table {table.id}",
            reason=f'"{table.there}" in Postgres belongs to another account (SQLSTATE {state})',
            hint=f"Make this account its owner there, then run `rowferry resync {table.id.name}`",
        )
    return TableStopped(
        "make the destination table",
        f"table {table.id}",
        reason=f"Postgres refuses its definition (SQLSTATE {state})",
        hint=f"Exclude it, or mend what Postgres cannot have; then run `rowferry resync {table.id.name}`",
    )


def at_start(
    dataset: str,
    record: TableRecord,
    now: TableSchema | None,
    wanted: TableSchema,
    head: BinlogPosition,
    load_id: str,
    *,
    holds: bool,
) -> Decision | Check | None:
    """What a start does to a known table; None: nothing; a Check: the stream will lead to the layout of now.

    now: the table in the catalogue, None if it is not there. wanted: the record's layout with the present
    settings. head: the binlog's end after the catalogue was read. holds: whether changed layouts wait for a
    person.
    """
    status = record.status
    if now is None and status is TableStatus.COPYING:
        return doubt(dataset, record, head, load_id, "the account sees no such table at the source")
    if now is None or status is TableStatus.STOPPED or (status is TableStatus.HELD and holds):
        return None
    if status not in _AGAIN and _last_moment_moved(record.table, now):
        return stop(dataset, record, str(_upgraded(now)))
    if why := _doubtful(record, now, wanted):
        return doubt(dataset, replace(record, table=wanted), head, load_id, why)
    if not same_layout(record.table, now):
        return Check(now, head)
    kept = with_kept(record.table, now)
    if kept == record.table:
        return None
    noted = replace(record, table=kept)
    return Decision(noted, (save_table(dataset, noted),), reason="engine, index or order of columns")


def _doubtful(record: TableRecord, now: TableSchema, wanted: TableSchema) -> str:
    """Why a start copies the table again, in words; "" if it need not."""
    if record.status in _AGAIN:
        return _AGAIN[record.status]
    if not same_layout(record.table, wanted):
        return _settings_changed(record.table, wanted)
    if record.status is TableStatus.COPYING:
        goes_on = record.copy.ranges and same_layout(record.table, now) and not now.obstacle
        return "" if goes_on else "its copy had not begun, or its layout changed"
    return now.obstacle


def _settings_changed(before: TableSchema, wanted: TableSchema) -> str:
    change = diff(before, wanted)
    values = [f"another policy for {c.name}" for c in change.revalued]
    return f"the settings changed: {', '.join([change.describe(), *values]).strip(', ')}"


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
