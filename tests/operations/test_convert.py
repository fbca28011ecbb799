"""convert gives the same picture in another format, and nothing of its metadata."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin
from tests import media_factory as make

from mediamill.core.errors import BrokenMedia, InvalidInput, UnsupportedMedia
from mediamill.operations.base import Context, Outcome, SourceFacts
from mediamill.operations.catalogue import OPERATIONS
from mediamill.operations.convert import Convert, plugin

PLANTED = (b"PLANTED-COMMENT", b"PLANTED-XMP", b"PLANTED-MODEL", b"PLANTED-TEXT")
MARKS = (*PLANTED, b"Exif", b"http://ns.adobe", b"GPS", b"Photoshop", b"ICC_PROFILE", b"iCCP")


def converted(path: Path, scratch: Path, **parameters: Any) -> Outcome:
    folder = scratch / f"out-{len([*scratch.iterdir()])}"
    folder.mkdir()
    return Convert(**parameters).run(make.source(path), Context(folder))


def opened(path: Path, scratch: Path, **parameters: Any) -> Image.Image:
    (file,) = converted(path, scratch, **parameters).files
    return Image.open(io.BytesIO(file.path.read_bytes()))


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def psnr(one: Image.Image, other: Image.Image) -> float:
    first, second = (np.array(image.convert("RGB")).astype(float) for image in (one, other))
    error = np.mean((first - second) ** 2)
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def in_srgb(image: Image.Image) -> Image.Image:
    """Return the colours that Pillow's own colour management gives."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image.convert("RGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))


def smooth(width: int = 240, height: int = 160) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = (np.sin(x * 9) + 1) / 2, (np.cos(y * 7) + 1) / 2, x * y
    return np.rint(np.stack(waves, axis=2) * 255).astype(np.uint8)


def test_it_is_a_plugin():
    assert plugin is Convert
    assert OPERATIONS.get("convert") is Convert


@pytest.mark.parametrize("to", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_every_format_into_every_other(tmp_path: Path, form: str, to: str):
    path = saved(tmp_path / f"waves.{form}", Image.fromarray(smooth()), format=form)
    (file,) = converted(path, tmp_path, format=to).files
    made = Image.open(file.path)
    assert made.format == to.upper()
    assert file.media_type == f"image/{to}"
    assert file.name == f"waves.{'jpg' if to == 'jpeg' else to}"
    assert file.info == {"width": 240, "height": 160}
    with Image.open(path) as stored:
        least = 60 if to == "png" else 30 if form == "GIF" else 36  # dither is noise
        assert psnr(made, stored.convert("RGB")) > least


@pytest.mark.parametrize("name", ["phone-jolla.jpg", "orientation-6.jpg", "iphone.heic"])
def test_real_photos_fit_inside(tmp_path: Path, name: str):
    made = opened(make.sample(name), tmp_path, format="png", width=300, height=300)
    assert max(made.size) == 300
    if name.endswith("jpg"):
        with Image.open(make.sample(name)) as stored:
            whole = in_srgb(ImageOps.exif_transpose(stored))
        assert psnr(made, whole.resize(made.size, Image.Resampling.BOX)) > 33


SAMPLES = ("gps-nikon.jpg", "phone-iphone.jpg", "iphone.heic", "scan.tiff", "orientation-8.jpg")


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("to", [None, "avif"])
def test_real_samples_lose_their_metadata(tmp_path: Path, name: str, to: str | None):
    (file,) = converted(make.sample(name), tmp_path, format=to, width=500).files
    clean(file.path.read_bytes())


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
@pytest.mark.parametrize("to", [None, "jpeg", "png", "webp", "avif"])
def test_planted_metadata_is_gone(tmp_path: Path, form: str, to: str | None):
    path = planted(tmp_path / "a", form)
    assert any(mark in path.read_bytes() for mark in PLANTED)
    (file,) = converted(path, tmp_path, format=to).files
    clean(file.path.read_bytes())


def planted(path: Path, form: str) -> Path:
    exif = Image.Exif()
    exif[0x0110] = "PLANTED-MODEL"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 1.0), 3: "E", 4: (11.0, 34.0, 1.0)})
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "PLANTED-TEXT")
    options: dict[str, Any] = {
        "JPEG": {"exif": exif, "comment": b"PLANTED-COMMENT", "xmp": b"<x>PLANTED-XMP</x>"},
        "PNG": {"exif": exif, "pnginfo": text},
        "WEBP": {"exif": exif, "xmp": b"<x>PLANTED-XMP</x>"},
        "TIFF": {"exif": exif},
        "GIF": {"comment": b"PLANTED-COMMENT"},
    }[form]
    return saved(path, Image.fromarray(smooth()), format=form, **options)


def clean(data: bytes) -> None:
    made = Image.open(io.BytesIO(data))
    made.load()
    assert not made.getexif()
    assert not {"exif", "xmp", "icc_profile", "comment", "Comment", "XML:com.adobe.xmp"} & set(
        made.info
    )
    for mark in MARKS:
        assert mark not in data


@pytest.mark.parametrize(
    ("name", "mode", "expected"),
    [
        ("a.jpg", "RGB", "JPEG"),
        ("a.png", "RGBA", "PNG"),
        ("a.webp", "RGBA", "WEBP"),
        ("a.bmp", "RGB", "JPEG"),
        ("a.tiff", "RGBA", "PNG"),
        ("a.gif", "RGB", "JPEG"),
        ("a.avif", "RGB", "JPEG"),
    ],
)
def test_without_a_format_it_stays_what_it_is(tmp_path: Path, name: str, mode: str, expected: str):
    path = saved(tmp_path / name, Image.fromarray(smooth()).convert(mode))
    assert opened(path, tmp_path, width=50).format == expected


def test_transparency(tmp_path: Path):
    image = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 20, 40))
    path = saved(tmp_path / "a.png", image)
    for to in ("png", "webp", "avif"):
        kept = opened(path, tmp_path, format=to)
        assert kept.mode == "RGBA"
        assert kept.getpixel((35, 20))[3] == 0
        flat = opened(path, tmp_path, format=to, background="#00ff00")
        assert flat.mode == "RGB"
        assert psnr(flat.crop((25, 5, 38, 35)), Image.new("RGB", (13, 30), "#00ff00")) > 30
    assert min(opened(path, tmp_path, format="jpeg").getpixel((35, 20))) > 250
    green = opened(path, tmp_path, format="jpeg", background="#00ff00").getpixel((35, 20))
    assert green[1] > 240 > 20 > max(green[0], green[2])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK", "F"])
def test_every_kind_of_pixels(tmp_path: Path, mode: str):
    grey = Image.fromarray(smooth()).convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.array(grey).astype(np.uint16) * 257)
    elif mode == "CMYK":
        image = Image.fromarray(smooth()).convert("CMYK")
    else:
        image = grey.convert(mode)
    form = "PNG" if mode in {"1", "L", "LA", "P", "I;16"} else "TIFF"
    made = opened(saved(tmp_path / "a", image, format=form), tmp_path, format="png")
    assert made.mode in {"RGB", "RGBA"}
    reference = image.convert("RGB") if mode in {"CMYK", "1"} else grey.convert("RGB")
    assert psnr(made, reference) > 40


def test_the_first_frame_of_an_animation(tmp_path: Path):
    first, second = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    path = saved(tmp_path / "a.gif", first, save_all=True, append_images=[second])
    made = opened(path, tmp_path, format="png")
    assert getattr(made, "n_frames", 1) == 1
    assert made.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


def test_it_is_turned_upright_and_never_enlarged(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.jpg", Image.fromarray(smooth()), exif=exif, quality=95)
    made = opened(path, tmp_path, width=9999)
    assert made.size == (160, 240)
    with Image.open(path) as stored:
        assert psnr(made, ImageOps.exif_transpose(stored)) > 36


def test_quality_and_lossless(tmp_path: Path):
    noise = np.random.default_rng(3).integers(0, 255, (80, 80, 3), np.uint8)
    path = saved(tmp_path / "a.png", Image.fromarray(noise))
    for to in ("jpeg", "webp", "avif"):
        sizes = [
            converted(path, tmp_path, format=to, quality=quality).files[0].size
            for quality in (10, 60, 95)
        ]
        assert sizes == sorted(set(sizes))
    exact = opened(path, tmp_path, format="webp", lossless=True)
    assert np.array_equal(np.array(exact), noise)


@pytest.mark.parametrize(
    "wrong",
    [
        {"quality": 50},
        {"format": "png", "quality": 50},
        {"format": "jpeg", "lossless": True},
        {"format": "gif"},
        {"background": "red"},
        {"width": 0},
        {"quality": 0, "format": "jpeg"},
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong: dict[str, Any]):
    with pytest.raises(InvalidInput):
        OPERATIONS.build("convert", wrong)


def test_what_is_no_image_is_refused(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"no image at all")
    with pytest.raises(UnsupportedMedia):
        converted(tmp_path / "a.png", tmp_path)
    (tmp_path / "b.png").write_bytes(
        saved(tmp_path / "c.png", Image.new("L", (90, 90))).read_bytes()[:60]
    )
    with pytest.raises(BrokenMedia):
        converted(tmp_path / "b.png", tmp_path)


def test_cost_grows_with_pixels_and_with_the_format():
    small = SourceFacts("image/jpeg", 1, 100, 100)
    large = SourceFacts("image/jpeg", 1, 4000, 3000)
    assert Convert().cost(small) < Convert().cost(large)
    assert Convert(format="avif").cost(large) > Convert(format="jpeg").cost(large)
    assert Convert(format="avif", width=100).cost(large) < Convert(format="avif").cost(large)


def test_sixteen_bits_stay_in_png_and_are_rounded_elsewhere(tmp_path: Path):
    pixels = np.rint(smooth().astype(float) * 257 + 100).clip(0, 65535).astype(np.uint16)
    for name in ("a.png", "a.tiff"):
        (tmp_path / name).write_bytes(
            cv2.imencode(Path(name).suffix, pixels[:, :, ::-1])[1].tobytes()
        )
        for to in ("png", None):
            (file,) = converted(tmp_path / name, tmp_path, format=to).files
            found = cv2.imdecode(
                np.frombuffer(file.path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED
            )
            assert np.array_equal(found[:, :, ::-1], pixels), (name, to)
        made = opened(tmp_path / name, tmp_path, format="jpeg")
        assert psnr(made, Image.fromarray(smooth())) > 36
