"""`rowferry init`: from a few answers to the files of a new instance. Overwrites nothing unless told to."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rowferry.errors import ConfigurationError, UsageError
from rowferry.init_answers import Answers, collect, unanswered
from rowferry.init_files import (
    CREDENTIALS,
    DESTINATION_FILE,
    SOURCE_FILE,
    NewFile,
    make_files,
    new_password,
)

Ask = Callable[[str], str]


def init(
    folder: Path,
    given: Mapping[str, str | None],
    *,
    force: bool,
    defaults: bool,
    ask: Ask | None,
    say: Callable[[str], None],
) -> str:
    """Write the files into the folder; what to do next, in words.

    given: answers by the questions' keys. defaults: take the default of what was not given. ask: None
    where there is no terminal. Raises UsageError for a missing or wrong answer, and for a file that is
    there already; ConfigurationError if a file cannot be written.
    """
    missing = unanswered(given)
    if missing and not defaults and ask is None:
        raise UsageError(
            "prepare the files",
            reason=f"there is no terminal to ask on, and these are not given: {', '.join(missing)}",
            hint="Give them, or --yes to take the defaults",
        )
    answers = collect(given, None if defaults else ask, say)
    files = make_files(answers, new_password(), new_password())
    standing = [f.path for f in files if (folder / f.path).exists()]
    if standing and not force:
        raise UsageError(
            "prepare the files",
            str(folder),
            reason=f"{', '.join(standing)} is there already",
            hint="Choose another folder, or --force to overwrite",
        )
    try:
        for file in files:
            _write(folder, file)
    except OSError as error:
        reason = error.strerror or "it cannot be written"
        raise ConfigurationError("write", str(error.filename), reason=reason) from None
    return next_steps(folder, answers, files)


def _write(folder: Path, file: NewFile) -> None:
    """Write a file that nobody could read before its permissions were set."""
    path = folder / file.path
    folder.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700 if file.path.startswith(CREDENTIALS) else 0o755, exist_ok=True)
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, file.mode), "w", encoding="utf-8") as output:
        output.write(file.text)
    path.chmod(file.mode)


def next_steps(folder: Path, answers: Answers, files: Sequence[NewFile]) -> str:
    """What was written, and what is to be done with it."""
    name = answers["name"]
    there = f"/etc/rowferry/{name}.credentials"

    def here(path: str) -> str:
        return shlex.quote(str(folder / path))

    def at(side: str, port: str) -> str:
        return f"-h {answers[f'{side}_host']} {port} {answers[f'{side}_port']}"

    lines = [f"Written to {folder}:", *(f"  {f.path}" for f in files), "", "Next:"]
    lines += [
        f"  1. mysql {at('source', '-P')} -u root -p < {here('source.sql')}",
        "     and the lines at its end into that server's configuration, so that they outlast a restart",
        f"  2. createdb {at('destination', '-p')} -U postgres -E UTF8 -T template0"
        f" {shlex.quote(answers['destination_database'])}    (unless it is there)",
        f"     psql {at('destination', '-p')} -U postgres -f {here('destination.sql')}"
        f" {shlex.quote(answers['destination_database'])}",
        f"  3. ROWFERRY_SECRETS_DIR={here(CREDENTIALS)} rowferry check --config {here('rowferry.toml')}",
        "  4. delete source.sql and destination.sql: they hold the passwords, as the credentials do",
        "  5. for systemd, as root:",
        f"     install -D -m 644 {here('rowferry.toml')} /etc/rowferry/{name}.toml",
        f"     install -d -m 700 {there}",
        *(
            f"     install -m 600 {here(f'{CREDENTIALS}/{file}')} {there}/{file}"
            for file in (SOURCE_FILE, DESTINATION_FILE)
        ),
        f"     cp -r {here(f'rowferry@{name}.service.d')} /etc/systemd/system/",
        f"     systemctl daemon-reload && systemctl enable --now rowferry@{name}",
    ]
    return "\n".join(lines)
