"""Which keys the stream has touched lately, so that a chunk leaves them alone.

Invariant: a chunk decides only about keys that no event touched between a *settled* position (one
whose changes the chunk's SELECT is known to see) and the chunk's place in the queue. The binlog shows a
transaction a moment before a SELECT can, so the place itself is not settled.
Pure; the caller holds the queue's lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rowferry.assemble import keys_of
from rowferry.batch import Route
from rowferry.carry import carry_keys
from rowferry.changes import RawRow
from rowferry.position import BinlogPosition, MysqlGtidSet
from rowferry.table_schema import TableId


@dataclass(frozen=True, slots=True)
class SettledSet:
    """MySQL with GTIDs: @@gtid_executed, read before the SELECT."""

    executed: MysqlGtidSet


@dataclass(frozen=True, slots=True)
class SettledPosition:
    """MariaDB, InnoDB: the binlog position of the consistent snapshot that the SELECT reads."""

    position: BinlogPosition


@dataclass(frozen=True, slots=True)
class SettledTime:
    """Everywhere else: what had arrived by this time (monotonic seconds) is visible to the SELECT."""

    arrived_before: float


Settled = SettledSet | SettledPosition | SettledTime


@dataclass(frozen=True, slots=True)
class Touch:
    """The keys that one transaction touched in one table. arrived: monotonic seconds.

    route: None for a table without a key, of which nothing more is known.
    """

    arrived: float
    end: BinlogPosition
    gtid: str
    route: Route | None
    keys: Sequence[Any] = ()

    def settled(self, by: Settled) -> bool:
        """Whether a SELECT after `by` is known to see this transaction."""
        match by:
            case SettledSet(executed):
                uuid, _, number = self.gtid.rpartition(":")
                return bool(uuid) and executed.has(uuid, int(number))
            case SettledPosition(position):
                return position.reached(self.end)
            case SettledTime(before):
                return self.arrived < before


def reached(by: Settled, position: BinlogPosition, since: float) -> bool:
    """Whether a SELECT after `by` sees everything up to `position`, which was applied at time `since`."""
    match by:
        case SettledSet(executed):
            return not isinstance(position.gtid_set, MysqlGtidSet) or executed.covers(position.gtid_set)
        case SettledPosition(snapshot):
            return snapshot.reached(position)
        case SettledTime(before):
            return since < before


@dataclass(slots=True)
class TouchLog:
    """Touches of the tables that are being copied, and the SELECTs that are under way (readings)."""

    _touches: dict[TableId, deque[Touch]] = field(default_factory=dict)
    _by_time: set[TableId] = field(default_factory=set)
    _readings: dict[TableId, list[Settled]] = field(default_factory=dict)

    def watch(self, table: TableId, *, by_time: bool = False) -> None:
        """Begin, or begin again, with nothing. by_time: whether only time settles the table's touches."""
        self._touches[table] = deque()
        (self._by_time.add if by_time else self._by_time.discard)(table)

    def forget(self, tables: Sequence[TableId]) -> None:
        """The tables are no longer copied."""
        for table in tables:
            self._touches.pop(table, None)
            self._by_time.discard(table)

    def watches(self, table: TableId) -> bool:
        """Whether touches of the table are recorded."""
        return table in self._touches

    def record(
        self, arrived: float, end: BinlogPosition, gtid: str, route: Route, rows: Sequence[RawRow]
    ) -> None:
        """Images of a row event, before and after."""
        self._touches[route.table.id].append(Touch(arrived, end, gtid, route, list(map(route.key, rows))))

    def note(self, arrived: float, end: BinlogPosition, gtid: str, table: TableId) -> None:
        """Some row of a table without a key was touched."""
        self._touches[table].append(Touch(arrived, end, gtid, None))

    def begin(self, table: TableId, by: Settled) -> None:
        """A SELECT that sees `by` begins; what neither it nor another one under way can lack is forgotten.

        As time passes for all tables, one that is settled by time settles those that wait for their turn.
        """
        self._readings.setdefault(table, []).append(by)
        others = self._by_time if isinstance(by, SettledTime) else set[TableId]()
        for each in {table} | others:
            touches, readings = self._touches.get(each, deque()), self._readings.get(each) or [by]
            while touches and all(touches[0].settled(reading) for reading in readings):
                touches.popleft()

    def end(self, table: TableId, by: Settled) -> None:
        """The SELECT's chunk is placed, or given up."""
        readings = self._readings.get(table, [])
        if by in readings:
            readings.remove(by)

    def keys(self, table: TableId, by: Settled) -> set[Hashable]:
        """Keys that were touched and are not settled, converted as `assemble.keys_of` does, or UnfitKey.

        Of a table without a key, () stands for them all.
        """
        found: set[Hashable] = set()
        for touch in self._touches.get(table, ()):
            if not touch.settled(by):
                found.update(_converted(touch))
        return found


def _converted(touch: Touch) -> list[Hashable]:
    if touch.route is None:
        return [()]
    form = touch.route.form
    single = len(form.table.key) == 1
    keys, unfit = carry_keys(form, [(key,) for key in touch.keys] if single else touch.keys)
    return [*keys_of(keys, form.table.key), *unfit]
