"""`rowferry verify --repair`: have the rows that differ replaced by what the source holds now.

The keys go to whoever runs the pipeline, as requests; it reads the rows again and loads them through its
queue, so that no change of the stream is undone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from rowferry.destination import Session
from rowferry.errors import RowferryError
from rowferry.judging import Difference
from rowferry.requests import MAX_KEYS, REPAIR, ask, read_requests

PATIENCE_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.2
_OPEN: Final = ("waiting", "running")


def repair(
    session: Session,
    dataset: str,
    table: str,
    differences: Sequence[Difference],
    alive: Callable[[], None],
) -> None:
    """Ask for the rows, and wait until they are mended.

    alive: raises if nobody is there to do it. Raises RowferryError if that refuses, or does nothing for long.
    """
    numbers = []
    for start in range(0, len(differences), MAX_KEYS):
        keys = [(d.key, d.there) for d in differences[start : start + MAX_KEYS]]
        numbers.append(ask(session, dataset, REPAIR, table, keys))
    left, moved = len(numbers), time.monotonic()
    while left:
        time.sleep(_POLL_SECONDS)
        alive()
        requests = read_requests(session, dataset, numbers)
        if failed := [r.error for r in requests if r.state == "failed"]:
            raise RowferryError("repair", f"table {table}", reason=failed[0])
        now = sum(r.state in _OPEN for r in requests)
        if now < left:
            left, moved = now, time.monotonic()
        if time.monotonic() - moved > PATIENCE_SECONDS:
            reason = "nobody has seen to it for five minutes"
            raise RowferryError("repair", f"table {table}", reason=reason, hint="`rowferry status` says more")
