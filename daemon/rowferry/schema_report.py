"""A table as the source has it, as Rowferry knows it and as it stands in Postgres: the differences.

Values in, words out: names and types only. What a start or a resync would do is not told again here but
asked of the book, which decides it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from rowferry.book import Check, adopt
from rowferry.checkpoint import TableRecord, TableStatus
from rowferry.destination import columns_of, create_table, mark_owner, same_type
from rowferry.errors import TableStopped
from rowferry.fitting import METADATA
from rowferry.layout_changes import at_start
from rowferry.overrides import column_type, other_type
from rowferry.position import BinlogPosition
from rowferry.retype import holds
from rowferry.standing import Standing
from rowferry.table_schema import Column, SchemaDiff, TableSchema, diff

_WHEN = "at the next start, or when a running daemon comes to the change"
_NOWHERE = BinlogPosition("", 0, None, "")


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. kind: a fixed word, see `docs/operating.md`.

    side: "source" (between the source and Rowferry's record) or "destination" (between the record, or the
    source if there is none, and Postgres). remedy: what will happen, or what to do. harmless: nothing need
    be done. column: its name, "" if it is about the whole table.
    """

    kind: str
    side: str
    text: str
    remedy: str
    column: str = ""
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class TableReport:
    """One table. state: as in `_rowferry_tables`, "" if the table is not known there.

    ddl: the statements that Rowferry makes it with; empty if it cannot (then `cannot` says why) or if the
    source has no such table. next_start: "make", "copy", "follow", "hold", "stop", "note", "forget" or
    "nothing"; reason: why.
    """

    name: str
    destination: str
    state: str
    ddl: tuple[str, ...]
    cannot: str
    next_start: str
    reason: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """What is known of one table. now: at the source. record: Rowferry's. selected: by the settings.

    standing: the tables of the dataset in Postgres, all of them. wanted: the record's layout with the present
    settings, if there is a record. holds: whether changed layouts wait for a person.
    """

    dataset: str
    name: str
    now: TableSchema | None
    record: TableRecord | None
    standing: Mapping[str, Standing]
    selected: bool = True
    wanted: TableSchema | None = None
    holds: bool = False

    @property
    def state(self) -> str:
        """The record's, "" without one."""
        return self.record.status.value if self.record else ""

    def there(self, table: TableSchema) -> Standing | None:
        """What stands in Postgres under the table's name."""
        return self.standing.get(table.there)


def report(sides: Sides) -> TableReport:
    """The whole report on one table that the source has, or Rowferry knows."""
    ddl, cannot = _definition(sides)
    action, reason = next_start(sides)
    found = (*_at_source(sides, action, reason), *_in_destination(sides))
    known = sides.now or (sides.record.table if sides.record else None)
    there = known.there if known else sides.name
    return TableReport(sides.name, there, sides.state, ddl, cannot, action, reason, found)


def _definition(sides: Sides) -> tuple[tuple[str, ...], str]:
    if sides.now is None:
        return (), ""
    try:
        made = create_table(sides.dataset, sides.now), mark_owner(sides.dataset, sides.now)
    except TableStopped as error:
        return (), str(error)
    return tuple(statement.text for statement in made), ""


def next_start(sides: Sides) -> tuple[str, str]:
    """What the next start does to the table, and why; ("nothing", "") as a rule."""
    now, record = sides.now, sides.record
    if record is not None and not sides.selected:
        return "forget", "the settings no longer select it"
    if now is None:
        return "nothing", ""
    if record is None:
        standing = sides.there(now) or Standing()
        decision = adopt(sides.dataset, now, standing, "")
        return ("make" if decision.copy else "stop"), decision.reason
    wanted = sides.wanted or record.table
    change = at_start(sides.dataset, record, now, wanted, _NOWHERE, "", holds=sides.holds)
    if change is None:
        return "nothing", ""
    if isinstance(change, Check):
        return ("hold" if sides.holds else "follow"), "its layout changed at the source"
    if change.until is not None:
        return "copy", change.reason
    stops = change.record.status is TableStatus.STOPPED
    return ("stop" if stops else "note"), change.reason


def _at_source(sides: Sides, action: str, reason: str) -> Iterator[Difference]:
    """Between the source and the record."""
    now, record = sides.now, sides.record
    if record is None:
        what = "Rowferry does not know the table yet"
        remedy = "the next start makes and copies it" if action == "make" else f"it will stop: {reason}"
        yield Difference("table_new", "source", what, remedy)
    elif not sides.selected:
        remedy = "the next start forgets it; its rows stay in Postgres as they are"
        yield Difference("table_unselected", "source", "the settings no longer select the table", remedy)
    elif now is None:
        yield _gone(record)
    else:
        yield from _layout(sides, record, now, action)


def _gone(record: TableRecord) -> Difference:
    if record.status is TableStatus.DROPPED:
        remedy = f'drop "{record.table.there}" in Postgres if you do not want it'
        return Difference("table_gone", "source", record.error, remedy, harmless=True)
    remedy = (
        "if it was dropped, the daemon notes that when it comes to the statement, and keeps its last rows;"
        " else give the account the right to SELECT"
    )
    return Difference("table_gone", "source", "the account sees no such table at the source", remedy)


def _followed(sides: Sides, action: str) -> str:
    """What becomes of a changed layout."""
    resync = f"{_mend(sides)}, which goes on with the new layout"
    ways = {
        "copy": f"the table is copied again, in place, {_WHEN}",
        "follow": f"it is followed in place, or by copying the table again, {_WHEN}",
        "hold": f"the table waits for `rowferry schema apply {sides.name}` {_WHEN}",
        "note": f"it is followed without a copy {_WHEN}",
        "stop": f"the table stops {_WHEN}; then {resync}",
    }
    return ways.get(action, resync)


def _layout(sides: Sides, record: TableRecord, now: TableSchema, action: str) -> Iterator[Difference]:
    change = diff(record.table, now)
    remedy = _followed(sides, action)
    for c in change.added:
        yield Difference("column_added", "source", f"column {c.name} added at the source", remedy, c.name)
    for c in change.dropped:
        yield Difference("column_dropped", "source", f"column {c.name} dropped at the source", remedy, c.name)
    for before, after in change.changed:
        text = SchemaDiff(changed=((before, after),)).describe()
        yield Difference("column_changed", "source", text, remedy, before.name)
    for c in change.revalued:
        yield Difference("policy_changed", "source", f"another policy for column {c.name}", remedy, c.name)
    if change.key_changed:
        text = f"key changed from ({', '.join(record.table.key)}) to ({', '.join(now.key)})"
        yield Difference("key_changed", "source", text, remedy)
    if change.renamed:
        text = f'name in the destination changed from "{record.table.there}" to "{now.there}"'
        yield Difference("table_renamed", "source", text, remedy)


def _in_destination(sides: Sides) -> Iterator[Difference]:
    """Between the record, or the source if there is no usable one, and Postgres."""
    wanted = _wanted(sides)
    if wanted is None:
        return
    standing = sides.there(wanted)
    if standing is None:
        if sides.record is not None:
            text = f'there is no table "{wanted.there}" in Postgres'
            yield Difference("table_missing", "destination", text, _mend(sides))
        return
    yield from _owner(sides, wanted, standing)
    yield from _columns(sides, wanted, standing)
    if text := _key_problem(wanted, standing):
        kind = "key_other" if standing.primary else "key_missing"
        yield Difference(kind, "destination", text, _mend(sides))


def _wanted(sides: Sides) -> TableSchema | None:
    """The layout that Postgres should show; None if there is none to compare with."""
    if sides.now is None or not sides.selected:
        return None
    for table in (sides.record.table if sides.record else None, _copied(sides, sides.now)):
        if table is not None and _can_be_made(table):
            return table
    return None


def _copied(sides: Sides, now: TableSchema) -> TableSchema:
    """The table as a copy from its start would have it: with the types that stay."""
    return adopt(sides.dataset, now, sides.there(now) or Standing(), "").record.table


def _can_be_made(table: TableSchema) -> bool:
    try:
        columns_of(table)
    except TableStopped:
        return False
    return True


def _owner(sides: Sides, wanted: TableSchema, standing: Standing) -> Iterator[Difference]:
    if standing.owner == str(wanted.id):
        return
    if standing.owner:
        text = f'"{wanted.there}" in Postgres is the copy of {standing.owner}'
        yield Difference("owner_other", "destination", text, _mend(sides))
        return
    text = f'"{wanted.there}" in Postgres does not say whose copy it is'
    renamed = bool(wanted.target)
    remedy = _mend(sides) if renamed else "nothing need be done; the next copy from its start notes it"
    yield Difference("owner_unknown", "destination", text, remedy, harmless=not renamed)


def _columns(sides: Sides, wanted: TableSchema, standing: Standing) -> Iterator[Difference]:
    kinds = dict(columns_of(wanted)) | METADATA
    later = dict(columns_of(_copied(sides, sides.now))) if sides.now and _can_be_made(sides.now) else {}
    for column, kind in kinds.items():
        found = standing.columns.get(column)
        if found is None:
            yield _missing(sides, column, kind)
        elif not same_type(found.type, kind):
            yield _other_type(sides, column, found.type, kind)
    for column, found in standing.columns.items():
        if column in later and column not in kinds and not same_type(found.type, later[column]):
            yield _other_type(sides, column, found.type, later[column])
        elif column not in kinds and column not in later:
            yield _extra(sides, wanted, column, required=found.required)
    for c in wanted.columns:
        if c.kept and other_type(c) and c.there in standing.columns:
            yield _kept(sides, c, standing)


def _missing(sides: Sides, column: str, kind: str) -> Difference:
    text = f"column {column} ({kind}) is missing in Postgres"
    added = sides.record is None and column not in METADATA
    remedy = "the next start adds it, and copies the table" if added else _mend(sides)
    return Difference("column_missing", "destination", text, remedy, column)


def _other_type(sides: Sides, column: str, found: str, kind: str) -> Difference:
    text = f"column {column} is {found} in Postgres, {kind} is needed"
    return Difference("column_type", "destination", text, _mend(sides), column)


def _kept(sides: Sides, column: Column, standing: Standing) -> Difference:
    usual = column_type(replace(column, kept="")).postgres
    text = f"column {column.there} keeps the type {column.kept} in Postgres, where {usual} is usual"
    blockers = standing.blockers.get(column.there, ())
    remedy = "nothing need be done: it holds every value"
    if not holds(column.kept, usual):
        freed = f"drop what depends on it ({', '.join(blockers)}), then " if blockers else ""
        remedy = f"nothing need be done while every value fits; to have it changed {freed}{_resync(sides)}"
    return Difference("column_kept", "destination", text, remedy, column.there, harmless=True)


def _extra(sides: Sides, wanted: TableSchema, column: str, *, required: bool) -> Difference:
    text = f"column {column} is in Postgres only: people added it, or the source dropped it"
    if not required:
        remedy = "nothing need be done; Rowferry never writes it"
        return Difference("column_extra", "destination", text, remedy, column, harmless=True)
    remedy = (
        f'it is NOT NULL without a default, so new rows are refused: in "{wanted.there}" let it be NULL or'
        f" give it a default; if the table is stopped, run `rowferry resync {sides.name}` then"
    )
    return Difference("column_extra_required", "destination", text, remedy, column)


def _key_problem(wanted: TableSchema, standing: Standing) -> str:
    """Why a load could not tell the rows apart by the key; "" if it can."""
    key = wanted.as_destination().key
    if not key:
        return ""
    needed = f"({', '.join(key)}) is needed"
    if standing.primary:
        same = set(standing.primary) == set(key)
        return "" if same else f"the primary key in Postgres is ({', '.join(standing.primary)}), {needed}"
    if any(set(unique) == set(key) for unique in standing.uniques):
        return ""
    return f"there is no primary key in Postgres, {needed}"


def _mend(sides: Sides) -> str:
    """What a person does so that the next copy from its start succeeds."""
    if sides.now is None:
        return ""
    decision = adopt(sides.dataset, sides.now, sides.there(sides.now) or Standing(), "")
    return _resync(sides) if decision.copy else f"a copy from its start would stop: {decision.reason}"


def _resync(sides: Sides) -> str:
    if sides.record is None:
        return "start again"
    held = sides.record.status is TableStatus.HELD
    return f"run `rowferry {'schema apply' if held else 'resync'} {sides.name}`"
