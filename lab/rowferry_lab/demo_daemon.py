"""The daemon as the demo runs it: a subprocess started like a user would, watched over HTTP.

Knows the daemon only by its command line, its environment variables and its HTTP answers.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from rowferry_lab.servers import DestinationDatabase, RunningServer, SourceDatabase
from rowferry_lab.servers.ports import free_port

DAEMON_ROOT = Path(__file__).resolve().parents[2] / "daemon"
_STOP_SECONDS: Final = 30.0
_HTTP_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.25
_LOG_TAIL_LINES: Final = 25
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class DemoFailed(Exception):
    """The demo cannot go on; its text is one line for a person."""


class DaemonDied(DemoFailed):
    """The daemon ended by itself."""


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table in the daemon's own words."""

    name: str
    state: str
    rows_copied: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """What GET /status says, as far as the demo reads it."""

    state: str
    lag_seconds: float | None
    position: str
    rows_applied: int
    tables: tuple[TableStatus, ...]

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Self:
        """Read the JSON."""
        lag = body.get("replication_lag_seconds")
        tables = tuple(
            TableStatus(t["table"], t["state"], int(t.get("rows_copied") or 0), t.get("error"))
            for t in body.get("tables") or ()
        )
        return cls(
            state=str(body.get("state", "")).lower(),
            lag_seconds=None if lag is None else float(lag),
            position=str(body.get("position") or ""),
            rows_applied=int(body.get("rows_applied") or 0),
            tables=tables,
        )

    def count(self, state: str) -> int:
        """How many tables are in a state."""
        return sum(table.state == state for table in self.tables)

    @property
    def all_streaming(self) -> bool:
        """Whether every table is streaming, and there is any."""
        return bool(self.tables) and self.count("streaming") == len(self.tables)

    @property
    def rows_copied(self) -> int:
        """Rows of the first copy."""
        return sum(table.rows_copied for table in self.tables)

    def refuse_stopped(self) -> None:
        """A stopped table never catches up: say which, and why, in the daemon's words."""
        for table in self.tables:
            if table.state == "stopped":
                raise DemoFailed(f"the daemon stopped table {table.name}: {table.error or 'no reason given'}")


@dataclass(frozen=True, slots=True)
class BinlogHead:
    """A place in the binlog that can be compared with the one a daemon names."""

    file: str
    offset: int

    @classmethod
    def parse(cls, position: str) -> Self | None:
        """Read `file:offset gtid`; None where there is no position yet."""
        file, colon, offset = position.partition(" ")[0].rpartition(":")
        return cls(file, int(offset)) if colon and offset.isdigit() else None

    @property
    def order(self) -> tuple[int, int]:
        """The file's number, then the offset."""
        return int(self.file.rpartition(".")[2]), self.offset


class Daemon:
    """`python -m rowferry run`, from its start to its end. A context manager: it ends with the block."""

    def __init__(self, source: SourceDatabase, destination: DestinationDatabase, folder: Path) -> None:
        """Start it. folder: gets the log and the state directory."""
        self.log = folder / "daemon.log"
        self.listen = f"127.0.0.1:{free_port()}"
        state = folder / "state"
        state.mkdir()
        settings = {
            "SOURCE__URL": _without_password(source.server).url(source.name),
            "SOURCE__PASSWORD": source.server.password,
            "DESTINATION__URL": _without_password(destination.server).url(destination.name),
            "DESTINATION__PASSWORD": destination.server.password,
            "STATE_DIR": str(state),
            "HTTP__LISTEN": self.listen,
            "PROFILE": "opendental",
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rowferry", "run"],
                env=_environment({f"ROWFERRY_{name}": value for name, value in settings.items() if value}),
                cwd=folder,  # where no .env and no rowferry.toml is
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is the demo's: it stops the daemon in its turn
            )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it in order; kill it if it does not listen."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def status(self) -> Status | None:
        """What it says of itself; None while it does not answer. Raises DaemonDied."""
        if (code := self._process.poll()) is not None:
            how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
            raise DaemonDied(f"the daemon ended by itself ({how}); the end of its log is above")
        try:
            with _OPENER.open(f"http://{self.listen}/status", timeout=_HTTP_SECONDS) as answer:
                return Status.parse(json.load(answer))
        except (urllib.error.URLError, TimeoutError, ConnectionError, json.JSONDecodeError):
            return None

    def watch(self, until: Callable[[], bool], *, every_seconds: float = _POLL_SECONDS) -> Iterator[Status]:
        """Its status again and again, until `until()` is true."""
        while not until():
            status = self.status()
            if status is not None:
                status.refuse_stopped()
                yield status
            time.sleep(every_seconds)

    def wait(
        self, what: str, wanted: Callable[[Status], bool], *, seconds: float, show: Callable[[Status], None]
    ) -> Status:
        """Wait for a status; `show` sees each one. Raises DemoFailed when it takes too long."""
        deadline = time.monotonic() + seconds
        for status in self.watch(lambda: time.monotonic() > deadline):
            show(status)
            if wanted(status):
                return status
        raise DemoFailed(f"{what} took more than {seconds:.0f} s")

    def log_tail(self) -> list[str]:
        """The last lines of its log."""
        return self.log.read_text("utf-8", "replace").splitlines()[-_LOG_TAIL_LINES:]


def _without_password(server: RunningServer) -> RunningServer:
    return replace(server, password="")


def _environment(settings: dict[str, str]) -> dict[str, str]:
    """The user's environment without Rowferry's own variables, plus these; the source tree is importable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROWFERRY_")}
    paths = [str(DAEMON_ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | settings | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
