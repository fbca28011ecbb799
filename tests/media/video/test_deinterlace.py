"""Combs go where something moves, and nothing changes where nothing does."""

from pathlib import Path

import numpy as np
import pytest
from tests import media_factory as make
from tests import video_factory as hard

from mediamill.media.video.deinterlace import progressive
from mediamill.media.video.picture import FramePicture
from mediamill.media.video.reader import Frame, FrameReader

WIDTH, HEIGHT = 320, 180
FIELDS = ("-vf", "interlace=lowpass=off:scan=tff")
X264 = ("-c:v", "libx264", "-qp", "6", "-x264-params", "tff=1", "-pix_fmt", "yuv420p")
DEEP = ("-c:v", "libx264", "-qp", "16", "-x264-params", "tff=1", "-pix_fmt", "yuv422p10le")
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ildct+ilme", "-top", "1")


def frames(path: Path) -> list[Frame]:
    found = FrameReader(lambda: path.open("rb"), path.name)
    return list(found.frames(lambda timeline: list(range(len(timeline)))))


def luma(path: Path, graph: str) -> np.ndarray:
    data = make.run("-i", path, "-vf", f"{graph},format=yuv420p,extractplanes=y", "-vsync",
                    "passthrough", "-f", "rawvideo", "-")  # fmt: skip
    return np.frombuffer(data, np.uint8).reshape(-1, HEIGHT, WIDTH)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def interlaced(
    tmp_path: Path, views: list[np.ndarray], codec: tuple[str, ...]
) -> tuple[Path, Path]:
    """Write 50 pictures a second, and the 25 interlaced frames that a camera makes of them."""
    whole = hard.drawn(tmp_path / "p.mkv", views, "-c:v", "ffv1", "-pix_fmt", "yuv420p", rate=50)
    path = tmp_path / ("i.mpg" if codec is MPEG2 else "i.mkv")
    make.run("-i", whole, *FIELDS, *codec, path)
    return whole, path


@pytest.mark.parametrize("codec", [X264, DEEP, MPEG2], ids=["h264", "422-10", "mpeg2"])
def test_movement_loses_its_combs(tmp_path: Path, codec: tuple[str, ...]):
    """As well as FFmpeg's yadif, which looks at the frames around."""
    whole, path = interlaced(tmp_path, hard.panned(1, 24, 12), codec)
    truth, woven, theirs = luma(whole, "null")[::2], luma(path, "null"), luma(path, "yadif=0:0")
    for n in (4, 9):
        frame = frames(path)[n]
        assert frame.pixels.interlaced_frame
        ours = psnr(luma_of(frame), truth[n])
        assert ours > psnr(woven[n], truth[n]) + 5
        assert ours > psnr(theirs[n], truth[n]) - 2


def luma_of(frame: Frame) -> np.ndarray:
    pixels = progressive(frame.pixels)
    plane = np.frombuffer(pixels.planes[0], "<u2" if "10" in pixels.format.name else np.uint8)
    rows = plane.reshape(pixels.height, -1)[:, : pixels.width]
    return (rows >> 2).astype(np.uint8) if plane.dtype.itemsize > 1 else rows


def test_what_stands_still_is_not_touched(tmp_path: Path):
    _, path = interlaced(tmp_path, [hard.scenery(1)[:180, :320]] * 10, X264)
    for frame in frames(path):
        assert frame.pixels.interlaced_frame
        assert progressive(frame.pixels) is frame.pixels


def test_progressive_frames_are_not_looked_at(tmp_path: Path):
    views = hard.panned(1, 4, 6)
    path = hard.drawn(tmp_path / "a.mkv", views, "-c:v", "libx264", "-pix_fmt", "yuv420p")
    for frame in frames(path):
        assert progressive(frame.pixels) is frame.pixels


def test_it_can_be_left_out(tmp_path: Path):
    _, path = interlaced(tmp_path, hard.panned(1, 20, 6), X264)
    frame = frames(path)[5]
    woven, clean = (FramePicture(frame, deinterlace=flag) for flag in (False, True))
    rows = woven.array()[40:140].astype(int)
    assert (
        np.abs(np.diff(rows, axis=0)).mean()
        > 1.3 * np.abs(np.diff(clean.array()[40:140].astype(int), axis=0)).mean()
    )
    assert clean.encode("jpeg") != woven.encode("jpeg")
    assert clean.fit(100, 100).array().shape[1] == 100
