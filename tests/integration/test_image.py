"""The image is built, and its container does what the Dockerfile promises, where a Docker engine answers.

An engine is no server of the laboratory: where none answers, the tests skip in CI too, and say why.
ROWFERRY_LAB_PIP_CONF and ROWFERRY_LAB_PIP_CA name the files for a network with a package index of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from rowferry import __version__
from tests.acceptance.harness import ROOT, wait_until

DOCKERFILE: Final = ROOT / "deploy" / "docker" / "Dockerfile"
ENGINE_SECONDS: Final = 20
BUILD_SECONDS: Final = 900
SECRETS: Final = {"pip_conf": "ROWFERRY_LAB_PIP_CONF", "pip_ca": "ROWFERRY_LAB_PIP_CA"}
AS_IN_COMPOSE: Final = ("--init", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL")
NO_SERVERS: Final = (
    "--network=none",
    "--env=ROWFERRY_SOURCE__URL=mysql://rowferry@127.0.0.1:3306/opendental",
    "--env=ROWFERRY_DESTINATION__URL=postgresql://rowferry@127.0.0.1:5432/analytics",
)


def docker(*arguments: str, seconds: float = ENGINE_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a command of Docker to its end."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    return subprocess.run(
        ["docker", *arguments], env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )


def output_of(*arguments: str, seconds: float = ENGINE_SECONDS) -> str:
    """What a command of Docker that succeeds prints."""
    done = docker(*arguments, seconds=seconds)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def why_not() -> str:
    """Why no image can be built here; empty if one can."""
    if not shutil.which("docker"):
        return "there is no docker command"
    try:
        answer = docker("version", "--format={{.Server.Version}}")
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer"
    if answer.returncode:
        return f"no Docker engine answers: {answer.stderr.strip()[-200:]}"
    base = re.findall(r"(?m)^ARG BASE=(\S+)", DOCKERFILE.read_text())[0]
    if docker("image", "inspect", base).returncode and docker("pull", base, seconds=300).returncode:
        return f"the Docker engine has no image {base}, and cannot pull it"
    return ""


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The image, built as docs/containers.md says, under a name of its own; that is removed at the end."""
    if reason := why_not():
        pytest.skip(f"image not built: {reason}")
    name = f"rowferry-test:{uuid.uuid4().hex}"
    given = {key: os.environ[variable] for key, variable in SECRETS.items() if os.environ.get(variable)}
    secrets = [f"--secret=id={key},src={path}" for key, path in given.items()]
    command = ["build", "--network=host", f"--file={DOCKERFILE}", f"--tag={name}", *secrets, str(ROOT)]
    done = docker(*command, seconds=BUILD_SECONDS)
    if "buildx component is missing" in done.stderr:
        pytest.skip("image not built: this docker command has no BuildKit (the plugin buildx)")
    assert done.returncode == 0, done.stderr[-3000:]
    try:
        yield name
    finally:
        docker("image", "rm", name)


@pytest.fixture
def container(image: str) -> Iterator[str]:
    """The daemon, restricted as in the compose file, while both servers are away."""
    made = output_of("run", "--detach", *AS_IN_COMPOSE, *NO_SERVERS, image)
    try:
        yield made
    finally:
        docker("rm", "--force", "--volumes", made)


def in_container(container: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in the daemon's container."""
    return docker("exec", container, *command)


def test_the_image_runs_the_command(image: str) -> None:
    """Its version, and a user that is not root."""
    assert output_of("run", "--rm", "--network=none", image, "--version") == f"rowferry {__version__}"
    assert output_of("run", "--rm", "--network=none", "--entrypoint=id", image, "-u") == "10001"


def test_its_health_is_told_and_it_stops_at_once(container: str) -> None:
    """Servers that are away leave it alive and not ready; SIGTERM ends it with 0."""
    wait_until("it is alive", lambda: in_container(container, ["rowferry", "health"]).returncode == 0)
    assert in_container(container, ["rowferry", "health", "--ready"]).returncode == 1
    output_of("stop", "--time=60", container, seconds=70)
    assert output_of("inspect", "--format={{.State.ExitCode}}", container) == "0"
