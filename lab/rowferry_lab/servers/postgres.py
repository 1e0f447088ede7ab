"""PostgreSQL: a plain server on loopback that trusts its user."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg

from rowferry_lab.servers.accounts import account_for
from rowferry_lab.servers.binaries import Binaries
from rowferry_lab.servers.engine import Answer, Place
from rowferry_lab.servers.ports import LOOPBACK

_LOGIN_SECONDS = 2
# Durability keeps its defaults: a daemon that promises exactly-once is not tested on anything less.
DESTINATION_OPTIONS = ("--shared_buffers=64MB", "--max_wal_size=512MB")


class Postgres:
    """PostgreSQL of any version that is still maintained."""

    user = "postgres"
    clean_end = signal.SIGINT
    abrupt_end = signal.SIGQUIT
    taken_port_words: tuple[str, ...] = ("Address already in use", "could not create any TCP/IP sockets")

    def initial_options(self, options: Sequence[str]) -> list[str]:
        """Nothing: all options are the server's."""
        del options
        return []

    def initialise(self, binaries: Binaries, place: Place, options: Sequence[str]) -> None:
        """Run initdb, as the user the server will run as."""
        account = account_for("postgres")
        command = [
            str(binaries.beside("initdb")),
            f"--pgdata={place.data}",
            f"--username={self.user}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
            *options,
        ]
        subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            cwd=place.folder,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    def command(self, binaries: Binaries, place: Place, port: int, options: Sequence[str]) -> list[str]:
        """Give the command that starts a destination; the caller's options come last and win."""
        return [
            *binaries.command,
            "-D",
            str(place.data),
            f"--listen_addresses={LOOPBACK}",
            f"--port={port}",
            f"--unix_socket_directories={place.folder}",
            *DESTINATION_OPTIONS,
            *options,
        ]

    def ask(self, host: str, port: int) -> Answer | None:
        """Log in as the superuser."""
        try:
            with psycopg.connect(
                host=host, port=port, user=self.user, dbname="postgres", connect_timeout=_LOGIN_SECONDS
            ) as connection:
                row = connection.execute(
                    "SELECT current_setting('server_version'), current_setting('data_directory')"
                ).fetchone()
        except psycopg.OperationalError:
            return None
        return Answer(str(row[0]), Path(str(row[1]))) if row else None
