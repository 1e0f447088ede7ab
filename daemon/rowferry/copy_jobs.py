"""What is to be copied, and who reads what next: tables and ranges of their keys, taken chunk by chunk.

Small tables and big ones take turns, so that neither waits for the other; tables that the settings put
first come before both. Shared by the threads that copy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from rowferry.batch import KeyRange
from rowferry.checkpoint import CopyProgress
from rowferry.copy_pace import Pace
from rowferry.position import BinlogPosition
from rowferry.table_schema import TableId, TableSchema


@dataclass(frozen=True, slots=True)
class RepairKeys:
    """Rows to read again. keys: as `key_sql.rows_select` takes them. there: those of the keys that the
    destination has, converted, in the order of `there_keys`. request: the number of the request for it.
    """

    keys: tuple[tuple[str, ...], ...]
    there_keys: tuple[tuple[str, ...], ...]
    there: pa.Table
    request: int

    def there_of(self, keys: Collection[tuple[str, ...]]) -> pa.Table:
        """The converted keys of those that the destination has."""
        return self.there.filter(pa.array([key in keys for key in self.there_keys], pa.bool_()))


@dataclass(frozen=True, slots=True)
class CopyJob:
    """A table to copy. since, started_at: position and monotonic time when the job was given.

    repair: not the whole table, but these rows of it.
    """

    table: TableSchema
    generation: int
    progress: CopyProgress
    since: BinlogPosition
    started_at: float
    repair: RepairKeys | None = None


@dataclass(slots=True, eq=False)
class CopyTask:
    """A job under way. size: rows, roughly; None until it is known."""

    job: CopyJob
    pace: Pace
    size: int | None = None
    parts: list[Part] = field(default_factory=list)
    busy: bool = False
    not_before: float = 0.0

    @property
    def done(self) -> bool:
        """Whether every range was read."""
        return bool(self.parts) and all(part.range.done for part in self.parts)


@dataclass(slots=True, eq=False)
class Part:
    """One range of a table under way."""

    task: CopyTask
    number: int
    range: KeyRange
    busy: bool = False


Work = CopyTask | Part
"""A task that must be prepared (or is a repair), or a part of which a chunk is to be read."""


class CopySchedule:
    """See the module."""

    def __init__(self, is_first: Callable[[str], bool], pace: Callable[[], Pace]) -> None:
        """is_first: whether a table of that name comes before others. pace: makes a table's pace."""
        self._is_first = is_first
        self._pace = pace
        self._tasks: dict[tuple[TableId, bool], CopyTask] = {}
        self._changed = threading.Condition()
        self._turns = 0
        self.stopping = threading.Event()

    def submit(self, job: CopyJob, not_before: float = 0.0) -> None:
        """Copy a table; an earlier job of the same table is dropped. A repair is a job beside it.

        not_before: monotonic seconds.
        """
        with self._changed:
            self._tasks[_place(job)] = CopyTask(job, self._pace(), not_before=not_before)
            self._changed.notify_all()

    def forget(self, table: TableId) -> None:
        """The table is not to be copied any longer."""
        with self._changed:
            self._tasks.pop((table, False), None)
            self._tasks.pop((table, True), None)

    def stop(self) -> None:
        """Let everybody who waits go."""
        with self._changed:
            self.stopping.set()
            self._changed.notify_all()

    def is_current(self, task: CopyTask) -> bool:
        """Whether the task is still wanted."""
        return not self.stopping.is_set() and self._tasks.get(_place(task.job)) is task

    def take(self, timeout: float) -> Work | None:
        """What to do next; None if there is nothing for `timeout` seconds, or if all is to stop."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self.stopping.is_set():
                now = time.monotonic()
                work = self._next(now)
                if work is not None:
                    work.busy = True
                    return work
                if now >= deadline:
                    return None
                waits = [t.not_before for t in self._tasks.values() if t.not_before > now]
                self._changed.wait(min([deadline, *waits]) - now)
        return None

    def give_back(self, work: Work) -> None:
        """The chunk is done; others may take the next one."""
        with self._changed:
            work.busy = False
            self._changed.notify_all()

    def put_off(self, task: CopyTask, seconds: float) -> None:
        """Try the table again later."""
        with self._changed:
            task.not_before = time.monotonic() + seconds

    def prepared(self, task: CopyTask, job: CopyJob, ranges: Sequence[KeyRange], size: int) -> None:
        """The job has begun: its ranges can be taken."""
        with self._changed:
            task.job, task.size = job, size
            task.parts = [Part(task, number, each) for number, each in enumerate(ranges)]
            self._changed.notify_all()

    def read(self, part: Part, last_key: tuple[str, ...] | None, *, done: bool) -> bool:
        """A chunk was placed. Whether it was the last one of its whole table."""
        with self._changed:
            part.range = replace(part.range, last_key=last_key or part.range.last_key, done=done)
            return part.task.done and self.is_current(part.task)

    def drop(self, task: CopyTask) -> None:
        """The task is over."""
        with self._changed:
            if self._tasks.get(_place(task.job)) is task:
                del self._tasks[_place(task.job)]

    def _next(self, now: float) -> Work | None:
        due = [t for t in self._tasks.values() if t.not_before <= now]
        fresh = [t for t in due if not t.busy and not t.parts]
        if repairs := [t for t in fresh if t.job.repair is not None]:
            return repairs[0]
        ready = [t for t in due if any(not p.busy and not p.range.done for p in t.parts)]
        candidates = [t for t in fresh if t.job.repair is None] + ready
        if not candidates:
            return None
        self._turns += 1
        sign = 1 if self._turns % 2 else -1
        task = min(candidates, key=lambda t: (not self._is_first(t.job.table.id.name), sign * (t.size or 0)))
        if not task.parts:
            return task
        return next(p for p in task.parts if not p.busy and not p.range.done)


def _place(job: CopyJob) -> tuple[TableId, bool]:
    return job.table.id, job.repair is not None
