"""Values that python-mysql-replication 1.0.17 reads wrongly, each against the server's own word and ours.

They are why `test_decoder_property` makes some values alike and leaves others out. That the library is still
wrong is part of each test: a defect that is gone should be taken off the list. JSON's are elsewhere, and so
are BINARY's lost zeros and days that no month has (`test_decode_events`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest

from rowferry.mysql_catalog import read_tables
from rowferry.settings import TableSettings
from rowferry.table_schema import TableId
from rowferry_lab.servers import RunningServer
from tests.integration.binlog_reading import DATABASE, connected, events_of, from_binlog, run

MARIADB: Final = ("mariadb_10_5", "mariadb_10_11", "mariadb_11_8")
ALL: Final = (*MARIADB, "mysql_9_7")
OLD_FORMAT: Final = ("SET GLOBAL mysql56_temporal_format=OFF", "SET GLOBAL mysql56_temporal_format=ON")
HOUR: Final = dt.timedelta(hours=1)
SECOND: Final = dt.timedelta(seconds=1)
TICK: Final = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class Defect:
    """A value: what the library makes of it (or raises), what the server says, and what we read."""

    kind: str
    literal: str
    library: Any
    said: str
    ours: Any
    servers: Sequence[str] = ALL
    old_format: bool = False

    def __str__(self) -> str:
        """The test's name."""
        return f"{'old ' if self.old_format else ''}{self.kind} {self.literal}"


def text(charset: str) -> str:
    """A column of that character set."""
    return f"VARCHAR(9) CHARACTER SET {charset}"


DEFECTS: Final = [
    Defect("TIMESTAMP NULL", "0", dt.datetime(1970, 1, 1), "0000-00-00 00:00:00", None),
    Defect(
        "TIMESTAMP NULL", "0", dt.datetime(1970, 1, 1), "0000-00-00 00:00:00", None, MARIADB, old_format=True
    ),
    Defect(
        "TIMESTAMP NULL",
        "'2050-01-01 00:00:00'",
        dt.datetime(2050, 1, 1) - dt.timedelta(seconds=2**32),
        "2050-01-01 00:00:00",
        dt.datetime(2050, 1, 1),
        ("mariadb_11_8",),
    ),
    Defect("YEAR", "'0000'", 1900, "0000", 0),
    Defect(
        "TIME", "'-01:00:00'", dt.timedelta(hours=2**24 // 10**4 - 1, minutes=72, seconds=16), "-01:00:00",
        "-01:00:00", MARIADB, old_format=True,
    ),
    Defect("TIME(6)", "'-01:00:00.000001'", TICK - SECOND - HOUR, "-01:00:00.000001", "-01:00:00.000001"),
    Defect("VARBINARY(9)", "X''", "", "", b""),
    Defect("SET('b','a')", "''", None, "", ""),
    Defect("SET('b','a')", "'a,b'", {"a", "b"}, "b,a", "b,a"),
    Defect("ENUM('é') CHARACTER SET latin1", "1", "", "é", "é"),
    *(
        Defect(text("latin1"), f"X'{hole:02X}'", UnicodeDecodeError, chr(hole), chr(hole))
        for hole in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
    ),
    Defect(f"{text('ucs2')} COLLATE ucs2_bin", "'é'", b"\0\xe9", "é", "é"),
    Defect(text("ucs2"), "'é'", UnicodeDecodeError, "é", "é", ("mariadb_11_8",)),  # a collation new to it
    Defect(f"{text('utf16')} COLLATE utf16_bin", "'é'", "\ue900", "é", "é"),
    Defect(text("utf16le"), "'é'", b"\xe9\0", "é", "é"),
    Defect(text("utf32"), "'é'", UnicodeDecodeError, "é", "é"),
    Defect(text("sjis"), "X'815F'", "\uff3c", "\\", "\\"),
    Defect(text("hp8"), "'é'", b"\xc5", "é", "é"),
    Defect(text("dec8"), "'é'", b"\xe9", "é", "é"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "defect"),
    [
        pytest.param(server, defect, id=f"{server}-{defect}")
        for defect in DEFECTS
        for server in defect.servers
    ],
    indirect=["source"],
)
def test_what_the_library_reads_wrongly_is_read_as_the_server_says(
    source: RunningServer, defect: Defect
) -> None:
    """The oracle of our decoders has holes; here the server itself is asked."""
    create = f"CREATE TABLE defect (id INT PRIMARY KEY, v {defect.kind})"
    with connected(source) as connection:
        run(connection, "DROP TABLE IF EXISTS defect")
        run(connection, *((OLD_FORMAT[0], create, OLD_FORMAT[1]) if defect.old_format else (create,)))
        (event,) = events_of(source, connection, f"INSERT INTO defect VALUES (1, {defect.literal})")
        assert run(connection, "SELECT CAST(v AS CHAR) FROM defect") == [(defect.said,)]
        assert ours(connection, event) == defect.ours
        if isinstance(defect.library, type):
            with pytest.raises(defect.library):
                _ = event.library.rows
        else:
            assert repr(event.library.rows[0]["values"]["v"]) in spellings(defect.library)


def ours(connection: Any, event: Any) -> Any:
    """Our value; an instant without its time zone."""
    columns = read_tables(connection, DATABASE, TableSettings())[TableId(DATABASE, "defect")].columns
    (value,) = from_binlog([event], columns)["v"].array.to_pylist()
    return value.replace(tzinfo=None) if isinstance(value, dt.datetime) else value


def spellings(value: Any) -> set[str]:
    """A value in the ways that Python may write it: a set has no order."""
    if isinstance(value, set):
        return {repr(set(order)) for order in (sorted(value), sorted(value, reverse=True))} | {repr(value)}
    return {repr(value)}


def test_partly_zero_dates_are_counted(source: RunningServer) -> None:
    """To the library they are NULL, as NULL is; we say how many there were."""
    create = "CREATE TABLE defect (id INT PRIMARY KEY, a DATE, b DATETIME(3))"
    with connected(source) as connection:
        run(connection, "DROP TABLE IF EXISTS defect", create)
        (event,) = events_of(
            source,
            connection,
            "INSERT INTO defect VALUES (1, '2024-00-10', '2024-05-00 10:00:00'), (2, NULL, NULL)",
        )
        assert [row["values"]["a"] for row in event.library.rows] == [None, None]
        columns = read_tables(connection, DATABASE, TableSettings())[TableId(DATABASE, "defect")].columns
        found = from_binlog([event], columns)
        assert (found["a"].zero_dates, found["b"].zero_dates) == (1, 1)
