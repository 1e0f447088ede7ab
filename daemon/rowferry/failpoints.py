"""Named places on the data's way at which the process can be killed, for crash tests.

Inactive unless the environment variable ROWFERRY_FAILPOINT holds `name` or `name:n`: then the n-th
hit of that place ends the process with SIGKILL, as the kernel or a power cut would.
"""

from __future__ import annotations

import os
import signal
from typing import Final

ENVIRONMENT_VARIABLE: Final = "ROWFERRY_FAILPOINT"
NAMES: Final = (
    "after-read",
    "in-decode",
    "before-load",
    "load-staged",
    "load-merged",
    "before-commit",
    "after-commit",
    "copy-chunk-read",
)

_armed, _, _count = os.environ.get(ENVIRONMENT_VARIABLE, "").partition(":")
_remaining = int(_count or "1")


def hit(name: str) -> None:
    """Kill the process here if the place called `name` is armed and this is its n-th hit."""
    if name == _armed:
        _countdown()


def _countdown() -> None:
    global _remaining  # noqa: PLW0603 - a countdown of the process's own life
    _remaining -= 1
    if _remaining <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
