"""Renders the kustomizations below `deploy/kubernetes`, without kustomize.

It knows the features that those files use, and refuses every other: a render that ends is the one that
kustomize gives. Where kustomize is at hand, a test compares the two.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.unit.deployed import document, documents

API_VERSIONS: Final = {
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
    "Component": "kustomize.config.k8s.io/v1alpha1",
}
KEYS: Final = frozenset(
    {"apiVersion", "kind", "resources", "components", "configMapGenerator", "patches", "nameSuffix", "labels"}
)
WITH_SELECTORS: Final[dict[str, Sequence[tuple[str, bool]]]] = {
    "ConfigMap": (),
    "PodMonitor": (),
    "Service": (("spec/selector", True),),
    "PodDisruptionBudget": (("spec/selector/matchLabels", False),),
    "StatefulSet": (
        ("spec/selector/matchLabels", True),
        ("spec/template/metadata/labels", True),
        ("spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels", False),
    ),
    "NetworkPolicy": (
        ("spec/podSelector/matchLabels", False),
        ("spec/ingress/from/podSelector/matchLabels", False),
        ("spec/egress/to/podSelector/matchLabels", False),
    ),
}
"""Where kustomize puts a label with `includeSelectors`, and whether it makes the place, by kind."""

REFERENCES: Final = {
    "StatefulSet": (
        ("ConfigMap", "spec/template/spec/volumes/configMap/name"),
        ("Service", "spec/serviceName"),
    )
}
"""Which fields of a kind hold the name of another object."""


class CannotRender(Exception):
    """The files use what this renderer does not know."""


@dataclass
class Item:
    """An object. hashed: its name gets the hash of its content at the end."""

    body: dict[str, Any]
    hashed: bool = False

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """The object's name so far."""
        return str(self.body["metadata"]["name"])


def render(folder: Path) -> list[dict[str, Any]]:
    """The objects that `kustomize build` makes of the folder, in no order that matters."""
    items = _accumulated(folder)
    _rename(items, {id(i): f"{i.name}-{_hash(i)}" for i in items if i.hashed})
    keys = [(i.kind, i.name) for i in items]
    if len(set(keys)) != len(keys):
        raise CannotRender(f"{folder}: two objects have one name")
    return [i.body for i in items]


def _accumulated(folder: Path, into: Sequence[Item] = ()) -> list[Item]:
    made = document(folder / "kustomization.yaml")
    if API_VERSIONS.get(made["kind"]) != made["apiVersion"]:
        raise CannotRender(f"{folder}: {made['kind']} of {made['apiVersion']}")
    if unknown := made.keys() - KEYS:
        raise CannotRender(f"{folder}: {sorted(unknown)}")
    items = [*into]
    for name in made.get("resources", ()):
        items += _resources(folder / name)
    for name in made.get("components", ()):
        items = _accumulated(folder / name, items)
    items += [_config_map(folder, each) for each in made.get("configMapGenerator", ())]
    for patch in made.get("patches", ()):
        _patch(folder, patch, items)
    _rename(items, {id(i): i.name + made.get("nameSuffix", "") for i in items})
    for label in made.get("labels", ()):
        _label(label, items)
    return items


def _resources(path: Path) -> list[Item]:
    return _accumulated(path) if path.is_dir() else [Item(body) for body in documents(path)]


def _config_map(folder: Path, made: dict[str, Any]) -> Item:
    if made.keys() != {"name", "files"}:
        raise CannotRender(f"{folder}: configMapGenerator with {sorted(made)}")
    data = {name: (folder / name).read_text() for name in made["files"]}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": made["name"]}, "data": data}
    return Item(body, hashed=True)


def _hash(item: Item) -> str:
    """Of the content, as kustomize takes it; some digits become letters, so that it reads as no word."""
    content = {"kind": "ConfigMap", "name": "", "data": item.body["data"]}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    digits = hashlib.sha256(text.encode()).hexdigest()[:10]
    return digits.translate(str.maketrans("013ae", "ghkmt"))


def _rename(items: Sequence[Item], names: dict[int, str]) -> None:
    """Give objects their new names, and put these where the old ones are referred to."""
    changed = {(i.kind, i.name): names[id(i)] for i in items if id(i) in names}
    for item in items:
        item.body["metadata"]["name"] = changed.get((item.kind, item.name), item.name)
        for kind, path in REFERENCES.get(item.kind, ()):
            *parents, last = path.split("/")
            for holder in _at(item.body, parents, create=False):
                if last in holder:
                    holder[last] = changed.get((kind, holder[last]), holder[last])


def _label(label: dict[str, Any], items: Iterable[Item]) -> None:
    if label.keys() - {"pairs", "includeSelectors", "fields"} or not label.get("includeSelectors"):
        raise CannotRender(f"labels with {sorted(label)}")
    for item in items:
        places = [("metadata/labels", True), *WITH_SELECTORS[item.kind]]
        places += [(f["path"], f["create"]) for f in label.get("fields", ()) if f["kind"] == item.kind]
        for path, create in places:
            for holder in _at(item.body, path.split("/"), create=create):
                holder.update(label["pairs"])


def _at(node: Any, path: Sequence[str], *, create: bool) -> Iterator[dict[str, Any]]:
    """The mappings at a path; a list on the way stands for each of its elements."""
    if isinstance(node, list):
        for each in node:
            yield from _at(each, path, create=create)
    elif not path:
        yield node
    elif path[0] in node or create:
        yield from _at(node.setdefault(path[0], {}), path[1:], create=create)


def _patch(folder: Path, patch: dict[str, Any], items: Iterable[Item]) -> None:
    if patch.keys() != {"path", "target"} or patch["target"].keys() != {"kind", "name"}:
        raise CannotRender(f"{folder}: a patch with {sorted(patch)}")
    target = patch["target"]
    chosen = [i for i in items if (i.kind, i.name) == (target["kind"], target["name"])]
    if not chosen:
        raise CannotRender(f"{folder}: nothing to patch")
    for item in chosen:
        for step in document(folder / patch["path"]):
            _apply(item.body, copy.deepcopy(step))


def _apply(body: dict[str, Any], step: dict[str, Any]) -> None:
    """One operation of a JSON patch."""
    *parents, last = step["path"].split("/")[1:]
    holder: Any = body
    for key in parents:
        holder = holder[int(key)] if isinstance(holder, list) else holder[key]
    if not isinstance(holder, dict):
        raise CannotRender(f"a patch of an element of a list: {step['path']}")
    if step["op"] == "test" and holder[last] != step["value"]:
        raise CannotRender(f"{step['path']} is not {step['value']}")
    if step["op"] == "replace" and last not in holder:
        raise CannotRender(f"{step['path']} is not there")
    if step["op"] in ("add", "replace"):
        holder[last] = step["value"]
    elif step["op"] != "test":
        raise CannotRender(f"the operation {step['op']}")
