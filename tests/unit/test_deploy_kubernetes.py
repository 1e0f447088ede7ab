"""The Kubernetes files are what Kubernetes takes, fit together, and fit the daemon. Needs no cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from rowferry import __version__, check_host, cli
from rowferry.settings import BatchSettings
from tests.unit.deployed import DEPLOY, document
from tests.unit.kustomize import CannotRender, render
from tests.unit.pods import lay_out

KUBERNETES: Final = DEPLOY / "kubernetes"
BASE: Final = KUBERNETES / "base"
EXAMPLE: Final = KUBERNETES / "overlays" / "example-two-sources"
FLEET: Final = ("north", "south")
SET: Final[dict[str, Any]] = document(BASE / "statefulset.yaml")
POD: Final[dict[str, Any]] = SET["spec"]["template"]["spec"]
CONTAINER: Final[dict[str, Any]] = POD["containers"][0]
RENDERED: Final = [("base", o) for o in render(BASE)] + [("example", o) for o in render(EXAMPLE)]
INSTANCE: Final = "app.kubernetes.io/instance"

every_object = pytest.mark.parametrize(
    "made", [pytest.param(o, id=f"{where}-{o['kind']}-{o['metadata']['name']}") for where, o in RENDERED]
)
KUSTOMIZE: Final[list[str]] = next(
    (c for c in (["kustomize", "build"], ["kubectl", "kustomize"]) if shutil.which(c[0])), []
)

POD_MONITOR: Final = """
attachMetadata bodySizeLimit convertClassicHistogramsToNHCB fallbackScrapeProtocol jobLabel keepDroppedTargets
labelLimit labelNameLengthLimit labelValueLengthLimit namespaceSelector nativeHistogramBucketLimit
nativeHistogramMinBucketFactor podMetricsEndpoints podTargetLabels sampleLimit scrapeClass
scrapeClassicHistograms scrapeNativeHistograms scrapeProtocols selector selectorMechanism targetLimit
"""
ENDPOINT: Final = """
authorization basicAuth bearerTokenSecret enableHttp2 filterRunning followRedirects honorLabels
honorTimestamps interval metricRelabelings noProxy oauth2 params path port portNumber proxyConnectHeader
proxyFromEnvironment proxyUrl relabelings scheme scrapeTimeout targetPort tlsConfig trackTimestampsStaleness
"""
RELABELING: Final = "action modulus regex replacement separator sourceLabels targetLabel"
"""Field names of the Prometheus operator 0.93, whose PodMonitor is in none of Kubernetes' schemas."""


def of_kind(kind: str, source: str) -> dict[str, Any]:
    """The example's object of a kind for a source."""
    [found] = [
        o for o in render(EXAMPLE) if o["kind"] == kind and o["metadata"]["labels"][INSTANCE] == source
    ]
    return found


# What Kubernetes takes


@pytest.mark.parametrize("version", ["1.29", "1.37"])
@every_object
def test_kubernetes_takes_every_object(made: dict[str, Any], version: str) -> None:
    """By its schemas, which refuse a field of another name. The operator's have no schema there."""
    if made["kind"] == "PodMonitor":
        assert_is_pod_monitor(made)
    else:
        assert kubernetes_validate.validate(made, version, strict=True) == version


def assert_is_pod_monitor(made: dict[str, Any]) -> None:
    """No field of another name, and a port that the pod has."""
    assert made["apiVersion"] == "monitoring.coreos.com/v1"
    assert made.keys() == {"apiVersion", "kind", "metadata", "spec"}
    spec = made["spec"]
    assert spec.keys() <= set(POD_MONITOR.split())
    assert spec["selector"].keys() <= {"matchLabels", "matchExpressions"}
    assert spec["podMetricsEndpoints"]
    for endpoint in spec["podMetricsEndpoints"]:
        assert endpoint.keys() <= set(ENDPOINT.split())
        assert endpoint["port"] in {p["name"] for p in CONTAINER["ports"]}
        for rule in endpoint["relabelings"] + endpoint["metricRelabelings"]:
            assert rule.keys() <= set(RELABELING.split())


def test_a_mistake_in_a_manifest_is_found() -> None:
    """The schemas are strict, and a PodMonitor's names too."""
    wrong = {**SET, "spec": {**SET["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(wrong, "1.37", strict=True)
    monitor = document(BASE / "podmonitor.yaml")
    monitor["spec"]["podMetricsEndpoints"][0]["targetport"] = 9580
    with pytest.raises(AssertionError):
        assert_is_pod_monitor(monitor)


# How the files become objects


@pytest.mark.parametrize("path", sorted(KUBERNETES.rglob("kustomization.yaml")), ids=lambda p: p.parent.name)
def test_every_file_is_named(path: Path) -> None:
    """None lies beside a kustomization that does not use it."""
    made = document(path)
    named = [*made["resources"], *(p["path"] for p in made.get("patches", ()))]
    named += [f for g in made.get("configMapGenerator", ()) for f in g["files"]]
    beside = {p.name for p in path.parent.iterdir() if p.is_file()}
    assert beside == {n for n in named if (path.parent / n).is_file()} | {path.name}


@pytest.mark.skipif(not KUSTOMIZE, reason="neither kustomize nor kubectl is installed")
@pytest.mark.parametrize("folder", [BASE, EXAMPLE], ids=["base", "example"])
def test_kustomize_renders_the_same(folder: Path) -> None:
    """To the last character of a name: the tests' own renderer does as kustomize does."""
    text = subprocess.run([*KUSTOMIZE, folder], check=True, capture_output=True, text=True).stdout
    theirs = {(o["kind"], o["metadata"]["name"]): o for o in yaml.safe_load_all(text)}
    assert theirs == {(o["kind"], o["metadata"]["name"]): o for o in render(folder)}


def test_the_renderer_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    """A field of kustomize that the files begin to use must not be passed over."""
    made = document(BASE / "kustomization.yaml") | {"resources": [], "commonAnnotations": {"a": "b"}}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(made))
    with pytest.raises(CannotRender, match="commonAnnotations"):
        render(tmp_path)


def test_two_sources_are_apart() -> None:
    """No selector of one source chooses the other's pods, and every name that is referred to is there."""
    objects = render(EXAMPLE)
    names = {(o["kind"], o["metadata"]["name"]) for o in objects}
    for made in objects:
        source = made["metadata"]["labels"][INSTANCE]
        assert source in FLEET
        spec = made.get("spec", {})
        chosen = spec.get("selector") or spec.get("podSelector")
        assert made["kind"] == "ConfigMap" or chosen.get("matchLabels", chosen)[INSTANCE] == source
        if made["kind"] == "StatefulSet":
            pod = spec["template"]["spec"]
            assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
            volumes = {v["name"]: v for v in pod["volumes"]}
            assert ("ConfigMap", volumes["config"]["configMap"]["name"]) in names
            assert ("Service", spec["serviceName"]) in names
            assert volumes["passwords"]["secret"]["secretName"] == f"rowferry-{source}"


# How they fit the daemon


@pytest.mark.parametrize("source", FLEET)
def test_the_daemon_accepts_what_a_pod_is_given(source: str, tmp_path: Path) -> None:
    """`rowferry config`, with the arguments, the variables and the files of the rendered pod."""
    secrets = {"ROWFERRY_SOURCE__PASSWORD": "canary-1", "ROWFERRY_DESTINATION__PASSWORD": "canary-2"}
    pods = lay_out(render(EXAMPLE), {f"rowferry-{name}": secrets for name in FLEET}, tmp_path)
    pod = pods[f"rowferry-{source}"]
    assert cli.parser().parse_args(pod.args).standby is True
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ROWFERRY_")}
    done = subprocess.run(
        [sys.executable, "-m", "rowferry", "config", "--json"],
        env={**clean, "PYTHONPATH": str(DEPLOY.parent / "daemon"), **pod.environment},
        cwd=pod.cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["destination.dataset"] == source
    assert told["state_dir"] == str(pod.cwd)
    assert told["http.listen"] == f"0.0.0.0:{CONTAINER['ports'][0]['containerPort']}"
    assert all(set(told[f"{end}.password"]) == {"*"} for end in ("source", "destination"))
    assert "canary" not in done.stdout


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
    """None is missing, none is left over; the state is one that goes with the pod."""
    volumes = {v["name"]: v for v in POD["volumes"]}
    mounts = {m["name"]: m["mountPath"] for m in CONTAINER["volumeMounts"]}
    assert mounts.keys() == volumes.keys()
    assert "emptyDir" in volumes["state"]
    assert f"VOLUME {mounts['state']}\n" in (DEPLOY / "docker" / "Dockerfile").read_text()
    assert CONTAINER["image"] == f"rowferry:{__version__}"


def test_the_pod_has_what_check_asks_for() -> None:
    """Memory and space for the state, so that `rowferry check` in the pod has nothing to warn of."""
    state = {v["name"]: v for v in POD["volumes"]}["state"]["emptyDir"]
    assert quantity(CONTAINER["resources"]["requests"]["memory"]) >= check_host._LEAST_MEMORY
    assert quantity(state["sizeLimit"]) >= check_host._BATCHES_ON_DISK * BatchSettings().max_bytes


def quantity(text: str) -> int:
    """Bytes, of a whole number with Mi or Gi."""
    return int(text[:-2]) << {"Mi": 20, "Gi": 30}[text[-2:]]


def test_no_variable_of_the_cluster_looks_like_a_setting() -> None:
    """A Service named rowferry would give each pod ROWFERRY_PORT, which the daemon refuses."""
    assert POD["enableServiceLinks"] is False


def test_one_that_stands_by_is_ready() -> None:
    """A rolling update waits for each instance to be ready before it goes on to the next."""
    assert CONTAINER["args"] == ["run", "--standby"]
    assert SET["spec"]["replicas"] > 1
    assert CONTAINER["readinessProbe"]["httpGet"]["path"] == "/readyz?standby=ok"
    assert CONTAINER["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_a_drain_leaves_one_and_is_held_up_by_none_that_is_not_ready() -> None:
    """While the source is away both are not ready; a node must be drained all the same."""
    spec = document(BASE / "poddisruptionbudget.yaml")["spec"]
    assert spec["maxUnavailable"] == SET["spec"]["replicas"] - 1 == 1
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


# The network policy


def ports(rules: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """What rules open."""
    yield from ((p["protocol"], p["port"]) for rule in rules for p in rule["ports"])


def test_the_policy_lets_through_what_the_daemon_needs() -> None:
    """The ports of the settings beside it, names, and Prometheus: no more."""
    spec = of_kind("NetworkPolicy", "north")["spec"]
    settings = tomllib.loads((EXAMPLE / "north" / "rowferry.toml").read_text())
    servers = [int(settings[end]["url"].split(":")[-1].split("/")[0]) for end in ("source", "destination")]
    assert list(ports(spec["egress"][:1])) == [("UDP", 53), ("TCP", 53)]
    assert list(ports(spec["egress"][1:])) == [("TCP", server) for server in servers]
    assert all(rule["to"] for rule in spec["egress"])
    assert list(ports(spec["ingress"])) == [("TCP", p["containerPort"]) for p in CONTAINER["ports"]]
    assert spec["policyTypes"] == ["Ingress", "Egress"]


def test_the_policy_means_other_pods_by_labels_that_they_have() -> None:
    """An overlay's label in the rule for Prometheus would shut it out."""
    spec = of_kind("NetworkPolicy", "north")["spec"]
    peers = [peer for rule in spec["ingress"] for peer in rule["from"]]
    peers += [peer for rule in spec["egress"] for peer in rule["to"]]
    assert len(peers) == 4
    assert all(INSTANCE not in json.dumps(peer) for peer in peers)
