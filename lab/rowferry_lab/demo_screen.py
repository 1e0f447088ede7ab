"""What the demo shows a person: calm lines on stdout, and a line updated in place on a terminal.

Knows how to print, not what. Obeys NO_COLOR and needs no terminal.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Final, TextIO

_BOLD, _GREEN, _RED, _RESET = "\x1b[1m", "\x1b[32m", "\x1b[31m", "\x1b[0m"
_CLEAR_LINE: Final = "\r\x1b[K"
_QUIET_SECONDS: Final = 5.0


class Screen:
    """Lines for people."""

    def __init__(self, stream: TextIO | None = None, environment: Mapping[str, str] = os.environ) -> None:
        """stream: stdout unless given."""
        self._stream = stream if stream is not None else sys.stdout
        self._in_place = self._stream.isatty() and environment.get("TERM", "") != "dumb"
        self._color = self._in_place and not environment.get("NO_COLOR")
        self._open_line = False
        self._last_progress = float("-inf")

    def heading(self, text: str) -> None:
        """The title of a part."""
        self._write("\n" + self._styled(text, _BOLD) + "\n")
        self._last_progress = float("-inf")

    def line(self, text: str) -> None:
        """One line of a part."""
        self._write(f"  {text}\n")

    def progress(self, text: str) -> None:
        """A line that the next one replaces; without a terminal, a line every few seconds."""
        if self._in_place:
            self._write(f"  {text}")
            self._open_line = True
        elif time.monotonic() - self._last_progress >= _QUIET_SECONDS:
            self._last_progress = time.monotonic()
            self.line(text)

    def verdict(self, text: str, *, good: bool) -> None:
        """The last word."""
        self._write("\n" + self._styled(text, _GREEN if good else _RED) + "\n")

    def failure(self, text: str) -> None:
        """One clear line on stderr."""
        self._write("")
        sys.stderr.write(f"demo: {text}\n")
        sys.stderr.flush()

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{_RESET}" if self._color else text

    def _write(self, text: str) -> None:
        if self._open_line:
            self._open_line = False
            text = _CLEAR_LINE + text
        self._stream.write(text)
        self._stream.flush()
