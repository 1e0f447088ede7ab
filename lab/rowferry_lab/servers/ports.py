"""Ports of our own on the loopback interface."""

from __future__ import annotations

import random
import socket
import threading

LOOPBACK = "127.0.0.1"

# Below the range from which the kernel takes the ports of outgoing connections (32768 and up): there, a
# connection could take a server's port while that server is being restarted.
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
_TRIES = 200

_handed_out: set[int] = set()
_lock = threading.Lock()


def free_port() -> int:
    """Give a port that nobody listens on, and that this process gives to nobody else."""
    with _lock:
        for _ in range(_TRIES):
            port = random.randint(_FIRST_PORT, _LAST_PORT)
            if port not in _handed_out and _is_free(port):
                _handed_out.add(port)
                return port
    raise OSError(f"no free port between {_FIRST_PORT} and {_LAST_PORT} in {_TRIES} tries")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
