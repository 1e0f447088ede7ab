"""Decisions about a layout that changed: what is made in place, what is doubted, what a start does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rowferry.alterations import read_change
from rowferry.batch import KeyRange
from rowferry.book import Check, Decision, TableBook
from rowferry.checkpoint import CopyProgress, TableRecord, TableStatus
from rowferry.evolve import Evolution, evolve
from rowferry.layout_changes import at_start, doubt, dropped, hold, in_place, same_layout
from rowferry.standing import Standing, StandingColumn
from rowferry.table_schema import ColumnPolicy, RowEnd, TableSchema
from tests.unit.flow import INT, position, table

COPYING, STREAMING, HELD = TableStatus.COPYING, TableStatus.STREAMING, TableStatus.HELD
STOPPED, DROPPED = TableStatus.STOPPED, TableStatus.DROPPED
LOAD = "1700000000.000001"
PATIENT = table("id", "name", "age", types={"age": INT})
HEAD = position(900)
COLUMNS = {
    "id": "integer",
    "name": "character varying(40)",
    "age": "integer",
    "_loaded_at": "timestamp with time zone",
    "_dlt_load_id": "text",
}


def record(status: TableStatus = STREAMING, schema: TableSchema = PATIENT) -> TableRecord:
    """A record in the middle of its life."""
    return TableRecord(schema, status, CopyProgress("1600000000.000000", (KeyRange(("31",)),), 5))


def standing(**more: str) -> Standing:
    """What stands in Postgres."""
    found = {n: StandingColumn(kind) for n, kind in (COLUMNS | more).items()}
    return Standing(found, ("id",), owner=str(PATIENT.id), primary_name="patient_pkey")


def made(statement: str, stands: Standing | None = None, *, drop: bool = False) -> Decision | str:
    """What the statement does to the table, taken at its word."""
    change = read_change(statement)
    assert change is not None
    after = evolve(change, PATIENT, None)
    assert isinstance(after, Evolution), after
    return in_place("raw", record(), after, stands or standing(), drop_columns=drop)


def sql(decision: Decision | str) -> list[str]:
    """Its statements but the last one, which writes the record."""
    assert isinstance(decision, Decision), decision
    assert decision.record.status is STREAMING
    assert not decision.copy
    assert decision.until is None
    assert "_rowferry_tables" in decision.statements[-1].text
    return [s.text.replace('"raw"."patient"', "t") for s in decision.statements[:-1]]


def test_an_added_column_gets_its_value_in_every_row_at_once() -> None:
    """By a default that goes again, since it would be wrong for later rows; none for NULL."""
    assert sql(made("ALTER TABLE patient ADD COLUMN kind int NOT NULL DEFAULT 7")) == [
        "ALTER TABLE t ADD COLUMN \"kind\" integer DEFAULT '7'",
        'ALTER TABLE t ALTER COLUMN "kind" DROP DEFAULT',
    ]
    assert sql(made("ALTER TABLE patient ADD COLUMN kind int")) == ['ALTER TABLE t ADD COLUMN "kind" integer']


def test_a_renamed_column_is_renamed() -> None:
    """So that views go on to read it."""
    found = made("ALTER TABLE patient RENAME COLUMN age TO years")
    assert sql(found) == ['ALTER TABLE t RENAME COLUMN "age" TO "years"']
    assert isinstance(found, Decision)
    assert [c.name for c in found.record.table.columns] == ["id", "name", "years"]


def test_a_column_gets_wider_in_place() -> None:
    """Several at once, and renamed beside it."""
    texts = sql(made("ALTER TABLE patient CHANGE age years bigint"))
    assert texts[0] == 'ALTER TABLE t RENAME COLUMN "age" TO "years"'
    assert texts[1].startswith('ALTER TABLE t ALTER COLUMN "years" TYPE bigint')


@pytest.mark.parametrize(
    ("before", "after", "types"),
    [
        ("varchar(40)", "text", ("character varying(40)", "text")),
        ("date", "datetime(3)", ("date", "timestamp(3) without time zone")),
        ("decimal(9,2)", "decimal(12,4)", ("numeric(9,2)", "numeric(12,4)")),
        ("datetime", "datetime(6)", ("timestamp(0) without time zone", "timestamp(6) without time zone")),
    ],
)
def test_types_that_hold_every_value_are_changed_in_place(
    before: str, after: str, types: tuple[str, str]
) -> None:
    """Whatever Postgres's type could hold beyond the source's."""
    added = read_change(f"ALTER TABLE patient ADD c {before}")
    changed = read_change(f"ALTER TABLE patient MODIFY c {after}")
    assert added is not None
    assert changed is not None
    first = evolve(added, PATIENT, None)
    assert isinstance(first, Evolution)
    second = evolve(changed, first.table, None)
    assert isinstance(second, Evolution), second
    stands = standing(c=types[0])
    texts = sql(in_place("raw", record(schema=first.table), second, stands, drop_columns=False))
    assert len(texts) == 1
    assert f'ALTER COLUMN "c" TYPE {types[1]} USING' in texts[0].replace("varchar", "character varying")


def test_a_column_that_a_view_holds_keeps_its_type() -> None:
    """Nobody's view is dropped: the narrower type stays, and is noted."""
    stands = standing()
    stands.blockers["age"] = ("view public.ages",)
    found = made("ALTER TABLE patient MODIFY age bigint", stands)
    assert sql(found) == []
    assert isinstance(found, Decision)
    kept = found.record.table.column("age")
    assert kept is not None
    assert (kept.kept, kept.type.base) == ("integer", "bigint")
    assert "column age keeps integer in Postgres, since this depends on it: view public.ages" in found.reason


def test_a_dropped_column_stays_or_goes_by_the_setting() -> None:
    """It stays in any case if something depends on it."""
    statement = "ALTER TABLE patient DROP COLUMN age"
    assert sql(made(statement)) == []
    assert sql(made(statement, drop=True)) == ['ALTER TABLE t DROP COLUMN "age"']
    stands = standing()
    stands.blockers["age"] = ("view public.ages",)
    assert sql(made(statement, stands, drop=True)) == []


def test_an_emptied_table_is_emptied_for_readers_at_one_moment() -> None:
    """By DELETE, which a reader's snapshot does not see; the rows that were set aside are gone, too."""
    texts = sql(made("TRUNCATE TABLE patient"))
    assert texts[0] == "DELETE FROM t"
    assert "_rowferry_quarantine" in texts[1]


@pytest.mark.parametrize(
    ("stands", "word"),
    [
        (standing(kind="text"), "has a column kind already"),
        (standing(age="text"), "column age is not as expected"),
        (replace(standing(), primary=()), "key"),
        (Standing(), "column id is not as expected"),
    ],
)
def test_what_is_not_as_expected_in_postgres_is_left_to_a_copy(stands: Standing, word: str) -> None:
    """A kept column has old values; an altered one may hold anything."""
    found = made("ALTER TABLE patient ADD COLUMN kind int", stands)
    assert isinstance(found, str)
    assert word in found


def test_a_doubtful_table_is_not_captured_until_it_is_settled() -> None:
    """Its chunks are out of date; its rows are discarded."""
    book = TableBook("raw", {PATIENT.id: record()})
    before = book.next_generation(PATIENT.id)
    decision = doubt("raw", record(), HEAD, LOAD, "why")
    book.accept(decision)
    assert book.captured(PATIENT.id) is None
    assert book.records[PATIENT.id].copy == CopyProgress(LOAD)
    assert book.generation(PATIENT.id) > before
    assert book.doubts[PATIENT.id].until == HEAD
    since = book.doubts[PATIENT.id].since
    book.accept(replace(decision, until=position(1000), delay=5))
    assert book.doubts[PATIENT.id].until == position(1000)
    assert book.doubts[PATIENT.id].since == since
    assert book.doubts[PATIENT.id].not_before > since
    book.accept(Decision(record(COPYING), (), copy=True))
    assert book.captured(PATIENT.id) is not None


def test_a_held_table_waits_and_says_for_what() -> None:
    """Its rows stay as of then."""
    held = hold("raw", record(), "column age dropped").record
    assert held.status is HELD
    assert "column age dropped" in held.error
    assert "rowferry schema apply patient" in held.error


@pytest.mark.parametrize("drop", [True, False])
def test_a_dropped_table_keeps_its_rows_or_goes(drop: bool) -> None:
    """It stays if something depends on it, or if it says that it is somebody else's."""
    gone = dropped("raw", record(COPYING), standing(), gone=True, drop=drop)
    assert gone is not None
    texts = [s.text for s in gone.statements[:-1]]
    assert texts == (['DROP TABLE "raw"."patient"'] if drop else [])
    assert gone.record.status is DROPPED
    held = standing()
    held.blockers["age"] = ("view public.ages",)
    for stands in (held, replace(standing(), owner=""), Standing()):
        kept = dropped("raw", record(), stands, gone=True, drop=drop)
        assert kept is not None
        assert len(kept.statements) == 1
    unseen = dropped("raw", record(), standing(), gone=False, drop=drop)
    assert unseen is not None
    assert len(unseen.statements) == 1
    assert "may not read it" in unseen.record.error
    assert dropped("raw", record(DROPPED), standing(), gone=True, drop=drop) is None


def test_layouts_are_the_same_whatever_the_order_and_engine() -> None:
    """Not with another type, key, name in the destination, policy or end of a row's life."""
    assert same_layout(PATIENT, replace(PATIENT, engine="Aria", columns=PATIENT.columns[::-1]))
    columns = (*PATIENT.columns[:2], replace(PATIENT.columns[2], policy=ColumnPolicy(misfits="quarantine")))
    for other in (
        table("id", "name", "age"),
        table("id", "name"),
        replace(PATIENT, key=("name",)),
        replace(PATIENT, target="people"),
        replace(PATIENT, columns=columns),
        replace(PATIENT, row_end=RowEnd("row_end", 2038)),
    ):
        assert not same_layout(PATIENT, other)


def started(
    now: TableSchema | None,
    before: TableRecord,
    wanted: TableSchema | None = None,
    *,
    holds: bool = False,
) -> Decision | Check | None:
    """What a start does."""
    return at_start("raw", before, now, wanted or before.table, HEAD, LOAD, holds=holds)


OTHER = table("id", "name", "age")


def test_a_start_leaves_the_stream_to_explain_another_layout() -> None:
    """A table that streams is only checked once the stream is there: statements may still come."""
    assert started(PATIENT, record()) is None
    assert started(OTHER, record()) == Check(OTHER, HEAD)
    assert started(None, record()) is None
    gone = started(None, record(COPYING))
    assert isinstance(gone, Decision)
    assert gone.until == HEAD
    noted = started(replace(PATIENT, engine="Aria"), record())
    assert isinstance(noted, Decision)
    assert noted.record == replace(record(), table=replace(PATIENT, engine="Aria"))


@pytest.mark.parametrize(
    ("now", "before", "wanted"),
    [
        (OTHER, record(COPYING), None),
        (PATIENT, replace(record(COPYING), copy=CopyProgress(LOAD)), None),
        (PATIENT, record(DROPPED), None),
        (PATIENT, record(HELD), None),
        (PATIENT, record(), replace(PATIENT, target="people")),
        (replace(PATIENT, obstacle="no"), record(), None),
    ],
)
def test_a_start_doubts(now: TableSchema, before: TableRecord, wanted: TableSchema | None) -> None:
    """A copy under way of another layout, what is there again, other settings, what cannot be followed."""
    found = started(now, before, wanted)
    assert isinstance(found, Decision)
    assert found.until == HEAD
    assert found.record.status is COPYING
    assert found.record.copy == CopyProgress(LOAD)
    if wanted is not None:
        assert found.record.table == wanted


def test_a_copy_goes_on_where_it_was() -> None:
    """If nothing of its table has changed."""
    assert started(PATIENT, record(COPYING)) is None


def test_a_start_leaves_alone_what_a_person_must_decide() -> None:
    """Stopped tables, and held ones as long as changes are held."""
    for now in (PATIENT, OTHER):
        assert started(now, record(STOPPED)) is None
        assert started(now, record(HELD), holds=True) is None


@pytest.mark.parametrize("status", [COPYING, STREAMING])
def test_an_upgrade_that_moves_the_last_moment_stops_the_table(status: TableStatus) -> None:
    """A copy made before mariadb-upgrade would find no rows, and hear of none afterwards."""
    then = replace(PATIENT, row_end=RowEnd("row_end", 2038))
    found = started(replace(PATIENT, row_end=RowEnd("row_end", 2106)), record(status, then))
    assert isinstance(found, Decision)
    assert found.record.status is STOPPED
    assert "mariadb-upgrade" in found.record.error
