"""The first copy: ranges in parallel, kills, changes and DDL in the middle, keys of every kind, bounds."""

from __future__ import annotations

import time

import pytest

from tests.acceptance.harness import Ferry, wait_until

BIG = 130_000
KEYS = {
    "composite": ("a int, b varchar(20) COLLATE utf8mb4_general_ci, c datetime", "PRIMARY KEY (b, a, c)"),
    "words": ("w varchar(30) COLLATE utf8mb4_unicode_ci, n int", "PRIMARY KEY (w)"),
    "bytes": ("k varbinary(16), n int", "PRIMARY KEY (k)"),
    "huge": ("u bigint unsigned, n int", "PRIMARY KEY (u)"),
    "money": ("d decimal(12,4), n int", "PRIMARY KEY (d)"),
    "uniq": ("n int, x int NOT NULL, UNIQUE (n), UNIQUE (x)", ""),
}
ROWS = {
    "composite": "SELECT seq % 7, CONCAT(IF(seq % 2, 'A', 'a'), seq % 90), '2026-01-01' + INTERVAL seq HOUR",
    "words": "SELECT CONCAT(ELT(1 + seq % 5, 'é', 'E', 'ß', '_', 'z'), seq), seq",
    "bytes": "SELECT UNHEX(MD5(seq)), seq",
    "huge": "SELECT 18446744073709551615 - seq * 3, seq",
    "money": "SELECT CAST(seq AS SIGNED) / 8 - 100, seq",
    "uniq": "SELECT IF(seq % 3, seq, NULL), seq",
}


def fill(ferry: Ferry, engine: str) -> None:
    """A big table whose integer key is cut into ranges, and small ones with keys of other kinds."""
    ferry.settings["ROWFERRY_COPY__CONNECTIONS"] = "2"
    ferry.source.run(
        f"CREATE TABLE big (id bigint PRIMARY KEY, v int, s varchar(40)) ENGINE={engine}",
        "INSERT INTO big SELECT CAST(seq AS SIGNED) * 3 - 90000, seq, CONCAT('row ', seq)"
        f" FROM seq_1_to_{BIG}",
        "ANALYZE TABLE big",
    )
    for name, (columns, key) in KEYS.items():
        ferry.source.run(
            f"CREATE TABLE {name} ({columns}{', ' if key else ''}{key}) ENGINE={engine}",
            f"INSERT INTO {name} {ROWS[name]} FROM seq_1_to_500",
        )


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
def test_a_copy_that_is_killed_goes_on_where_it_was(mariadb_ferry: Ferry, engine: str) -> None:
    """Twice, with changes before and behind every range's place; no row is read twice but a chunk's."""
    ferry = mariadb_ferry
    fill(ferry, engine)
    ferry.settings |= {"ROWFERRY_COPY__MAX_CHUNK_ROWS": "2000", "ROWFERRY_COPY__MAX_ROWS_PER_SECOND": "30000"}
    read = 0
    for _ in range(2):
        with ferry.daemon() as daemon:
            await_rows(ferry, read + 15_000)
            ferry.source.run(
                "UPDATE big SET v = -1 WHERE id % 7 = 0",
                "DELETE FROM big WHERE id % 11 = 0",
                "INSERT IGNORE INTO big SELECT CAST(seq AS SIGNED) * 3 - 89999, 5, 'new'"
                f" FROM seq_{read + 1}_to_{read + 500}",
            )
            daemon.stop(9)
        read = copied(ferry)
        ranges = ferry.tracked("copy_ranges", "big")
        assert len(ranges) == 2
        assert all(r["last_key"] for r in ranges)
    del ferry.settings["ROWFERRY_COPY__MAX_ROWS_PER_SECOND"]
    ferry.catch_up()
    ferry.assert_equal()
    assert read < copied(ferry) < BIG * 1.1


def copied(ferry: Ferry) -> int:
    """Rows of the big table that the copy has read, as committed."""
    made = ferry.destination.rows("SELECT to_regclass('raw._rowferry_tables') IS NOT NULL")
    return int(ferry.tracked("copy_rows", "big") or 0) if made == [(True,)] else 0


def await_rows(ferry: Ferry, rows: int) -> None:
    """Wait until so many rows of the big table were copied."""
    wait_until("the copy moves on", lambda: copied(ferry) >= rows)


def test_ddl_in_the_middle_begins_that_table_anew_and_no_other(mariadb_ferry: Ferry) -> None:
    """An added column and a truncation while ranges are being read."""
    ferry = mariadb_ferry
    fill(ferry, "InnoDB")
    ferry.settings["ROWFERRY_COPY__MAX_ROWS_PER_SECOND"] = "40000"
    with ferry.daemon() as daemon:
        await_rows(ferry, 10_000)
        daemon.wait_state("words", "streaming")
        since = ferry.tracked("consistent_since", "words")
        ferry.source.run("ALTER TABLE big ADD extra int DEFAULT 7", "UPDATE big SET extra = 8 WHERE id < 0")
        await_rows(ferry, 10_000)
        ferry.source.run("DELETE FROM big WHERE id > 0", "UPDATE words SET n = -n")
        daemon.wait_state("big", "streaming")
        assert daemon.stop() == 0
    ferry.catch_up()
    ferry.assert_equal()
    assert ferry.tracked("consistent_since", "words") == since


def test_the_copy_keeps_below_the_rows_a_second_that_are_allowed(mariadb_ferry: Ferry) -> None:
    """With several connections too; how far it is can be seen meanwhile. Whatever is slow only adds to it."""
    ferry, rate, connections = mariadb_ferry, 25_000, 3
    fill(ferry, "InnoDB")
    ferry.settings |= {
        "ROWFERRY_COPY__MAX_ROWS_PER_SECOND": str(rate),
        "ROWFERRY_COPY__CONNECTIONS": str(connections),
    }
    began = time.monotonic()
    with ferry.daemon() as daemon:
        await_rows(ferry, 1)
        copy = daemon.status()["copy"]
        assert copy["tables"] >= 1
        assert copy["rows"] <= copy["total"]
        assert "rowferry_copy_expected_rows" in daemon.get("/metrics")[1]
        daemon.wait_state("big", "streaming")
        under_way = connections * rate / 5
        assert time.monotonic() - began >= (BIG - under_way) / rate
        assert daemon.stop() == 0
