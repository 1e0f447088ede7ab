"""How much binlog is still to be read, and how long it is kept: the arithmetic."""

from __future__ import annotations

import math

import pytest

from rowferry.position import BinlogPosition
from rowferry.retention import BinlogFile, Retention, backlog_bytes, headroom_seconds, read_retention

FILES = [BinlogFile("b.1", 100), BinlogFile("b.2", 200), BinlogFile("b.3", 50)]


def headroom(retention: Retention, file: str, clock: float, changed: float | None = 1_000.0) -> float:
    """Files were begun at 900."""
    return headroom_seconds(retention, FILES, file, clock, lambda _: 900.0, lambda _, __: changed)


def at(file: str, offset: int) -> BinlogPosition:
    """A place without GTIDs."""
    return BinlogPosition(file, offset, None, "one")


@pytest.mark.parametrize(
    ("variables", "seconds", "size"),
    [
        ({"expire_logs_days": "0"}, math.inf, math.inf),
        ({"expire_logs_days": "2"}, 172_800.0, math.inf),
        ({"expire_logs_days": "0.000093", "binlog_expire_logs_seconds": "8"}, 8.0, math.inf),
        ({"binlog_expire_logs_seconds": "8", "binlog_expire_logs_auto_purge": "OFF"}, math.inf, math.inf),
        ({"binlog_expire_logs_seconds": "8", "binlog_expire_logs_auto_purge": "ON"}, 8.0, math.inf),
        ({"max_binlog_total_size": "500", "binlog_expire_logs_seconds": "0"}, math.inf, 500.0),
    ],
)
def test_each_family_s_settings_are_read(variables: dict[str, str], seconds: float, size: float) -> None:
    """0 means: for ever."""
    assert read_retention(variables) == Retention(seconds, size)


def test_the_backlog_is_counted_over_all_files() -> None:
    """Not known where the position's file is gone."""
    assert backlog_bytes([], at("b.3", 20), at("b.3", 50)) == 30
    assert backlog_bytes(FILES, at("b.1", 90), at("b.3", 50)) == 10 + 200 + 50
    assert math.isnan(backlog_bytes(FILES, at("b.0", 90), at("b.3", 50)))


def test_a_file_is_kept_from_its_last_change_on() -> None:
    """The newest one cannot be purged before it is followed; so all of the time is left."""
    kept = Retention(100.0, math.inf)
    assert headroom(kept, "b.3", 5_000.0) == 100.0
    assert headroom(kept, "b.1", 1_030.0) == 70.0
    assert headroom(kept, "b.1", 2_000.0) == 0.0
    assert headroom(kept, "b.0", 0.0) == 0.0
    assert math.isnan(headroom(kept, "b.1", 1_030.0, None))
    assert math.isinf(headroom(Retention(math.inf, math.inf), "b.1", 1_030.0))


def test_a_limit_on_all_files_is_reached_at_the_speed_so_far() -> None:
    """250 bytes came in 100 seconds, 250 are left; the earlier of both limits counts."""
    assert headroom(Retention(math.inf, 500.0), "b.2", 1_000.0) == 100.0
    assert headroom(Retention(30.0, 500.0), "b.2", 1_000.0) == 30.0
    assert headroom(Retention(math.inf, 250.0), "b.2", 1_000.0) == 0.0
