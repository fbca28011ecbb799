"""The files that a set of annotations comes in: one, a folder, or what else has paths."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

from mediamill.core.errors import LimitExceeded

MAX_TEXT = 16 << 20
"""Bytes of a file that is read whole: labels, XML, `data.yaml`."""
SPLITS = {"train": "train", "training": "train", "val": "validation", "valid": "validation",
          "validation": "validation", "test": "test", "testing": "test"}  # fmt: skip
LISTS = ("train.txt", "val.txt", "valid.txt", "test.txt")
"""Files that list the images of a split, a path or a name per line."""


class Tree(Protocol):
    """Files by their path, which has forward slashes."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each file, by path."""

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""


class Folder:
    """A folder on disk, or a single file in it; links are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root if root.is_dir() else root.parent
        found = sorted(root.rglob("*")) if root.is_dir() else [root]
        self._sizes = {
            path.relative_to(self._root).as_posix(): path.stat().st_size
            for path in found
            if path.is_file() and not path.is_symlink()
        }

    @property
    def sizes(self) -> Mapping[str, int]:
        return self._sizes

    def open(self, path: str) -> BinaryIO:
        return (self._root / path).open("rb")


def text(tree: Tree, path: str) -> bytes:
    """Return a file whole; raises `LimitExceeded` for one that is too large for that."""
    with tree.open(path) as stream:
        data = stream.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise LimitExceeded(f"{path} has more than {MAX_TEXT:,} bytes.")
    return data


def listed_splits(tree: Tree) -> dict[str, str]:
    """Return what `train.txt`, `val.txt`, `test.txt` say: splits by what an image is called there.

    That is `names_of` it. Names that are in several lists say nothing.
    """
    found: dict[str, str] = {}
    for path in sorted(tree.sizes):
        base = path.rpartition("/")[2].lower()
        if base not in LISTS or tree.sizes[path] > MAX_TEXT:
            continue
        split = SPLITS[base.removesuffix(".txt")]
        for line in text(tree, path).decode(errors="replace").splitlines():
            for name in names_of(line.strip()):
                found[name] = split if found.get(name, split) == split else ""
    return {name: split for name, split in found.items() if name and split}


def names_of(path: str) -> tuple[str, str]:
    """Return what an image is called in lists: below `images` or `labels`, and without folders."""
    parts = path.replace("\\", "/").split("/")
    stem = parts[-1].rpartition(".")[0] or parts[-1]
    roots = [n for n, part in enumerate(parts[:-1]) if part in ("images", "labels")]
    below = parts[roots[-1] + 1 : -1] if roots else parts[:-1]
    return "/".join([*below, stem]), stem


def split_of(path: str, *, named: bool = True) -> str:
    """Return the split that a path tells by a folder, or a file name such as `instances_val.json`.

    Of several folders the nearest to the file says it.

    Empty where it tells none. What is one of many is not `named` so: `train_station.jpg`.
    """
    *folders, base = path.lower().replace("\\", "/").split("/")
    words = base.partition(".")[0].replace("-", "_").split("_") if named else []
    return next(filter(None, map(split_called, (*reversed(folders), *reversed(words)))), "")


def split_called(word: str) -> str:
    """Return the split that a folder of this name is: `val2017`; empty for none."""
    return SPLITS.get(word.lower().rstrip("0123456789"), "")
