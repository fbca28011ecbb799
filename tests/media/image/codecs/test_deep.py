"""16 bits come through: PNG and TIFF, grey and colours, with alpha, turned, with a profile."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from tests.support import pictures

from mediamill.core.errors import BrokenMedia
from mediamill.media.image.codecs.encode import encode, flatten
from mediamill.media.image.codecs.icc import parsed
from mediamill.media.image.depth import eight, sixteen


def deep(channels: int) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 65536, (40, 60, channels), dtype=np.uint16)


@pytest.mark.parametrize("form", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_value_comes_through(form: str, channels: int):
    pixels = deep(channels)
    codes = {1: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    stored = pixels if channels == 1 else cv2.cvtColor(pixels, codes[channels])
    data = cv2.imencode(f".{form}", stored)[1].tobytes()
    found = pictures.decoded(f"image/{form}", data).array()
    assert found.dtype == np.uint16
    assert np.array_equal(found, np.repeat(pixels, 3, axis=2) if channels == 1 else pixels)
    shallow = pictures.decoded(f"image/{form}", data, deep=False).array()
    assert shallow.dtype == np.uint8
    assert np.abs(shallow[:, :, :3].astype(int) - eight(found)[:, :, :3]).max() <= 1


def test_grey_with_alpha():
    pixels = deep(2)
    found = pictures.decoded("image/png", pictures.grey_alpha16(pixels)).array()
    assert np.array_equal(found[:, :, 1], pixels[:, :, 0])
    assert np.array_equal(found[:, :, 3], pixels[:, :, 1])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_as_pillow_turns_it(orientation: int):
    image, file = Image.fromarray(deep(1)[:, :, 0]), io.BytesIO()
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(file, "TIFF", exif=exif)
    with Image.open(io.BytesIO(file.getvalue())) as stored:
        stored.load()
        expected = np.array(stored)
    found = pictures.decoded("image/tiff", file.getvalue()).array()
    assert np.array_equal(found[:, :, 0], expected)


@pytest.mark.parametrize("kind", pictures.KINDS)
def test_what_has_eight_bits_keeps_them(kind: str):
    found = pictures.picture(kind).array()
    assert found.dtype == (np.uint16 if kind.endswith("16") else np.uint8)


def curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def wide_gamut(tone: bytes | None = None) -> bytes:
    """Return a profile with Adobe RGB's primaries, adapted to D50, written out by hand."""
    columns = (0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)
    xyz = [b"XYZ " + bytes(4) + b"".join(map(s15, column)) for column in columns]
    tags = {
        b"rXYZ": xyz[0], b"gXYZ": xyz[1], b"bXYZ": xyz[2],
        b"wtpt": b"XYZ " + bytes(4) + s15(0.9642) + s15(1) + s15(0.8249),
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0\0\0\0",
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), tone or curve(2.19921875)),
    }  # fmt: skip
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        data = data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    head = struct.pack(">I4s4s", start + len(body), b"none", b"\x02\x20\0\0") + b"mntrRGB XYZ "
    head = head.ljust(36, b"\0") + b"acsp" + bytes(28) + s15(0.9642) + s15(1) + s15(0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def with_profile(png: bytes, profile: bytes) -> bytes:
    body = b"iCCP" + b"it\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:33] + chunk + png[33:]


def lab(shares: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(shares.astype(np.float32), cv2.COLOR_RGB2Lab)


PARAMETRIC = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + b"".join(
    map(s15, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)  # fmt: skip


@pytest.mark.parametrize("tone", [None, PARAMETRIC], ids=["gamma", "parametric"])
def test_a_profile_is_honoured_at_full_depth(tone: bytes | None):
    """Against Little CMS on 8 bits of the same colours: ΔE*ab under 1 in the mean, 2.5 at most."""
    eight_bit = np.rint(pictures.smooth() * 200 + 25).astype(np.uint8)
    profile = wide_gamut(tone)
    assert parsed(profile) is not None
    png = cv2.imencode(".png", cv2.cvtColor(sixteen(eight_bit), cv2.COLOR_RGB2BGR))[1].tobytes()
    found = pictures.decoded("image/png", with_profile(png, profile)).array()
    assert found.dtype == np.uint16
    source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    expected = np.array(ImageCms.profileToProfile(Image.fromarray(eight_bit), source, target))
    difference = np.linalg.norm(lab(found / 65535) - lab(expected / 255), axis=2)
    assert difference.mean() < 0.6
    assert difference.max() < 2.5
    untouched = np.linalg.norm(lab(eight_bit / 255) - lab(expected / 255), axis=2)
    assert untouched.mean() > 3, "the profile must matter"


@pytest.mark.parametrize("cut", [0, 50, 131, 140, 200, 400])
def test_a_damaged_profile_is_no_reason_to_refuse(cut: int):
    png = cv2.imencode(".png", deep(3))[1].tobytes()
    damaged = with_profile(png, wide_gamut()[:cut])
    assert pictures.decoded("image/png", damaged).array().shape == (40, 60, 3)
    assert parsed(wide_gamut()[:cut]) is None


def test_truncated_files_are_broken_not_half_black():
    whole = cv2.imencode(".png", deep(3))[1].tobytes()
    with pytest.raises(BrokenMedia):
        pictures.decoded("image/png", whole[: len(whole) // 2])
    whole = cv2.imencode(".tiff", deep(3))[1].tobytes()
    with pytest.raises(BrokenMedia):
        pictures.decoded("image/tiff", whole[: len(whole) // 2])


def test_sixteen_bits_are_written_where_the_format_can():
    for channels in (3, 4):
        pixels = deep(channels)
        again = pictures.decoded("image/png", encode(pixels, "png")).array()
        assert np.array_equal(again, pixels)
        for form in ("jpeg", "webp", "avif"):
            with Image.open(io.BytesIO(encode(pixels, form))) as image:
                assert image.size == (60, 40)


def test_depths_are_rounded_and_spread():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)
    assert np.abs(eight(values) - values / 257).max() <= 0.5
    assert np.array_equal(eight(sixteen(eight(values))), eight(values))
    clear = np.zeros((2, 2, 4), np.uint16)
    assert (flatten(clear) == 65535).all()
    clear[:, :, 3] = 32768
    assert np.abs(flatten(clear).astype(int) - 32767).max() <= 1
