"""Names of the binlog's event types, for counting. Pure.

A name stands for what an event is, not for its number: servers of different families and ages use several
numbers for the same. Sources: as of `binlog_events`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rowferry import binlog_events as events

REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"
_ROWS: Final = ("write_rows", "update_rows", "delete_rows")
_NAMES: Final[Mapping[int, str]] = {
    **{number: name.lower() for number, name in events.HARMLESS.items()},
    **dict.fromkeys(events.REFUSED, REFUSED),
    events.QUERY: "query",
    events.ROTATE: "rotate",
    events.FORMAT_DESCRIPTION: "format_description",
    events.XID: "xid",
    events.TABLE_MAP: "table_map",
    events.HEARTBEAT: "heartbeat",
    events.GTID: "gtid",
    events.ANONYMOUS_GTID: "anonymous_gtid",
    events.MARIADB_GTID: "gtid",
    events.TRANSACTION_PAYLOAD: "transaction_payload",
    events.QUERY_COMPRESSED: "query_compressed",
    **{first + kind: _ROWS[kind] for first in (23, 30) for kind in range(3)},
    **{first + kind: f"{_ROWS[kind]}_compressed" for first in (166, 169) for kind in range(3)},
}
EVENT_TYPES: Final = (*sorted(set(_NAMES.values()) - {REFUSED}), REFUSED, UNKNOWN)
"""Every name that an event can have."""


def by_name(counts: Sequence[int]) -> dict[str, int]:
    """Events by name, of events by number."""
    found: dict[str, int] = {}
    for number, count in enumerate(counts):
        if count:
            name = _NAMES.get(number, UNKNOWN)
            found[name] = found.get(name, 0) + count
    return found
