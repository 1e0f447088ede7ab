"""`_rowferry_requests`: what people ask the running daemon to do, and what came of it.

A request waits, runs, and is done or has failed. The daemon looks for new ones between batches; it makes
the state change in the transaction of what was asked for.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from rowferry.changes import Statement
from rowferry.destination import Session, fetch, name

TABLE: Final = "_rowferry_requests"
RESYNC: Final = "resync"
REPAIR: Final = "repair"
KEPT_DAYS: Final = 30
MAX_KEYS: Final = 1_000
"""Keys of one request."""

KeyPair = tuple[tuple[str, ...], tuple[str, ...] | None]
"""A key as `policies.key_text` writes it, and Postgres's text of its columns if the row is there."""


@dataclass(frozen=True, slots=True)
class Request:
    """A row of the table.

    kind: resync or repair. keys: of a repair. state: waiting, running, done or failed.
    """

    number: int
    kind: str
    table: str
    keys: tuple[KeyPair, ...]
    state: str
    error: str


def create_requests(dataset: str) -> str:
    """The statement that makes the table if it is missing."""
    return f"""CREATE TABLE IF NOT EXISTS {name(dataset, TABLE)} (
            request bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL,
            table_name text NOT NULL, keys jsonb NOT NULL DEFAULT '[]', state text NOT NULL DEFAULT 'waiting',
            error text NOT NULL DEFAULT '', requested_by text NOT NULL,
            requested_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz)"""


def ask(session: Session, dataset: str, kind: str, table: str, keys: Sequence[KeyPair] = ()) -> int:
    """File a request; its number. Raises what `destination.fetch` raises."""
    rows = fetch(
        session,
        f"INSERT INTO {name(dataset, TABLE)} (kind, table_name, keys, requested_by)"
        " VALUES (%s, %s, %s, %s) RETURNING request",
        [kind, table, json.dumps(keys), _who()],
    )
    return int(rows[0][0])


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def open_requests(session: Session, dataset: str) -> list[Request]:
    """Those that wait or run, the oldest first. Raises what `destination.fetch` raises."""
    return _read(session, dataset, "state IN ('waiting', 'running') AND %s ORDER BY request", [True])


def read_requests(session: Session, dataset: str, numbers: Sequence[int]) -> list[Request]:
    """Some of them. Raises what `destination.fetch` raises."""
    return _read(session, dataset, "request = ANY(%s) ORDER BY request", [list(numbers)])


def _read(session: Session, dataset: str, where: str, parameters: Sequence[Any]) -> list[Request]:
    rows = fetch(
        session,
        f"SELECT request, kind, table_name, keys, state, error FROM {name(dataset, TABLE)} WHERE {where}",
        parameters,
    )
    return [Request(n, kind, table, tuple(map(_pair, keys)), *rest) for n, kind, table, keys, *rest in rows]


def _pair(document: Sequence[Any]) -> KeyPair:
    key, there = document
    return tuple(key), None if there is None else tuple(there)


def begin_request(dataset: str, number: int) -> Statement:
    """The daemon has begun with it."""
    return Statement(f"UPDATE {name(dataset, TABLE)} SET state = 'running' WHERE request = %s", [number])


def finish_request(dataset: str, number: int, error: str = "") -> Statement:
    """It is done, or has failed with an error."""
    state = "failed" if error else "done"
    return Statement(
        f"UPDATE {name(dataset, TABLE)} SET state = %s, error = %s, finished_at = now() WHERE request = %s",
        [state, error, number],
    )


def prune_requests(dataset: str) -> Statement:
    """Forget those that ended long ago."""
    return Statement(
        f"DELETE FROM {name(dataset, TABLE)} WHERE finished_at < now() - %s", [timedelta(days=KEPT_DAYS)]
    )
