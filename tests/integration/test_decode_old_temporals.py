"""Temporal columns in the storage before MySQL 5.6, fractions included, against the server's own words.

MariaDB makes such columns under mysql56_temporal_format=OFF. The binlog does not tell their digits: the
layouts of `events_of` are completed with the catalogue, as `make_route` completes them.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from rowferry.batch import make_route
from rowferry.convert import LayoutMismatch, binlog_converter
from rowferry.decode import DecodeError, compile_decoder
from rowferry.table_schema import TableId, TableSchema
from rowferry.temporal_hires import with_catalogue
from rowferry_lab.servers import RunningServer
from tests.integration.binlog_reading import (
    DATABASE,
    SeenEvent,
    catalogue,
    connected,
    events_of,
    from_binlog,
    from_select,
    own_events_of,
    run,
)
from tests.integration.test_decode_oracle import (
    AS_MOMENT,
    MARIADB,
    Case,
    fill,
    quoted,
    same_both_ways,
    server_version,
    shown,
)

FAMILIES = ("TIME", "DATETIME", "TIMESTAMP")
OLD_CODES = {"TIME": 11, "DATETIME": 12, "TIMESTAMP": 7}
NEW_CODES = {"TIME": 19, "DATETIME": 18, "TIMESTAMP": 17}


@contextmanager
def old_format(connection: Any) -> Iterator[None]:
    """Tables made meanwhile store times as before MySQL 5.6."""
    run(connection, "SET GLOBAL mysql56_temporal_format=OFF")
    try:
        yield
    finally:
        run(connection, "SET GLOBAL mysql56_temporal_format=ON")


def make_old(connection: Any, *statements: str) -> None:
    """Run statements that make old columns."""
    with old_format(connection):
        run(connection, *statements)


def limits(family: str, digits: int) -> Case:
    """The limits of a type, what is nearly zero, and what is no date."""
    nines, least = "9" * digits, "0" * (digits - 1) + "1"
    tail, small = (f".{nines}", f".{least}") if digits else ("", "")
    if family == "TIME":
        texts = [
            f"-838:59:59{tail}", f"838:59:59{tail}", "-838:59:59", "838:59:59", f"-00:00:00{tail}",
            f"-00:00:00{small}", f"00:00:00{small}", f"-00:00:01{small}", f"-100:00:00{small}", "99:59:59",
            f"-00:59:59{tail}", f"10:11:12{small}", "00:00:00", "-01:00:00", "838:59:59.999999",
        ]  # fmt: skip
        return Case(f"TIME({digits})", quoted(*texts))
    if family == "TIMESTAMP":
        texts = [
            f"1970-01-01 00:00:01{small}", f"2038-01-19 03:14:07{tail}", "0000-00-00 00:00:00",
            "1970-01-01 00:00:01.000001", f"2024-02-29 12:00:00{small}", f"1999-12-31 23:59:59{tail}",
        ]  # fmt: skip
        return Case(f"TIMESTAMP({digits}) NULL", quoted(*texts), AS_MOMENT)
    texts = [
        "0001-01-01 00:00:00", f"0001-01-01 00:00:00{small}", f"9999-12-31 23:59:59{tail}",
        "0000-00-00 00:00:00", f"0000-00-00 00:00:00{small}", "2024-00-10 01:02:03",
        f"2024-05-00 01:02:03{tail}",
        "0000-01-01 00:00:00", f"1969-12-31 23:59:59{tail}", "1970-01-01 00:00:00",
        f"2024-02-29 12:34:56{small}",
        "9999-12-31 23:59:59.999999",
    ]  # fmt: skip
    return Case(f"DATETIME({digits})", quoted(*texts), AS_MOMENT)


LIMITS = [limits(family, digits) for digits in range(7) for family in FAMILIES]
LIMITS.append(Case("DATE", quoted("0001-01-01", "9999-12-31", "0000-00-00", "2024-00-10"), AS_MOMENT))


def agree_with_the_server(source: RunningServer, connection: Any, cases: list[Case], engine: str) -> None:
    """Both ways in are equal, and hold what the server says."""
    drop, create, *inserts = fill(cases, "old", engine)
    make_old(connection, drop, create)
    arrays = same_both_ways(source, connection, "old", inserts)
    asked = ", ".join(case.rendering.format(c=f"c{i}") for i, case in enumerate(cases))
    truth = run(connection, f"SELECT {asked} FROM old ORDER BY id")
    for index, case in enumerate(cases):
        held = [shown(value) for value in arrays[f"c{index}"].to_pylist()]
        assert held == [row[index] for row in truth], case.kind


@MARIADB
@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM", "Aria"])
def test_limits_of_every_number_of_digits(source: RunningServer, engine: str) -> None:
    """All families with 0 to 6 digits in one row, so that a wrong size would shift all that follow."""
    with connected(source) as connection:
        agree_with_the_server(source, connection, LIMITS, engine.replace("Aria", "Aria TRANSACTIONAL=1"))
        insert = "INSERT INTO old (id) VALUES (1000)"
        columns = events_of(source, connection, insert)[0].layout.columns[1:]
        assert [column.type_code for column in columns] == [*map(OLD_CODES.get, FAMILIES)] * 7 + [10]
        assert [column.metadata for column in columns] == [n // 3 for n in range(21)] + [0]


@MARIADB
def test_random_values_of_every_number_of_digits(source: RunningServer) -> None:
    """No value is special: each digit, sign and field counts."""
    pick = random.Random(1)

    def clock(hours: int) -> str:
        whole = f"{pick.randrange(hours):02}:{pick.randrange(60):02}:{pick.randrange(60):02}"
        return f"{whole}.{pick.randrange(10**6):06}"

    def day(first: int, last: int) -> str:
        return dt.date.fromordinal(pick.randint(first, last)).isoformat()

    newest = dt.date(2038, 1, 18).toordinal()
    makers: dict[str, Callable[[], str]] = {
        "TIME": lambda: pick.choice(["", "-"]) + clock(838),
        "DATETIME": lambda: f"{day(1, dt.date.max.toordinal())} {clock(24)}",
        "TIMESTAMP": lambda: f"{day(dt.date(1970, 1, 2).toordinal(), newest)} {clock(24)}",
    }
    cases = [
        Case(f"{family}({digits}) NULL", quoted(*(makers[family]() for _ in range(150))), rendering)
        for family, rendering in zip(FAMILIES, ("CAST({c} AS CHAR)", AS_MOMENT, AS_MOMENT), strict=True)
        for digits in range(7)
    ]
    with connected(source) as connection:
        agree_with_the_server(source, connection, cases, "InnoDB")


@MARIADB
def test_the_edges_of_timestamp(source: RunningServer) -> None:
    """Parts of a second after 1970 are no zero date; 11.5 and later reach 2106."""
    with connected(source) as connection:
        kinds = ", ".join(f"s{n} TIMESTAMP({n}) NULL" for n in range(1, 7))
        make_old(connection, "DROP TABLE IF EXISTS edge", f"CREATE TABLE edge (id INT PRIMARY KEY, {kinds})")
        early, late = "'1970-01-01 00:00:00.999999'", "'2106-02-07 06:28:15.999999'"
        rows = [f"({i}, {', '.join([value] * 6)})" for i, value in enumerate((early, late))]
        arrays = same_both_ways(source, connection, "edge", ["INSERT INTO edge VALUES " + ", ".join(rows)])
        asked = ", ".join(AS_MOMENT.format(c=f"s{n}") for n in range(1, 7))
        truth = run(connection, f"SELECT {asked} FROM edge ORDER BY id")
        held = [[shown(v) for v in arrays[f"s{n}"].to_pylist()] for n in range(1, 7)]
        assert held == [list(column) for column in zip(*truth, strict=True)]
        if server_version(connection) >= (11, 5):
            assert held[0][1] == "2106-02-07 06:28:15.900000"


@MARIADB
def test_days_that_no_month_has_become_null(source: RunningServer) -> None:
    """2024-02-31 is stored as it was given."""
    with connected(source) as connection:
        make_old(connection, "CREATE TABLE no_days (id INT PRIMARY KEY, d DATETIME(3))")
        run(connection, "SET sql_mode='ALLOW_INVALID_DATES'")
        insert = "INSERT INTO no_days VALUES (1, '2024-02-31 10:00:00.5'), (2, '2024-02-29 10:00:00.5')"
        arrays = same_both_ways(source, connection, "no_days", [insert])
        assert arrays["d"].to_pylist() == [None, dt.datetime(2024, 2, 29, 10, 0, 0, 500000)]


def rows_of(events: list[SeenEvent], connection: Any, table: str) -> list[tuple[Any, ...]]:
    """All images as plain values."""
    columns = from_binlog(events, catalogue(connection, table))
    return list(zip(*(converted.array.to_pylist() for converted in columns.values()), strict=True))


@MARIADB
def test_updates_and_deletes_of_old_columns(source: RunningServer) -> None:
    """Both images of an update, and a key that is a TIME with a fraction."""
    with connected(source) as connection:
        create = "CREATE TABLE moved (t TIME(4), d DATETIME(2), s TIMESTAMP(5) NULL, PRIMARY KEY (t))"
        make_old(connection, "DROP TABLE IF EXISTS moved", create)
        run(connection, "INSERT INTO moved VALUES ('-00:00:00.5', '2024-01-02 03:04:05.67', NULL)")
        moment = dt.datetime(2024, 1, 2, 3, 4, 5, 670000)
        stamp = dt.datetime(2001, 2, 3, 4, 5, 6, 789010, tzinfo=dt.UTC)
        update = "UPDATE moved SET t = '12:00:00.0001', s = '2001-02-03 04:05:06.78901'"
        before, after = rows_of(events_of(source, connection, update), connection, "moved")
        assert before == ("-00:00:00.5000", moment, None)
        assert after == ("12:00:00.0001", moment, stamp)
        deleted = rows_of(events_of(source, connection, "DELETE FROM moved"), connection, "moved")
        assert deleted == [after]


@MARIADB
def test_a_table_that_moves_to_the_new_storage_and_back(source: RunningServer) -> None:
    """With every ALTER TABLE the server moves all columns to the storage of the day; no table is mixed.

    Rows written before and after are read with one catalogue, which never changes.
    """
    kinds = [(family, digits) for family in FAMILIES for digits in (0, 1, 3, 6)]
    columns = ", ".join(f"c{i} {family}({digits}) NULL" for i, (family, digits) in enumerate(kinds))
    values = {"TIME": "-12:34:56.789012", "DATETIME": "0001-01-01", "TIMESTAMP": "1970-01-01 00:00:01.000001"}
    row = ", ".join(quoted(*(values[family] for family, _ in kinds)))
    with connected(source) as connection:
        create = f"CREATE TABLE moving (id INT PRIMARY KEY, {columns}, y YEAR, a DATE)"
        make_old(connection, "DROP TABLE IF EXISTS moving", create)
        inserts = [f"INSERT INTO moving VALUES ({n}, {row}, 2155, '2024-02-29')" for n in range(3)]
        (first,) = events_of(source, connection, inserts[0])
        (second,) = events_of(source, connection, "ALTER TABLE moving ADD INDEX (c0)", inserts[1])
        make_old(connection, "ALTER TABLE moving ADD INDEX (c1)")
        (third,) = events_of(source, connection, inserts[2])
        for event, known in ((first, OLD_CODES), (second, NEW_CODES), (third, OLD_CODES)):
            codes = [column.type_code for column in event.layout.columns]
            assert codes == [3, *(known[family] for family, _ in kinds), 13, 10]
        assert first.rows[0][1:] == third.rows[0][1:]
        columns_now = [column for column in catalogue(connection, "moving") if column.name != "y"]
        select = from_select(connection, "moving", columns_now)
        for place, event in enumerate((first, second, third)):
            year = len(event.layout.columns) - 2
            assert event.rows[0][year] == 2155 - 1900
            for index, wire in enumerate(event.layout.columns):
                if index != year:
                    column = next(c for c in columns_now if c.name == wire.name)
                    ours = binlog_converter(wire, column)([event.rows[0][index]])
                    assert ours.array.equals(select[wire.name].array.slice(place, 1)), wire.name


def schema_of(connection: Any, table: str, **fractions: int) -> TableSchema:
    """The table as the catalogue has it, but for the digits of some columns."""
    columns = []
    for column in catalogue(connection, table):
        fraction = fractions.get(column.name, column.type.fraction)
        columns.append(replace(column, type=replace(column.type, fraction=fraction)))
    return TableSchema(TableId(DATABASE, table), tuple(columns), ("id",))


@MARIADB
def test_a_route_reads_what_the_stream_does_not_tell(source: RunningServer) -> None:
    """The way of the daemon: the stream's own layout, and the table that the book knows."""
    with connected(source) as connection:
        create = "CREATE TABLE routed (id INT PRIMARY KEY, t TIME(3), d DATETIME(6), s TIMESTAMP(2) NULL)"
        make_old(connection, "DROP TABLE IF EXISTS routed", create)
        values = "(1, '-00:00:00.001', '9999-12-31 23:59:59.999999', '2001-02-03 04:05:06.78')"
        (event,) = own_events_of(source, connection, f"INSERT INTO routed VALUES {values}")
        bare = replace(event.layout, columns=tuple(replace(c, metadata=0) for c in event.layout.columns))
        route = make_route(schema_of(connection, "routed"), bare)
        assert route.layout is bare
        assert route.decoder.decode(event.data, event.header.start, event.end) == event.rows
        pairs = zip(route.form.converters, event.rows[0], strict=True)
        converted = [convert([value]).array[0].as_py() for convert, value in pairs]
        stamp = dt.datetime(2001, 2, 3, 4, 5, 6, 780000, tzinfo=dt.UTC)
        assert converted == [1, "-00:00:00.001", dt.datetime.max, stamp]


@MARIADB
@pytest.mark.parametrize(
    ("family", "others"), [("TIME", (0, 2, 6)), ("DATETIME", (0, 2, 6)), ("TIMESTAMP", (0, 2, 5))]
)
def test_rows_of_another_size_than_the_catalogue_s_are_refused(
    source: RunningServer, family: str, others: tuple[int, ...]
) -> None:
    """The catalogue is ahead of the stream: an image that does not end at the event's end is not guessed."""
    with connected(source) as connection:
        create = f"CREATE TABLE other (id INT PRIMARY KEY, v {family}(3) NULL)"
        make_old(connection, "DROP TABLE IF EXISTS other", create)
        (event,) = events_of(source, connection, "INSERT INTO other VALUES (1, '2024-01-01 01:02:03.5')")
        for digits in others:
            layout = with_catalogue(event.layout, schema_of(connection, "other", v=digits).columns)
            with pytest.raises(DecodeError):
                compile_decoder(layout).decode(event.data, event.header.start, event.end)


def test_a_fraction_that_nobody_added_is_refused(mariadb_10_5: RunningServer) -> None:
    """The stream's own layout, not completed, fits no column with a fraction."""
    with connected(mariadb_10_5) as connection:
        make_old(connection, "CREATE TABLE bare (id INT PRIMARY KEY, v TIME(3))")
        (event,) = events_of(mariadb_10_5, connection, "INSERT INTO bare VALUES (1, '01:02:03')")
        wire = replace(event.layout.columns[1], metadata=0)
        with pytest.raises(LayoutMismatch, match="fractional digits"):
            binlog_converter(wire, catalogue(connection, "bare")[1])
