"""What stands in Postgres is made fit: names as they are, whatever they hold."""

from __future__ import annotations

import pytest

from rowferry.fitting import key_again, make_fit
from rowferry.standing import Standing, StandingColumn
from tests.unit.flow import table

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
