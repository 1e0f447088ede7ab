"""`_rowferry_quarantine`: the rows of the source that are not carried, each by its key.

Invariant: of a table that streams, every row of the source is either in its destination table or here,
never in both; for the entries change in the transactions that change the table's rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rowferry.assemble import Assembled
from rowferry.carry import SetAside
from rowferry.changes import Statement
from rowferry.destination import Session, fetch, name
from rowferry.errors import RowRefused
from rowferry.policies import texts_of_keys
from rowferry.settings import QuarantineSettings

TABLE: Final = "_rowferry_quarantine"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that is set aside. position: of the binlog, up to which the source was read then."""

    table: str
    key: tuple[str, ...]
    column: str
    policy: str
    reason: str
    position: str
    since: datetime
    values: dict[str, str | None] | None


def create_quarantine(dataset: str) -> str:
    """The statement that makes the table if it is missing."""
    return f"""CREATE TABLE IF NOT EXISTS {name(dataset, TABLE)} (
            table_name text NOT NULL, key_hash text NOT NULL, key jsonb NOT NULL, column_name text NOT NULL,
            policy text NOT NULL, reason text NOT NULL, position text NOT NULL, load_id text NOT NULL,
            since timestamptz NOT NULL DEFAULT now(), row_values jsonb,
            PRIMARY KEY (table_name, key_hash))"""


def key_hash(key: Sequence[str]) -> str:
    """What tells one key from another: a digest of its texts."""
    return hashlib.blake2b(json.dumps(list(key)).encode(), digest_size=16).hexdigest()


def save(dataset: str, table: str, row: SetAside, position: str, load_id: str) -> Statement:
    """Set a row aside, or say anew why it is; `since` stays that of the first time."""
    values = json.dumps(dict(row.values)) if row.values else None
    return Statement(
        f"INSERT INTO {name(dataset, TABLE)} (table_name, key_hash, key, column_name, policy, reason,"
        " position, load_id, row_values) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (table_name, key_hash) DO UPDATE SET column_name = excluded.column_name,"
        " policy = excluded.policy, reason = excluded.reason, position = excluded.position,"
        " load_id = excluded.load_id, row_values = excluded.row_values",
        [
            table,
            key_hash(row.key),
            json.dumps(list(row.key)),
            row.column,
            row.kind,
            row.reason,
            position,
            load_id,
            values,
        ],
    )


def release(dataset: str, table: str, hashes: Iterable[str]) -> Statement:
    """The rows are carried again, or gone at the source."""
    return Statement(
        f"DELETE FROM {name(dataset, TABLE)} WHERE table_name = %s AND key_hash = ANY(%s)",
        [table, sorted(hashes)],
    )


def forget_entries(dataset: str, tables: Collection[str]) -> Statement:
    """The tables are no longer selected: nobody keeps their entries true."""
    return Statement(f"DELETE FROM {name(dataset, TABLE)} WHERE table_name = ANY(%s)", [sorted(tables)])


def sweep_quarantine(dataset: str, table: str, began: str) -> Statement:
    """Delete the entries that neither the copy nor the stream has confirmed since the copy began."""
    return Statement(
        f'DELETE FROM {name(dataset, TABLE)} WHERE table_name = %s AND load_id COLLATE "C" <= %s',
        [table, began],
    )


def read_hashes(session: Session, dataset: str) -> dict[str, dict[str, str]]:
    """By table, the hashes of the keys that are set aside, each with the load id that confirmed it last.

    Raises what `destination.fetch` raises.
    """
    found: dict[str, dict[str, str]] = {}
    text = f"SELECT table_name, key_hash, load_id FROM {name(dataset, TABLE)} WHERE %s"
    for table, hashed, load_id in fetch(session, text, [True]):
        found.setdefault(table, {})[hashed] = load_id
    return found


def read_entries(session: Session, dataset: str, tables: Collection[str] = ()) -> list[Entry]:
    """All entries, or those of some tables. Raises what `destination.fetch` raises."""
    rows = fetch(
        session,
        "SELECT table_name, key, column_name, policy, reason, position, since, row_values"
        f" FROM {name(dataset, TABLE)} WHERE %s OR table_name = ANY(%s) ORDER BY table_name, since, key",
        [not tables, list(tables)],
    )
    return [Entry(table, tuple(key), *rest) for table, key, *rest in rows]


@dataclass(frozen=True, slots=True)
class QuarantineChange:
    """What one load does to a table's entries: the statements, and the hashes that come and go."""

    table: str
    load_id: str
    statements: tuple[Statement, ...]
    added: frozenset[str]
    released: frozenset[str]


class QuarantineBook:
    """Which keys are set aside now. Owned by the run loop; changed only after a commit."""

    def __init__(self, session: Session, dataset: str, rules: QuarantineSettings) -> None:
        """Read them. Raises what `destination.fetch` raises."""
        self._session = session
        self._dataset = dataset
        self.rules = rules
        self._hashes = read_hashes(session, dataset)

    @property
    def counts(self) -> dict[str, int]:
        """Rows that are set aside, by table; tables without any are left out."""
        return {table: len(hashes) for table, hashes in self._hashes.items() if hashes}

    def reload(self) -> None:
        """Read them again: somebody may have dropped entries, a copy may have swept them."""
        self._hashes = read_hashes(self._session, self._dataset)

    def require_room(self, assembled: Assembled, began: str = "") -> None:
        """Raise RowRefused if the table would have more rows set aside than the settings allow.

        began: of a table that is being copied, the load id before its first row; entries that are no
        younger are swept when the copy ends, unless it confirms them, and do not count before.
        """
        table = assembled.load.table.id
        known = self._hashes.get(table.name, {})
        fresh = {key_hash(row.key) for row in assembled.aside}
        if not fresh or len(known) + len(fresh) <= self.rules.max_rows:
            return
        standing = {hashed for hashed, load_id in known.items() if load_id > began}
        if len(standing - _touched(assembled) | fresh) > self.rules.max_rows:
            row = assembled.aside[-1]
            raise RowRefused(
                row.kind,
                f"table {table}, column {row.column}, row with key {', '.join(row.key)}",
                reason=f"more rows than quarantine.max_rows would be set aside: {row.reason}",
                hint=f"Mend the rows in the source, then run `rowferry resync {table.name}`",
            )

    def change(self, assembled: Assembled, position: str, load_id: str) -> QuarantineChange | None:
        """What a load does to its table's entries; None: nothing."""
        table = assembled.load.table.id.name
        known = self._hashes.get(table, {}).keys()
        if not known and not assembled.aside:
            return None
        added = frozenset(key_hash(row.key) for row in assembled.aside)
        released = frozenset(known & _touched(assembled) - added) if known else frozenset()
        statements = [save(self._dataset, table, row, position, load_id) for row in assembled.aside]
        statements += [release(self._dataset, table, released)] if released else []
        return QuarantineChange(table, load_id, tuple(statements), added, released)

    def accept(self, change: QuarantineChange) -> None:
        """The change was committed."""
        known = self._hashes.get(change.table, {})
        kept = {hashed: load_id for hashed, load_id in known.items() if hashed not in change.released}
        self._hashes[change.table] = kept | dict.fromkeys(change.added, change.load_id)


def _touched(assembled: Assembled) -> set[str]:
    """The hashes of all keys that a load decides about."""
    load = assembled.load
    found = {key_hash(key.texts) for key in assembled.gone}
    for rows in (load.upserts, load.deletes):
        columns = [c for k in load.table.key if (c := load.table.column(k)) is not None]
        texts = [texts_of_keys(rows.column(c.name).combine_chunks(), c) for c in columns]
        found.update(map(key_hash, zip(*texts, strict=True)))
    return found
