"""A tiny process between us and a server, so that the server never outlives us.

Run as a script with the standard library only: `python -I -S supervisor.py CONFIG`, CONFIG being JSON.
It starts one server, prints its process id, and passes on the signals that are asked for on stdin
("signal 15"). When stdin ends or the parent is gone, however it went (kill -9 included), or when a
signal asks it to stop, it ends the server and removes the server's folder. Should the supervisor
itself be killed, the kernel kills the server (PR_SET_PDEATHSIG: reliable here, because the supervisor
has one thread; set from a program with threads, it would fire when the starting thread ends).
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PARENT_CHECK_SECONDS = 1.0
END_SECONDS = 8.0


def die_with_parent(death_signal: int) -> Callable[[], None]:
    """Make the function that a child calls before exec, so that the kernel ends it after us."""
    libc = ctypes.CDLL(None, use_errno=True)
    supervisor = os.getpid()

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(1)

    return prepare


def start_server(config: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start the server as the user it is to run as, its words going to the log file."""
    account = {}
    if config["uid"] is not None:
        account = {"user": config["uid"], "group": config["gid"], "extra_groups": []}
    with Path(config["log"]).open("ab") as log:
        return subprocess.Popen(
            config["command"],
            cwd=config["folder"],
            env={**os.environ, **config["environment"]},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(config["end_signal"]),  # noqa: PLW1509 - this process has one thread
            **account,
        )


def wake_on_signals() -> int:
    """Turn signals into bytes on a pipe that `select` can wait for; return its reading end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing)
    return reading


def obey(server: subprocess.Popen[bytes], orders: bytes) -> None:
    """Send the server each signal that the parent asked for."""
    for order in orders.decode().split("\n"):
        if order.startswith("signal "):
            server.send_signal(int(order.split()[1]))


def watch(server: subprocess.Popen[bytes], wakeups: int, parent: int) -> None:
    """Return when the server has ended, the parent is gone, or we are asked to stop."""
    while server.poll() is None:
        ready, _, _ = select.select([sys.stdin.fileno(), wakeups], [], [], PARENT_CHECK_SECONDS)
        if wakeups in ready and set(os.read(wakeups, 512)) - {signal.SIGCHLD}:
            return
        if sys.stdin.fileno() in ready:
            orders = os.read(sys.stdin.fileno(), 4096)
            if not orders:
                return
            obey(server, orders)
        if os.getppid() != parent:
            return


def end(server: subprocess.Popen[bytes], end_signal: int) -> None:
    """End the server: first as the configuration says, then for certain."""
    if server.poll() is None:
        server.send_signal(end_signal)
    try:
        server.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main() -> int:
    """Supervise one server until it ends or has to."""
    config = json.loads(sys.argv[1])
    wakeups = wake_on_signals()
    server = start_server(config)
    print(server.pid, flush=True)
    watch(server, wakeups, config["parent"])
    orphaned = server.poll() is None
    end(server, config["end_signal"])
    if orphaned and config["remove"] is not None:
        shutil.rmtree(config["remove"], ignore_errors=True)
    return 0 if server.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
