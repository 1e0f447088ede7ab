"""The session that holds the lock: the server is to notice soon when its client has vanished."""

from __future__ import annotations

from contextlib import closing

import pytest

from rowferry.destination import LOST_CLIENT, connect, fetch, take_lock
from rowferry.settings import DestinationSettings
from rowferry_lab.servers import DestinationDatabase


@pytest.mark.parametrize("destination", ["postgres_15", "postgres_17"], indirect=True)
def test_the_server_watches_whether_its_client_lives(destination_database: DestinationDatabase) -> None:
    """While nothing is under way, while an answer is, and while a statement runs."""
    settings = DestinationSettings(url=destination_database.url)
    with closing(connect(settings)) as session:
        take_lock(session, "raw")
        wanted = {**LOST_CLIENT, "client_connection_check_interval": "10000"}
        sql = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
        assert dict(fetch(session, sql, [list(wanted)])) == wanted
