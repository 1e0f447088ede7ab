"""`rowferry health`: what the check of a container says, and that it starts with little."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from rowferry.errors import ConfigurationError
from rowferry.health import ask
from rowferry.status_server import Endpoint, StatusServer, as_text


@pytest.fixture
def port() -> Iterator[int]:
    """A server whose loop moves while no changes flow."""
    server = StatusServer(
        "127.0.0.1:0",
        {
            "/livez": Endpoint(lambda _: as_text(200, "ok")),
            "/readyz": Endpoint(lambda _: as_text(503, "retrying")),
        },
    )
    yield server.port
    server.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", ""])
def test_a_daemon_that_lives_is_healthy(port: int, address: str) -> None:
    """Also where it listens on every address, as it does in a container."""
    assert ask(f"{address}:{port}", ready=False) == (True, "ok")


def test_ready_is_asked_for_by_itself(port: int) -> None:
    """A daemon that waits for its servers lives, and is not ready."""
    assert ask(f"127.0.0.1:{port}", ready=True) == (False, "retrying")


def test_no_answer_is_ill() -> None:
    """The daemon has not started, or is gone."""
    server = StatusServer("127.0.0.1:0", {})
    free = server.port
    server.close()
    good, said = ask(f"127.0.0.1:{free}", ready=False)
    assert not good
    assert said.startswith(f"no answer from 127.0.0.1:{free}")


def test_a_daemon_without_http_cannot_be_asked() -> None:
    """That is a mistake of the settings, not an ill daemon."""
    with pytest.raises(ConfigurationError, match="no HTTP"):
        ask("off", ready=False)


def test_it_imports_no_library_of_the_daemon() -> None:
    """It is started every few seconds."""
    heavy = ["dlt", "pyarrow", "pymysql", "psycopg", "sqlglot", "numpy", "prometheus_client"]
    code = f"import sys, rowferry.cli, rowferry.health; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
