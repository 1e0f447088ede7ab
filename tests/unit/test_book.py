"""The book's decisions: what a change at the source does to a table, and to no other."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rowferry.batch import KeyRange
from rowferry.book import Decision, TableBook, adopt, stop
from rowferry.checkpoint import CopyProgress, TableRecord, TableStatus
from rowferry.column_settings import MAX_NAME_BYTES
from rowferry.standing import Standing, StandingColumn
from rowferry.table_schema import ColumnType, TableId, TableSchema
from tests.unit.flow import table

COPYING, STREAMING = TableStatus.COPYING, TableStatus.STREAMING
STOPPED, DROPPED = TableStatus.STOPPED, TableStatus.DROPPED
DATASET = "raw"
LOAD = "1700000000.000001"
PATIENT = table()
OLDER = table("id", "name")
WIDER = table("id", "age", "name")
EXISTING = {
    "id": "integer",
    "name": "character varying(40)",
    "_loaded_at": "timestamp with time zone",
    "_dlt_load_id": "text",
}


def stands(columns: dict[str, str], owner: str = "") -> Standing:
    """A destination table with the key that the tables here have."""
    found = {name: StandingColumn(kind) for name, kind in columns.items()}
    return Standing(found, ("id",), owner=owner, primary_name="patient_pkey")


def record(status: TableStatus, schema: TableSchema = PATIENT) -> TableRecord:
    """A record in the middle of its life."""
    return TableRecord(schema, status, CopyProgress("1600000000.000000", (KeyRange(("31",)),), 5))


def some(decision: Decision | None) -> Decision:
    """A decision there is, and its record is written."""
    assert decision is not None
    written = decision.statements[-1]
    assert "_rowferry_tables" in written.text
    assert decision.record.status.value in written.parameters
    assert json.loads(written.parameters[-1]) == decision.record.table.to_json()
    return decision


def require_copy(decision: Decision | None, schema: TableSchema) -> Decision:
    """The table is copied from its start."""
    found = some(decision)
    assert found.copy
    assert found.record == TableRecord(schema, COPYING, CopyProgress(began=LOAD))
    return found


def require_stop(decision: Decision | None, *words: str) -> None:
    """The table stops, its layout stays, the reason is told."""
    found = some(decision)
    assert not found.copy
    assert found.record.status is STOPPED
    assert len(found.statements) == 1
    for word in words:
        assert word in found.record.error


def test_a_new_table_is_made_and_copied() -> None:
    """With the key and the columns of its own that every destination table has."""
    found = require_copy(adopt(DATASET, PATIENT, Standing(), LOAD), PATIENT)
    created, owned, _ = found.statements
    assert owned.text == f'COMMENT ON TABLE "raw"."patient" IS \'Copied by Rowferry from {PATIENT.id}\''
    assert created.text == (
        'CREATE TABLE IF NOT EXISTS "raw"."patient" ("id" integer NOT NULL, "name" varchar(40),'
        ' "_loaded_at" timestamptz NOT NULL, "_dlt_load_id" text NOT NULL, PRIMARY KEY ("id"))'
    )


def test_a_table_that_is_there_already_is_filled_in_place() -> None:
    """Never dropped: views and grants stay. Columns that it lacks are added."""
    assert len(require_copy(adopt(DATASET, PATIENT, stands(EXISTING), LOAD), PATIENT).statements) == 3
    found = require_copy(adopt(DATASET, WIDER, stands(EXISTING), LOAD), WIDER)
    assert [s.text for s in found.statements if s.text.startswith("ALTER")] == [
        'ALTER TABLE "raw"."patient" ADD COLUMN IF NOT EXISTS "age" varchar(40)'
    ]
    assert not any("DROP" in s.text for s in found.statements)


def test_a_table_with_other_types_is_left_alone_if_nothing_says_that_it_is_a_copy() -> None:
    """It may be someone's own: neither its comment nor Rowferry's columns are there."""
    theirs = {"id": "text", "name": "character varying(40)"}
    found = adopt(DATASET, PATIENT, stands(theirs), LOAD)
    require_stop(found, "column id is text in the destination, integer is needed", "resync patient")
    for own in (stands(theirs, str(PATIENT.id)), stands({**theirs, "_dlt_load_id": "text"})):
        made = require_copy(adopt(DATASET, PATIENT, own, LOAD), PATIENT)
        assert any('ALTER COLUMN "id" TYPE integer USING CASE' in s.text for s in made.statements)


def test_a_type_that_stays_is_noted_in_the_record() -> None:
    """And goes into it."""
    there = stands({**EXISTING, "id": "bigint", "name": "text"}, str(PATIENT.id))
    kept = {"id": "bigint", "name": "text"}
    schema = replace(PATIENT, columns=tuple(replace(c, kept=kept[c.name]) for c in PATIENT.columns))
    require_copy(adopt(DATASET, PATIENT, there, LOAD), schema)


@pytest.mark.parametrize(
    ("schema", "owner", "stops"),
    [
        (PATIENT, "", False),
        (PATIENT, "clinic.patient", False),
        (PATIENT, "clinic.visit", True),
        (replace(PATIENT, target="visit"), "", True),
        (replace(PATIENT, target="visit"), "clinic.visit", True),
        (replace(PATIENT, target="visit"), "clinic.patient", False),
    ],
)
def test_the_copy_of_another_table_is_left_alone(schema: TableSchema, owner: str, stops: bool) -> None:
    """Its rows would be swept out at the copy's end; a name that was given must be free, or its own."""
    found = adopt(DATASET, schema, stands(EXISTING, owner), LOAD)
    if stops:
        require_stop(found, "the destination has a table", "resync patient")
    else:
        require_copy(found, schema)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (table(types={"name": ColumnType("year", text="year(2)")}), ("column name", "year(2)")),
        (table(name="x" * (MAX_NAME_BYTES + 1)), ("longer than 63 bytes",)),
        (table("id", "é" * 32), ("longer than 63 bytes",)),
        (table("id", "_loaded_at"), ("_loaded_at", "own")),
        (table("id", "_dlt_load_id"), ("_dlt_load_id", "own")),
        (table(name="_rowferry_tables"), ("reserved",)),
        (table(name="_dlt_loads"), ("reserved",)),
    ],
)
def test_what_cannot_be_carried_stops_only_its_table(schema: TableSchema, words: tuple[str, ...]) -> None:
    """At once when it is seen, and without any DDL; Postgres would cut a long name without an error."""
    require_stop(adopt(DATASET, schema, Standing(), LOAD), *words, schema.id.name)


def test_a_name_of_exactly_63_bytes_is_carried() -> None:
    """In Postgres' own limit."""
    schema = table("id", "é" * 31 + "x", name="x" * MAX_NAME_BYTES)
    require_copy(adopt(DATASET, schema, Standing(), LOAD), schema)


def test_stopping_keeps_what_is_known() -> None:
    """The error is new."""
    found = some(stop(DATASET, record(STREAMING), "why"))
    assert found.record == replace(record(STREAMING), status=STOPPED, error="why")


def test_only_tables_that_copy_or_stream_are_captured() -> None:
    """Changes to the others are passed over."""
    for status in TableStatus:
        book = TableBook(DATASET, {PATIENT.id: record(status)})
        assert (book.captured(PATIENT.id) is not None) == (status in (COPYING, STREAMING))
        assert [r.status for r in book.with_status(status)] == [status]
        assert (PATIENT in book.schemas()) == (status is not STOPPED)
    assert TableBook(DATASET).captured(PATIENT.id) is None


def test_the_book_knows_what_a_rollback_undoes() -> None:
    """Tables that it does not know do not matter."""
    book = TableBook(DATASET)
    assert book.is_transactional(PATIENT.id)
    book.records[PATIENT.id] = record(STREAMING, replace(PATIENT, engine="MyISAM"))
    assert not book.is_transactional(PATIENT.id)


def test_each_copy_has_a_number_of_its_own() -> None:
    """Chunks of an earlier copy are told from those of this one, over all tables."""
    book, other = TableBook(DATASET), table(name="visit")
    numbers = []
    for schema in (PATIENT, other, PATIENT):
        book.accept(adopt(DATASET, schema, Standing(), LOAD))
        numbers.append(book.generations[schema.id])
    assert len(set(numbers)) == 3
    assert numbers == sorted(numbers)
    kept = dict(book.generations)
    book.accept(stop(DATASET, record(COPYING), "why"))
    assert book.generations == kept
    assert book.captured(PATIENT.id) is None


@pytest.mark.parametrize(
    ("status", "after", "changes"),
    [
        (STREAMING, WIDER, True),
        (STREAMING, PATIENT, False),
        (COPYING, replace(PATIENT, engine="Aria"), False),
    ],
)
def test_rows_read_before_a_change_in_place_are_told_from_later_ones(
    status: TableStatus, after: TableSchema, changes: bool
) -> None:
    """A repair may have read them by the layout before; a copy goes on through what leaves its rows alone."""
    book = TableBook(DATASET, {PATIENT.id: record(status)})
    before = book.next_generation(PATIENT.id)
    book.accept(Decision(record(status, after), ()))
    assert (book.generation(PATIENT.id) > before) is changes


def test_a_destination_s_name_leads_to_the_captured_table() -> None:
    """Another table may have had the name before, or want it too, in any order."""
    even, odd = table(name="even"), replace(table(name="odd"), target="even")
    there = TableId("clinic", "even")
    for status in (STOPPED, DROPPED):
        for order in ((even, odd), (odd, even)):
            states = {odd.id: STREAMING, even.id: status}
            book = TableBook(DATASET, {t.id: record(states[t.id], t) for t in order})
            assert book.at_destination(there) == odd.id
            assert book.at_destination(odd.id) is None
    assert TableBook(DATASET, {even.id: record(STOPPED, even)}).at_destination(there) is None


def test_a_copy_is_known_by_the_load_before_it() -> None:
    """Only as long as it lasts."""
    began = {s: TableBook(DATASET, {PATIENT.id: record(s)}).copy_began(PATIENT.id) for s in TableStatus}
    assert began == {s: "1600000000.000000" if s is COPYING else "" for s in TableStatus}
    assert TableBook(DATASET).copy_began(PATIENT.id) == ""
