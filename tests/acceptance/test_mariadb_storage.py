"""What only MariaDB stores: times as before MySQL 5.6, and compressed columns, copied and streamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.harness import Ferry

OLDEST = pytest.mark.parametrize("source", ["mariadb_10_5"], indirect=True)
BOTH_ENDS = pytest.mark.parametrize("source", ["mariadb_10_5", "mariadb_11_8"], indirect=True)
FRACTIONS = range(7)
TIMES = ", ".join(f"t{n} time({n}), d{n} datetime({n}), s{n} timestamp({n}) NULL" for n in FRACTIONS)
LIMITS = (
    ("-838:59:59.999999", "0001-01-01 00:00:00", "1970-01-01 00:00:01.000001"),
    ("838:59:59.999999", "9999-12-31 23:59:59.999999", "2038-01-19 03:14:07.999999"),
    ("-00:00:00.999999", "0000-00-00 00:00:00", "0000-00-00 00:00:00"),
    ("00:00:00.000001", "2024-00-10 01:02:03.4", "2001-02-03 04:05:06.789012"),
)


@contextmanager
def old_format(ferry: Ferry) -> Iterator[None]:
    """Tables made or altered meanwhile store times as before MySQL 5.6."""
    ferry.source.run("SET GLOBAL mysql56_temporal_format=OFF")
    try:
        yield
    finally:
        ferry.source.run("SET GLOBAL mysql56_temporal_format=ON")


def times(moved: int) -> list[str]:
    """Rows of limits, with keys that are moved by so many microseconds."""
    rows = []
    for number, values in enumerate(LIMITS):
        literals = ", ".join(f"'{value}'" for value in values)
        rows.append(
            f"('2024-01-01 00:00:00.{number * 7 + moved:06}', {', '.join([literals] * len(FRACTIONS))})"
        )
    return rows


@BOTH_ENDS
def test_old_temporal_storage_is_carried(ferry: Ferry) -> None:
    """Every fraction, in the key too: copied, streamed, and moved to the new storage by an ALTER TABLE."""
    with old_format(ferry):
        ferry.source.run(f"CREATE TABLE old (k datetime(6) PRIMARY KEY, {TIMES}, a date)")
    zero = "SET SESSION sql_mode=''"
    columns = "k, " + ", ".join(f"t{n}, d{n}, s{n}" for n in FRACTIONS)
    ferry.source.run(zero, f"INSERT INTO old ({columns}) VALUES {', '.join(times(0))}")
    ferry.catch_up()
    ferry.assert_equal()
    ferry.source.run(
        zero,
        f"INSERT INTO old ({columns}) VALUES {', '.join(times(1))}",
        "UPDATE old SET k = k + INTERVAL 500000 MICROSECOND, t6 = t6 - INTERVAL 1 MICROSECOND,"
        " a = '0001-01-01' WHERE t3 < 0 ORDER BY k DESC",
        "DELETE FROM old WHERE t6 > '100:00:00'",
    )
    ferry.catch_up()
    ferry.assert_equal()
    ferry.source.run(zero, "ALTER TABLE old ADD COLUMN n time(2)", "UPDATE old SET n = t6, t5 = t6")
    ferry.catch_up()
    ferry.assert_equal()


@OLDEST
def test_rows_of_digits_that_the_catalogue_no_longer_has_do_not_stay(ferry: Ferry) -> None:
    """TIME(3) and TIME(4) take as many bytes, and what was read wrongly is replaced or swept."""
    with old_format(ferry):
        ferry.source.run(
            "CREATE TABLE ahead (t time(4), n int, v time(4), PRIMARY KEY (t))",
            "INSERT INTO ahead VALUES ('10:00:00', 1, '-01:00:00.1234'), ('11:00:00.25', 2, '00:00:01')",
        )
        ferry.catch_up()
        ferry.assert_equal()
        ferry.source.run(
            "ALTER TABLE ahead MODIFY t time(3), MODIFY v time(3)",
            "INSERT INTO ahead VALUES ('12:00:00', 3, '12:00:00'), ('-13:00:00.5', 4, '-00:00:00.001')",
            "UPDATE ahead SET v = '20:00:00.125', t = '14:00:00' WHERE n = 1",
            "DELETE FROM ahead WHERE n = 2",
            "ALTER TABLE ahead MODIFY t time(4), MODIFY v time(4)",
        )
    ferry.catch_up()
    ferry.assert_equal()
    ferry.source.run("UPDATE ahead SET v = '00:00:00.0001'")
    ferry.catch_up()
    ferry.assert_equal()


COMPRESSED = """CREATE TABLE {table} (id int PRIMARY KEY,
    a varchar(300) COMPRESSED CHARACTER SET latin1, b text COMPRESSED CHARACTER SET utf8mb4,
    c longtext COMPRESSED CHARACTER SET utf8mb4, d varbinary(300) COMPRESSED,
    e longblob COMPRESSED) ENGINE={engine}"""
VALUES = (
    "'', '', '', '', ''",
    "NULL, NULL, NULL, NULL, NULL",
    "'Zoë', 'Zoë 😀', 'x', X'00', X'0089'",
    "REPEAT('ë', 300), REPEAT('😀', 2000), REPEAT('Zoë ', 100000), REPEAT(X'00', 300),"
    " REPEAT(X'FF', 1000000)",
)


ENGINES = {
    "squeezed_innodb": "InnoDB",
    "squeezed_aria": "Aria",
    "squeezed_myisam": "MyISAM",
    "squeezed_parts": "InnoDB PARTITION BY HASH (id) PARTITIONS 3",
}


@BOTH_ENDS
def test_compressed_columns_are_carried(ferry: Ferry) -> None:
    """Copied and streamed, however the session compresses; and plain again after an ALTER TABLE."""
    rows = ", ".join(f"({number}, {row})" for number, row in enumerate(VALUES))
    for table, engine in ENGINES.items():
        create = COMPRESSED.format(table=table, engine=engine)
        ferry.source.run(create, f"INSERT INTO {table} VALUES {rows}")
    ferry.catch_up()
    ferry.assert_equal()
    more = ", ".join(f"({number + 10}, {row})" for number, row in enumerate(VALUES))
    for table in ENGINES:
        ferry.source.run(
            "SET column_compression_zlib_wrap=ON, column_compression_zlib_level=9",
            f"INSERT INTO {table} VALUES {more}",
            f"UPDATE {table} SET a = 'y', d = e, b = CONCAT(c, a), id = id + 100 WHERE id IN (2, 12)",
            "SET column_compression_threshold=0",
            f"UPDATE {table} SET a = 'short', c = NULL, e = REPEAT('a', 50) WHERE id IN (3, 11)",
            f"DELETE FROM {table} WHERE id IN (0, 13)",
        )
    ferry.catch_up()
    ferry.assert_equal()
    for table in ENGINES:
        ferry.source.run(
            f"ALTER TABLE {table} MODIFY a varchar(300) CHARACTER SET latin1",
            f"INSERT INTO {table} (id, a, b) VALUES (50, REPEAT('é', 300), REPEAT('é', 300))",
        )
    ferry.catch_up()
    ferry.assert_equal()
