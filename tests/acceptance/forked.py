"""The command line in processes of their own, forked from one that has imported it.

To import everything takes a second of computing, and the tests run some thousand commands. What is tested is
the same from the first line of `main` on. Whatever is about the start itself (test_commands.py, terminals)
runs `python -m rowferry`.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]


class ForkServer:
    """Asks the process of fork_server.py."""

    def __init__(self) -> None:
        """Start it; it ends with this process."""
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        clean = {k: v for k, v in os.environ.items() if not k.startswith("ROWFERRY_")}
        self._process = subprocess.Popen(
            [sys.executable, str(FOLDER / "fork_server.py")],
            stdin=theirs.fileno(),
            env={**clean, "PYTHONPATH": str(ROOT / "daemon")},
        )
        theirs.close()
        atexit.register(self.close)

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()

    def ask(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> dict[str, Any]:
        """Its answer."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
            answer: dict[str, Any] = json.loads(self._socket.recv(1 << 16))
        return answer


@cache
def server() -> ForkServer:
    """This process's."""
    return ForkServer()


class Forked:
    """A command's process; the part of `subprocess.Popen` that the tests use."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        stdout: IO[Any] | None = None,
        stderr: IO[Any] | None = None,
    ) -> None:
        """Start it. The streams that are not given are this process's own; stdin is empty."""
        request = {"arguments": arguments, "environment": environment, "folder": str(folder)}
        out = stdout.fileno() if stdout else 1
        error = stderr.fileno() if stderr else 2
        with Path(os.devnull).open("rb") as nothing:
            self.pid = int(server().ask(request, (nothing.fileno(), out, error))["pid"])
        self.returncode: int | None = None
        self._ended = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """The exit code, once it has ended."""
        return self._reap(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        code = self._reap(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("rowferry", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it has not ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._ended, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _reap(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], timeout)[0]:
            self.returncode = int(server().ask({"reap": self.pid})["status"])
            os.close(self._ended)
        return self.returncode


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. Raises subprocess.TimeoutExpired when it has been killed for its time."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        process = Forked(arguments, environment, folder, stdout=out, stderr=error)
        try:
            process.wait(timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        texts = []
        for stream in (out, error):
            stream.seek(0)
            texts.append(stream.read().decode())
    return subprocess.CompletedProcess(["rowferry", *arguments], process.wait(), *texts)
