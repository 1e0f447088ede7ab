"""What the daemon says of its lag, beside a measure of the tests' own: rows that the source stamps."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tests.acceptance.harness import Daemon, Ferry, wait_until

NEAR_SECONDS: Final = 4.0
"""Both measures are read one after the other, and the daemon asks the source twice a second."""
BEAT_SECONDS: Final = 0.02
BEATS: Final = "CREATE TABLE beat (id bigint AUTO_INCREMENT PRIMARY KEY, at datetime(6) NOT NULL)"
FIRST_BEAT: Final = "INSERT INTO beat (at) VALUES (UTC_TIMESTAMP(6))"


def metric(daemon: Daemon, name: str, **labels: str) -> float:
    """One sample."""
    for line in daemon.get("/metrics")[1].splitlines():
        if line.startswith(f"rowferry_{name}{{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            return float(re.split(r"\s+", line)[-1])
    return float("nan")


@dataclass(frozen=True)
class Reading:
    """The lag in seconds as the daemon tells it, between two readings of the stamped rows."""

    before: float
    lag: float
    after: float

    @property
    def agrees(self) -> bool:
        """Whether the daemon's is the rows', as nearly as both can be read."""
        least, most = sorted((self.before, self.after))
        return max(0.0, least - NEAR_SECONDS) <= self.lag <= most + NEAR_SECONDS


@contextmanager
def beating(ferry: Ferry) -> Iterator[None]:
    """While the block lasts, rows are written that carry the source's clock."""
    stop = threading.Event()
    errors: list[Exception] = []

    def write() -> None:
        try:
            with ferry.source.connect() as connection, connection.cursor() as cursor:
                while not stop.wait(BEAT_SECONDS):
                    cursor.execute(FIRST_BEAT)
        except Exception as error:  # noqa: BLE001 - told below, in the test's own thread
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()
    assert not errors, errors


def age_of_copy(ferry: Ferry) -> float:
    """The source's clock now, minus the newest stamp in Postgres; true while rows are written."""
    [(stamp,)] = ferry.destination.rows("SELECT max(at) FROM raw.beat")
    [(now,)] = ferry.source.rows("SELECT UTC_TIMESTAMP(6)")
    assert isinstance(stamp, datetime)
    assert isinstance(now, datetime)
    return (now - stamp.replace(tzinfo=None)).total_seconds()


def read(ferry: Ferry, daemon: Daemon) -> Reading:
    """Both measures now."""
    before = age_of_copy(ferry)
    lag = float(daemon.status()["replication_lag_seconds"])
    return Reading(before, lag, age_of_copy(ferry))


def read_until(ferry: Ferry, daemon: Daemon, enough: Callable[[list[Reading]], bool]) -> list[Reading]:
    """Both measures again and again; each time they must agree."""
    readings: list[Reading] = []
    while not readings or not enough(readings):
        readings.append(read(ferry, daemon))
        assert readings[-1].agrees, readings[-3:]
    return readings


def busy_and_held_up(ferry: Ferry, daemon: Daemon, seconds: float) -> None:
    """Rows are written: the daemon's lag is theirs, while they are loaded and while loading is held up."""
    with beating(ferry):
        wait_until("rows arrive", lambda: age_of_copy(ferry) < 1)
        read_until(ferry, daemon, lambda readings: len(readings) == 10)
        with ferry.destination.connect(autocommit=False) as holder:
            holder.execute("LOCK TABLE raw.beat IN EXCLUSIVE MODE")
            read_until(ferry, daemon, lambda readings: min(readings[-1].before, readings[-1].lag) > seconds)
            holder.rollback()
        read_until(ferry, daemon, lambda readings: readings[-1].after < 1)
