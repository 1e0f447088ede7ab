"""What `rowferry check` says of one point: its verdict, and what mends it.

Values only; the modules `check_*` make them, `check_command` shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

OK: Final = "ok"
WARNING: Final = "warning"
FAILURE: Final = "failure"
UNKNOWN: Final = "unknown"
SOURCE: Final = "source"
DESTINATION: Final = "destination"
HOST: Final = "host"
FILE: Final = "configuration file"
NAMES_SHOWN: Final = 8

Level = Literal["ok", "warning", "failure", "unknown"]
Where = Literal["source", "destination", "host", "configuration file"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One point.

    level: ok, warning (the daemon works, and something should be mended), failure (it does not start, or
    not for this part), unknown (this account cannot ask). where: what has to be changed, if anything.
    remedy: in words. sql: statements that mend it, for this server and account, as an administrator runs
    them. config: lines for the server's configuration, under [mysqld], that make it last. needs_restart:
    whether the server must be restarted for it. tables: those that it is about.
    """

    point: str
    level: Level
    detail: str
    remedy: str = ""
    sql: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    where: Where = "source"
    needs_restart: bool = False
    tables: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the daemon can work as it is."""
        return self.level != FAILURE

    def to_json(self) -> dict[str, Any]:
        """All fields as plain values."""
        document = asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in document.items()}


def shorten(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    shown = ", ".join(names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def size(count: float) -> str:
    """Bytes in words."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
