"""Where a reader stands in a source's binlog: `BinlogPosition`, and GTID sets of both families.

Pure values with ordering and parsing. GTID sets are written as the servers write them:
MySQL `uuid:1-5:7,uuid2:1` (https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html),
MariaDB `domain-server-sequence,...` (https://mariadb.com/kb/en/gtid/).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self

_INTERVAL = re.compile(r"(\d+)(?:-(\d+))?\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_MARIADB_GTID = re.compile(r"(\d+)-(\d+)-(\d+)\Z")
_WRAP = 1 << 32

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class MysqlGtidSet:
    """MySQL's set: for each server uuid, sorted disjoint intervals of transaction numbers (inclusive)."""

    members: tuple[tuple[str, tuple[Interval, ...]], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `uuid:a-b:c,...`; empty text is the empty set. Raises ValueError (also for tagged sets)."""
        sets: dict[str, list[Interval]] = {}
        for part in filter(None, (p.strip() for p in text.replace("\n", "").split(","))):
            uuid, *intervals = part.split(":")
            if not _UUID.match(uuid) or not intervals:
                raise ValueError(f"not a GTID set: {part!r}")
            sets.setdefault(uuid.lower(), []).extend(_parse_interval(i) for i in intervals)
        return cls(tuple((uuid, _normalise(found)) for uuid, found in sorted(sets.items())))

    def add(self, uuid: str, number: int) -> Self:
        """The set with one more transaction."""
        sets = dict(self.members)
        intervals = sets.get(uuid, ())
        if intervals and intervals[-1][1] + 1 == number:
            sets[uuid] = (*intervals[:-1], (intervals[-1][0], number))
        else:
            sets[uuid] = _normalise([*intervals, (number, number)])
        return replace(self, members=tuple(sorted(sets.items())))

    def has(self, uuid: str, number: int) -> bool:
        """Whether that transaction is in the set."""
        return any(a <= number <= b for a, b in dict(self.members).get(uuid, ()))

    def covers(self, other: MysqlGtidSet) -> bool:
        """Whether every transaction of `other` is in this set."""
        mine = dict(self.members)
        return all(
            any(a <= start and end <= b for a, b in mine.get(uuid, ()))
            for uuid, intervals in other.members
            for start, end in intervals
        )

    def __str__(self) -> str:
        """As MySQL writes it."""
        return ",".join(
            ":".join([uuid, *(str(a) if a == b else f"{a}-{b}" for a, b in intervals)])
            for uuid, intervals in self.members
        )

    def __bool__(self) -> bool:
        """False for the empty set."""
        return bool(self.members)


@dataclass(frozen=True, slots=True)
class MariadbGtidSet:
    """MariaDB's position: for each replication domain, the last (server id, sequence number)."""

    members: tuple[tuple[int, tuple[int, int]], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `domain-server-sequence,...`; the empty text is the empty set. Raises ValueError."""
        found: dict[int, tuple[int, int]] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            match = _MARIADB_GTID.match(part)
            if not match:
                raise ValueError(f"not a MariaDB GTID: {part!r}")
            domain, server, sequence = map(int, match.groups())
            found[domain] = (server, sequence)
        return cls(tuple(sorted(found.items())))

    def add(self, domain: int, server: int, sequence: int) -> Self:
        """The position after one more transaction of that domain."""
        members = {**dict(self.members), domain: (server, sequence)}
        return replace(self, members=tuple(sorted(members.items())))

    def covers(self, other: MariadbGtidSet) -> bool:
        """Whether this position is at or past `other` in every domain of `other`."""
        mine = dict(self.members)
        return all(domain in mine and mine[domain][1] >= seq for domain, (_, seq) in other.members)

    def __str__(self) -> str:
        """As MariaDB writes it."""
        return ",".join(f"{domain}-{server}-{seq}" for domain, (server, seq) in self.members)

    def __bool__(self) -> bool:
        """False for the empty position."""
        return bool(self.members)


GtidSet = MysqlGtidSet | MariadbGtidSet


@dataclass(frozen=True, slots=True)
class BinlogPosition:
    """The end of a transaction in one server's binlog.

    file: the binlog file's name. offset: bytes from its start, 64 bits. gtid_set: everything up to
    here, or None where the server has no GTIDs. identity: the server whose file this is
    (server_uuid of MySQL, `server_id` of MariaDB).
    """

    file: str
    offset: int
    gtid_set: GtidSet | None = None
    identity: str = ""

    def order(self) -> tuple[int, int]:
        """A sort key among positions of one server: (number of the file, offset)."""
        return file_number(self.file), self.offset

    def reached(self, other: BinlogPosition) -> bool:
        """Whether this position is at or past `other`, on the same server."""
        return self.order() >= other.order()

    def __str__(self) -> str:
        """`file:offset`, and the GTID set if there is one."""
        text = f"{self.file}:{self.offset}"
        return f"{text} {self.gtid_set}" if self.gtid_set else text


def file_number(name: str) -> int:
    """The number that a binlog file's name ends in. Raises ValueError for any other name."""
    _, _, digits = name.rpartition(".")
    if not digits.isdigit():
        raise ValueError(f"not a binlog file name: {name!r}")
    return int(digits)


def widen_offset(previous: int, log_pos: int) -> int:
    """The 64-bit offset of an event's end from its 32-bit `log_pos` and an offset before it in the file."""
    candidate = (previous & ~(_WRAP - 1)) | log_pos
    return candidate if candidate >= previous else candidate + _WRAP


def _parse_interval(text: str) -> Interval:
    match = _INTERVAL.match(text.strip())
    if not match:
        raise ValueError(f"not an interval of transaction numbers: {text!r}")
    start, end = int(match[1]), int(match[2] or match[1])
    if not 0 < start <= end:
        raise ValueError(f"not an interval of transaction numbers: {text!r}")
    return start, end


def _normalise(intervals: list[Interval]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
