"""What `status --wait-for` takes for a position, and when it counts as reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rowferry.errors import UsageError
from rowferry.position import MariadbGtidSet, MysqlGtidSet
from rowferry.waiting import Target, is_reached, parse_target
from tests.unit.flow import position

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


@pytest.mark.parametrize("text", ["binlog.000003:4711", "mysql-bin.000003:4", "my.host-bin.1000001:4711"])
def test_a_file_and_an_offset(text: str) -> None:
    """The name is everything in front of the offset."""
    place = parse_target(text).position
    assert place is not None
    assert f"{place.file}:{place.offset}" == text
    assert place.identity == ""


def test_a_gtid_of_either_family() -> None:
    """One transaction or a set of them."""
    assert parse_target(f"{UUID}:7").gtids == MysqlGtidSet.parse(f"{UUID}:7")
    assert parse_target(f"{UUID.upper()}:1-5,{UUID}:9").gtids == MysqlGtidSet.parse(f"{UUID}:1-5:9")
    assert parse_target("0-1-5").gtids == MariadbGtidSet.parse("0-1-5")
    assert parse_target("0-1-5,2-1-9").gtids == MariadbGtidSet.parse("0-1-5,2-1-9")


WRONG = (
    "",
    " ",
    ",",
    "soon",
    "NOW",
    "4711",
    "binlog:4711",
    "binlog.000003",
    "binlog.000003:-1",
    "0-1",
    f"{UUID}",
)


@pytest.mark.parametrize("text", WRONG)
def test_anything_else_is_a_usage_error(text: str) -> None:
    """Which says what there is."""
    with pytest.raises(UsageError, match="write now, FILE:OFFSET"):
        parse_target(text)


def test_a_place_is_reached_at_it_and_past_it() -> None:
    """By the file's number first."""
    target = parse_target("binlog.000002:500")
    assert not is_reached(target, position(9_999, file=1))
    assert not is_reached(target, position(499, file=2))
    assert is_reached(target, position(500, file=2))
    assert is_reached(target, position(4, file=3))


def test_a_place_in_files_of_another_name_is_a_mistake() -> None:
    """It would never be reached, or too early."""
    with pytest.raises(UsageError, match=r"names like binlog\.000001"):
        is_reached(parse_target("mysql-bin.000001:4"), position(500))


def test_a_transaction_is_reached_when_the_checkpoint_holds_it() -> None:
    """MySQL counts each one, MariaDB the last of each domain."""
    mysql = position(4, gtid_set=MysqlGtidSet.parse(f"{UUID}:1-5:9"))
    for number, there in ((5, True), (6, False), (9, True), (10, False)):
        assert is_reached(parse_target(f"{UUID}:{number}"), mysql) is there
    mariadb = position(4, gtid_set=MariadbGtidSet.parse("0-1-5"))
    for text, there in (("0-1-5", True), ("0-2-4", True), ("0-1-6", False), ("1-1-1", False)):
        assert is_reached(parse_target(text), mariadb) is there


def test_a_transaction_of_the_other_family_is_a_mistake() -> None:
    """And so is any, where the source has no GTIDs."""
    with pytest.raises(UsageError, match="look like 0-1-5"):
        is_reached(parse_target(f"{UUID}:5"), position(4, gtid_set=MariadbGtidSet.parse("0-1-5")))
    with pytest.raises(UsageError, match="has no GTIDs"):
        is_reached(parse_target("0-1-5"), position(4))


def test_the_head_of_another_server_is_reached_by_its_transactions_only() -> None:
    """Files of two servers cannot be compared; without GTIDs nothing can."""
    head = replace(position(4, file=9, gtid_set=MariadbGtidSet.parse("0-2-7")), identity="other")
    target = Target("now", position=head)
    assert is_reached(target, position(4, gtid_set=MariadbGtidSet.parse("0-2-7")))
    assert not is_reached(target, position(4, file=10, gtid_set=MariadbGtidSet.parse("0-1-6")))
    assert not is_reached(Target("now", position=replace(head, gtid_set=None)), position(4, file=10))


def test_a_forgotten_position_has_reached_nothing() -> None:
    """`resync --all` forgets the place, and leaves the GTIDs of before."""
    forgotten = replace(position(0, gtid_set=MariadbGtidSet.parse("0-1-5")), file="")
    for text in ("0-1-5", "binlog.000001:0"):
        assert not is_reached(parse_target(text), forgotten)
