"""Lines of the log: their forms, and what never comes into them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from rowferry import logs

SECRET = "canary-of-a-row"
DAEMON = Path(logs.__file__).parents[1]

PROGRAM = f"""
import logging, sys, threading, warnings
from rowferry import logs
from rowferry.setting_groups import LogSettings
logs.configure(LogSettings(format=sys.argv[1]), source="clinic", dataset="raw")
log = logs.get()
log.info("started", version="1", lag=float("inf"), odd=ValueError("{SECRET}"), long="x" * 5000)
logging.getLogger("psycopg").warning("row %s", "{SECRET}")
try:
    raise ValueError("{SECRET}")
except ValueError:
    logging.getLogger("dlt").exception("{SECRET}")
warnings.warn("{SECRET}")
def fail():
    raise KeyError("{SECRET}")
thread = threading.Thread(target=fail, name="copier")
thread.start(); thread.join()
class Odd:
    def __del__(self):
        raise OSError("{SECRET}")
Odd()
for _ in range(3):
    log.warning("retrying", error="again")
log.info("stopped")
raise TypeError("{SECRET}")
"""


def run(form: str) -> list[str]:
    """The lines that the program above writes."""
    environment = {**os.environ, "PYTHONPATH": str(DAEMON)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, form], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()


def test_every_line_is_an_event_with_its_fields_and_no_text_of_others() -> None:
    """Also of libraries, warnings, and errors that nobody caught, in any thread."""
    *lines, last = run("auto")
    events = [json.loads(line) for line in lines]
    for event in events:
        assert list(event)[:5] == ["time", "level", "event", "source", "dataset"]
        assert (event["source"], event["dataset"], event["time"][-1]) == ("clinic", "raw", "Z")
    shown = [(e["event"], e.get("logger") or e.get("thread")) for e in events]
    assert shown == [
        ("started", None),
        ("library_message", "psycopg"),
        ("library_message", "dlt"),
        ("library_message", "python"),
        ("internal_error", "copier"),
        ("internal_error", "MainThread"),
        ("retrying", None),
        ("retrying", None),
        ("stopped", None),
        ("internal_error", "main"),
    ]
    assert (events[0]["lag"], events[0]["odd"], len(events[0]["long"])) == (None, "<ValueError>", 4097)
    assert events[7]["repeated"] == 2
    assert events[2]["kind"] == "ValueError"
    assert events[-1]["place"].startswith("TypeError at <string>:")
    assert last.startswith("rowferry: cannot go on")


def test_the_journal_has_a_priority_before_each_line() -> None:
    """As sd-daemon(3) numbers them."""
    priorities = [line[:3] for line in run("journal")[:-1]]
    assert priorities[:3] == ["<6>", "<4>", "<3>"]


def test_text_is_one_line_an_event() -> None:
    """What a person reads; no colours where there is no terminal."""
    lines = run("text")
    assert "started" in lines[0]
    assert "\x1b" not in "".join(lines)


def test_the_journal_is_known_by_the_file_that_systemd_names(tmp_path: Path) -> None:
    """Another program's $JOURNAL_STREAM, inherited, does not count."""
    with (tmp_path / "log").open("w") as stream:
        found = os.fstat(stream.fileno())
        assert logs.is_journal(f"{found.st_dev}:{found.st_ino}", stream)
        assert not logs.is_journal(f"{found.st_dev}:{found.st_ino + 1}", stream)
        assert not logs.is_journal("", stream)
    assert not logs.is_journal("1:2", SimpleNamespace())


def test_what_ends_a_command_is_an_error_in_the_journal(tmp_path: Path) -> None:
    """Else `journalctl -p warning` would not show why a service ended. On another stderr it has no mark."""
    lines = []
    for shift in (0, 1):
        with (tmp_path / "stderr").open("w+") as stream:
            found = os.fstat(stream.fileno())
            subprocess.run(
                [sys.executable, "-m", "rowferry", "run", "--config", "none.toml"],
                env={**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + shift}"},
                stderr=stream,
                timeout=60,
                check=False,
            )
            stream.seek(0)
            lines.append(stream.read())
    assert lines[1].startswith("rowferry: ")
    assert lines[0] == f"<3>{lines[1]}"


class Full:
    """A file on a full disk."""

    def write(self, text: str) -> None:
        """As the system says it."""
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        """Nothing."""


def test_a_line_that_cannot_be_written_ends_nothing() -> None:
    """The daemon goes on without it."""
    logs._Writer(Full()).msg("x")
