"""Read the header of a JPEG from its first bytes: its size as libjpeg tells it, which decodes it.

Orientation and ICC profile are found in the segments before the first scan (ITU-T T.81, B.2; TIFF
6.0, section 2; ICC.1, B.4). Pillow takes a third of a millisecond for the same, which is felt
beside a photo that is shrunk while it is decoded. It stays the judge of all that is not plain.
"""

import struct
from collections.abc import Iterator

import simplejpeg  # type: ignore[import-untyped]  # has stubs, yet no py.typed to announce them

from mediamill.media.image.codecs.header import ORIENTATION, Header
from mediamill.media.image.orient import UPRIGHT, Orientation, from_exif

_FRAMES, _SOS, _APP1, _APP2 = frozenset({0xC0, 0xC1, 0xC2}), 0xDA, 0xE1, 0xE2
_TABLES = frozenset({0xC4, 0xDB, 0xDD})
_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_WHOLE = b"\1\1"
"""Of a profile in a segment: the first part of one."""
_GREY = {"Gray": True, "YCbCr": False, "RGB": False}
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY, _INSIDE = 12, 4
"""Bytes of an entry of a directory, and those of a value that is not elsewhere."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Bytes of a value of each type."""
_ONE_SHORT = 3, 1
"""Type and count of what the orientation is in EXIF."""


class NotPlainError(Exception):
    """There is something about a header that Pillow is to judge."""


def jpeg_header(data: bytes) -> Header | None:
    """Return the header of a plain JPEG; None where Pillow is to judge, of broken ones too.

    `data` is the JPEG, or as much of it as holds its header.
    """
    try:
        orientation, profile = _metadata(data)
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        size, grey = orientation.size(int(width), int(height)), _GREY[space]
    except (NotPlainError, ValueError, OverflowError, LookupError):
        return None
    return Header("image/jpeg", *size, 1, orientation, profile, grey)


def _metadata(data: bytes) -> tuple[Orientation, bytes | None]:
    """Return orientation and ICC profile; raises `NotPlainError` and `IndexError`."""
    exif = profile = None
    xmp = False
    for marker, start, end in _applications(data):
        if marker == _APP1 and data.startswith(_EXIF, start, end):
            if exif is not None:
                raise NotPlainError
            exif = data[start + len(_EXIF) : end]
        elif marker == _APP2 and data.startswith(_ICC, start, end):
            body = start + len(_ICC)
            if profile is not None or data[body : body + 2] != _WHOLE:
                raise NotPlainError
            profile = data[body + 2 : end]
        xmp = xmp or (marker == _APP1 and data.startswith(_XMP, start, end))
    orientation = None if exif is None else _in_exif(exif)
    if orientation is None and xmp:
        raise NotPlainError
    return orientation or UPRIGHT, profile


def _applications(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, begin and end of the body of what applications say; raises `NotPlainError`."""
    at, framed = 2, False
    while data[at] == 0xFF:
        marker, start = data[at + 1], at + 4
        if marker == _SOS and framed:
            return
        at += 2 + (data[at + 2] << 8 | data[at + 3])
        if at < start:
            break
        if marker in _FRAMES and not framed:
            framed = True
        elif 0xE0 <= marker <= 0xEF and not framed:
            yield marker, start, at
        elif marker not in _TABLES and marker != 0xFE:
            break
    raise NotPlainError


def _in_exif(exif: bytes) -> Orientation | None:
    """Return the orientation in the first directory, None for none; raises `NotPlainError`."""
    order = _ORDERS.get(exif[:4])
    if order is None:
        raise NotPlainError
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        entries = exif[start + 2 : start + 2 + _ENTRY * count]
        found = None
        for n, entry in enumerate(struct.iter_unpack(order + "HHII", entries)):
            tag, kind, values, place = entry
            size = _SIZES[kind] * values
            if size > _INSIDE and place + size > len(exif):
                raise NotPlainError
            if tag != ORIENTATION:
                continue
            if found is not None or (kind, values) != _ONE_SHORT:
                raise NotPlainError
            found = struct.unpack_from(order + "H", entries, _ENTRY * n + 8)[0]
    except (struct.error, LookupError) as error:
        raise NotPlainError from error
    if len(entries) < _ENTRY * count:
        raise NotPlainError
    return None if found is None else from_exif(found)
