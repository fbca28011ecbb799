"""A thumbnail is small, upright, sRGB, without metadata; bad input is refused in the one way."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from tests import media_factory as make

from mediamill.core.errors import BrokenMedia, InvalidInput, LimitExceeded, UnsupportedMedia
from mediamill.operations.base import Context, Outcome
from mediamill.operations.thumbnail import Thumbnail, plugin


def thumbnail(path: Path, scratch: Path, **parameters: Any) -> Outcome:
    folder = scratch / f"out-{len(list(scratch.iterdir()))}"
    folder.mkdir()
    return Thumbnail(**parameters).run(make.source(path), Context(folder, threads=2))


def picture(path: Path, scratch: Path, **parameters: Any) -> Image.Image:
    (file,) = thumbnail(path, scratch, **parameters).files
    return Image.open(io.BytesIO(file.path.read_bytes()))


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def corners(path: Path, form: str, **options: Any) -> Path:
    """Write an image whose top left is red, top right green, bottom left blue."""
    pixels = np.full((200, 400, 3), 255, np.uint8)
    pixels[:100, :200], pixels[:100, 200:], pixels[100:, :200] = (
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
    )
    return saved(path, Image.fromarray(pixels), format=form, **options)


def test_it_is_a_plugin():
    assert plugin is Thumbnail


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_every_format_gives_its_colours(tmp_path: Path, form: str):
    small = picture(corners(tmp_path / "a", form), tmp_path, size=100).convert("RGB")
    assert small.size == (100, 50)
    for place, colour in (
        ((20, 10), (255, 0, 0)),
        ((80, 10), (0, 255, 0)),
        ((20, 40), (0, 0, 255)),
    ):
        assert np.abs(np.array(small.getpixel(place)) - colour).max() < 30


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_and_gone(tmp_path: Path, form: str, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = corners(tmp_path / "a", form, exif=exif)
    from PIL import ImageOps

    with Image.open(path) as stored:
        expected = ImageOps.exif_transpose(stored).convert("RGB").resize((40, 40))
    small = picture(path, tmp_path, size=100)
    assert not small.getexif()
    ours = small.convert("RGB").resize((40, 40))
    assert np.abs(np.array(ours).astype(int) - np.array(expected)).mean() < 8


REAL = (
    *("iphone.heic", "orientation-6.jpg", "orientation-8.jpg", "scan.tiff", "gps-nikon.jpg"),
    *("phone-iphone.jpg", "phone-jolla.jpg", "car-detection.mp4", "bottle-detection.mp4"),
    "milk.mkv",
)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("form", ["jpeg", "webp", "png"])
def test_real_samples_give_clean_thumbnails(tmp_path: Path, name: str, form: str):
    (file,) = thumbnail(make.sample(name), tmp_path, format=form).files
    data = file.path.read_bytes()
    small = Image.open(io.BytesIO(data))
    assert small.format == form.upper()
    assert max(small.size) <= 300
    assert not small.getexif()
    assert not {"exif", "xmp", "icc_profile", "comment"} & set(small.info)
    for mark in (b"Exif", b"http://ns.adobe", b"GPS", b"Photoshop", b"ICC_PROFILE"):
        assert mark not in data
    assert file.name.startswith(Path(name).stem)
    assert np.array(small.convert("L")).std() > 5


def test_transparency_is_kept_where_it_can_be(tmp_path: Path):
    clear = Image.new("RGBA", (400, 400), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 200, 400))
    path = saved(tmp_path / "a.png", clear)
    for form in ("png", "webp"):
        small = picture(path, tmp_path, format=form, size=100)
        assert small.mode == "RGBA"
        assert small.getpixel((90, 50))[3] == 0
    flat = picture(path, tmp_path, size=100)
    assert min(flat.getpixel((90, 50))) > 250
    assert flat.getpixel((10, 50))[2] > 240


def test_palette_transparency_counts(tmp_path: Path):
    image = Image.new("P", (40, 40), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    path = saved(tmp_path / "a.gif", image, transparency=0)
    assert picture(path, tmp_path, format="png").getpixel((5, 5))[3] == 0


def test_sixteen_bit_grey_keeps_its_tones(tmp_path: Path):
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (64, 1))
    for name in ("a.png", "a.tiff"):
        small = picture(saved(tmp_path / name, Image.fromarray(ramp)), tmp_path, format="png")
        row = np.array(small.convert("L"))[32].astype(int)
        assert np.abs(row - np.arange(256)).max() <= 2


def test_a_profile_is_converted_to_srgb(tmp_path: Path):
    profile = ImageCms.createProfile("LAB")
    lab = Image.new("LAB", (64, 64), (160, 200, 60))
    path = saved(
        tmp_path / "lab.tiff", lab, icc_profile=ImageCms.ImageCmsProfile(profile).tobytes()
    )
    expected = ImageCms.profileToProfile(
        lab, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    small = picture(path, tmp_path, format="png")
    assert np.abs(np.array(small).astype(int) - np.array(expected)).max() <= 2


def test_a_wide_gamut_photo_changes(tmp_path: Path):
    """The iPhone's picture is in Display P3: reading it as sRGB gives duller colours."""
    ours = np.array(picture(make.sample("iphone.heic"), tmp_path, format="png").convert("RGB"))
    stored = Image.open(make.sample("iphone.heic"))
    assert stored.info.get("icc_profile")
    naive = np.array(stored.convert("RGB").resize(ours.shape[1::-1], Image.Resampling.BOX))
    spread = [np.ptp(each.astype(int), axis=2).mean() for each in (ours, naive)]
    assert spread[0] > spread[1]


def test_shrinking_while_decoding_is_not_seen(tmp_path: Path):
    path = make.sample("phone-nokia.jpg")
    with Image.open(path) as stored:
        from PIL import ImageOps

        whole = ImageOps.exif_transpose(stored).convert("RGB")
    small = picture(path, tmp_path, format="png", size=250)
    reference = np.array(whole.resize(small.size, Image.Resampling.BOX)).astype(int)
    error = np.mean((np.array(small) - reference) ** 2)
    assert 10 * np.log10(255**2 / error) > 32


def test_small_images_are_not_enlarged(tmp_path: Path):
    assert picture(saved(tmp_path / "a.png", Image.new("RGB", (7, 3))), tmp_path).size == (7, 3)


def test_thin_images_keep_a_pixel(tmp_path: Path):
    assert picture(saved(tmp_path / "a.png", Image.new("RGB", (9000, 2))), tmp_path).size == (
        300,
        1,
    )


def test_cmyk_is_shown(tmp_path: Path):
    path = saved(tmp_path / "a.jpg", Image.new("CMYK", (60, 60), (0, 255, 255, 0)))
    red, green, blue = picture(path, tmp_path, format="png").getpixel((30, 30))
    assert red > 200
    assert max(green, blue) < 60


def test_a_video_with_long_samples_gets_its_proportions(tmp_path: Path):
    path = make.clip(tmp_path / "a.mp4", "-aspect", "4:3", seconds=0.5, size="352x288")
    width, height = picture(path, tmp_path, size=200).size
    assert width / height == pytest.approx(4 / 3, abs=0.02)


def test_a_turned_video_is_upright(tmp_path: Path):
    width, height = picture(make.rotated(tmp_path / "a.mp4"), tmp_path).size
    assert height > width


def test_a_dark_beginning_is_not_chosen(tmp_path: Path):
    path = make.clip(tmp_path / "a.mp4", "-g", "15", filters="fade=in:0:60:color=black")
    assert np.array(picture(path, tmp_path).convert("L")).mean() > 60


def test_hostile_images_raise_invalid_input_only(tmp_path: Path):
    accepted = 0
    for path in make.hostile_images():
        try:
            accepted += len(thumbnail(path, tmp_path).files)
        except InvalidInput:
            continue
    assert accepted >= 10, "refusing everything is a failure too"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF"])
def test_random_damage_raises_invalid_input_only(tmp_path: Path, form: str):
    import pillow_heif

    pillow_heif.register_heif_opener()
    draw = np.random.default_rng(5)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif} if form not in {"GIF", "BMP"} else {}
    whole = corners(tmp_path / "whole", form, **options).read_bytes()
    for _ in range(150):
        data = bytearray(whole)
        for at in draw.integers(0, min(len(data), 600), 4):
            data[at] = draw.integers(0, 256)
        (tmp_path / "a").write_bytes(data[: draw.integers(20, len(data) + 1)])
        try:
            thumbnail(tmp_path / "a", tmp_path)
        except InvalidInput:
            continue


def test_the_clear_cases_have_clear_errors(tmp_path: Path):
    text = tmp_path / "a.jpg"
    text.write_text("<svg onload=alert(1)>")
    with pytest.raises(UnsupportedMedia):
        thumbnail(text, tmp_path)
    whole = corners(tmp_path / "b.jpg", "JPEG").read_bytes()
    text.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenMedia):
        thumbnail(text, tmp_path)
    large = saved(tmp_path / "c.png", Image.new("1", (51_000, 1000)))
    with pytest.raises(LimitExceeded):
        thumbnail(large, tmp_path)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path):
    for name in ("iphone.heic", "car-detection.mp4"):
        one, two = (thumbnail(make.sample(name), tmp_path).files[0].sha256 for _ in range(2))
        assert one == two
