"""Shots: every planted cut is found; what only moves, flashes or fades is none."""

from array import array
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from tests import media_factory as make
from tests import video_factory as hard

from mediamill.media.video.reader import FrameReader
from mediamill.media.video.scene import Shot, shots, signs
from mediamill.media.video.select import MIN_SHOT, THRESHOLD, Span, every_frame

View = np.ndarray


def found(path: Path, threshold: float = THRESHOLD, min_shot: float = MIN_SHOT) -> list[Shot]:
    reader = FrameReader(lambda: path.open("rb"), path.name, 2)
    timeline = reader.timeline
    frames = reader.frames(lambda t: every_frame(t, Span.between(t, None, None)))
    seen = signs((frame.pixels for frame in frames), timeline.duration / len(timeline))
    times = array("d", (timeline.time(n) for n in range(len(timeline))))
    return shots(seen, times, threshold, min_shot)


def starts(path: Path, *limits: float) -> list[int]:
    return [shot.first for shot in found(path, *limits)][1:]


def of_ffmpeg(path: Path, threshold: float) -> list[float]:
    """The frames that FFmpeg's own detector picks, in seconds."""
    graph = f"select='gt(scene,{threshold})'"
    text = make.run("-i", path, "-vf", graph, "-vsync", "passthrough", "-f", "framecrc", "-")
    lines = text.decode().splitlines()
    (base,) = (line.split(":")[1] for line in lines if line.startswith("#tb"))
    scale = int(base.partition("/")[0]) / int(base.partition("/")[2])
    return [int(line.split(",")[2]) * scale for line in lines if line[0] != "#"]


LENGTHS, SPEEDS = (40, 25, 60, 33, 12, 28, 30), (1, 5, 0, 3, 1, 8, 0.5)


def test_every_cut_is_found_and_no_other(tmp_path: Path):
    parts = zip(LENGTHS, SPEEDS, strict=True)
    views = [view for seed, (n, speed) in enumerate(parts) for view in hard.panned(seed, n, speed)]
    path = hard.drawn(tmp_path / "cuts.mp4", views)
    planted = list(accumulate(LENGTHS))[:-1]
    assert starts(path) == planted
    theirs = [round(time * 25) for time in of_ffmpeg(path, 0.3)]
    assert set(theirs) <= set(planted), "the clip does not mislead FFmpeg's detector either"
    for shot in found(path):
        assert shot.first <= shot.best < shot.last


def test_sources_without_texture(tmp_path: Path):
    """Flat colours, bars and test patterns: 0.8 s of each."""
    sources = ("color=red", "color=blue", "smptebars", "testsrc2", "color=black", "rgbtestsrc")
    graphs = [f"{s}{'=' if '=' not in s else ':'}s=320x180:r=25:d=0.8" for s in sources]
    inputs = [part for graph in graphs for part in ("-f", "lavfi", "-i", graph)]
    path = tmp_path / "flat.mp4"
    make.run(*inputs, "-filter_complex", f"concat=n={len(graphs)},format=yuv420p", *make.X264, path)
    assert starts(path) == [20, 40, 60, 80, 100]


def test_movement_is_no_cut(tmp_path: Path):
    slow = hard.drawn(tmp_path / "slow.mp4", hard.panned(1, 150, 2))
    fast = hard.drawn(tmp_path / "fast.mp4", hard.panned(2, 50, 12))
    draw = np.random.default_rng(3)
    scene = hard.scenery(4)
    places = draw.integers(0, 30, (80, 2))
    shaken = hard.drawn(tmp_path / "shaken.mp4", [scene[y:][:180, x:][:, :320] for x, y in places])
    assert [starts(path) for path in (slow, fast, shaken)] == [[], [], []]


def _faded(views: list[View], *, out: bool) -> list[View]:
    count = len(views)
    return [view * ((count - n if out else n) / count) for n, view in enumerate(views)]


def test_a_fade_through_black_is_one_boundary(tmp_path: Path):
    one, other = hard.panned(1, 60), hard.panned(2, 60)
    black = [np.zeros((180, 320, 3))] * 8
    views = [*one[:40], *_faded(one[40:], out=True), *black, *_faded(other[:20], out=False)]
    path = hard.drawn(tmp_path / "fade.mp4", [*views, *other[20:]])
    (boundary,) = starts(path)
    assert 68 <= boundary <= 74
    first, second = found(path)
    assert first.best < 55
    assert second.best > 74, "the frame of a shot is not one of its dark ones"
    moving = [*_faded(hard.panned(1, 45, 5), out=True), *black, *hard.panned(2, 45, 5)]
    assert len(starts(hard.drawn(tmp_path / "moving.mp4", moving))) == 1
    opening = [*_faded(other[:30], out=False), *other[30:]]
    assert starts(hard.drawn(tmp_path / "in.mp4", opening)) == []


def test_a_dissolve_is_one_boundary_in_its_middle(tmp_path: Path):
    one, other = hard.panned(1, 65, 0.5), hard.panned(2, 65, 0.5)
    mixed = [a * (1 - n / 25) + b * n / 25
             for n, (a, b) in enumerate(zip(one[40:], other[:25], strict=True))]  # fmt: skip
    (boundary,) = starts(hard.drawn(tmp_path / "mix.mp4", [*one[:40], *mixed, *other[25:]]))
    assert boundary == pytest.approx(52, abs=3)


def test_a_flash_is_none(tmp_path: Path):
    views = hard.panned(1, 80)
    for n in (30, 31, 55):
        views[n] = views[n] + 170
    path = hard.drawn(tmp_path / "flash.mp4", views)
    assert starts(path) == []
    assert of_ffmpeg(path, 0.3), "FFmpeg takes the flashes for cuts"


def test_threshold_and_shortest_shot(tmp_path: Path):
    views = [view for seed in range(4) for view in hard.panned(seed, 10)]
    path = hard.drawn(tmp_path / "quick.mp4", views)
    assert starts(path, THRESHOLD, 0.3) == [10, 20, 30]
    assert starts(path, THRESHOLD, 0.7) == [20]
    assert starts(path, 1.0, 0.3) == []


def test_the_sharpest_frame_stands_for_the_shot(tmp_path: Path):
    import cv2

    views = [cv2.GaussianBlur(view, (0, 0), 1 + abs(n - 17) / 4)
             for n, view in enumerate(hard.panned(5, 40, 0))]  # fmt: skip
    (shot,) = found(hard.drawn(tmp_path / "focus.mp4", views))
    assert shot.best == pytest.approx(17, abs=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(12))
def test_random_sequences(tmp_path: Path, seed: int):
    """Any shots of half a second or more, still or moving: every cut, and no other boundary."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(13, 60, 12).tolist()
    views = [view for n, length in enumerate(lengths)
             for view in hard.panned(100 * seed + n, length, draw.uniform(0, 8))]  # fmt: skip
    path = hard.drawn(tmp_path / "a.mp4", views)
    assert starts(path) == list(accumulate(lengths))[:-1]


def test_one_frame_is_one_shot(tmp_path: Path):
    assert found(hard.drawn(tmp_path / "one.mp4", hard.panned(1, 1))) == [Shot(0, 1, 0)]
    assert found(hard.drawn(tmp_path / "two.mp4", hard.panned(1, 2)))[0].last == 2
