"""The Kubernetes files fit together, and fit the daemon. Needs no cluster."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rowferry import __version__
from rowferry.settings import load_settings
from tests.unit.deployed import DEPLOY, document

KUBERNETES: Final = DEPLOY / "kubernetes"
BASE: Final = KUBERNETES / "base"
EXAMPLE: Final = KUBERNETES / "overlays" / "example-two-sources"
FLEET: Final = ("north", "south")
SET: Final[dict[str, Any]] = document(BASE / "statefulset.yaml")
POD: Final[dict[str, Any]] = SET["spec"]["template"]["spec"]
CONTAINER: Final[dict[str, Any]] = POD["containers"][0]


@pytest.mark.parametrize("path", sorted(KUBERNETES.rglob("kustomization.yaml")), ids=lambda p: p.parent.name)
def test_every_file_named_exists(path: Path) -> None:
    """And every manifest of the base is named."""
    made = document(path)
    named = [*made["resources"], *(p["path"] for p in made.get("patches", ()))]
    named += [f for g in made.get("configMapGenerator", ()) for f in g["files"]]
    assert all((path.parent / name).exists() for name in named)
    if path.parent == BASE:
        assert {p.name for p in BASE.glob("*.yaml")} == {*named, "kustomization.yaml"}


@pytest.mark.parametrize("source", FLEET)
def test_the_patch_names_the_place_of_the_passwords(source: str) -> None:
    """It goes by the volume's number."""
    test, replace = document(EXAMPLE / source / "secret.yaml")
    assert (test["op"], replace["op"]) == ("test", "replace")
    number = int(test["path"].split("/")[-2])
    assert POD["volumes"][number]["name"] == test["value"] == "passwords"
    assert replace["path"] == f"/spec/template/spec/volumes/{number}/secret/secretName"
    assert replace["value"] == f"rowferry-{source}"


@pytest.mark.parametrize("source", FLEET)
def test_the_daemon_accepts_the_settings(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each source of the example; no two write the same place."""
    settings = load_settings(config=EXAMPLE / source / "rowferry.toml")
    assert settings.destination.dataset == source


def test_the_pod_is_restricted() -> None:
    """As the strictest of the Pod Security Standards asks."""
    pod, container = POD["securityContext"], CONTAINER["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert f"USER {pod['runAsUser']}:{pod['runAsGroup']}" in (DEPLOY / "docker" / "Dockerfile").read_text()
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["readOnlyRootFilesystem"] is True
    assert container["capabilities"] == {"drop": ["ALL"]}


def test_the_volumes_are_those_that_are_mounted() -> None:
    """None is missing, none is left over."""
    assert {m["name"] for m in CONTAINER["volumeMounts"]} == {v["name"] for v in POD["volumes"]}
    assert CONTAINER["image"] == f"rowferry:{__version__}"


def test_no_variable_of_the_cluster_looks_like_a_setting() -> None:
    """A Service named rowferry would give each pod ROWFERRY_PORT, which the daemon refuses."""
    assert POD["enableServiceLinks"] is False


def test_one_that_stands_by_is_ready() -> None:
    """A rolling update waits for each instance to be ready before it goes on to the next."""
    assert CONTAINER["args"] == ["run", "--standby"]
    assert SET["spec"]["replicas"] > 1
    assert CONTAINER["readinessProbe"]["httpGet"]["path"] == "/readyz?standby=ok"
    assert CONTAINER["livenessProbe"]["httpGet"]["path"] == "/livez"


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed: it renders the example")
def test_the_example_renders_as_two_that_are_apart() -> None:
    """No selector of one source chooses the other's pods, and every name that is referred to is there."""
    text = subprocess.run(
        ["kubectl", "kustomize", EXAMPLE], check=True, capture_output=True, text=True
    ).stdout
    made = list(yaml.safe_load_all(text))
    names = {(d["kind"], d["metadata"]["name"]) for d in made}
    assert len(names) == len(made) == 10
    for each in made:
        source = each["metadata"]["labels"]["app.kubernetes.io/instance"]
        spec = each.get("spec", {})
        chosen = spec.get("selector", {})
        if chosen:
            assert chosen.get("matchLabels", chosen)["app.kubernetes.io/instance"] == source
        if each["kind"] == "StatefulSet":
            pod = spec["template"]["spec"]
            volumes = {v["name"]: v for v in pod["volumes"]}
            assert ("ConfigMap", volumes["config"]["configMap"]["name"]) in names
            assert ("Service", spec["serviceName"]) in names
            assert volumes["passwords"]["secret"]["secretName"] == f"rowferry-{source}"
