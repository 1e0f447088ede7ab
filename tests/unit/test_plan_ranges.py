"""How a table is cut into ranges of its key."""

from __future__ import annotations

from typing import Any, cast

import pytest

from rowferry import copy_read
from rowferry.batch import KeyRange
from rowferry.chunk_sql import encode_key
from rowferry.copy_read import MIN_RANGE_ROWS, plan_ranges
from rowferry.table_schema import Column, ColumnType, TableId, TableSchema

TABLE = TableSchema(TableId("clinic", "t"), (Column("id", ColumnType("int"), nullable=False),), ("id",))


def planned(monkeypatch: pytest.MonkeyPatch, least: bytes | None, greatest: bytes | None) -> Any:
    """The ranges of a table of three times the least size, whose bounds are these."""
    monkeypatch.setattr(copy_read, "query", lambda *_: [(least, greatest)])
    return plan_ranges(cast("Any", None), TABLE, 3 * MIN_RANGE_ROWS, 3)


def test_ranges_hold_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each begins where the one before it ends; the first and the last one have no end."""
    cuts = [encode_key([text]) for text in (b"-1", b"2")]
    expected = (KeyRange(None, cuts[0]), KeyRange(cuts[0], cuts[1]), KeyRange(cuts[1], None))
    assert planned(monkeypatch, b"-4", b"5") == expected


@pytest.mark.parametrize("bounds", [(None, None), (b"", b"k9"), (b"7", b"caf\xe9"), (b"1.5", b"3")])
def test_a_key_that_has_just_got_another_type_is_one_range(
    monkeypatch: pytest.MonkeyPatch, bounds: tuple[bytes | None, bytes | None]
) -> None:
    """The stream will tell of the change soon, and then the copy begins anew."""
    assert planned(monkeypatch, *bounds) == (KeyRange(),)
