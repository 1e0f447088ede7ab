"""`rowferry run --standby`: wait until no other instance holds the dataset's lock. Takes nothing itself."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

from rowferry.destination import connect, is_locked
from rowferry.settings import DestinationSettings

POLL_SECONDS: Final = 1.0
_TICK_SECONDS: Final = 0.1


def stand_by(
    settings: DestinationSettings,
    stopping: threading.Event,
    began: Callable[[], None],
    waiting: Callable[[], None],
) -> bool:
    """Return once the lock is free, or `stopping` is set; whether there was anything to wait for.

    began: called once if the lock is held. waiting: called several times a second. Whoever asks for the lock
    then may find that another one was faster. Raises Unreachable, ConfigurationError.
    """
    with closing(connect(settings)) as session:
        if not is_locked(session, settings.dataset):
            return False
        began()
        while not stopping.is_set() and is_locked(session, settings.dataset):
            deadline = time.monotonic() + POLL_SECONDS * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            while time.monotonic() < deadline and not stopping.wait(_TICK_SECONDS):
                waiting()
    return True
