"""HDR and wide gamut look as FFmpeg's zscale and tonemap make them: ΔE2000 of 1 in the mean."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests import media_factory as make
from tests import video_factory as hard

from mediamill.media.video.grade import DEFAULT_PEAK, is_hdr
from mediamill.media.video.picture import FramePicture
from mediamill.media.video.reader import Frame, FrameReader

MEAN, P95 = 0.6, 1.0
"""What docs/reference/operations.md states, in ΔE2000; measured are 0.25 and 0.4."""
DISPLAY = ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L({},50)"
CLIPS = {
    "hlg": ("arib-std-b67", "", 10.0),
    "pq": ("smpte2084", "", 10.0),
    "pq-4000": ("smpte2084", DISPLAY.format(10000000) + ":max-cll=4000,400", 40.0),
    "pq-600": ("smpte2084", DISPLAY.format(6000000), 6.0),
}
TO_SRGB = "zscale=t=iec61966-2-1:m=gbr:r=full,format=gbrp"
HDR = (
    "zscale=t=linear:npl=100:agamma=0,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
    + TO_SRGB
)
"""`agamma=0` has HLG's gamma work on luminance, as BT.2100 says, and not on each channel."""


def first(path: Path) -> Frame:
    found = FrameReader(lambda: path.open("rb"), path.name)
    return next(iter(found.frames(lambda timeline: [0])))


def of_ffmpeg(path: Path, graph: str) -> np.ndarray:
    size = first(path).pixels
    data = make.run("-i", path, "-vf", graph, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt",
                    "rgb24", "-")  # fmt: skip
    return np.frombuffer(data, np.uint8).reshape(size.height, size.width, 3)


def lab(pixels: np.ndarray) -> list[np.ndarray]:
    planes = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2Lab).astype(np.float64)
    return list(np.moveaxis(planes, -1, 0))


def delta_e(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """CIEDE2000 (Sharma, Wu, Dalal 2005, equations 2 to 22) of two pictures, pixel by pixel."""
    (l1, a1, b1), (l2, a2, b2) = lab(one), lab(other)
    mean_c = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    apart = np.where(c1 * c2 == 0, 0, (h2 - h1 + 180) % 360 - 180)
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(apart / 2))
    mean_h = np.where(c1 * c2 == 0, h1 + h2, (h1 + apart / 2) % 360)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    t = np.ones_like(mean_h)
    for weight, times, shift in ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63)):
        t += weight * np.cos(np.radians(times * mean_h + shift))
    turn = 30 * np.exp(-(((mean_h - 275) / 25) ** 2))
    r = -np.sin(np.radians(2 * turn)) * 2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    sl = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    light, chroma = (l2 - l1) / sl, (c2 - c1) / (1 + 0.045 * mean_c)
    hue = dh / (1 + 0.015 * mean_c * t)
    return np.asarray(np.sqrt(light**2 + chroma**2 + hue**2 + r * chroma * hue))


def close(one: np.ndarray, other: np.ndarray) -> bool:
    apart = delta_e(one, other)
    return bool(apart.mean() < MEAN and np.percentile(apart, 95) < P95)


def test_the_measure_itself():
    """A pair of Sharma's table, made of sRGB: 8-bit neighbours are near, red and green far."""
    grey = np.full((1, 1, 3), 128, np.uint8)
    assert delta_e(grey, grey + np.uint8(1))[0, 0] == pytest.approx(0.37, abs=0.1)
    red, green = (np.array([[colour]], np.uint8) for colour in ([255, 0, 0], [0, 255, 0]))
    assert delta_e(red, green)[0, 0] == pytest.approx(86.6, abs=0.2)


@pytest.mark.parametrize("name", CLIPS)
def test_hdr_looks_as_ffmpeg_makes_it(tmp_path: Path, name: str):
    transfer, extra, peak = CLIPS[name]
    path = hard.hdr(tmp_path / f"{name}.mp4", transfer, extra=extra)
    frame, expected = first(path), of_ffmpeg(path, HDR)
    assert frame.peak == peak
    picture = FramePicture(frame)
    assert close(picture.array(), expected)
    jpeg = cv2.imdecode(np.frombuffer(picture.encode("jpeg", 98), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert delta_e(jpeg, expected).mean() < 2 * MEAN
    assert not close(of_ffmpeg(path, TO_SRGB.replace("t=iec61966-2-1:", "")), expected)


def test_the_metadata_is_that_of_the_whole_video(tmp_path: Path):
    """A part that begins in the middle is graded as in the whole run."""
    graph = hard.SMOOTH.replace("d=0.4", "d=4")
    options = CLIPS["pq-600"]
    path = hard.hdr(tmp_path / "a.mp4", options[0], extra=options[1] + ":keyint=4", graph=graph)
    found = FrameReader(lambda: path.open("rb"), path.name)
    whole = [FramePicture(frame).encode("png") for frame in found.frames(lambda t: [*range(20)])]
    again = FrameReader(lambda: path.open("rb"), path.name)
    parts = [FramePicture(frame).encode("png") for frame in again.frames(lambda t: [13, 17])]
    assert parts == [whole[13], whole[17]]


def test_small_frames_are_graded_too(tmp_path: Path):
    path = hard.hdr(tmp_path / "a.mp4", "arib-std-b67")
    small = FramePicture(first(path)).fit(160, 160)
    assert small.array().shape == (90, 160, 3)
    whole = cv2.resize(of_ffmpeg(path, HDR), (160, 90), interpolation=cv2.INTER_AREA)
    assert delta_e(small.array(), whole).mean() < 1


@pytest.mark.parametrize(("primaries", "theirs"), [("bt2020", "2020"), ("smpte432", "smpte432")])
def test_wide_gamut_is_brought_to_srgb(tmp_path: Path, primaries: str, theirs: str):
    tags = ("-color_primaries", primaries, "-colorspace", "bt709", "-color_trc", "bt709")
    path = make.clip(tmp_path / "a.mp4", *tags, seconds=0.1, size="640x360",
                     filters="gblur=8,scale=out_color_matrix=bt709,format=yuv444p",
                     codec=("-c:v", "libx264", "-qp", "2"))  # fmt: skip
    graph = (f"zscale=m=gbr:r=full,format=gbrpf32le,zscale=tin=iec61966-2-1:pin={theirs}:"
             f"t=linear:npl=100,zscale=p=bt709,{TO_SRGB}")  # fmt: skip
    picture = FramePicture(first(path)).array()
    assert close(picture, of_ffmpeg(path, graph))
    untouched = of_ffmpeg(path, "scale=in_color_matrix=bt709")
    assert delta_e(picture, untouched).mean() > 1
    grey = np.ptp(untouched.astype(int), axis=2) < 2
    assert np.abs(picture.astype(int) - untouched)[grey].max(initial=0) <= 3


def test_what_counts_as_hdr():
    assert [code for code in range(19) if is_hdr(code)] == [16, 18]
    assert DEFAULT_PEAK == 10
