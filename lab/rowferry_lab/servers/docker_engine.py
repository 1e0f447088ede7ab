"""Servers in containers, through testcontainers, where a Docker engine answers.

testcontainers is a development dependency and slow to import, hence the imports inside functions. Its
reaper (a container of its own) removes our containers should we be killed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rowferry_lab.servers.engine import Answer
from rowferry_lab.servers.errors import ProviderUnavailable, ServerFailed
from rowferry_lab.servers.local import ENGINES
from rowferry_lab.servers.messages import say
from rowferry_lab.servers.mysql_family import MYSQL_OPTIONS, SOURCE_OPTIONS
from rowferry_lab.servers.ports import LOOPBACK, free_port
from rowferry_lab.servers.postgres import DESTINATION_OPTIONS
from rowferry_lab.servers.running import RunningServer
from rowferry_lab.servers.spec import Product, ServerSpec

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

_READY_SECONDS = 120.0
_POLL_SECONDS = 0.2
_STOP_SECONDS = 30
_LOCAL_HOSTS = ("localhost", LOOPBACK)
_PORTS: dict[Product, int] = {"mariadb": 3306, "mysql": 3306, "postgres": 5432}
_ENVIRONMENT: dict[Product, dict[str, str]] = {
    "mariadb": {"MARIADB_ALLOW_EMPTY_ROOT_PASSWORD": "1", "MARIADB_ROOT_HOST": "%"},
    "mysql": {"MYSQL_ALLOW_EMPTY_PASSWORD": "1", "MYSQL_ROOT_HOST": "%"},
    "postgres": {"POSTGRES_HOST_AUTH_METHOD": "trust"},
}
_COMMAND: dict[Product, tuple[str, ...]] = {
    "mariadb": SOURCE_OPTIONS,
    "mysql": (*SOURCE_OPTIONS, *MYSQL_OPTIONS),
    "postgres": ("postgres", *DESTINATION_OPTIONS),
}
_creation = threading.Lock()  # testcontainers makes its reaper at the first container: one at a time


class ContainerServer:
    """A server in a container of ours; implements `running.Handle`."""

    pid: int | None = None

    def __init__(self, spec: ServerSpec, container: DockerContainer, port: int) -> None:
        """Remember the container; it runs already."""
        self._spec = spec
        self._container = container
        self._port = port
        host = container.get_container_host_ip()
        self.host = LOOPBACK if host in _LOCAL_HOSTS else host

    def wait_until_ready(self) -> Answer:
        """Wait until the server lets us in."""
        deadline = time.monotonic() + _READY_SECONDS
        wrapped = self._container.get_wrapped_container()
        while time.monotonic() < deadline:
            answer = ENGINES[self._spec.product].ask(self.host, self._port)
            if answer is not None:
                return answer
            wrapped.reload()
            if wrapped.status in {"exited", "dead"}:
                break
            time.sleep(_POLL_SECONDS)
        words = b"".join(self._container.get_logs()).decode(errors="replace")[-2000:]
        raise ServerFailed(self._spec, "starting its container", words)

    def shut_down(self) -> None:
        """Stop the container in order."""
        self._container.get_wrapped_container().stop(timeout=_STOP_SECONDS)

    def kill(self) -> None:
        """End the container's server by SIGKILL."""
        self._container.get_wrapped_container().kill()

    def restart(self) -> None:
        """Start the container again, after an orderly stop if it runs."""
        self._container.get_wrapped_container().restart(timeout=_STOP_SECONDS)
        self.wait_until_ready()

    def stop(self) -> None:
        """Remove the container with its data."""
        self._container.stop()

    discard = stop


class DockerProvider:
    """Serves from the official images."""

    name = "docker"

    def check(self, spec: ServerSpec) -> str:
        """Ask whether an engine answers; whether it can pull is only found out by pulling."""
        _require_engine(spec)
        return f"image {spec}, if the engine can pull it"

    def start(self, spec: ServerSpec, options: Sequence[str], data_dir: Path | None) -> RunningServer:
        """Run the official image of the version."""
        if data_dir is not None:
            raise ProviderUnavailable(spec, "a container cannot use a data directory of this machine")
        _require_engine(spec)
        server, port = _run(spec, options)
        answer = server.wait_until_ready()
        engine = ENGINES[spec.product]
        return RunningServer(
            spec, self.name, server.host, port, engine.user, "", answer.version_text, handle=server
        )


def _require_engine(spec: ServerSpec) -> None:
    try:
        from testcontainers.core.docker_client import DockerClient
    except ImportError as error:
        raise ProviderUnavailable(spec, "testcontainers is not installed") from error
    import docker.errors
    import requests

    try:
        DockerClient().client.ping()
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise ProviderUnavailable(spec, "no Docker engine answers") from error


def _run(spec: ServerSpec, options: Sequence[str]) -> tuple[ContainerServer, int]:
    import docker.errors
    import requests
    from testcontainers.core.container import DockerContainer

    port = free_port()
    command = [*_COMMAND[spec.product], *_identity(spec.product, port), *options]
    try:
        container = DockerContainer(str(spec), env=_ENVIRONMENT[spec.product]).with_command(command)
        _pull(container, spec)
        # On loopback only; the annotation of testcontainers lacks this form, which Docker takes.
        container.ports[f"{_PORTS[spec.product]}/tcp"] = cast(int, (LOOPBACK, port))
        with _creation:
            container.start()
        return ContainerServer(spec, container, port), port
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise ProviderUnavailable(spec, f"Docker answers, but: {str(error)[:300]}") from error


def _identity(product: Product, port: int) -> list[str]:
    return [] if product == "postgres" else [f"--server-id={port}"]


def _pull(container: DockerContainer, spec: ServerSpec) -> None:
    import docker.errors

    images = container.get_docker_client().client.images
    try:
        images.get(container.image)
    except docker.errors.ImageNotFound:
        say(f"pulling the image {spec}")
        images.pull(container.image)
