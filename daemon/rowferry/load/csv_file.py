"""Arrow tables to CSV files that COPY reads back exactly.

Text is always quoted and NULL never is, so '' and NULL differ and no line can be read as `\\.`. Bytes
travel as `\\x` and hexadecimal digits, floats as their shortest exact form, points in time as UTC
without saying so: the reader's time zone must be UTC.
"""

from __future__ import annotations

import binascii
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

COPY_OPTIONS: Final = "FORMAT csv, HEADER false, NULL '', ENCODING 'UTF8'"
_OPTIONS: Final = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed", batch_size=8192)
_TEXT: Final = pa.large_string()


def write(table: pa.Table, path: Path) -> None:
    """Write the rows to a new file, without a header, columns in the table's order."""
    for index, field in enumerate(table.schema):
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            table = table.set_column(index, field.name, _hexadecimal(table.column(index)))
        elif pa.types.is_timestamp(field.type) and field.type.tz is not None:
            # Arrow keeps UTC inside; writing the zone takes fifteen times as long as writing the time.
            table = table.set_column(
                index, field.name, table.column(index).cast(pa.timestamp(field.type.unit))
            )
    # Arrow's writer puts stale memory into the file for an empty chunk; one chunk has none.
    pyarrow.csv.write_csv(table.combine_chunks(), path, _OPTIONS)


def _hexadecimal(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each value as `\\x` and two digits a byte; NULL stays NULL."""
    chunks = [_hexadecimal_chunk(chunk.cast(pa.large_binary())) for chunk in column.chunks]
    return pa.chunked_array(chunks, type=_TEXT)


def _hexadecimal_chunk(array: pa.Array) -> pa.Array:
    if len(array) == 0:
        return pa.array([], _TEXT)
    _, offsets_buffer, data = array.buffers()
    offsets = pa.Array.from_buffers(pa.int64(), len(array) + 1, [None, offsets_buffer], offset=array.offset)
    start, end = offsets[0].as_py(), offsets[-1].as_py()
    digits = binascii.hexlify(memoryview(data)[start:end]) if data is not None else b""
    doubled = pc.multiply(pc.subtract(offsets, start), 2)
    validity = pc.is_valid(array).buffers()[1]
    buffers = [validity, doubled.buffers()[1], pa.py_buffer(digits)]
    text = pa.Array.from_buffers(_TEXT, len(array), buffers)
    return pc.binary_join_element_wise(pa.scalar("\\x", _TEXT), text, pa.scalar("", _TEXT))
