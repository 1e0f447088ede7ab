"""The columns of a TABLE_MAP event as python-mysql-replication reads them: an oracle for `table_map`."""

from __future__ import annotations

from typing import Any, Final

from rowferry.changes import WireColumn
from rowferry.wire_types import MetadataMissing, WireType, storage


def wire_columns_from_library(event: Any) -> tuple[WireColumn, ...]:
    """The columns of python-mysql-replication's `TableMapEvent` (1.0.17), read by attribute.

    Raises MetadataMissing where the event has no names, and DecodeError for
    a type unknown here (the library itself reads past the metadata of such a column wrongly).
    """
    names = event.optional_metadata.column_name_list
    if len(names) != len(event.columns):
        raise MetadataMissing(f"table map without column names: {MetadataMissing.hint}")
    collations = _collations(event)
    columns = tuple(
        WireColumn(
            name=name,
            type_code=column.type,
            metadata=_metadata(column),
            unsigned=bool(column.unsigned),
            nullable=bool(event.null_bitmask[index // 8] >> index % 8 & 1),
            collation_id=collations.get(index),
        )
        for index, (name, column) in enumerate(zip(names, event.columns, strict=True))
    )
    for wire in columns:
        storage(wire)
    return columns


_METADATA_ATTRIBUTE: Final = {
    WireType.VARCHAR: "max_length",
    WireType.VAR_STRING: "max_length",
    WireType.STRING: "max_length",
    WireType.BLOB: "length_size",
    WireType.JSON: "length_size",
    WireType.GEOMETRY: "length_size",
    WireType.TIMESTAMP2: "fsp",
    WireType.DATETIME2: "fsp",
    WireType.TIME2: "fsp",
    WireType.ENUM: "size",
    WireType.SET: "size",
    WireType.FLOAT: "size",
    WireType.DOUBLE: "size",
    WireType.BIT: "bits",
}


def _metadata(column: Any) -> int:
    if column.type == WireType.NEWDECIMAL:
        return int(column.precision) << 8 | int(column.decimals)
    attribute = _METADATA_ATTRIBUTE.get(column.type)
    return int(getattr(column, attribute)) if attribute else 0


def _collations(event: Any) -> dict[int, int]:
    """Collation ids by column index: the event lists them over text columns and over labels apart."""
    texts = {WireType.VARCHAR, WireType.VAR_STRING, WireType.STRING, WireType.BLOB}
    if event.dbms == "mariadb":
        texts.add(WireType.GEOMETRY)
    labels = {WireType.ENUM, WireType.SET}
    metadata = event.optional_metadata
    found: dict[int, int] = {}
    for kinds, listed in (
        (texts, metadata.charset_collation_list),
        (labels, metadata.enum_and_set_collation_list),
    ):
        indexes = [i for i, column in enumerate(event.columns) if column.type in kinds]
        found.update(zip(indexes, listed or (), strict=False))
    return found
