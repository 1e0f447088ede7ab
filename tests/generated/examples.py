"""How many examples a test on real servers takes, and for which server.

By default the same few each time. ROWFERRY_LAB_EXAMPLES=50 makes that many new ones.
"""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, Phase, settings

from rowferry_lab.servers import RunningServer
from tests.generated.kinds import Server

_WANTED: Final = int(os.environ.get("ROWFERRY_LAB_EXAMPLES", "0"))


def examples(usual: int) -> settings:
    """Settings for a property that takes seconds: nothing is shrunk, and nothing is kept on disk."""
    return settings(
        max_examples=_WANTED or usual,
        derandomize=not _WANTED,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def server_of(source: RunningServer) -> Server:
    """What the generators must know of a server."""
    major, minor = map(int, source.spec.version.split(".")[:2])
    return Server(source.spec.product == "mysql", (major, minor))
