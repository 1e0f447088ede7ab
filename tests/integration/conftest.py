"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rowferry_lab.servers import DestinationDatabase, SourceDatabase
from tests.integration.comparing import Pair


@pytest.fixture
def pair(source_database: SourceDatabase, destination_database: DestinationDatabase) -> Iterator[Pair]:
    """An empty pair of databases for the comparer, one for each source server."""
    made = Pair(source_database, destination_database)
    yield made
    made.close()
