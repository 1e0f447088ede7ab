"""Tables of every type under odd names, made by chance, are copied, followed, and stay equal.

By default the same few examples each time. ROWFERRY_LAB_EXAMPLES=50 makes that many new ones; on a
failure the statements are printed, to be run by hand.
"""

from __future__ import annotations

import os
from itertools import zip_longest
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, given, settings

from rowferry_lab.servers import RunningServer, fresh_destination_database, fresh_source_database
from tests.acceptance.harness import Ferry
from tests.generated_tables import SESSION, Table, run_all, shown_on_failure, tables
from tests.generated_types import FAMILIES, Server

_EXAMPLES: Final = int(os.environ.get("ROWFERRY_LAB_EXAMPLES", "0"))
NOT_CARRIED: Final = frozenset(
    {"bit", "year", "enum", "set", "json", "geometry", "vector", "identifier", "compressed", "old_fraction"}
)
PROPERTY: Final = settings(
    max_examples=_EXAMPLES or 5,
    derandomize=not _EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def server_of(source: RunningServer) -> Server:
    """What the generator must know of it."""
    major, minor = map(int, source.spec.version.split(".")[:2])
    return Server(source.spec.product == "mysql", (major, minor))


def test_generated_tables_are_copied_and_followed(
    source: RunningServer, destination: RunningServer, tmp_path: Path
) -> None:
    """Whatever the source stores, by both ways in, is what the destination holds, under the same names."""
    numbers = iter(range(10_000))

    @PROPERTY
    @given(tables(server_of(source), FAMILIES - NOT_CARRIED))
    def check(made: list[Table]) -> None:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        with (
            fresh_source_database(source, "made") as here,
            fresh_destination_database(destination, "made") as there,
        ):
            copy_and_follow(Ferry(here, there, folder), made)

    check()


def copy_and_follow(ferry: Ferry, made: list[Table]) -> None:
    """Make and fill the tables, copy them, change them, follow, and compare after both."""
    before = [s for table in made for s in (*table.create, *table.first)]
    groups = zip_longest(*(table.later for table in made), fillvalue=())
    after = [s for interleaved in groups for group in interleaved for s in group]
    with shown_on_failure([*before, "-- copied here", *after]), ferry.source.connect() as connection:
        run_all(connection, [*SESSION, *before])
        ferry.catch_up()
        ferry.assert_equal(*(table.name for table in made))
        run_all(connection, after)
        ferry.catch_up()
        ferry.assert_equal(*(table.name for table in made))
