"""`rowferry health`: asks the running daemon's HTTP server whether it works; for health checks of containers.

Imports little, so that it may run every few seconds. Knows nothing of the servers and of what is carried.
"""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import Final

from rowferry.errors import ConfigurationError
from rowferry.setting_groups import LISTEN_OFF, split_listen

TIMEOUT_SECONDS: Final = 5.0
MOST_BYTES: Final = 200
_EVERY: Final = "0.0.0.0"  # noqa: S104 - compared with, never bound
_LOOPBACK: Final = {"": "127.0.0.1", _EVERY: "127.0.0.1", "::": "::1"}


def ask(listen: str, *, ready: bool) -> tuple[bool, str]:
    """Whether the daemon says 200, and what it says, in one line.

    listen: the setting `http.listen`, address:port; where it means every address, the loopback one is asked.
    ready: ask `/readyz` instead of `/livez`. Raises ConfigurationError if the HTTP server is off.
    """
    if listen == LISTEN_OFF:
        raise ConfigurationError("ask for the health", "http.listen=off", reason="the daemon serves no HTTP")
    host, port = split_listen(listen)
    connection = HTTPConnection(_LOOPBACK.get(host, host), int(port), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz" if ready else "/livez")
        response = connection.getresponse()
        said = response.read(MOST_BYTES).decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        return False, f"no answer from {listen}: {getattr(error, 'strerror', None) or type(error).__name__}"
    finally:
        connection.close()
    return response.status == 200, said.partition("\n")[0] or str(response.status)
