"""Lag, watermark and reconnects as the metrics tell them, while servers come and go and clocks differ."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rowferry_lab.servers import (
    RunningServer,
    ServerSpec,
    fresh_destination_database,
    fresh_source_database,
)
from tests.acceptance.harness import Daemon, Ferry, wait_until
from tests.acceptance.measures import BEATS, FIRST_BEAT, busy_and_held_up, metric
from tests.acceptance.wrong_clock import NEAR_SECONDS, WrongClock, server_with_wrong_clock

if TYPE_CHECKING:
    from tests.conftest import GetServer

HOUR = 3_600


@pytest.fixture(scope="module")
def wrong_clock(get_server: GetServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WrongClock]:
    """Give a server whose clock can be set."""
    clock = server_with_wrong_clock(get_server, tmp_path_factory.mktemp("clock"))
    yield clock
    clock.server.shut_down()


def lag_of(daemon: Daemon) -> float:
    """As /metrics tells it."""
    return metric(daemon, "replication_lag_seconds")


def wait_in_step(daemon: Daemon) -> None:
    """Wait until nothing is left to apply."""
    wait_until("in step", lambda: lag_of(daemon) == 0)


def wait_for_all_rows(ferry: Ferry) -> None:
    """Wait until the newest row is there: lag is 0 too until the daemon has asked the source once more."""
    newest = ferry.source.rows("SELECT max(id) FROM beat")
    wait_until("the newest row", lambda: ferry.destination.rows("SELECT max(id) FROM raw.beat") == newest)


def stays_behind(daemon: Daemon, side: str) -> None:
    """A server is gone: lag grows on, and the time up to which the copy is complete stands."""
    wait_until("it grows", lambda: lag_of(daemon) > 5)
    seconds, stood = lag_of(daemon), metric(daemon, "applied_source_timestamp_seconds")
    assert metric(daemon, "connected", side=side) == 0
    assert metric(daemon, "reconnects_total", side=side, reason="unreachable") >= 1
    wait_until("it grows on", lambda: lag_of(daemon) > seconds + 0.3)
    assert metric(daemon, "applied_source_timestamp_seconds") == stood


def comes_back(daemon: Daemon, side: str) -> None:
    """The server is there again."""
    stood = metric(daemon, "applied_source_timestamp_seconds")
    wait_in_step(daemon)
    assert metric(daemon, "connected", side=side) == 1
    assert metric(daemon, "applied_source_timestamp_seconds") > stood


def test_lag_is_true_idle_busy_held_up_and_disconnected(get_server: GetServer, tmp_path: Path) -> None:
    """0 when idle; what stamped rows say when busy; growing while a server is gone, and 0 again after."""
    mariadb = get_server(ServerSpec.parse("mariadb:10.11"), name="lag")
    postgres = get_server(ServerSpec.parse("postgres:15"), name="lag")
    with fresh_source_database(mariadb) as source, fresh_destination_database(postgres) as target:
        ferry = Ferry(source, target, tmp_path)
        source.run(BEATS, FIRST_BEAT)
        with ferry.daemon() as daemon:
            daemon.wait_state("beat", "streaming")
            wait_in_step(daemon)
            first = metric(daemon, "applied_source_timestamp_seconds")
            wait_until("it advances", lambda: metric(daemon, "applied_source_timestamp_seconds") > first)
            busy_and_held_up(ferry, daemon, 5)
            wait_in_step(daemon)
            for side, server in (("source", mariadb), ("destination", postgres)):
                server.shut_down()
                stays_behind(daemon, side)
                server.restart()
                comes_back(daemon, side)
            assert metric(daemon, "events_total", type="write_rows") >= 1
            wait_for_all_rows(ferry)
            ferry.assert_equal()
            assert daemon.stop() == 0
    for used in (mariadb, postgres):
        used.shut_down()


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_lag_is_true_though_the_clock_of_the_source_is_wrong(
    ahead: int, wrong_clock: WrongClock, postgres_15: RunningServer, tmp_path: Path
) -> None:
    """Idle and busy, and also when the clock is set right; the watermark is by the source's clock."""
    wrong_clock.set(ahead)
    with (
        fresh_source_database(wrong_clock.server) as source,
        fresh_destination_database(postgres_15) as target,
    ):
        ferry = Ferry(source, target, tmp_path)
        source.run(BEATS, FIRST_BEAT)
        with ferry.daemon() as daemon:
            daemon.wait_state("beat", "streaming")
            wait_in_step(daemon)
            assert abs(metric(daemon, "source_clock_offset_seconds") - ahead) < NEAR_SECONDS
            until = metric(daemon, "applied_source_timestamp_seconds")
            assert abs(until - time.time() - ahead) < NEAR_SECONDS
            assert 0 <= lag_of(daemon) < NEAR_SECONDS
            busy_and_held_up(ferry, daemon, 2)
            wrong_clock.set(0)
            wait_until(
                "the daemon sees it",
                lambda: (
                    0 <= lag_of(daemon) < NEAR_SECONDS
                    and abs(metric(daemon, "source_clock_offset_seconds")) < NEAR_SECONDS
                ),
            )
            assert metric(daemon, "applied_source_timestamp_seconds") >= until
            source.run(FIRST_BEAT)
            wait_for_all_rows(ferry)
            ferry.assert_equal()
            assert daemon.stop() == 0
