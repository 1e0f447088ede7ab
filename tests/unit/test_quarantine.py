"""The book of rows that are set aside: with the loads' rows it is the source's table, each row once."""

from __future__ import annotations

import json
import operator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.assemble import Assembled, table_load
from rowferry.batch import ChunkMark, ChunkSegment, MicroBatch
from rowferry.carry import carry
from rowferry.changes import RowKind, Statement
from rowferry.checkpoint import CopyProgress
from rowferry.copy import Chunk, select_form
from rowferry.copy_jobs import CopyJob
from rowferry.errors import RowRefused
from rowferry.quarantine import QuarantineBook, key_hash, read_entries, sweep_quarantine
from rowferry.settings import QuarantineSettings
from rowferry.table_schema import TableSchema
from rowferry.touched import SettledTime, TouchLog
from tests.unit.flow import position, route, table

SCHEMA = table("name", "note", key=("name",))
PATIENT, OTHER_LAYOUT = route(SCHEMA), route(SCHEMA)
RULES = QuarantineSettings()
INSERT, UPDATE, DELETE = RowKind.INSERT, RowKind.UPDATE, RowKind.DELETE


@dataclass
class Entries:
    """`_rowferry_quarantine`, and the destination's table, as far as the statements tell."""

    entries: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)

    def execute(self, text: str, parameters: list[Any]) -> Entries:
        """A reading of the hashes, or one of the three statements that change entries."""
        if text.startswith("INSERT"):
            known = self.entries.setdefault((parameters[0], parameters[1]), parameters)
            if "load_id = excluded.load_id" not in text:
                parameters = [*parameters[:7], known[7], *parameters[8:]]
            self.entries[parameters[0], parameters[1]] = parameters
        elif "key_hash = ANY" in text:
            for hashed in parameters[1]:
                self.entries.pop((parameters[0], hashed), None)
        elif text.startswith("DELETE"):
            old = operator.le if text.endswith("<= %s") else operator.lt
            gone = [k for k, e in self.entries.items() if k[0] == parameters[0] and old(e[7], parameters[1])]
            for key in gone:
                del self.entries[key]
        return self

    def fetchall(self) -> list[tuple[str, str, str]]:
        """The hashes."""
        return [(*key, entry[7]) for key, entry in self.entries.items()]

    def apply(self, assembled: Assembled, statements: tuple[Statement, ...]) -> None:
        """A load and its statements, in one transaction."""
        upserts, deletes = assembled.load.upserts.to_pylist(), assembled.load.deletes.to_pylist()
        keys = [row["name"] for row in upserts + deletes]
        assert len(keys) == len(set(keys)), "a key comes twice"
        for row in deletes:
            self.rows.pop(row["name"], None)
        self.rows |= {row["name"]: row["note"] for row in upserts}
        for statement in statements:
            self.execute(statement.text, list(statement.parameters))

    def keys(self) -> list[str]:
        """The texts of the keys that are set aside."""
        return sorted(json.loads(entry[2])[0] for entry in self.entries.values())


def book_of(entries: Entries, **rules: Any) -> QuarantineBook:
    """A book that has read the entries."""
    session: Any = entries
    return QuarantineBook(session, "raw", QuarantineSettings(**rules))


def shown(key: bytes) -> str:
    """A key's text."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return f"hex:{key.hex()}"
    return f"hex:{key.hex()}" if "\0" in text else f"text:{text}" if text.startswith("hex:") else text


def fits(value: bytes) -> bool:
    """Whether Postgres can hold the text."""
    return not shown(value).startswith("hex:")


def holds(there: Entries, source: dict[bytes, bytes]) -> None:
    """Every row of the source is in the table or set aside, never in both, never in neither."""
    carried = {k.decode(): v.decode() for k, v in source.items() if fits(k) and fits(v)}
    assert there.rows == carried
    assert there.keys() == sorted(shown(k) for k, v in source.items() if not (fits(k) and fits(v)))


KEYS = st.sampled_from([b"a", b"b", b"hex:61", b"\xff", b"n\0"])
NOTES = st.sampled_from([b"x", b"y", b"\xfe", b"\0"])
CHANGES = st.tuples(st.sampled_from([INSERT, UPDATE, DELETE]), KEYS, KEYS, NOTES, st.booleans())
COPIED = st.sets(KEYS, max_size=2)
BATCHES = st.lists(st.lists(CHANGES | COPIED, min_size=1, max_size=6), min_size=1, max_size=5)


@given(BATCHES)
def test_rows_and_entries_are_the_source_after_every_load(
    batches: list[list[tuple[RowKind, bytes, bytes, bytes, bool] | set[bytes]]],
) -> None:
    """Changes of every kind under two layouts, chunks among them, keys that Postgres cannot have."""
    source: dict[bytes, bytes] = {}
    there = Entries()
    book = book_of(there)
    for number, steps in enumerate(batches):
        batch, copied = MicroBatch(), set[bytes]()
        for step in steps:
            if isinstance(step, set):
                batch.add_chunk(chunk_of({k: source[k] for k in step - copied if k in source}))
                copied |= step
                continue
            kind, key, other, note, second = step
            path = OTHER_LAYOUT if second else PATIENT
            if kind is INSERT and other not in source:
                batch.add_rows(path, kind, [(other, note)], 1)
                source[other] = note
            elif kind is DELETE and key in source:
                batch.add_rows(path, kind, [(key, source.pop(key))], 1)
            elif kind is UPDATE and key in source and (other == key or other not in source):
                batch.add_rows(path, kind, [(key, source.pop(key)), (other, note)], 1)
                source[other] = note
        if not batch.segments:
            continue
        assembled = table_load(batch.segments[SCHEMA.id], RULES)
        change = book.change(assembled, "binlog.1:4", f"load {number}")
        there.apply(assembled, change.statements if change is not None else ())
        if change is not None:
            book.accept(change)
        holds(there, source)
        assert book.counts == ({"patient": len(there.entries)} if there.entries else {})
        assert book_of(there).counts == book.counts


def chunk_of(rows: dict[bytes, bytes], schema: TableSchema = SCHEMA, done: bool = False) -> ChunkSegment:
    """A chunk that a SELECT would give."""
    carried = carry(select_form(schema), list(rows.items()), RULES)
    mark = ChunkMark(schema.id, 1, None, len(rows), done)
    return ChunkSegment(schema, carried.rows, mark, carried.aside, carried.zero_dates)


@given(st.dictionaries(KEYS, NOTES), st.sets(KEYS))
def test_a_chunk_leaves_touched_keys_alone(rows: dict[bytes, bytes], touched: set[bytes]) -> None:
    """Those in its columns and those that it would set aside."""
    carried = carry(select_form(SCHEMA), list(rows.items()), RULES)
    log = TouchLog()
    log.watch(SCHEMA.id)
    log.record(1.0, position(100), "", PATIENT, [(key, b"") for key in touched])
    settled = SettledTime(0.0)
    job = CopyJob(SCHEMA, 1, CopyProgress(), position(4), 0.0)
    chunk = Chunk(job, carried, settled, ChunkMark(SCHEMA.id, 1, None, len(rows), False))
    segment = chunk.segment(log.keys(SCHEMA.id, settled))
    left = {k: v for k, v in rows.items() if k not in touched}
    assert sorted(segment.upserts.column("name").to_pylist()) == sorted(
        k.decode() for k, v in left.items() if fits(k) and fits(v)
    )
    assert sorted(a.key[0] for a in segment.aside) == sorted(
        shown(k) for k, v in left.items() if not (fits(k) and fits(v))
    )


def load(upserts: dict[bytes, bytes], deletes: tuple[bytes, ...] = ()) -> Assembled:
    """What becomes of changes."""
    batch = MicroBatch()
    batch.add_rows(PATIENT, INSERT, list(upserts.items()), 1)
    batch.add_rows(PATIENT, DELETE, [(key, b"") for key in deletes], 1)
    return table_load(batch.segments[SCHEMA.id], RULES)


def set_aside(book: QuarantineBook, there: Entries, load_id: str, *keys: bytes) -> None:
    """These rows are set aside by a load."""
    assembled = load(dict.fromkeys(keys, b"\xff"))
    change = book.change(assembled, "binlog.1:4", load_id)
    assert change is not None
    there.apply(assembled, change.statements)
    book.accept(change)


def test_more_rows_than_the_limit_stop_the_table() -> None:
    """The limit itself does not; the error names column and key, and no value."""
    there = Entries()
    book = book_of(there, max_rows=3)
    set_aside(book, there, "1", b"a", b"b")
    book.require_room(load({b"c": b"secret\xff"}))
    book.require_room(load({b"a": b"\xff", b"b": b"\xff", b"c": b"\xff"}))
    with pytest.raises(RowRefused) as caught:
        book.require_room(load({b"c": b"secret\xff", b"d": b"secret\xff"}))
    assert caught.value.policy == "invalid_text"
    assert "column note, row with key d" in str(caught.value)
    assert "max_rows" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_the_same_load_releases_does_not_count() -> None:
    """It is not set aside any longer."""
    there = Entries()
    book = book_of(there, max_rows=2)
    set_aside(book, there, "1", b"a", b"b")
    book.require_room(load({b"a": b"mended", b"c": b"\xff"}))
    book.require_room(load({b"c": b"\xff"}, deletes=(b"a",)))
    with pytest.raises(RowRefused):
        book.require_room(load({b"c": b"\xff"}))


def test_a_copy_is_not_stopped_by_entries_that_it_will_sweep() -> None:
    """Those that it confirms count; else a table that stopped for too many could never be copied again."""
    there = Entries()
    book = book_of(there, max_rows=2)
    set_aside(book, there, "1", b"a", b"b")
    book.require_room(load({b"c": b"\xff", b"d": b"\xff"}), began="1")
    set_aside(book, there, "2", b"a", b"c")
    for one in (book, book_of(there, max_rows=2)):
        one.require_room(load({b"a": b"\xff"}), began="1")
        with pytest.raises(RowRefused):
            one.require_room(load({b"d": b"\xff"}), began="1")


def test_the_sweep_ends_what_nobody_confirmed() -> None:
    """Up to and with the load before the copy."""
    there = Entries()
    book = book_of(there)
    for load_id, key in (("1", b"a"), ("2", b"b"), ("3", b"c")):
        set_aside(book, there, load_id, key)
    sweep = sweep_quarantine("raw", "patient", "2")
    assert sweep.parameters == ["patient", "2"]
    there.execute(sweep.text, list(sweep.parameters))
    assert book.counts == {"patient": 3}
    book.reload()
    assert book.counts == {"patient": 1}
    assert there.keys() == ["c"]
    set_aside(book, there, "4", b"c")
    there.execute(sweep.text, ["patient", "3"])
    assert there.keys() == ["c"]


def test_tables_are_apart() -> None:
    """A key of one is none of the other."""
    there = Entries()
    there.entries["visit", key_hash(["a"])] = ["visit", key_hash(["a"]), '["a"]', "", "", "", "", "1", None]
    book = book_of(there, max_rows=1)
    assert book.counts == {"visit": 1}
    assert book.change(load({b"a": b"x"}), "", "2") is None
    book.require_room(load({b"b": b"\xff"}))


def test_a_load_that_touches_no_entry_changes_none() -> None:
    """Nor does one into a table that has none."""
    there = Entries()
    book = book_of(there)
    assert book.change(load({b"a": b"x"}), "", "1") is None
    set_aside(book, there, "1", b"a")
    change = book.change(load({b"b": b"x"}), "", "2")
    assert change is not None
    assert (change.statements, change.added, change.released) == ((), frozenset(), frozenset())


def test_an_entry_says_what_is_known_and_no_value() -> None:
    """Unless the settings allow it."""
    there = Entries()
    book = book_of(there)
    set_aside(book, there, "7", b"a")
    [entry] = there.entries.values()
    reason = "bytes that are no character of its character set"
    assert entry[2:] == ['["a"]', "note", "invalid_text", reason, "binlog.1:4", "7", None]
    batch = MicroBatch()
    batch.add_rows(PATIENT, INSERT, [(b"a", b"\xff")], 1)
    assembled = table_load(batch.segments[SCHEMA.id], QuarantineSettings(keep_values=True))
    change = book.change(assembled, "binlog.1:9", "8")
    assert change is not None
    [statement] = change.statements
    assert json.loads(statement.parameters[-1]) == {"name": "a", "note": "hex:ff"}


@given(
    st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=3), min_size=2, max_size=2, unique_by=tuple)
)
def test_hashes_tell_keys_apart(keys: list[list[str]]) -> None:
    """Wherever one part ends and the next begins; the same for a list and a tuple."""
    assert key_hash(keys[0]) != key_hash(keys[1])
    assert key_hash(keys[0]) == key_hash(tuple(keys[0]))


def test_reading_asks_for_all_or_for_some() -> None:
    """No name means all."""
    asked = []

    class Session(Entries):
        """Notes what it is asked."""

        def execute(self, text: str, parameters: list[Any]) -> Entries:
            """Nothing is found."""
            asked.append(parameters)
            return super().execute(text, parameters)

    session: Any = Session()
    assert read_entries(session, "raw") == read_entries(session, "raw", ["a"]) == []
    assert asked == [[True, []], [False, ["a"]]]
