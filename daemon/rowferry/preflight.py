"""What the daemon refuses to start without: the failing points of the source, as one error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pymysql.connections import Connection

from rowferry.check_grants import all_ok, check_grants
from rowferry.check_source import check_binlog, check_filters
from rowferry.errors import ConfigurationError
from rowferry.findings import Finding
from rowferry.mysql_source import SourceServer
from rowferry.settings import Settings


def check_source(control: Connection[Any], server: SourceServer, settings: Settings) -> Iterator[Finding]:
    """Version, binlog settings and grants of the source."""
    yield from check_binlog(control, server)
    grants = list(check_grants(control, server, settings))
    yield from grants
    if all_ok(grants[:2]):
        yield from check_filters(control, server, settings)


def require_source(control: Connection[Any], server: SourceServer, settings: Settings) -> None:
    """Raise ConfigurationError for the failing points of the source."""
    failing = [f for f in check_source(control, server, settings) if not f.ok]
    if failing:
        mend = " ".join(" ".join(f.sql) or f.remedy for f in failing)
        raise ConfigurationError(
            "start",
            reason="; ".join(f.detail for f in failing),
            hint=f"Mend it: {mend} (`rowferry check` shows all points)",
        )
