"""A server process under its supervisor, as seen from our side."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rowferry_lab.servers import supervisor
from rowferry_lab.servers.accounts import Account

_ORPHANS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Launch:
    """What the supervisor needs to know; `remove` is deleted when the server is orphaned.

    environment: variables that the server gets besides ours.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    account: Account | None
    end_signal: signal.Signals
    remove: Path | None

    def as_json(self) -> str:
        """Give the supervisor's configuration."""
        return json.dumps(
            {
                "command": list(self.command),
                "environment": dict(self.environment),
                "folder": str(self.folder),
                "log": str(self.log),
                "uid": self.account.uid if self.account else None,
                "gid": self.account.gid if self.account else None,
                "end_signal": int(self.end_signal),
                "remove": str(self.remove) if self.remove else None,
                "parent": os.getpid(),
            }
        )


class SupervisedProcess:
    """One run of a server: from its start to its end."""

    def __init__(self, launch: Launch) -> None:
        """Start it; whether it gets ready is for the caller to find out."""
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, launch.as_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._orders, self._answers = _pipes(self._supervisor)
        first_line = self._answers.readline()
        self.pid: int | None = int(first_line) if first_line.strip() else None

    def is_running(self) -> bool:
        """Say whether the server has not ended yet."""
        return self._supervisor.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Have the supervisor, the server's own parent, signal it: the process id cannot be stale there."""
        # A broken pipe: it has ended by itself meanwhile, which is what a signal would have led to.
        with contextlib.suppress(BrokenPipeError):
            self._orders.write(f"signal {int(number)}\n".encode())
            self._orders.flush()

    def end(self, number: signal.Signals, patience_seconds: float) -> None:
        """Signal the server and wait for its end; past the patience it is killed."""
        self.send(number)
        try:
            self._supervisor.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self._supervisor.wait()
        self._answers.close()
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Give the two pipes of a process that was started with them."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the process was started without pipes")
    return process.stdin, process.stdout


def children_of(pid: int | None) -> list[int]:
    """Give the processes that a process has started (Postgres has one for each connection)."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, listing.read_text().split())
    return found


def kill_all(pids: Sequence[int]) -> None:
    """Kill processes whose parent we have killed, and wait until they are gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _ORPHANS_SECONDS
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
