"""Logging: events with fields through structlog, JSON for services, readable on a terminal.

No row value and no secret is ever a field: messages of other libraries, which could hold either, are
reduced to where they come from. A failure to write a line is not a failure of the daemon.

The journal's form has a priority before each line: https://www.freedesktop.org/software/systemd/man/sd-daemon.html
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final, Protocol, cast

import structlog

from rowferry import crash, terminal
from rowferry.repeats import Event, Repeats
from rowferry.settings import LogSettings

MAX_TEXT: Final = 4_096
"""Characters of one field; longer texts are cut."""

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


class Output(Protocol):
    """Where lines go."""

    def write(self, text: str) -> object:
        """Write them."""

    def flush(self) -> object:
        """Have them written now."""


def configure(settings: LogSettings, output: Output = terminal.stderr, **bound: str) -> None:
    """Set up logging to stderr for this process. bound: fields that every line has.

    Also takes over what Python and other libraries would print by themselves.
    """
    lines = Lines(make_render(choose_form(settings.format)), bound)
    _current.lines, _current.output = lines, output
    structlog.configure(
        processors=[structlog.processors.add_log_level, lines],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
        logger_factory=lambda *_: _Writer(output),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Relay()], force=True)
    crash.install(_tell_defect, _tell_warning)


def get() -> structlog.typing.FilteringBoundLogger:
    """The daemon's logger."""
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger())


def tell_held_back() -> None:
    """Write what repeats held back and whose time is over."""
    if _current.lines is not None and _current.output is not None and (text := _current.lines.due()):
        _Writer(_current.output).msg(text)


def choose_form(setting: str) -> str:
    """`text`, `json` or `journal`: what the setting asks for, or what stderr is connected to."""
    if setting != "auto":
        return setting
    if sys.stderr.isatty():
        return "text"
    return "journal" if is_journal(os.environ.get("JOURNAL_STREAM", ""), sys.stderr) else "json"


def is_journal(announced: str, stream: Any) -> bool:
    """Whether a stream is the one to the journal. announced: systemd's $JOURNAL_STREAM, device:inode."""
    if not announced or not crash.has_descriptor(stream):
        return False
    found = os.fstat(stream.fileno())
    return announced == f"{found.st_dev}:{found.st_ino}"


def fault_mark() -> str:
    """What goes before a line that tells of a fault and is no log line: its priority in the journal."""
    is_there = is_journal(os.environ.get("JOURNAL_STREAM", ""), sys.stderr)
    return f"<{_PRIORITIES['error']}>" if is_there else ""


def make_render(form: str) -> Callable[[Event], str]:
    """Writes an event as a line of that form."""
    if form == "text":
        console = structlog.dev.ConsoleRenderer(
            pad_event_to=0, timestamp_key="time", colors=sys.stderr.isatty()
        )
        return lambda event: str(console(None, "", _plain(event)))
    if form == "journal":
        return lambda event: f"<{_PRIORITIES.get(str(event.get('level')), 6)}>{as_json(event)}"
    return as_json


def as_json(event: Event) -> str:
    """One document in one line."""
    return json.dumps(_plain(event))


def _plain(value: Any) -> Any:
    """Without numbers that JSON cannot have, and without texts that are too long.

    Of an object that is no text, number or list, its type alone is told: it could print anything.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[:MAX_TEXT] + "…"
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, str | int | float) else f"<{type(value).__name__}>"


class Lines:
    """Makes the lines of events; structlog's last processor. May be called in any thread."""

    def __init__(self, render: Callable[[Event], str], bound: Mapping[str, str]) -> None:
        """bound: fields of every line."""
        self._render = render
        self._bound = bound
        self._repeats = Repeats()
        self._lock = threading.Lock()

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        """The lines for an event. Raises structlog.DropEvent where there is none to write now."""
        with self._lock:
            events = self._repeats.pass_on(event, time.monotonic(), _now())
            if event.get("event") == "stopped":
                events = [*self._repeats.flush(), *events]
        if not events:
            raise structlog.DropEvent
        return self._lines(events)

    def due(self) -> str:
        """The lines for repeats whose time is over; "" for none."""
        with self._lock:
            events = list(self._repeats.due(time.monotonic()))
        return self._lines(events)

    def _lines(self, events: Iterable[Event]) -> str:
        return "\n".join(self._render(self._in_order(event)) for event in events)

    def _in_order(self, event: Event) -> Event:
        first = {"time": _now(), "level": event.get("level"), "event": event.get("event")}
        return {**first, **self._bound, **{k: v for k, v in event.items() if k not in first}}


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Writer:
    """structlog's logger below all others: one write a line, one line at a time."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def msg(self, text: str) -> None:
        """Write; a full disk or a reader that went away loses the line and nothing else."""
        with contextlib.suppress(OSError), _writing:
            self._output.write(text + "\n")
            self._output.flush()

    debug = info = warning = error = critical = msg


class _Relay(logging.Handler):
    """What other libraries log: told by place. Their texts may hold values of rows, so they are dropped."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log it as an event of ours."""
        log = get()
        place = f"{Path(record.pathname).name}:{record.lineno}"
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        if record.levelno >= logging.ERROR:
            log.error("library_message", logger=record.name, place=place, kind=kind)
        else:
            log.warning("library_message", logger=record.name, place=place, kind=kind)


class _Current:
    """What `configure` has set up last."""

    lines: Lines | None = None
    output: Output | None = None


_current = _Current()
_writing = threading.Lock()


def _tell_defect(thread: str, place: str) -> None:
    log = get()
    log.error("internal_error", thread=thread, place=place)


def _tell_warning(kind: str, place: str) -> None:
    log = get()
    log.warning("library_message", logger="python", place=place, kind=kind)
