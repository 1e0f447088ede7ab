"""The one line of progress on a terminal, under the lines that are logged."""

from __future__ import annotations

import sys
import threading
from typing import TextIO


class Terminal:
    """A stream for log lines that keeps a line of progress below them.

    Without a terminal there is no such line.
    """

    def __init__(self, stream: TextIO) -> None:
        """stream: where both go."""
        self._stream = stream
        self._lock = threading.Lock()
        self._line = ""
        self.shows = stream.isatty()

    def write(self, text: str) -> int:
        """A part of a log line."""
        with self._lock:
            self._clear()
            return self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def progress(self, text: str) -> None:
        """Replace the line; "" takes it away."""
        if not self.shows:
            return
        with self._lock:
            self._clear()
            self._line = text
            self._stream.write(text)
            self._stream.flush()

    def _clear(self) -> None:
        if self._line:
            self._stream.write("\r\x1b[K")
            self._line = ""


stderr = Terminal(sys.stderr)
"""This process's."""
