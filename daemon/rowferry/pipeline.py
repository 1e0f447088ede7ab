"""The run loop: attempts, one after another, until told to stop or until nothing can help.

The one place that decides what an error means and logs it.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Collection
from types import FrameType
from typing import Final

from rowferry import __version__, logs
from rowferry.attempt import Attempt
from rowferry.board import Board, Halted, Retrying, Starting, Stopping
from rowferry.checkpoint import TableStatus
from rowferry.crash import where
from rowferry.errors import (
    ConfigurationError,
    ExitCode,
    FencedOff,
    LockHeld,
    RowferryError,
    TableStopped,
    Unreachable,
)
from rowferry.loading import LazyLoader
from rowferry.metrics import Metrics
from rowferry.settings import LISTEN_OFF, Settings
from rowferry.startup import open_both, refuse_if_locked
from rowferry.status_server import Answer, StatusServer, as_json, as_text

FIRST_BACKOFF_SECONDS: Final = 0.5
MAX_BACKOFF_SECONDS: Final = 30.0
_CALM_SECONDS: Final = 60.0


class Pipeline:
    """One daemon, or one `run --until-caught-up`."""

    def __init__(
        self, settings: Settings, *, until_caught_up: bool = False, required: Collection[str] | None = None
    ) -> None:
        """Starts nothing yet. required: tables that must not be stopped at the end; None means all."""
        self._settings = settings
        self._until_caught_up = until_caught_up
        self._required = required
        self._stopping = threading.Event()
        self._log = logs.get()
        metrics = Metrics(__version__, settings.source.database)
        self.board = Board(metrics, settings.source.database, settings.destination.dataset)
        self._loader = LazyLoader(settings)
        self._failures = 0
        self._opened = False

    def run(self) -> ExitCode:
        """Run to the end. Raises RowferryError for what ends it."""
        os.umask(0o077)  # staged rows are written to the state directory
        server = self._serve()
        self._handle_signals()
        self._log.info("started", version=__version__)
        try:
            return self._attempts()
        except RowferryError as error:
            code = int(error.exit_code)
            self._log.error("ended_by_error", error=str(error), kind=error.kind, exit_code=code)
            raise
        finally:
            self._loader.close()
            if server is not None:
                server.close()
            self._log.info("stopped")

    def stop(self) -> None:
        """Ask for an end at the next batch boundary."""
        self.board.enter(Stopping())
        self._stopping.set()

    def _attempts(self) -> ExitCode:
        if not self._until_caught_up:
            self._loader.warm()
        while True:
            started = time.monotonic()
            try:
                return self._attempt()
            except RowferryError as error:
                if self._stopping.is_set() and not self._until_caught_up:
                    return ExitCode.DONE
                self._consider(error, time.monotonic() - started)
            except Exception as error:  # noqa: BLE001 - the run loop's: a defect, told without its values
                raise RowferryError("go on", reason=f"internal error: {where(error)}") from None
            if self._stopping.is_set():
                return ExitCode.DONE
            self.board.enter(Starting())

    def _attempt(self) -> ExitCode:
        with open_both(self._settings) as opened:
            self._opened = True
            attempt = Attempt(
                self._settings,
                opened,
                self._loader,
                self.board,
                self._stopping,
                until_caught_up=self._until_caught_up,
            )
            attempt.run()
            stopped = [r.table.id.name for r in opened.book.with_status(TableStatus.STOPPED)]
            stopped = [n for n in stopped if self._required is None or n in self._required]
        if self._until_caught_up and self._stopping.is_set():
            raise RowferryError("catch up", reason="it was interrupted; the next start goes on from there")
        if self._until_caught_up and stopped:
            names = ", ".join(sorted(stopped))
            raise TableStopped(
                "catch up with every table", f"stopped: {names}", hint="`rowferry status` says why"
            )
        return ExitCode.DONE

    def _consider(self, error: RowferryError, lasted: float) -> None:
        """Wait before the next attempt, or raise the error if no attempt can help."""
        self.board.failed(error)
        one_shot = self._until_caught_up and isinstance(error, Unreachable)
        lasting = not error.transient and not self._is_own_lock(error)
        if lasting or one_shot:
            self.board.enter(Halted(str(error)))
            raise error
        self._failures = 0 if lasted > _CALM_SECONDS else self._failures + 1
        seconds = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(self._failures - 1, 10))
        seconds *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        self._log.warning("retrying", error=str(error), kind=error.kind, seconds=round(seconds, 2))
        self.board.metrics.reconnect(getattr(error, "side", "destination"))
        self.board.enter(Retrying(str(error)))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stopping.wait(0.1):
            self.board.waiting()

    def _is_own_lock(self, error: RowferryError) -> bool:
        """Whether the lock may still be held by a session of this daemon that Postgres takes for alive."""
        return self._opened and isinstance(error, LockHeld) and not isinstance(error, FencedOff)

    def _serve(self) -> StatusServer | None:
        listen = self._settings.http.listen
        if listen == LISTEN_OFF or self._until_caught_up:
            return None
        board = self.board
        answers: dict[str, Callable[[], Answer]] = {
            "/metrics": lambda: (200, "text/plain; version=0.0.4; charset=utf-8", board.render_metrics()),
            "/livez": lambda: as_text(200, "ok") if board.alive() else as_text(503, "stalled"),
            "/readyz": lambda: as_text(200 if board.ready() else 503, board.state.name),
            "/status": lambda: as_json(200, board.status()),
        }
        try:
            return StatusServer(listen, answers)
        except ConfigurationError:
            refuse_if_locked(self._settings)  # the port is taken by the instance that runs, as a rule
            raise

    def _handle_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """The first signal ends at a batch boundary, the second at once."""
        if self._stopping.is_set():
            os._exit(128 + number)
        self.stop()
