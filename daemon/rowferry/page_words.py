"""What the daemon's status means, in a word and a sentence for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rowferry.happenings import split_remedy

BEHIND_SECONDS: Final = 60.0
TROUBLED: Final = ("stopped", "held")
_ORDER: Final = ("stopped", "held", "copying", "streaming", "dropped")


@dataclass(frozen=True, slots=True)
class Verdict:
    """mood: good, busy or bad. word: in big letters. remedy: what to do; "" if nothing need be."""

    mood: str
    word: str
    sentence: str
    remedy: str = ""


def verdict(status: Mapping[str, Any], *, alive: bool) -> Verdict:
    """Judge what /status shows. alive: whether the run loop moves."""
    error = str(status.get("error") or "")
    if not alive:
        return Verdict("bad", "Not moving", "The daemon has made no progress for a while.", "Restart it.")
    match status["state"]:
        case "starting":
            return Verdict("busy", "Starting", "Connecting to both servers.")
        case "standby":
            return Verdict(
                "busy", "Standby", "Another instance is at work; this one takes over when it ends."
            )
        case "retrying":
            told = "If it lasts: `rowferry check` tries both servers and says what is wrong."
            return Verdict("bad", "Interrupted", f"{_sentence(error)} It tries again by itself.", told)
        case "stopping":
            return Verdict("busy", "Stopping", "It ends after the batch at hand.")
        case "halted":
            return Verdict("bad", "Halted", _sentence(error))
        case _:
            return _flowing(status)


def _flowing(status: Mapping[str, Any]) -> Verdict:
    tables: Sequence[Mapping[str, Any]] = status["tables"]
    stopped, held, copying = (
        [str(t["table"]) for t in tables if t["state"] == state] for state in ("stopped", "held", "copying")
    )
    lag = status.get("replication_lag_seconds")
    behind = "" if lag is None else f", {duration(lag)} behind"
    if stopped or held:
        parts = [f"{_names(n)} {_be(n)} {w}" for n, w in ((stopped, "stopped"), (held, "held")) if n]
        others = sum(t["state"] in ("copying", "streaming") for t in tables)
        rest = f" The other {count(others, 'table goes', 'tables go')} on{behind}." if others else ""
        remedies = {split_remedy(str(t["error"] or ""))[1] for t in tables if t["state"] in TROUBLED}
        remedy = remedies.pop() if len(remedies) == 1 else ""
        told = remedy or "Each table's line below says what to do."
        return Verdict("bad", "Needs you", f"{_sentence(' and '.join(parts))}{rest}", told)
    if copying:
        left = (status.get("copy") or {}).get("seconds_left")
        time = f", about {duration(left)} left" if left is not None else ""
        return Verdict("busy", "Copying", _sentence(f"{_names(copying)} {_be(copying)} being copied{time}"))
    if lag is None:
        return Verdict("busy", "Connected", "How far the copy is behind is not known yet.")
    if lag > BEHIND_SECONDS:
        return Verdict("busy", "Behind", f"The copy is {duration(lag)} behind. It catches up by itself.")
    sentence = f"The copy holds all up to {duration(lag)} ago."
    if aside := rows_set_aside(tables):
        but = f"{sentence[:-1]}, but for {count(aside, 'row', 'rows')} set aside."
        return Verdict("busy", "In step", but, "`rowferry quarantine list` names them, and why.")
    return Verdict("good", "In step", sentence)


def rows_set_aside(tables: Sequence[Mapping[str, Any]]) -> int:
    """In all tables."""
    return sum(t["rows_set_aside"] for t in tables)


def sorted_tables(tables: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that need somebody first, then by name."""

    def place(table: Mapping[str, Any]) -> tuple[int, bool, str]:
        state = table["state"]
        number = _ORDER.index(state) if state in _ORDER else 0
        return number, not table["rows_set_aside"], table["table"].lower()

    return sorted(tables, key=place)


def duration(seconds: float) -> str:
    """In the unit that fits: `0.4 s`, `12 s`, `5 min`, `2.5 h`, `3 days`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def moment(at: datetime, now: datetime) -> str:
    """A time of day in the zone of `now`, with its date if that is another one."""
    local = at.astimezone(now.tzinfo)
    same_day = local.date() == now.date()
    return local.strftime("%H:%M:%S") if same_day else local.strftime("%Y-%m-%d %H:%M:%S")


def count(number: int, one: str, many: str) -> str:
    """`1 table`, `1,234 tables`."""
    return f"{number:,} {one if number == 1 else many}"


def _names(names: Sequence[str]) -> str:
    if len(names) > 3:
        return f"{len(names):,} tables"
    listed = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    return f"{'tables' if len(names) > 1 else 'table'} {listed}"


def _be(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _sentence(error: str) -> str:
    text = error[:1].upper() + error[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
