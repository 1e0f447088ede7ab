"""The states of the daemon, as a tagged union."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Starting:
    """Opening both ends."""

    name = "starting"


@dataclass(frozen=True, slots=True)
class Standby:
    """Waiting for another instance to give up the dataset's lock."""

    name = "standby"


@dataclass(frozen=True, slots=True)
class Copying:
    """Some table is still being copied; the stream is applied all the same."""

    name = "copying"


@dataclass(frozen=True, slots=True)
class Streaming:
    """Every table that can be is in step."""

    name = "streaming"


@dataclass(frozen=True, slots=True)
class Retrying:
    """Waiting to try again after a failure."""

    error: str
    name = "retrying"


@dataclass(frozen=True, slots=True)
class Stopping:
    """Asked to stop; ending at a batch boundary."""

    name = "stopping"


@dataclass(frozen=True, slots=True)
class Halted:
    """Cannot go on without a person."""

    error: str
    name = "halted"


State = Starting | Standby | Copying | Streaming | Retrying | Stopping | Halted
