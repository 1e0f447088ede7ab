"""Logging: events with fields through structlog, JSON for services, readable on a terminal.

No row value and no secret is ever a field. Messages of other libraries are kept at warnings.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO, cast

import structlog

from rowferry import terminal
from rowferry.settings import LogSettings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(settings: LogSettings) -> None:
    """Set up logging to stderr for this process."""
    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())
    renderer: Any = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, terminal.stderr)),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s")


def get() -> structlog.typing.FilteringBoundLogger:
    """The daemon's logger."""
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger())
