"""A `Ferry` between a fresh source database and a fresh destination database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rowferry_lab.servers import (
    DestinationDatabase,
    RunningServer,
    ServerSpec,
    SourceDatabase,
    fresh_destination_database,
    fresh_source_database,
)
from tests.acceptance.harness import Ferry

if TYPE_CHECKING:
    from tests.conftest import GetServer


STARTED_FRESH = ("test_commands", "test_main_job")


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> bool:
    """Whether this module's commands are started by `python -m rowferry`."""
    return str(request.module.__name__).endswith(STARTED_FRESH)


@pytest.fixture
def ferry(
    source_database: SourceDatabase, destination_database: DestinationDatabase, tmp_path: Path, fresh: bool
) -> Ferry:
    """One for each source server."""
    return Ferry(source_database, destination_database, tmp_path, fresh=fresh)


@pytest.fixture
def mariadb_ferry(
    mariadb_10_11: RunningServer, postgres_15: RunningServer, tmp_path: Path, fresh: bool
) -> Iterator[Ferry]:
    """One on MariaDB 10.11, for what does not depend on the source's family."""
    with fresh_source_database(mariadb_10_11) as source, fresh_destination_database(postgres_15) as target:
        yield Ferry(source, target, tmp_path, fresh=fresh)


@pytest.fixture
def mysql_ferry(mysql_9_7: RunningServer, postgres_17: RunningServer, tmp_path: Path) -> Iterator[Ferry]:
    """One on MySQL 9.7."""
    with fresh_source_database(mysql_9_7) as source, fresh_destination_database(postgres_17) as target:
        yield Ferry(source, target, tmp_path)


@pytest.fixture
def mysql_without_gtid(get_server: GetServer, postgres_15: RunningServer, tmp_path: Path) -> Iterator[Ferry]:
    """One on a MySQL 9.7 of its own with gtid_mode=OFF."""
    options = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"]
    server = get_server(ServerSpec.parse("mysql:9.7"), options=options, name="without GTID")
    with fresh_source_database(server) as source, fresh_destination_database(postgres_15) as target:
        yield Ferry(source, target, tmp_path)
