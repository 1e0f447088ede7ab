"""`rowferry init`: from a few answers to a copy, with nothing added by hand."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from rowferry.cli import INIT_OPTIONS
from rowferry.init_answers import QUESTIONS
from tests.acceptance import forked
from tests.acceptance.harness import PATIENCE_SECONDS, ROOT, Ferry

SECRETS: Final = ("ROWFERRY_SOURCE__PASSWORD", "ROWFERRY_DESTINATION__PASSWORD")
FILES: Final = {
    "rowferry.toml": 0o644,
    "source.sql": 0o600,
    "destination.sql": 0o600,
    f"credentials/{SECRETS[0]}": 0o600,
    f"credentials/{SECRETS[1]}": 0o600,
    "rowferry@north.service.d/override.conf": 0o644,
}


def clean(**more: str) -> dict[str, str]:
    """An environment without settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ROWFERRY_")}
    return {**kept, "PYTHONPATH": str(ROOT / "daemon"), **more}


def rowferry(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command in the folder."""
    return forked.run(arguments, clean(**more), folder, PATIENCE_SECONDS)


def answers(ferry: Ferry) -> dict[str, str]:
    """Answers that fit the ferry's servers."""
    return {
        "name": "north",
        "server": str(ferry.source.server.spec),
        "source-host": "127.0.0.1",
        "source-port": str(ferry.source.server.port),
        "source-database": ferry.source.name,
        "source-account": account(ferry),
        "account-host": "127.%",
        "opendental": "no",
        "destination-host": "127.0.0.1",
        "destination-port": str(ferry.destination.server.port),
        "destination-database": ferry.destination.name,
        "destination-account": account(ferry),
        "dataset": "raw",
    }


def account(ferry: Ferry) -> str:
    """The name of the accounts at both servers; it needs quotes, and is nobody else's."""
    return f"row-ferry_{ferry.source.name[-8:]}"


@pytest.fixture
def accounts(ferry: Ferry) -> Iterator[None]:
    """Drop the accounts at the end."""
    yield
    ferry.source.run(f"DROP USER IF EXISTS '{account(ferry)}'@'127.%'")
    if ferry.destination.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", [account(ferry)]):
        ferry.destination.run(f'DROP OWNED BY "{account(ferry)}" CASCADE', f'DROP ROLE "{account(ferry)}"')


def statements(path: Path) -> list[str]:
    """A script's statements, one a line."""
    return [line for line in path.read_text().splitlines() if line and not line.startswith("--")]


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
def test_what_init_writes_is_enough_for_a_copy(ferry: Ferry) -> None:
    """The SQL run as it is, check is content, and the copy is equal; no password is shown."""
    ferry.source.run("CREATE TABLE patient (id int PRIMARY KEY, name varchar(20))")
    ferry.source.run("INSERT INTO patient VALUES (1, 'one'), (2, 'two')")
    folder = ferry.state / "new"
    options = [f"--{key}={value}" for key, value in answers(ferry).items()]
    made = rowferry(ferry.state, "init", str(folder), *options)
    assert made.returncode == 0, made.stderr
    assert {name: (folder / name).stat().st_mode & 0o777 for name in FILES} == FILES
    assert (folder / "credentials").stat().st_mode & 0o777 == 0o700
    ferry.source.run(*statements(folder / "source.sql"))
    ferry.destination.run(*statements(folder / "destination.sql"))
    secrets = [(folder / "credentials" / name).read_text() for name in SECRETS]
    environment = {"ROWFERRY_SECRETS_DIR": str(folder / "credentials"), "ROWFERRY_HTTP__LISTEN": "off"}
    common = ["--config", str(folder / "rowferry.toml")]
    check = rowferry(ferry.state, "check", *common, **environment)
    assert check.returncode == 0, check.stdout + check.stderr
    assert "the account can read and change nothing" in check.stdout
    assert "failure" not in check.stdout
    copied = rowferry(ferry.state, "run", "--until-caught-up", *common, **environment)
    assert copied.returncode == 0, copied.stderr[-3000:]
    ferry.assert_equal()
    again = rowferry(ferry.state, "init", str(folder), *options)
    assert again.returncode == 2
    assert "rowferry.toml" in again.stderr
    assert secrets == [(folder / "credentials" / name).read_text() for name in SECRETS]
    shown = made.stdout + made.stderr + check.stdout + check.stderr + copied.stderr + again.stderr
    for secret in secrets:
        assert secret not in shown + (folder / "rowferry.toml").read_text()
    if ferry.source.server.spec.product == "mysql":
        names = ("binlog_format", "binlog_row_image", "binlog_row_metadata")
        ferry.source.run(*(f"RESET PERSIST {name}" for name in names))


def test_without_a_terminal_every_answer_must_be_given(tmp_path: Path) -> None:
    """One line names the options; --yes takes the defaults; a wrong answer is refused; nothing is written."""
    missing = rowferry(tmp_path, "init", "new", "--name=north")
    assert missing.returncode == 2
    assert missing.stderr.count("\n") == 1
    assert "--source-host" in missing.stderr
    assert "--name" not in missing.stderr
    for wrong in (
        "--source-port=0",
        "--name=a/b",
        "--name=North",
        "--server=oracle",
        "--dataset=pg_x",
        "--source-host=db:3306",
        "--destination-host=5432",
    ):
        done = rowferry(tmp_path, "init", "new", "--yes", wrong)
        assert done.returncode == 2, wrong
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert rowferry(tmp_path, "init", "new", "--yes", "--source-database=a`b'c").returncode == 0
    settings = tomllib.loads((tmp_path / "new/rowferry.toml").read_text())
    assert settings["source"]["url"] == "mysql://rowferry@127.0.0.1:3306/a%60b%27c"
    assert "`a``b'c`.*" in (tmp_path / "new/source.sql").read_text()
    before = (tmp_path / "new/credentials" / SECRETS[0]).read_text()
    assert rowferry(tmp_path, "init", "new", "--yes", "--force").returncode == 0
    assert (tmp_path / "new/credentials" / SECRETS[0]).read_text() != before


def test_what_is_printed_for_systemd_is_what_the_unit_reads(tmp_path: Path) -> None:
    """The settings and the credentials are put where rowferry@.service looks for them."""
    unit = (ROOT / "deploy/systemd/rowferry@.service").read_text().replace("%i", "north")
    read = re.findall(r"^LoadCredential=\w+:(\S+)$|^ExecStart=.* --config (\S+)$", unit, re.MULTILINE)
    printed = rowferry(tmp_path, "init", "new", "--yes", "--name=north").stdout
    installed = re.findall(r"^ +install (?:-D )?-m \d+ \S+ (\S+)$", printed, re.MULTILINE)
    assert sorted(installed) == sorted(credential or config for credential, config in read)
    assert len(installed) == 3


def test_on_a_terminal_it_asks_and_explains(tmp_path: Path) -> None:
    """An empty answer takes the default; a wrong one is asked for again."""
    ours, theirs = pty.openpty()
    typed = ["north", "oracle", "mysql:8.4", *[""] * (len(QUESTIONS) - 2)]
    os.write(ours, "".join(f"{line}\n" for line in typed).encode())
    done = subprocess.run(
        [sys.executable, "-m", "rowferry", "init"],
        stdin=theirs,
        env=clean(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert "It must look like mariadb:10.5 or mysql:8.4." in done.stderr
    assert all(q.text in done.stderr and q.why in done.stderr for q in QUESTIONS)
    assert {name: (tmp_path / name).stat().st_mode & 0o777 for name in FILES} == FILES
    assert "SET PERSIST" in (tmp_path / "source.sql").read_text()
    assert 'profile = "opendental"' in (tmp_path / "rowferry.toml").read_text()


def test_every_question_has_its_option() -> None:
    """The command line names them and their defaults without importing the questions."""
    assert {q.key: q.default for q in QUESTIONS} == INIT_OPTIONS


def test_the_next_steps_put_each_password_where_the_unit_looks_for_it(tmp_path: Path) -> None:
    """The files that the unit loads are those that the printed commands install."""
    unit = (ROOT / "deploy/systemd/rowferry@.service").read_text()
    wanted = re.findall(r"^LoadCredential=\w+:(/\S+)", unit, re.MULTILINE)
    printed = rowferry(tmp_path, "init", "new", "--yes", "--name=north").stdout
    assert len(wanted) == 2
    assert all(f" {path.replace('%i', 'north')}\n" in printed for path in wanted)


@pytest.mark.parametrize(
    ("server", "right"),
    [
        ("10.5.23-MariaDB-0+deb11u1-log", "BINLOG MONITOR"),
        ("5.5.5-10.6.1-MariaDB", "BINLOG MONITOR"),
        ("10.11.6", "BINLOG MONITOR"),
        ("MariaDB 10.5", "BINLOG MONITOR"),
        ("8.0.36-0ubuntu0.22.04.1", "REPLICATION CLIENT"),
        ("mysql:9.7", "REPLICATION CLIENT"),
    ],
)
def test_the_server_may_be_told_in_its_own_words(tmp_path: Path, server: str, right: str) -> None:
    """What `SELECT VERSION()` says is an answer."""
    done = rowferry(tmp_path, "init", "new", "--yes", f"--server={server}")
    assert done.returncode == 0, done.stderr
    assert right in (tmp_path / "new/source.sql").read_text()
