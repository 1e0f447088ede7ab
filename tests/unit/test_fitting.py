"""What stands in Postgres is made fit: names as they are, whatever they hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rowferry.errors import TableStopped
from rowferry.fitting import key_again, make_fit
from rowferry.standing import Standing, StandingColumn
from rowferry.table_schema import ColumnPolicy, ColumnType, TableSchema
from tests.unit.flow import NAME, table

ODD = '100% "odd" %s'
COLUMNS = {
    "id": "integer",
    "name": "character varying(40)",
    "_loaded_at": "timestamp with time zone",
    "_dlt_load_id": "text",
}


def stands(*without: str, primary: tuple[str, ...] = ("id",)) -> Standing:
    """A table in Postgres that lacks some columns."""
    columns = {n: StandingColumn(kind) for n, kind in COLUMNS.items() if n not in without}
    return Standing(columns, primary, primary_name="odd%_pkey" if primary else "")


def made(standing: Standing, key: tuple[str, ...] = ("id",)) -> list[str]:
    """The statements behind those that any table gets."""
    fit = make_fit("raw%", table(name=ODD, key=key), standing)
    return [s.text for s in fit.statements[2:]]


def test_a_name_with_per_cent_signs_is_the_same_in_every_place() -> None:
    """As an identifier, and as a text that Postgres reads as one."""
    text = key_again("raw%", table(name=ODD)).text
    assert text.count('"raw%"."100% ""odd"" %s"') == 2
    assert "%%" not in text
    assert "%%" not in "".join(made(stands("_loaded_at", "id", primary=())))


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (stands(), []),
        (stands("_loaded_at", "_dlt_load_id"), ['ADD COLUMN "_loaded_at"', 'ADD COLUMN "_dlt_load_id"']),
        (stands("name"), ['ADD COLUMN IF NOT EXISTS "name"']),
        (stands(primary=()), ["DELETE", "IS NULL", 'ADD PRIMARY KEY ("id")']),
        (stands("id", primary=()), ['"id" integer', "DELETE", "CREATE UNIQUE INDEX"]),
        (
            stands(primary=("name",)),
            ['DROP CONSTRAINT "odd%_pkey"', "DROP NOT NULL", "DELETE", "IS NULL", "ADD PRIMARY KEY"],
        ),
    ],
)
def test_what_lacks_is_added_and_nothing_else(standing: Standing, words: list[str]) -> None:
    """The key last, when every column is there."""
    found = made(standing)
    assert len(found) == len(words)
    for text, word in zip(found, words, strict=True):
        assert word in text


def test_a_key_that_the_source_has_not_is_taken_away() -> None:
    """Otherwise equal rows could not be there twice."""
    assert [t.partition('%s" ')[2][:15] for t in made(stands(), key=())] == [
        "DROP CONSTRAINT",
        'ALTER COLUMN "i',
    ]
    assert made(stands(primary=()), key=()) == []


def altered(
    blockers: tuple[str, ...] = (), not_null: bool = False, defaulted: bool = False, **kinds: str
) -> Standing:
    """The table with other types; the blockers are those of each such column."""
    found = stands()
    for column, kind in kinds.items():
        found.columns[column] = StandingColumn(kind, not_null=not_null, defaulted=defaulted)
        if blockers:
            found.blockers[column] = blockers
    return found


def test_all_types_are_changed_in_one_statement() -> None:
    """So that Postgres writes the table anew but once; what is in the way of a NULL goes first."""
    [statement] = made(altered(name="date", _loaded_at="text", not_null=True, defaulted=True))
    assert statement.startswith('ALTER TABLE "raw%"."100% ""odd"" %s" ALTER COLUMN "name" DROP DEFAULT, ')
    assert 'ALTER COLUMN "name" TYPE varchar(40) USING CASE' in statement
    assert 'ALTER COLUMN "_loaded_at" TYPE timestamp with time zone USING coalesce(' in statement
    assert 'ALTER COLUMN "_loaded_at" DROP NOT NULL' not in statement
    [lossless] = made(altered(name="character varying(3)", not_null=True))
    assert "DROP" not in lossless
    [lossy] = made(altered(name="bytea", not_null=True))
    assert '"name" DROP NOT NULL' in lossy


def test_a_wider_type_is_kept_and_nothing_done() -> None:
    """The table that comes back says so; what was kept before and has gone is forgotten."""
    schema = table()
    standing = altered(id="bigint", name="text")
    fit = make_fit("raw", schema, standing)
    assert [c.kept for c in fit.table.columns] == ["bigint", "text"]
    assert len(fit.statements) == 2
    assert make_fit("raw", fit.table, standing) == fit
    assert make_fit("raw", fit.table, stands()).table == schema
    assert make_fit("raw", fit.table, Standing()).table == schema


def asked(as_type: str) -> TableSchema:
    """The settings ask for a type."""
    columns = table().columns
    return replace(table(), columns=(columns[0], replace(columns[1], policy=ColumnPolicy(as_type=as_type))))


def test_a_type_that_the_settings_ask_for_is_made() -> None:
    """Also in the place of a wider one, unless something depends on the column."""
    fit = make_fit("raw", asked("varchar(12)"), altered(name="text"))
    assert fit.table == asked("varchar(12)")
    assert "TYPE varchar(12) USING CASE" in fit.statements[-1].text
    with pytest.raises(TableStopped, match="view raw.v"):
        make_fit("raw", asked("varchar(12)"), altered(("view raw.v",), name="text"))


def test_what_something_depends_on_is_kept_if_values_can_go_there() -> None:
    """Else the table stops, and names the column and all that is in the way."""
    held = ("materialized view a.m", "view raw.v")
    fit = make_fit("raw", table(), altered(held, id="smallint", name="character varying(3)"))
    assert [c.kept for c in fit.table.columns] == ["smallint", "varchar(3)"]
    assert len(fit.statements) == 2
    with pytest.raises(TableStopped) as caught:
        make_fit("raw", table(), altered(held, name="bytea"))
    for word in ("column name is bytea", "varchar(40) is needed", *held):
        assert word in caught.value.reason
    assert "rowferry resync patient" in caught.value.hint
    assert made(altered(held, _dlt_load_id="character varying(99)")) == []


def test_a_key_is_taken_off_where_it_could_be_lost() -> None:
    """And stays where its column only becomes wider. A float is none, however wide."""
    [wider] = made(altered(id="smallint"))
    assert 'ALTER COLUMN "id" TYPE integer' in wider
    lost = made(altered(id="text", not_null=True))
    assert [word in text for word, text in zip(LOST, lost, strict=True)] == [True] * len(LOST)
    unique = replace(altered(id="text"), primary=(), uniques=[("id",)])
    assert len(made(unique)) == 1
    schema = table(types={"id": ColumnType("float"), "name": NAME})
    fit = make_fit("raw", schema, altered(id="double precision"))
    assert [c.kept for c in fit.table.columns] == ["", ""]
    assert any("TYPE real" in s.text for s in fit.statements)


LOST = (
    'DROP CONSTRAINT "odd%_pkey"',
    "DROP NOT NULL",
    "TYPE integer USING CASE",
    "DELETE",
    "CREATE UNIQUE INDEX",
)
