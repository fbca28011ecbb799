"""What leaves the house: JPEG, upright, sRGB, bounded, and nothing in it but pixels."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps
from tests import media_factory as make

from mediamill.core.errors import BrokenMedia, InvalidInput, LimitExceeded, UnsupportedMedia
from mediamill.media.image.codecs.jpeg import decode_rgb
from mediamill.operations.base import Context, Output
from mediamill.operations.sending import limits, pictured, sendable
from mediamill.operations.work import SourceFacts

SAMPLES = (
    *("iphone.heic", "orientation-6.jpg", "orientation-8.jpg", "scan.tiff", "gps-nikon.jpg"),
    *("phone-iphone.jpg", "phone-jolla.jpg", "phone-nokia.jpg"),
)
MARKS = (b"Exif", b"http://ns.adobe", b"GPS", b"Photoshop", b"ICC_PROFILE", b"MPF\0")


def sent(path: Path, scratch: Path, **agreed: Any) -> Output:
    folder = scratch / f"out-{len(list(scratch.iterdir()))}"
    folder.mkdir()
    return sendable(make.source(path), Context(folder, agreed=agreed or None))


def shown(file: Output) -> Image.Image:
    image = Image.open(io.BytesIO(file.path.read_bytes()))
    assert image.format == "JPEG"
    assert image.size == (file.info["width"], file.info["height"])
    return image


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def scene(width: int = 640, height: int = 480) -> Image.Image:
    """A picture with soft colours and some grain, as photos have."""
    draw = np.random.default_rng(3)
    small = Image.fromarray(draw.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    pixels = np.array(small.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return Image.fromarray(
        np.clip(pixels + draw.integers(-4, 5, pixels.shape), 0, 255).astype("u1")
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_real_photos_are_sent_small_and_clean(tmp_path: Path, name: str):
    file = sent(make.sample(name), tmp_path, long_side=512, image_bytes=100_000)
    data = file.path.read_bytes()
    image = shown(file)
    assert max(image.size) == (512 if name != "scan.tiff" else 174)
    assert len(data) <= 100_000
    assert not image.getexif()
    assert not {"exif", "xmp", "icc_profile", "comment", "photoshop", "mp"} & set(image.info)
    assert not any(mark in data for mark in MARKS)
    assert data.endswith(b"\xff\xd9")
    assert data.count(b"\xff\xd8\xff") == 1, "no other picture, such as a thumbnail, is in it"


@pytest.mark.parametrize("orientation", [2, 3, 5, 6, 8])
def test_it_is_sent_upright(tmp_path: Path, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.jpg", scene(), exif=exif, quality=95)
    with Image.open(path) as stored:
        expected = np.array(ImageOps.exif_transpose(stored).convert("RGB")).astype(int)
    ours = np.array(shown(sent(path, tmp_path)).convert("RGB")).astype(int)
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).mean() < 4


def test_a_jpeg_that_is_right_keeps_its_pixels(tmp_path: Path):
    exif = Image.Exif()
    exif[0x010E] = "Anna at home, 48.1 N"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = {"exif": exif, "comment": b"private", "icc_profile": srgb, "quality": 85}
    for form in ({}, {"progressive": True}):
        path = saved(tmp_path / "a.jpg", scene(), **more, **form)
        path.write_bytes(path.read_bytes() + b"and a film behind it")
        file = sent(path, tmp_path)
        assert np.array_equal(np.array(shown(file)), np.array(Image.open(path)))
        data = file.path.read_bytes()
        assert not any(word in data for word in (b"Anna", b"private", b"ICC_PROFILE", b"film"))


def test_a_jpeg_that_wastes_bytes_is_encoded_anew(tmp_path: Path):
    noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    path = saved(tmp_path / "a.jpg", Image.fromarray(noise), quality=100, subsampling=0)
    assert sent(path, tmp_path).size < path.stat().st_size / 2


def test_a_jpeg_that_others_cannot_read_is_encoded_anew(tmp_path: Path):
    """CMYK, and frames that are coded arithmetically; what decodes them all the same is sent."""
    path = saved(tmp_path / "a.jpg", Image.new("CMYK", (60, 60), (0, 255, 255, 0)))
    image = shown(sent(path, tmp_path))
    assert image.mode == "RGB"
    red, green, blue = image.getpixel((30, 30))
    assert red > 200
    assert max(green, blue) < 60


def test_damage_is_found_before_anybody_is_asked(tmp_path: Path):
    whole = saved(tmp_path / "a.jpg", scene(), quality=85).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenMedia):
        sent(tmp_path / "cut.jpg", tmp_path)
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    made = sent(tmp_path / "cut.jpg", tmp_path).path.read_bytes()
    assert decode_rgb(made) is not None, "what is there is shown, in a picture that is whole"
    (tmp_path / "text.jpg").write_text("<svg onload=alert(1)>")
    with pytest.raises(UnsupportedMedia):
        sent(tmp_path / "text.jpg", tmp_path)
    with pytest.raises(LimitExceeded):
        sent(saved(tmp_path / "large.png", Image.new("1", (51_000, 1000))), tmp_path)


def test_transparency_is_shown_on_white(tmp_path: Path):
    clear = Image.new("RGBA", (100, 100), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 50, 100))
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    for path in (
        saved(tmp_path / "a.png", clear),
        saved(tmp_path / "a.webp", clear, lossless=True),
        saved(tmp_path / "a.gif", palette, transparency=0),
    ):
        image = shown(sent(path, tmp_path)).convert("RGB")
        assert min(image.getpixel((image.width - 5, 20))) > 240


def test_of_an_animation_the_first_frame_is_sent(tmp_path: Path):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
    for name in ("a.gif", "a.png", "a.webp"):
        more: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 100}
        image = shown(sent(saved(tmp_path / name, frames[0], **more), tmp_path))
        assert image.getpixel((20, 15))[0] > 240


def test_sixteen_bits_become_eight(tmp_path: Path):
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (64, 1))
    for name in ("a.png", "a.tiff"):
        image = shown(sent(saved(tmp_path / name, Image.fromarray(ramp)), tmp_path))
        row = np.array(image.convert("L"))[32].astype(int)
        assert np.abs(row - np.arange(256)).max() <= 4


def test_a_wide_gamut_is_converted(tmp_path: Path):
    """Display P3 that was read as sRGB would be duller."""
    ours = np.array(shown(sent(make.sample("iphone.heic"), tmp_path, long_side=300)))
    stored = Image.open(make.sample("iphone.heic"))
    naive = np.array(stored.convert("RGB").resize(ours.shape[1::-1], Image.Resampling.BOX))
    spread = [np.ptp(each.astype(int), axis=2).mean() for each in (ours, naive)]
    assert spread[0] > spread[1]


@pytest.mark.parametrize("most", [200_000, 30_000, 4_000])
def test_bytes_are_kept_to_whatever_the_picture(tmp_path: Path, most: int):
    noise = np.random.default_rng(1).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    for name in ("a.png", "a.jpg"):
        path = saved(tmp_path / name, Image.fromarray(noise))
        file = sent(path, tmp_path, image_bytes=most)
        assert file.size <= most
        assert shown(file).width > 30


def test_what_no_size_makes_small_enough_is_refused(tmp_path: Path):
    with pytest.raises(LimitExceeded):
        sent(saved(tmp_path / "a.png", scene()), tmp_path, image_bytes=100)


def test_nothing_is_enlarged_and_nobody_is_sent_more_than_2048_pixels(tmp_path: Path):
    assert shown(sent(saved(tmp_path / "a.png", Image.new("RGB", (7, 3))), tmp_path)).size == (7, 3)
    wide = saved(tmp_path / "b.png", Image.new("RGB", (9_000, 2)))
    assert shown(sent(wide, tmp_path, long_side=8_000)).size == (2048, 1)
    assert limits(Context(tmp_path)) == (2048, 3_750_000)
    image = pictured(SourceFacts("image/jpeg", 1, 4_096, 1_024))
    assert (image.width, image.height) == (2048, 512)


def test_hostile_images_raise_invalid_input_only(tmp_path: Path):
    accepted = 0
    for path in make.hostile_images():
        try:
            file = sent(path, tmp_path)
        except InvalidInput:
            continue
        with Image.open(file.path) as image:
            image.load()
        accepted += 1
    assert accepted >= 10, "refusing everything is a failure too"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_random_damage_raises_invalid_input_only(tmp_path: Path, form: str):
    """What a picture of ours becomes is one that everybody reads."""
    draw = np.random.default_rng(5)
    whole = saved(tmp_path / "whole", scene(200, 120), format=form).read_bytes()
    for _ in range(100):
        data = bytearray(whole)
        for at in draw.integers(0, len(data), 4):
            data[at] = draw.integers(0, 256)
        (tmp_path / "a").write_bytes(data[: draw.integers(20, len(data) + 1)])
        try:
            file = sent(tmp_path / "a", tmp_path)
        except InvalidInput:
            continue
        with Image.open(file.path) as image:
            image.load()
