"""Rows to columns, and the rows that cannot be carried set aside by their keys.

Pure. Invariant: of the rows given, each is either in the columns or set aside, never both, and a row is
set aside for a reason that a policy of its column allows; else its table stops (RowRefused).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from rowferry.arrays import ValueNotCarriable
from rowferry.changes import RawRow
from rowferry.errors import RowRefused
from rowferry.overrides import as_text
from rowferry.policies import ColumnConverter
from rowferry.settings import QuarantineSettings
from rowferry.table_schema import TableSchema
from rowferry.text_columns import RawColumns

Rows = Sequence[RawRow] | RawColumns
"""Rows of the binlog, one after the other, or those of a SELECT as columns."""

_SETTINGS: Final = {"zero_date": "zero_dates", "invalid_text": "invalid_text", "misfit": "misfits"}


@dataclass(frozen=True, slots=True)
class UnfitKey:
    """The key of a row whose key cannot be converted: known by its text alone."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that is not carried. identity: its converted key, or UnfitKey. key: the key's texts.

    kind: the policy that set it aside ("zero_date", "invalid_text", "misfit"). values: the row's other
    columns as text, empty unless the settings allow it.
    """

    identity: Hashable
    key: tuple[str, ...]
    column: str
    reason: str
    kind: str
    values: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """How raw rows of one way in become columns: names and converters in the rows' order."""

    table: TableSchema
    names: tuple[str, ...]
    converters: tuple[ColumnConverter, ...]

    @property
    def key_indexes(self) -> tuple[int, ...]:
        """Where the key's columns are in a row."""
        return tuple(self.names.index(k) for k in self.table.key)

    def key_of(self, row: RawRow) -> RawRow:
        """The raw values of the row's key."""
        return tuple(row[i] for i in self.key_indexes)

    def key_texts(self, key: RawRow) -> tuple[str, ...]:
        """A raw key for people and for comparing (see `ColumnConverter.key_text`)."""
        return tuple(self.converters[i].key_text(v) for i, v in zip(self.key_indexes, key, strict=True))

    def identity(self, key: RawRow) -> Hashable:
        """The converted key as `assemble.keys_of` gives it, else UnfitKey."""
        pairs = zip(self.key_indexes, key, strict=True)
        try:
            parts = [self.converters[i]([value]).array[0].as_py() for i, value in pairs]
        except ValueNotCarriable:
            return UnfitKey(self.key_texts(key))
        return parts[0] if len(parts) == 1 else tuple(parts)


@dataclass(frozen=True, slots=True)
class Carried:
    """Columns, the rows that are not in them, and what became of zero dates by action."""

    rows: pa.Table
    aside: tuple[SetAside, ...]
    zero_dates: Mapping[str, int]


def carry(form: Form, rows: Rows, rules: QuarantineSettings) -> Carried:
    """Convert all columns of rows. Raises RowRefused, naming column and key, never a value."""
    columns = _columns(form, rows)
    arrays: list[pa.Array] = []
    problems: dict[int, ValueNotCarriable] = {}
    zero_dates: Counter[str] = Counter()
    for converter, values in zip(form.converters, columns, strict=True):
        array, found, zeros = _column(converter, values, rules.max_rows)
        _require_allowed(form, converter, found, rows, rules.max_rows)
        arrays.append(array)
        problems = found | problems
        if zeros:
            zero_dates[_zero_action(converter)] += zeros
    table = pa.table(dict(zip(form.names, arrays, strict=True)))
    if problems:
        table = table.filter(pa.array([i not in problems for i in range(len(rows))], pa.bool_()))
    aside = tuple(_set_aside(form, rows[i], problems[i], rules) for i in sorted(problems))
    return Carried(table, aside, zero_dates)


def _columns(form: Form, rows: Rows) -> Sequence[Any]:
    if isinstance(rows, RawColumns):
        return rows.columns
    return list(zip(*rows, strict=True)) or [()] * len(form.names)


def carry_keys(form: Form, keys: Sequence[RawRow]) -> tuple[pa.Table, list[UnfitKey]]:
    """The converted columns of raw keys, and the keys that cannot be converted."""
    try:
        return _key_columns(form, keys), []
    except ValueNotCarriable:
        identities = [form.identity(key) for key in keys]
    fit = [k for k, identity in zip(keys, identities, strict=True) if not isinstance(identity, UnfitKey)]
    return _key_columns(form, fit), [i for i in identities if isinstance(i, UnfitKey)]


def _key_columns(form: Form, keys: Sequence[RawRow]) -> pa.Table:
    columns: Sequence[Sequence[Any]] = list(zip(*keys, strict=True)) or [()] * len(form.table.key)
    arrays = [form.converters[i](c).array for i, c in zip(form.key_indexes, columns, strict=True)]
    return pa.table(dict(zip(form.table.key, arrays, strict=True)))


def refused(form: Form, error: ValueNotCarriable, reason: str, row: RawRow) -> RowRefused:
    """The error for a row that cannot be carried and may not be set aside."""
    table, where = form.table.id, ""
    hint = "Mend the row in the source"
    if form.table.key:
        texts = form.key_texts(form.key_of(row))
        where = ", row with key " + ", ".join(f"{k}={t}" for k, t in zip(form.table.key, texts, strict=True))
        setting = f"columns.{table.name}.{error.column}.{_SETTINGS[error.kind]}"
        hint += f", or have such rows set aside ({setting} = quarantine)"
    column = form.table.column(error.column)
    if column is not None and column.kept and error.kind == "misfit":
        hint = f"`rowferry schema {table.name}` says what keeps the column {column.kept} in Postgres. {hint}"
    return RowRefused(
        error.kind,
        f"table {table}, column {error.column}{where}",
        reason=reason,
        hint=f"{hint}; then run `rowferry resync {table.name}`",
    )


def _column(
    converter: ColumnConverter, values: Sequence[Any], most: int
) -> tuple[pa.Array, dict[int, ValueNotCarriable], int]:
    """The array (NULL where a value cannot be carried), those values by index, and the zero dates."""
    try:
        converted = converter(values)
        return converted.array, {}, converted.zero_dates
    except ValueNotCarriable as error:
        if len(values) == 1:
            return converter([None]).array, {0: _named(error, converter)}, 0
    half = len(values) // 2
    left, found, zeros = _column(converter, values[:half], most)
    if len(found) > most or _stops(converter, found):
        return left, found, zeros
    right, more, other = _column(converter, values[half:], most - len(found))
    return pa.concat_arrays([left, right]), found | {i + half: e for i, e in more.items()}, zeros + other


def _named(error: ValueNotCarriable, converter: ColumnConverter) -> ValueNotCarriable:
    return ValueNotCarriable(converter.column.name, 0, error.reason, error.kind)


def _stops(converter: ColumnConverter, found: Mapping[int, ValueNotCarriable]) -> bool:
    return any(converter.action(error.kind) == "stop" for error in found.values())


def _require_allowed(
    form: Form,
    converter: ColumnConverter,
    found: Mapping[int, ValueNotCarriable],
    rows: Rows,
    most: int,
) -> None:
    for index, error in found.items():
        if converter.action(error.kind) == "stop" or not form.table.key:
            raise refused(form, error, error.reason, rows[index])
    if len(found) > most:
        index, error = next(iter(found.items()))
        reason = f"more rows than quarantine.max_rows ({most}) would be set aside: {error.reason}"
        raise refused(form, error, reason, rows[index])


def _zero_action(converter: ColumnConverter) -> str:
    policy = converter.column.policy.zero_dates
    return policy if policy in ("null", "keep") else "literal"


def _set_aside(form: Form, row: RawRow, error: ValueNotCarriable, rules: QuarantineSettings) -> SetAside:
    values = _values(form, row) if rules.keep_values else {}
    column = error.column
    key = form.key_of(row)
    return SetAside(form.identity(key), form.key_texts(key), column, error.reason, error.kind, values)


def _values(form: Form, row: RawRow) -> dict[str, str | None]:
    """The row as text, for an operator who allowed it; what cannot be converted as hexadecimal bytes."""
    shown: dict[str, str | None] = {}
    for name, converter, value in zip(form.names, form.converters, row, strict=True):
        shown[name] = None if value is None else _shown(converter, value)
    return shown


def _shown(converter: ColumnConverter, value: Any) -> str | None:
    try:
        converted = converter.base([value])
        if converted.missing is not None and converter.zero_text is not None:
            return converter.zero_text(value)
        text: str | None = as_text(converted.array, converter.column.type)[0].as_py()
        return text
    except ValueNotCarriable:
        return f"hex:{value.hex()}" if isinstance(value, bytes) else str(value)
