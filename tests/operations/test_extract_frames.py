"""The archive of frames: its entries, its index, its limits, and what it says went wrong."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from tests import media_factory as make
from tests import video_factory as hard

from mediamill.core.errors import BrokenMedia, InvalidInput, LimitExceeded, UnsupportedMedia
from mediamill.operations.base import Context, Outcome, SourceFacts
from mediamill.operations.catalogue import OPERATIONS
from mediamill.operations.extract_frames import ExtractFrames
from mediamill.operations.extract_frames.selection import clock


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of 30 frames each, a key frame every 25."""
    return make.clip(
        tmp_path_factory.mktemp("clips") / "my clip.mp4", "-g", "25", "-sc_threshold", "0"
    )


def extract(path: Path, scratch: Path, threads: int = 2, **parameters: Any) -> Outcome:
    folder = scratch / f"out-{len(list(scratch.iterdir()))}"
    folder.mkdir()
    return ExtractFrames(**parameters).run(make.source(path), Context(folder, threads=threads))


def unpacked(outcome: Outcome) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    (file,) = outcome.files
    with zipfile.ZipFile(file.path) as archive:
        assert archive.testzip() is None
        members = {name: archive.read(name) for name in archive.namelist()}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    lines = members.pop("frames.jsonl").decode().splitlines()
    return members, [json.loads(line) for line in lines]


def indexes(path: Path, scratch: Path, **parameters: Any) -> list[int]:
    return [line["index"] for line in unpacked(extract(path, scratch, **parameters))[1]]


def test_its_public_name():
    assert OPERATIONS.get("extract-frames") is ExtractFrames
    assert isinstance(OPERATIONS.build("extract-frames", {"fps": 2}), ExtractFrames)


def test_the_index_describes_the_entries(clip: Path, tmp_path: Path):
    outcome = extract(clip, tmp_path, fps=5)
    members, lines = unpacked(outcome)
    assert [line["name"] for line in lines] == list(members) == sorted(members)
    for line in lines:
        data = members[line["name"]]
        assert line["size"] == len(data)
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
        assert line["time"] == pytest.approx(line["index"] / 30, abs=1e-5)
        assert line["name"] == f"frame-{line['index']:06d}-{round(line['time'] * 1000)}.jpg"
        assert line["key_frame"] == (line["index"] % 25 == 0)
        assert Image.open(io.BytesIO(data)).size == (320, 180) == (line["width"], line["height"])
    (file,) = outcome.files
    assert file.name == "my clip-frames.zip"
    assert hashlib.sha256(file.path.read_bytes()).hexdigest() == file.sha256
    assert file.info["frames"] == len(lines) == outcome.report["frames"]
    assert outcome.report["codec"] == "h264"
    assert not outcome.report["truncated"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"mode": "all"}, list(range(90))),
        ({"mode": "keyframes"}, [0, 25, 50, 75]),
        ({"mode": "interval", "every": 1}, [0, 30, 60]),
        ({"every": 0.7}, [0, 21, 42, 63, 84]),
        ({"every": 1e-9, "end": 0.1}, [0, 1, 2]),
        ({"fps": 1}, [14, 44, 74]),
        ({"at": [0, 0.5, "50%", "100%", 0.51]}, [0, 15, 45, 89]),
        ({"count": 3}, [15, 45, 75]),
        ({"mode": "all", "start": 1, "end": 1.1}, [30, 31, 32]),
        ({"mode": "keyframes", "start": 1}, [50, 75]),
        ({"every": 100}, [0]),
        ({"count": 1000}, list(range(90))),
        ({"mode": "every_nth"}, list(range(0, 90, 10))),
        ({"n": 25}, [0, 25, 50, 75]),
        ({"n": 7, "start": 1, "end": 2}, [30, 37, 44, 51, 58]),
        ({"n": 200}, [0]),
        ({"mode": "scene"}, [pytest.approx(45, abs=36)]),
        ({"fps": 1, "start": 1}, [44, 74]),
        ({"every": 0.5, "start": "50%"}, [45, 60, 75]),
        ({"count": 2, "start": "0:01", "end": "0:00:02.5"}, [41, 63]),
        ({"at": ["0:00:00.5", "1.2", "0%"]}, [0, 15, 36]),
        ({"mode": "keyframes", "start": "20%", "end": "70%"}, [25, 50]),
        ({"mode": "scene", "start": 1, "end": 2}, [pytest.approx(45, abs=15)]),
    ],
)
def test_modes(clip: Path, tmp_path: Path, parameters: dict[str, Any], expected: list[int]):
    assert indexes(clip, tmp_path, **parameters) == expected


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"mode": "timestamps"}, "needs `at`"),
        ({"mode": "fps", "every": 2}, "`every` is for mode=interval"),
        ({"mode": "all", "at": [1]}, "`at` is for mode=timestamps"),
        ({"fps": 2, "every": 3}, "say which mode"),
        ({"at": ["half"]}, "neither seconds nor a percentage"),
        ({"at": ["120%"]}, "neither seconds nor a percentage"),
        ({"at": [-1]}, "greater than or equal to 0"),
        ({"fps": 0}, "greater than or equal to"),
        ({"every": 0}, "greater than 0"),
        ({"start": 3, "end": 2}, "`start` must be before `end`"),
        ({"start": "50%", "end": "40%"}, "`start` must be before `end`"),
        ({"start": "0:02", "end": 2}, "`start` must be before `end`"),
        ({"start": "0:61"}, "neither seconds nor a percentage"),
        ({"end": "1:99:00"}, "neither seconds nor a percentage"),
        ({"at": ["1e3"]}, "neither seconds nor a percentage"),
        ({"n": 0}, "greater than or equal to 1"),
        ({"n": 3, "fps": 2}, "say which mode"),
        ({"mode": "all", "threshold": 0.2}, "`threshold` is for mode=scene"),
        ({"min_shot": 2, "mode": "all"}, "`min_shot` is for mode=scene"),
        ({"quality": 101}, "less than or equal to 100"),
        ({"format": "bmp"}, "'jpeg', 'png' or 'webp'"),
        ({"speed": 1}, "Extra inputs"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        ExtractFrames(**parameters)
    with pytest.raises(InvalidInput):
        OPERATIONS.build("extract-frames", parameters)


def test_more_than_max_frames_is_refused_before_work(clip: Path, tmp_path: Path):
    with pytest.raises(LimitExceeded, match="90 frames, more than max_frames = 89"):
        extract(clip, tmp_path, mode="all", max_frames=89)
    assert not list(tmp_path.rglob("output-*"))
    extract(clip, tmp_path, mode="all", max_frames=90)


def test_moments_outside_are_refused(clip: Path, tmp_path: Path):
    with pytest.raises(InvalidInput, match="past the end"):
        extract(clip, tmp_path, at=[1, 99])
    with pytest.raises(InvalidInput, match="no frame lies between"):
        extract(clip, tmp_path, mode="all", start=50)
    with pytest.raises(InvalidInput, match="mode=keyframes finds no frame"):
        extract(clip, tmp_path, mode="keyframes", start=0.1, end=0.2)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1:02:03.5", 3723.5), ("2:03", 123), ("90", 90), ("0.25", 0.25), ("100:00:00", 360_000)],
)
def test_times_as_people_write_them(text: str, seconds: float):
    assert float(clock(text)) == seconds


def of_ffmpeg(path: Path, step: int) -> list[float]:
    """The times of FFmpeg's every n-th frame."""
    graph = f"select='not(mod(n,{step}))'"
    text = make.run("-i", path, "-map", "0:v", "-vf", graph, "-vsync", "passthrough", "-f",
                    "framecrc", "-").decode()  # fmt: skip
    (base,) = (line.split(":")[1] for line in text.splitlines() if line.startswith("#tb"))
    scale = int(base.partition("/")[0]) / int(base.partition("/")[2])
    return [int(line.split(",")[2]) * scale for line in text.splitlines() if line[0] != "#"]


@pytest.mark.parametrize(
    ("make_clip", "step"), [(make.vfr, 7), (make.late, 1), (make.hevc_open, 30)]
)
def test_every_nth_is_ffmpegs(tmp_path: Path, make_clip: Any, step: int):
    path = make_clip(tmp_path / "a.mp4")
    _, lines = unpacked(extract(path, tmp_path, n=step, width=16))
    assert [line["time"] for line in lines] == pytest.approx(of_ffmpeg(path, step), abs=2e-3)


def test_a_frame_of_each_shot_with_its_bounds(tmp_path: Path):
    """Three shots of a second each; the range leaves half of the first and of the last."""
    views = [view for seed in range(3) for view in hard.panned(seed, 25)]
    path = hard.drawn(tmp_path / "shots.mp4", views)
    seen: list[float] = []
    context = Context(tmp_path, seen.append, threads=2)
    operation = ExtractFrames(mode="scene", start=0.48, end=2.6, format="png")
    _, lines = unpacked(operation.run(make.source(path), context))
    bounds = [(line["shot_start"], line["shot_end"]) for line in lines]
    assert bounds == [(0.48, 1.0), (1.0, 2.0), (2.0, 2.6)]
    assert all(line["shot_start"] <= line["time"] < line["shot_end"] for line in lines)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(indexes(path, tmp_path, mode="scene", min_shot=1.5)) == 2
    assert len(indexes(path, tmp_path, threshold=1)) == 1
    with pytest.raises(LimitExceeded, match="3 frames, more than max_frames = 2"):
        extract(path, tmp_path, mode="scene", max_frames=2)


def test_shots_of_a_damaged_video(tmp_path: Path):
    """Looking for shots finds that a frame fails to come, and goes on among those that do."""
    path = hard.damaged(make.clip(tmp_path / "a.mp4", "-g", "15"), tmp_path / "b.mp4", 9000)
    _, lines = unpacked(extract(path, tmp_path, mode="scene"))
    assert 1 <= len(lines) <= 3


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_transparent_video(tmp_path: Path, form: str):
    path = hard.transparent(tmp_path / "a.mov", ("png",), "rgba")
    members, _ = unpacked(extract(path, tmp_path, n=3, format=form))
    for data in members.values():
        image = Image.open(io.BytesIO(data))
        assert image.mode == ("RGB" if form == "jpeg" else "RGBA")


def test_every_mode_on_every_format_and_size(clip: Path, tmp_path: Path):
    for mode in ("every_nth", "keyframes", "scene", "interval"):
        for form in ("jpeg", "png", "webp"):
            found = unpacked(extract(clip, tmp_path, mode=mode, format=form, height=45, end="2.5"))
            members, lines = found
            assert {(line["width"], line["height"]) for line in lines} == {(80, 45)}
            assert {Image.open(io.BytesIO(data)).size for data in members.values()} == {(80, 45)}


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_formats_and_sizes(clip: Path, tmp_path: Path, form: str):
    members, _ = unpacked(extract(clip, tmp_path, count=2, format=form, width=100, height=100))
    for data in members.values():
        image = Image.open(io.BytesIO(data))
        assert (image.format, image.size) == (form.upper(), (100, 56))
        assert not image.getexif()


@pytest.mark.parametrize("make_clip", [make.vfr, make.late, make.hevc_open, make.rotated])
def test_the_same_input_gives_the_same_bytes_whatever_the_threads(tmp_path: Path, make_clip: Any):
    path = make_clip(tmp_path / "a.mp4")
    digests = {extract(path, tmp_path, threads, fps=4).files[0].sha256 for threads in (1, 2, 3, 2)}
    assert len(digests) == 1


def test_a_cut_tail_says_so(tmp_path: Path):
    outcome = extract(make.cut(tmp_path / "cut.mp4"), tmp_path, mode="all")
    assert outcome.report["truncated"] is True
    assert outcome.files[0].info["truncated"] is True
    assert 0.5 < outcome.report["last_good_time"] < 2.8
    _, lines = unpacked(outcome)
    assert lines[-1]["time"] == pytest.approx(outcome.report["last_good_time"], abs=0.05)


def test_moments_past_a_cut_tail_are_left_out(tmp_path: Path):
    outcome = extract(make.cut(tmp_path / "cut.mp4"), tmp_path, at=[0.2, 2.9])
    assert outcome.report["frames"] == 1


def test_what_is_no_video_is_refused(tmp_path: Path):
    path = tmp_path / "a.mp4"
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises((UnsupportedMedia, BrokenMedia)):
        extract(path, tmp_path)
    path.write_bytes(b"")
    with pytest.raises((UnsupportedMedia, BrokenMedia)):
        extract(path, tmp_path)
    assert not list(tmp_path.rglob("output-*"))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "hevc.mp4"])
def test_random_damage_raises_invalid_input_only(tmp_path: Path, name: str):
    draw = np.random.default_rng(6)
    if name == "hevc.mp4":
        make.clip(tmp_path / name, seconds=0.3, size="64x64", codec=make.X265)
    else:
        make.clip(tmp_path / name, "-g", "5", seconds=0.3, size="64x64")
    whole, frames = (tmp_path / name).read_bytes(), 0
    for _ in range(50):
        data = bytearray(whole)
        for at in draw.integers(0, len(data), 8):
            data[at] = draw.integers(0, 256)
        (tmp_path / "damaged.mp4").write_bytes(data[: draw.integers(len(data) // 2, len(data) + 1)])
        try:
            frames += extract(tmp_path / "damaged.mp4", tmp_path, mode="all").report["frames"]
        except InvalidInput:
            continue
    assert frames or name.endswith("mp4"), "refusing everything is a failure too"


def test_pictures_larger_than_announced_are_not_decoded(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The container's header is checked, and the decoder holds the same limit by itself."""
    from mediamill.media.video import container

    monkeypatch.setattr(container, "MAX_PIXELS", 320 * 180 - 1)
    with pytest.raises(LimitExceeded):
        extract(clip, tmp_path)
    monkeypatch.setattr(container, "check_size", lambda *_: None)
    with pytest.raises(BrokenMedia):
        extract(clip, tmp_path)


def test_progress_counts_media_time(clip: Path, tmp_path: Path):
    seen: list[float] = []
    context = Context(tmp_path, seen.append, threads=2)
    ExtractFrames(mode="all").run(make.source(clip), context)
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 1
    assert seen[len(seen) // 2] == pytest.approx(0.5, abs=0.05)


def test_pictures_can_be_taken_before_they_are_packed(clip: Path, tmp_path: Path):
    pictures = list(ExtractFrames(count=2).pictures(make.source(clip), Context(tmp_path)))
    assert [picture.array().shape for picture in pictures] == [(180, 320, 3)] * 2
    assert [picture.info["index"] for picture in pictures] == [22, 67]
    assert not list(tmp_path.iterdir())


def test_stopping_early_leaves_nothing_running(clip: Path, tmp_path: Path):
    pictures = ExtractFrames(mode="all").pictures(make.source(clip), Context(tmp_path, threads=2))
    assert next(pictures).info["index"] == 0
    pictures.close()


def test_cost_grows_with_the_work():
    long = SourceFacts("video/mp4", 10**8, 1920, 1080, 600.0)
    short = SourceFacts("video/mp4", 10**7, 1920, 1080, 60.0)
    every, sparse = ExtractFrames(mode="all"), ExtractFrames(every=5)
    assert every.cost(long) > every.cost(short) > sparse.cost(short) > 0
    assert ExtractFrames().cost(SourceFacts("video/mp4", 1000)) > 0


MEASURE = """
import os, sys, tempfile
from pathlib import Path
from mediamill.operations.base import Context, Source
from mediamill.operations.extract_frames import ExtractFrames
path = Path(sys.argv[1])
source = Source(os.open(path, os.O_RDONLY), path.name, "", path.stat().st_size)
with tempfile.TemporaryDirectory() as folder:
    ExtractFrames(mode="all", quality=20).run(source, Context(Path(folder), threads=2))
status = Path("/proc/self/status").read_text()  # ru_maxrss would count the parent's memory too
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def test_memory_does_not_grow_with_the_video(tmp_path: Path):
    """Frames are let go one by one: 300 of 1080p take 930 MB if they are kept."""
    path = make.clip(tmp_path / "a.mp4", seconds=10, size="1920x1080",
                     codec=("-c:v", "libx264", "-preset", "ultrafast", "-crf", "40"))  # fmt: skip
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, capture_output=True, check=True, env={**os.environ})
    assert int(done.stdout) < 350
