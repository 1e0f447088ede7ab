"""Failpoints: a place that is armed ends the process at its n-th hit, and at no other time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from rowferry import failpoints

PACKAGE = Path(failpoints.__file__).parent
PROGRAM = """
from rowferry import failpoints
for number in range(4):
    print(number, flush=True)
    failpoints.hit("after-read")
    failpoints.hit("before-load")
"""


def run(armed: str | None) -> tuple[int, list[str]]:
    """Exit code and the numbers printed."""
    environment = {k: v for k, v in os.environ.items() if k != failpoints.ENVIRONMENT_VARIABLE}
    environment["PYTHONPATH"] = str(PACKAGE.parent)
    if armed is not None:
        environment[failpoints.ENVIRONMENT_VARIABLE] = armed
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.split()


def test_nothing_happens_unless_armed() -> None:
    """As in production."""
    assert run(None) == (0, ["0", "1", "2", "3"])
    assert run("") == (0, ["0", "1", "2", "3"])


def test_the_first_hit_kills() -> None:
    """SIGKILL: no handler, no flush, no goodbye."""
    assert run("before-load") == (-signal.SIGKILL, ["0"])


def test_the_nth_hit_kills_and_other_places_do_not_count() -> None:
    """So that a crash test can walk through a run."""
    assert run("before-load:3") == (-signal.SIGKILL, ["0", "1", "2"])


def test_another_place_does_not_kill() -> None:
    """Only the one that is armed."""
    assert run("after-commit:1")[0] == 0


def test_every_place_in_the_code_is_listed_and_every_listed_one_is_in_the_code() -> None:
    """A crash test that arms a place which is gone would pass without a crash."""
    code = "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    assert set(re.findall(r'failpoints\.hit\("([^"]+)"\)', code)) == set(failpoints.NAMES)
