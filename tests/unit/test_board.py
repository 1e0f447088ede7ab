"""The board: what it is told of becomes numbers."""

from __future__ import annotations

from rowferry.board import Board
from rowferry.errors import StreamStopped, Unreachable
from tests.unit.test_metrics import new, value


def test_an_unknown_event_is_counted_by_its_type() -> None:
    """Only where that is why the stream stopped."""
    board = Board(new(), "clinic", "raw")
    board.failed(StreamStopped("read the binlog", reason="a checksum is wrong"))
    board.failed(Unreachable("source", "read the binlog"))
    assert value(board.metrics, "unknown_events_total", type="99") is None
    board.failed(StreamStopped("read the binlog", reason="an unknown event", unknown_event=99))
    assert value(board.metrics, "unknown_events_total", type="99") == 1
    assert value(board.metrics, "unknown_events_total", type="0") == 0
    assert value(board.metrics, "errors_total", stage="load", kind="stream") == 2
