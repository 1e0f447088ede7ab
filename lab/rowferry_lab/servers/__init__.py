"""Real database servers on this machine, for the demo, the tests and the benchmarks.

    with Lab() as lab:
        source, destination = lab.servers("mariadb:10.5", "postgres:15")
        print(source.url("clinic"), destination.url())

A server comes from the first that has it: a URL in the environment, an installed binary, a Docker engine,
packages of this machine's distribution unpacked into the user's cache. Nothing needs root.
"""

from rowferry_lab.servers.databases import (
    DestinationDatabase,
    SourceDatabase,
    fresh_destination_database,
    fresh_source_database,
)
from rowferry_lab.servers.errors import LabError, NotOurs, ProviderUnavailable, ServerFailed
from rowferry_lab.servers.lab import Lab
from rowferry_lab.servers.provider import Availability
from rowferry_lab.servers.providers import available, start
from rowferry_lab.servers.running import RunningServer
from rowferry_lab.servers.spec import Product, ServerSpec

__all__ = [
    "Availability",
    "DestinationDatabase",
    "Lab",
    "LabError",
    "NotOurs",
    "Product",
    "ProviderUnavailable",
    "RunningServer",
    "ServerFailed",
    "ServerSpec",
    "SourceDatabase",
    "available",
    "fresh_destination_database",
    "fresh_source_database",
    "start",
]
