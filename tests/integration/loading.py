"""Helpers for the tests of the loader: tables, rows and requests in few words."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from rowferry.changes import LoadRequest, Statement, TableLoad
from rowferry.load import Loader
from rowferry.table_schema import Column, ColumnType, TableId, TableSchema
from rowferry.types import destination_type
from rowferry_lab.servers import DestinationDatabase

DATASET: Final = "raw"
BIGINT: Final = ColumnType("bigint", text="bigint(20)")
TEXT: Final = ColumnType("varchar", length=100, charset="utf8mb4", text="varchar(100)")
_NUMBERS: Final = count(1)
SECRET: Final = "value-that-nobody-may-see"

Row = Mapping[str, Any]


def table_of(
    name: str, columns: Mapping[str, ColumnType] | None = None, key: Sequence[str] = ("id",)
) -> TableSchema:
    """A table; unless said otherwise with an id and a name."""
    types = columns or {"id": BIGINT, "name": TEXT}
    return TableSchema(
        TableId("clinic", name),
        tuple(Column(n, t, nullable=n not in key) for n, t in types.items()),
        tuple(key),
        "InnoDB",
    )


def quoted(name: str) -> str:
    """The name as a Postgres identifier."""
    return '"' + name.replace('"', '""') + '"'


def make_tables(database: DestinationDatabase, *tables: TableSchema, extra: str = "") -> None:
    """What the daemon does before it loads: the destination tables and a checkpoint at position 0."""
    statements = [
        f"CREATE SCHEMA IF NOT EXISTS {DATASET}",
        f"CREATE TABLE IF NOT EXISTS {DATASET}.checkpoint (position bigint, epoch int)",
        f"INSERT INTO {DATASET}.checkpoint SELECT 0, 1 WHERE NOT EXISTS (SELECT FROM {DATASET}.checkpoint)",
    ]
    for table in tables:
        columns = [f"{quoted(c.name)} {destination_type(c.type).postgres}" for c in table.columns]
        columns += ["_loaded_at timestamptz", "_dlt_load_id text"]
        columns += [f"PRIMARY KEY ({', '.join(map(quoted, table.key))})"] if table.key else []
        columns += [extra] if extra else []
        statements.append(f"CREATE TABLE {DATASET}.{quoted(table.id.name)} ({', '.join(columns)})")
    database.run(*statements)


def rows_of(table: TableSchema, names: Sequence[str], rows: Sequence[Row]) -> pa.Table:
    """Rows as Arrow columns of the types that the loader expects."""
    fields = [
        pa.field(c.name, destination_type(c.type).arrow) for n in names if (c := table.column(n)) is not None
    ]
    arrays = [pa.array([row[field.name] for row in rows], field.type) for field in fields]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def load_of(table: TableSchema, upserts: Sequence[Row] = (), deletes: Sequence[Row] = ()) -> TableLoad:
    """One table's part of a load; the columns are those of the first row."""
    names = list(upserts[0]) if upserts else [c.name for c in table.columns]
    return TableLoad(table, rows_of(table, names, upserts), rows_of(table, table.key, deletes))


def request_of(*loads: TableLoad, position: int | None = None, epoch: int = 1) -> LoadRequest:
    """A load of those tables, which moves the checkpoint to `position` if one is given."""
    move = Statement(
        f"UPDATE {DATASET}.checkpoint SET position = %s WHERE epoch = %s", (position, epoch), rows=1
    )
    load_id = f"1800000000.{next(_NUMBERS):06d}"
    return LoadRequest(load_id, loads, (move,) if position is not None else ())


def named(*numbers: int, name: str = "n") -> list[dict[str, Any]]:
    """Rows of a plain table."""
    return [{"id": number, "name": f"{name}{number}"} for number in numbers]


@contextmanager
def loader_for(database: DestinationDatabase, directory: Path, *tables: TableSchema) -> Iterator[Loader]:
    """A loader that has published the tables."""
    loader = Loader(database.url, DATASET, directory)
    loader.publish_schema(tables)
    yield loader
    loader.close()


A, B = table_of("a"), table_of("b")


def state(database: DestinationDatabase) -> tuple[int, int, int, int]:
    """Rows of both tables, the checkpoint's position, and loads that dlt knows of."""
    (row,) = database.rows(
        f"SELECT (SELECT count(*) FROM {DATASET}.a), (SELECT count(*) FROM {DATASET}.b),"
        f" (SELECT position FROM {DATASET}.checkpoint),"
        f" (SELECT count(*) FROM {DATASET}._dlt_loads WHERE load_id LIKE '18%')"
    )
    return row


def files_under(directory: Path) -> list[Path]:
    """All files."""
    return [path for path in directory.rglob("*") if path.is_file()]


def assert_private(error: BaseException, directory: Path) -> None:
    """Neither the error, whatever prints it, nor the disk holds the value."""
    assert SECRET not in "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert error.__cause__ is None
    assert error.__context__ is None
    assert not [p for p in files_under(directory) if SECRET.encode() in p.read_bytes()]
