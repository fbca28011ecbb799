"""Colours are those of FFmpeg's own PNG, whatever matrix, range, depth or sampling."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests import media_factory as make

from mediamill.media.video.colour import conversion
from mediamill.media.video.picture import FramePicture
from mediamill.media.video.reader import FrameReader
from mediamill.media.video.select import Span, every_frame

BT709 = "colorspace=bt709:primaries=bt709:trc=bt709"
TAGGED: dict[str, tuple[str, ...]] = {
    "untagged": (),
    "bt601": ("-colorspace", "smpte170m", "-color_primaries", "smpte170m"),
    "bt709": ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
    "bt709-full": ("-colorspace", "bt709", "-color_range", "pc"),
    "bt601-full": ("-colorspace", "bt470bg", "-color_range", "pc"),
    "bt2020": ("-colorspace", "bt2020nc"),
    "smpte240m": ("-colorspace", "smpte240m"),
}
FORMATS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")
SMOOTH = "gradients=s=322x182:d=1:r=5:n=6:seed=3:speed=0.02"


def made(path: Path, pixel_format: str, *tags: str) -> Path:
    """Write smooth colours, on which chroma siting and resampling weigh little."""
    graph = f"scale=out_color_matrix=bt601,format={pixel_format}"
    codec = ("-c:v", "libx264", "-qp", "4", "-threads", "1")
    make.run("-f", "lavfi", "-i", SMOOTH, "-vf", graph, *codec, *tags, path)
    return path


def first(path: Path) -> FramePicture:
    found = FrameReader(lambda: path.open("rb"), path.name)
    frames = found.frames(
        lambda timeline: every_frame(timeline, Span.between(timeline, None, None))[:1]
    )
    return FramePicture(next(iter(frames)))


def of_ffmpeg(path: Path) -> np.ndarray:
    flags = "scale=flags=bicubic+accurate_rnd+full_chroma_int"
    data = make.run("-i", path, "-vf", flags, "-frames:v", "1", "-f", "image2pipe", "-c:v", "png",
                    "-pix_fmt", "rgb24", "-")  # fmt: skip
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    error = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def opened(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("tags", TAGGED)
def test_colours_equal_ffmpegs_png(tmp_path: Path, tags: str, pixel_format: str):
    path = made(tmp_path / "a.mp4", pixel_format, *TAGGED[tags])
    picture, expected = first(path), of_ffmpeg(path)
    assert psnr(picture.array(), expected) > 46
    assert psnr(opened(picture.encode("png")), expected) > 46
    assert psnr(opened(picture.encode("jpeg", 98)), expected) > 40


@pytest.mark.parametrize("matrix", [1, 4, 7, 9])
def test_conversion_leads_through_rgb(matrix: int):
    how = conversion(matrix, full=True)
    weights = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
    red, blue = weights[matrix]
    y, cb, cr = 0.4, 0.1, -0.2
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    g = (y - red * r - blue * b) / (1 - red - blue)
    expected = 0.299 * r + 0.587 * g + 0.114 * b
    assert y + how.a * cb + how.b * cr == pytest.approx(expected)
    assert how.c * cb + how.d * cr == pytest.approx((b - expected) / 1.772)
    assert how.e * cb + how.f * cr == pytest.approx((r - expected) / 1.402)


def test_bt601_full_range_planes_are_not_touched():
    assert conversion(6, full=True).identity
    assert not conversion(6, full=False).identity
    assert not conversion(1, full=True).identity


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_video_is_upright(tmp_path: Path, degrees: int):
    path = make.rotated(tmp_path / "turned.mp4", degrees)
    picture, expected = first(path), of_ffmpeg(path)
    assert (picture.width, picture.height) == (expected.shape[1], expected.shape[0])
    # Noise is upsampled before or after turning, which costs 28 dB; a wrong turn gives 10.
    assert psnr(picture.array(), expected) > 25
    assert psnr(opened(picture.encode("jpeg", 95)), expected) > 25


def test_fitting_keeps_proportions_and_never_enlarges(tmp_path: Path):
    picture = first(make.rotated(tmp_path / "turned.mp4"))
    small = picture.fit(90, None)
    assert (small.width, small.height) == (90, 160)
    assert opened(small.encode("jpeg")).shape == (160, 90, 3)
    assert small.array().shape == (160, 90, 3)
    assert picture.fit(4000, 4000).width == picture.width


@pytest.mark.parametrize("size", ["33x17", "35x19", "2x2", "1x1"])
def test_odd_sizes_keep_every_pixel(tmp_path: Path, size: str):
    crop = f"format=yuv444p,crop={size.replace('x', ':')}:exact=1"
    codec = ("-c:v", "ffv1", "-pix_fmt", "yuv420p")
    path = make.clip(tmp_path / "odd.mkv", size="64x64", seconds=0.2, filters=crop, codec=codec)
    picture = first(path)
    assert f"{picture.width}x{picture.height}" == size
    assert opened(picture.encode("jpeg")).shape[:2] == (picture.height, picture.width)
