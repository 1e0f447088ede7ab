"""MariaDB's system-versioned tables: which row images are rows of the table, and which are its history.

Every version of a row is a row of its own in the binlog. An UPDATE writes the new version over the old
one, and inserts the old one again with the time at which its life ended; a DELETE only ends the life.
A version is current while the column that was made AS ROW END holds the last moment of the server's
TIMESTAMP. Only current versions are rows of the copy. Pure.

Sources: https://mariadb.com/kb/en/system-versioned-tables/; MariaDB's sql/sql_insert.cc
(vers_insert_history_row) and sql/field.cc (Field_timestampf::set_max); that the last moment moved in
11.5: https://mariadb.com/kb/en/timestamp/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rowferry.changes import RawRow, RowKind, TableLayout, WireColumn
from rowferry.errors import TableStopped
from rowferry.table_schema import TableSchema
from rowferry.wire_types import WireType, describe

LAST_MOMENTS: Final = {
    2038: (0x7FFFFFFF).to_bytes(4, "big") + (999_999).to_bytes(3, "big"),
    2106: (0xFFFFFFFF).to_bytes(4, "big") + (999_999).to_bytes(3, "big"),
}
"""The end of TIMESTAMP(6), by its year, as a TIMESTAMP2 of the binlog."""
HIDDEN: Final = ("row_start", "row_end")
"""The columns of a table made WITH SYSTEM VERSIONING alone: rows have them, the catalogue has not."""

_VERSION: Final = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)")
_WIDE_SINCE: Final = (11, 5)
_EFFECTS: Final = {
    (True, True): RowKind.UPDATE,
    (True, False): RowKind.DELETE,
    (False, True): RowKind.INSERT,
}


@dataclass(frozen=True, slots=True)
class RowHistory:
    """How to read the images of one layout of a system-versioned table.

    columns: those that belong to the table, hidden ones left out. Images are as the decoder makes them.
    """

    columns: tuple[WireColumn, ...]
    _shown: tuple[int, ...]
    _end: int
    _open_ends: frozenset[bytes]

    def changes(self, kind: RowKind, images: Sequence[RawRow]) -> list[tuple[RowKind, list[RawRow]]]:
        """What the images of one row event (an update's alternate) do to the current rows, in order.

        The rows have the shown columns alone. Empty where only history changed.
        """
        found: list[tuple[RowKind, list[RawRow]]] = []
        for effect, rows in self._effects(kind, images):
            if not found or found[-1][0] is not effect:
                found.append((effect, []))
            found[-1][1].extend(tuple(row[i] for i in self._shown) for row in rows)
        return found

    def _effects(self, kind: RowKind, images: Sequence[RawRow]) -> Iterator[tuple[RowKind, Sequence[RawRow]]]:
        if kind is not RowKind.UPDATE:
            yield from ((kind, (image,)) for image in images if self._is_current(image))
            return
        for before, after in zip(images[0::2], images[1::2], strict=True):
            current = self._is_current(before), self._is_current(after)
            if effect := _EFFECTS.get(current):
                yield effect, [i for i, stays in zip((before, after), current, strict=True) if stays]

    def _is_current(self, image: RawRow) -> bool:
        return image[self._end] in self._open_ends


def row_history(table: TableSchema, layout: TableLayout) -> RowHistory | None:
    """How to read the layout's images; None where they are no versions: all of them are rows.

    The layout decides, not the catalogue, which may be ahead of it by an ALTER TABLE. Raises
    TableStopped if ROW END is not a TIMESTAMP(6).
    """
    names = [c.name for c in layout.columns]
    hidden = [n for n in HIDDEN if n in names and table.column(n) is None]
    ends = [table.row_end.column] if table.row_end else []
    ends += [n for n in hidden if n == HIDDEN[1]]
    end = next((n for n in ends if n in names), None)
    if end is None:
        return None
    at = names.index(end)
    wire = layout.columns[at]
    if (wire.type_code, wire.metadata) != (WireType.TIMESTAMP2, 6):
        reason = f"column {end}, which ends a row's life, is {describe(wire)} in the binlog, no TIMESTAMP(6)"
        raise TableStopped("decode rows", f"table {table.id}", reason=reason)
    shown = tuple(i for i, n in enumerate(names) if n not in hidden)
    return RowHistory(tuple(layout.columns[i] for i in shown), shown, at, _open_ends(table, layout))


def _open_ends(table: TableSchema, layout: TableLayout) -> frozenset[bytes]:
    """What the end of a current row may be: the source's last moment, and that of the file's writer.

    They differ in binlog files that the source wrote before it was upgraded. On a server whose range
    ends in 2106, a row that ends in 2038 is history.
    """
    years = {table.row_end.last_year} if table.row_end else set(LAST_MOMENTS)
    match = _VERSION.match(layout.writer)
    if match and (int(match[1]), int(match[2])) < _WIDE_SINCE:
        years.add(2038)
    return frozenset(LAST_MOMENTS[year] for year in years)
