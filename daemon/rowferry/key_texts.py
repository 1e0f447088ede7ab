"""Keys as Postgres prints them, back into the columns that loads have.

Pure. The inverse of `column::text` for a session with DateStyle ISO and TimeZone UTC
(https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-OUTPUT).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from rowferry.overrides import column_type
from rowferry.policies import texts_of_keys
from rowferry.table_schema import Column, TableSchema


def read_keys(
    table: TableSchema, keys: Sequence[Sequence[str]]
) -> tuple[pa.Table, tuple[tuple[str, ...], ...]]:
    """The key columns, named as in the source, and each key as `policies.texts_of_keys` writes it.

    keys: Postgres's texts of the columns of each key. Raises ValueError for a text that is no such key.
    """
    columns = [c for k in table.key if (c := table.column(k)) is not None]
    if any(len(key) != len(columns) for key in keys):
        raise ValueError("a key with another number of columns")
    arrays = [_array(c, [key[i] for key in keys]) for i, c in enumerate(columns)]
    texts = [texts_of_keys(array, c) for array, c in zip(arrays, columns, strict=True)]
    made = pa.table(dict(zip(table.key, arrays, strict=True)))
    return made, tuple(zip(*texts, strict=True))


def _array(column: Column, texts: Sequence[str]) -> pa.Array:
    kind = column_type(column).arrow
    read = next((reader for fits, reader in _READERS if fits(kind)), lambda t: as_source_prints(column, t))
    try:
        return pa.array([read(text) for text in texts], kind)
    except (InvalidOperation, pa.ArrowException, OverflowError):
        raise ValueError(f"column {column.name}: a text that is no key") from None


def as_source_prints(column: Column, text: str) -> str:
    """A time, a point in time, a number or an address as the source prints it; other texts as they are.

    Postgres leaves out zeros at the end of a fraction, gives a number as many digits as its type has, and
    shows the mask of an address, which is none in what was copied
    (https://www.postgresql.org/docs/current/datatype-net-types.html).
    """
    kind = column_type(column)
    if kind.postgres == "inet":
        return _address(text)
    if kind.postgres.startswith("numeric"):
        return _scaled(text, column.type.scale or 0)
    if not kind.postgres.startswith(("timestamp", "time ", "interval")) or not column.type.fraction:
        return text
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(column.type.fraction, '0')}"


def _scaled(text: str, scale: int) -> str:
    """A number with so many digits behind the point, and more only where they are not zeros."""
    whole, _, fraction = text.partition(".")
    digits = fraction.rstrip("0").ljust(scale, "0")
    return f"{whole}.{digits}" if digits else whole


def _address(text: str) -> str:
    address = ipaddress.ip_interface(text)
    if address.network.prefixlen != address.max_prefixlen:
        return text
    if address.version == 4:
        return text.partition("/")[0]
    digits = address.packed.hex()
    return ":".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def _bytes(text: str) -> bytes:
    if not text.startswith("\\x"):
        raise ValueError("not bytes")
    return bytes.fromhex(text[2:])


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("not a boolean")
    return text == "true"


_READERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[str], Any]], ...] = (
    (pa.types.is_boolean, _boolean),
    (pa.types.is_integer, int),
    (pa.types.is_decimal, Decimal),
    (pa.types.is_floating, float),
    (pa.types.is_large_binary, _bytes),
    (pa.types.is_date, date.fromisoformat),
    (pa.types.is_timestamp, datetime.fromisoformat),
)
