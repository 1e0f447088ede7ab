"""What a container of a rendered pod is given: arguments, variables and files, with paths of this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.unit.deployed import DEPLOY

DOCKERFILE: Final = DEPLOY / "docker" / "Dockerfile"


@dataclass(frozen=True)
class Pod:
    """args: of the image's entry point. environment: the image's and the pod's. cwd: where it starts."""

    args: list[str]
    environment: dict[str, str]
    cwd: Path


def image_environment() -> dict[str, str]:
    """The variables that the image sets for the daemon."""
    return dict(re.findall(r"(ROWFERRY_\w+)=(\S+)", DOCKERFILE.read_text()))


def lay_out(
    objects: list[dict[str, Any]], secrets: Mapping[str, Mapping[str, str]], folder: Path
) -> dict[str, Pod]:
    """The first replica of each StatefulSet, by its name, with its volumes below the folder.

    secrets: the content of the Secrets, by their names: they are in no manifest.
    """
    maps = {o["metadata"]["name"]: o["data"] for o in objects if o["kind"] == "ConfigMap"}
    sets = [o for o in objects if o["kind"] == "StatefulSet"]
    return {s["metadata"]["name"]: _pod(s, maps, secrets, folder / s["metadata"]["name"]) for s in sets}


def _pod(
    made: dict[str, Any], maps: Mapping[str, Any], secrets: Mapping[str, Mapping[str, str]], root: Path
) -> Pod:
    spec = made["spec"]["template"]["spec"]
    [container] = spec["containers"]
    volumes = {v["name"]: v for v in spec["volumes"]}
    places: dict[str, Path] = {}
    for mount in container["volumeMounts"]:
        place = places[mount["mountPath"]] = root / mount["mountPath"].strip("/")
        volume = volumes[mount["name"]]
        place.mkdir(parents=True)
        if "configMap" in volume:
            _project(maps[volume["configMap"]["name"]], place)
        elif "secret" in volume:
            _project(secrets[volume["secret"]["secretName"]], place)
    given = image_environment() | {e["name"]: e["value"] for e in container["env"]}
    environment = {name: _here(value, places) for name, value in given.items()}
    return Pod(container["args"], environment, Path(environment["ROWFERRY_STATE_DIR"]))


def _project(content: Mapping[str, str], place: Path) -> None:
    """Files as the kubelet lays them out: links, so that all change at once."""
    stamped = place / "..2026_01_05_08_00_00.1"
    stamped.mkdir()
    (place / "..data").symlink_to(stamped.name)
    for name, text in content.items():
        (stamped / name).write_text(text)
        (place / name).symlink_to(Path("..data") / name)


def _here(value: str, places: Mapping[str, Path]) -> str:
    """A path inside the container, on this machine; any other value as it is."""
    for path, place in places.items():
        if value == path or value.startswith(f"{path}/"):
            return f"{place}{value.removeprefix(path)}"
    return value
