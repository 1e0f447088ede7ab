"""The last errors, for people: each once, with its remedy and how often it came. Pure: told the time."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final

KEPT: Final = 20
_REMEDY: Final = re.compile(r"\. (?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Happening:
    """kind: as the metrics name it. remedy: what to do; "" if nothing need be. table: "" if of none."""

    kind: str
    message: str
    remedy: str
    table: str
    first_at: datetime
    last_at: datetime
    count: int = 1


@dataclass(slots=True)
class Happenings:
    """The newest last; what comes again is counted, and is the newest again."""

    _kept: dict[tuple[str, str, str], Happening] = field(default_factory=dict)

    def note(self, now: datetime, kind: str, message: str, remedy: str = "", table: str = "") -> None:
        """Something went wrong. message: the error's own sentence, which holds no row value."""
        key = (kind, table, message)
        before = self._kept.pop(key, None)
        new = Happening(kind, message, remedy, table, now, now)
        if before is not None:
            new = replace(new, first_at=before.first_at, count=before.count + 1)
        self._kept[key] = new
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    def newest_first(self) -> list[dict[str, Any]]:
        """Plain values, for /status and the page."""
        return [asdict(each) for each in reversed(tuple(self._kept.values()))]


def split_remedy(text: str) -> tuple[str, str]:
    """An error's line as what failed and what to do, where only the line was kept."""
    message, *remedy = _REMEDY.split(text, maxsplit=1)
    return message, "".join(remedy)
