"""Packets to whole transactions, without a connection: compressed or not, and nothing passed over."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.binlog_events import HARMLESS, NEVER_INSIDE_PAYLOAD, PLAIN_ROWS, READ, REFUSED
from rowferry.changes import Heartbeat, RowKind, SchemaChange, Transaction
from rowferry.decode import compile_decoder
from rowferry.dispatch import EventDispatcher, StreamItem
from rowferry.errors import StreamStopped
from rowferry.mysql_source import SourceServer
from rowferry.position import MysqlGtidSet
from tests.unit import packets
from tests.unit.flow import position
from tests.unit.packets import MARIADB, MYSQL, UUID, event, packet, payload, query

START = position(1_000)
UNKNOWN = sorted(set(range(256)) - READ - HARMLESS.keys() - REFUSED.keys())


def dispatcher(server: SourceServer = MYSQL) -> EventDispatcher:
    """One that was told of checksums."""
    made = EventDispatcher(server, START, lambda _: True)
    assert made.read(packets.format_description()) == []
    return made


def read(made: EventDispatcher, *events: bytes) -> list[StreamItem]:
    """What the events complete."""
    return [item for content in events for item in made.read(packet(content))]


def refusal(events: Iterable[bytes], server: SourceServer = MYSQL) -> StreamStopped:
    """Why the last event ends the stream; nothing came out before it, and the position stayed."""
    made = dispatcher(server)
    *before, last = events
    assert read(made, *before) == []
    with pytest.raises(StreamStopped) as stopped:
        read(made, last)
    assert made.position == START
    return stopped.value


# Every kind has its place


def test_no_kind_has_two_places() -> None:
    """And what a compressed transaction never holds is known outside of one."""
    assert not READ & HARMLESS.keys()
    assert not (READ | HARMLESS.keys()) & REFUSED.keys()
    assert (READ | HARMLESS.keys()) > NEVER_INSIDE_PAYLOAD


def test_every_kind_that_the_servers_have_a_name_for_is_placed() -> None:
    """MySQL counts from 1 to 42, MariaDB from 160 to 172; 2 and 30 of MariaDB are MySQL's."""
    named = {*range(1, 43), *range(160, 173)}
    assert named == READ | HARMLESS.keys() | REFUSED.keys()
    assert len(UNKNOWN) == 256 - len(named)


@pytest.mark.parametrize("kind", UNKNOWN)
def test_an_unknown_event_stops_with_its_number_and_the_servers_version(kind: int) -> None:
    """Whatever is in it, in a transaction or not, compressed or not."""
    unknown = event(kind, b"secret")
    begun = [packets.gtid(5), query("BEGIN"), packets.table_map(), packets.rows(1)]
    compressed = payload(query("BEGIN"), packets.table_map(), packets.rows(1), unknown, packets.xid())
    for events in ([unknown], [*begun, unknown], [packets.gtid(5), compressed], [payload(unknown)]):
        error = refusal(events)
        assert re.search(rf"unknown type {kind} \(event type {kind}, server 9\.7\.4-test\)", str(error))
        assert error.unknown_event == kind
        assert "secret" not in str(error)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_event_stops_with_its_reason(kind: int) -> None:
    """It is known; only not carried."""
    for events in ([event(kind)], [payload(query("BEGIN"), event(kind), packets.xid())]):
        error = refusal(events)
        assert REFUSED[kind] in str(error)
        assert f"(event type {kind}, server 9.7.4-test)" in str(error)
        assert error.unknown_event is None


@pytest.mark.parametrize("kind", sorted(NEVER_INSIDE_PAYLOAD))
def test_an_event_that_a_compressed_transaction_never_holds_stops(kind: int) -> None:
    """A GTID, a ROTATE or another compressed transaction in there would move the position."""
    inside = payload(query("BEGIN")) if kind == 40 else event(kind, bytes(60))
    error = refusal([payload(query("BEGIN"), inside, packets.xid())])
    assert f"no place in a compressed transaction (event type {kind}, server" in str(error)


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_harmless_event_changes_nothing(kind: int) -> None:
    """Outside; and inside, where it may stand there."""
    made = dispatcher()
    assert read(made, event(kind, b"anything")) == []
    if kind not in NEVER_INSIDE_PAYLOAD:
        compressed = payload(query("BEGIN"), event(kind, b"anything"), packets.xid(), log_pos=2_000)
        assert len(read(made, compressed)) == 1


@pytest.mark.parametrize("algorithm", range(2, 256))
def test_an_unknown_checksum_algorithm_stops_with_its_number(algorithm: int) -> None:
    """Its length would be a guess."""
    made = EventDispatcher(MARIADB, START, lambda _: True)
    with pytest.raises(StreamStopped, match=rf"algorithm {algorithm} .*event type 15, server 11\.8\.6-Maria"):
        made.read(packets.format_description(algorithm))


# Checksums


def test_events_without_checksums_are_read_whole() -> None:
    """The FORMAT_DESCRIPTION event says that there are none."""
    made = EventDispatcher(MYSQL, START, lambda _: True)
    assert made.read(packets.format_description(0)) == []
    (found,) = made.read(packet(query("DROP TABLE visit", log_pos=1_500), checksum=False))
    assert isinstance(found, SchemaChange)
    assert found.statement == "DROP TABLE visit"


@pytest.mark.parametrize("checksum", [True, False])
def test_before_the_format_is_described_a_valid_checksum_shows_itself(checksum: bool) -> None:
    """The first event of a connection is a ROTATE that the server made up."""
    made = EventDispatcher(MYSQL, START, lambda _: True)
    rotate = event(4, (4).to_bytes(8, "little") + b"binlog.000002", timestamp=0)
    assert made.read(packet(rotate, checksum=checksum)) == []
    assert made.position.file == "binlog.000002"


def test_a_wrong_checksum_stops() -> None:
    """Of any event, also of the FORMAT_DESCRIPTION event itself."""
    for content in (packet(packets.xid()), packet(payload(packets.xid())), packets.format_description()):
        damaged = bytearray(content)
        damaged[30] ^= 1
        with pytest.raises(StreamStopped, match="checksum is wrong"):
            dispatcher().read(bytes(damaged))


# Compressed transactions


def values(transaction: StreamItem) -> list[tuple[str, RowKind, list[tuple[int, ...]]]]:
    """Table, kind and rows of each event."""
    assert isinstance(transaction, Transaction)
    return [
        (e.layout.table.name, e.kind, compile_decoder(e.layout).decode(e.data, e.start, e.end))
        for e in transaction.events
    ]


INNER = [query("BEGIN", log_pos=33), packets.table_map(), packets.rows(1, 2), packets.rows(3)]
ROWS = [("patient", RowKind.INSERT, [(1,), (2,)]), ("patient", RowKind.INSERT, [(3,)])]


def test_a_compressed_transaction_is_the_same_as_a_plain_one() -> None:
    """Its GTID is that of the event before it, its end that of the event around it."""
    plain, compressed = dispatcher(), dispatcher()
    (one,) = read(plain, packets.gtid(5), *INNER, packets.xid(2_000))
    (other,) = read(compressed, packets.gtid(5), payload(*INNER, packets.xid(77), log_pos=2_000))
    assert isinstance(one, Transaction)
    assert isinstance(other, Transaction)
    assert values(one) == values(other) == ROWS
    for found in (one, other):
        assert (found.gtid, found.commit_time_us, found.size) == (f"{UUID}:5", 5, one.size)
        assert (found.end.file, found.end.offset) == (START.file, 2_000)
        assert found.end.gtid_set == MysqlGtidSet.parse(f"{UUID}:5")
    assert compressed.position == plain.position == other.end


def test_transactions_compressed_and_plain_follow_each_other() -> None:
    """A table map of the one is not needed by the other."""
    found = read(
        dispatcher(),
        packets.gtid(5),
        payload(*INNER, packets.xid(), log_pos=2_000),
        packets.gtid(6),
        *INNER,
        packets.xid(3_000),
        packets.gtid(7),
        payload(*INNER, query("COMMIT"), log_pos=4_000),
        packets.gtid(8),
        query("DROP TABLE visit", log_pos=5_000),
    )
    assert [values(f) for f in found[:3]] == [ROWS] * 3
    ends = [f.end for f in found if not isinstance(f, Heartbeat)]
    assert [e.offset for e in ends] == [2_000, 3_000, 4_000, 5_000]
    assert str(ends[-1].gtid_set) == f"{UUID}:5-8"


def test_a_table_made_in_the_same_transaction_comes_before_its_rows() -> None:
    """CREATE TABLE ... SELECT; only the last of what ended together moves the position."""
    made = query("CREATE TABLE `copy` (`a` int) START TRANSACTION")
    change, transaction = read(
        dispatcher(), packets.gtid(5), payload(INNER[0], made, *INNER[1:], packets.xid(), log_pos=2_000)
    )
    assert isinstance(change, SchemaChange)
    assert change.end == START
    assert values(transaction) == ROWS


INCOMPLETE = {
    "empty": [],
    "no end": INNER,
    "only its begin": [query("BEGIN")],
    "a harmless statement": [query("BEGIN"), query("# nothing")],
}


@pytest.mark.parametrize("inner", INCOMPLETE.values(), ids=INCOMPLETE)
def test_a_compressed_transaction_without_its_end_stops(inner: list[bytes]) -> None:
    """What the server wrote is whole; this is not."""
    error = refusal([packets.gtid(5), payload(*inner)])
    assert "without its end (event type 40, server 9.7.4-test)" in str(error)


@pytest.mark.parametrize("more", [query("BEGIN"), packets.xid(), packets.table_map(), event(28)])
def test_nothing_follows_the_end_inside(more: bytes) -> None:
    """Two transactions in one would have one position: the second could be lost."""
    error = refusal([packets.gtid(5), payload(*INNER, packets.xid(), more)])
    assert "after the end of its transaction (event type 40, server" in str(error)


def damaged_payloads() -> dict[str, tuple[bytes, str]]:
    """Bodies, and what is said of them."""
    content = b"".join([*INNER, packets.xid()])
    good = packets.payload_body(content)
    return {
        "field": (packets.field(9, 1) + good, "field 9"),
        "compression": (good.replace(packets.field(2, 0), packets.field(2, 3)), "compression type 3"),
        "cut": (good[:-1], "another size"),
        "smaller": (packets.payload_body(content, len(content) + 1), "passes its end|ends early"),
        "larger": (packets.payload_body(content + bytes(19), len(content)), "more than it says"),
    }


@pytest.mark.parametrize(("body", "says"), damaged_payloads().values(), ids=damaged_payloads())
def test_a_payload_that_cannot_be_read_stops(body: bytes, says: str) -> None:
    """Even when its transaction has ended already: nothing has left yet."""
    error = refusal([packets.gtid(5), event(40, body, log_pos=2_000)])
    assert re.search(rf"({says}).*\(event type 40, server 9\.7\.4-test\)", str(error))


# Compressed events


@pytest.mark.parametrize("kind", [166, 167, 168, 169, 170, 171])
def test_compressed_rows_are_the_same_as_plain_ones(kind: int) -> None:
    """Of both versions; an update has two bitmaps, and two images for each row."""
    plain_kind = kind - 143 if kind < 169 else kind - 139
    update = plain_kind in (24, 31)
    version = plain_kind if plain_kind < 30 else packets.WRITE_ROWS_V2
    header = packets.rows_header(version) + (b"\xff" if update else b"")
    images = packets.images(1, 2)
    for content in (event(plain_kind, header + images), event(kind, header + packets.record(images))):
        (found,) = read(
            dispatcher(MARIADB),
            packets.mariadb_gtid(5),
            packets.table_map(),
            content,
            packets.xid(2_000),
        )
        kinds = [RowKind.INSERT, RowKind.UPDATE, RowKind.DELETE]
        assert values(found) == [("patient", kinds[(kind - 166) % 3], [(1,), (2,)])]


def test_a_compressed_statement_is_the_same_as_a_plain_one() -> None:
    """Schema changes, and changes logged as statements."""
    made = dispatcher(MARIADB)
    (change,) = read(made, packets.mariadb_gtid(5, 1), packets.compressed_query("DROP TABLE visit", 2_000))
    assert isinstance(change, SchemaChange)
    assert (change.statement, change.database, change.gtid) == ("DROP TABLE visit", "clinic", "0-7-5")
    (found,) = read(
        made, packets.mariadb_gtid(6), packets.compressed_query("DELETE FROM patient"), query("COMMIT")
    )
    assert isinstance(found, Transaction)
    assert "patient" in (found.statement_names or ())


@pytest.mark.parametrize("kind", [165, 166, 169])
def test_a_compressed_event_that_cannot_be_read_stops(kind: int) -> None:
    """Named by its type."""
    header = b"" if kind == 165 else packets.rows_header(packets.WRITE_ROWS_V2 if kind == 169 else 23)
    damaged = query(b"\x90\1x", kind=kind) if kind == 165 else event(kind, header + b"\x90\1x")
    error = refusal([packets.mariadb_gtid(5), packets.table_map(), damaged], MARIADB)
    assert re.search(rf"0x90 .*\(event type {kind}, server 11\.8\.6-MariaDB-test\)", str(error))


# Row events


@pytest.mark.parametrize("extra", [b"", b"\0\5abc", bytes(300)])
def test_unknown_extra_data_of_a_row_event_is_skipped_by_its_length(extra: bytes) -> None:
    """It says nothing of the rows."""
    events = [query("BEGIN"), packets.table_map(), packets.rows(1, 2, extra=extra), packets.xid()]
    (plain,) = read(dispatcher(), packets.gtid(5), *events)
    (compressed,) = read(dispatcher(), packets.gtid(5), payload(*events))
    assert values(plain) == values(compressed) == ROWS[:1]


@pytest.mark.parametrize("kind", sorted(PLAIN_ROWS))
def test_rows_without_a_table_map_stop(kind: int) -> None:
    """To pass them over would lose them."""
    rows = event(kind, packets.rows_header(kind) + b"\xff" + packets.images(1))
    assert "rows without a table map" in str(refusal([packets.gtid(5), query("BEGIN"), rows]))


# Whatever comes


@given(kind=st.integers(0, 255), body=st.binary(max_size=80))
def test_bytes_of_any_kind_are_read_or_stop_the_stream(kind: int, body: bytes) -> None:
    """No other error: that would be taken for a defect, and might tell content."""
    for content in (event(kind, body), payload(query("BEGIN"), event(kind, body), packets.xid())):
        made = dispatcher()
        try:
            read(made, packets.gtid(5), packets.table_map(), content)
        except StreamStopped:
            assert made.position == START


def cuts() -> list[bytes]:
    """Events that are read, shortened at every place before the end of what is read of them."""
    whole = [
        packets.gtid(5)[: 19 + 25],
        packets.mariadb_gtid(5)[: 19 + 13],
        packets.rows(1)[:-5],
        query(""),
        query("COMMIT"),
        packets.compressed_query("COMMIT"),
        payload(*INNER, packets.xid()),
        event(4, bytes(8)),
    ]
    return [content[:length] for content in whole for length in range(19, len(content))]


def test_an_event_that_is_cut_short_is_not_taken_for_a_whole_one() -> None:
    """Where the part that is missing says something: of a statement any beginning is a statement."""
    passed = set()
    for content in cuts():
        try:
            found = read(dispatcher(), packets.table_map(), content)
        except StreamStopped:
            continue
        assert found == [] or content[4] == 2, content[4]
        passed.add(content[4])
    assert passed == {2}


def test_packets_without_a_whole_header_stop() -> None:
    """Random beginnings too."""
    pick = random.Random(3)
    for length in range(1, 20):
        with pytest.raises(StreamStopped):
            dispatcher().read(b"\0" + pick.randbytes(length - 1))
