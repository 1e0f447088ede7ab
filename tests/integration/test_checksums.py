"""Checksums inside the real servers: equal for rows that were copied, of every type, and only for those."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from rowferry import verify_walk
from rowferry.chunk_sql import quote
from rowferry.destination import name
from rowferry.row_text import inexact_columns
from rowferry.settings import CopySettings, QuarantineSettings
from rowferry.table_schema import ColumnPolicy, TableSchema
from rowferry.verify_values import ValueComparer
from rowferry_lab.servers import (
    DestinationDatabase,
    RunningServer,
    SourceDatabase,
    fresh_destination_database,
    fresh_source_database,
)
from tests.acceptance.test_policies import OVERRIDES
from tests.generated.examples import examples, server_of
from tests.generated.families import FAMILIES
from tests.generated.tables import SESSION, Table, run_all, shown_on_failure, tables
from tests.integration.copying import DATASET, Copied


def test_copied_rows_of_every_type_have_equal_digests(
    source: RunningServer, destination: RunningServer, tmp_path: Path
) -> None:
    """Row by row and as sums, by ranges and by buckets; keys have the same texts."""

    @examples(2)
    @given(tables(server_of(source), FAMILIES, count=12))
    def check(made: list[Table]) -> None:
        with (
            fresh_source_database(source, "sums") as here,
            fresh_destination_database(destination, "sums") as there,
            Copied(here, there, tmp_path) as copied,
        ):
            statements = [s for table in made for s in (*table.create, *table.first)]
            with shown_on_failure(statements):
                run_all(copied.writer, [*SESSION, *statements])
                for table in made:
                    check_table(copied, table.name)

    check()


def check_table(copied: Copied, name: str) -> None:
    """Copy a table and compare all that is computed of it."""
    table = copied.table(name)
    carried = copied.copy(table)
    ours, theirs = copied.sides(table)
    here, there = ours.digests(None, None), theirs.digests(None, None, 1_000)
    aside = {row.key for row in carried.aside}
    assert here.keys() - aside == there.keys()
    if inexact_columns(table):
        return
    assert {k: v.digest for k, v in here.items() if k not in aside} == {k: v.digest for k, v in there.items()}
    if not aside:
        assert ours.sums(None, None) == theirs.sums(None, None)
        assert ours.bucket_sums(None, None) == theirs.bucket_sums()
        assert ours.read(list(there)).keys() == theirs.read(list(there)).keys() == there.keys()


@pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
def test_other_types_by_choice_have_equal_digests(
    source_database: SourceDatabase, destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """Each override on offer, in a column of its own table: equal, or known to be inexact."""
    with Copied(source_database, destination_database, tmp_path) as copied:
        for number, (kind, wanted, literals, _) in enumerate(OVERRIDES.values()):
            copied.run(f"CREATE TABLE t{number} (id int PRIMARY KEY, v {kind.removesuffix(' NULL')} NULL)")
            copied.run(f"INSERT INTO t{number} VALUES (0, NULL)")
            copied.run(*(f"INSERT INTO t{number} VALUES ({n}, {v})" for n, v in enumerate(literals, 1)))
            table = copied.table(f"t{number}", v=ColumnPolicy(as_type=wanted))
            copied.copy(table)
            ours, theirs = copied.sides(table)
            if not inexact_columns(table):
                assert ours.sums(None, None) == theirs.sums(None, None), (kind, wanted)
            keys = [(str(n),) for n in range(1 + len(literals))]
            compared = ValueComparer(ours, theirs, QuarantineSettings()).compare(keys)
            assert [compared[key].equal for key in keys] == [True] * len(keys), (kind, wanted)


ZERO_DATES = {
    "null": ("date", "datetime(3)", "timestamp NULL"),
    "1900-01-01": ("date", "datetime(3)", "timestamp(6) NULL"),
    "1900-01-01 01:02:03.5": ("datetime(3)", "timestamp(1) NULL"),
    "keep": ("date", "datetime(3)", "timestamp(3) NULL"),
}


def test_zero_dates_have_the_digest_of_what_they_become(
    source_database: SourceDatabase, destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """NULL, a literal, their own text; dates that are some beside them."""
    with Copied(source_database, destination_database, tmp_path) as copied:
        copied.run("SET sql_mode = 'ALLOW_INVALID_DATES'", "SET time_zone = '+00:00'")
        for policy, kinds in ZERO_DATES.items():
            for number, kind in enumerate(kinds):
                name = f"{policy[:4]}{number}{len(policy)}"
                copied.run(
                    f"CREATE TABLE `{name}` (id int PRIMARY KEY, v {kind}, w {kind.split()[0]} NOT NULL)"
                )
                values = ["0000-00-00", "2024-02-29", "2001-01-01"]
                values += [] if kind.startswith("timestamp") else ["2024-00-10", "2024-02-31", "0000-05-06"]
                copied.run(
                    *(f"INSERT INTO `{name}` VALUES ({n}, '{v}', '{v}')" for n, v in enumerate(values))
                )
                wanted = ColumnPolicy(zero_dates=policy, as_type="text" if policy == "keep" else "")
                table = copied.table(name, v=wanted, w=wanted)
                copied.copy(table)
                ours, theirs = copied.sides(table)
                assert not inexact_columns(table)
                assert ours.sums(None, None) == theirs.sums(None, None), (policy, kind)


PLANTED = {
    "int": ("7", "8"),
    "bigint unsigned": ("18446744073709551615", "18446744073709551614"),
    "int(8) zerofill": ("42", "43"),
    "decimal(20,6)": ("1.000001", "1.000002"),
    "decimal(8,2) zerofill": ("1.20", "1.21"),
    "double": ("0.1", "0.10000000000000002"),
    "double ": ("1.5e300", "1.5000000000000004e300"),
    "double  ": ("1e-300", "0"),
    "float": ("0.1", "0.10000001"),
    "varchar(9) character set latin1": ("'é '", "'é'"),
    "text character set utf8mb4": ("''", "NULL"),
    "mediumtext character set utf8mb4": ("'N'", "NULL"),
    "varbinary(9)": ("X'00'", "'\\x0000'"),
    "blob": ("''", "NULL"),
    "date": ("'2024-02-29'", "'2024-02-28'"),
    "datetime(6)": ("'2024-02-29 01:02:03.000001'", "'2024-02-29 01:02:03'"),
    "timestamp(3) null": ("'2024-02-29 01:02:03.25'", "'2024-02-29 01:02:03.251Z'"),
    "time(1)": ("'-00:00:00.1'", "'00:00:00.1'"),
    "time": ("'24:00:00'", "'1 day'"),
    "year": ("2024", "2023"),
    "bit(1)": ("1", "false"),
    "bit(9)": ("5", "B'000000100'"),
    "enum('a','b')": ("'a'", "'b'"),
    "set('a','b')": ("'a,b'", "'b,a'"),
}
"""By type, a value of the source as SQL, and what is written over it in the destination."""


def test_every_planted_change_is_found(
    source_database: SourceDatabase, destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """One value of one type is changed in the copy: the digests differ, and so do the values."""
    with Copied(source_database, destination_database, tmp_path) as copied:
        copied.run("SET time_zone = '+00:00'")
        for number, (kind, (literal, other)) in enumerate(PLANTED.items()):
            copied.run(f"CREATE TABLE t{number} (id int PRIMARY KEY, v {kind})")
            copied.run(f"INSERT INTO t{number} VALUES (1, {literal}), (2, {literal})")
            table = copied.table(f"t{number}")
            copied.copy(table)
            ours, theirs = copied.sides(table)
            compare = ValueComparer(ours, theirs, QuarantineSettings()).compare
            assert all(row.equal for row in compare([("1",), ("2",)]).values()), kind
            assert copied.there(f"UPDATE {DATASET}.t{number} SET v = {other} WHERE id = 2") == 1
            here, there = ours.digests(None, None), theirs.digests(None, None, 10)
            assert here[("2",)].digest != there[("2",)].digest, kind
            assert ours.sums(None, None) != theirs.sums(None, None), kind
            if not inexact_columns(table):
                assert here[("1",)].digest == there[("1",)].digest, kind
            found = compare([("1",), ("2",)])
            assert (found[("1",)].equal, found[("2",)].equal) == (True, False), kind


def test_ranges_tile_tables_with_keys_of_every_type(
    source: RunningServer,
    destination: RunningServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ranges of two rows: each row is counted once; rows at both ends, and one that is gone, are found."""
    monkeypatch.setattr(verify_walk, "LEAF_ROWS", 2)
    limits = CopySettings(max_chunk_rows=2)

    @examples(1)
    @given(tables(server_of(source), FAMILIES, count=12))
    def check(made: list[Table]) -> None:
        with (
            fresh_source_database(source, "tiles") as here,
            fresh_destination_database(destination, "tiles") as there,
            Copied(here, there, tmp_path) as copied,
        ):
            statements = [s for table in made for s in (*table.create, *table.first)]
            with shown_on_failure(statements):
                run_all(copied.writer, [*SESSION, *statements])
                for table in made:
                    walk_both_ways(copied, copied.table(table.name), limits)

    check()


def walk_both_ways(copied: Copied, table: TableSchema, limits: CopySettings) -> None:
    """Walk through a copied table; then without some of its rows at the source, then in the destination."""
    aside = {row.key for row in copied.copy(table).aside}
    ours, theirs = copied.sides(table)
    there = name(DATASET, table.there).replace("%%", "%")

    def walked() -> verify_walk.Found:
        walk = verify_walk.Walk(ours, theirs, limits, lambda _: None)
        list(walk.steps())
        return walk.found

    rows = ours.digests(None, None)
    inexact = {k for k, row in theirs.digests(None, None, 1_000).items() if row.digest != rows[k].digest}
    assert inexact_columns(table) or not inexact
    found = walked()
    assert (found.rows, found.candidates, found.complete) == (len(rows), aside | inexact, True)
    copied.there(
        f"DELETE FROM {there} WHERE ctid = (SELECT ctid FROM {there} ORDER BY ctid OFFSET 1 LIMIT 1)"
    )
    for direction in ("", " DESC"):
        order = ", ".join(quote(k) + direction for k in table.key)
        copied.run(f"DELETE FROM {quote(table.id.name)} ORDER BY {order} LIMIT 1")
    here = ours.digests(None, None).keys()
    different = here ^ theirs.digests(None, None, 1_000).keys()
    found = walked()
    assert (found.rows, found.candidates) == (len(here), different | aside & here | inexact & here)
