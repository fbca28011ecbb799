"""Files lose their metadata and nothing of their pixels; what would look different is refused."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from tests.support import pictures

from mediamill.media.image.codecs.strip import lossless_webp, stripped

SECRET = b"52.5200 13.4050"


def image() -> Image.Image:
    return Image.fromarray(np.rint(pictures.smooth() * 255).astype(np.uint8))


def saved(form: str, of: Image.Image | None = None, **more: object) -> bytes:
    file = io.BytesIO()
    (of or image()).save(file, form, **more)
    return file.getvalue()


def exif() -> Image.Exif:
    found = Image.Exif()
    found[0x010E] = SECRET.decode()
    return found


def pixels(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)))


TEXT = PngInfo()
TEXT.add_text("Comment", SECRET.decode())


@pytest.mark.parametrize(
    ("form", "more"),
    [
        ("JPEG", {"comment": SECRET, "exif": exif()}),
        ("JPEG", {"comment": SECRET, "progressive": True, "restart_marker_rows": 1}),
        ("PNG", {"pnginfo": TEXT, "exif": exif()}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_what_is_said_of_the_pixels_goes_and_they_stay(form: str, more: dict[str, object]) -> None:
    kind, plain = f"image/{form.lower()}", saved(form)
    assert stripped(plain, kind) == plain
    marked = saved(form, **more)
    left = stripped(marked + SECRET, kind)
    assert left is not None
    assert SECRET not in left
    assert (pixels(left) == pixels(marked)).all()
    for cut in range(0, len(marked), 97):
        assert stripped(marked[:cut], kind) is None


def test_what_would_look_different_is_refused() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for form in ("JPEG", "PNG", "WEBP"):
        assert stripped(saved(form, icc_profile=profile), f"image/{form.lower()}") is None
    assert stripped(saved("JPEG", image().convert("CMYK")), "image/jpeg") is None
    moving = saved("PNG", save_all=True, append_images=[image().rotate(180)])
    assert stripped(moving, "image/png") is None
    assert stripped(saved("WEBP", exif=exif()), "image/webp") is None
    assert stripped(saved("TIFF"), "image/tiff") is None
    assert lossless_webp(saved("WEBP", lossless=True, exif=exif()))
    assert not lossless_webp(saved("WEBP", exif=exif()))


def test_a_profile_that_says_nothing_goes_too() -> None:
    """With it goes what counts only where there is none."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert stripped(saved("JPEG", icc_profile=profile), "image/jpeg", srgb=True) == saved("JPEG")
    plain = saved("PNG")
    gamma = (b"gAMA", (12_345).to_bytes(4))
    chunk = b"".join(((4).to_bytes(4), *gamma, zlib.crc32(b"".join(gamma)).to_bytes(4)))
    marked = saved("PNG", icc_profile=profile)
    marked = marked[:33] + chunk + marked[33:]  # behind the header
    assert stripped(marked, "image/png", srgb=True) == plain
    assert stripped(plain[:33] + chunk + plain[33:], "image/png") == plain[:33] + chunk + plain[33:]
