"""Checksums inside the real servers: equal for rows that were copied, of every type, and only for those."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given

from rowferry.row_text import inexact_columns
from rowferry_lab.servers import RunningServer, fresh_destination_database, fresh_source_database
from tests.generated.examples import examples, server_of
from tests.generated.families import FAMILIES
from tests.generated.tables import SESSION, Table, run_all, shown_on_failure, tables
from tests.integration.copying import Copied


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
