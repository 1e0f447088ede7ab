"""Positions and GTID sets: the servers' own spelling, and the questions that resuming depends on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.position import (
    BinlogPosition,
    MariadbGtidSet,
    MysqlGtidSet,
    file_number,
    widen_offset,
)

A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
B = "3e11fa47-71ca-11e1-9e33-c80aa9429563"

INTERVALS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 5)), min_size=1, max_size=8)
MEMBERS = st.dictionaries(st.sampled_from([A, B, A.replace("9", "8")]), INTERVALS, max_size=3)
POSITIONS = st.dictionaries(
    st.integers(0, 3), st.tuples(st.integers(1, 9), st.integers(1, 2**64 - 1)), max_size=4
)


def mysql_text(members: dict[str, list[tuple[int, int]]]) -> str:
    """A set in any order, with overlaps, as a person might write it."""
    return ",\n".join(
        ":".join([uuid, *(f"{a}-{a + more}" if more else str(a) for a, more in found)])
        for uuid, found in members.items()
    )


def numbers(members: dict[str, list[tuple[int, int]]]) -> set[tuple[str, int]]:
    """Every transaction of it, one by one: the model."""
    return {(u, n) for u, found in members.items() for a, more in found for n in range(a, a + more + 1)}


def mariadb(members: dict[int, tuple[int, int]]) -> MariadbGtidSet:
    """A position of MariaDB."""
    return MariadbGtidSet.parse(",".join(f"{d}-{s}-{n}" for d, (s, n) in members.items()))


@given(MEMBERS)
def test_mysql_set_survives_text(members: dict[str, list[tuple[int, int]]]) -> None:
    """The checkpoint holds its text."""
    parsed = MysqlGtidSet.parse(mysql_text(members))
    assert MysqlGtidSet.parse(str(parsed)) == parsed
    assert bool(parsed) == bool(members)


@given(MEMBERS, st.sampled_from([A, B]), st.integers(1, 70))
def test_mysql_set_holds_what_was_written(
    members: dict[str, list[tuple[int, int]]], uuid: str, number: int
) -> None:
    """Against a model that counts transactions one by one."""
    parsed = MysqlGtidSet.parse(mysql_text(members))
    assert parsed.has(uuid, number) == ((uuid, number) in numbers(members))


@given(MEMBERS, st.lists(st.tuples(st.sampled_from([A, B]), st.integers(1, 70)), max_size=20))
def test_mysql_set_grows_by_one_transaction(
    members: dict[str, list[tuple[int, int]]], more: list[tuple[str, int]]
) -> None:
    """In order or with gaps, the result is spelled as the server spells the same set."""
    grown = MysqlGtidSet.parse(mysql_text(members))
    for uuid, number in more:
        grown = grown.add(uuid, number)
    expected = ",".join(f"{u}:{n}" for u, n in numbers(members) | set(more))
    assert grown == MysqlGtidSet.parse(expected)


@given(MEMBERS, MEMBERS)
def test_mysql_set_covers_its_subsets_only(
    ours: dict[str, list[tuple[int, int]]], theirs: dict[str, list[tuple[int, int]]]
) -> None:
    """Containment decides whether a source still has what was applied here."""
    covers = MysqlGtidSet.parse(mysql_text(ours)).covers(MysqlGtidSet.parse(mysql_text(theirs)))
    assert covers == (numbers(theirs) <= numbers(ours))


def test_mysql_set_is_spelled_as_the_server_spells_it() -> None:
    """Lower case, neighbours joined, sorted."""
    text = f"{B}:5,{A.upper()}:3-4:1-2:9:7"
    assert str(MysqlGtidSet.parse(text)) == f"{A}:1-4:7:9,{B}:5"


@pytest.mark.parametrize(
    "text",
    [
        A,
        f"{A}:",
        f"{A}:x",
        f"{A}:0",
        f"{A}:5-4",
        f"{A}:tag:1-5",
        "nonsense:1",
        "1-2-3",
        f"{A}:1--2",
        f"{A}:-1",
    ],
)
def test_what_is_no_mysql_set_is_refused(text: str) -> None:
    """Tagged sets of MySQL 8.3 among them: half a set would resume in the wrong place."""
    with pytest.raises(ValueError, match="not a"):
        MysqlGtidSet.parse(text)


@given(POSITIONS)
def test_mariadb_position_survives_text(members: dict[int, tuple[int, int]]) -> None:
    """Sequence numbers have 64 bits."""
    parsed = mariadb(members)
    assert MariadbGtidSet.parse(str(parsed)) == parsed
    assert dict(parsed.members) == members
    assert bool(parsed) == bool(members)


@given(POSITIONS, POSITIONS)
def test_mariadb_position_covers_by_domain(
    ours: dict[int, tuple[int, int]], theirs: dict[int, tuple[int, int]]
) -> None:
    """Each domain is a stream of its own; the server id does not count."""
    expected = all(d in ours and ours[d][1] >= n for d, (_, n) in theirs.items())
    assert mariadb(ours).covers(mariadb(theirs)) == expected


@given(POSITIONS, st.integers(0, 3), st.integers(1, 9), st.integers(1, 2**64 - 1))
def test_mariadb_position_moves_one_domain(
    members: dict[int, tuple[int, int]], domain: int, server: int, sequence: int
) -> None:
    """The others stay."""
    assert dict(mariadb(members).add(domain, server, sequence).members) == {
        **members,
        domain: (server, sequence),
    }


@pytest.mark.parametrize("text", ["1-2", "1-2-3-4", "a-b-c", f"{A}:1-5", "1-2-3;1-2-4"])
def test_what_is_no_mariadb_position_is_refused(text: str) -> None:
    """A set of the other family among them."""
    with pytest.raises(ValueError, match="not a MariaDB GTID"):
        MariadbGtidSet.parse(text)


@given(st.integers(0, 2**40), st.integers(0, 2**32 - 1))
def test_offset_is_widened_past_every_four_gibibytes(previous: int, further: int) -> None:
    """`log_pos` has 32 bits; a file of one large transaction can be longer."""
    end = previous + further
    assert widen_offset(previous, end & 0xFFFFFFFF) == end


def test_positions_are_ordered_by_file_number_and_offset() -> None:
    """As text, binlog.1000000 would come before binlog.999999."""
    early, late = BinlogPosition("binlog.999999", 500), BinlogPosition("binlog.999999", 2**33)
    next_file = BinlogPosition("binlog.1000000", 4)
    assert sorted([next_file, late, early], key=BinlogPosition.order) == [early, late, next_file]
    assert next_file.reached(late)
    assert late.reached(late)
    assert not early.reached(late)


def test_file_number_is_the_last_part() -> None:
    """Names may hold dots."""
    assert file_number("db-1.example-bin.000042") == 42


@pytest.mark.parametrize("name", ["binlog", "binlog.", "binlog.00x1", ""])
def test_what_is_no_binlog_file_is_refused(name: str) -> None:
    """Rather than sorted anywhere."""
    with pytest.raises(ValueError, match="not a binlog file name"):
        file_number(name)


def test_position_is_shown_with_its_gtid_set() -> None:
    """For messages."""
    assert str(BinlogPosition("binlog.000001", 4)) == "binlog.000001:4"
    assert str(BinlogPosition("binlog.000001", 4, MariadbGtidSet())) == "binlog.000001:4"
    assert str(BinlogPosition("binlog.000001", 4, mariadb({0: (1, 2)}))) == "binlog.000001:4 0-1-2"
