"""What is told of a defect: its type and its place. Never its message, which could hold a row's value.

Python's own ways to tell of errors that nobody caught print that message; `install` replaces them.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

Tell = Callable[[str, str], None]
"""Told of a defect: the name of its thread, and its type and place."""


def where(error: BaseException) -> str:
    """An unexpected error's type and place; its message could hold a row value."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown place"
    ours = [f for f in frames if "rowferry" in f.filename]
    via = f" via {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__} at {place}{via}"


def install(tell: Tell, tell_warning: Tell) -> None:
    """Have errors that nobody caught told by `tell`, and Python's warnings by `tell_warning`.

    tell_warning: called with the warning's category and place. A crash inside a library's machine code, and
    the signal USR1 (kill -USR1), write the stacks of all threads to stderr: names and lines of code alone.
    """

    def of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
            tell(args.thread.name if args.thread else "", where(args.exc_value))

    def of_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        tell("main", where(error.with_traceback(trace)))
        if not issubclass(kind, KeyboardInterrupt):
            sys.stderr.write("rowferry: cannot go on: internal error; the line before this one says where\n")

    def of_nobody(args: Any) -> None:
        if args.exc_value is not None:
            tell(threading.current_thread().name, where(args.exc_value))

    def of_warning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del message, file, line  # the text could hold anything
        tell_warning(category.__name__, f"{Path(filename).name}:{lineno}")

    threading.excepthook = of_thread
    sys.excepthook = of_main
    sys.unraisablehook = of_nobody
    warnings.showwarning = of_warning
    if has_descriptor(sys.stderr):
        faulthandler.enable()
        faulthandler.register(signal.SIGUSR1)


def has_descriptor(stream: Any) -> bool:
    """Whether a stream is a file of the operating system, and no stand-in for one."""
    try:
        return bool(stream.fileno() >= 0)
    except (AttributeError, OSError, ValueError):  # io.UnsupportedOperation is both of the last
        return False
