"""Which format a set of annotations is in, and the one way to read any of them."""

from collections.abc import Callable
from typing import Literal

from mediamill.annotations import coco, voc, yolo
from mediamill.annotations.index import Index, base_of
from mediamill.annotations.tree import Tree, split_of
from mediamill.annotations.write import LEFT_OUT, RENAMED
from mediamill.core.errors import InvalidInput

AnyForm = Literal["coco", "yolo", "voc"]
Progress = Callable[[float], None]


def read(tree: Tree, index: Index, form: AnyForm | None, progress: Progress) -> AnyForm:
    """Read a set into an index that knows its files; return the format it was in.

    Raises `InvalidInput` where it is in none that is known, and where nothing of it can be read.
    """
    chosen = form or detected(tree)
    if chosen == "yolo":
        yolo.read(tree, index, progress)
    elif chosen == "voc":
        voc.read(tree, index, progress)
    else:
        _read_coco(tree, index, progress)
    return chosen


def detected(tree: Tree) -> AnyForm:
    """Tell the format by the names of its files; raises `InvalidInput`."""
    if coco_in(tree):
        return "coco"
    if any(path.lower().endswith(".xml") for path in tree.sizes):
        return "voc"
    if yolo.labels_in(tree):
        return "yolo"
    raise InvalidInput(
        "No annotations are in it: COCO’s are a .json file, YOLO’s .txt files, VOC’s .xml files."
    )


def coco_in(tree: Tree) -> list[str]:
    """List the files of a tree that may be COCO's: of those named so, else all of JSON."""
    jsons = (path for path in tree.sizes if path.lower().endswith(".json"))
    found = sorted(path for path in jsons if base_of(path) not in (LEFT_OUT, RENAMED))
    named = [path for path in found if _named(base_of(path).lower())]
    return named or found


def _named(base: str) -> bool:
    return "coco" in base or base.startswith(("instances", "person_keypoints", "annotations"))


def _read_coco(tree: Tree, index: Index, progress: Progress) -> None:
    paths = coco_in(tree)
    total = sum(tree.sizes[path] for path in paths) or 1
    before = 0
    for path in paths:
        with tree.open(path) as stream:
            coco.read(
                stream,
                index,
                split=split_of(path),
                where=path,
                scoped=len(paths) > 1,
                progress=_from(before, total, progress),
            )
        before += tree.sizes[path]


def _from(before: int, total: int, progress: Progress) -> Callable[[int], None]:
    return lambda position: progress((before + position) / total)
