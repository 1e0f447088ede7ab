"""Who reads what next: turns between small and big tables, ranges, repairs, and what is out of date."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.batch import KeyRange
from rowferry.checkpoint import CopyProgress
from rowferry.copy_jobs import CopyJob, CopySchedule, CopyTask, Part, RepairKeys, Work
from rowferry.copy_pace import MIN_CHUNK_ROWS, Pace, Throttle
from tests.unit.flow import position, table

NOW = 0.0


def schedule(*first: str) -> CopySchedule:
    """A schedule that prefers those tables."""
    return CopySchedule(lambda name: name in first, lambda: Pace(0.2, 1_000))


def job(name: str, generation: int = 1, repair: RepairKeys | None = None) -> CopyJob:
    """A job of a table of that name."""
    return CopyJob(table(name=name), generation, CopyProgress(), position(4), 0.0, repair)


def taken(plan: CopySchedule) -> Work:
    """What comes next; there is something."""
    work = plan.take(NOW)
    assert work is not None
    return work


def prepare(plan: CopySchedule, ranges: int = 1, **sizes: int) -> list[CopyTask]:
    """Submit and prepare tables of these sizes, whose ranges can then be taken."""
    for name in sizes:
        plan.submit(job(name))
    tasks = []
    for _ in sizes:
        task = taken(plan)
        assert isinstance(task, CopyTask)
        tasks.append(task)
    for task in tasks:
        plan.prepared(task, task.job, [KeyRange() for _ in range(ranges)], sizes[name_of(task)])
        plan.give_back(task)
    return sorted(tasks, key=lambda t: list(sizes).index(name_of(t)))


def name_of(work: Work) -> str:
    """The table's name."""
    task = work.task if isinstance(work, Part) else work
    return task.job.table.id.name


def read_all(plan: CopySchedule, chunks: dict[str, int]) -> list[str]:
    """Take and read chunk after chunk until all tables are done; the order of the tables."""
    order = []
    while (work := plan.take(NOW)) is not None:
        assert isinstance(work, Part)
        name = name_of(work)
        order.append(name)
        chunks[name] -= 1
        plan.read(work, ("31",), done=chunks[name] == 0)
        plan.give_back(work)
    return order


def test_small_tables_and_big_ones_take_turns() -> None:
    """A table of one chunk does not wait for one of five, nor the other way round."""
    plan = schedule()
    prepare(plan, big=1_000_000, small=10, tiny=1)
    order = read_all(plan, {"big": 5, "small": 1, "tiny": 1})
    assert order.index("small") < 4
    assert order.index("tiny") < 4
    assert order.index("big") < 2


def test_tables_that_are_to_be_first_are_first() -> None:
    """Whatever their size."""
    plan = schedule("middle")
    prepare(plan, big=1_000_000, middle=500, tiny=1)
    assert read_all(plan, {"big": 2, "middle": 2, "tiny": 1})[:2] == ["middle", "middle"]


def test_ranges_of_one_table_are_read_at_the_same_time_and_each_by_one() -> None:
    """The last one of them all ends the table."""
    plan = schedule()
    [task] = prepare(plan, ranges=2, patient=1)
    parts = [taken(plan), taken(plan)]
    assert [p.number for p in parts if isinstance(p, Part)] == [0, 1]
    assert plan.take(NOW) is None
    first, second = (p for p in parts if isinstance(p, Part))
    assert not plan.read(first, None, done=True)
    plan.give_back(first)
    assert plan.take(NOW) is None
    assert not plan.read(second, ("32",), done=False)
    plan.give_back(second)
    assert taken(plan) is second
    assert second.range.last_key == ("32",)
    assert plan.read(second, None, done=True)
    assert task.done


def test_a_later_job_of_the_same_table_replaces_the_earlier() -> None:
    """What still runs of the earlier one is out of date, and ends nothing."""
    plan = schedule()
    [task] = prepare(plan, patient=1)
    part = taken(plan)
    assert isinstance(part, Part)
    plan.submit(job("patient", 2))
    assert not plan.is_current(task)
    assert not plan.read(part, None, done=True)
    plan.give_back(part)
    again = taken(plan)
    assert isinstance(again, CopyTask)
    assert again.job.generation == 2
    plan.drop(task)
    assert plan.is_current(again)


def test_repairs_come_before_copies_and_beside_them() -> None:
    """A repair of a table is another job than its copy."""
    plan = schedule()
    [copying] = prepare(plan, patient=1)
    keys = RepairKeys((("1",),), (), pa.table({"id": pa.array([], pa.int32())}), 7)
    plan.submit(job("patient", repair=keys))
    work = taken(plan)
    assert isinstance(work, CopyTask)
    assert work.job.repair is keys
    assert plan.is_current(copying)
    plan.forget(copying.job.table.id)
    assert not plan.is_current(copying)
    assert not plan.is_current(work)


def test_a_table_that_is_put_off_is_taken_later() -> None:
    """And others meanwhile."""
    plan = schedule()
    task, other = prepare(plan, patient=1, visit=1)
    plan.put_off(task, 3_600)
    assert name_of(taken(plan)) == "visit"
    plan.drop(other)
    assert plan.take(NOW) is None


def test_who_waits_is_let_go_at_the_end() -> None:
    """At once, not after the timeout."""
    plan = schedule()
    found: list[Work | None] = []
    waiting = threading.Thread(target=lambda: found.append(plan.take(3_600)))
    waiting.start()
    plan.stop()
    waiting.join(30)
    assert found == [None]


def test_the_keys_that_are_gone_are_deleted_where_they_are() -> None:
    """Only those that the destination has."""
    repair = RepairKeys((("1",), ("2",), ("3",)), (("2",), ("3",)), pa.table({"id": [2, 3]}), 7)
    assert repair.there_of({("3",), ("1",)}).to_pydict() == {"id": [3]}


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=30), st.integers(1, 5_000))
def test_a_pace_stays_within_its_bounds(selects: list[tuple[float, bool]], most: int) -> None:
    """However long SELECTs take; and it can always ask for a row."""
    pace = Pace(0.2, most)
    for seconds, too_long in selects:
        before = pace.rows
        if too_long:
            pace.too_long(before)
        else:
            pace.took(seconds, before, before)
        assert 1 <= pace.rows <= max(most, MIN_CHUNK_ROWS)
        assert pace.rows <= 2 * before or pace.rows == MIN_CHUNK_ROWS


@pytest.mark.parametrize(
    ("seconds", "found", "wanted"),
    [(0.001, 1_000, 2_000), (0.1, 1_000, 1_000), (0.4, 1_000, 250), (0.05, 10, 1_000), (0.4, 10, 250)],
)
def test_the_next_select_aims_at_half_of_what_one_may_take(seconds: float, found: int, wanted: int) -> None:
    """A short last chunk says nothing, unless it took long."""
    pace = Pace(0.2, 50_000)
    pace.rows = 1_000
    pace.took(seconds, 1_000, found)
    assert pace.rows == wanted


def test_rows_a_second_are_bounded_together() -> None:
    """Who has spent must wait; nobody waits without a bound, or when all is to stop."""
    stopping = threading.Event()
    Throttle(None).spend(10**12, stopping)
    slow = Throttle(1_000)
    waiting = threading.Thread(target=lambda: slow.spend(10**9, stopping))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    stopping.set()
    waiting.join(30)
    assert not waiting.is_alive()
