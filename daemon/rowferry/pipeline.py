"""The run loop: attempts, one after another, until told to stop or until nothing can help.

The one place that decides what an error means and logs it.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Collection
from contextlib import ExitStack
from types import FrameType
from typing import Final

from rowferry import __version__, logs
from rowferry.attempt import Attempt
from rowferry.board import Board
from rowferry.checkpoint import TableStatus
from rowferry.crash import where
from rowferry.daemon_state import Halted, Retrying, Starting, Stopping
from rowferry.endpoints import endpoints
from rowferry.errors import (
    ConfigurationError,
    ExitCode,
    FencedOff,
    LockHeld,
    RowferryError,
    TableStopped,
    Unreachable,
    at_stage,
)
from rowferry.loading import LazyLoader
from rowferry.metrics import Metrics
from rowferry.settings import LISTEN_OFF, Settings
from rowferry.standby import stand_by
from rowferry.startup import open_both, refuse_if_locked
from rowferry.state_dir import StateDirWatch
from rowferry.status_server import StatusServer

FIRST_BACKOFF_SECONDS: Final = 0.5
MAX_BACKOFF_SECONDS: Final = 30.0
SCRAPE_SECONDS: Final = 60.0
"""Who asks for /metrics no more often is not waited for."""
_SEND_SECONDS: Final = 1.0
_CALM_SECONDS: Final = 60.0


class Pipeline:
    """One daemon, or one `run --until-caught-up`."""

    def __init__(
        self,
        settings: Settings,
        *,
        until_caught_up: bool = False,
        required: Collection[str] | None = None,
        standby: bool = False,
    ) -> None:
        """Starts nothing yet. required: tables that must not be stopped at the end; None means all.

        standby: wait while another instance holds the lock, instead of ending.
        """
        self._settings = settings
        self._standby = standby
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
        watch = StateDirWatch(self._settings.state_dir, self._tell_state_dir)
        self._handle_signals()
        self._log.info("started", version=__version__)
        try:
            return self._attempts()
        except RowferryError as error:
            code = int(error.exit_code)
            self._log.error("ended_by_error", error=str(error), kind=error.kind, exit_code=code)
            self._wait_for_scrape()
            raise
        finally:
            self._loader.close()
            watch.close()
            if server is not None:
                server.close()
            self._log.info("stopped")

    def _wait_for_scrape(self) -> None:
        """Let Prometheus, if it has been asking, see why the process ends. Nothing is held meanwhile."""
        ended, last = time.monotonic(), self.board.scraped_at
        if last is None or ended - last > SCRAPE_SECONDS:
            return
        while self.board.scraped_at == last and time.monotonic() - ended < SCRAPE_SECONDS:
            if self._stopping.wait(0.1):
                return
            self.board.waiting()
        self._stopping.wait(_SEND_SECONDS)

    def _tell_state_dir(self, used: int, free: float) -> None:
        self.board.metrics.gauge("state_dir_bytes", used)
        self.board.metrics.gauge("state_dir_free_bytes", free)

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
                self._stand_by()
                return ExitCode.DONE if self._stopped_early() else self._attempt()
            except RowferryError as error:
                if self._stopping.is_set() and not self._until_caught_up:
                    return ExitCode.DONE
                self._consider(error, time.monotonic() - started)
            except Exception as error:  # noqa: BLE001 - the run loop's: a defect, told without its values
                raise RowferryError("go on", reason=f"internal error: {where(error)}") from None
            if self._stopping.is_set():
                return ExitCode.DONE
            self.board.enter(Starting())

    def _stopped_early(self) -> bool:
        return self._standby and self._stopping.is_set()

    def _stand_by(self) -> None:
        """Wait for the lock, if that is wanted; the loader forgets what it knew before another one's turn."""
        if self._standby and stand_by(
            self._settings.destination, self._stopping, self._begin_standby, self.board.waiting
        ):
            self._loader.close()
            self._loader = LazyLoader(self._settings)
            if not self._stopping.is_set():
                self._log.info("taking_over")
                self.board.enter(Starting())

    def _begin_standby(self) -> None:
        self.board.standing_by()
        self._log.info("standing_by")

    def _attempt(self) -> ExitCode:
        self.board.long_step()
        with ExitStack() as stack:
            with at_stage("start"):
                opened = stack.enter_context(open_both(self._settings))
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
        lasting = not error.transient and not self._is_own_lock(error) and not self._can_stand_by(error)
        if lasting or one_shot:
            self.board.enter(Halted(str(error)))
            raise error
        self._failures = 0 if lasted > _CALM_SECONDS else self._failures + 1
        seconds = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(self._failures - 1, 10))
        seconds *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        self._log.warning("retrying", error=str(error), kind=error.kind, seconds=round(seconds, 2))
        self.board.reconnecting(error)
        self.board.enter(Retrying(str(error)))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stopping.wait(0.1):
            self.board.waiting()

    def _is_own_lock(self, error: RowferryError) -> bool:
        """Whether the lock may still be held by a session of this daemon that Postgres takes for alive."""
        return self._opened and isinstance(error, LockHeld) and not isinstance(error, FencedOff)

    def _can_stand_by(self, error: RowferryError) -> bool:
        return self._standby and isinstance(error, LockHeld)

    def _serve(self) -> StatusServer | None:
        listen = self._settings.http.listen
        if listen == LISTEN_OFF or self._until_caught_up:
            return None
        try:
            return StatusServer(listen, endpoints(self.board, self._settings), self.board.sample_lag)
        except ConfigurationError:
            if not self._standby:
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
