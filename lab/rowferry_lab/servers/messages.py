"""The one line for people that a slow step owes them, on stderr."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print one line; whole lines, so that servers starting in parallel do not mix theirs."""
    sys.stderr.write(f"lab: {text}\n")
    sys.stderr.flush()
