"""Table schemas: their differences, and their way through the tracking table."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.table_schema import Column, ColumnType, RowEnd, TableId, TableSchema, diff
from tests.unit.flow import INT, NAME, table

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NUMBERS = st.none() | st.integers(0, 2**32)
TYPES = st.builds(
    ColumnType,
    base=st.sampled_from(["int", "varchar", "decimal", "datetime"]),
    unsigned=st.booleans(),
    length=NUMBERS,
    precision=NUMBERS,
    scale=NUMBERS,
    fraction=st.integers(0, 6),
    charset=st.none() | st.sampled_from(["utf8mb4", "latin1"]),
    text=NAMES,
)
COLUMNS = st.lists(st.builds(Column, NAMES, TYPES, st.booleans()), max_size=6, unique_by=lambda c: c.name)


@st.composite
def schemas(draw: st.DrawFn) -> TableSchema:
    """Any table, its key among its columns."""
    columns = draw(COLUMNS)
    names = [c.name for c in columns]
    key = draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) if names else []
    identity = TableId(draw(NAMES), draw(NAMES))
    row_end = draw(st.none() | st.builds(RowEnd, NAMES, st.sampled_from([2038, 2106])))
    engine, index = draw(NAMES), draw(NAMES)
    return TableSchema(identity, tuple(columns), tuple(key), engine, index, row_end=row_end)


@given(schemas())
def test_a_schema_survives_json(schema: TableSchema) -> None:
    """It is kept in a jsonb column."""
    assert TableSchema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_a_document_from_before_system_versioning_is_read() -> None:
    """Records of older releases go on."""
    document = table().to_json()
    del document["row_end"]
    assert TableSchema.from_json(document) == table()


@pytest.mark.parametrize("missing", ["database", "name", "columns", "key", "engine", "key_index"])
def test_a_document_that_lacks_a_part_is_refused(missing: str) -> None:
    """Nothing is filled in."""
    document = table().to_json()
    del document[missing]
    with pytest.raises(KeyError):
        TableSchema.from_json(document)


@given(schemas())
def test_a_schema_does_not_differ_from_itself(schema: TableSchema) -> None:
    """Nor does a copy of it in another order and on another engine."""
    other = replace(schema, columns=schema.columns[::-1], engine="x", key_index="y")
    found = diff(schema, other)
    assert found.empty
    assert found.describe() == ""


@given(schemas(), schemas())
def test_a_difference_leads_from_one_to_the_other(before: TableSchema, after: TableSchema) -> None:
    """Applied to the first, it gives the second's names and types."""
    found = diff(before, after)
    columns = {c.name: c.type for c in before.columns}
    for column in found.dropped:
        del columns[column.name]
    for _, column in found.changed:
        columns[column.name] = column.type
    assert not columns.keys() & {c.name for c in found.added}
    columns.update({c.name: c.type for c in found.added})
    assert columns == {c.name: c.type for c in after.columns}
    assert found.key_changed == (before.key != after.key)
    assert found.empty == (columns == {c.name: c.type for c in before.columns} and not found.key_changed)


def test_an_added_column_is_found_wherever_it_stands() -> None:
    """ADD COLUMN ... FIRST shifts the others."""
    found = diff(table("id", "name"), table("age", "id", "name"))
    assert [c.name for c in found.added] == ["age"]
    assert found.describe() == "column age added"


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (table("id"), "column name dropped"),
        (table("id", "Name"), "column Name added, column name dropped"),
        (table("id", "name", types={"name": INT}), "column name changed from varchar(40) to int(11)"),
        (table("id", "name", key=("id", "name")), "primary key changed"),
        (table("id", "name", "a", key=("name",)), "column a added, primary key changed"),
    ],
)
def test_other_differences_are_not_only_additions(after: TableSchema, words: str) -> None:
    """They are told by names."""
    found = diff(table("id", "name"), after)
    assert not found.empty
    assert found.describe() == words


def test_the_order_of_the_key_counts() -> None:
    """Chunks go by it."""
    assert diff(table(key=("id", "name")), table(key=("name", "id"))).key_changed


def test_character_set_and_sign_count_as_a_change() -> None:
    """The bytes of all rows change, or their meaning."""
    latin = replace(NAME, charset="latin1")
    assert diff(table(), table("id", "name", types={"name": latin})).changed
    assert diff(table(), table("id", "name", types={"id": replace(INT, unsigned=True)})).changed


@pytest.mark.parametrize(
    ("engine", "transactional"),
    [("InnoDB", True), ("INNODB", True), ("RocksDB", True), ("MyISAM", False), ("Aria", False), ("", False)],
)
def test_the_engine_tells_whether_a_rollback_counts(engine: str, transactional: bool) -> None:
    """Unknown engines count as without."""
    assert table(engine=engine).transactional is transactional


def test_columns_are_found_by_their_exact_name() -> None:
    """As the binlog spells it."""
    found = table().column("name")
    assert found is not None
    assert found.type == NAME
    assert table().column("Name") is None


def test_tables_are_told_apart_by_database_and_name() -> None:
    """And shown with both."""
    here, there = table(), replace(table(), id=TableId("office", "patient"))
    assert here.id != there.id
    assert str(there.id) == "office.patient"
