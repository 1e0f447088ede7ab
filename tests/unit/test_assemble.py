"""One table's part of a load: chunks and changes in their order, each key once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rowferry.assemble import keys_of, table_load
from rowferry.batch import ChunkSegment, MicroBatch, Segment
from rowferry.carry import UnfitKey, carry_keys
from rowferry.changes import RowCounts, RowKind, TableLoad
from rowferry.errors import TableStopped
from rowferry.settings import QuarantineSettings
from rowferry.table_schema import ColumnPolicy, TableSchema
from tests.unit.flow import chunk, route, table

INSERT, UPDATE, DELETE = RowKind.INSERT, RowKind.UPDATE, RowKind.DELETE
SCHEMA = table()
RULES = QuarantineSettings()
PATIENT = route(SCHEMA)
OTHER_LAYOUT = route(SCHEMA)


def loaded(batch: MicroBatch) -> TableLoad:
    """What is loaded of the table."""
    return table_load(batch.segments[SCHEMA.id], RULES).load


def with_policies(schema: TableSchema, **policies: ColumnPolicy) -> TableSchema:
    """The table with policies for some columns."""
    columns = tuple(replace(c, policy=policies.get(c.name, c.policy)) for c in schema.columns)
    return replace(schema, columns=columns)


def rows(load: TableLoad) -> tuple[dict[int, str], set[int]]:
    """Its upserts and its deletes, each key once."""
    upserts = {row["id"]: row["name"] for row in load.upserts.to_pylist()}
    deletes = {row["id"] for row in load.deletes.to_pylist()}
    assert (len(upserts), len(deletes)) == (load.upserts.num_rows, load.deletes.num_rows)
    assert upserts.keys().isdisjoint(deletes)
    return upserts, deletes


def test_a_change_after_a_chunk_wins() -> None:
    """It is newer than what the SELECT saw."""
    batch = MicroBatch()
    batch.add_chunk(chunk(SCHEMA, [(1, "old"), (2, "old"), (3, "old")]))
    batch.add_rows(PATIENT, UPDATE, [(1, b"old"), (1, b"new"), (2, b"old"), (4, b"new")], 10)
    assert rows(loaded(batch)) == ({1: "new", 3: "old", 4: "new"}, {2})


def test_a_chunk_after_a_change_wins() -> None:
    """The keys that it must not decide are not in it."""
    batch = MicroBatch()
    batch.add_rows(PATIENT, INSERT, [(1, b"old"), (2, b"old")], 10)
    batch.add_rows(PATIENT, DELETE, [(3, b"old")], 10)
    batch.add_chunk(chunk(SCHEMA, [(1, "new"), (3, "new")]))
    assert rows(loaded(batch)) == ({1: "new", 2: "old", 3: "new"}, set())


def test_an_empty_chunk_changes_nothing() -> None:
    """Alone, it is a load without rows."""
    batch = MicroBatch()
    batch.add_chunk(chunk(SCHEMA, [], done=True))
    assert rows(loaded(batch)) == ({}, set())
    batch.add_rows(PATIENT, INSERT, [(1, b"a")], 10)
    assert rows(loaded(batch)) == ({1: "a"}, set())


def test_counts_are_those_of_the_source() -> None:
    """Rows of chunks apart."""
    batch = MicroBatch()
    batch.add_rows(PATIENT, INSERT, [(1, b"a")], 10)
    batch.add_chunk(chunk(SCHEMA, [(1, "b"), (2, "b")]))
    batch.add_rows(PATIENT, DELETE, [(1, b"b")], 10)
    assert loaded(batch).counts == RowCounts(inserts=1, deletes=1, copied=2)


def test_columns_in_another_order_are_joined_by_name() -> None:
    """A chunk has the catalogue's order, an event its own."""
    turned = table("name", "id")
    batch = MicroBatch()
    batch.add_rows(route(turned), INSERT, [(b"a", 1)], 10)
    batch.add_chunk(chunk(SCHEMA, [(2, "b")]))
    assert rows(loaded(batch)) == ({1: "a", 2: "b"}, set())


def test_deletes_hold_the_key_alone() -> None:
    """In its order."""
    schema = table("id", "name", "note", key=("name", "id"))
    batch = MicroBatch()
    batch.add_rows(route(schema), DELETE, [(1, b"a", b"x")], 10)
    batch.add_chunk(chunk(schema, [(2, "b", "x")]))
    load = loaded(batch)
    assert load.deletes.column_names == ["name", "id"]
    assert load.deletes.to_pylist() == [{"name": "a", "id": 1}]


def test_a_value_that_cannot_be_carried_stops_its_table_and_is_not_told() -> None:
    """If its policy is so. The error names column and key and the way out."""
    batch = MicroBatch()
    path = route(with_policies(SCHEMA, name=ColumnPolicy(invalid_text="stop")))
    batch.add_rows(path, INSERT, [(7, b"fine"), (1, b"secret\xff")], 10)
    with pytest.raises(TableStopped) as caught:
        loaded(batch)
    assert "column name, row with key id=1" in str(caught.value)
    assert "rowferry resync patient" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_row_that_cannot_be_carried_is_set_aside_by_its_key() -> None:
    """It is in no column, and an older version of it is deleted; without its values."""
    batch = MicroBatch()
    batch.add_rows(PATIENT, INSERT, [(1, b"a"), (2, b"secret\xff"), (3, b"c"), (4, b"nul\0")], 10)
    assembled = table_load(batch.segments[SCHEMA.id], RULES)
    assert rows(assembled.load) == ({1: "a", 3: "c"}, {2, 4})
    assert [(a.identity, a.key, a.column, a.kind, a.values) for a in assembled.aside] == [
        (2, ("2",), "name", "invalid_text", {}),
        (4, ("4",), "name", "invalid_text", {}),
    ]
    assert "secret" not in repr(assembled.aside)


def test_a_later_part_decides_about_a_row_that_was_set_aside() -> None:
    """A chunk, a change, a delete after it; and it decides about what came before."""
    batch = MicroBatch()
    batch.add_chunk(chunk(SCHEMA, [(1, "old"), (2, "old"), (3, "old")]))
    batch.add_rows(PATIENT, INSERT, [(1, b"\xff"), (2, b"\xff"), (3, b"\xff")], 10)
    batch.add_rows(OTHER_LAYOUT, UPDATE, [(1, b"\xff"), (1, b"good")], 10)
    batch.add_rows(OTHER_LAYOUT, DELETE, [(2, b"\xff")], 10)
    assembled = table_load(batch.segments[SCHEMA.id], RULES)
    assert rows(assembled.load) == ({1: "good"}, {2, 3})
    assert [a.key for a in assembled.aside] == [("3",)]


def test_a_row_whose_key_cannot_be_carried_is_known_by_the_bytes_of_its_key() -> None:
    """Postgres has no such row, so there is none to delete; its delete ends its entry."""
    schema = table("id", "name", key=("name",))
    batch = MicroBatch()
    batch.add_rows(route(schema), INSERT, [(1, b"\xff"), (2, b"\xfe"), (3, b"ok")], 10)
    batch.add_rows(route(schema), DELETE, [(2, b"\xfe")], 10)
    assembled = table_load(batch.segments[schema.id], RULES)
    assert [a.identity for a in assembled.aside] == [UnfitKey(("hex:ff",))]
    assert assembled.gone == (UnfitKey(("hex:fe",)),)
    assert assembled.load.upserts.column("name").to_pylist() == ["ok"]
    assert assembled.load.deletes.num_rows == 0


def test_more_rows_than_the_limit_stop_the_table() -> None:
    """A whole column that does not fit is no matter of single rows."""
    batch = MicroBatch()
    batch.add_rows(PATIENT, INSERT, [(n, b"\xff") for n in range(20)], 10)
    with pytest.raises(TableStopped, match="max_rows"):
        table_load(batch.segments[SCHEMA.id], QuarantineSettings(max_rows=10))
    assert len(table_load(batch.segments[SCHEMA.id], QuarantineSettings(max_rows=20)).aside) == 20


def test_values_are_kept_only_if_the_settings_allow_it() -> None:
    """As text, and the bytes of what is none."""
    batch = MicroBatch()
    batch.add_rows(PATIENT, INSERT, [(1, b"a\xff")], 10)
    [row] = table_load(batch.segments[SCHEMA.id], QuarantineSettings(keep_values=True)).aside
    assert row.values == {"id": "1", "name": "hex:61ff"}


def test_keys_are_comparable_between_both_ways_in() -> None:
    """One column is its value, several are tuples."""
    schema = table("id", "name", key=("name", "id"))
    raw, unfit = carry_keys(route(schema).form, [("é".encode(), 1)])
    assert unfit == []
    assert keys_of(raw, schema.key) == keys_of(chunk(schema, [(1, "é")]).upserts, schema.key) == [("é", 1)]
    assert keys_of(raw, ("id",)) == [1]


KEYS = st.integers(0, 4)
VALUES = st.sampled_from("abc")
STREAM = st.tuples(st.sampled_from([INSERT, UPDATE, DELETE]), KEYS, KEYS, VALUES, st.booleans())
CHUNK = st.dictionaries(KEYS, VALUES, max_size=2)


@given(st.lists(STREAM | CHUNK, min_size=1, max_size=20), st.dictionaries(KEYS, VALUES))
def test_the_last_one_wins_by_its_place(
    steps: list[tuple[RowKind, int, int, str, bool] | dict[int, str]], start: dict[int, str]
) -> None:
    """Chunks and changes in any order, under two layouts, against a dict. Ranges of chunks do not meet."""
    copied = [key for step in steps if isinstance(step, dict) for key in step]
    assume(len(copied) == len(set(copied)))
    batch, model = MicroBatch(), dict(start)
    for step in steps:
        if isinstance(step, dict):
            batch.add_chunk(chunk(SCHEMA, list(step.items())))
            model.update(step)
            continue
        kind, key, other, value, second = step
        path, after = OTHER_LAYOUT if second else PATIENT, (other, value.encode())
        if kind is INSERT:
            batch.add_rows(path, kind, [after], 1)
            model[other] = value
        elif kind is DELETE:
            batch.add_rows(path, kind, [(key, b"")], 1)
            model.pop(key, None)
        else:
            batch.add_rows(path, kind, [(key, b""), after], 1)
            model.pop(key, None)
            model[other] = value
    upserts, deletes = rows(loaded(batch))
    assert {k: v for k, v in start.items() if k not in deletes} | upserts == model


def test_chunks_alone_are_joined_as_they_are() -> None:
    """Their ranges do not meet."""
    segments: list[Segment] = [chunk(SCHEMA, [(1, "a")]), chunk(SCHEMA, [(2, "b")])]
    assert all(isinstance(s, ChunkSegment) for s in segments)
    assert rows(table_load(segments, RULES).load) == ({1: "a", 2: "b"}, set())
