"""Whether the copy can be relied upon now, point by point: what /readyz answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rowferry.daemon_state import Copying, Standby, Streaming

FLOWING: Final = (Copying.name, Streaming.name)


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that must hold. note: what is seen of it."""

    name: str
    holds: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """state: the daemon's. standby: it is one, and that is enough. error: why nothing flows."""

    state: str
    points: tuple[Point, ...]
    standby: bool = False
    error: str = ""

    @property
    def ready(self) -> bool:
        """Whether all points hold; a standby that was allowed is ready as one."""
        return self.standby or all(point.holds for point in self.points)

    def line(self) -> str:
        """The state; with the points that fail, where the state alone does not say it."""
        failed = [point.name for point in self.points if not point.holds]
        return self.state if self.ready or self.state not in FLOWING else f"{self.state}: {', '.join(failed)}"

    def verbose(self) -> str:
        """A line for each point."""
        lines = [f"state: {self.state}" + (f" ({self.error})" if self.error else "")]
        for point in self.points:
            note = f" ({point.note})" if point.note else ""
            lines.append(f"{point.name}: {'ok' if point.holds else 'failed'}{note}")
        return "\n".join([*lines, "ready" if self.ready else "not ready"])


def readiness(
    state: str,
    *,
    error: str,
    tables: Sequence[Mapping[str, object]],
    lag: float | None,
    most_lag: float | None = None,
    every_table: bool = False,
    standby_is_ready: bool = False,
) -> Readiness:
    """Judge. state: by its name. error: of the last attempt. tables: with `table` and `state`.

    lag, most_lag: seconds; None: not known, no limit. every_table: one that is stopped is one too many.
    """
    flows = state in FLOWING
    why = "" if flows else f"not while {state}"
    points = [
        Point(name, flows, why)
        for name in ("source connected", "destination connected", "lock held", "checkpoint loaded")
    ]
    stopped = [str(t["table"]) for t in tables if t["state"] in ("stopped", "held")]
    fine = not stopped if every_table else not stopped or len(stopped) < len(tables)
    points.append(Point("tables", fine, _stopped(stopped, len(tables)) if stopped else ""))
    if most_lag is not None:
        known = "not known" if lag is None else f"{lag:.1f} s"
        within = lag is not None and lag <= most_lag
        points.append(Point("lag", within, f"{known}, limit {most_lag:g} s"))
    return Readiness(
        state, tuple(points), standby=standby_is_ready and state == Standby.name, error="" if flows else error
    )


def _stopped(names: Sequence[str], total: int) -> str:
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f"{len(names)} of {total} stopped or held: {shown}"
