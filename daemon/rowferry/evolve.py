"""What a statement makes of a table's layout and of every row it has, or why that is not certain.

Pure. Nothing is guessed: the statement's words must tell the whole effect, and where they leave a type's
spelling or a character set open, the catalogue must show a column that agrees with all they tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rowferry import actions as to
from rowferry.actions import Action, TableChange
from rowferry.definitions import Definition
from rowferry.filled import INTEGER_BYTES, TEXTS, Filled, Uncertain, filled
from rowferry.table_schema import Column, ColumnType, TableSchema
from rowferry.types import UnsupportedType, destination_type
from rowferry.widening import keeps_texts, keeps_values, same_charset

__all__ = ["Evolution", "Filled", "evolve"]

_LABELED: Final = frozenset({"enum", "set"})
_CHARACTERS: Final = TEXTS | _LABELED
_ASSUMED: Final = "utf8mb4"
_CONVERTED: Final = frozenset({"utf8", "utf8mb3", "ascii", "latin1", "utf8mb4"})
_JSON_TEXT: Final = ColumnType("longtext", length=4_294_967_295, charset="utf8mb4", text="longtext")
"""JSON on MariaDB."""


@dataclass(frozen=True, slots=True)
class Evolution:
    """The effect of a statement; all names are the source's.

    table: the layout after it. renamed: old and new names. retyped: of columns that were there and whose
    type or nullability the catalogue shows otherwise now, how it was and is (a column may be renamed, too);
    every value stays what it is. truncated: whether all rows are gone.
    """

    table: TableSchema
    added: tuple[Filled, ...] = ()
    dropped: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    retyped: tuple[tuple[Column, Column], ...] = ()
    truncated: bool = False


def evolve(change: TableChange, table: TableSchema, now: TableSchema | None) -> Evolution | str:
    """What the change makes of the table; else the reason why that is not certain, without values.

    table: the layout that the rows have. now: the catalogue's, perhaps as later statements made it, with
    the policies and names of the settings; None to take the statement at its word.
    """
    try:
        return _evolved(change, table, now)
    except Uncertain as reason:
        return str(reason)


def _evolved(change: TableChange, table: TableSchema, now: TableSchema | None) -> Evolution:
    if change.table.lower() != table.id.name.lower():
        raise Uncertain("the statement is about another table")
    if table.row_end or (now and now.row_end):
        raise Uncertain("the table is system-versioned")
    if table.obstacle or (now and now.obstacle):
        raise Uncertain("the table cannot be followed by the binlog")
    harmless = (to.KeepsRows, to.SetDefault, to.DropDefault)
    if not table.key and not all(isinstance(action, harmless) for action in change.actions):
        raise Uncertain("the table has no key")
    _check_names(change.actions, table)
    state = _State(table, now, list(table.columns), list(table.key), table.engine)
    for action in change.actions:
        _STEPS[type(action)](state, action)
    return state.evolution()


def _check_names(actions: tuple[Action, ...], table: TableSchema) -> None:
    """No column may be in two actions, and no new name may be an old one. Raises Uncertain."""
    there = {c.name.lower() for c in table.columns}
    seen: set[str] = set()
    for action in actions:
        old, new = _names(action)
        for name in {old, new} - {""}:
            if name in seen:
                raise Uncertain(f"column {name} is in more than one part of the statement")
            seen.add(name)
        if new != old and new in there:
            raise Uncertain(f"column {new} takes the name of another one")
    if any(isinstance(action, to.ConvertCharset | to.Truncate) for action in actions) and seen:
        raise Uncertain("the statement changes all columns and some of them")


def _names(action: Action) -> tuple[str, str]:
    """The names that a column had and has, in lower case; the same unless it is renamed."""
    match action:
        case to.AddColumn(definition=definition):
            old = new = definition.name
        case to.ChangeColumn(old=old, definition=definition):
            new = definition.name
        case to.RenameColumn(old=old, new=new):
            pass
        case to.DropColumn(name=old) | to.SetDefault(name=old) | to.DropDefault(name=old):
            new = old
        case _:
            return "", ""
    return old.lower(), new.lower()


@dataclass
class _State:
    """The layout while the actions are gone through."""

    table: TableSchema
    now: TableSchema | None
    columns: list[Column]
    key: list[str]
    engine: str
    added: list[Filled] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    retyped: list[tuple[Column, Column]] = field(default_factory=list)
    truncated: bool = False

    def evolution(self) -> Evolution:
        """What has come of it. Raises Uncertain if no column is left."""
        if not self.columns:
            raise Uncertain("no column is left")
        table = replace(
            self.table, columns=tuple(self.columns), key=tuple(self.key), engine=self.engine
        )  # fmt: skip
        return Evolution(
            *(table, tuple(self.added), tuple(self.dropped), tuple(self.renamed), tuple(self.retyped)),
            truncated=self.truncated,
        )

    def find(self, name: str) -> Column | None:
        """The column of that name; the source tells no upper from lower case."""
        return next((c for c in self.columns if c.name.lower() == name.lower()), None)

    def need(self, name: str) -> Column:
        """The same, which must be there. Raises Uncertain."""
        found = self.find(name)
        if found is None:
            raise Uncertain(f"column {name} was not known")
        return found

    def shown(self, name: str) -> Column | None:
        """The catalogue's column; None without a catalogue. Raises Uncertain if it has none of that name."""
        if self.now is None:
            return None
        found = self.now.column(name)
        if found is None:
            raise Uncertain(f"column {name} is not in the catalogue any more")
        return found

    def put(self, column: Column, definition: Definition, at: int) -> None:
        """Insert a column where its definition wants it, else at that place."""
        place = 0 if definition.first else at
        if definition.after:
            names = [c.name.lower() for c in self.columns]
            place = names.index(definition.after.lower()) + 1 if definition.after.lower() in names else at
        self.columns.insert(place, column)

    @property
    def primary(self) -> bool:
        """Whether the key is the primary key, which no other index takes the place of."""
        return self.table.key_index == "PRIMARY"


def _add(state: _State, action: to.AddColumn) -> None:
    definition = action.definition
    if state.find(definition.name) is not None:
        if action.if_not_exists:
            return
        raise Uncertain(f"column {definition.name} was there already")
    _check_plain(definition)
    shown = state.shown(definition.name)
    kind = _type(definition, shown, state, None)
    column = Column(definition.name, kind, bool(definition.nullable))
    if shown is not None:
        _agree_on_null(shown, column)
        column = replace(column, policy=shown.policy, target=shown.target)
    if state.now is not None and definition.name in state.now.key:
        raise Uncertain(f"column {definition.name} is part of the key")
    state.added.append(filled(definition, column))
    state.put(column, definition, len(state.columns))


def _check_plain(definition: Definition) -> None:
    name = definition.name
    if definition.nullable is None:
        raise Uncertain(f"column {name}: whether it can be NULL depends on the server's settings")
    if definition.generated:
        raise Uncertain(f"column {name} is generated")
    if definition.auto_increment:
        raise Uncertain(f"column {name} is numbered by the server")
    if definition.key:
        raise Uncertain(f"column {name} becomes part of a key")


def _agree_on_null(shown: Column, column: Column) -> None:
    if shown.nullable != column.nullable:
        raise Uncertain(f"column {column.name}: the catalogue differs on whether it can be NULL")


def _drop(state: _State, action: to.DropColumn) -> None:
    column = state.find(action.name)
    if column is None and action.if_exists:
        return
    column = state.need(action.name)
    if column.name in state.key or not state.primary:
        raise Uncertain(f"column {column.name}: the key may change")
    state.columns.remove(column)
    state.dropped.append(column.name)


def _rename(state: _State, action: to.RenameColumn) -> None:
    column = state.need(action.old)
    state.columns[state.columns.index(column)] = _renamed(state, column, action.new)


def _renamed(state: _State, column: Column, name: str) -> Column:
    """The column by its new name, noted; with what the settings say of that name."""
    if name == column.name:
        return column
    shown = state.shown(name)
    made = replace(column, name=name)
    if shown is not None:
        if shown.policy != column.policy:
            raise Uncertain(f"column {name}: the settings want other values under this name")
        made = replace(made, target=shown.target)
    state.renamed.append((column.name, name))
    state.key = [name if k == column.name else k for k in state.key]
    return made


def _change(state: _State, action: to.ChangeColumn) -> None:
    old = state.find(action.old)
    if old is None and action.if_exists:
        return
    old, definition = state.need(action.old), action.definition
    _check_plain(definition)
    at, in_key = state.columns.index(old), old.name in state.key
    named = _renamed(state, old, definition.name)
    nullable = bool(definition.nullable) and not (in_key and state.primary)
    shown = state.shown(named.name)
    new = replace(named, type=_type(definition, shown, state, old), nullable=nullable)
    if shown is not None:
        _agree_on_null(shown, new)
    _check_retyped(old, new, in_key)
    _check_computed(state, old, new)
    if (old.type, old.nullable) != (new.type, new.nullable):
        state.retyped.append((old, new))
    del state.columns[at]
    state.put(new, definition, at)


def _check_retyped(old: Column, new: Column, in_key: bool) -> None:
    """Raise Uncertain unless every value stays what it is."""
    name = old.name
    if old.nullable != new.nullable and (in_key or old.nullable):
        raise Uncertain(f"column {name}: NULL may become another value, or the key may change")
    if in_key and old.type.base in _CHARACTERS:
        raise Uncertain(f"column {name} of the key may have another collation")
    if not keeps_values(old.type, new.type):
        raise Uncertain(f"column {name}: values may not stay what they are")
    if old.type.base != new.type.base and new.type.base == "datetime" and old.policy.zero_dates != "null":
        raise Uncertain(f"column {name}: dates that are none may become others")
    if old.type != new.type and old.policy.as_type:
        raise Uncertain(f"column {name} has a type of the settings")
    _check_carried(new)


def _check_carried(column: Column) -> None:
    try:
        destination_type(column.type)
    except UnsupportedType:
        raise Uncertain(f"column {column.name}: its type is not carried") from None


def _check_computed(state: _State, old: Column, new: Column) -> None:
    """A definition without a collation gives the column the table's, which may be another one."""
    same = old.type.base not in _CHARACTERS and keeps_texts(old.type, new.type)
    if state.table.computed and not same:
        raise Uncertain(f"column {old.name}: generated columns may be made of it")


def _type(definition: Definition, shown: Column | None, state: _State, old: Column | None) -> ColumnType:
    """The type as the catalogue shows it. Raises Uncertain unless that agrees with the statement."""
    told = definition.type
    if shown is None:
        return _taken_at_word(definition, state.table, old)
    kind, name = shown.type, definition.name
    if told.base == "json" and kind == _JSON_TEXT:
        return kind
    charset = told.charset if told.charset is not None else kind.charset
    if kind.text not in definition.texts or not same_charset(charset, kind.charset):
        raise Uncertain(f"column {name}: the catalogue shows another type")
    if replace(kind, charset=None, text="") != replace(told, charset=None, text=""):
        raise Uncertain(f"column {name}: the catalogue shows another type")
    return kind


def _taken_at_word(definition: Definition, table: TableSchema, old: Column | None) -> ColumnType:
    """MariaDB shows widths of integers; what the table's other columns show tells which server it is."""
    widths = any("(" in c.type.text for c in table.columns if c.type.base in INTEGER_BYTES)
    kind = definition.type
    if kind.base == "json" and widths:
        return _JSON_TEXT
    charset = kind.charset
    if kind.base in _CHARACTERS and charset is None:
        charset = (old.type.charset if old else None) or _ASSUMED
    return replace(kind, charset=charset, text=definition.texts[0 if widths else -1])


def _keep(state: _State, action: to.KeepsRows) -> None:
    """An engine that the server lacks may be replaced by another one."""
    if action.engine is None:
        return
    if state.now is not None and state.now.engine.lower() != action.engine.lower():
        raise Uncertain("the catalogue shows another engine")
    state.engine = action.engine


def _set_default(state: _State, action: to.SetDefault | to.DropDefault) -> None:
    state.need(action.name)


def _index(state: _State, action: to.UniqueIndex) -> None:
    if not state.primary or action.name.upper() == "PRIMARY":
        raise Uncertain("the key may change")


def _convert(state: _State, action: to.ConvertCharset) -> None:
    """The catalogue tells which columns became longer types to hold as many characters."""
    if state.now is None or action.charset != "utf8mb4":
        raise Uncertain("a conversion of all texts")
    for at, old in enumerate(state.columns):
        if old.type.base in _CHARACTERS:
            new = replace(old, type=_converted(state, old))
            _check_retyped(old, new, old.name in state.key)
            if old != new:
                state.retyped.append((old, new))
            state.columns[at] = new


def _converted(state: _State, old: Column) -> ColumnType:
    shown = state.shown(old.name)
    if shown is None or old.type.charset not in _CONVERTED or shown.type.charset != "utf8mb4":
        raise Uncertain(f"column {old.name}: its texts may not stay what they are")
    if shown.nullable != old.nullable:
        raise Uncertain(f"column {old.name}: the catalogue differs on whether it can be NULL")
    if state.table.computed:
        raise Uncertain(f"column {old.name}: generated columns may be made of it")
    if (
        old.type.base not in TEXTS - {"char", "varchar"}
        and replace(old.type, charset="utf8mb4") != shown.type
    ):
        raise Uncertain(f"column {old.name}: the catalogue shows another type")
    return shown.type


def _truncate(state: _State, _: to.Truncate) -> None:
    state.truncated = True


_STEPS: Final[dict[type[Any], Callable[[_State, Any], None]]] = {
    to.AddColumn: _add,
    to.DropColumn: _drop,
    to.RenameColumn: _rename,
    to.ChangeColumn: _change,
    to.SetDefault: _set_default,
    to.DropDefault: _set_default,
    to.KeepsRows: _keep,
    to.UniqueIndex: _index,
    to.ConvertCharset: _convert,
    to.Truncate: _truncate,
}
