"""The image and the compose file fit together, and fit the daemon. Needs no engine."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from rowferry import __version__, cli
from rowferry.settings import load_settings
from tests.unit.deployed import DEPLOY, document

DOCKER: Final = DEPLOY / "docker"
COMPOSE: Final[dict[str, Any]] = document(DOCKER / "compose.yaml")
SERVICES: Final[dict[str, Any]] = COMPOSE["services"]
DOCKERFILE: Final = (DOCKER / "Dockerfile").read_text()


def mounts() -> list[str]:
    """The host's files and folders that services get."""
    return [m.partition(":")[0] for s in SERVICES.values() for m in s.get("volumes", ()) if m[0] == "."]


@pytest.mark.parametrize("path", sorted(set(mounts())))
def test_what_is_mounted_exists(path: str) -> None:
    """An engine makes an empty folder of what is not there, and says nothing."""
    assert (DOCKER / path).exists()


def test_secrets_are_files_that_the_script_makes() -> None:
    """No password stands in the file or in a variable, and each secret has its maker and its user."""
    names = set(COMPOSE["secrets"])
    script = (DOCKER / "make-secrets.sh").read_text()
    made = re.search(r"for name in (.*); do", script)
    assert made is not None
    assert set(made[1].split()) == names
    assert {s["file"] for s in COMPOSE["secrets"].values()} == {f"./secrets/{name}" for name in names}
    used = [s for service in SERVICES.values() for s in service.get("secrets", ())]
    assert {s if isinstance(s, str) else s["source"] for s in used} == names
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or value.startswith("/run/secrets/")


def test_the_daemon_accepts_what_it_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings file, the variables of image and service, and the names of the secrets."""
    service = SERVICES["rowferry"]
    for secret in service["secrets"]:
        (tmp_path / secret["target"]).write_text("x")
    for name, value in re.findall(r"(ROWFERRY_\w+)=(\S+)", DOCKERFILE):
        monkeypatch.setenv(name, value)
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ROWFERRY_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("ROWFERRY_CONFIG", str(DOCKER / "rowferry.toml"))
    settings = load_settings()
    assert (settings.source.secret, settings.destination.secret) == ("x", "x")
    assert settings.source.host in SERVICES
    assert settings.source.database == SERVICES["mariadb"]["environment"]["MARIADB_DATABASE"]
    assert f"@postgres:5432/{SERVICES['postgres']['environment']['POSTGRES_DB']}" in settings.destination.url
    assert str(settings.state_dir) == re.findall(r"(?m)^VOLUME (\S+)", DOCKERFILE)[0]
    assert f"EXPOSE {settings.http.listen.rpartition(':')[2]}" in DOCKERFILE


def test_services_wait_for_those_that_have_a_check() -> None:
    """The daemon's own check is in its image."""
    checked = {n for n, s in SERVICES.items() if "healthcheck" in s} | {"rowferry"}
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert name in checked


def test_the_image_runs_commands_that_there_are() -> None:
    """The check, and what it does when nothing is said."""
    words = re.search(r'HEALTHCHECK .* CMD \["rowferry", "(\w+)"\]', DOCKERFILE)
    assert words is not None
    assert cli.parser().parse_args([words[1]]).command
    assert 'ENTRYPOINT ["rowferry"]\nCMD ["run"]' in DOCKERFILE


def test_the_build_has_every_file_of_the_package() -> None:
    """What pyproject.toml names, and no more: .dockerignore keeps the rest from the engine."""
    root = DEPLOY.parent
    made = tomllib.loads((root / "pyproject.toml").read_text())
    wanted = [name for names in made["tool"]["setuptools"]["data-files"].values() for name in names]
    wanted += [*made["tool"]["setuptools"]["packages"]["find"]["where"], made["project"]["readme"]]
    lines = re.findall(r"(?m)^COPY (?!--)(.+) \S+$", DOCKERFILE)
    copied = [Path(name) for line in lines for name in line.split()]
    for name in map(Path, wanted):
        assert any(name.is_relative_to(each) for each in copied), name
    kept = (root / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in kept if line.startswith("!")} == set(map(str, copied))


def test_the_daemon_has_no_rights() -> None:
    """A number for a user, which is plainly not root; nothing to write but its state."""
    assert re.search(r"(?m)^USER [1-9]\d*:[1-9]\d*$", DOCKERFILE)
    service = SERVICES["rowferry"]
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]


def test_versions_agree() -> None:
    """Of the package, the image and the compose file; and the base has a Python that the package allows."""
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    assert f"ARG VERSION={__version__}\n" in DOCKERFILE
    assert SERVICES["rowferry"]["image"] == f"rowferry:{__version__}"
    base = re.search(r"ARG BASE=python:(3\.\d+)-slim", DOCKERFILE)
    assert base is not None
    assert project["requires-python"] == f">={base[1]}"


def test_ports_are_open_to_this_machine_alone() -> None:
    """The daemon's pages and Prometheus ask for no password."""
    published = [p for s in SERVICES.values() for p in s.get("ports", ())]
    assert published
    assert all(p.startswith("127.0.0.1:") for p in published)


def test_prometheus_finds_the_daemon_and_its_rules() -> None:
    """Under the names and paths of the compose file, and by the job that the rules ask for."""
    config = document(DOCKER / "prometheus.yml")
    [job] = config["scrape_configs"]
    assert job["job_name"] == "rowferry"
    assert job["static_configs"][0]["targets"] == ["rowferry:9580"]
    inside = {m.split(":")[1] for m in SERVICES["prometheus"]["volumes"]}
    assert set(config["rule_files"]) <= inside
