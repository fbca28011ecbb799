"""The canonical document of a frozen version, whose SHA-256 is the version's hash.

    {"classes":[…],"document":{},"format":"mediamill-dataset/1","seed":7,"steps":[…],"subsets":[…]}
    {"annotations":{…},"group":1,"height":480,"path":"cat.jpg","sha256":"…","size":…,…}
    …

JSON lines in UTF-8, keys sorted, no space: first what the version is, then a line per image in the
order of the project's files. Nothing in it depends on ids, times or where bytes lie, so the same
images with the same splits, annotations, classes and steps have the same hash. Groups are counted
from 1 in the order in which they appear; 0 is an image that is alone.
"""

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import msgspec

from mediamill.annotations.model import Category, ImageAnnotations
from mediamill.media.archive.names import Names, safe_name
from mediamill.media.privacy.parts import Part

FORMAT = "mediamill-dataset/1"
ENDINGS = {
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"), "image/tiff": (".tif", ".tiff"),
    "image/heic": (".heic", ".heif"), "image/heif": (".heif", ".heic"),
    "image/bmp": (".bmp", ".dib"), "video/quicktime": (".mov", ".qt"),
    "video/mp4": (".mp4", ".m4v"),
    "video/x-matroska": (".mkv",), "video/x-msvideo": (".avi",), "video/x-flv": (".flv",),
    "video/x-ms-asf": (".wmv", ".asf"), "video/mpeg": (".mpg", ".mpeg"),
    "video/ogg": (".ogv", ".ogg"),
    "video/mp2t": (".ts", ".mts", ".m2ts"),
}  # fmt: skip
"""Endings of types that have others than their name, the usual one first."""
_JSON = msgspec.json.Encoder(order="deterministic")


class Image(msgspec.Struct, frozen=True):
    """What a version fixes of an image."""

    path: str
    media_type: str
    size: int
    sha256: str
    width: int
    height: int
    subset: str
    split: str
    group: int
    annotations: msgspec.Raw

    def content(self) -> ImageAnnotations:
        """Return what is marked on it; raises `msgspec.ValidationError` for other content."""
        if bytes(self.annotations) == b"null":
            return ImageAnnotations(self.width, self.height)
        return ImageAnnotations.decode(bytes(self.annotations))


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An image, and what is not fixed of it: where it came from and where its bytes are."""

    image: Image
    file: str
    """The member that it was."""
    root: str
    source: str
    """The blob that it was; `blob_of` its index is its own."""
    results: bool
    crc32: int
    lineage: dict[str, Any]
    parts: tuple[Part, ...] = ()
    """How its bytes are made of those of its source, where they are not the same."""
    upright: str = ""
    """The blob with its bytes where those of its source lie turned, while the version is made."""


class Header(msgspec.Struct, frozen=True):
    """What a version is as a whole."""

    format: str
    classes: tuple[Category, ...]
    document: dict[str, Any]
    """What COCO says of the set as a whole: info, licences."""
    steps: list[dict[str, Any]]
    seed: int | None
    subsets: list[str]


FROZEN = "frozen/"
"""What begins the keys of what a version holds of the results of jobs, in their store."""
NOTHING = msgspec.Raw(b"null")


def line(value: Header | Image) -> bytes:
    """Return a line of the document, with its end."""
    return _JSON.encode(value) + b"\n"


def entry_line(entry: Entry) -> bytes:
    return _JSON.encode(entry) + b"\n"


def read_entry(data: bytes) -> Entry:
    return msgspec.json.decode(data, type=Entry)


GONE = b"null\n"
"""The line of an image that retention or an erasure has taken out: the others keep their places."""


def read_header(data: bytes) -> Header:
    return msgspec.json.decode(data, type=Header)


def read_image(data: bytes) -> Image:
    return msgspec.json.decode(data, type=Image)


class Hashing:
    """The hash of a document while its lines pass."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, data: bytes) -> bytes:
        self._hash.update(data)
        return data

    @property
    def hash(self) -> str:
        return self._hash.hexdigest()


class Paths:
    """Names of images: safe, and unique without their endings, as labels are called after them."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def claim(self, name: str, media_type: str) -> str:
        """Return the path of the next image, which its owner calls `name`."""
        safe = PurePosixPath(safe_name(name))
        stem = safe.stem.replace(".", "_") or "image"
        return self._names.claim(stem) + ending_of(safe.suffix.lower(), media_type)


def ending_of(given: str, media_type: str) -> str:
    """Return the ending of a picture: the one given where it is one of its type.

    Others (`.json`, `.cls`) mean something else beside it to those who read it.
    """
    usual = ENDINGS.get(media_type) or (f".{media_type.partition('/')[2].partition('+')[0]}",)
    return given if given in usual else usual[0]


class Groups:
    """Numbers of groups, in the order in which they appear; kept in memory, one each."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._numbers = {name: n for n, name in enumerate(names, 1)}

    def number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers) + 1) if name else 0


def frozen_of(root: str) -> str:
    """Return what begins the keys of what a version holds of results."""
    return f"{FROZEN}{root.removeprefix('versions/')}"


def blob_of(root: str, index: int, *, results: bool) -> str:
    """Return where the bytes of a version's image lie: with what came in, or with results."""
    home = frozen_of(root) if results else root
    return f"{home}/files/{index:07d}"
