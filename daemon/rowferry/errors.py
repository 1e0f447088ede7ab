"""The error tree: what failed, on which object, what to do, and whether a retry can help.

Holds no policy about who retries (the run loop decides) and never a row value or a secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """Exit codes of the command line (sysexits.h where it has a fitting one)."""

    DONE = 0
    FAILURE = 1
    USAGE = 2
    DIFFERENCES = 3
    UNREACHABLE = 69
    LOCKED = 75
    CONFIGURATION = 78


class RowferryError(Exception):
    """Base of every error that Rowferry raises on purpose.

    operation: what was being done ("read the binlog"). obj: on what ("table clinic.patient").
    hint: the way out, as a sentence for the operator. Subclasses fix `transient` and `exit_code`.
    stage: where in the daemon's life it came up, for the metrics; see `at_stage`.
    """

    transient = False
    exit_code = ExitCode.FAILURE
    kind = "internal"
    stage = ""

    def __init__(self, operation: str, obj: str = "", *, reason: str = "", hint: str = "") -> None:
        """Keep the parts apart, so that a log line has fields and a terminal has one sentence."""
        self.operation = operation
        self.obj = obj
        self.reason = reason
        self.hint = hint
        super().__init__(self.describe())

    def describe(self) -> str:
        """One line: what, where, why, what to do."""
        hint = f". {self.hint}" if self.hint else ""
        return " ".join(f"{self.sentence()}{hint}".split())

    def sentence(self) -> str:
        """The same without what to do."""
        text = f"cannot {self.operation}"
        if self.obj:
            text += f" ({self.obj})"
        if self.reason:
            text += f": {self.reason}"
        return " ".join(text.split())


@contextmanager
def at_stage(stage: str) -> Iterator[None]:
    """Errors that come up in here are of that stage, unless an inner block has said which."""
    try:
        yield
    except RowferryError as error:
        error.stage = error.stage or stage
        raise


class UsageError(RowferryError):
    """The command line is wrong; nothing was started."""

    exit_code = ExitCode.USAGE
    kind = "usage"


class ConfigurationError(RowferryError):
    """The settings are wrong; nothing was started."""

    exit_code = ExitCode.CONFIGURATION
    kind = "configuration"


class Unreachable(RowferryError):
    """A server cannot be reached, or the connection to it was lost; retrying can help."""

    transient = True
    exit_code = ExitCode.UNREACHABLE
    kind = "unreachable"

    def __init__(self, side: str, operation: str, obj: str = "", *, reason: str = "", hint: str = "") -> None:
        """side: "source" or "destination"."""
        self.side = side
        super().__init__(operation, obj, reason=reason, hint=hint)


class LockHeld(RowferryError):
    """Another instance holds the lock on the dataset."""

    exit_code = ExitCode.LOCKED
    kind = "lock"


class FencedOff(LockHeld):
    """Another instance took over: this one's epoch is no longer the checkpoint's."""

    kind = "fenced"


class StreamStopped(RowferryError):
    """The stream cannot go on without a person: nothing was skipped, the checkpoint stays."""

    kind = "stream"

    def __init__(
        self,
        operation: str,
        obj: str = "",
        *,
        reason: str = "",
        hint: str = "",
        unknown_event: int | None = None,
    ) -> None:
        """unknown_event: the type number of a binlog event that nobody here knows, if that is why."""
        self.unknown_event = unknown_event
        super().__init__(operation, obj, reason=reason, hint=hint)


class PositionLost(StreamStopped):
    """The checkpoint's binlog position no longer exists on this server."""

    kind = "position_lost"


class TableStopped(RowferryError):
    """One table cannot be carried exactly; it stops, the others go on."""

    kind = "table"
    policy = ""


class RowRefused(TableStopped):
    """A row cannot be carried, and its column's policy is to stop the table. policy: which one."""

    def __init__(self, policy: str, obj: str, *, reason: str, hint: str) -> None:
        """obj: table, column and key of the row."""
        self.policy = policy
        super().__init__("carry a value", obj, reason=reason, hint=hint)


class TableRefused(TableStopped):
    """The destination refuses one table's rows as they are; the load was rolled back."""

    kind = "table_load"
    table: Any


class SchemaMoved(RowferryError):
    """A table no longer looks as it did a moment ago; the DDL event will say how."""

    transient = True
    kind = "schema_moved"


class SelectTooLong(RowferryError):
    """The source ended a SELECT that took longer than it may; fewer rows at once can help."""

    transient = True
    kind = "select_too_long"


class LoadFailed(RowferryError):
    """A load was rolled back; the checkpoint did not move. Retrying can help."""

    transient = True
    kind = "load"


class Interrupted(RowferryError):
    """The process was asked to stop while it waited; no failure."""

    kind = "interrupted"
