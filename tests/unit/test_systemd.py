"""The words to the service manager: which, when, and none where nobody listens."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rowferry.systemd import MAX_STATUS, Notifier, describe


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """A notify socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.setblocking(False)
        yield made


def heard(listener: socket.socket) -> list[str]:
    """All datagrams since the last look."""
    found = []
    while True:
        try:
            found.append(listener.recv(8192).decode())
        except BlockingIOError:
            return found


def notifier(listener: socket.socket, **extra: str) -> Notifier:
    """One that speaks to it, with a watchdog of four seconds."""
    return Notifier({"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "4000000", **extra})


def test_ready_is_told_once(listener: socket.socket) -> None:
    """Later attempts are no news to a service manager."""
    told = notifier(listener)
    told.ready()
    told.ready()
    assert heard(listener) == ["READY=1"]


def test_a_start_and_a_stop_ask_for_time_and_a_service_at_work_for_another_watchdog(
    listener: socket.socket,
) -> None:
    """What extends one of them does not extend the other."""
    told = notifier(listener)
    told.long_step()
    assert heard(listener) == ["EXTEND_TIMEOUT_USEC=3600000000"]
    told.ready()
    told.long_step()
    told.long_step()
    told.alive()
    told.alive()
    assert heard(listener) == [
        "READY=1",
        "WATCHDOG_USEC=3600000000",
        "WATCHDOG_USEC=4000000\nWATCHDOG=1",
    ]
    told.stopping()
    told.long_step()
    assert heard(listener) == ["STOPPING=1\nSTATUS=stopping", "EXTEND_TIMEOUT_USEC=120000000"]


def test_a_status_is_one_line_and_another_state_is_told_at_once(listener: socket.socket) -> None:
    """The same again is not told; a long one is cut."""
    told = notifier(listener)
    told.status("starting")
    told.status("starting")
    told.status("retrying", "no\nroute")
    told.status("halted", "x" * 1_000)
    first, second, third = heard(listener)
    assert (first, second) == ("STATUS=starting", "STATUS=retrying: no route")
    assert len(third) == len("STATUS=") + MAX_STATUS


@pytest.mark.parametrize(
    "environment", [{}, {"NOTIFY_SOCKET": "vsock:2:1"}, {"NOTIFY_SOCKET": "/nowhere/there"}]
)
def test_nobody_need_listen(environment: dict[str, str]) -> None:
    """Not an error, whatever is told."""
    told = Notifier({**environment, "WATCHDOG_USEC": "1"})
    told.ready()
    told.alive()
    told.long_step()
    told.status("streaming")
    told.stopping()


@pytest.mark.parametrize("extra", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "soon"}])
def test_a_watchdog_of_another_process_or_of_none_is_not_fed(
    listener: socket.socket, extra: dict[str, str]
) -> None:
    """sd_watchdog_enabled(3)."""
    told = notifier(listener, **extra)
    told.ready()
    told.alive()
    told.long_step()
    assert heard(listener) == ["READY=1"]
    own = notifier(listener, WATCHDOG_PID=str(os.getpid()))
    own.alive()
    assert heard(listener) == ["WATCHDOG=1"]


def test_work_is_described_without_what_is_not_there() -> None:
    """States that no table is in are left out."""
    shown = describe(None, "bin.000001", 4, {"streaming": 3, "stopped": 0})
    assert shown == "lag not known yet, at bin.000001:4, tables: 3 streaming"
    assert describe(0.25, "", 0, {}) == "lag 0.2 s, at :0, tables: none"
