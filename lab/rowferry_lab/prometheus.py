"""A private Prometheus on the loopback interface, and the alert rules with their times made short."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rowferry_lab import tools
from rowferry_lab.servers.errors import LabError
from rowferry_lab.servers.ports import LOOPBACK, free_port

SHORTER: Final = 100
_START_SECONDS: Final = 60.0
_EXPRESSION: Final = re.compile(r"(?<=expr: \|\n)(?: {10}.*\n)+")
_HOLD: Final = re.compile(r"(?m)^( +for: ).*$")
_SPAN: Final = re.compile(r"\b(\d+)(m|h)\b")
_SECONDS: Final = re.compile(r"(?<![\w.])(\d{2,})\b(?![.\w])")


def shorten(rules: str) -> str:
    """Rewrite a rules file so that its alerts fire within seconds; everything else stays.

    Each `for:` becomes a second. In an expression, each span in minutes or hours, and each whole number from
    60 up (which are all numbers of seconds), becomes the hundredth part.
    """
    held = _HOLD.sub(r"\g<1>1s", rules)
    return _EXPRESSION.sub(lambda found: _shorten_expression(found[0]), held)


def _shorten_expression(text: str) -> str:
    spans = _SPAN.sub(lambda m: f"{int(m[1]) * (60 if m[2] == 'm' else 3600) // SHORTER}s", text)
    return _SECONDS.sub(lambda m: m[0] if int(m[1]) < 60 else f"{int(m[1]) / SHORTER:g}", spans)


class QueryFailed(LabError):
    """Prometheus refuses an expression."""


class Prometheus:
    """A running one."""

    def __init__(self, port: int) -> None:
        """port: on the loopback interface."""
        self._base = f"http://{LOOPBACK}:{port}"

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self._base}/-/ready", timeout=5) as answer:  # noqa: S310 - http
                return bool(answer.status == 200)
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now: `metric` and `value`. Raises QueryFailed."""
        return self._ask("query", query=expression)

    def query_range(self, expression: str, seconds: int) -> list[dict[str, Any]]:
        """The series of the last seconds, a value a second. Raises QueryFailed."""
        now = time.time()
        return self._ask("query_range", query=expression, start=str(now - seconds), end=str(now), step="1")

    def firing(self) -> set[tuple[str, str]]:
        """Names of the alerts that fire now, each with its source."""
        found = self.query('ALERTS{alertstate="firing"}')
        return {(s["metric"]["alertname"], s["metric"].get("source", "")) for s in found}

    def _ask(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        body = urllib.parse.urlencode(parameters).encode()
        try:
            with urllib.request.urlopen(f"{self._base}/api/v1/{path}", body, 30) as answer:  # noqa: S310 - http
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return found
        except urllib.error.HTTPError as error:
            reason = json.load(error).get("error", "")
            raise QueryFailed(f"{parameters['query']}: {reason}") from None


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, Mapping[str, str]], rules: str) -> Iterator[Prometheus]:
    """A Prometheus that scrapes and evaluates twice a second, ended by its process id.

    folder: for its files, empty. targets: labels by address. rules: the text of a rules file. Raises
    `tools.ToolUnavailable`.
    """
    program = tools.find("prometheus", "prometheus")
    (folder / "some.rules.yml").write_text(rules)
    (folder / "prometheus.yml").write_text(json.dumps(_configuration(targets)))  # JSON is YAML, too
    port = free_port()
    command = [
        str(program),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        server = Prometheus(port)
        _wait(server, process, folder / "log")
        yield server
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()


def _configuration(targets: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    hosts = [{"targets": [at], "labels": dict(labels)} for at, labels in targets.items()]
    job = {"job_name": "rowferry", "honor_labels": True, "static_configs": hosts}
    return {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
        "rule_files": ["some.rules.yml"],
        "scrape_configs": [job],
    }


def _wait(server: Prometheus, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise LabError(f"Prometheus does not start: {log.read_text()[-1000:]}")
        time.sleep(0.05)
