"""Sections of columns: which one decides, what they may say, and which fit nothing."""

from __future__ import annotations

from dataclasses import asdict
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rowferry.column_settings import ColumnSettings, QuarantineSettings, configured, fits, unused
from rowferry.setting_groups import TableSettings
from rowferry.table_schema import NO_POLICY, diff
from tests.unit.flow import table

POINTS = {
    "type": ("as_type", ["text", "bigint", "jsonb"]),
    "zero_dates": ("zero_dates", ["null", "stop", "1900-01-01"]),
    "invalid_text": ("invalid_text", ["quarantine", "stop"]),
    "misfits": ("misfits", ["quarantine", "stop"]),
    "name": ("target", ["x", "y", "name"]),
}
SECTIONS = st.fixed_dictionaries(
    {}, optional={point: st.sampled_from(values) for point, (_, values) in POINTS.items()}
)
TABLE_GLOBS = st.sampled_from(["patient", "pat*", "*", "[p]atient", "visit", "Patient"])
COLUMN_GLOBS = st.sampled_from(["name", "n*", "*", "?ame", "id", "NAME"])


@given(st.dictionaries(TABLE_GLOBS, st.dictionaries(COLUMN_GLOBS, SECTIONS)))
def test_the_most_exact_section_that_names_a_point_decides_it(
    sections: dict[str, dict[str, dict[str, str]]],
) -> None:
    """Point by point: an exact table first, then an exact column, then the later one."""
    settings = {
        t: {c: ColumnSettings.model_validate(s) for c, s in inner.items()} for t, inner in sections.items()
    }
    column = configured(table(), settings, {}).column("name")
    assert column is not None
    found = {**asdict(column.policy), "target": column.target}
    ranked = [
        (t == "patient", c == "name", place, section)
        for place, (t, c, section) in enumerate((t, c, s) for t, i in sections.items() for c, s in i.items())
        if fnmatchcase("patient", t) and fnmatchcase("name", c)
    ]
    for point, (attribute, _) in POINTS.items():
        naming = [rank for rank in ranked if point in rank[3]]
        expected = max(naming, key=lambda rank: rank[:3])[3][point] if naming else None
        if point == "name":
            expected = "" if expected in (None, "name") else expected
        assert found[attribute] == (getattr(NO_POLICY, attribute, "") if expected is None else expected)


def test_names_that_look_like_patterns_are_names_too() -> None:
    """A table may have brackets in its name."""
    assert fits("a[b]", "a[b]")
    assert fits("ab", "a[b]")
    assert not fits("AB", "ab")


def test_a_table_may_have_another_name() -> None:
    """Its own is no other one: a copy that is there stays."""
    assert configured(table(), {}, {"patient": "p", "visit": "v"}).target == "p"
    same = configured(table(), {}, {"patient": "patient"})
    assert same == table()
    assert diff(table(), same).empty


PLAIN = (
    "boolean",
    "smallint",
    "integer",
    "bigint",
    "double precision",
    "text",
    "date",
    "time",
    "jsonb",
    "uuid",
)
SIZED = ("json", "numeric", "numeric(1,0)", "numeric(999,998)", "varchar", "varchar(1)", "varchar(10485760)")


@pytest.mark.parametrize("kind", [*PLAIN, *SIZED])
def test_types_that_may_be_asked_for(kind: str) -> None:
    """Letter by letter, as Postgres shows them."""
    assert ColumnSettings(type=kind).type == kind


OTHERS = (
    "",
    "int",
    "TEXT",
    "text ",
    "timestamp",
    "char(3)",
    "jsonb[]",
    "text; DROP TABLE x",
    "bytea",
    "real",
)
UNSIZED = ("numeric(5)", "numeric(05,2)", "numeric(5,02)", "numeric(0,0)", "numeric(5, 2)")


@pytest.mark.parametrize("kind", [*OTHERS, *UNSIZED, "varchar(0)", "varchar(010)"])
def test_types_that_may_not(kind: str) -> None:
    """Nothing that would be put into a statement as it is, and differ from what Postgres shows."""
    with pytest.raises(ValidationError, match="must be one of: boolean"):
        ColumnSettings(type=kind)


@pytest.mark.parametrize("text", ["null", "keep", "stop", "quarantine", "1900-01-01", "0001-01-01 12:00:00"])
def test_what_zero_dates_may_become(text: str) -> None:
    """A word or a date."""
    assert ColumnSettings(zero_dates=text).zero_dates == text


@pytest.mark.parametrize("text", ["", "NULL", "never", "0000-00-00", "2024-02-31", "today", "1"])
def test_what_zero_dates_may_not_become(text: str) -> None:
    """Least of all a zero date."""
    with pytest.raises(ValidationError, match="1900-01-01"):
        ColumnSettings(zero_dates=text)


@pytest.mark.parametrize("name", ["", "x" * 64, "é" * 32, "a\0b"])
def test_names_that_postgres_cannot_have_are_refused(name: str) -> None:
    """Of columns and of tables."""
    with pytest.raises(ValidationError, match="63 bytes"):
        ColumnSettings(name=name)
    with pytest.raises(ValidationError, match="63 bytes"):
        TableSettings(rename={"t": name})


def test_two_tables_cannot_have_one_name() -> None:
    """One would overwrite the other."""
    with pytest.raises(ValidationError, match="one name"):
        TableSettings(rename={"a": "x", "b": "x"})


def test_unknown_points_and_words_are_refused() -> None:
    """A misspelt policy must not be passed over."""
    for wrong in ({"zero_date": "stop"}, {"misfits": "null"}, {"invalid_text": "replace"}):
        with pytest.raises(ValidationError):
            ColumnSettings.model_validate(wrong)
    with pytest.raises(ValidationError):
        QuarantineSettings(max_rows=-1)


def test_sections_that_fit_nothing_are_named() -> None:
    """Typing errors, as a rule."""
    columns = {
        "patient": {"name": ColumnSettings(), "Name": ColumnSettings()},
        "p*": {"i?": ColumnSettings(), "x*": ColumnSettings()},
        "visit": {"*": ColumnSettings()},
    }
    found = unused(columns, {"patient": "p", "visits": "v"}, [table()])
    assert found == ["columns.patient.Name", "columns.p*.x*", "columns.visit.*", "tables.rename.visits"]
