"""A process that has imported the command line and forks a process for each command that is asked for.

Run as a script by `forked`, with a Unix socket as its stdin; ends when the other end is closed. Messages are
JSON: {"arguments", "environment", "folder"} with the three standard streams as file descriptors gives
{"pid"}; {"reap": pid} gives {"status"} of a child that has ended.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
from typing import Any

import rowferry.load  # noqa: F401 - the point of it: what takes long to import is there before the fork
from rowferry import cli, failpoints

MESSAGE_BYTES = 1 << 20


def serve(client: socket.socket) -> list[str] | None:
    """Answer until the client has gone. In a child: the arguments of its command."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(client, MESSAGE_BYTES, 3)
        if not message:
            return None
        request: dict[str, Any] = json.loads(message)
        if "reap" in request:
            _, status = os.waitpid(request["reap"], 0)
            client.send(json.dumps({"status": os.waitstatus_to_exitcode(status)}).encode())
            continue
        pid = os.fork()
        if pid == 0:
            become(request, descriptors)
            client.close()
            arguments: list[str] = request["arguments"]
            return arguments
        for descriptor in descriptors:
            os.close(descriptor)
        client.send(json.dumps({"pid": pid}).encode())


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Take on the command's streams, folder and environment."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    importlib.reload(failpoints)  # it reads the environment when it is imported


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    command = serve(socket.socket(fileno=os.dup(0)))
    if command is not None:
        sys.exit(cli.main(command))
