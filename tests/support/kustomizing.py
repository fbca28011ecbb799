"""What our kustomizations come to, for machines without kubectl: as much of it as they use."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]


def rendered(folder: Path) -> list[Document]:
    """Return the documents that a folder stands for; raises `KeyError` for words unknown here."""
    return _applied(folder, [])


def _applied(folder: Path, before: list[Document]) -> list[Document]:
    """Add a folder's own documents to those that are there, and do to all what it says."""
    said = yaml.safe_load((folder / "kustomization.yaml").read_text())
    kind = (said.pop("apiVersion").rpartition("/")[2], said.pop("kind"))
    assert kind in {("v1beta1", "Kustomization"), ("v1alpha1", "Component")}, kind
    found = [*before, *_resources(folder, said.pop("resources", []))]
    for maps in said.pop("configMapGenerator", []):
        _generate(found, maps)
    for name in said.pop("components", []):
        found = _applied((folder / name).resolve(), found)
    for patch in said.pop("patches", []):
        _patch(found, patch)
    _relabel(found, said.pop("labels", []))
    _rename(found, said.pop("images", []))
    if namespace := said.pop("namespace", ""):
        for document in found:
            if document["kind"] != "Namespace":
                document["metadata"]["namespace"] = namespace
    if said:
        raise KeyError(f"{folder}: {', '.join(said)}")
    return found


def _relabel(found: list[Document], labels: list[Document]) -> None:
    for one in labels:
        for document in found:
            document["metadata"].setdefault("labels", {}).update(one["pairs"])


def _rename(found: list[Document], images: list[Document]) -> None:
    for image in images:
        for container in (inside for one in found for inside in containers(one)):
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"


def _resources(folder: Path, names: list[str]) -> Iterator[Document]:
    for name in names:
        place = (folder / name).resolve()
        if place.is_dir():
            yield from rendered(place)
        else:
            yield from yaml.safe_load_all(place.read_text())


def _generate(found: list[Document], said: Document) -> None:
    data = dict(literal.split("=", 1) for literal in said["literals"])
    there = [one for one in found if one["metadata"]["name"] == said["name"]]
    if said.get("behavior") == "merge":
        (one,) = there
        one["data"].update(data)
    else:
        assert not there, said["name"]
        meta = {"name": said["name"]}
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})


def _patch(found: list[Document], said: Document) -> None:
    wanted = (said["target"]["kind"], said["target"]["name"])
    (document,) = (one for one in found if (one["kind"], one["metadata"]["name"]) == wanted)
    for step in yaml.safe_load(said["patch"]):
        *way, last = step["path"].strip("/").split("/")
        place: Any = document
        for name in way:
            place = place[int(name) if isinstance(place, list) else name]
        key: Any = int(last) if isinstance(place, list) else last
        if step["op"] == "remove":
            del place[key]
        else:
            assert step["op"] == "replace"
            place[key] = copy.deepcopy(step["value"])


def pod(document: Document) -> Document | None:
    """Return what a document says of pods, if it starts some."""
    found: Document | None = document.get("spec", {}).get("template", {}).get("spec")
    return found


def containers(document: Document) -> list[Document]:
    """Return the containers that a document starts."""
    return list((pod(document) or {}).get("containers", []))
