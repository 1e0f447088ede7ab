"""The follower's decisions that need no word from Postgres: doubts, their end, faults, checks, rebuilds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from rowferry.batch_queue import TableFault
from rowferry.book import Check, TableBook
from rowferry.changes import SchemaChange
from rowferry.checkpoint import CopyProgress, TableRecord, TableStatus
from rowferry.errors import TableStopped
from rowferry.follower import SchemaFollower, SourceView, Verdict
from rowferry.position import BinlogPosition
from rowferry.settings import SchemaSettings
from rowferry.table_schema import TableId, TableSchema
from tests.unit.flow import INT, position, table

COPYING, STREAMING = TableStatus.COPYING, TableStatus.STREAMING
PATIENT, VISIT = table(), table(name="visit")
WIDER = table("id", "name", "age", types={"age": INT})
LOAD = "1700000000.000001"
UNCERTAIN = "ALTER TABLE patient ADD UNIQUE (name), ORDER BY name"


@dataclass
class Source:
    """What the source would answer."""

    tables: dict[TableId, TableSchema] = field(default_factory=lambda: {t.id: t for t in (PATIENT, VISIT)})
    others: tuple[str, ...] = ()
    head: BinlogPosition = field(default_factory=lambda: position(900))

    def view(self, rules: SchemaSettings, *, folds: bool = False) -> SourceView:
        """The view of it."""
        return SourceView(
            lambda touched: {t: s for t, s in self.tables.items() if touched(t.name)},
            lambda: [*(t.name for t in self.tables), *self.others],
            lambda: self.head,
            rules,
            folds,
        )


@dataclass
class Bench:
    """A follower of two tables."""

    source: Source
    book: TableBook
    follower: SchemaFollower

    def decide(self, statement: str, database: str = "clinic") -> dict[str, Verdict]:
        """What the statement does, by table; accepted by the book."""
        change = SchemaChange(statement, database, "", 0, position(500))
        verdicts = self.follower.decide(change, LOAD)
        for verdict in verdicts:
            if verdict.decision is not None:
                self.book.accept(verdict.decision)
        return {v.table.name: v for v in verdicts}

    @property
    def doubted(self) -> dict[str, BinlogPosition]:
        """The tables in doubt, and until when."""
        return {t.name: d.until for t, d in self.book.doubts.items()}


def bench(status: TableStatus = STREAMING, *, folds: bool = False, **rules: Any) -> Bench:
    """Both tables in that state."""
    book = TableBook("raw", {t.id: TableRecord(t, status, CopyProgress(LOAD)) for t in (PATIENT, VISIT)})
    source, session = Source(), Any
    there: Any = session
    view = source.view(SchemaSettings(**rules), folds=folds)
    return Bench(source, book, SchemaFollower(there, book, "clinic", view, lambda: ()))


def test_an_uncertain_statement_puts_its_table_in_doubt_and_no_other() -> None:
    """Up to the binlog's head as of then; a later one for the same table moves that."""
    at = bench()
    assert {t: v.what for t, v in at.decide(UNCERTAIN).items()} == {"patient": "copy"}
    assert at.doubted == {"patient": position(900)}
    at.source.head = position(1500)
    later = at.decide("ALTER TABLE patient ADD age int")
    assert (later["patient"].what, later["patient"].decision) == ("copy", None)
    assert at.doubted == {"patient": position(1500)}


def test_a_statement_that_cannot_be_read_doubts_every_table_in_its_text() -> None:
    """It may be about any of them, and about no other."""
    assert bench().decide("ALTER TABLE patient COMMENT 'broken").keys() == {"patient"}
    assert bench().decide("ALTER TABLE x COMMENT 'PATIENTS, visits").keys() == {"patient", "visit"}
    assert bench().decide("ALTER TABLE 'broken") == {}


@pytest.mark.parametrize(
    ("statement", "database"),
    [
        ("ALTER TABLE patient ADD age int", "other"),
        ("ALTER TABLE other.patient ADD age int", "clinic"),
        ("ALTER TABLE unknown ADD patient int", "clinic"),
    ],
)
def test_a_change_of_another_table_touches_none(statement: str, database: str) -> None:
    """Of another database, or one that only has a column of the name."""
    assert bench().decide(statement, database) == {}


def test_a_table_is_known_by_another_case_only_where_the_server_folds_names() -> None:
    """Else it is another table."""
    statement = "ALTER TABLE PATIENT ADD INDEX (name)"
    assert bench().decide(statement) == {}
    assert bench(folds=True).decide(statement).keys() == {"patient"}


def test_a_new_table_is_in_doubt_until_it_is_made() -> None:
    """Its rows may come in older layouts."""
    at = bench()
    at.source.tables[TableId("clinic", "late")] = table(name="late")
    assert at.decide("CREATE TABLE late (id int PRIMARY KEY)").keys() == {"late"}
    assert at.book.records[TableId("clinic", "late")].status is COPYING
    assert bench().decide("CREATE TABLE gone (id int PRIMARY KEY)") == {}


def test_a_stopped_table_is_left_alone_until_it_is_gone() -> None:
    """Rows of it were passed over; nobody can mend what is not there."""
    at = bench(TableStatus.STOPPED)
    assert at.decide(UNCERTAIN)["patient"].decision is None
    del at.source.tables[PATIENT.id]
    assert at.decide("DROP TABLE patient")["patient"].decision is not None


def test_a_copy_goes_on_past_what_does_not_concern_it() -> None:
    """An index; not another engine, by which it reads in another way."""
    at = bench(COPYING)
    found = at.decide("ALTER TABLE patient ADD INDEX (name)")["patient"]
    assert (found.what, at.doubted) == ("in place", {})
    at.source.tables[PATIENT.id] = replace(PATIENT, engine="MyISAM")
    assert at.decide("ALTER TABLE patient ENGINE=MyISAM")["patient"].what == "copy"


def test_a_catalogue_that_is_ahead_is_held_against_the_record_later() -> None:
    """Where the stream has got there; what differs then is in doubt."""
    at = bench()
    at.source.tables[PATIENT.id] = WIDER
    at.decide("ALTER TABLE patient ADD INDEX (name)")
    assert at.book.checks == {PATIENT.id: Check(WIDER, position(900))}
    assert at.follower.failed_checks(position(899), LOAD) == []
    [decision] = at.follower.failed_checks(position(900), LOAD)
    assert "column age added" in decision.reason
    assert at.book.checks == {}
    at.book.checks[PATIENT.id] = Check(PATIENT, position(900))
    assert at.follower.failed_checks(position(900), LOAD) == []


def due(at: Bench, *offsets: int) -> list[Sequence[str]]:
    """Which tables are due at these positions."""
    return [[t.name for t in at.follower.due(position(offset))] for offset in offsets]


def test_a_doubt_ends_when_the_stream_has_reached_its_head() -> None:
    """Not before the time that a lock in Postgres cost."""
    at = bench()
    at.decide(UNCERTAIN)
    assert due(at, 899, 900) == [[], ["patient"]]
    at.book.doubts[PATIENT.id].not_before = time.monotonic() + 60
    assert due(at, 900) == [[]]


def test_a_table_that_is_being_rebuilt_stays_in_doubt() -> None:
    """As long as its rows lie under another name, in any case; not for ever."""
    at = bench()
    at.source.others = ("tempconv_patient12",)
    at.decide("RENAME TABLE patient TO tempConv_patient12")
    assert due(at, 900) == [[]]
    at.book.doubts[PATIENT.id].not_before = 0.0
    at.source.others = ("tempconv_patients1",)
    assert due(at, 900) == [["patient"]]
    at.source.others = ("tempConv_patient12",)
    at.book.doubts[PATIENT.id].since -= 7200
    assert due(at, 900) == [["patient"]]


def fault(at: Bench, offset: int = 100, *, final: bool = False) -> TableStatus | None:
    """What becomes of a table whose rows do not fit."""
    error = TableStopped("decode rows", f"table {PATIENT.id}", reason="why")
    decision = at.follower.fault(TableFault(PATIENT.id, error, position(offset), final=final), LOAD)
    if decision is None:
        return None
    assert (decision.until is not None) == (decision.record.status is COPYING)
    return decision.record.status


def test_rows_that_do_not_fit_are_explained_by_a_layout_or_stop_the_table() -> None:
    """Once the catalogue was asked, later rows must have its layout, or be of another one."""
    at = bench()
    assert fault(at) is COPYING
    assert fault(at, final=True) is TableStatus.STOPPED
    at.book.known_at[PATIENT.id] = position(200)
    assert fault(at, 199) is COPYING
    assert fault(at, 200) is TableStatus.STOPPED
    at.source.tables[PATIENT.id] = WIDER
    assert fault(at, 200) is COPYING
    assert fault(at, 200, final=True) is COPYING
    at.decide(UNCERTAIN)
    assert fault(at) is None
