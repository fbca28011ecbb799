"""Where pictures and annotations of a set lie so that trainers read them, in each of the formats.

    coco    {train,validation,test}/cat.jpg, annotations/instances_{train,…}.json
            images/cat.jpg, annotations/instances.json         where nothing is split
    yolo    images/{train,val,test}/cat.jpg, labels/…/cat.txt, data.yaml
    voc     JPEGImages/cat.jpg, Annotations/cat.xml, ImageSets/Main/{train,val,test}.txt

YOLO and VOC have no place for what is in no split: it is put with `train`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mediamill.annotations.model import Category
from mediamill.annotations.write import Files, Format, Losses, Pictured, written
from mediamill.annotations.write_yolo import SPLITS

_LISTS = {"train": ("train", ("", "train")), "validation": ("val", ("validation",)),
          "test": ("test", ("test",))}  # fmt: skip
"""Of each split VOC's name for its list, and which pictures are on it."""

Pictures = Callable[[str | None], Iterator[Pictured]]
"""Go through the pictures of a split from the beginning; empty: in none of them, None: all."""


def picture_place(form: Format, path: str, split: str) -> str:
    """Return where a picture of a split, or of none, lies in a set of a format."""
    if form == "yolo":
        return f"images/{SPLITS[split]}/{path}"
    return f"{'JPEGImages' if form == 'voc' else split or 'images'}/{path}"


def laid_out(
    form: Format,
    categories: Sequence[Category],
    pictures: Pictures,
    document: Mapping[str, Any],
    losses: Losses,
) -> Files:
    """Yield path and content of all files beside the pictures; the content is to be read at once.

    The same set gives the same bytes.
    """
    if form == "coco":
        for split in ("", *_LISTS):
            if any(True for _ in pictures(split)):
                name = f"annotations/instances{'_' * bool(split)}{split}.json"
                found = pictures(split)
                yield from written(form, categories, found, document, losses, coco_path=name)
        return
    yield from written(form, categories, pictures(None), document, losses)
    for name, held in _LISTS.values() if form == "voc" else ():
        stems = (p.path.rpartition(".")[0] for split in held for p in pictures(split))
        lines = [f"{stem}\n".encode() for stem in stems]
        if lines:
            yield f"ImageSets/Main/{name}.txt", lines
