"""Touched keys: a chunk decides about a key only if its SELECT saw every change of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.batch import Route
from rowferry.carry import UnfitKey
from rowferry.changes import RawRow
from rowferry.position import BinlogPosition, MysqlGtidSet
from rowferry.touched import Settled, SettledPosition, SettledSet, SettledTime, TouchLog, reached
from tests.unit.flow import position, route, table

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
PATIENT = route()
TABLE = PATIENT.table.id


def log_of(*transactions: int, path: Route = PATIENT) -> TouchLog:
    """Transaction number n ends at n * 100, arrived at n seconds, and touched key n."""
    log = TouchLog()
    log.watch(path.table.id)
    for n in transactions:
        log.record(float(n), position(n * 100), f"{UUID}:{n}", path, [(n, b"x")])
    return log


def by_set(text: str) -> SettledSet:
    """What MySQL had executed."""
    return SettledSet(MysqlGtidSet.parse(f"{UUID}:{text}"))


@pytest.mark.parametrize(
    ("settled", "open_keys"),
    [
        (by_set("1-2"), {3}),
        (by_set("1:3"), {2}),
        (by_set("9"), {1, 2, 3}),
        (by_set("1-9"), set()),
        (SettledSet(MysqlGtidSet()), {1, 2, 3}),
        (SettledPosition(position(200)), {3}),
        (SettledPosition(position(199)), {2, 3}),
        (SettledPosition(position(4, file=2)), set()),
        (SettledTime(2.5), {3}),
        (SettledTime(2.0), {2, 3}),
        (SettledTime(0.0), {1, 2, 3}),
    ],
)
def test_only_what_the_select_is_known_to_see_is_settled(settled: Settled, open_keys: set[int]) -> None:
    """A set may have gaps: transactions become visible out of order. At the same moment is too late."""
    assert log_of(1, 2, 3).keys(TABLE, settled) == open_keys


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), max_size=12),
    st.sets(st.integers(1, 5)),
)
def test_a_key_is_left_alone_if_and_only_if_an_unsettled_change_touched_it(
    touches: list[tuple[int, int]], executed: set[int]
) -> None:
    """Also if an earlier change of it is settled."""
    log = TouchLog()
    log.watch(TABLE)
    for number, key in touches:
        log.record(0.0, position(number), f"{UUID}:{number}", PATIENT, [(key, b"x")])
    settled = by_set(":".join(map(str, executed))) if executed else SettledSet(MysqlGtidSet())
    assert log.keys(TABLE, settled) == {key for number, key in touches if number not in executed}
    log.begin(TABLE, settled)
    assert log.keys(TABLE, settled) == {key for number, key in touches if number not in executed}


def test_both_images_of_an_update_count() -> None:
    """The old key is gone, the new one is there."""
    log = log_of()
    rows: list[RawRow] = [(1, b"a"), (2, b"a")]
    log.record(1.0, position(100), "", PATIENT, rows)
    assert log.keys(TABLE, SettledTime(0.0)) == {1, 2}


def test_a_change_without_a_gtid_is_never_settled_by_a_set() -> None:
    """Nothing says whether it is seen."""
    log = log_of()
    log.record(1.0, position(100), "", PATIENT, [(7, b"x")])
    assert log.keys(TABLE, by_set("1-99")) == {7}


def test_keys_are_those_that_a_chunk_holds() -> None:
    """Text is converted, several columns make a tuple in the key's order."""
    path = route(table("id", "name", key=("name", "id")))
    log = log_of(path=path)
    log.record(1.0, position(100), "", path, [(1, "é".encode())])
    assert log.keys(TABLE, SettledTime(0.0)) == {("é", 1)}


def test_a_key_that_cannot_be_carried_is_touched_by_its_bytes() -> None:
    """A chunk that holds such a row leaves it alone, too."""
    path = route(table("id", "name", key=("name",)))
    log = log_of(path=path)
    log.record(1.0, position(100), "", path, [(1, b"secret\xff")])
    assert log.keys(TABLE, SettledTime(0.0)) == {UnfitKey((f"hex:{b'secret'.hex()}ff",))}


def test_settling_forgets_what_every_later_select_sees() -> None:
    """So that memory does not grow with the copy."""
    log = log_of(1, 2, 3)
    log.begin(TABLE, by_set("1-2"))
    assert log.keys(TABLE, SettledSet(MysqlGtidSet())) == {3}


def test_tables_are_apart_and_watched_only_while_they_are_copied() -> None:
    """Watching again begins with nothing."""
    other = route(table(name="visit"))
    log = log_of(1)
    assert log.watches(TABLE)
    assert not log.watches(other.table.id)
    log.watch(other.table.id)
    log.record(1.0, position(100), "", other, [(5, b"x")])
    assert log.keys(TABLE, SettledTime(0.0)) == {1}
    log.watch(TABLE)
    assert log.keys(TABLE, SettledTime(0.0)) == set()
    log.forget([TABLE, table(name="unknown").id])
    assert not log.watches(TABLE)
    assert log.watches(other.table.id)
    log.begin(TABLE, SettledTime(9.0))


@pytest.mark.parametrize(
    ("settled", "place", "since", "sees"),
    [
        (by_set("1-5"), position(1, gtid_set=MysqlGtidSet.parse(f"{UUID}:1-5")), 0.0, True),
        (by_set("1-4"), position(1, gtid_set=MysqlGtidSet.parse(f"{UUID}:1-5")), 0.0, False),
        (by_set("1-4"), position(1), 0.0, True),
        (SettledPosition(position(100)), position(100), 0.0, True),
        (SettledPosition(position(100)), position(101), 0.0, False),
        (SettledTime(5.0), position(1), 4.9, True),
        (SettledTime(5.0), position(1), 5.0, False),
    ],
)
def test_a_copy_begins_when_its_select_sees_what_was_applied(
    settled: Settled, place: BinlogPosition, since: float, sees: bool
) -> None:
    """Otherwise its first chunk would undo it."""
    assert reached(settled, place, since) is sees


def test_what_a_select_under_way_may_lack_is_kept_for_it() -> None:
    """Two ranges of one table are read at a time: the later SELECT sees more than the earlier one."""
    log = log_of(1, 2, 3)
    earlier, later = by_set("1"), by_set("1-3")
    log.begin(TABLE, earlier)
    log.begin(TABLE, later)
    assert log.keys(TABLE, earlier) == {2, 3}
    log.end(TABLE, earlier)
    assert log.keys(TABLE, earlier) == {2, 3}
    log.begin(TABLE, later)
    assert log.keys(TABLE, earlier) == set()


def test_time_settles_tables_that_wait_for_their_turn() -> None:
    """So that the log of a table that nobody reads yet does not grow; others are not settled by time."""
    waits, exact = route(table(name="visit")), route(table(name="claim"))
    log = log_of()
    log.watch(TABLE, by_time=True)
    for path, by_time in ((waits, True), (exact, False)):
        log.watch(path.table.id, by_time=by_time)
        log.record(1.0, position(100), "", path, [(5, b"x")])
    log.begin(TABLE, SettledTime(2.0))
    assert log.keys(waits.table.id, SettledTime(0.0)) == set()
    assert log.keys(exact.table.id, SettledTime(0.0)) == {5}


def test_time_does_not_settle_what_another_table_s_select_under_way_lacks() -> None:
    """That one began earlier."""
    other = route(table(name="visit"))
    log = log_of()
    log.watch(TABLE, by_time=True)
    log.watch(other.table.id, by_time=True)
    log.record(1.0, position(100), "", other, [(5, b"x")])
    log.begin(other.table.id, SettledTime(0.5))
    log.begin(TABLE, SettledTime(2.0))
    assert log.keys(other.table.id, SettledTime(0.5)) == {5}
