"""What others get of a picture: all that shows, and how it is turned; nothing that tells of it."""

import io
import struct
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin
from tests.media_factory import sample
from tests.security.test_privacy import KINDS, MARK, XMP, exif, pictures, profile

from mediamill.core.errors import Forbidden
from mediamill.media.privacy.cutting import apply, cut_bytes, plan
from mediamill.media.privacy.parts import Cut, stream, within

ORIENTATION = 0x0112
FORMS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF", "HEIF", "BMP")
TURNED = ("JPEG", "PNG", "WEBP")
"""Formats whose orientation is in EXIF, where nothing else of it may stay."""
SHOWN = {*range(254, 300), 317, 338, 339, 34675}
"""Tags of a TIFF that say how its pixels lie, and its profile."""
SAID = tuple(kind for kind in KINDS if kind not in (b"Exif\0\0", b"eXIf"))


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, bytes]:
    """A picture in each format, full of metadata, with bytes behind its end."""
    found = pictures(tmp_path_factory.mktemp("told"))
    return {path.suffix[1:].upper(): path.read_bytes() for path in found}


def planned(data: bytes) -> Cut:
    return plan(io.BytesIO(data), len(data), "picture")


def opened(data: bytes) -> Image.Image:
    pillow_heif.register_heif_opener()
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def turned(form: str, orientation: int, **more: object) -> bytes:
    """Make a picture whose EXIF says how it is turned, and where it was taken."""
    made, said = io.BytesIO(), exif()
    said[ORIENTATION] = orientation
    image = Image.fromarray(np.arange(48 * 32 * 3, dtype=np.uint8).reshape(32, 48, 3))
    image.save(made, form, exif=said, icc_profile=profile(), **more)
    return made.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_said_goes_and_the_pixels_stay(told, form):
    data = told[form]
    left = cut_bytes(data, "picture")
    assert not [mark for mark in (MARK, *SAID) if mark in left.replace(profile(), b"")]
    before, after = opened(data), opened(left)
    assert np.array_equal(np.array(before), np.array(after))
    assert before.info.get("icc_profile") == after.info.get("icc_profile")
    tags = {*after.getexif()} - (SHOWN if form == "TIFF" else set())
    assert not tags
    assert cut_bytes(left, "picture") == left


@pytest.mark.parametrize("form", TURNED)
@pytest.mark.parametrize("orientation", [1, 6])
def test_how_it_is_turned_stays_and_nothing_else_of_exif(form, orientation):
    left = cut_bytes(turned(form, orientation), "picture")
    said = dict(opened(left).getexif())
    assert said == ({ORIENTATION: 6} if orientation == 6 else {})
    assert MARK not in left.replace(profile(), b"")
    again = planned(left)
    assert again.whole, again


def test_where_only_xmp_says_how_it_is_turned_that_stays():
    """As Pillow reads it, and so sizes and thumbnails go by it."""
    packet = XMP.replace(b"PLANTED<", b'PLANTED<a tiff:Orientation="8"/><')
    image, text = Image.new("RGB", (8, 4)), PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", packet.decode(), zip=True)
    for form, more in (
        ("JPEG", {"xmp": packet}), ("WEBP", {"xmp": packet}), ("PNG", {"pnginfo": text}),
    ):  # fmt: skip
        made = io.BytesIO()
        image.save(made, form, **more)
        assert opened(made.getvalue()).getexif()[ORIENTATION] == 8
        left = cut_bytes(made.getvalue(), "picture")
        assert dict(opened(left).getexif()) == {ORIENTATION: 8}
        assert b"xmpmeta" not in left


@pytest.mark.parametrize("name", ["iphone.heic", "gps-nikon.jpg", "orientation-6.jpg", "scan.tiff"])
def test_pictures_of_cameras(name):
    data = sample(name).read_bytes()
    left = cut_bytes(data, name)
    before, after = opened(data), opened(left)
    assert np.array_equal(np.array(before), np.array(after))
    assert before.getexif().get(ORIENTATION, 1) == after.getexif().get(ORIENTATION, 1)
    assert {*after.getexif()} - {ORIENTATION} <= (SHOWN if name == "scan.tiff" else set())
    assert 0x8825 not in after.getexif()
    for camera in (b"NIKON", b"Apple", b"iPhone"):
        rest = left.replace(after.info.get("icc_profile") or b"-", b"")
        assert camera not in rest


def test_frames_of_animations_stay():
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    more = {"save_all": True, "append_images": frames[1:], "duration": 70, "loop": 3}
    for form in ("GIF", "PNG", "WEBP"):
        made = io.BytesIO()
        frames[0].save(made, form, **more, **({"exif": exif()} if form != "GIF" else {}))
        data = made.getvalue() + MARK
        left = cut_bytes(data, "moving")
        assert MARK not in left
        before, after = opened(data), opened(left)
        assert after.n_frames == 3
        for n in range(3):
            before.seek(n)
            after.seek(n)
            assert np.array_equal(np.array(before.convert("RGB")), np.array(after.convert("RGB")))
            assert before.info.get("duration") == after.info.get("duration")


def test_what_has_nothing_to_take_out_is_served_as_it_is():
    for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        made = io.BytesIO()
        Image.new("RGB", (20, 10), "teal").save(made, form)
        found = planned(made.getvalue())
        assert found.whole or form == "TIFF", form
        assert apply(made.getvalue(), found) == made.getvalue() or form == "TIFF"
    for text in (b"a,b\n1,2\n", "größer".encode(), b""):
        assert planned(text).whole


@pytest.mark.parametrize(
    "data",
    [b"%PDF-1.7 /Author", b"PK\x03\x04" + bytes(40), b"\0\0\0\x18ftypmp42" + bytes(40), b"\0\1\2",
     b"\x89PNG\r\n\x1a\n" + bytes(8), b"II*\0\x08\0\0\0", b"GIF89a" + bytes(7) + b"?"],
)  # fmt: skip
def test_what_nobody_can_take_it_out_of_is_for_its_owner(data):
    with pytest.raises(Forbidden, match="the owner may share a processed copy"):
        planned(data)


@pytest.mark.parametrize("form", FORMS)
def test_any_range_of_it_and_any_cut_off_file(told, form):
    """Ranges are those of the whole; a file that ends early is cut or refused, never worse."""
    data, found = told[form], planned(told[form])
    left = apply(data, found)
    for start in range(0, len(left), max(1, len(left) // 40)):
        parts = tuple(within(found.parts, start, start + 33))
        assert apply(data, Cut(parts, 0, whole=False)) == left[start : start + 33]
    for end in range(1, len(data), max(1, len(data) // 60)):
        try:
            assert MARK not in cut_bytes(data[:end], "cut").replace(profile(), b"")
        except Forbidden:
            continue


async def test_a_stream_reads_its_file_once(told):
    data, found, reads = told["JPEG"], planned(told["JPEG"]), []

    async def read(start, stop):
        reads.append((start, stop))
        for at in range(start, stop, 100):
            yield data[at : min(at + 100, stop)]

    whole = b"".join([chunk async for chunk in stream(read, found.parts, 0, found.size)])
    assert whole == apply(data, found)
    assert len(reads) == 1
    some = b"".join([chunk async for chunk in stream(read, found.parts, 5, 3_000)])
    assert some == whole[5:3_000]


def test_endless_chunks_are_not_followed(monkeypatch):
    monkeypatch.setattr("mediamill.media.privacy.parts.MAX_STEPS", 3_000)
    chunk = struct.pack(">I", 0) + b"tEXt" + struct.pack(">I", zlib.crc32(b"tEXt"))
    with pytest.raises(Forbidden):
        planned(b"\x89PNG\r\n\x1a\n" + chunk * 3_000)
