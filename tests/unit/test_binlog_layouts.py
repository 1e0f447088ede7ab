"""What the reader of the binlog makes of a TABLE_MAP event that it cannot read: a problem of that table."""

from __future__ import annotations

import pytest

from rowferry.batch import make_route
from rowferry.binlog_events import TABLE_MAP, read_event
from rowferry.changes import TableLayout
from rowferry.dispatch import EventDispatcher
from rowferry.errors import TableStopped
from rowferry.mysql_source import SourceServer
from tests.unit.flow import position, table
from tests.unit.packets import event
from tests.unit.test_table_map import field, names, table_map

SERVER = SourceServer("mysql", (10, 0, 1), "10.0.1-log", "uuid", 1, gtid=True)


def layout_of(body: bytes) -> TableLayout:
    """The layout that the reader makes of an event's body."""
    data = event(TABLE_MAP, body)
    return EventDispatcher(SERVER, position(4), lambda _: True)._parse_table_map(
        read_event(data, 0, len(data))
    )


@pytest.mark.parametrize(
    ("body", "number"),
    [
        (table_map(b"\x03\xc8", b"", names("id", "name")), "type 200"),
        (table_map(b"\x03\x12", b"\x07", names("id", "name")), "type 18 with metadata 7"),
        (table_map(b"\x03\x03", b"", names("id", "name") + field(14, b"")), "kind 14"),
    ],
)
def test_what_is_not_known_stops_its_table_with_number_and_version(body: bytes, number: str) -> None:
    """Nothing else stops; whoever reads the message knows what to report."""
    layout = layout_of(body)
    assert layout.table == table().id
    assert number in layout.problem
    assert layout.problem.endswith("(server 10.0.1-log)")
    with pytest.raises(TableStopped, match=number) as caught:
        make_route(table(), layout)
    assert "10.0.1-log" in str(caught.value)


def test_what_is_known_is_no_problem() -> None:
    """The message is for the others."""
    layout = layout_of(table_map(b"\x03\x03", b"", names("id", "name")))
    assert [column.name for column in layout.columns] == ["id", "name"]
    assert not layout.problem
