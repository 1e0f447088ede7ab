"""Rowferry as a user runs it: the command in a process of its own, between two real servers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Unpack

from rowferry_lab.compare import Expected, compare
from rowferry_lab.compare_result import Comparison
from rowferry_lab.servers import DestinationDatabase, SourceDatabase
from tests.acceptance import forked
from tests.acceptance.forked import Forked

ROOT: Final = Path(__file__).parents[2]
PATIENCE_SECONDS: Final = 90.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: str, true: Callable[[], bool]) -> None:
    """Wait for a condition; fail with its name after a minute and a half."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"never came true: {what}")
        time.sleep(0.1)


@dataclass
class Daemon:
    """A running `rowferry run`."""

    process: Forked | subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str) -> tuple[int, str]:
        """Status code and body of an HTTP path; 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def status(self) -> dict[str, Any]:
        """GET /status."""
        code, body = self.get("/status")
        document: dict[str, Any] = json.loads(body) if code == 200 else {}
        return document

    def table(self, name: str) -> dict[str, Any]:
        """A table's part of /status; empty if it is not there."""
        return next((t for t in self.status().get("tables", ()) if t["table"] == name), {})

    def wait_ready(self) -> None:
        """Wait until both ends are connected."""
        wait_until("the daemon is ready", lambda: self.assert_alive() and self.get("/readyz")[0] == 200)

    def wait_state(self, table: str, state: str) -> None:
        """Wait until a table is in that state."""
        wait_until(
            f"{table} is {state}", lambda: self.assert_alive() and self.table(table).get("state") == state
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def assert_alive(self) -> bool:
        """True; fails with the log's end where the process has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended: {self.log.read_text()[-3000:]}")
        return True


@dataclass
class Ferry:
    """The command line with the settings of one pair of databases.

    fresh: each process by `python -m rowferry`, and not forked from one that has imported everything.
    """

    source: SourceDatabase
    destination: DestinationDatabase
    state: Path
    settings: dict[str, str] = field(default_factory=dict)
    patience_seconds: float = PATIENCE_SECONDS
    fresh: bool = False

    def environment(self, **extra: str) -> dict[str, str]:
        """The process's environment: nothing of the tester's own settings."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("ROWFERRY_")}
        return {
            **clean,
            "PYTHONPATH": str(ROOT / "daemon"),
            "ROWFERRY_SOURCE__URL": self.source.url,
            "ROWFERRY_DESTINATION__URL": self.destination.url,
            "ROWFERRY_STATE_DIR": str(self.state),
            "ROWFERRY_COPY__SETTLE_SECONDS": "0.5",
            **self.settings,
            **extra,
        }

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        if not self.fresh:
            return forked.run(arguments, self.environment(**extra), self.state, self.patience_seconds)
        return subprocess.run(
            [sys.executable, "-m", "rowferry", *arguments],
            env=self.environment(**extra),
            cwd=self.state,
            capture_output=True,
            text=True,
            timeout=self.patience_seconds,
            check=False,
        )

    def catch_up(self, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run `run --until-caught-up`; it must end with 0."""
        done = self.run("run", "--until-caught-up", **extra)
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    @contextmanager
    def daemon(self, *arguments: str, **extra: str) -> Iterator[Daemon]:
        """A daemon (`run` with these arguments) for the length of a block, ended by its process id."""
        port, log = free_port(), self.state / f"daemon-{time.monotonic_ns()}.log"
        environment = self.environment(ROWFERRY_HTTP__LISTEN=f"127.0.0.1:{port}", **extra)
        with log.open("wb") as output:
            process = self._start(["run", *arguments], environment, output)
        try:
            yield Daemon(process, port, log)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def _start(
        self, arguments: Sequence[str], environment: dict[str, str], output: IO[bytes]
    ) -> Forked | subprocess.Popen[bytes]:
        if not self.fresh:
            return Forked(arguments, environment, self.state, stderr=output)
        command = [sys.executable, "-m", "rowferry", *arguments]
        return subprocess.Popen(command, env=environment, cwd=self.state, stderr=output)

    def compare(self, *tables: str, **expected: Unpack[Expected]) -> Comparison:
        """Both servers' own words for every row, side by side."""
        source, destination = self.source.url, self.destination.url
        return compare(source, destination, schema="raw", tables=tables or None, **expected)

    def assert_equal(self, *tables: str, **expected: Unpack[Expected]) -> None:
        """The copy equals the source, row by row."""
        result = self.compare(*tables, **expected)
        assert result.equal, result.describe()

    def tracked(self, column: str, table: str) -> Any:
        """A value of `_rowferry_tables`."""
        rows = self.destination.rows(
            f"SELECT {column} FROM raw._rowferry_tables WHERE table_name = %s", [table]
        )
        return rows[0][0] if rows else None
