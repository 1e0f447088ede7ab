"""`rowferry verify` of a table of 15 columns, all rows equal: seconds, and bytes that cross the network.

    python -m benchmarks.verify [ROWS]

ROWS is 1,000,000 unless given. MariaDB 10.11 and Postgres 15, both on this machine; whole processes, with no
daemon running, so that the command carries the stream itself. Medians of three; then once more through relays
that count what each server sends.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks import source_table
from benchmarks.backlog import catch_up, environment
from rowferry_lab.servers import Lab, fresh_destination_database, fresh_source_database

ROWS: Final = 1_000_000
RUNS: Final = 3
_BLOCK: Final = 1 << 16


@dataclass(slots=True)
class Relay:
    """Passes connections on to a server. url: to use instead of its own. received: bytes that it sent."""

    url: str
    received: int = 0


@contextmanager
def relay(url: str) -> Iterator[Relay]:
    """A relay in front of a server, for the length of a block."""
    parts = urlsplit(url)
    target = (parts.hostname or "127.0.0.1", parts.port or 0)
    listener = socket.create_server(("127.0.0.1", 0))
    account = parts.netloc.rpartition("@")[0]
    counted = Relay(parts._replace(netloc=f"{account}@127.0.0.1:{listener.getsockname()[1]}").geturl())

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(target)
            for one, other, counts in ((client, server, False), (server, client, True)):
                threading.Thread(target=_pass_on, args=(one, other, counted, counts), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield counted
    finally:
        listener.close()


def _pass_on(one: socket.socket, other: socket.socket, relay: Relay, counts: bool) -> None:
    try:
        while block := one.recv(_BLOCK):
            relay.received += len(block) if counts else 0
            other.sendall(block)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        other.close()


def verify(settings: dict[str, str], rows: int) -> float:
    """Seconds of a whole process. Raises RuntimeError unless every row is equal."""
    command = [sys.executable, "-m", "rowferry", "verify", "--json"]
    started = time.monotonic()
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    found = [(t["result"], t["rows"]) for t in json.loads(done.stdout or "{}").get("tables", ())]
    if found != [("equal", rows)]:
        raise RuntimeError(f"{found} {done.stderr[-2000:]}")
    return seconds


def main(rows: int = ROWS) -> None:
    """Print the figures."""
    with Lab() as lab:
        source, destination = lab.servers("mariadb:10.11", "postgres:15")
        with (
            fresh_source_database(source, "bench") as database,
            fresh_destination_database(destination, "bench") as target,
            tempfile.TemporaryDirectory() as state,
        ):
            with database.connect() as connection:
                source_table.create(connection, "InnoDB")
                source_table.change(connection, inserts=rows, updates=0, deletes=0)
            settings = environment(database.url, target.url, Path(state))
            catch_up(settings)
            seconds = statistics.median(verify(settings, rows) for _ in range(RUNS))
            with relay(database.url) as here, relay(target.url) as there:
                verify(environment(here.url, there.url, Path(state)), rows)
            [(size,)] = target.rows(f"SELECT pg_table_size('raw.{source_table.TABLE}')")
    print(
        f"verify of {rows:,} equal rows ({size / 1e6:,.0f} MB in Postgres): {seconds:.1f} s;"
        f" {here.received / 1e3:,.0f} kB came from MariaDB, {there.received / 1e3:,.0f} kB from Postgres"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
