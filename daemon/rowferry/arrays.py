"""Columns of raw values as numpy and Arrow arrays, and what is raised when a value cannot be carried.

Pure building blocks for `temporal`, `charsets` and `convert`. A column is a sequence of values where
None is NULL, or an Arrow array of large_binary; `valid` is a boolean array, or None where nothing is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Longs = NDArray[np.int64]


class ValueNotCarriable(ValueError):
    """A value that the destination cannot hold exactly. Says where and why, never the value.

    index: the row's index within the sequence that was converted. kind: which of the column's policies
    decides: "zero_date", "invalid_text" or "misfit".
    """

    def __init__(self, column: str, index: int, reason: str, kind: str = "misfit") -> None:
        """Keep the parts for whoever decides what to do with the row."""
        self.column = column
        self.index = index
        self.reason = reason
        self.kind = kind
        super().__init__(f"column {column}: {reason}")


class LayoutMismatch(ValueError):
    """The binlog's column cannot be the catalogue's column of that name."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A column as Arrow, of the type that `types.destination_type` names.

    missing: which values are NULL because they are no date (0000-00-00, 2024-00-10, 2024-02-31, a
    TIMESTAMP of 0); None if there are none.
    """

    array: pa.Array
    missing: Bools | None = None

    @property
    def zero_dates(self) -> int:
        """How many values became NULL because they are no date."""
        return 0 if self.missing is None else int(self.missing.sum())


def byte_matrix(
    values: Sequence[bytes | None], width: int, column: str, null: bytes = b""
) -> tuple[Bytes, Bools | None]:
    """Values of `width` bytes each as an array of shape (rows, width).

    Rows of NULLs hold the bytes `null`, or zeros.
    Raises ValueNotCarriable at the first value of another width.
    """
    if isinstance(values, pa.Array):
        return _array_matrix(values, width, column, null)
    valid = null_mask(values)
    filler = null or bytes(width)
    filled = values if valid is None else [filler if v is None else v for v in values]
    joined = b"".join(filled)  # type: ignore[arg-type]  # no None is left
    if len(joined) != len(values) * width or set(map(len, filled)) - {width}:  # type: ignore[arg-type]
        wrong = next(i for i, v in enumerate(values) if v is not None and len(v) != width)
        raise _wrong_width(column, wrong, width)
    return np.frombuffer(joined, np.uint8).reshape(len(values), width), valid


def _array_matrix(array: pa.Array, width: int, column: str, null: bytes) -> tuple[Bytes, Bools | None]:
    valid = null_mask(array)
    wrong = np.diff(offsets_of(array)) != width
    if valid is not None:
        wrong &= valid
    if wrong.any():
        raise _wrong_width(column, int(wrong.argmax()), width)
    found = bytes_of(array).reshape(-1, width)
    if valid is None:
        return found, None
    matrix = np.zeros((len(array), width), np.uint8)
    matrix[valid] = found
    if null:
        matrix[~valid] = np.frombuffer(null, np.uint8)
    return matrix, valid


def _wrong_width(column: str, index: int, width: int) -> ValueNotCarriable:
    return ValueNotCarriable(column, index, f"a value is not {width} bytes long")


def null_mask(values: Sequence[Any]) -> Bools | None:
    """Which values are not NULL, or None if all are."""
    if isinstance(values, pa.Array):
        return valid_of(values)
    if None not in values:
        return None
    return np.fromiter((value is not None for value in values), np.bool_, len(values))


def valid_of(array: pa.Array) -> Bools | None:
    """`null_mask` of an array."""
    if array.null_count == 0:
        return None
    found: Bools = array.is_valid().to_numpy(zero_copy_only=False)
    return found


def as_binary(values: Sequence[bytes | None]) -> pa.Array:
    """A column as an array of large_binary, without bytes where it is NULL."""
    return values if isinstance(values, pa.Array) else pa.array(values, pa.large_binary())


def as_list(values: Sequence[Any]) -> Sequence[Any]:
    """A column as objects of Python's."""
    found: Sequence[Any] = values.to_pylist() if isinstance(values, pa.Array) else values
    return found


def bytes_of(binary: pa.Array) -> Bytes:
    """The bytes of all values of a large_binary array, one after the other."""
    buffer, offsets = binary.buffers()[2], offsets_of(binary)
    if buffer is None or offsets[0] == offsets[-1]:
        return np.zeros(0, np.uint8)
    return np.frombuffer(buffer, np.uint8, int(offsets[-1] - offsets[0]), int(offsets[0]))


def offsets_of(binary: pa.Array) -> Longs:
    """Where the values of a large_binary array begin and end in its buffer; of a slice, not from 0."""
    if not len(binary):
        return np.zeros(1, np.int64)
    found: Longs = np.frombuffer(binary.buffers()[1], np.int64, len(binary) + 1, 8 * binary.offset)
    return found


def big_endian(matrix: Bytes) -> Longs:
    """The rows of a matrix (at most 8 bytes wide, below 2**63) as big-endian integers."""
    return little_endian(matrix[:, ::-1])


def little_endian(matrix: Bytes) -> Longs:
    """The rows of a matrix (at most 8 bytes wide, below 2**63) as little-endian integers."""
    wide = np.zeros((len(matrix), 8), np.uint8)
    wide[:, : matrix.shape[1]] = matrix
    numbers: Longs = wide.view("<i8").reshape(-1)
    return numbers


def require(good: Bools, valid: Bools | None, column: str, reason: str) -> None:
    """Raise ValueNotCarriable at the first row that is not NULL and not good."""
    if good.all():
        return
    bad = ~good if valid is None else ~good & valid
    if bad.any():
        raise ValueNotCarriable(column, int(bad.argmax()), reason)


def from_numpy(kind: pa.DataType, data: NDArray[Any], valid: Bools | None) -> pa.Array:
    """An Arrow array over numpy's own bytes, which must be laid out as `kind` demands."""
    buffers = [validity(valid), pa.py_buffer(np.ascontiguousarray(data))]
    rows = len(data) if valid is None else len(valid)
    return pa.Array.from_buffers(kind, rows, buffers)


def from_pieces(kind: pa.DataType, offsets: NDArray[Any], data: Any, valid: Bools | None) -> pa.Array:
    """An Arrow array of strings or binaries over a buffer of bytes and the offsets into it."""
    buffers = [validity(valid), pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, len(offsets) - 1, buffers)


def validity(valid: Bools | None) -> pa.Buffer | None:
    """Arrow's bitmap of the values that are not NULL."""
    return None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
