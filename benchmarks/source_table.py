"""The 15-column table that the benchmarks change, and the changes: inserts, updates, deletes by groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import Any

    import pymysql

GROUP: Final = 500
TABLE: Final = "visit"
CREATE: Final = f"""CREATE TABLE {TABLE} (
  VisitNum bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, PatNum bigint NOT NULL, ProvNum bigint NOT NULL,
  Status tinyint unsigned NOT NULL, Kind smallint NOT NULL, Minutes int NOT NULL,
  LName varchar(100) NOT NULL, FName varchar(100) NOT NULL, Code varchar(15) NOT NULL, Note text,
  VisitDate date NOT NULL, BookedAt datetime NOT NULL, Fee double NOT NULL, Paid decimal(10,2) NOT NULL,
  DateTStamp timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP) ENGINE={{engine}}"""


def create(connection: pymysql.connections.Connection[Any], engine: str) -> None:
    """Make the table anew."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.execute(CREATE.format(engine=engine))
    connection.commit()


def change(
    connection: pymysql.connections.Connection[Any], *, inserts: int, updates: int, deletes: int
) -> int:
    """Make the changes, each group of 500 rows a transaction; how many rows changed."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COALESCE(MAX(VisitNum), 0) FROM {TABLE}")
        (start,) = cursor.fetchone() or (0,)
        changed = 0
        for statement in _statements(start + 1, inserts, updates, deletes):
            changed += cursor.execute(statement)
            connection.commit()
    return changed


def _statements(first: int, inserts: int, updates: int, deletes: int) -> Iterator[str]:
    for low in range(first, first + inserts, GROUP):
        rows = ",".join(_row(n) for n in range(low, min(low + GROUP, first + inserts)))
        yield f"INSERT INTO {TABLE} VALUES {rows}"
    for low in range(first, first + updates, GROUP):
        high = min(low + GROUP, first + updates)
        yield (
            f"UPDATE {TABLE} SET Minutes = Minutes + 1, Fee = Fee * 1.1, Note = CONCAT('seen ', VisitNum)"
            f" WHERE VisitNum >= {low} AND VisitNum < {high}"
        )
    for low in range(first, first + deletes, GROUP):
        high = min(low + GROUP, first + deletes)
        yield f"DELETE FROM {TABLE} WHERE VisitNum >= {low} AND VisitNum < {high}"


def _row(n: int) -> str:
    note = "NULL" if n % 7 == 0 else f"'note {n} with some words that a person wrote'"
    return (
        f"({n},{n % 35000},{n % 30},{n % 256},{n % 300},{n % 240},'Name{n % 9000}','First{n % 4000}',"
        f"'D{n % 9999:04d}',{note},'2026-{n % 12 + 1:02d}-{n % 28 + 1:02d}',"
        f"'2026-{n % 12 + 1:02d}-{n % 28 + 1:02d} {n % 24:02d}:{n % 60:02d}:00',{n * 0.37:.4f},{n % 5000}.25,"
        f"'2026-01-{n % 28 + 1:02d} 12:00:00')"
    )
