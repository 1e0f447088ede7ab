"""How long a load takes from call to return: small batches among 430 tables, and large ones.

    python -m benchmarks.load_latency

Prints medians. Starts its own Postgres (see rowferry_lab.servers); imports are not counted.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from rowferry.changes import LoadRequest, TableLoad
from rowferry.load import Loader
from rowferry.table_schema import Column, ColumnType, TableId, TableSchema
from rowferry.types import destination_type
from rowferry_lab.servers import DestinationDatabase, Lab, fresh_destination_database

TABLES: Final = 430
SMALL_LOADS: Final = 40
LARGE_LOADS: Final = 6
LARGE_ROWS: Final = 100_000
DATASET: Final = "raw"
COLUMNS: Final = (
    Column("id", ColumnType("bigint"), nullable=False),
    *(Column(f"text_{n}", ColumnType("varchar", length=80)) for n in range(4)),
    *(Column(f"number_{n}", ColumnType("int")) for n in range(4)),
    *(Column(f"amount_{n}", ColumnType("decimal", precision=12, scale=2)) for n in range(2)),
    Column("changed", ColumnType("datetime")),
    Column("seen", ColumnType("timestamp")),
    Column("day", ColumnType("date")),
    Column("ratio", ColumnType("double")),
)


def tables() -> list[TableSchema]:
    """430 tables of 15 columns."""
    return [TableSchema(TableId("bench", f"table_{n}"), COLUMNS, ("id",), "InnoDB") for n in range(TABLES)]


def rows(first: int, count: int) -> pa.Table:
    """Rows with the keys from `first` on, with a value in every column."""
    numbers = pa.array(range(first, first + count), pa.int64())
    columns = {c.name: _column(c, numbers) for c in COLUMNS}
    return pa.table(columns)


def _column(column: Column, numbers: pa.Array) -> pa.Array:
    arrow = destination_type(column.type).arrow
    if pa.types.is_large_string(arrow):
        text = pc.binary_join_element_wise("some text value", numbers.cast(pa.string()), column.name, " ")
        return text.cast(arrow)
    if pa.types.is_timestamp(arrow):
        return pc.multiply(pc.add(numbers, 1_700_000_000), 1_000_000).cast(arrow)
    if pa.types.is_date(arrow):
        return pc.add(pc.bit_wise_and(numbers, 8191), 10_000).cast(pa.int32()).cast(arrow)
    whole = numbers.cast(pa.decimal128(19, 0)) if pa.types.is_decimal(arrow) else numbers
    return whole.cast(arrow)


def prepare(database: DestinationDatabase, schemas: list[TableSchema]) -> None:
    """Make the destination tables, as the daemon does."""
    definitions = ", ".join(f'"{c.name}" {destination_type(c.type).postgres}' for c in COLUMNS)
    tail = "_loaded_at timestamptz, _dlt_load_id text, PRIMARY KEY (id)"
    database.run(
        f"CREATE SCHEMA {DATASET}",
        *(f'CREATE TABLE {DATASET}."{t.id.name}" ({definitions}, {tail})' for t in schemas),
    )


def timed(loader: Loader, schemas: list[TableSchema], batches: list[pa.Table], name: str) -> list[float]:
    """Seconds of each load of a batch into all of `schemas`, without the first, which makes the twins."""
    nothing = pa.table({"id": pa.array([], pa.int64())})
    seconds = []
    for number, batch in enumerate(batches):
        request = LoadRequest(f"{name}.{number:04d}", tuple(TableLoad(t, batch, nothing) for t in schemas))
        started = time.perf_counter()
        loader.load(request)
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


def small(loader: Loader, schemas: list[TableSchema]) -> str:
    """10 rows into each table, half of them new."""
    batches = [rows(n * 5, 10) for n in range(SMALL_LOADS + 1)]
    seconds = timed(loader, schemas, batches, f"small-{len(schemas)}")
    return f"{statistics.median(seconds) * 1000:8.1f} ms  (slowest {max(seconds) * 1000:.1f} ms)"


def large(loader: Loader, schemas: list[TableSchema]) -> str:
    """100,000 rows into one table, half of them new."""
    batches = [rows(n * LARGE_ROWS // 2, LARGE_ROWS) for n in range(LARGE_LOADS + 1)]
    seconds = timed(loader, schemas, batches, "large")
    return f"{LARGE_ROWS / statistics.median(seconds):8,.0f} rows/s"


def run(database: DestinationDatabase, directory: Path) -> None:
    """All measurements, one line each."""
    schemas = tables()
    prepare(database, schemas)
    loader = Loader(database.url, DATASET, directory)
    loader.publish_schema(schemas)
    measurements: dict[str, Callable[[], str]] = {
        f"10 rows into 1 of {TABLES} tables": lambda: small(loader, schemas[:1]),
        f"10 rows into each of 10 of {TABLES} tables": lambda: small(loader, schemas[10:20]),
        f"{LARGE_ROWS:,} rows, half updates, 15 columns": lambda: large(loader, schemas[20:21]),
    }
    for title, measure in measurements.items():
        print(f"{title:48} {measure()}", flush=True)
    loader.close()


def main() -> None:
    """Measure against a Postgres of this machine."""
    with Lab() as lab, tempfile.TemporaryDirectory() as directory:
        (server,) = lab.servers("postgres:15")
        with fresh_destination_database(server, "bench") as database:
            run(database, Path(directory))


if __name__ == "__main__":
    main()
