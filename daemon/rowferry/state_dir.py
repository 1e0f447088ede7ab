"""How big the state directory is, and how much its file system has left: measured now and then, in a thread.

A file system that hangs holds up nothing but this.
"""

from __future__ import annotations

import math
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

PERIOD_SECONDS: Final = 10.0


class StateDirWatch:
    """Measures until `close`."""

    def __init__(self, folder: Path, tell: Callable[[int, float], None]) -> None:
        """Starts the thread. tell: given bytes used and bytes free (NaN: not known), in the thread."""
        self._folder = folder
        self._tell = tell
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="state-dir", daemon=True).start()

    def close(self) -> None:
        """Measure no more."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._tell(folder_bytes(self._folder), free_bytes(self._folder))
            self._stop.wait(PERIOD_SECONDS)


def folder_bytes(folder: Path) -> int:
    """Bytes that the files below the folder take; 0 without a folder. Files may come and go meanwhile."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).lstat().st_size
            except OSError:
                continue
    return total


def nearest_folder(folder: Path) -> Path:
    """The folder, or the one above it that exists. folder: absolute."""
    return next(f for f in (folder, *folder.parents) if f.exists())


def free_bytes(folder: Path) -> float:
    """Bytes that an account without special rights may still write there; NaN if that cannot be told."""
    try:
        return shutil.disk_usage(nearest_folder(folder.absolute())).free
    except OSError:
        return math.nan
