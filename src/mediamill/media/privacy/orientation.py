"""The one thing that is kept of what a camera says: how its picture is to be turned.

EXIF is TIFF 6.0 with tag 0x0112 (EXIF 2.32, 4.6.4). Where EXIF does not say, XMP may: Pillow reads
it there, so sizes and thumbnails here go by it.
"""

import re
import struct

TAG, SHORT = 0x0112, 3
MAX_ENTRIES = 1_000
_XMP = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")
PREFIX = b"Exif\0\0"


def from_exif(data: bytes) -> int | None:
    """Return what a TIFF block says, 1 for what is out of range; None for nothing."""
    data = data.removeprefix(PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        for n in range(min(count, MAX_ENTRIES)):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", data, at + 2 + 12 * n)
            if tag == TAG:
                return int(value) if kind == SHORT and 1 <= value <= 8 else 1
    except struct.error:
        return None
    return None


def from_xmp(data: bytes) -> int | None:
    """Return what an XMP packet says; None for nothing."""
    found = _XMP.search(data)
    return int(found[1]) if found else None


def of_head(data: bytes) -> int:
    """Return what the first bytes of a JPEG say, 1 for nothing: EXIF is the first of its segments.

    It may be wrong for files that are built to mislead: who turns pixels looks again.
    """
    at = data.find(PREFIX)
    return (from_exif(data[at:]) if at >= 0 else None) or from_xmp(data) or 1


def minimal(orientation: int) -> bytes:
    """Return a TIFF block that says nothing but an orientation."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, TAG, SHORT, 1, orientation, 0, 0)


class Turning:
    """What several places say of the orientation; EXIF comes first."""

    def __init__(self) -> None:
        self._exif: int | None = None
        self._xmp: int | None = None

    def exif(self, data: bytes) -> None:
        self._exif = self._exif or from_exif(data)

    def xmp(self, data: bytes) -> None:
        self._xmp = self._xmp or from_xmp(data)

    @property
    def block(self) -> bytes:
        """A TIFF block that says how to turn; empty where that is not needed."""
        found = self._exif or self._xmp or 1
        return minimal(found) if found > 1 else b""
