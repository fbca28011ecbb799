"""What is told of a JPEG without Pillow is what Pillow tells of it; the rest is left to Pillow."""

import io
import random

import numpy as np
import pytest
from PIL import Image, ImageCms

from mediamill.core.errors import LimitExceeded, MediamillError
from mediamill.media.image.codecs.decode import decode, examined
from mediamill.media.image.codecs.header import Header, read_header
from mediamill.media.image.codecs.jpeg_header import jpeg_header

ORIENTATION = 0x0112
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def saved(mode: str = "RGB", **options: object) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (24, 40, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def exif(endian: str = "<", **more: object) -> Image.Exif:
    made = Image.Exif()
    made.endian = endian
    made[0x010E], made[0x0110] = "a description that is not inside its entry", "camera"
    made[ORIENTATION] = more.get("orientation", 1)
    return made


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body


def with_segments(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


def by_pillow(data: bytes) -> Header | None:
    try:
        return read_header(io.BytesIO(data), "image/jpeg", "it")
    except MediamillError:
        return None


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PLAIN = {
    "bare": saved(),
    "grey": saved("L"),
    "progressive": saved(progressive=True),
    "no-subsampling": saved(subsampling=0),
    "profile": saved(icc_profile=SRGB),
    "described": saved(comment=b"hello", xmp=XMP, exif=exif(orientation=3)),
    "little": saved(exif=exif("<", orientation=5)),
    **{f"turned-{n}": saved(exif=exif(">", orientation=n)) for n in range(10)},
}
UNPLAIN = {
    "cmyk": saved("CMYK"),
    "xmp-turns": saved(xmp=XMP),
    "two-exif": with_segments(saved(exif=exif()), segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0")),
    "long-profile": saved(icc_profile=SRGB + bytes(70_000)),
    "odd-exif": with_segments(saved(), segment(0xE1, b"Exif\0\0MM\0*\0\0\xff\xff")),
    "no-scan": saved()[:200],
    "nothing": b"\xff\xd8\xff",
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_one_is_told_as_pillow_tells_it(name: str):
    found = jpeg_header(PLAIN[name])
    assert found is not None
    assert found == by_pillow(PLAIN[name])


@pytest.mark.parametrize("name", UNPLAIN)
def test_what_is_not_plain_is_left_to_pillow(name: str):
    assert jpeg_header(UNPLAIN[name]) is None


def test_damage_is_never_told_otherwise():
    draws, told = random.Random(4), 0
    for _ in range(400):
        data = bytearray(draws.choice([*PLAIN.values(), *UNPLAIN.values()]))
        for _ in range(draws.choice((1, 1, 3))):
            data[draws.randrange(min(len(data), 700))] = draws.randrange(256)
        found = jpeg_header(bytes(data))
        if found is not None:
            told += 1
            assert found == by_pillow(bytes(data)), bytes(data)
    assert told > 100


def test_it_is_read_once():
    opened = []

    def source() -> io.BytesIO:
        opened.append(1)
        return io.BytesIO(PLAIN["turned-6"])

    header, again = examined(source, "image/jpeg", "it")
    picture = decode(again, header, "it", at_least=(10, 10))
    assert (header.width, header.height) == (24, 40)
    assert (picture.width, picture.height, len(opened)) == (12, 20, 1)


class Counted(io.BytesIO):
    """Counts what is read of all of them."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        Counted.taken += len(data)
        return data


@pytest.mark.parametrize("kind", ["bare", "profile", "twice"])
def test_too_many_pixels_are_refused_before_they_are_read(kind: str):
    more = segment(0xE1, b"Exif\0\0" + exif().tobytes()[6:])
    whole = with_segments(PLAIN["bare"], more, more) if kind == "twice" else PLAIN[kind]
    data = bytearray(whole + bytes(4_000_000))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (40_000).to_bytes(2) * 2
    assert (jpeg_header(bytes(data)) is None) == (kind == "twice")
    before = Counted.taken
    with pytest.raises(LimitExceeded):
        examined(lambda: Counted(data), "image/jpeg", "it")
    assert Counted.taken - before < 500_000


def test_a_header_that_is_longer_than_what_is_looked_at_is_left_to_pillow():
    data = with_segments(PLAIN["turned-6"], *(segment(0xEF, bytes(65_000)) for _ in range(3)))
    header, again = examined(lambda: io.BytesIO(data), "image/jpeg", "it")
    assert header == by_pillow(data)
    assert decode(again, header, "it").array().shape == (40, 24, 3)
