"""Servers in containers, through testcontainers, where a Docker engine answers.

testcontainers is a development dependency and slow to import, hence the imports inside functions. Its
reaper (a container of its own) removes our containers should we be killed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rowferry_lab.servers.engine import Answer
from rowferry_lab.servers.errors import ProviderUnavailable
from rowferry_lab.servers.local import ENGINES
from rowferry_lab.servers.messages import say
from rowferry_lab.servers.mysql_family import MYSQL_OPTIONS, SOURCE_OPTIONS
from rowferry_lab.servers.ports import LOOPBACK, free_port
from rowferry_lab.servers.postgres import DESTINATION_OPTIONS
from rowferry_lab.servers.running import RunningServer
from rowferry_lab.servers.spec import Product, ServerSpec, split_options

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

_READY_SECONDS = 90.0
_POLL_SECONDS = 0.2
_STOP_SECONDS = 30
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
        """Remember the container, and the loopback port that leads to it."""
        self._spec = spec
        self._container = container
        self._published = (LOOPBACK, port)

    def wait_until_ready(self) -> tuple[str, int, Answer]:
        """Wait until the server lets us in; give the address at which it did."""
        deadline = time.monotonic() + _READY_SECONDS
        wrapped = self._container.get_wrapped_container()
        while time.monotonic() < deadline and wrapped.status not in {"exited", "dead"}:
            found = [
                (host, port, answer)
                for host, port in (*self._addresses(), self._published)
                if (answer := ENGINES[self._spec.product].ask(host, port)) is not None
            ]
            if found:
                return found[-1]
            time.sleep(_POLL_SECONDS)
            wrapped.reload()
        words = b"".join(self._container.get_logs()).decode(errors="replace")[-1000:]
        raise ProviderUnavailable(self._spec, f"its container did not get ready; its log ends with\n{words}")

    def _addresses(self) -> list[tuple[str, int]]:
        """Give the container's own addresses: the way to it if we are in a container ourselves."""
        networks = self._container.get_wrapped_container().attrs["NetworkSettings"]["Networks"]
        hosts = (network.get("IPAddress") for network in networks.values())
        return [(host, _PORTS[self._spec.product]) for host in hosts if host]

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
        if split_options(options)[0]:
            raise ProviderUnavailable(spec, "a container is given no variables of the environment")
        _require_engine(spec)
        server = _run(spec, options)
        with ExitStack() as undo:
            undo.callback(server.discard)
            host, port, answer = server.wait_until_ready()
            undo.pop_all()
        user = ENGINES[spec.product].user
        return RunningServer(spec, self.name, host, port, user, "", answer.version_text, handle=server)


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


def _run(spec: ServerSpec, options: Sequence[str]) -> ContainerServer:
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
        return ContainerServer(spec, container, port)
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
