"""What the service manager is told: ready, alive, at a long step, stopping. The one place that knows systemd.

Messages are lines `NAME=value` in one datagram to the socket that $NOTIFY_SOCKET names, by path, or by an
abstract name that is written with `@` in front (sd_notify(3)). $WATCHDOG_USEC is the time in microseconds in
which a sign of life is due, for the process $WATCHDOG_PID (sd_watchdog_enabled(3)). Without them nothing is
sent. A message that cannot be sent is lost: the daemon does not depend on who listens.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

STATUS_SECONDS: Final = 2.0
STEP_SECONDS: Final = 3_600.0
"""What a single step may take that waits for a server: a load behind a lock, a table that is rewritten."""
LAST_STEP_SECONDS: Final = 120.0
"""The same once the daemon is stopping: nobody waits an hour for the machine to go down."""
MAX_STATUS: Final = 400


class Notifier:
    """Used by the run loop's thread alone, so that its silence means that the loop stands still."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """environment: where the service manager left its names; what is not valid there counts as unset."""
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._watchdog_us = _watchdog_us(environment) if self._address else 0
        self._period = self._watchdog_us / 4e6
        self._ready = self._in_step = self._stopping = False
        self._alive_at = self._status_at = -1e9
        self._head = self._status = ""

    def ready(self) -> None:
        """The service is up; told once."""
        if not self._ready:
            self._ready = True
            self._send("READY=1")

    def alive(self) -> None:
        """The run loop moves; call often. Not while it waits for a server's answer."""
        now = time.monotonic()
        if not self._watchdog_us or not (self._in_step or now - self._alive_at >= self._period):
            return
        self._alive_at = now
        if self._in_step:
            self._in_step = False
            self._send(f"WATCHDOG_USEC={self._watchdog_us}", "WATCHDOG=1")
        else:
            self._send("WATCHDOG=1")

    def waiting(self) -> None:
        """The run loop moves, and waits to try again; a start goes on for as long as that takes."""
        if self._ready:
            self.alive()
        elif time.monotonic() - self._alive_at >= STATUS_SECONDS:
            self._alive_at = time.monotonic()
            self._extend(LAST_STEP_SECONDS)

    def long_step(self) -> None:
        """The loop begins with something that may take long and says nothing meanwhile; `alive` ends it.

        A start or a stop gets more time by EXTEND_TIMEOUT_USEC, which says nothing of the watchdog; that one
        gets another period by WATCHDOG_USEC.
        """
        if not self._ready or self._stopping:
            self._extend(LAST_STEP_SECONDS if self._stopping else STEP_SECONDS)
        elif self._watchdog_us and not self._in_step:
            self._in_step = True
            self._send(f"WATCHDOG_USEC={max(self._watchdog_us, _us(STEP_SECONDS))}")

    def stopping(self) -> None:
        """The daemon was asked to stop. May be called in a signal handler."""
        self._stopping = True
        self._send("STOPPING=1", "STATUS=stopping")

    def status(self, state: str, details: str = "") -> None:
        """One line for `systemctl status`: at once where the state is another one, else now and then."""
        text = f"{state}: {details}" if details else state
        text = " ".join(text.split())[:MAX_STATUS]
        now = time.monotonic()
        if state == self._head and (text == self._status or now - self._status_at < STATUS_SECONDS):
            return
        self._head, self._status, self._status_at = state, text, now
        self._send(f"STATUS={text}")

    def _extend(self, seconds: float) -> None:
        self._send(f"EXTEND_TIMEOUT_USEC={_us(seconds)}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), self._address)


def describe(lag_seconds: float | None, file: str, offset: int, tables: Mapping[str, int]) -> str:
    """What a daemon at work tells: lag, place in the binlog, and how many tables are in which state."""
    lag = "lag not known yet" if lag_seconds is None else f"lag {lag_seconds:.1f} s"
    counts = ", ".join(f"{number} {state}" for state, number in tables.items() if number)
    return f"{lag}, at {file}:{offset}, tables: {counts or 'none'}"


def _address(text: str) -> str | bytes:
    """A socket address as Python takes it; "" for none, and for a kind that is no AF_UNIX socket."""
    if text.startswith("@"):
        return b"\0" + os.fsencode(text[1:])
    return text if text.startswith("/") else ""


def _watchdog_us(environment: Mapping[str, str]) -> int:
    text, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if process and process != str(os.getpid()):
        return 0
    return int(text) if text.isascii() and text.isdigit() else 0


def _us(seconds: float) -> int:
    return int(seconds * 1e6)
