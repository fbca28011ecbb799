"""JPEG that lies turned comes out upright: the same pixels for readers that turn, and those not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests import media_factory as make

from mediamill.core.errors import BrokenMedia
from mediamill.media.image.codecs.upright import upright
from mediamill.media.privacy.orientation import of_head

ORIENTATION, MAKER, ICC = 0x0112, 0x010F, b"not a real profile, and passed on as it is"


def photo(width: int, height: int, orientation: int, mode: str = "RGB", **options) -> bytes:
    """Make a smooth picture that differs in each corner."""
    across = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    down = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    pixels = np.stack([across, down, 255 - across / 2 - down / 2], 2).astype(np.uint8)
    exif = Image.Exif()
    exif[MAKER] = "Maker"
    if orientation:
        exif[ORIENTATION] = orientation
    file = io.BytesIO()
    image = Image.fromarray(pixels).convert(mode)
    image.save(file, "JPEG", exif=exif, icc_profile=ICC, **options)
    return file.getvalue()


def plain(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def seen(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("size", [(96, 64), (50, 31)])
def test_pixels_lie_as_the_orientation_says(orientation, size) -> None:
    data = photo(*size, orientation, quality=90)
    made = upright(data, "a.jpg")
    shown, told = ImageOps.exif_transpose(plain(data)), plain(made)
    assert told.size == shown.size
    assert np.abs(seen(told) - seen(shown)).mean() < (0.5 if size == (96, 64) else 1.5)
    exif = told.getexif()
    assert (exif.get(ORIENTATION), exif.get(MAKER)) == (None, "Maker")
    assert told.info["icc_profile"] == ICC
    assert upright(made, "a.jpg") is None
    assert of_head(data) == orientation
    assert of_head(made) == 1


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_other_colours_stay(mode, options) -> None:
    data = photo(64, 48, 6, mode, quality=95, **options)
    told = plain(upright(data, "a.jpg"))
    assert (told.mode, told.size) == (mode, (48, 64))
    assert np.abs(seen(told) - seen(ImageOps.exif_transpose(plain(data)))).mean() < 1


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_whole_blocks_lose_next_to_nothing(subsampling) -> None:
    """The same quantisation, turned: a coefficient is another one for rounding alone.

    Chroma is made larger and smaller again on the way, where it is smaller; 4:2:2 becomes 4:4:4.
    """
    noise = np.random.default_rng(3).integers(0, 255, (12, 20, 3), dtype=np.uint8)
    exif, file = Image.Exif(), io.BytesIO()
    exif[ORIENTATION] = 6
    rough = Image.fromarray(noise).resize((160, 96), Image.Resampling.BICUBIC)
    rough.save(file, "JPEG", quality=60, subsampling=subsampling, exif=exif)
    data = file.getvalue()
    told = plain(upright(data, "a.jpg"))
    away = np.abs(seen(told) - seen(ImageOps.exif_transpose(plain(data))))
    assert away.mean() < (0.3 if subsampling == "4:4:4" else 2)
    tables = plain(data).quantization
    across = [list(np.reshape(tables[n], (8, 8)).T.ravel()) for n in sorted(tables)]
    assert ([*map(list, told.quantization.values())] == across) == (subsampling != "4:2:2")


def test_what_is_upright_or_broken_is_left_alone() -> None:
    for orientation in (0, 1, 9):
        assert upright(photo(32, 32, orientation), "a.jpg") is None
    with pytest.raises(BrokenMedia):
        upright(photo(96, 64, 6)[:700], "a.jpg")


def test_orientation_that_xmp_says_goes_with_it() -> None:
    head = b"http://ns.adobe.com/xap/1.0/\0"
    said = head + b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    bare = photo(64, 48, 0)
    data = bare[:2] + b"\xff\xe1" + (len(said) + 2).to_bytes(2) + said + bare[2:]
    assert of_head(data) == 6
    told = plain(upright(data, "a.jpg"))
    assert told.size == (48, 64)
    assert told.getexif().get(ORIENTATION) is None


def test_photos_of_phones() -> None:
    for name in ("orientation-6.jpg", "orientation-8.jpg"):
        data = make.sample(name).read_bytes()
        told = plain(upright(data, name))
        shown = ImageOps.exif_transpose(plain(data))
        assert told.size == shown.size
        assert np.abs(seen(told) - seen(shown)).mean() < 2
