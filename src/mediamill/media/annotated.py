"""Where sets of annotations come in: folders, zips and files as trees, and pictures in them."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mediamill.annotations.index import FileFacts
from mediamill.annotations.tree import Folder, Tree
from mediamill.core.errors import InvalidInput
from mediamill.media.archive.read import open_member, read_members
from mediamill.media.sniff import HEAD, sniff

ZIP = b"PK"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic"}
MAX_PICTURE = 1 << 30


class Zip:
    """The members of a zip as a tree (`annotations/tree.py`); raises what reading one raises."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._members = {member.name: member for member in read_members(stream)}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {name: member.size for name, member in self._members.items()}

    def open(self, path: str) -> BinaryIO:
        return open_member(self._stream, self._members[path])


@contextmanager
def local(path: Path) -> Iterator[Tree]:
    """Open a folder, a zip or a file as a tree, for the length of the block."""
    if path.is_dir():
        yield Folder(path)
        return
    with path.open("rb") as stream:
        zipped = stream.read(len(ZIP)) == ZIP
        yield Zip(stream) if zipped else Folder(path)


def pictures(tree: Tree) -> Iterator[FileFacts]:
    """Yield the pictures of a tree with their upright sizes; what cannot be read is left out."""
    from mediamill.media.image.codecs.header import read_header

    for path, size in tree.sizes.items():
        if Path(path).suffix.lower() not in SUFFIXES or size > MAX_PICTURE:
            continue
        with tree.open(path) as stream:
            data = io.BytesIO(stream.read())
        with suppress(InvalidInput):
            header = read_header(data, sniff(data.getbuffer()[:HEAD].tobytes()), path)
            yield FileFacts(path, path, header.width, header.height)
