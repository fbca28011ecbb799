"""What the files of an export are: images as they are stored, and texts that are written for it.

    files              {split}/cat.jpg             images/cat.jpg where nothing is split
    coco, yolo, voc    as `annotations/layout.py` says
    webdataset         {split}/cat.jpg, {split}/cat.json, {split}/cat.cls

Each has `manifest.jsonl` first, a line per image; in a tar it is `__dataset__/manifest.jsonl`, a
name that readers of WebDataset pass over. What a format cannot hold is counted in the last file,
`not-exported.json`. Where some images are in a split, those in none go with `train`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec

from mediamill.annotations.layout import laid_out, picture_place
from mediamill.annotations.model import Category
from mediamill.annotations.write import LEFT_OUT, Losses, Pictured
from mediamill.datasets.document import Entry, Header

ExportFormat = Literal["files", "coco", "yolo", "voc", "webdataset"]
EXPORTS: tuple[ExportFormat, ...] = get_args(ExportFormat)

Entries = Callable[[], Iterator[tuple[int, Entry]]]
"""Go through the images from the beginning, each with its index."""


@dataclass(frozen=True)
class Stored:
    """A file whose bytes are an image's."""

    name: str
    index: int
    entry: Entry


@dataclass(frozen=True)
class Written:
    """A file whose bytes are made, to be read at once."""

    name: str
    chunks: Iterable[bytes]


@dataclass(frozen=True)
class Wanted:
    """What of a version is exported."""

    form: ExportFormat
    split: str | None = None
    """One split alone; None for all."""
    shard: int | None = None
    shard_size: int = 0
    """Images of a shard of a tar."""
    cut: int = 0
    """For others than its owner: how metadata is taken out (`media/privacy/cutting.py`)."""

    @property
    def key(self) -> str:
        """What names this export among those of a version."""
        parts = [self.form, self.split or "all"]
        if self.shard is not None:
            parts += [str(self.shard_size), str(self.shard)]
        if self.cut:
            parts.append(f"cut{self.cut}")
        return "-".join(parts)


class Export:
    """One export of one version."""

    def __init__(self, wanted: Wanted, header: Header, version: str, entries: Entries) -> None:
        """`version` is the hash, `entries` those that are there still."""
        self.wanted, self.version, self._all = wanted, version, entries
        self.document = header.document
        self.losses = Losses()
        names, splits = set[str](), set[str]()
        for _, entry in entries():
            content = entry.image.content()
            names |= {one.category for one in content.annotations} | {*content.labels}
            splits.add(entry.image.split)
        self.split_up = bool(splits - {""})
        self.categories = completed(header.classes, names)

    def files(self) -> Iterator[Stored | Written]:
        """Yield all files in their order."""
        tar = self.wanted.form == "webdataset"
        manifest = "__dataset__/manifest.jsonl" if tar else "manifest.jsonl"
        yield Written(manifest, map(self._manifest_line, self._chosen()))
        yield from self._samples() if tar else self._folders()
        if self.losses.counts:
            text = msgspec.json.encode(dict(sorted(self.losses.counts.items())))
            yield Written(LEFT_OUT, [text + b"\n"])

    def _chosen(self) -> Iterator[tuple[int, Entry]]:
        """Visit the images of the split, or of the shard of it, that is wanted."""
        place, size, shard = 0, self.wanted.shard_size, self.wanted.shard
        for index, entry in self._all():
            if self.wanted.split in (None, self._split(entry)):
                if shard is None or place // size == shard:
                    yield index, entry
                place += 1

    def _split(self, entry: Entry) -> str:
        return entry.image.split or ("train" if self.split_up else "")

    def name(self, entry: Entry) -> str:
        """Return where an image lies in the export."""
        form = self.wanted.form
        return picture_place(
            form if form in ("yolo", "voc") else "coco", entry.image.path, self._split(entry)
        )

    def _manifest_line(self, numbered: tuple[int, Entry]) -> bytes:
        entry = numbered[1]
        line: dict[str, Any] = {"name": self.name(entry), "version": self.version}
        for field in msgspec.structs.fields(entry.image):
            line[field.name] = getattr(entry.image, field.name)
        line |= {"file": entry.file, "lineage": entry.lineage}
        del line["path"]
        return msgspec.json.encode(line) + b"\n"

    def _folders(self) -> Iterator[Stored | Written]:
        for index, entry in self._chosen():
            yield Stored(self.name(entry), index, entry)
        form = self.wanted.form
        if form in ("coco", "yolo", "voc"):
            made = laid_out(form, self.categories, self._pictures, self.document, self.losses)
            for path, chunks in made:
                yield Written(path, chunks)

    def _pictures(self, split: str | None = None) -> Iterator[Pictured]:
        for _, entry in self._chosen():
            own = self._split(entry)
            if split in (None, own):
                yield Pictured(entry.image.path, entry.image.content(), own)

    def _samples(self) -> Iterator[Stored | Written]:
        numbers = {category.name: n for n, category in enumerate(self.categories)}
        for index, entry in self._chosen():
            key, _, ending = self.name(entry).rpartition(".")
            yield Stored(f"{key}.{ending}", index, entry)
            yield Written(f"{key}.json", [self._sample(entry)])
            labels = entry.image.content().labels
            if len(labels) == 1:
                yield Written(f"{key}.cls", [str(numbers[labels[0]]).encode()])

    def _sample(self, entry: Entry) -> bytes:
        image = entry.image
        fields = ("path", "sha256", "width", "height", "split", "subset", "group", "annotations")
        return msgspec.json.encode({name: getattr(image, name) for name in fields})


def completed(classes: Sequence[Category], names: Iterable[str]) -> tuple[Category, ...]:
    """Return classes by number, with those that annotations name and nobody has declared."""
    known: Mapping[str, Category] = {category.name: category for category in classes}
    following = max((category.number for category in classes), default=0) + 1
    more = (
        Category(number, name)
        for number, name in enumerate(sorted(set(names) - set(known)), following)
    )
    return tuple(sorted((*classes, *more), key=lambda category: category.number))
