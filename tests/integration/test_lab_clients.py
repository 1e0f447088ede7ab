"""The servers' command line clients, which the benchmarks use: they are found, and reach the servers."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks import copy
from rowferry_lab.servers import (
    ProviderUnavailable,
    RunningServer,
    fresh_destination_database,
    fresh_source_database,
)
from rowferry_lab.servers.clients import psql, source_client


def test_the_pipe_of_the_clients_copies_every_row(
    mariadb_10_11: RunningServer, postgres_15: RunningServer
) -> None:
    """So that its time is that of a whole copy; the values that the benchmark's table holds survive it."""
    try:
        source_client(mariadb_10_11.spec)
    except ProviderUnavailable as error:
        pytest.skip(f"no client: {error}")
    with fresh_source_database(mariadb_10_11) as source, fresh_destination_database(postgres_15) as target:
        copy.fill(source, "InnoDB", 700)
        assert copy.pipe(source, target) > 0
        columns = "count(*), count({0}Note{0}), sum({0}Paid{0}), max({0}VisitNum{0}), max({0}VisitDate{0})"
        there, here = columns.format('"'), columns.format("`")
        assert target.rows(f"SELECT {there} FROM visit") == source.rows(f"SELECT {here} FROM visit")


def test_psql_is_that_of_the_server(postgres_15: RunningServer) -> None:
    """And lets itself in by the server's URL."""
    command = [
        *psql(postgres_15.spec),
        "--no-psqlrc",
        "-Atc",
        "SHOW server_version",
        postgres_15.url("postgres"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("15.")
