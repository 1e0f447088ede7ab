"""Compressed transactions (MySQL), compressed events (MariaDB): the same changes as without compression."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from rowferry.binlog import BinlogReader
from rowferry.changes import Heartbeat, SchemaChange, Transaction
from rowferry.decode import compile_decoder
from rowferry.errors import StreamStopped
from rowferry.mysql_source import SourceServer, connect, describe_server, head_position
from rowferry.position import BinlogPosition
from rowferry.settings import SourceSettings
from rowferry_lab.servers import RunningServer, ServerSpec, SourceDatabase, fresh_source_database

if TYPE_CHECKING:
    from tests.conftest import GetServer

REPLICA_ID = 4_100_000
MYISAM = frozenset({"claim"})
WAYS = [
    ("mysql_9_7", "session"),
    ("mysql_9_7", "global"),
    ("mariadb_10_5", "global"),
    ("mariadb_10_11", "global"),
    ("mariadb_11_8", "global"),
]
each_way = pytest.mark.parametrize(("source", "way"), WAYS, indirect=["source"])

TABLES = (
    "CREATE TABLE patient (id bigint PRIMARY KEY, name varchar(200), note text) ENGINE=InnoDB",
    "CREATE TABLE visit (id bigint PRIMARY KEY, patient bigint, at datetime(6), fee decimal(10,2))"
    " ENGINE=InnoDB",
    "CREATE TABLE claim (id bigint PRIMARY KEY, state varchar(300)) ENGINE=MyISAM",
)
CHANGES = (
    "INSERT INTO patient VALUES (1, 'one', REPEAT('long ', 1000)), (2, 'two', NULL), (3, '', 'x')",
    "UPDATE patient SET name = CONCAT(name, REPEAT('y', 100))",
    "BEGIN",
    "INSERT INTO patient VALUES (4, 'four', REPEAT('n', 300))",
    "INSERT INTO visit VALUES (1, 4, '2024-02-29 12:34:56.789012', 12.50), (2, 4, NULL, -0.01)",
    "UPDATE patient SET id = id + 100 WHERE id = 2",
    "UPDATE visit SET fee = NULL WHERE id = 1",
    "DELETE FROM patient WHERE id = 3",
    "COMMIT",
    "BEGIN",
    "INSERT INTO patient VALUES (5, 'five', REPEAT('v', 300))",
    "SAVEPOINT s",
    "INSERT INTO patient VALUES (6, 'six', REPEAT('s', 300))",
    "ROLLBACK TO s",
    "INSERT INTO patient VALUES (7, 'seven', REPEAT('s', 300))",
    "COMMIT",
    "BEGIN",
    "INSERT INTO patient VALUES (8, 'eight', REPEAT('e', 300))",
    "ROLLBACK",
    "INSERT INTO claim VALUES (1, REPEAT('open', 60)), (2, 'sent')",
    "UPDATE claim SET state = 'paid'",
    "ALTER TABLE patient ADD COLUMN born date DEFAULT '2000-01-01'",
    "UPDATE patient SET born = '1970-01-01', note = NULL WHERE id < 100",
    "CREATE TABLE archive AS SELECT * FROM patient",
    "DELETE FROM patient WHERE id > 100",
    "TRUNCATE visit",
    "DROP TABLE archive",
)
MIXED = (
    "BEGIN",
    "INSERT INTO patient VALUES (20, 'kept', REPEAT('k', 300))",
    "INSERT INTO claim VALUES (20, REPEAT('k', 250))",
    "COMMIT",
    "BEGIN",
    "INSERT INTO patient VALUES (21, 'undone', REPEAT('u', 300))",
    "INSERT INTO claim VALUES (21, REPEAT('real', 60))",
    "ROLLBACK",
    "BEGIN",
    "INSERT INTO patient VALUES (22, 'first', REPEAT('f', 300))",
    "SAVEPOINT s",
    "INSERT INTO patient VALUES (23, 'undone', REPEAT('u', 300))",
    "INSERT INTO claim VALUES (23, REPEAT('real', 60))",
    "ROLLBACK TO s",
    "COMMIT",
)
Item = Transaction | SchemaChange


@dataclass(frozen=True)
class Stretch:
    """A stretch of a database's binlog, and what reading it gave."""

    database: SourceDatabase
    server: SourceServer
    start: BinlogPosition
    end: BinlogPosition
    items: list[Item]

    @property
    def kinds(self) -> dict[str, list[int]]:
        """Where the events of each kind end, as the server lists them."""
        found: dict[str, list[int]] = {}
        query = f"SHOW BINLOG EVENTS IN '{self.start.file}' FROM {self.start.offset}"
        for _, _, kind, _, end, _ in self.database.rows(query):
            found.setdefault(kind, []).append(end)
        return found


def read(
    database: SourceDatabase, server: SourceServer, start: BinlogPosition, end: BinlogPosition
) -> list[Item]:
    """Everything between two positions."""
    settings = SourceSettings(url=database.url)
    replica = REPLICA_ID + database.server.port
    reader = BinlogReader(settings, server, replica, start, lambda table: table.name not in MYISAM)
    items: list[Item] = []
    try:
        for item in reader:
            if not isinstance(item, Heartbeat):
                items.append(item)
            if (item.position if isinstance(item, Heartbeat) else item.end).reached(end):
                return items
    finally:
        reader.close()
    raise AssertionError("the stream ended")


@contextmanager
def compressing(database: SourceDatabase, way: str) -> Iterator[list[str]]:
    """Compression by that way ("off" for none); what a session must run for it."""
    if database.server.spec.product == "mysql":
        names = {"binlog_transaction_compression": "ON"}
    else:
        names = {"log_bin_compress": "ON", "log_bin_compress_min_len": "10"}
    if way != "global":
        yield [f"SET SESSION {name} = {value}" for name, value in names.items() if way == "session"]
        return
    before = {name: database.rows(f"SELECT @@GLOBAL.{name}")[0][0] for name in names}
    database.run(*(f"SET GLOBAL {name} = {value}" for name, value in names.items()))
    try:
        yield []
    finally:
        database.run(*(f"SET GLOBAL {name} = {value}" for name, value in before.items()))


def record(database: SourceDatabase, way: str, *statements: str, before: Sequence[str] = ()) -> Stretch:
    """Run statements in one session, and read what they wrote into the binlog."""
    with (
        compressing(database, way) as prepare,
        database.connect() as connection,
        connection.cursor() as cursor,
        connect(SourceSettings(url=database.url)) as control,
    ):
        server = describe_server(control)
        for statement in (*prepare, *before):
            cursor.execute(statement)
        start = head_position(control, server)
        for statement in statements:
            cursor.execute(statement)
        end = head_position(control, server)
    return Stretch(database, server, start, end, read(database, server, start, end))


def plain(item: Item, database: str) -> Any:
    """What an item says, without positions, times and the database's name."""
    if isinstance(item, SchemaChange):
        return item.statement.replace(database, "clinic")
    rows = [
        (e.layout.table.name, e.kind, e.complete, compile_decoder(e.layout).decode(e.data, e.start, e.end))
        for e in item.events
    ]
    return item.statement_names, rows


def content(stretch: Stretch) -> list[Any]:
    """What a stretch says."""
    return [plain(item, stretch.database.name) for item in stretch.items]


def assert_same(source: RunningServer, way: str, *statements: str, before: Sequence[str] = TABLES) -> Stretch:
    """Both ways, each in a database of its own, say the same; the stretch that is compressed."""
    with fresh_source_database(source) as database:
        expected = content(record(database, "off", *statements, before=before))
    with fresh_source_database(source) as database:
        found = record(database, way, *statements, before=before)
        assert content(found) == expected
        assert expected
        kinds = found.kinds
        assert {"Transaction_payload"} < set(kinds) or {"Write_rows_compressed_v1"} < set(kinds)
        assert_positions(found, kinds)
    return found


def assert_positions(stretch: Stretch, kinds: dict[str, list[int]]) -> None:
    """Every end is one that the server names, and reading on from there gives exactly what follows."""
    database, server, items = stretch.database, stretch.server, stretch.items
    assert items[-1].end == stretch.end
    ends = {end for found in kinds.values() for end in found}
    assert {item.end.offset for item in items} <= ends
    expected = content(stretch)
    followers = {item.end.offset: number + 1 for number, item in reversed(list(enumerate(items)))}
    by_offset = {item.end.offset: item.end for item in items}
    for offset, following in followers.items():
        for start in (by_offset[offset], replace(by_offset[offset], gtid_set=None)):
            rest = read(database, server, start, stretch.end)
            assert [plain(item, database.name) for item in rest] == expected[following:]
            assert [item.end.offset for item in rest] == [item.end.offset for item in items[following:]]


@each_way
def test_compressed_changes_are_the_same_as_plain_ones(source: RunningServer, way: str) -> None:
    """Several tables, both engines, savepoints, rollbacks and DDL between; every end can be begun at."""
    found = assert_same(source, way, *CHANGES)
    tables = [{e.layout.table.name for e in i.events} for i in found.items if isinstance(i, Transaction)]
    assert {"patient", "visit"} in tables
    assert {"claim"} in tables


@each_way
def test_each_kind_is_compressed(source: RunningServer, way: str) -> None:
    """The server's own list of events: the test above does not pass by nothing being compressed."""
    with fresh_source_database(source) as database:
        kinds = record(database, way, *CHANGES, before=TABLES).kinds
    if source.spec.product == "mysql":
        assert len(kinds["Transaction_payload"]) >= 6
        return
    rows = {"Write_rows_compressed_v1", "Update_rows_compressed_v1", "Delete_rows_compressed_v1"}
    assert rows | {"Query_compressed"} <= set(kinds)
    assert not {"Write_rows_v1", "Update_rows_v1", "Delete_rows_v1"} & set(kinds)


@pytest.mark.parametrize("source", ["mariadb_10_5", "mariadb_10_11", "mariadb_11_8"], indirect=True)
def test_groups_of_both_engines_are_the_same(source: RunningServer) -> None:
    """After a rollback the rows of MyISAM are real, those of InnoDB are not."""
    assert_what_is_real(assert_same(source, "global", *MIXED))


def assert_what_is_real(found: Stretch) -> None:
    """The rows of MIXED that are in the tables afterwards."""
    keys: dict[str, list[int]] = {"patient": [], "claim": []}
    for _, events in content(found):
        for table, _, _, rows in events:
            keys[table] += [row[0] for row in rows]
    assert keys == {"patient": [20, 22], "claim": [20, 21, 23]}


@pytest.mark.parametrize("way", ["session", "global"])
def test_groups_of_both_engines_are_the_same_without_gtids(get_server: GetServer, way: str) -> None:
    """MySQL leaves such groups as they are; with GTIDs it refuses them. Plain transactions are compressed."""
    options = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"]
    server = get_server(ServerSpec.parse("mysql:9.7"), options=options, name="without GTID")
    found = assert_same(server, way, *MIXED, CHANGES[0])
    assert not found.server.gtid
    assert_what_is_real(replace(found, items=found.items[:-1]))


ROWS = 200_000
DIGITS = "(SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5"
DIGITS += " UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)"
NUMBERS = (
    "SELECT a.d + 10*b.d + 100*c.d + 1000*d.d + 10000*e.d + 100000*f.d AS n"
    f" FROM {DIGITS} a, {DIGITS} b, {DIGITS} c, {DIGITS} d, {DIGITS} e, (SELECT 0 AS d UNION SELECT 1) f"
)
BIG = "CREATE TABLE big (id bigint PRIMARY KEY, v varchar(400) CHARACTER SET latin1) ENGINE=InnoDB"


@each_way
def test_a_transaction_of_200_000_rows_is_read_row_by_row(source: RunningServer, way: str) -> None:
    """More than 16 MB, which compress to a fraction; every row is what the server says."""
    with fresh_source_database(source) as database:
        fill = f"INSERT INTO big SELECT n, CONCAT(UUID(), REPEAT('abc', n % 60)) FROM ({NUMBERS}) x"
        found = record(database, way, fill, before=[BIG])
        (transaction,) = found.items
        assert isinstance(transaction, Transaction)
        assert transaction.size > 16 * 1024 * 1024
        assert found.end.offset - found.start.offset < transaction.size / 2
        rows = sorted(
            row
            for e in transaction.events
            for row in compile_decoder(e.layout).decode(e.data, e.start, e.end)
        )
        assert len(rows) == ROWS
        assert rows == [(n, v.encode()) for n, v in database.rows("SELECT id, v FROM big ORDER BY id")]


@pytest.mark.parametrize("level", [1, 22])
def test_every_level_of_compression_is_read(mysql_9_7: RunningServer, level: int) -> None:
    """The highest one looks back the furthest."""
    with fresh_source_database(mysql_9_7) as database:
        changes = f"INSERT INTO big SELECT n, REPEAT(SHA2(n, 512), 3) FROM ({NUMBERS}) x WHERE n < 5000"
        chosen = f"SET SESSION binlog_transaction_compression_level_zstd = {level}"
        (transaction,) = record(database, "session", changes, before=[BIG, chosen]).items
        assert isinstance(transaction, Transaction)
        rows = [
            r for e in transaction.events for r in compile_decoder(e.layout).decode(e.data, e.start, e.end)
        ]
        assert sorted(rows) == [(n, v.encode()) for n, v in database.rows("SELECT * FROM big ORDER BY id")]


def test_small_events_stay_plain_beside_compressed_ones(mariadb_10_5: RunningServer) -> None:
    """Below log_bin_compress_min_len; both in one transaction."""
    statements = (
        "SET GLOBAL log_bin_compress_min_len = 256",
        "BEGIN",
        "INSERT INTO patient VALUES (1, 'small', 'x')",
        "INSERT INTO patient VALUES (2, 'large', REPEAT('large', 200))",
        "UPDATE patient SET note = 'y' WHERE id = 1",
        "COMMIT",
    )
    with fresh_source_database(mariadb_10_5) as database:
        found = record(database, "global", *statements, before=TABLES)
        assert {"Write_rows_v1", "Write_rows_compressed_v1", "Update_rows_v1"} <= set(found.kinds)
        (transaction,) = found.items
        assert isinstance(transaction, Transaction)
        assert len(transaction.events) == 3


@each_way
def test_a_change_in_statement_format_is_still_seen(source: RunningServer, way: str) -> None:
    """MariaDB compresses the statement; MySQL leaves such a transaction as it is."""
    long = f"DELETE FROM patient WHERE note LIKE '{'long ' * 100}%'"
    with fresh_source_database(source) as database:
        statements = ("SET SESSION binlog_format = 'STATEMENT'", long, "SET SESSION binlog_format = 'ROW'")
        found = record(database, way, *statements, before=TABLES)
        (transaction,) = found.items
        assert isinstance(transaction, Transaction)
        assert "patient" in (transaction.statement_names or ())
        assert source.spec.product == "mysql" or "Query_compressed" in found.kinds


@each_way
def test_statements_that_explain_rows_do_no_harm(source: RunningServer, way: str) -> None:
    """Rows_query events inside of compressed transactions, Annotate_rows beside compressed events."""
    name = "binlog_rows_query_log_events" if source.spec.product == "mysql" else "binlog_annotate_row_events"
    found = assert_same(source, way, *CHANGES[:2], before=[*TABLES, f"SET SESSION {name} = ON"])
    assert len(found.items) == 2


@each_way
def test_compression_without_checksums_is_read(source: RunningServer, way: str) -> None:
    """The setting starts a new file of the binlog, with its own description."""
    with fresh_source_database(source) as database:
        statements = ("SET GLOBAL binlog_checksum = 'NONE'", CHANGES[0], CHANGES[1])
        try:
            found = record(database, way, *statements, before=TABLES)
        finally:
            database.run("SET GLOBAL binlog_checksum = 'CRC32'")
        assert found.end.file != found.start.file
        insert, update = (content(found)[n][1] for n in range(2))
        assert [len(rows) for _, _, _, rows in insert] == [3]
        assert sum(len(rows) for _, _, _, rows in update) == 6


XA = ("XA START 'x'", CHANGES[0], "XA END 'x'")


@each_way
@pytest.mark.parametrize("ends", [("XA PREPARE 'x'", "XA COMMIT 'x'"), ("XA COMMIT 'x' ONE PHASE",)])
def test_xa_is_treated_as_without_compression(source: RunningServer, way: str, ends: tuple[str, ...]) -> None:
    """MySQL compresses it whole, its XA START included; MariaDB writes one phase as a plain transaction."""
    statements = (*XA, *ends)
    if source.spec.product == "mariadb" and len(ends) == 1:
        assert_same(source, way, *statements)
        return
    with fresh_source_database(source) as database:
        for each in ("off", way):
            with pytest.raises(StreamStopped, match="an XA transaction"):
                record(
                    database,
                    each,
                    *statements,
                    before=[*TABLES] if each == "off" else ["DELETE FROM patient"],
                )
