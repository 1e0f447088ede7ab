"""ENUM and SET of the binlog as text: numbers, and the labels that the TABLE_MAP event lists.

Pure, a column at a time. Sources: MySQL's and MariaDB's field.cc (Field_enum, Field_set), and the
optional metadata SET_STR_VALUE and ENUM_STR_VALUE of
https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from rowferry.arrays import Converted, LayoutMismatch, ValueNotCarriable
from rowferry.changes import WireColumn
from rowferry.charsets import text_decoder

Converter = Callable[[Sequence[int | bytes | None]], Converted]

_NO_LABEL = "a number that has no label"


def wire_enum(wire: WireColumn, charset: str) -> Converter:
    """ENUM: the number of its label, counted from 1; 0 is '', what an invalid value became.

    Raises LayoutMismatch without labels, or if one cannot be decoded; UnsupportedType for a character
    set that cannot. The converter raises ValueNotCarriable for a number without a label.
    """
    texts = pa.array(["", *_labels(wire, charset)], pa.large_string())

    def convert(values: Sequence[int | bytes | None]) -> Converted:
        numbers = [None if v is None else _number(v) for v in values]
        _check(wire.name, numbers, len(texts))
        return Converted(texts.take(pa.array(numbers, pa.int32())))

    return convert


def wire_set(wire: WireColumn, charset: str) -> Converter:
    """SET: a bit for each label, the first label's the lowest; labels in their order, joined by commas.

    Raises as `wire_enum` does.
    """
    labels = _labels(wire, charset)
    limit = 1 << len(labels)

    def convert(values: Sequence[int | bytes | None]) -> Converted:
        numbers = [None if v is None else _number(v) for v in values]
        _check(wire.name, numbers, limit)
        texts = {n: None if n is None else _joined(labels, n) for n in set(numbers)}
        return Converted(pa.array([texts[n] for n in numbers], pa.large_string()))

    return convert


def _labels(wire: WireColumn, charset: str) -> list[str]:
    if not wire.labels:
        raise LayoutMismatch(f"column {wire.name}: the binlog does not name the labels of its type")
    try:
        labels: list[str] = text_decoder(charset, wire.name)(wire.labels).to_pylist()
    except ValueNotCarriable as error:
        raise LayoutMismatch(f"column {wire.name}: label {error.index + 1} holds {error.reason}") from None
    return labels


def _number(value: int | bytes) -> int:
    """A SET of 17 to 24 labels takes three bytes, which the decoder hands on as they are."""
    return int.from_bytes(value, "little") if isinstance(value, bytes) else value


def _check(column: str, numbers: Sequence[int | None], limit: int) -> None:
    if max((n for n in numbers if n is not None), default=0) >= limit:
        wrong = next(i for i, n in enumerate(numbers) if n is not None and n >= limit)
        raise ValueNotCarriable(column, wrong, _NO_LABEL)


def _joined(labels: Sequence[str], number: int) -> str:
    return ",".join(label for place, label in enumerate(labels) if number >> place & 1)
