"""The steps of an upgrade over several versions, deterministic by seed.

    steps = plan()          # more than 350 schema changes, with changes of data between

What happens to the everyday tables, which the workload changes meanwhile, is written down; what happens to
the others is drawn, and their columns are followed (`_Shape`) so that every statement is valid on MariaDB
10.5 and later and on MySQL 9, under sql_mode ''.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from rowferry_lab.opendental_schema import Table
from rowferry_lab.opendental_upgrade import Step, one
from rowferry_lab.opendental_upgrade_changes import ADDED, BACKFILLS, DECLARED, EVERYDAY, INDEXABLE, WIDER
from rowferry_lab.opendental_wide import other_tables

DEFAULT_SEED: Final = 25
DRAWN_CHANGES: Final = 340
REBUILT: Final = "sheetfield"
REBUILT_ROWS: Final = 60_000
_RANGE_ROWS: Final = 2_500
_BEFORE_REBUILD: Final = 20  # steps: early, when whoever follows them is not behind yet

# Their changes are written down as the everyday tables' are.
_WRITTEN_DOWN: Final = ("sheetfield", "famaging", "dashboardar")


@dataclass(slots=True)
class _Shape:
    """What is known of a table at some point of the upgrade."""

    name: str
    key: str
    columns: dict[str, str]
    indexed: set[str] = field(default_factory=set)

    def having(self, codes: tuple[str, ...], *, bare: bool = False) -> list[str]:
        """Columns of these codes; bare: only without an index."""
        return [n for n, code in self.columns.items() if code in codes and not (bare and n in self.indexed)]


def plan(seed: int = DEFAULT_SEED) -> tuple[Step, ...]:
    """All steps, for the database that `opendental_wide` makes of its own default seed."""
    planner = _Planner(random.Random(seed), other_tables())
    drawn = [step for number in range(DRAWN_CHANGES) for step in planner.draw(number)]
    everyday = [one(text) for text in EVERYDAY.strip().splitlines()]
    merged = list(_merged(drawn, everyday))
    rebuild = _rebuild(random.Random(seed))
    return (*merged[:_BEFORE_REBUILD], *rebuild, *merged[_BEFORE_REBUILD:])


def _merged(many: list[Step], few: list[Step]) -> Iterator[Step]:
    """Both, each in its order, the few evenly between the many."""
    taken = 0
    for number, step in enumerate(many, 1):
        yield step
        until = len(few) * number // len(many)
        yield from few[taken:until]
        taken = until


def _rebuild(rng: random.Random) -> Iterator[Step]:
    """A large table is rebuilt: its rows come back by four connections, range by range, out of order."""
    moved = f"tempConv_{REBUILT}1"
    yield one(f"ALTER TABLE {REBUILT} ADD TabOrder int NOT NULL DEFAULT 0")
    yield Step(
        (
            f"RENAME TABLE {REBUILT} TO {moved}",
            f"CREATE TABLE {REBUILT} LIKE {moved}",
            f"ALTER TABLE {REBUILT} MODIFY XPos bigint NOT NULL DEFAULT 0, ADD TabOrderMobile int NOT NULL, "
            "ADD INDEX (SheetNum)",
        )
    )
    columns = "SheetFieldNum, SheetNum, FieldType, FieldName, FieldValue, FontSize, FontIsBold, XPos, YPos, "
    columns += "DateTimeSig, ItemColor, UiLabelMobile, TabOrder"
    firsts = list(range(1, REBUILT_ROWS + 1, _RANGE_ROWS))
    rng.shuffle(firsts)
    copies = (
        f"INSERT INTO {REBUILT} ({columns}) SELECT {columns} FROM {moved} "
        f"WHERE SheetFieldNum BETWEEN {first} AND {first + _RANGE_ROWS - 1}"
        for first in firsts
    )
    yield Step(tuple(copies), parallel=True)
    yield one(f"DROP TABLE {moved}")
    yield one(f"UPDATE {REBUILT} SET TabOrderMobile = 5 WHERE SheetFieldNum <= 300")


class _Planner:
    """Draws changes, and follows what they make of the tables."""

    def __init__(self, rng: random.Random, tables: tuple[Table, ...]) -> None:
        self._rng, self._number = rng, 0
        self._shapes = {t.name: _shape(t) for t in tables if t.name not in _WRITTEN_DOWN}
        self._kinds: dict[Callable[[], Iterator[str]], int] = {
            self._column_added: 95, self._columns_added: 12, self._index_added: 40, self._widened: 62,
            self._column_renamed: 12, self._column_dropped: 14, self._table_made: 26, self._table_dropped: 10,
            self._table_renamed: 7, self._tables_swapped: 4, self._engine_changed: 14,
            self._charset_changed: 8, self._made_anew: 7, self._truncated: 6, self._left_over: 8,
            self._preference_added: 25, self._rows_deleted: 6, self._commented: 5, self._put_aside: 3,
        }  # fmt: skip

    def draw(self, number: int) -> Iterator[Step]:
        """The statements of the next change."""
        kind = self._rng.choices(list(self._kinds), list(self._kinds.values()))[0]
        self._number = number
        return map(one, list(kind()))

    def _any(self) -> _Shape:
        return self._rng.choice(list(self._shapes.values()))

    def _column_added(self) -> Iterator[str]:
        shape = self._any()
        code, declared = self._rng.choice(ADDED)
        name = f"New{self._number}{'_' if self._number % 9 == 0 else ''}"
        place = self._rng.choice(
            ("", "", "", "", f" AFTER {self._rng.choice(list(shape.columns))}", " FIRST")
        )
        verb = self._rng.choice(("ADD", "ADD", "ADD COLUMN"))
        table = self._rng.choice((shape.name, f"`{shape.name}`"))
        shape.columns[name] = code
        yield f"ALTER TABLE {table} {verb} {name} {declared}{place}"
        if self._rng.random() < 0.4:
            some = self._rng.choice(("", f" WHERE {shape.key} % 2 = 0"))
            yield f"UPDATE {table} SET {name} = {BACKFILLS[code]}{some}"
        if code == "B" and self._rng.random() < 0.7:
            shape.indexed.add(name)
            yield f"ALTER TABLE {table} ADD INDEX ({name})"

    def _columns_added(self) -> Iterator[str]:
        shape = self._any()
        parts = []
        for letter, (code, declared) in zip("ABC", self._rng.sample(ADDED[:-1], 3), strict=True):
            shape.columns[f"Multi{self._number}{letter}"] = code
            parts.append(f"ADD COLUMN Multi{self._number}{letter} {declared}")
        yield f"ALTER TABLE {shape.name} {', '.join(parts)}"

    def _index_added(self) -> Iterator[str]:
        shape = self._any()
        for column in shape.having(INDEXABLE, bare=True)[:1]:
            shape.indexed.add(column)
            named = f"CREATE INDEX idx{self._number} ON {shape.name} ({column})"
            yield self._rng.choice((f"ALTER TABLE {shape.name} ADD INDEX ({column})", named))

    def _widened(self) -> Iterator[str]:
        shape = self._any()
        columns = shape.having(tuple(WIDER), bare=True)
        if columns:
            column = self._rng.choice(columns)
            code, declared = self._rng.choice(WIDER[shape.columns[column]])
            shape.columns[column] = code
            how = self._rng.choice(
                (f"MODIFY {column}", f"MODIFY COLUMN {column}", f"CHANGE {column} {column}")
            )
            yield f"ALTER TABLE {shape.name} {how} {declared}"

    def _column_renamed(self) -> Iterator[str]:
        shape = self._any()
        for column in shape.having(tuple(DECLARED), bare=True)[:1]:
            code = shape.columns.pop(column)
            shape.columns[f"Other{self._number}"] = code
            changed = f"CHANGE {column} Other{self._number} {DECLARED[code]}"
            how = self._rng.choice((changed, changed, f"RENAME COLUMN {column} TO Other{self._number}"))
            yield f"ALTER TABLE {shape.name} {how}"

    def _column_dropped(self) -> Iterator[str]:
        shape = self._any()
        if len(shape.columns) > 3:
            column = self._rng.choice(list(shape.columns))
            del shape.columns[column]
            shape.indexed.discard(column)
            yield f"ALTER TABLE {shape.name} {self._rng.choice(('DROP', 'DROP COLUMN'))} {column}"

    def _table_made(self) -> Iterator[str]:
        yield f"DROP TABLE IF EXISTS made{self._number}"
        yield from self._made(f"made{self._number}")

    def _made(self, name: str) -> Iterator[str]:
        """Create a table as OpenDental's upgrades do, and give it rows."""
        shape = _Shape(name, f"{name.capitalize()}Num", {"PatNum": "B", "Body_": "text"}, {"PatNum"})
        lines = [f"{shape.key} bigint NOT NULL auto_increment PRIMARY KEY"]
        lines += ["PatNum bigint NOT NULL", "Body_ text NOT NULL"]
        for count, (code, declared) in enumerate(self._rng.sample(ADDED[:-1], self._rng.randint(1, 8))):
            shape.columns[f"Field{count}"] = code
            lines.append(f"Field{count} {declared}")
        self._shapes[name] = shape
        engine = self._rng.choice(("", "", " ENGINE=MyISAM", " ENGINE=InnoDB"))
        yield f"CREATE TABLE {name} ({', '.join(lines)}, INDEX(PatNum)){engine} DEFAULT CHARSET=utf8"
        if self._rng.random() < 0.5:
            some = f"SELECT PatNum, LName FROM patient WHERE PatNum <= {self._number % 40 + 1}"
            yield f"INSERT INTO {name} (PatNum, Body_) {some}"

    def _table_dropped(self) -> Iterator[str]:
        shape = self._any()
        del self._shapes[shape.name]
        yield f"DROP TABLE {self._rng.choice(('', 'IF EXISTS '))}{shape.name}"

    def _table_renamed(self) -> Iterator[str]:
        shape = self._any()
        del self._shapes[shape.name]
        old, shape.name = shape.name, f"{shape.name[:40]}renamed{self._number}"
        self._shapes[shape.name] = shape
        yield self._rng.choice(
            (f"RENAME TABLE {old} TO {shape.name}", f"ALTER TABLE {old} RENAME TO {shape.name}")
        )

    def _tables_swapped(self) -> Iterator[str]:
        first, second = self._rng.sample(list(self._shapes), 2)
        self._shapes[first], self._shapes[second] = self._shapes[second], self._shapes[first]
        self._shapes[first].name, self._shapes[second].name = first, second
        between = f"swapping{self._number}"
        yield f"RENAME TABLE {first} TO {between}, {second} TO {first}, {between} TO {second}"

    def _engine_changed(self) -> Iterator[str]:
        engine = self._rng.choice(("InnoDB", "InnoDB", "MyISAM"))
        yield f"ALTER TABLE {self._any().name} ENGINE={engine}"

    def _charset_changed(self) -> Iterator[str]:
        yield f"ALTER TABLE {self._any().name} CONVERT TO CHARACTER SET utf8mb4"

    def _made_anew(self) -> Iterator[str]:
        name = self._any().name
        yield f"DROP TABLE {name}"
        yield from self._made(name)

    def _truncated(self) -> Iterator[str]:
        yield f"TRUNCATE {self._rng.choice(('', 'TABLE '))}{self._any().name}"

    def _left_over(self) -> Iterator[str]:
        """A copy that the upgrade makes for itself, and sometimes leaves behind."""
        name = f"{self._rng.choice(('temp', 'tmp'))}{self._number}"
        yield f"CREATE TABLE {name} ENGINE=InnoDB SELECT PatNum, LName FROM patient WHERE PatNum < 50"
        if self._rng.random() < 0.6:
            yield f"DROP TABLE IF EXISTS {name}"

    def _preference_added(self) -> Iterator[str]:
        number = self._number
        yield f"INSERT INTO preference(PrefName,ValueString) VALUES('Added{number}','{number % 3}')"
        if number % 4 == 0:
            yield f"UPDATE preference SET ValueString = '25.4.{number}.0' WHERE PrefName = 'Preference1'"

    def _rows_deleted(self) -> Iterator[str]:
        shape = self._any()
        yield f"DELETE FROM {shape.name} WHERE {shape.key} % 4 = 1"

    def _commented(self) -> Iterator[str]:
        shape = self._any()
        name = f"Noted{self._number}"
        shape.columns[name] = "int"
        yield self._rng.choice(
            (
                f"/* to {self._number} */ ALTER TABLE {shape.name} ADD {name} int NOT NULL -- last",
                f"ALTER TABLE {shape.name} /*!50100 ADD COLUMN {name} int NOT NULL DEFAULT 4 */",
                f"alter table {shape.name} add `{name}` int not null default 5 comment 'it''s `new`, (x)'",
            )
        )

    def _put_aside(self) -> Iterator[str]:
        """A table is renamed to a backup, and goes on with no rows."""
        shape = self._any()
        aside = f"{shape.name[:30]}_bak_{self._number}"
        yield f"RENAME TABLE {shape.name} TO {aside}"
        yield f"CREATE TABLE {shape.name} LIKE {aside}"


def _shape(table: Table) -> _Shape:
    columns = {column.name: column.code for column in table.columns[1:]}
    return _Shape(table.name, table.key, columns)
