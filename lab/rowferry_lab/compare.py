"""An independent, row-by-row comparison of a MySQL or MariaDB database with its copy in Postgres.

    result = compare(source_url, destination_url, schema="raw")
    assert result.equal, result.describe()

Both servers print every value as canonical text (`compare_kinds`); rows are merged by primary key and
compared one by one. Shares no code with Rowferry. Reports keys and column names, never other values.
The source must be quiet while it runs.

    python -m rowferry_lab.compare SOURCE_URL DEST_URL --schema raw [TABLE ...]     exit 0 equal, 3 different
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from hashlib import sha256
from typing import Any, Final, TypedDict, Unpack

import psycopg
import pymysql

from rowferry_lab.compare_kinds import CannotCompare, Text, with_zero_date
from rowferry_lab.compare_overrides import override_kind, wider_kind
from rowferry_lab.compare_result import Comparison, Key, TableResult
from rowferry_lab.compare_sides import Column, DestinationSide, Layout, SourceSide

DEFAULT_EXCLUDE: Final = ("temp*", "tmp*", "*_bak_*")
_EQUAL, _FAILED, _DIFFERENT = 0, 1, 3
_DESCRIPTION: Final = "Compare a MySQL or MariaDB database with its copy in Postgres, row by row."

Row = tuple[Text, ...]
_ABSENT: Final[Row] = ()


class Expected(TypedDict, total=False):
    """What is known to be different in the destination.

    renamed: table -> table, (table, column) -> column. overridden: (table, column) -> Postgres type.
    zero_dates: (table, column) -> what stands for a date that is none, instead of NULL. set_aside:
    table -> keys, as canonical text, of rows that the source must have and the destination must not.
    wider: a column may have the wider type that it had before, such as a timestamp for a date.
    All tables and columns by the source's names.
    """

    renamed: Mapping[str | tuple[str, str], str]
    overridden: Mapping[tuple[str, str], str]
    zero_dates: Mapping[tuple[str, str], str]
    set_aside: Mapping[str, Collection[Key]]
    wider: bool


def compare(
    source_url: str,
    destination_url: str,
    *,
    schema: str = "raw",
    tables: Sequence[str] | None = None,
    exclude: Collection[str] = DEFAULT_EXCLUDE,
    masked: Collection[tuple[str, str]] = (),
    **expected: Unpack[Expected],
) -> Comparison:
    """Compare the named tables, by default every table of the source that no `exclude` glob matches.

    masked: (table, column) pairs of text that the copy holds hashed: equal source values must have equal
    hashes, different ones different hashes, NULL stays NULL, and no text may be there in the clear.
    Raises CannotCompare on column types without a known canonical form, and on a destination type that
    cannot hold the source's.
    """
    with SourceSide(source_url) as source, DestinationSide(destination_url, schema) as destination:
        if tables is None:
            tables = [name for name in source.tables() if not any(fnmatch(name, glob) for glob in exclude)]
        hidden = {name: {column for table, column in masked if table == name} for name in tables}
        return Comparison(tuple(_table(source, destination, name, hidden[name], expected) for name in tables))


def _table(
    source: SourceSide, destination: DestinationSide, name: str, masked: set[str], expected: Expected
) -> TableResult:
    layout, result = _expected_layout(source.layout(name), expected), TableResult(name)
    target = expected.get("renamed", {}).get(name, name)
    if not (types := destination.column_types(target)) and target == name:
        types = destination.column_types(target := name.lower())
    if not types:
        result.absent = True
        return result
    if expected.get("wider"):
        layout = replace(layout, columns=tuple(_as_it_stands(c, types.get(c.target)) for c in layout.columns))
    _check_columns(layout, types, masked, result)
    columns = tuple(column for column in layout.columns if column.target in types)
    key = layout.key if set(layout.key) <= {column.name for column in columns} - masked else ()
    shared = replace(layout, columns=columns, key=key)
    checks = [_Masked() if column.name in masked else None for column in columns]
    here, there = source.rows(shared), destination.rows(target, shared)
    aside = set(expected.get("set_aside", {}).get(name, ()))
    if key:
        _merge(shared, _without(shared, here, aside, result), there, checks, result)
    elif aside:
        raise CannotCompare(f"table {name}: rows without a key cannot be set aside")
    else:
        _count(here, there, checks, result)
    clear = (
        column.name for column, check in zip(columns, checks, strict=True) if check and check.in_the_clear
    )
    result.in_the_clear = tuple(clear)
    return result


def _expected_layout(layout: Layout, expected: Expected) -> Layout:
    """The layout with the names and kinds that the destination is expected to have."""
    return replace(layout, columns=tuple(_expected_column(layout.table, c, expected) for c in layout.columns))


def _expected_column(table: str, column: Column, expected: Expected) -> Column:
    place, kind = (table, column.name), column.kind
    try:
        if (literal := expected.get("zero_dates", {}).get(place)) is not None:
            kind = with_zero_date(kind, literal)
        if (chosen := expected.get("overridden", {}).get(place)) is not None:
            kind = override_kind(kind, chosen)
    except CannotCompare as error:
        raise CannotCompare(f"table {table}, column {column.name}: {error}") from None
    return Column(column.name, kind, target=expected.get("renamed", {}).get(place, column.name))


def _as_it_stands(column: Column, found: str | None) -> Column:
    """The column with the kind of what holds it in the destination, where one is known."""
    if found is None:
        return column
    try:
        return replace(column, kind=wider_kind(column.kind, found))
    except CannotCompare:
        return column


def _without(layout: Layout, sources: Iterator[Row], aside: set[Key], result: TableResult) -> Iterator[Row]:
    """The source's rows but those set aside, which are noted: in the destination they are extra."""
    indexes, found = layout.key_indexes, set[Key]()
    for row in sources:
        if (key := _part(row, indexes)) in aside:
            found.add(key)
        else:
            yield row
    result.set_aside = len(found)
    result.not_set_aside = tuple(sorted(aside - found, key=str))


def _check_columns(layout: Layout, types: dict[str, str], masked: set[str], result: TableResult) -> None:
    result.missing_columns = tuple(column.name for column in layout.columns if column.target not in types)
    targets = {column.target for column in layout.columns}
    result.extra_columns = tuple(name for name in types if name not in targets)
    present = [column.name for column in layout.columns if column.target in types]
    result.masked = tuple(name for name in present if name in masked)
    for column in layout.columns:
        found = types.get(column.target)
        if found is not None and found not in column.kind.destination_types:
            where = f"table {layout.table}, column {column.name}"
            raise CannotCompare(f"{where}: the source's {column.kind.name} in a Postgres {found}")


class _Masked:
    """Checks that a column's values and their hashes go together one to one."""

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self.in_the_clear = False

    def agrees(self, value: Text, masked: Text) -> bool:
        """Whether `masked` can be the hash of `value`, given all that was seen before."""
        if value is None or masked is None:
            return value is masked
        if value == masked:
            self.in_the_clear = self.in_the_clear or value != ""
            return value == ""
        known = self._hashes.setdefault(value, masked) == masked
        return self._values.setdefault(masked, value) == value and known


_Checks = Sequence[_Masked | None]


def _merge(
    layout: Layout, sources: Iterator[Row], destinations: Iterator[Row], checks: _Checks, result: TableResult
) -> None:
    """Walk both sides in key order, side by side."""
    indexes, hashed = layout.key_indexes, any(checks)
    names = [column.name for column in layout.columns]
    for source, destination in _pairs(sources, destinations, _order_function(layout)):
        if source is _ABSENT:
            result.add_extra(_part(destination, indexes))
            continue
        result.rows_compared += 1
        if destination is _ABSENT:
            result.add_missing(_part(source, indexes))
        elif hashed or source != destination:
            columns = _differing(names, source, destination, checks)
            if columns:
                result.add_different(_part(source, indexes), columns)


def _pairs(
    sources: Iterator[Row], destinations: Iterator[Row], order_of: Callable[[Row], tuple[Any, ...]]
) -> Iterator[tuple[Row, Row]]:
    """Rows of equal keys together, others with _ABSENT. No row is dropped, whatever the order is."""
    source, destination = next(sources, None), next(destinations, None)
    while source is not None and destination is not None:
        left, right = order_of(source), order_of(destination)
        if left < right:
            yield source, _ABSENT
            source = next(sources, None)
        elif right < left:
            yield _ABSENT, destination
            destination = next(destinations, None)
        else:
            yield source, destination
            source, destination = next(sources, None), next(destinations, None)
    while source is not None:
        yield source, _ABSENT
        source = next(sources, None)
    while destination is not None:
        yield _ABSENT, destination
        destination = next(destinations, None)


def _order_function(layout: Layout) -> Callable[[Row], tuple[Any, ...]]:
    parts = [(i, c.kind.order) for i, c in zip(layout.key_indexes, layout.key_columns, strict=True)]

    def order_of(row: Row) -> tuple[Any, ...]:
        return tuple((0, 0) if (text := row[i]) is None else (1, order(text)) for i, order in parts)

    return order_of


def _differing(names: Sequence[str], source: Row, destination: Row, checks: _Checks) -> list[str]:
    found = []
    for name, value, copy, check in zip(names, source, destination, checks, strict=True):
        if not (value == copy if check is None else check.agrees(value, copy)):
            found.append(name)
    return found


def _count(sources: Iterator[Row], destinations: Iterator[Row], checks: _Checks, result: TableResult) -> None:
    """Compare rows without a key as two bags of digests (of the columns that are not masked)."""
    plain = [i for i, check in enumerate(checks) if check is None]
    here, there = _bag(sources, plain), _bag(destinations, plain)
    result.rows_compared = here.total()
    for digest in (here - there).elements():
        result.add_missing((digest.hex(),))
    for digest in (there - here).elements():
        result.add_extra((digest.hex(),))


def _bag(rows: Iterator[Row], indexes: Sequence[int]) -> Counter[bytes]:
    return Counter(sha256(repr(_part(row, indexes)).encode()).digest() for row in rows)


def _part(row: Row, indexes: Sequence[int]) -> Row:
    return tuple(row[index] for index in indexes)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rowferry_lab.compare", description=_DESCRIPTION)
    parser.add_argument("source_url", help="mysql://user@host:port/database")
    parser.add_argument("destination_url", help="postgresql://user@host:port/database")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="default: all that no --exclude matches")
    parser.add_argument("--schema", default="raw", help="the schema that holds the copy (default: raw)")
    parser.add_argument("--exclude", action="append", metavar="GLOB", help="default: temp*, tmp*, *_bak_*")
    parser.add_argument("--masked", action="append", default=[], metavar="TABLE.COLUMN", help="hashed")
    options = parser.parse_intermixed_args(arguments)
    try:
        result = compare(
            options.source_url,
            options.destination_url,
            schema=options.schema,
            tables=options.tables or None,
            exclude=DEFAULT_EXCLUDE if options.exclude is None else options.exclude,
            masked=[(table, column) for table, _, column in (text.partition(".") for text in options.masked)],
        )
    except (CannotCompare, pymysql.err.Error, psycopg.Error) as error:
        sys.stderr.write(f"cannot compare: {' '.join(str(error).split())}\n")
        return _FAILED
    sys.stdout.write("".join(table.describe() + "\n" for table in result.tables if table.equal))
    sys.stdout.write(result.describe() + "\n")
    return _EQUAL if result.equal else _DIFFERENT


if __name__ == "__main__":
    sys.exit(main())
