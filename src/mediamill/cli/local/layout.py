"""Where `mediamill run --annotations` puts pictures: as trainers read sets of their format."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mediamill.annotations.layout import Pictures, picture_place
from mediamill.annotations.tree import split_called
from mediamill.annotations.write import Format, Pictured
from mediamill.cli.terminal.inputs import Input

FOLDERS = frozenset({"images", "jpegimages"})
"""Folders of a set in which all its pictures are: they say nothing of one of them."""


@dataclass
class Layout:
    """Names pictures below the folder of their split; each name without its ending is given once.

    Labels are named after their picture without its ending, so `cat.jpg` and `cat.png` become
    `cat.jpg` and `cat-2.png`.
    """

    form: Format
    splits: Mapping[Path, str]
    _next: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._other = "train" if any(self.splits.values()) else ""

    def split(self, path: Path) -> str:
        """Return the split that what is made of an input is in; empty where nothing is split."""
        return self.splits.get(path, "") or self._other

    def place(self, item: Input, name: str) -> str:
        """Return a free place for a picture that was made of an input."""
        split = self.split(item.path)
        stem, dot, ending = name.rpartition(".")
        path = self._below(item.folder, stem or name, split)
        return self._free(picture_place(self.form, path, split)) + (dot + ending if stem else "")

    def path(self, source: Path, place: str) -> str:
        """Return what the set calls a picture that was made of an input and has a place."""
        return place.removeprefix(picture_place(self.form, "", self.split(source)))

    def _below(self, folder: Path, stem: str, split: str) -> str:
        """Return a stem with the folders that its input stood in, but for those of a layout.

        Readers of VOC know no folders, and some end a name at a space: both become `_`.
        """
        parts = [
            part for part in PurePosixPath(folder).parts
            if part.lower() not in FOLDERS and not (split and split_called(part) == split)
        ]  # fmt: skip
        if self.form == "voc":
            return re.sub(r"\s+", "_", "_".join([*parts, stem]))
        return "/".join([*parts, stem])

    def _free(self, wanted: str) -> str:
        found = wanted
        while (folded := found.casefold()) in self._next:
            number = self._next[wanted.casefold()] + 1
            self._next[wanted.casefold()], found = number, f"{wanted}-{number}"
        self._next[folded] = 1
        return found


def placed(form: Format, pictures: Sequence[Pictured]) -> Pictures:
    """Return a walk through pictures of a set with the paths that they have in another format."""
    layout = Layout(form, {Path(one.path): one.split for one in pictures})
    found = []
    for one in pictures:
        path = Path(one.path)
        place = layout.place(Input(path, path.parent), path.name)
        moved = Pictured(layout.path(path, place), one.content, layout.split(path))
        found.append(moved)
    return lambda split: (one for one in found if split in (None, one.split))
