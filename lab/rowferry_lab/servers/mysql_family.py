"""MariaDB and MySQL: made ready to be read through the binlog, small, on loopback only."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pymysql

from rowferry_lab.servers import accounts
from rowferry_lab.servers.binaries import Binaries
from rowferry_lab.servers.engine import Answer, Place
from rowferry_lab.servers.ports import LOOPBACK

_INITIAL_OPTION = re.compile(r"--(loose[-_])?(lower[-_]case[-_]table[-_]names|innodb[-_](page|undo)[-_]\w+)")
_LOGIN_SECONDS = 2
_SHARE_FOLDERS = ("share/mysql", "share/mariadb")
_PLUGIN_FOLDERS = ("lib/mysql/plugin", "lib/mariadb/plugin", "lib64/mysql/plugin")

# Both the settings the daemon asks of a source, and what keeps a server small and quick to start.
SOURCE_OPTIONS = (
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--local-infile=1",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=2",
    "--sync-binlog=0",
    "--skip-name-resolve",
)
MYSQL_OPTIONS = (
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--loose-mysqlx=OFF",
    "--secure-file-priv=",
)
_MARIADB_LOG_SIZE = "--innodb-log-file-size=48M"

_MYSQL_ROOT = """\
CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY '';
GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
"""
# Without this, the scripts add users without a name; root without a password is their default.
_MARIADB_START = "create database mysql;\nuse mysql;\nset @skip_auth_anonymous=1;\n"
_MARIADB_SCRIPTS = ("system_tables", "performance_tables", "system_tables_data")


def _as_user() -> list[str]:
    return ["--user=root"] if accounts.is_root() else []


def _files(binaries: Binaries) -> list[str]:
    """Tell the server where its own files are: it looks where it was packaged to be."""
    options = [f"--basedir={binaries.prefix}"]
    share, plugins = binaries.folder(*_SHARE_FOLDERS), binaries.folder(*_PLUGIN_FOLDERS)
    if share is not None:
        options += [f"--lc-messages-dir={share}", f"--character-sets-dir={share}/charsets"]
    if plugins is not None:
        options += [f"--plugin-dir={plugins}"]
    return options


class MySqlFamily:
    """What MariaDB and MySQL have in common."""

    user = "root"
    clean_end = signal.SIGTERM
    abrupt_end = signal.SIGKILL
    taken_port_words: tuple[str, ...] = ("Address already in use", "Can't start server: Bind on TCP/IP port")
    own_options: tuple[str, ...] = ()

    def initial_options(self, options: Sequence[str]) -> list[str]:
        """Pick what must be the same from the data directory's first day on."""
        return [option for option in options if _INITIAL_OPTION.match(option)]

    def command(self, binaries: Binaries, place: Place, port: int, options: Sequence[str]) -> list[str]:
        """Give the command that starts a source; the caller's options come last and win."""
        return [
            *binaries.command,
            "--no-defaults",
            *_as_user(),
            *_files(binaries),
            f"--datadir={place.data}",
            f"--tmpdir={place.scratch}",
            f"--bind-address={LOOPBACK}",
            f"--port={port}",
            f"--server-id={port}",
            f"--socket={place.folder}/mysql.sock",
            f"--pid-file={place.folder}/mysql.pid",
            *SOURCE_OPTIONS,
            *self.own_options,
            *options,
        ]

    def ask(self, host: str, port: int) -> Answer | None:
        """Log in as root without a password."""
        try:
            with (
                pymysql.connect(
                    host=host, port=port, user=self.user, password="", connect_timeout=_LOGIN_SECONDS
                ) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute("SELECT VERSION(), @@datadir")
                row = cursor.fetchone()
        except pymysql.err.OperationalError:
            return None
        return Answer(str(row[0]), Path(str(row[1]))) if row else None


class MariaDb(MySqlFamily):
    """MariaDB: its system tables are made by scripts that are piped to it."""

    own_options = (_MARIADB_LOG_SIZE,)

    def initialise(self, binaries: Binaries, place: Place, options: Sequence[str]) -> None:
        """Run the server's own scripts in its bootstrap mode."""
        command = [
            *binaries.command,
            "--no-defaults",
            "--bootstrap",
            *_as_user(),
            *_files(binaries),
            f"--datadir={place.data}",
            f"--tmpdir={place.scratch}",
            _MARIADB_LOG_SIZE,
            *options,
        ]
        subprocess.run(
            command,
            input=self._script(binaries),
            capture_output=True,
            text=True,
            check=True,
            cwd=place.folder,
        )

    def _script(self, binaries: Binaries) -> str:
        share = binaries.folder(*_SHARE_FOLDERS) or binaries.prefix
        for prefix in ("mariadb", "mysql"):
            scripts = [share / f"{prefix}_{name}.sql" for name in _MARIADB_SCRIPTS]
            if all(script.is_file() for script in scripts):
                return _MARIADB_START + "".join(script.read_text() for script in scripts)
        raise FileNotFoundError(f"no scripts for the system tables in {share}")


class MySql(MySqlFamily):
    """MySQL: initialises itself."""

    own_options = MYSQL_OPTIONS

    def initialise(self, binaries: Binaries, place: Place, options: Sequence[str]) -> None:
        """Initialise without a password for root, and let root in over TCP."""
        start = place.scratch / "root.sql"
        start.write_text(_MYSQL_ROOT)
        command = [
            *binaries.command,
            "--no-defaults",
            "--initialize-insecure",
            *_as_user(),
            *_files(binaries),
            f"--datadir={place.data}",
            f"--tmpdir={place.scratch}",
            f"--init-file={start}",
            "--loose-mysqlx=OFF",
            "--secure-file-priv=",
            *options,
        ]
        subprocess.run(command, capture_output=True, text=True, check=True, cwd=place.folder)
        (place.data / "auto.cnf").unlink(missing_ok=True)  # the server's identity: each copy makes its own
