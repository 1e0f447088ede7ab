"""The two servers as `verify` asks them: checksums of ranges, and digests of rows by their keys' texts.

Each method is one or a few short statements outside of any transaction, so each sees what is committed at
its own moment.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.changes import Statement
from rowferry.checksum_sql import (
    Bound,
    bucket_sums_select,
    digests_by_key,
    digests_select,
    sums_select,
    whole_rows_by_key,
)
from rowferry.checksum_there import (
    bucket_digests_there,
    bucket_sums_there,
    digests_there,
    digests_there_by_key,
    sums_there,
)
from rowferry.chunk_sql import boundary_select, encode_key
from rowferry.destination import Session, fetch
from rowferry.judging import Key
from rowferry.key_sql import with_keys
from rowferry.mysql_source import query
from rowferry.table_schema import TableSchema
from rowferry.verify_keys import SourceKey, key_form, source_keys, there_key

KEYS_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Sums:
    """The checksum of some rows: their number, and two sums over their digests."""

    rows: int = 0
    first: int = 0
    second: int = 0

    def __add__(self, other: Sums) -> Sums:
        """The checksum of both together."""
        return Sums(self.rows + other.rows, self.first + other.first, self.second + other.second)


@dataclass(frozen=True, slots=True)
class Here:
    """A row of the source. fit: whether the destination can hold its key."""

    digest: str
    fit: bool


@dataclass(frozen=True, slots=True)
class There:
    """A row of the destination. version: changes with each writing. key: as Postgres prints it."""

    digest: str
    version: str
    key: Key


@dataclass(frozen=True, slots=True)
class WholeRow:
    """A row of the source with the values of all its columns, as a SELECT sends them."""

    digest: str
    key: Key
    values: tuple[Any, ...]


class SourceSide:
    """A table at the source. The connection is one of `mysql_source.connect_for_copy`."""

    def __init__(self, connection: Connection[Any], table: TableSchema) -> None:
        """Raises UnsupportedType for a key that cannot be carried."""
        self.table = table
        self._connection = connection
        self._form = key_form(table)

    def boundary(self, low: Bound, high: Bound, rows: int) -> Bound:
        """The key `rows` rows behind `low`; None if there are not so many up to `high`."""
        found = query(self._connection, boundary_select(self.table, low, high, rows))
        return encode_key(found[0]) if found else None

    def texts(self, bound: Bound) -> Key | None:
        """A bound as texts."""
        if bound is None:
            return None
        return source_keys(self._form, [tuple(bytes.fromhex(part) for part in bound)])[0].texts

    def sums(self, low: Bound, high: Bound) -> Sums:
        """The checksum of a range."""
        [row] = query(self._connection, sums_select(self.table, low, high))
        return Sums(*map(int, row))

    def bucket_sums(self, low: Bound, high: Bound) -> dict[str, Sums]:
        """The checksums of a range's buckets."""
        rows = query(self._connection, bucket_sums_select(self.table, low, high))
        return {bucket.decode(): Sums(*map(int, sums)) for bucket, *sums in rows}

    def digests(self, low: Bound, high: Bound, buckets: Collection[str] = ()) -> dict[Key, Here]:
        """The rows of a range; with `buckets`, of those only."""
        return self._rows(query(self._connection, digests_select(self.table, low, high, buckets)))

    def read(self, keys: Iterable[Key]) -> dict[Key, Here]:
        """The rows with those keys that exist."""
        found: dict[Key, Here] = {}
        for part in _parts(key for key in keys if self._askable(key)):
            found |= self._rows(query(self._connection, digests_by_key(self.table, part)))
        return found

    def whole_rows(self, keys: Sequence[Key]) -> list[WholeRow]:
        """The same with all columns."""
        rows = query(self._connection, whole_rows_by_key(self.table, keys))
        names = [c.name for c in self.table.columns]
        places = [1 + names.index(k) for k in self.table.key]
        texts = source_keys(self._form, [tuple(row[i] for i in places) for row in rows])
        return [
            WholeRow(row[0].decode(), key.texts, tuple(row[1:])) for row, key in zip(rows, texts, strict=True)
        ]

    def _askable(self, key: Key) -> bool:
        """Whether the source's column can have such a key: somebody may have put any into the copy."""
        try:
            with_keys(self.table, [key])
        except ValueError:
            return False
        return True

    def _rows(self, rows: Sequence[tuple[Any, ...]]) -> dict[Key, Here]:
        keys: list[SourceKey] = source_keys(self._form, [row[1:] for row in rows])
        return {key.texts: Here(row[0].decode(), key.fit) for row, key in zip(rows, keys, strict=True)}


class DestinationSide:
    """The copy of a table. The session prints values as `checksum_there.SESSION` says."""

    def __init__(self, session: Session, dataset: str, table: TableSchema) -> None:
        """Asks nothing yet."""
        self.table = table
        self.dataset = dataset
        self.session = session

    def sums(self, low: Key | None, high: Key | None) -> Sums:
        """The checksum of a range."""
        [row] = self._fetch(sums_there(self.dataset, self.table, low, high))
        return Sums(*map(int, row))

    def bucket_sums(self) -> dict[str, Sums]:
        """The checksums of all buckets."""
        rows = self._fetch(bucket_sums_there(self.dataset, self.table))
        return {bucket: Sums(*map(int, sums)) for bucket, *sums in rows}

    def digests(self, low: Key | None, high: Key | None, most: int) -> dict[Key, There]:
        """The rows of a range, not more than `most`."""
        return self._rows(self._fetch(digests_there(self.dataset, self.table, low, high, most)))

    def bucket_digests(self, buckets: Collection[str], most: int) -> dict[Key, There]:
        """The rows of some buckets, not more than `most`."""
        return self._rows(self._fetch(bucket_digests_there(self.dataset, self.table, buckets, most)))

    def read(self, keys: Iterable[Key]) -> dict[Key, There]:
        """The rows with those keys that exist; the destination must be able to hold the keys."""
        found: dict[Key, There] = {}
        for part in _parts(keys):
            found |= self._rows(self._fetch(digests_there_by_key(self.dataset, self.table, part)))
        return found

    def _fetch(self, statement: Statement) -> list[tuple[Any, ...]]:
        return fetch(self.session, statement.text, statement.parameters)

    def _rows(self, rows: Sequence[tuple[Any, ...]]) -> dict[Key, There]:
        return {
            there_key(self.table, key): There(digest, version, tuple(key)) for digest, version, *key in rows
        }


def _parts(keys: Iterable[Key]) -> Iterator[list[Key]]:
    """Keys in lots small enough for one statement."""
    rest = iter(keys)
    while part := list(itertools.islice(rest, KEYS_AT_ONCE)):
        yield part
