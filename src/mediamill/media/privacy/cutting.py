"""Plan a file without its metadata, by its type.

Only headers are read, nothing is decoded, and all that is looked at is bounded, so this needs no
slot. What is text says all that it says openly.
"""

import io
from collections.abc import Callable
from typing import BinaryIO

from mediamill.core.errors import Forbidden
from mediamill.media.privacy.bmp import bmp
from mediamill.media.privacy.gif import gif
from mediamill.media.privacy.heif import heif
from mediamill.media.privacy.jpeg import jpeg
from mediamill.media.privacy.parts import Cut, Parts, Scan, Uncut
from mediamill.media.privacy.png import png
from mediamill.media.privacy.tiff import tiff
from mediamill.media.privacy.webp import webp
from mediamill.media.sniff import HEAD, sniff

VERSION = 1
"""Grows when the same file would be cut otherwise."""

WAYS: dict[str, Callable[[Scan], Parts]] = {
    "image/jpeg": jpeg,
    "image/png": png,
    "image/webp": webp,
    "image/gif": gif,
    "image/bmp": bmp,
    "image/tiff": tiff,
    "image/heic": heif,
    "image/avif": heif,
}


def plan(stream: BinaryIO, size: int, name: str) -> Cut:
    """Return a file without what tells of place, time, device and person; pixels stay as they are.

    Raises `Forbidden`, which says what to do, for types of which nobody here knows where they keep
    such things, and for files that are not built as their type says.
    """
    media_type = sniff(stream.read(min(HEAD, size)))
    if not size or media_type.startswith("text/"):
        return Cut(((0, size),) if size else (), size, whole=True)
    way = WAYS.get(media_type)
    if way is None:
        raise withheld(name, media_type)
    scan = Scan(stream, size)
    try:
        return way(scan).cut(scan)
    except Uncut:
        raise withheld(name, media_type) from None


def cut_bytes(data: bytes, name: str) -> bytes:
    """Return a small file without metadata; raises as `plan` does."""
    return apply(data, plan(io.BytesIO(data), len(data), name))


def apply(data: bytes, cut: Cut) -> bytes:
    """Return what a plan makes of a file that is in memory."""
    parts = (data[slice(*part)] if isinstance(part, tuple) else part for part in cut.parts)
    return b"".join(bytes(part) if isinstance(part, int) else part for part in parts)


def withheld(name: str, media_type: str) -> Forbidden:
    """Return why only its owner gets a file."""
    message = (
        f"{name[:200]} ({media_type}) may say where, when or by whom it was made, and that cannot "
        "be taken out of it: only its owner gets it as it is. Others see its thumbnail, and can "
        "run jobs over it; the owner may share a processed copy."
    )
    return Forbidden(message, media_type=media_type)
