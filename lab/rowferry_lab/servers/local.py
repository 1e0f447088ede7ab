"""Starts a server out of binaries on this machine, and ends it again.

The data directory is a copy of a template that is made once per version and kept in the cache.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rowferry_lab.servers import accounts, cache
from rowferry_lab.servers.binaries import Binaries
from rowferry_lab.servers.engine import Answer, Engine, Place
from rowferry_lab.servers.errors import PortTaken, ProviderUnavailable, ServerFailed
from rowferry_lab.servers.messages import say
from rowferry_lab.servers.mysql_family import MariaDb, MySql
from rowferry_lab.servers.ports import LOOPBACK, free_port
from rowferry_lab.servers.postgres import Postgres
from rowferry_lab.servers.process import Launch, SupervisedProcess, children_of, kill_all
from rowferry_lab.servers.running import RunningServer
from rowferry_lab.servers.spec import Product, ServerSpec, split_options

_READY_SECONDS = 60.0
_SHUTDOWN_SECONDS = 30.0
_POLL_SECONDS = 0.03
_START_TRIES = 3
_SOCKET_PATH_BYTES = 60  # the system's limit is 107, and a file name follows
_RECIPE = "1"  # changes when data directories are made in another way

ENGINES: dict[Product, Engine] = {"mariadb": MariaDb(), "mysql": MySql(), "postgres": Postgres()}


@dataclass(frozen=True, slots=True)
class Installation:
    """What a server is started from: whose wish, which binaries, and who found them."""

    spec: ServerSpec
    provider: str
    binaries: Binaries

    @property
    def engine(self) -> Engine:
        """The product's ways."""
        return ENGINES[self.spec.product]

    @property
    def account(self) -> accounts.Account | None:
        """The user to run as."""
        return accounts.account_for(self.spec.product)


class LocalServer:
    """A server process of ours with its folder; implements `running.Handle`."""

    def __init__(self, installation: Installation, options: Sequence[str], place: Place) -> None:
        """Choose its port; nothing runs yet."""
        self._installation = installation
        self._environment, self._options = split_options(options)
        self._place = place
        self._process: SupervisedProcess | None = None
        self.port = free_port()

    @property
    def pid(self) -> int | None:
        """The server's process id."""
        return self._process.pid if self._process else None

    def start(self) -> Answer:
        """Start the process and wait until it answers as ours."""
        engine, place = self._installation.engine, self._place
        throwaway = place.folder if _owns_data(place) else None
        self._process = SupervisedProcess(
            Launch(
                command=engine.command(self._installation.binaries, place, self.port, self._options),
                environment=self._environment,
                folder=place.folder,
                log=place.log,
                account=self._installation.account,
                end_signal=engine.abrupt_end if throwaway else engine.clean_end,
                remove=place.folder,
            )
        )
        return self._wait_until_ready(self._process)

    def _wait_until_ready(self, process: SupervisedProcess) -> Answer:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if not process.is_running():
                raise self._failure("starting it")
            answer = self._installation.engine.ask(LOOPBACK, self.port)
            # Somebody else's server may have taken the port: only ours has our data directory.
            if answer is not None and answer.data.resolve() == self._place.data.resolve():
                return answer
            time.sleep(_POLL_SECONDS)
        process.end(signal.SIGKILL, _SHUTDOWN_SECONDS)
        raise self._failure(f"getting ready within {_READY_SECONDS:.0f} s")

    def _failure(self, operation: str) -> ServerFailed:
        log = self._place.log.read_text(errors="replace") if self._place.log.exists() else ""
        taken = any(words in log for words in self._installation.engine.taken_port_words)
        kind = PortTaken if taken else ServerFailed
        return kind(self._installation.spec, operation, "its log ends with\n" + _tail(log))

    def move(self) -> None:
        """Take another port, after the first turned out to be somebody else's."""
        self.port = free_port()
        self._place.log.unlink(missing_ok=True)

    def shut_down(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.end(self._installation.engine.clean_end, _SHUTDOWN_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End it by SIGKILL, the processes of its own included."""
        if self._process is not None:
            children = children_of(self._process.pid)
            self._process.end(signal.SIGKILL, _SHUTDOWN_SECONDS)
            kill_all(children)
            self._process = None

    def restart(self) -> None:
        """Start it again on the same port and data."""
        self.shut_down()
        self.start()

    def stop(self) -> None:
        """End it in order and remove its folder."""
        self.shut_down()
        self._remove()

    def discard(self) -> None:
        """End it at once, if its data is to be removed anyway."""
        if self._process is not None and _owns_data(self._place):
            self._process.end(self._installation.engine.abrupt_end, _SHUTDOWN_SECONDS)
            self._process = None
        self.stop()

    def _remove(self) -> None:
        shutil.rmtree(self._place.folder, ignore_errors=True)


def start_local(installation: Installation, options: Sequence[str], data_dir: Path | None) -> RunningServer:
    """Make a place for the server, start it there, and give it out."""
    with ExitStack() as undo:
        place = _make_place(installation, data_dir)
        undo.callback(shutil.rmtree, place.folder, ignore_errors=True)
        if not any(place.data.iterdir()):
            initial = installation.engine.initial_options(options)
            cache.copy_folder(_template(installation, initial), place.data)
        accounts.give_to(installation.account, place.folder)
        accounts.give_to(installation.account, place.data)
        server = LocalServer(installation, options, place)
        undo.callback(server.discard)
        answer = _start_on_some_port(server)
        undo.pop_all()
    return RunningServer(
        spec=installation.spec,
        provider=installation.provider,
        host=LOOPBACK,
        port=server.port,
        user=installation.engine.user,
        password="",
        version_text=answer.version_text,
        handle=server,
    )


def _start_on_some_port(server: LocalServer) -> Answer:
    for _ in range(_START_TRIES - 1):
        try:
            return server.start()
        except PortTaken:
            server.move()
    return server.start()


def _owns_data(place: Place) -> bool:
    return place.data.is_relative_to(place.folder)


def _make_place(installation: Installation, data_dir: Path | None = None) -> Place:
    base = tempfile.gettempdir()
    if len(base.encode()) > _SOCKET_PATH_BYTES:
        base = "/tmp"  # noqa: S108 - mkdtemp makes a folder of our own there
    folder = Path(tempfile.mkdtemp(prefix=f"rowferry-{installation.spec.folder_name}-", dir=base))
    place = Place(folder, data_dir.resolve() if data_dir else folder / "data")
    place.scratch.mkdir()
    place.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def _template(installation: Installation, initial: Sequence[str]) -> Path:
    """Give a data directory that was initialised before, or initialise it now."""
    binaries = installation.binaries
    facts = (*binaries.command, binaries.program.stat().st_mtime_ns, binaries.version, *initial, _RECIPE)
    account = installation.account
    fingerprint = hashlib.sha256(repr((facts, account)).encode()).hexdigest()[:12]
    name = f"{installation.spec.folder_name}.data-{fingerprint}"
    return cache.build_once(
        cache.cache_folder() / name, lambda target: _initialise(installation, initial, target)
    )


def _initialise(installation: Installation, initial: Sequence[str], target: Path) -> None:
    say(f"initialising a data directory of {installation.spec.title}, once")
    place = _make_place(installation)
    try:
        accounts.give_to(installation.account, place.folder)
        installation.engine.initialise(installation.binaries, place, initial)
        cache.copy_folder(place.data, target)
    except (OSError, subprocess.CalledProcessError) as error:
        words = _tail(str(getattr(error, "stderr", "") or error))
        raise ProviderUnavailable(installation.spec, f"its data directory cannot be made: {words}") from error
    finally:
        shutil.rmtree(place.folder, ignore_errors=True)


def _tail(text: str, lines: int = 12) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
