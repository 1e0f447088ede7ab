"""The source's binlog files as each server tells of them, with no more rights than the daemon needs."""

from __future__ import annotations

import math

from rowferry.binlog_files import BinlogFiles, begun_at, changed_at, list_files
from rowferry.mysql_source import clock_us, connect, describe_server, head_position
from rowferry.settings import SourceSettings
from rowferry_lab.servers import SourceDatabase


def test_ends_of_files_and_headroom_are_told_by_the_server(source_database: SourceDatabase) -> None:
    """A file's last change lies between the clock before the next one was begun, and after it."""
    database = source_database
    database.run("DROP USER IF EXISTS 'rf_reader'@'%'", "CREATE USER 'rf_reader'@'%' IDENTIFIED BY 'x'")
    with connect(SourceSettings(url=database.url)) as root:
        right = "BINLOG MONITOR" if describe_server(root).is_mariadb else "REPLICATION CLIENT"
    database.run(f"GRANT REPLICATION SLAVE, {right} ON *.* TO 'rf_reader'@'%'")
    address = f"{database.server.host}:{database.server.port}"
    database.run(f"GRANT SELECT ON {database.name}.* TO 'rf_reader'@'%'")
    settings = SourceSettings(url=f"mysql://rf_reader:x@{address}/{database.name}")
    with connect(settings) as control:
        server = describe_server(control)
        before, start = head_position(control, server), clock_us(control) // 1_000_000
        database.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)", "FLUSH BINARY LOGS")
        end, head = clock_us(control) / 1e6, head_position(control, server)
        files = list_files(control)
        names = [f.name for f in files]
        place = names.index(before.file)
        changed = changed_at(settings, files[place], names[place + 1])
        begun = begun_at(settings, names[place + 1])
        assert changed is not None
        assert begun is not None
        assert start <= changed <= begun <= end
        assert begun_at(settings, "binlog.999999") is None
        watch = BinlogFiles(settings)
        watch.look(control, before, head, end)
        assert watch.backlog_bytes == files[place].size - before.offset + head.offset
        assert watch.headroom_seconds() == math.inf or 0 < watch.headroom_seconds() <= 2_592_000
    database.run("DROP USER 'rf_reader'@'%'")
