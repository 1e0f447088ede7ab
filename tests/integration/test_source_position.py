"""The source's binlog position, as the server tells it."""

from __future__ import annotations

import pytest

from rowferry.mysql_source import connect, describe_server, head_position
from rowferry.settings import SourceSettings
from rowferry_lab.servers import SourceDatabase


@pytest.mark.parametrize("source", ["mariadb_10_5", "mariadb_10_11", "mariadb_11_8"], indirect=True)
def test_the_position_behind_a_huge_event_has_its_gtids(source_database: SourceDatabase) -> None:
    """An event may be larger than max_allowed_packet: an UPDATE has two images of 16 MB."""
    source_database.run(
        "CREATE TABLE t (id int PRIMARY KEY, b longblob)",
        "INSERT INTO t VALUES (1, REPEAT('x', 16000000))",
        "UPDATE t SET b = CONCAT(SUBSTR(b, 2), 'y')",
    )
    with connect(SourceSettings(url=source_database.url)) as control:
        server = describe_server(control)
        position = head_position(control, server)
        assert str(position.gtid_set) == source_database.rows("SELECT @@gtid_binlog_pos")[0][0]
        source_database.run("INSERT INTO t VALUES (2, '')")
        assert head_position(control, server).gtid_set != position.gtid_set
