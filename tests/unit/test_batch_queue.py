"""The queue: one order for all who add, bounds that make them wait, barriers that are waited for.

Threads are joined with generous timeouts; nothing here depends on how fast anything is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from rowferry.batch import ChunkSegment, CopyRead, MicroBatch, StreamSegment
from rowferry.batch_queue import Barrier, BatchQueue, TableFault
from rowferry.errors import Interrupted, LoadFailed, TableStopped
from rowferry.settings import BatchSettings
from tests.unit.flow import chunk, ddl, decoded, position, route, table, transaction

PATIENT = route()
TABLE = PATIENT.table
VISIT = route(table(name="visit"))
PATIENCE = 30.0
NEVER = 60.0


def queue(*, age: float = NEVER, rows: int = 1_000, size: int = 1 << 20) -> BatchQueue:
    """A queue at position 1 that waits for ever unless told otherwise."""
    return BatchQueue(BatchSettings(max_age_seconds=age, max_rows=rows, max_bytes=size), position(1))


def nothing() -> None:
    """Watch nothing."""


def always() -> bool:
    """The rows are current."""
    return True


def add(into: BatchQueue, end: int, *keys: int) -> None:
    """A transaction that inserts those keys."""
    rows = [decoded(PATIENT, (key, b"x")) for key in keys]
    into.add_transaction(transaction(end), rows, nothing, always)


def taken(from_: BatchQueue) -> MicroBatch:
    """The next batch."""
    found = from_.take(PATIENCE)
    assert isinstance(found, MicroBatch)
    return found


def barrier_of(from_: BatchQueue) -> Barrier:
    """The next barrier."""
    found = from_.take(PATIENCE)
    assert isinstance(found, Barrier)
    return found


def keys(batch: MicroBatch) -> list[list[object]]:
    """Keys of the table's segments in their order."""
    return [
        [row[0] for row in s.rows] if isinstance(s, StreamSegment) else s.upserts.column("id").to_pylist()
        for s in batch.segments[TABLE.id]
    ]


@contextmanager
def thread(work: Callable[[], object]) -> Iterator[list[BaseException]]:
    """Run something beside the test; what it raised, once it is over."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - handed to the test
            raised.append(error)

    running = threading.Thread(target=run, daemon=True)
    running.start()
    yield raised
    running.join(PATIENCE)
    assert not running.is_alive()


def fault() -> TableFault:
    """A table that cannot go on."""
    return TableFault(TABLE.id, TableStopped("decode rows"), position(1))


def test_rows_that_were_decoded_by_an_older_book_are_not_taken() -> None:
    """The adder decodes them again; nothing has moved meanwhile."""
    found = queue(age=0.01)
    rows = [decoded(PATIENT, (1, b"x"))]
    assert not found.add_transaction(transaction(100), rows, pytest.fail, lambda: False)
    assert found.position != position(100)
    assert found.take(0.05) is None
    assert found.add_transaction(transaction(100), rows, nothing, always)
    assert taken(found).rows == 1


def test_a_mark_without_rows_keeps_its_place() -> None:
    """It is loaded with what came before it."""
    found = queue(age=0.01)
    add(found, 100, 1)
    mark = CopyRead(TABLE.id, 1, position(100))
    found.add_chunk(lambda: mark)
    assert taken(found).marks == [mark]


def test_transactions_and_chunks_leave_in_their_order() -> None:
    """One writer, one order."""
    found = queue(age=0.01)
    add(found, 100, 1, 2)
    found.add_chunk(lambda: chunk(TABLE, [(3, "x")]))
    add(found, 200, 4)
    batch = taken(found)
    assert keys(batch) == [[1, 2], [3], [4]]
    assert (batch.end, batch.transactions) == (position(200), 2)
    assert found.position == position(200)


def test_a_batch_leaves_when_it_is_old_enough() -> None:
    """And not while it is young."""
    young, old = queue(), queue(age=0.01)
    for each in (young, old):
        add(each, 100, 1)
    assert young.take(0) is None
    assert taken(old).rows == 1
    assert old.take(0) is None


@pytest.mark.parametrize("limits", [{"rows": 2}, {"size": 1 << 16}])
def test_a_full_batch_leaves_at_once(limits: dict[str, int]) -> None:
    """By rows or by bytes, whatever its age."""
    found = queue(**limits)
    rows = [decoded(PATIENT, (1, b"x"), (2, b"x"), size=1 << 16)]
    found.add_transaction(transaction(100), rows, nothing, always)
    assert taken(found).rows == 2


def test_transactions_of_other_tables_only_move_the_position() -> None:
    """They make no batch, and the idle position follows them."""
    found = queue(age=0.01)
    add(found, 100)
    assert found.take(0) is None
    assert found.take_position() == position(100)
    add(found, 200, 1)
    assert taken(found).end == position(200)


def test_the_stream_may_have_nothing_up_to_a_position() -> None:
    """A heartbeat moves it, and the batch that waits with it."""
    found = queue(age=0.01)
    found.advance(position(100))
    assert found.take_position() == position(100)
    add(found, 200, 1)
    found.advance(position(300))
    assert found.take_position() is None
    assert taken(found).end == position(300)
    assert found.take_position() == position(300)


def test_what_watches_is_told_under_the_lock() -> None:
    """So that touched keys are in step with the transaction's place: nobody else gets in between."""
    found = queue()
    entered = threading.Event()
    other = threading.Thread(target=lambda: found.locked(entered.set), daemon=True)

    def watch() -> None:
        assert found.position == position(100)
        other.start()
        assert not entered.wait(0.05)

    found.add_transaction(transaction(100), [decoded(PATIENT, (1, b"x"))], watch, always)
    assert entered.wait(PATIENCE)


def test_a_chunk_that_is_out_of_date_is_dropped() -> None:
    """Nothing is left of it."""
    found = queue(age=0.01)
    found.add_chunk(lambda: None)
    assert found.take(0.05) is None
    assert found.take_position() == position(1)


def test_other_columns_begin_another_batch() -> None:
    """One set of columns for each table; transactions stay whole."""
    found = queue()
    add(found, 100, 1)
    fewer = route(table("id"))
    rows = [decoded(VISIT, (7, b"x")), decoded(fewer, (2,))]
    found.add_transaction(transaction(200), rows, nothing, always)
    first = taken(found)
    assert (first.end, first.rows) == (position(100), 1)
    assert found.take(0) is None
    found.add_chunk(lambda: chunk(TABLE, [(3, "x")]))
    second = taken(found)
    assert (second.end, second.rows, len(second.segments)) == (position(200), 2, 2)


def test_one_who_adds_waits_while_the_queue_is_full() -> None:
    """And goes on when the loader has taken the batch."""
    found = queue(rows=1)
    add(found, 100, 1)
    added = threading.Event()

    def more() -> None:
        add(found, 200, 2)
        added.set()

    with thread(more) as raised:
        assert not added.wait(0.05)
        assert found.position == position(100)
        assert keys(taken(found)) == [[1]]
        assert added.wait(PATIENCE)
    assert raised == []
    assert keys(taken(found)) == [[2]]
    assert found.backpressure_seconds > 0


@pytest.mark.parametrize(
    "blocked",
    [
        lambda found: add(found, 200, 2),
        lambda found: found.add_chunk(lambda: chunk(TABLE, [(3, "x")])),
        lambda found: found.barrier(ddl("DROP TABLE x", 300)),
        lambda found: found.barrier(fault()),
    ],
)
def test_closing_releases_whoever_waits(blocked: Callable[[BatchQueue], None]) -> None:
    """So that the threads of an attempt end with it."""
    found = queue(rows=1)
    add(found, 100, 1)
    with thread(lambda: blocked(found)) as raised:
        found.close()
    assert [type(error) for error in raised] == [Interrupted]
    with pytest.raises(Interrupted):
        blocked(found)


def test_a_barrier_stands_between_what_came_before_and_after() -> None:
    """Its adder goes on only when the loader has dealt with it."""
    found = queue()
    add(found, 100, 1)
    passed = threading.Event()

    def work() -> None:
        found.barrier(ddl("DROP TABLE x", 300))
        passed.set()
        add(found, 400, 2)

    with thread(work) as raised:
        assert taken(found).end == position(100)
        item = barrier_of(found)
        assert item.cause == ddl("DROP TABLE x", 300)
        assert not passed.wait(0.05)
        item.done.set()
        assert passed.wait(PATIENCE)
    assert raised == []
    assert found.position == position(400)


def test_the_position_is_behind_a_schema_change_once_it_is_dealt_with() -> None:
    """Else the idle loop would want to move the checkpoint back, which stops the daemon."""
    found = queue()
    with thread(lambda: found.barrier(ddl("DROP TABLE x", 300))):
        item = barrier_of(found)
        item.done.set()
    assert found.take_position() == position(300)


def test_the_position_stays_before_a_fault() -> None:
    """The transaction that met it is decoded again."""
    found = queue()
    add(found, 100)
    with thread(lambda: found.barrier(fault())):
        assert taken(found).end == position(100)
        barrier_of(found).done.set()
    assert found.take_position() == position(100)


def test_nothing_is_idle_while_a_barrier_waits() -> None:
    """The checkpoint must not pass it."""
    found = queue()
    with thread(lambda: found.barrier(ddl("DROP TABLE x", 300))):
        item = None
        while item is None:
            assert found.take_position() in (None, position(1))
            item = found.take(0.01)
        assert isinstance(item, Barrier)
        item.done.set()


def test_the_loader_gets_the_error_of_a_thread_that_died() -> None:
    """The first one, even with batches waiting."""
    found = queue(age=0.01)
    add(found, 100, 1)
    first = LoadFailed("read")
    found.fail(first)
    found.fail(LoadFailed("copy"))
    with pytest.raises(LoadFailed) as caught:
        found.take(PATIENCE)
    assert caught.value is first


def test_an_error_wakes_the_loader() -> None:
    """It does not sit out its timeout."""
    found = queue()
    with thread(lambda: found.take(10 * PATIENCE)) as raised:
        found.fail(LoadFailed("read"))
    assert [type(error) for error in raised] == [LoadFailed]


def test_a_change_wakes_the_loader() -> None:
    """Freshness: as soon as it is old enough."""
    found = queue(age=0.01)
    got: list[object] = []
    with thread(lambda: got.append(found.take(10 * PATIENCE))):
        add(found, 100, 1)
    assert isinstance(got[0], MicroBatch)


def test_its_size_is_what_waits() -> None:
    """Sealed batches included, for the metric."""
    found = queue()
    add(found, 100, 1, 2)
    assert found.size == 20
    with thread(lambda: found.barrier(fault())):
        taken(found)
        barrier_of(found).done.set()
    assert found.size == 0


def test_its_size_can_be_read_while_others_add() -> None:
    """The run loop reads it for the metrics, beside the reader and the copier."""
    found = queue(age=0.001)
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            assert found.size >= 0

    with thread(read) as raised:
        for number in range(200):
            add(found, 100 + number, number)
            with thread(lambda: found.barrier(fault())):
                taken(found)
                barrier_of(found).done.set()
        stop.set()
    assert raised == []


def test_a_batch_keeps_the_chunks_mark() -> None:
    """The copy's progress commits with its rows."""
    found = queue(age=0.01)
    made: ChunkSegment = chunk(TABLE, [(3, "x")], generation=5)
    found.add_chunk(lambda: made)
    assert taken(found).marks == [made.mark]
