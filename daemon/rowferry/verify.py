"""`rowferry verify`: compare tables with their copies while both live; report what truly differs.

The work is done on the two sides' own data alone: checksums find what looks different (`verify_walk`),
readings of single keys decide about it (`judging`). Nothing here writes to the dataset.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.checkpoint import (
    NOTHING_COPIED,
    TableRecord,
    TableStatus,
    has_tracking_tables,
    read_checkpoint,
    read_tables,
)
from rowferry.destination import Session
from rowferry.errors import LoadFailed, RowferryError, SchemaMoved, TableStopped
from rowferry.judging import Difference, Judgement, Key, Kind, Reading
from rowferry.layout_changes import same_layout
from rowferry.mysql_source import SourceServer, head_position
from rowferry.quarantine import key_hash, read_hashes
from rowferry.resync import unknown_table
from rowferry.row_text import inexact_columns
from rowferry.settings import Settings
from rowferry.table_schema import TableSchema
from rowferry.types import UnsupportedType
from rowferry.verify_keys import unmatched
from rowferry.verify_sides import DestinationSide, SourceSide, Sums
from rowferry.verify_values import ValueComparer
from rowferry.verify_walk import Walk

MAX_READINGS: Final = 8
PATIENCE_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class TableResult:
    """What was found of one table. rows: of the source.

    problem: why it could not be verified, or not wholly; "". failed: the kind of the error that ended it; "".
    unsettled: keys that changed faster than
    they could be compared, of which nothing is known. repaired: rows that were mended before.
    nameless: whether the rows of a table without a key differ, which cannot be named.
    """

    table: str
    rows: int = 0
    differences: tuple[Difference, ...] = ()
    unsettled: int = 0
    problem: str = ""
    repaired: int = 0
    nameless: bool = False
    failed: str = ""

    @property
    def verdict(self) -> str:
        """`different`, `not verified`, or `equal`."""
        if self.differences or self.nameless:
            return "different"
        return "not verified" if self.problem else "equal"

    def keys(self, kind: Kind) -> list[Key]:
        """The keys that differ in that way."""
        return [d.key for d in self.differences if d.kind is kind]


Steps = Generator[None, None, "TableResult"]
"""One table's verification; where it stops, the stream must pass the source's head before it goes on."""


class Stream:
    """Whether the destination has all that the source had. alive: raises if nobody carries it there."""

    def __init__(
        self,
        settings: Settings,
        control: Connection[Any],
        server: SourceServer,
        session: Session,
        alive: Callable[[], None],
    ) -> None:
        """Asks nothing yet."""
        self._dataset = settings.destination.dataset
        self._settle_seconds = settings.copying.settle_seconds
        self._control = control
        self._server = server
        self._session = session
        self._alive = alive

    def pass_head(self) -> None:
        """Wait until the checkpoint has passed the source's binlog head of now, and changes are settled.

        Raises RowferryError if the checkpoint stands still for long.
        """
        head = head_position(self._control, self._server)
        settled = time.monotonic() + self._settle_seconds
        seen, moved = "", time.monotonic()
        while True:
            self._alive()
            checkpoint = read_checkpoint(self._session, self._dataset)
            if checkpoint is not None and checkpoint.position.identity == head.identity:
                if checkpoint.position.reached(head):
                    break
                if str(checkpoint.position) != seen:
                    seen, moved = str(checkpoint.position), time.monotonic()
            if time.monotonic() - moved > PATIENCE_SECONDS:
                reason = "the checkpoint stands still before the source's binlog head"
                raise RowferryError("verify", reason=reason, hint="`rowferry status` says more")
            time.sleep(_POLL_SECONDS)
        time.sleep(max(0.0, settled - time.monotonic()))


class Verifier:
    """Verifies tables over connections of its own. rows: one of `mysql_source.connect_for_copy`."""

    def __init__(
        self,
        settings: Settings,
        rows: Connection[Any],
        session: Session,
        stream: Stream,
        progress: Callable[[str, int], None],
    ) -> None:
        """session: prints values as `checksum_there.SESSION` says. progress: told of table and rows."""
        self._settings = settings
        self._dataset = settings.destination.dataset
        self._rows = rows
        self._session = session
        self._stream = stream
        self._progress = progress

    def verify(self, tables: Sequence[str]) -> list[TableResult]:
        """The results by table; no tables means all but those that are gone at the source.

        Raises RowferryError for an unknown name, and what connections raise.
        """
        self._stream.pass_head()
        records = {r.table.id.name: r for r in read_tables(self._session, self._dataset).values()}
        if unknown := sorted(set(tables) - set(records)):
            raise unknown_table("verify", unknown[0])
        wanted = sorted(tables) or [n for n, r in records.items() if r.status is not TableStatus.DROPPED]
        steps = {name: self._verify(records[name]) for name in sorted(set(wanted))}
        results: dict[str, TableResult] = {}
        while True:
            ended = self._go_on({name: steps[name] for name in steps if name not in results})
            results |= self._still_so(ended, records)
            if len(results) == len(steps):
                return [results[name] for name in steps]
            self._stream.pass_head()

    @staticmethod
    def _go_on(steps: Mapping[str, Steps]) -> dict[str, TableResult]:
        """One step of each table; the results of those that have come to their end."""
        ended = {}
        for name, table in steps.items():
            try:
                next(table)
            except StopIteration as end:
                ended[name] = end.value
        return ended

    def _still_so(
        self, ended: Mapping[str, TableResult], records: Mapping[str, TableRecord]
    ) -> dict[str, TableResult]:
        """The results, but of tables whose layout or state is no longer the one that was compared."""
        now = {r.table.id.name: r for r in read_tables(self._session, self._dataset).values()}
        found = {}
        for name, result in ended.items():
            before, after = records[name], now.get(name)
            same = after is not None and after.status is before.status and _alike(before.table, after.table)
            moved = TableResult(name, problem="its layout or its state changed meanwhile")
            found[name] = result if same or result.problem else moved
        return found

    def _verify(self, record: TableRecord) -> Steps:
        name = record.table.id.name
        try:
            if problem := self._obstacle(record):
                return TableResult(name, problem=problem)
            compare = self._compare if record.table.key else self._compare_whole
            return (yield from compare(record.table))
        except (SchemaMoved, TableStopped, LoadFailed) as error:
            return TableResult(name, problem=error.reason)
        except UnsupportedType as error:
            return TableResult(name, problem=str(error))

    @staticmethod
    def _obstacle(record: TableRecord) -> str:
        if record.status is not TableStatus.STREAMING:
            return f"it is {record.status.value}"
        return unmatched(record.table)

    def _compare(self, table: TableSchema) -> Steps:
        name = table.id.name
        source = SourceSide(self._rows, table)
        destination = DestinationSide(self._session, self._dataset, table)
        limits = self._settings.copying
        walk = Walk(source, destination, limits, lambda rows: self._progress(name, rows))
        yield from walk.steps()
        found, values = walk.found, None
        if inexact_columns(table):
            values = ValueComparer(source, destination, self._settings.quarantine)
        readings = _Readings(source, destination, values, frozenset(found.unfit), self._set_aside)
        judgement = Judgement(sorted(found.candidates))
        for number in range(MAX_READINGS):
            if not judgement.open:
                break
            if number:
                yield
            judgement.hear(readings.read(judgement.open))
        problem = "" if found.complete else "more rows look different than can be looked at"
        differences = sorted(judgement.found, key=lambda d: (d.kind, d.key))
        return TableResult(name, found.rows, tuple(differences), len(judgement.open), problem)

    def _compare_whole(self, table: TableSchema) -> Steps:
        """A table without a key: all of its rows at once, until two readings in a row have seen the same.

        A change makes the daemon copy the table again, and takes it out of its state meanwhile.
        """
        name = table.id.name
        if inexact := inexact_columns(table):
            return TableResult(name, problem=f"no key, and column {inexact[0]} has no exact text")
        source = SourceSide(self._rows, table)
        destination = DestinationSide(self._session, self._dataset, table)
        last: tuple[Sums, Sums] | None = None
        for _ in range(MAX_READINGS):
            there, here = destination.sums(None, None), source.sums(None, None)
            self._progress(name, here.rows)
            if here == there or last == (here, there):
                return TableResult(name, here.rows, nameless=here != there)
            last = here, there
            yield
        return TableResult(name, problem="it has no key, and changes all the time")

    def _set_aside(self, table: str) -> frozenset[str]:
        return frozenset(read_hashes(self._session, self._dataset).get(table, {}))


@dataclass(frozen=True, slots=True)
class _Readings:
    """Looks at keys: in the destination first, then in the source, see `judging`."""

    source: SourceSide
    destination: DestinationSide
    values: ValueComparer | None
    unfit: frozenset[Key]
    set_aside: Callable[[str], frozenset[str]]

    def read(self, keys: Sequence[Key]) -> dict[Key, Reading]:
        """A reading of each key."""
        there = self.destination.read([key for key in keys if key not in self.unfit])
        here = self.source.read(keys)
        aside = self.set_aside(self.source.table.id.name)
        found = {}
        for key in keys:
            row, copy = here.get(key), there.get(key)
            digest = row.digest if row is not None else None
            if copy is None:
                found[key] = Reading(digest, None, expected=key_hash(key) in aside)
            else:
                found[key] = Reading(digest, copy.digest, copy.version, copy.key)
        return found | self._by_value(found)

    def _by_value(self, readings: dict[Key, Reading]) -> dict[Key, Reading]:
        """Readings of rows whose digests differ and whose values could be equal all the same."""
        doubtful = [k for k, r in readings.items() if not r.equal and r.kind is Kind.DIFFERENT]
        if self.values is None or not doubtful:
            return {}
        found = {}
        for key, compared in self.values.compare(doubtful).items():
            reading = readings[key]
            version = reading.version if compared.version == reading.version else f"{compared.version} later"
            found[key] = Reading(
                compared.digest, reading.there, version, reading.there_key, expected=compared.equal
            )
        return found


def require_copy(session: Session, dataset: str) -> None:
    """Raise RowferryError if nothing was ever copied into the dataset."""
    if not has_tracking_tables(session, dataset):
        raise RowferryError(
            "verify", f"dataset {dataset}", reason="nothing was copied yet", hint=NOTHING_COPIED
        )


def _alike(one: TableSchema, other: TableSchema) -> bool:
    """Whether the same rows are the same values by both, whatever engine, indexes and order of columns."""
    kept = ({c.name: c.kept for c in table.columns} for table in (one, other))
    return same_layout(one, other) and next(kept) == next(kept)
