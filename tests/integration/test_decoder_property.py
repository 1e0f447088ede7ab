"""The compiled decoders and converters against the library's own rows, on tables made by chance.

Where the library is known to be wrong, the two are made alike for the comparison (`in_the_librarys_form`),
or such values are not generated; each such defect has a test of its own below.
"""

from __future__ import annotations

import datetime as dt
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from hypothesis import given

from rowferry.mysql_catalog import read_tables
from rowferry.settings import TableSettings
from rowferry.table_schema import Column, TableId
from rowferry_lab.servers import RunningServer
from tests.generated.examples import examples, server_of
from tests.generated.tables import SESSION, Table, quoted, run_all, shown_on_failure, tables
from tests.integration.binlog_reading import (
    DATABASE,
    SeenEvent,
    connected,
    events_since,
    from_binlog,
    head,
    run,
)

COMPARED: Final = frozenset(
    {"integer", "decimal", "float", "simple_text", "binary", "simple_temporal", "zero_date", "bit", "year",
     "simple_enum", "simple_set", "geometry"}
)  # fmt: skip
EPOCH: Final = dt.datetime(1970, 1, 1)
YEAR_ZERO_OF_THE_LIBRARY: Final = 1900
HAS_SRID: Final = 0x20000000


def test_generated_tables_decode_as_the_library_decodes_them(source: RunningServer) -> None:
    """Two decoders that share nothing agree on every image of inserts, updates and deletes."""
    server = server_of(source)
    early = replace(server, version=min(server.version, (11, 4)))  # the library's TIMESTAMP ends in 2038

    @examples(30)
    @given(tables(early, COMPARED, count=3))
    def check(made: list[Table]) -> None:
        statements = [s for table in made for s in (*table.create, *table.first)]
        statements += [s for table in made for group in table.later for s in group]
        with shown_on_failure(statements), connected(source) as connection:
            run(connection, f"DROP DATABASE {DATABASE}", f"CREATE DATABASE {DATABASE}", f"USE {DATABASE}")
            file, position = head(connection)
            run_all(connection, [*SESSION, *statements])
            events = events_since(source, connection, file, position)
            for table in made:
                seen = [event for event in events if event.layout.table.name == table.name]
                if seen:
                    assert_same(seen, connection, table.name)
                else:  # every statement met a key that was there
                    assert run(connection, f"SELECT COUNT(*) FROM {quoted(table.name)}") == [(0,)]

    check()


def assert_same(events: Sequence[SeenEvent], connection: Any, table: str) -> None:
    """Every image of a table's events holds what the library says."""
    columns = read_tables(connection, DATABASE, TableSettings())[TableId(DATABASE, table)].columns
    ours = from_binlog(events, columns)
    theirs = [image for event in events for row in event.library.rows for image in images(row)]
    for column in columns:
        held = [in_the_librarys_form(column, value) for value in ours[column.name].array.to_pylist()]
        assert held == [comparable(column, image[column.name]) for image in theirs], column


def images(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The images of a row of the library, before and after where it has both."""
    yield from (row[name] for name in ("values", "before_values", "after_values") if name in row)


def comparable(column: Column, value: Any) -> Any:
    """A value of the library in a form with ==, without what our values cannot show.

    To it TIMESTAMP 0 is an instant in 1970, and no bytes are a text.
    """
    if column.type.base == "timestamp" and value == EPOCH:
        return None
    if value == "" and ("bin" in column.type.base or "blob" in column.type.base):
        return b""
    return bits(value) if isinstance(value, float) else value


def bits(value: float) -> bytes:
    """What tells 0.0 from -0.0."""
    return struct.pack(">d", value)


def in_the_librarys_form(column: Column, value: Any) -> Any:
    """A value of ours as the library has it, with its defects: see `comparable` and the tests below."""
    base = column.type.base
    if base == "set":
        return set(value.split(",")) if value else None
    match value:
        case bool():
            return str(int(value))
        case float():
            return bits(value)
        case dt.datetime():
            return value.replace(tzinfo=None)
        case bytes() if "blob" not in base and base != "varbinary":
            return value.rstrip(b"\0") if base == "binary" else stored_geometry(value)
        case str() if base == "time":
            return duration(value)
        case 0 if base == "year":
            return YEAR_ZERO_OF_THE_LIBRARY
    return value


def duration(text: str) -> dt.timedelta:
    """A time of ours."""
    found = re.fullmatch(r"(-?)(\d+):(\d+):(\d+)(?:\.(\d+))?", text)
    assert found
    sign, hours, minutes, seconds, fraction = found.groups()
    micros = int((fraction or "").ljust(6, "0"))
    length = dt.timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds), microseconds=micros)
    return -length if sign else length


def stored_geometry(ewkb: bytes) -> bytes:
    """The server's own storage of a shape, which is what the library gives: SRID in front, then WKB."""
    kind = int.from_bytes(ewkb[1:5], "little")
    if not kind & HAS_SRID:
        return bytes(4) + ewkb
    return ewkb[5:9] + ewkb[:1] + (kind & ~HAS_SRID).to_bytes(4, "little") + ewkb[9:]
