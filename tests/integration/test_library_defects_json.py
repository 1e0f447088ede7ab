"""What python-mysql-replication 1.0.17 makes of MySQL's JSON where it is wrong, and that ours is right.

Each defect is shown to be still there: where one is mended, its row here falls.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from rowferry_lab.servers import RunningServer
from tests.integration.binlog_reading import catalogue, connected, events_of, from_binlog, run

pytestmark = pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)

MAKE = ("DROP TABLE IF EXISTS docs", "CREATE TABLE docs (id INT PRIMARY KEY, j JSON NOT NULL)")
DEFECTS: dict[str, tuple[str, Any]] = {
    "keys and strings are bytes": ("JSON_OBJECT('ü', 'é')", {"ü".encode(): "é".encode()}),
    "a time loses its sign": ("JSON_ARRAY(TIME'-01:00:00')", [dt.time(1)]),
    "a time of many hours fails": ("JSON_ARRAY(TIME'24:00:00')", ValueError),
    "a date becomes a date with a time": ("JSON_ARRAY(DATE'2024-01-02')", [dt.datetime(2024, 1, 2)]),
    "a zero date gets a time": ("JSON_ARRAY(CAST('0000-00-00' AS DATE))", ["0000-00-00 00:00:00"]),
    "a date that is partly zero fails": ("JSON_ARRAY(CAST('2024-00-10' AS DATE))", ValueError),
    "bytes that are no UTF-8 are dropped": ("JSON_ARRAY(X'41FF42')", ["AB"]),
    "bytes become a string that another value also has": ("JSON_ARRAY(X'4142')", ["AB"]),
    "JSON's null is the database's": ("CAST('null' AS JSON)", None),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_known_defects_of_the_library_are_not_ours(source: RunningServer, defect: str) -> None:
    """Ours is what the server prints."""
    expression, wrong = DEFECTS[defect]
    with connected(source) as connection:
        events = events_of(source, connection, *MAKE, f"INSERT INTO docs VALUES (1, {expression})")
        shown = [value for (value,) in run(connection, "SELECT j FROM docs")]
        assert from_binlog(events, catalogue(connection, "docs"))["j"].array.to_pylist() == shown
        if isinstance(wrong, type):
            with pytest.raises(wrong):
                _ = events[0].library.rows
        else:
            assert [row["values"]["j"] for row in events[0].library.rows] == [wrong]


def test_an_empty_value_is_null_to_the_server_and_nothing_to_the_library(source: RunningServer) -> None:
    """A NOT NULL column that an INSERT IGNORE gave no value."""
    with connected(source) as connection:
        events = events_of(source, connection, *MAKE, "INSERT IGNORE INTO docs VALUES (1, NULL)")
        assert events[0].rows == [(1, b"")]
        assert run(connection, "SELECT j, j IS NULL FROM docs") == [("null", 0)]
        assert from_binlog(events, catalogue(connection, "docs"))["j"].array.to_pylist() == ["null"]
        assert events[0].library.rows[0]["values"]["j"] is None


def test_a_timestamp_inside_json_is_bytes_to_the_library(source: RunningServer) -> None:
    """It comes into JSON from a column of that type alone."""
    statements = [
        *MAKE,
        "DROP TABLE IF EXISTS moments",
        "CREATE TABLE moments (t TIMESTAMP)",
        "INSERT INTO moments VALUES ('2024-01-01 00:00:00')",
        "INSERT INTO docs SELECT 1, JSON_ARRAY(t) FROM moments",
    ]
    with connected(source) as connection:
        *_, last = events_of(source, connection, *statements)
        found = from_binlog([last], catalogue(connection, "docs"))["j"].array.to_pylist()
        assert found == ['["2024-01-01 00:00:00.000000"]']
        assert last.library.rows[0]["values"]["j"] == ["\x00\x00\x00\x00\x00B\x19"]
