"""What `rowferry schema` says of a table: each difference once, and a remedy that is the book's decision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rowferry.checkpoint import CopyProgress, TableRecord, TableStatus
from rowferry.destination import create_table, mark_owner
from rowferry.fitting import METADATA
from rowferry.schema_report import Sides, TableReport, report
from rowferry.standing import Standing, StandingColumn
from rowferry.table_schema import ColumnPolicy, ColumnType, TableSchema
from tests.unit.flow import INT, table

PATIENT = table()
WIDER = table("id", "name", "fax")
OTHER_TYPE = table("id", "name", types={"name": INT})
KINDS = {"id": "integer", "name": "character varying(40)", **METADATA}


def standing(
    owner: str = "clinic.patient", primary: tuple[str, ...] = ("id",), **kinds: str | None
) -> Standing:
    """The destination table of `patient (id, name)`; a column that is None is missing."""
    columns = {n: StandingColumn(k) for n, k in {**KINDS, **kinds}.items() if k is not None}
    return Standing(columns, primary, owner=owner)


def seen(
    now: TableSchema | None = PATIENT,
    before: TableSchema | None = PATIENT,
    there: Standing | None = None,
    *,
    status: TableStatus = TableStatus.STREAMING,
    error: str = "",
    selected: bool = True,
) -> TableReport:
    """The report on the table `patient`; without `there` nothing stands in Postgres."""
    record = None if before is None else TableRecord(before, status, CopyProgress("1.0"), error)
    stands = {} if there is None else {"patient": there}
    return report(Sides("raw", "patient", now, record, stands, selected))


def kinds(found: TableReport) -> list[tuple[str, str]]:
    """The differences' kinds and columns."""
    return [(d.kind, d.column) for d in found.differences]


def test_a_table_in_order_has_its_ddl_and_no_difference() -> None:
    """The statements are those that a start runs."""
    found = seen(there=standing())
    assert found.differences == ()
    assert (found.next_start, found.cannot, found.state) == ("nothing", "", "streaming")
    assert found.ddl == (create_table("raw", PATIENT).text, mark_owner("raw", PATIENT).text)


def test_a_new_table_is_made_by_the_next_start() -> None:
    """Nothing stands in Postgres yet, which is no difference of its own."""
    found = seen(before=None)
    assert kinds(found) == [("table_new", "")]
    assert found.next_start == "make"
    assert "makes and copies it" in found.differences[0].remedy


def test_what_cannot_be_made_says_why_instead_of_ddl() -> None:
    """In the words of the stop that will come."""
    found = seen(now=table(types={"name": ColumnType("year", text="year(2)")}), before=None)
    assert found.ddl == ()
    assert "year(2)" in found.cannot
    assert found.next_start == "stop"
    assert "year(2)" in found.differences[0].remedy


def test_an_added_column_is_followed() -> None:
    """And is told once: that Postgres lacks it is the same difference."""
    found = seen(now=WIDER, there=standing())
    assert kinds(found) == [("column_added", "fax")]
    assert found.next_start == "follow"
    assert "followed in place, or by copying" in found.differences[0].remedy


def test_another_change_is_followed_too() -> None:
    """A dropped column and another type alike; nobody need do anything."""
    dropped = seen(now=PATIENT, before=WIDER, there=standing(fax="character varying(40)"))
    assert kinds(dropped) == [("column_dropped", "fax")]
    assert dropped.next_start == "follow"
    assert "followed in place, or by copying" in dropped.differences[0].remedy
    changed = seen(now=OTHER_TYPE, there=standing())
    assert kinds(changed) == [("column_changed", "name")]
    assert changed.next_start == "follow"


def test_a_change_that_is_held_names_the_command() -> None:
    """That lets it go on."""
    record = TableRecord(WIDER, TableStatus.STREAMING, CopyProgress("1.0"))
    there = {"patient": standing(fax="character varying(40)")}
    found = report(Sides("raw", "patient", PATIENT, record, there, holds=True))
    assert found.next_start == "hold"
    assert "rowferry schema apply patient" in found.differences[0].remedy


def test_a_stopped_table_waits_for_its_resync() -> None:
    """A start leaves it alone."""
    found = seen(now=PATIENT, before=WIDER, there=standing(fax="text"), status=TableStatus.STOPPED)
    assert found.next_start == "nothing"
    assert found.differences[0].remedy.startswith("run `rowferry resync patient`")


def test_another_key_is_named_with_both_keys() -> None:
    """At the source, and in Postgres."""
    both = table("id", "name", key=("id", "name"))
    found = seen(now=both, there=standing())
    assert kinds(found) == [("key_changed", "")]
    assert "from (id) to (id, name)" in found.differences[0].text
    mine = seen(there=standing(primary=("name",)))
    assert kinds(mine) == [("key_other", "")]
    assert "(name), (id) is needed" in mine.differences[0].text
    assert kinds(seen(there=standing(primary=()))) == [("key_missing", "")]


def test_a_unique_index_does_for_a_primary_key() -> None:
    """A load finds a row by either, its columns in any order."""
    stands = replace(standing(primary=()), uniques=[("name", "id")])
    both = table("id", "name", key=("id", "name"))
    assert seen(now=both, before=both, there=stands).differences == ()


def test_what_people_added_is_harmless() -> None:
    """Unless it makes every insert fail."""
    found = seen(there=standing(note="text"))
    assert kinds(found) == [("column_extra", "note")]
    assert found.differences[0].harmless
    required = standing()
    required.columns["note"] = StandingColumn("text", required=True)
    worse = seen(there=required)
    assert kinds(worse) == [("column_extra_required", "note")]
    assert not worse.differences[0].harmless


def test_what_postgres_lacks_is_mended_by_a_resync() -> None:
    """A column, one of Rowferry's own too, or the table."""
    for there, kind in ((None, ("table_missing", "")), (standing(name=None), ("column_missing", "name"))):
        found = seen(there=there)
        assert kinds(found) == [kind]
        assert found.differences[0].remedy == "run `rowferry resync patient`"
    lacking = seen(there=standing(_loaded_at=None))
    assert kinds(lacking) == [("column_missing", "_loaded_at")]
    assert lacking.differences[0].remedy == "run `rowferry resync patient`"


def test_another_type_in_postgres_needs_a_resync() -> None:
    """Also of a column that the source has just got and that somebody made before."""
    found = seen(there=standing(name="text"))
    assert kinds(found) == [("column_type", "name")]
    assert "is text in Postgres, varchar(40) is needed" in found.differences[0].text
    assert found.differences[0].remedy == "run `rowferry resync patient`"
    early = seen(now=WIDER, there=standing(fax="integer"))
    assert kinds(early) == [("column_added", "fax"), ("column_type", "fax")]


def keeping(kept: str) -> TableSchema:
    """The table whose `name` keeps a type."""
    return replace(PATIENT, columns=(PATIENT.columns[0], replace(PATIENT.columns[1], kept=kept)))


def test_a_type_that_stays_is_a_note() -> None:
    """A wider one for good; a narrower one until what depends on it is gone. A new table keeps it, too."""
    wide = seen(before=keeping("text"), there=standing(name="text"))
    assert [(d.kind, d.column, d.harmless) for d in wide.differences] == [("column_kept", "name", True)]
    assert "keeps the type text in Postgres, where varchar(40) is usual" in wide.differences[0].text
    assert wide.differences[0].remedy == "nothing need be done: it holds every value"
    held = standing(name="character varying(5)")
    held.blockers["name"] = ("view raw.names",)
    narrow = seen(before=keeping("varchar(5)"), there=held)
    assert [(d.kind, d.harmless) for d in narrow.differences] == [("column_kept", True)]
    assert "drop what depends on it (view raw.names), then run `rowferry" in narrow.differences[0].remedy
    fresh = seen(before=None, there=standing(name="text"))
    assert ("column_kept", "name") in kinds(fresh)
    assert fresh.next_start == "make"
    altered = seen(before=keeping("text"), there=standing(name="bytea"))
    assert ("column_type", "name") in kinds(altered)


def test_a_type_that_a_view_holds_and_that_cannot_stay_says_which() -> None:
    """A resync would stop until the view is dropped."""
    there = standing(name="bytea")
    there.blockers["name"] = ("view raw.names",)
    found = seen(there=there)
    assert kinds(found) == [("column_type", "name")]
    for word in ("would stop", "column name", "view raw.names", "Drop that, run `rowferry resync patient`"):
        assert word in found.differences[0].remedy


def test_a_table_of_another_owner_is_named() -> None:
    """A table that says nothing may be an older copy; under another name it is somebody else's."""
    other = seen(before=None, there=standing(owner="clinic.elsewhere"))
    assert ("owner_other", "") in kinds(other)
    assert other.next_start == "stop"
    silent = seen(there=standing(owner=""))
    assert [(d.kind, d.harmless) for d in silent.differences] == [("owner_unknown", True)]


def test_a_table_that_is_gone_keeps_its_rows() -> None:
    """Whether the daemon knows it or not."""
    unknown = seen(now=None, there=standing())
    assert [(d.kind, d.harmless) for d in unknown.differences] == [("table_gone", False)]
    known = seen(now=None, there=standing(), status=TableStatus.DROPPED, error="dropped")
    assert [(d.kind, d.harmless) for d in known.differences] == [("table_gone", True)]
    assert known.ddl == ()


def test_a_table_that_is_no_longer_selected_is_forgotten() -> None:
    """By the next start; nothing else is said of it."""
    found = seen(now=None, there=standing(), selected=False)
    assert kinds(found) == [("table_unselected", "")]
    assert found.next_start == "forget"


def test_another_policy_copies_the_table_again() -> None:
    """The column stays, its values may not."""
    policy = ColumnPolicy(zero_dates="stop")
    columns = (PATIENT.columns[0], replace(PATIENT.columns[1], policy=policy))
    now, record = replace(PATIENT, columns=columns), TableRecord(PATIENT, TableStatus.STREAMING)
    found = report(Sides("raw", "patient", now, record, {"patient": standing()}, wanted=now))
    assert kinds(found) == [("policy_changed", "name")]
    assert found.next_start == "copy"


@pytest.mark.parametrize("status", [TableStatus.STREAMING, TableStatus.STOPPED])
def test_a_record_that_was_never_made_is_compared_by_the_source(status: TableStatus) -> None:
    """A table that got its key only now has no destination table yet."""
    found = seen(now=PATIENT, before=table(key=()), status=status)
    assert ("key_changed", "") in kinds(found)
    assert ("table_missing", "") in kinds(found)
