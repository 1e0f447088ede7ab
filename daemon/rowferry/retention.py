"""How much binlog is still to be read, and how long the source will keep it. Pure.

A server removes a binlog file, at the earliest when it begins a new one, once the file's last change is
longer ago than the server's setting; the newest file is never removed. A file's last change is its end: when
the next one is begun, or the server is shut down. MariaDB from 11.4 on can also limit the size of all files
together. Sources:
https://dev.mysql.com/doc/refman/en/replication-options-binary-log.html (binlog_expire_logs_seconds,
binlog_expire_logs_auto_purge, expire_logs_days) and
https://mariadb.com/kb/en/replication-and-binary-log-system-variables/ (the same, and max_binlog_total_size).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rowferry.position import BinlogPosition

VARIABLES: Final = (
    "binlog_expire_logs_seconds",
    "expire_logs_days",
    "binlog_expire_logs_auto_purge",
    "max_binlog_total_size",
)
"""The servers' settings that are read; each is missing somewhere."""
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class BinlogFile:
    """A file that the server lists. size: bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Retention:
    """How long files are kept. seconds: since their last change; max_bytes: all together. inf: no limit."""

    seconds: float
    max_bytes: float


def read_retention(variables: Mapping[str, str]) -> Retention:
    """What those of VARIABLES say that the server has, as SHOW VARIABLES writes them."""
    seconds = float(variables.get("binlog_expire_logs_seconds", 0))
    seconds = seconds or float(variables.get("expire_logs_days", 0)) * _DAY
    if variables.get("binlog_expire_logs_auto_purge", "ON").upper() in ("OFF", "0"):
        seconds = 0
    return Retention(seconds or math.inf, float(variables.get("max_binlog_total_size", 0)) or math.inf)


def backlog_bytes(files: Sequence[BinlogFile], position: BinlogPosition, head: BinlogPosition) -> float:
    """Bytes between the two, over all files; NaN where the position's file is not listed.

    head: newer than the list of files, or as old. Positions in the head's file need no list.
    """
    if position.file == head.file:
        return max(0, head.offset - position.offset)
    names = [f.name for f in files]
    if position.file not in names or head.file not in names:
        return math.nan
    between = files[names.index(position.file) : names.index(head.file)]
    return max(0, sum(f.size for f in between) - position.offset) + head.offset


def headroom_seconds(
    retention: Retention,
    files: Sequence[BinlogFile],
    file: str,
    clock: float,
    begun_at: Callable[[str], float | None],
    changed_at: Callable[[BinlogFile, str], float | None],
) -> float:
    """Seconds until the source may purge `file`; 0 if it may at once or has, NaN if that is not known.

    clock: the source's. begun_at, changed_at: when a file was begun, and when one that another follows was
    changed last (or earlier), by that clock; asked only where needed, None: not known. A limit on bytes is
    taken to be reached at the speed at which the binlog has grown since `file` was begun.
    """
    names = [f.name for f in files]
    if file not in names:
        return 0.0
    place = names.index(file)
    left = retention.seconds
    if place + 1 < len(files) and not math.isinf(left):
        changed = changed_at(files[place], names[place + 1])
        left = math.nan if changed is None else max(0.0, changed + left - clock)
    if math.isinf(retention.max_bytes):
        return left
    return min(left, _left_of_size(retention.max_bytes, files[place:], clock, begun_at))


def _left_of_size(
    limit: float, files: Sequence[BinlogFile], clock: float, begun_at: Callable[[str], float | None]
) -> float:
    size = sum(f.size for f in files)
    if size >= limit:
        return 0.0
    begun = begun_at(files[0].name)
    return math.nan if begun is None else (limit - size) * max(1.0, clock - begun) / size
