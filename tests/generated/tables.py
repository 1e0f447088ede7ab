"""Hypothesis strategies for tables of every type with odd names, and for changes of their rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pymysql
from hypothesis import strategies as st

from tests.generated.families import NEW_TEMPORAL_FAMILIES, OLD_FAMILIES, kinds, known_families
from tests.generated.kinds import Kind, Server

SESSION: Final = ("SET sql_mode='ALLOW_INVALID_DATES'", "SET time_zone='+00:00'")
_DUPLICATE_KEY: Final = 1062

_ODD_NAMES: Final = (
    "select", "Order", "order", "group by", "it's", 'say "hi"', "back`tick", "100%", "%s", "%(x)s", "a;b",
    "--", "{0}", "{schema}", "back\\slash", "in  side", "naïve", "ΑΒΓ", "日本", "☃", "x" * 63,
    "é" * 31 + "x", "USER", "table", "End", "a.b", "a/b", "$1", "?", ":name", "/*", "*/", "#x", "@a", "null",
    "1", "e\u0301", "ﬀ", "line\nbreak", "tab\there", "'", '"', ",", "(", "a=b", "\\N", "İ", "ß", " lead",
)  # fmt: skip
_NAMES: Final = st.sampled_from(_ODD_NAMES)

COMPUTED: Final = Kind("integer", "INT", st.nothing())


@dataclass(frozen=True, slots=True)
class Field:
    """A column: `values` are SQL expressions, NULL among them where it may be; `computed` has none."""

    name: str
    ddl: str
    values: st.SearchStrategy[str] | None
    kind: Kind


@dataclass(frozen=True, slots=True)
class Table:
    """A table with statements that make it, fill it, and change it.

    later: groups of statements, each group one transaction that ends as it says.
    """

    name: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    create: tuple[str, ...]
    first: tuple[str, ...]
    later: tuple[tuple[str, ...], ...]

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """Short where Hypothesis prints it; `shown_on_failure` prints all."""
        printer.text(f"<table {self.name!r}>")


def quoted(name: str) -> str:
    """A name in SQL."""
    return "`" + name.replace("`", "``") + "`"


@st.composite
def tables(draw: st.DrawFn, server: Server, carried: Collection[str], count: int = 6) -> list[Table]:
    """Tables of the carried families that the server has; two names may differ in case only."""
    names = draw(st.lists(_NAMES, min_size=count, max_size=count, unique=True))
    return [draw(_table(server, frozenset(carried) & known_families(server), name)) for name in names]


@st.composite
def _table(draw: st.DrawFn, server: Server, carried: frozenset[str], name: str) -> Table:
    old = bool(carried & OLD_FAMILIES) and draw(st.sampled_from([False, False, False, True]))
    families = carried - (NEW_TEMPORAL_FAMILIES if old else OLD_FAMILIES)
    key, others = draw(_key(server, families)), draw(_others(server, families))
    names = draw(
        st.lists(_NAMES, min_size=len(key + others), max_size=len(key + others), unique_by=str.casefold)
    )
    fields = [
        Field(column, f"{quoted(column)} {kind.ddl} NOT NULL", kind.key_values, kind)
        for column, kind in zip(names, key, strict=False)
    ]
    for column, kind in zip(names[len(key) :], others, strict=True):
        fields.append(draw(_field(column, kind, fields)))
    keyed = tuple(names[: len(key)])
    ordered = tuple(draw(st.permutations(fields)))
    engine = draw(st.sampled_from(["InnoDB", "InnoDB", "MyISAM"]))
    made = _create(name, ordered, keyed, engine)
    create = (made,) if not old else (_old_format("OFF"), made, _old_format("ON"))
    first = draw(st.lists(_insert(name, ordered, 4), min_size=1, max_size=2))
    changes = draw(st.lists(_changes(name, ordered, keyed, engine), min_size=2, max_size=5))
    return Table(name, ordered, keyed, create, tuple(first), tuple(changes))


def _old_format(value: str) -> str:
    return f"SET GLOBAL mysql56_temporal_format={'OFF' if value == 'OFF' else 'ON'}"


def _key(server: Server, families: frozenset[str]) -> st.SearchStrategy[list[Kind]]:
    fitting = kinds(server, families).filter(lambda kind: kind.key_values is not None)
    return st.lists(fitting, min_size=1, max_size=3)


def _others(server: Server, families: frozenset[str]) -> st.SearchStrategy[list[Kind]]:
    return st.lists(kinds(server, families), min_size=2, max_size=6)


@st.composite
def _field(draw: st.DrawFn, name: str, kind: Kind, before: Sequence[Field]) -> Field:
    shape = draw(st.sampled_from(["plain", "plain", "plain", "required", "invisible", "computed"]))
    ddl = f"{quoted(name)} {kind.ddl}"
    bases = [field for field in before if field.values is not None and _may_be_computed_from(field.kind)]
    if shape == "computed" and bases:
        base = draw(st.sampled_from(bases))
        measured = base.kind.ddl.startswith(("VAR", "TEXT", "BLOB"))
        function = "LENGTH({})" if measured else "{} IS NULL"
        stored = draw(st.sampled_from(["STORED", "VIRTUAL"]))
        computed = f"INT GENERATED ALWAYS AS ({function.format(quoted(base.name))}) {stored}"
        return Field(name, f"{quoted(name)} {computed}", None, COMPUTED)
    if shape == "required":
        return Field(name, f"{ddl} NOT NULL", kind.values, kind)
    hidden = " INVISIBLE" if shape == "invisible" else ""
    return Field(name, f"{ddl} NULL{hidden}", kind.values | st.just("NULL"), kind)


def _may_be_computed_from(kind: Kind) -> bool:
    """MariaDB refuses CHAR, whose spaces depend on the session, and MySQL VECTOR."""
    return kind.family != "vector" and not kind.ddl.startswith("CHAR")


def _create(name: str, fields: Sequence[Field], key: Sequence[str], engine: str) -> str:
    columns = ", ".join(field.ddl for field in fields)
    keyed = ", ".join(map(quoted, key))
    return (
        f"CREATE TABLE {quoted(name)} ({columns}, PRIMARY KEY ({keyed})) "
        f"ENGINE={engine} ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4"
    )


def _stored(fields: Sequence[Field]) -> list[tuple[str, st.SearchStrategy[str]]]:
    return [(quoted(field.name), field.values) for field in fields if field.values is not None]


def _insert(name: str, fields: Sequence[Field], most: int) -> st.SearchStrategy[str]:
    stored = _stored(fields)
    columns = ", ".join(column for column, _ in stored)
    row = st.tuples(*(values for _, values in stored)).map(lambda drawn: f"({', '.join(drawn)})")
    rows = st.lists(row, min_size=1, max_size=most)
    verbs = st.sampled_from(["INSERT", "INSERT", "REPLACE"])
    return st.tuples(verbs, rows).map(
        lambda drawn: f"{drawn[0]} INTO {quoted(name)} ({columns}) VALUES {', '.join(drawn[1])}"
    )


def _update(name: str, fields: Sequence[Field], key: Sequence[str]) -> st.SearchStrategy[str]:
    assignments = st.sampled_from(_stored(fields)).flatmap(
        lambda column: column[1].map(lambda value: f"{column[0]} = {value}")
    )
    several = st.lists(assignments, min_size=1, max_size=3, unique_by=lambda text: text.split(" = ")[0])
    return st.tuples(several, _which(key)).map(
        lambda drawn: f"UPDATE {quoted(name)} SET {', '.join(drawn[0])} {drawn[1]}"
    )


def _which(key: Sequence[str]) -> st.SearchStrategy[str]:
    """Some rows, by the order of the key: no value need be known."""
    order = st.tuples(st.sampled_from(key), st.sampled_from(["", " DESC"]), st.integers(1, 3))
    return order.map(lambda drawn: f"ORDER BY {quoted(drawn[0])}{drawn[1]} LIMIT {drawn[2]}")


def _changes(
    name: str, fields: Sequence[Field], key: Sequence[str], engine: str
) -> st.SearchStrategy[tuple[str, ...]]:
    delete = _which(key).map(lambda which: f"DELETE FROM {quoted(name)} {which}")
    update = _update(name, fields, key)
    one = st.one_of(_insert(name, fields, 3), update, update, delete)
    if engine == "MyISAM":
        return one.map(lambda statement: (statement,))
    ends = st.sampled_from(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"])
    grouped = st.tuples(st.lists(one, min_size=1, max_size=3), ends)
    return grouped.map(lambda drawn: ("BEGIN", *drawn[0], drawn[1]))


def run_all(connection: Any, statements: Collection[str]) -> None:
    """Execute statements as they are; a second row of one key is no error of the test's."""
    with connection.cursor() as cursor:
        for statement in statements:
            try:
                cursor.execute(statement)
            except pymysql.err.IntegrityError as error:
                if error.args[0] != _DUPLICATE_KEY:
                    raise


@contextmanager
def shown_on_failure(statements: Sequence[str]) -> Iterator[None]:
    """Print the statements, to run them by hand, if the block fails."""
    try:
        yield
    except BaseException:
        print(";\n".join((*SESSION, *statements)) + ";")
        raise
