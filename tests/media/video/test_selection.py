"""The frames that are chosen are FFmpeg's, and the fast way gives the bytes of the plain way."""

import hashlib
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import groupby
from pathlib import Path

import pytest
from tests import media_factory as make

from mediamill.media.video.container import opened
from mediamill.media.video.demux import packets
from mediamill.media.video.nal import ENTRY
from mediamill.media.video.reader import FrameReader
from mediamill.media.video.select import (
    Chooser,
    Span,
    at_rate,
    at_times,
    every_frame,
    key_frames,
    rate_of,
    spread,
)

of_soak = partial(pytest.param, marks=pytest.mark.soak)
RATES = (1, 2, 29.97, 7.3, 0.5, 10)
SAMPLES = ("bottle-detection.mp4", "car-detection.mp4", "milk.mkv")
MADE: dict[str, Callable[[Path], Path]] = {
    "plain.mp4": lambda path: make.clip(path, "-g", "25"),
    "ntsc.mkv": lambda path: make.clip(path, "-g", "25", rate="30000/1001"),
    "vfr.mp4": make.vfr,
    "late.mp4": make.late,
    "late.mkv": make.late,
    "edited.mp4": lambda path: _edited(path),
    "stream.ts": lambda path: make.clip(path, "-g", "25"),
    "intra-refresh.mp4": lambda path: make.clip(path, "-x264-params", "intra-refresh=1:keyint=20"),
    "open.mp4": lambda path: make.clip(path, "-x264-params", "open-gop=1:keyint=20:bframes=3"),
    "slices.mp4": lambda path: make.clip(path, "-x264-params", "slices=4:keyint=20:b-pyramid=none"),
    "fields.mp4": lambda path: make.clip(path, "-x264-params", "tff=1:keyint=20"),
    "hevc-open.mp4": make.hevc_open,
    "hevc-open.mkv": make.hevc_open,
    "hevc-layers.mp4": make.hevc_layers,
    "vp9.webm": lambda path: make.clip(
        path, "-g", "20", "-auto-alt-ref", "1", "-lag-in-frames", "12",
        codec=("-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime"),
    ),
    "mpeg4.avi": lambda path: make.clip(path, "-bf", "2", "-g", "20", codec=("-c:v", "mpeg4")),
    "h264.avi": lambda path: make.clip(path, "-g", "20", "-bf", "0"),
    "mpeg2.mpg": lambda path: make.clip(path, "-g", "15", "-bf", "2", codec=("-c:v", "mpeg2video")),
    "mjpeg.mov": lambda path: make.clip(path, "-pix_fmt", "yuvj420p", codec=("-c:v", "mjpeg")),
}  # fmt: skip


def _edited(path: Path) -> Path:
    """Cut in the middle of a group by stream copy: an edit list hides the pictures before."""
    whole = make.clip(path.with_suffix(".whole.mp4"), "-g", "30")
    make.run("-ss", "0.7", "-i", whole, "-c", "copy", path)
    return path


@pytest.fixture(scope="module", params=[*MADE, *SAMPLES])
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name = request.param
    if name in SAMPLES:
        return make.sample(name)
    return MADE[name](tmp_path_factory.mktemp("made") / name)


def reader(path: Path, *, plain: bool = False, threads: int = 2) -> FrameReader:
    return FrameReader(lambda: path.open("rb"), path.name, threads, plain=plain)


def by_rate(rate: Fraction) -> Chooser:
    return lambda timeline: at_rate(timeline, Span.between(timeline, None, None), rate)


def digests(found: FrameReader, choose: Chooser) -> list[str]:
    """MD5 of each frame's samples as FFmpeg's `framemd5` takes them."""
    result = []
    for frame in found.frames(choose):
        array = frame.pixels.to_ndarray()
        result.append(hashlib.md5(array.tobytes()).hexdigest())
    return result


@pytest.fixture(scope="module")
def of_ffmpeg(video: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[float, list[str]]:
    """What FFmpeg's filter gives at each rate, each frame once; all of one reading."""
    folder, outputs = tmp_path_factory.mktemp("ffmpeg"), []
    for rate in RATES:
        graph = f"fps={rate}:round=near"
        outputs += ["-map", "0:v:0", "-vf", graph, "-vsync", "passthrough", "-f", "framemd5",
                    folder / str(rate)]  # fmt: skip
    make.run("-noautorotate", "-i", video, *outputs)
    return {rate: _once((folder / str(rate)).read_text()) for rate in RATES}


def _once(text: str) -> list[str]:
    lines = [line.split(",")[-1].strip() for line in text.splitlines() if line[0] != "#"]
    return [digest for digest, _ in groupby(lines)]


COMPARABLE = [name for name in (*MADE, *SAMPLES) if name != "mpeg4.avi"]
"""FFmpeg's inverse DCT for MPEG-4 is not bit-exact between versions, so hashes would differ."""


@pytest.mark.parametrize("video", COMPARABLE, indirect=True)
@pytest.mark.parametrize("rate", [*RATES[:4], *(of_soak(rate) for rate in RATES[4:])])
def test_fps_picks_what_ffmpeg_picks(video: Path, of_ffmpeg: dict[float, list[str]], rate: float):
    expected = of_ffmpeg[rate]
    found = reader(video)
    ours = [digest for digest, _ in groupby(digests(found, by_rate(rate_of(rate))))]
    assert expected
    assert ours == expected


CHOICES: dict[str, Chooser] = {
    "2 fps": by_rate(Fraction(2)),
    "7.3 fps": by_rate(Fraction(73, 10)),
    "0.4 fps": by_rate(Fraction(2, 5)),
    "0.13 fps": by_rate(Fraction(13, 100)),
    "keys": lambda t: key_frames(t, Span.between(t, None, None)),
    "all": lambda t: every_frame(t, Span.between(t, None, None)),
    "five": lambda t: spread(t, Span.between(t, None, None), 5),
    "third": lambda t: [n for n in range(len(t)) if n % 3 == 1],
    "last": lambda t: [len(t) - 1],
    "second half": lambda t: every_frame(t, Span.between(t, t.duration / 2, None))[::4],
}


SELECTIVE = {"plain.mp4", "vfr.mp4", "late.mp4", "late.mkv", "hevc-open.mp4", "hevc-layers.mp4",
             "open.mp4", "slices.mp4", "stream.ts", "vp9.webm", *SAMPLES}  # fmt: skip
QUICK = ("2 fps", "7.3 fps", "keys", "all", "second half")
"""What the normal run tries of each video; the soak tries all."""
SPARSE = ("2 fps", "0.13 fps", "keys", "five", "last", "second half")
Seen = dict[int, tuple[int, str]]
"""Time and the digest of the samples of frames: what is written of a frame is made of these."""


def seen(found: FrameReader, choose: Chooser) -> Seen:
    samples = ((frame, frame.pixels.to_ndarray().tobytes()) for frame in found.frames(choose))
    return {frame.index: (frame.pts, hashlib.md5(data).hexdigest()) for frame, data in samples}


@pytest.fixture(scope="module")
def plain(video: Path) -> tuple[FrameReader, Seen]:
    """All frames of the plain way, which decodes them all whatever is chosen."""
    found = reader(video, plain=True, threads=1)
    return found, seen(found, CHOICES["all"])


@pytest.mark.parametrize("choice", [name if name in QUICK else of_soak(name) for name in CHOICES])
def test_selective_and_plain_give_the_same_bytes(
    video: Path, plain: tuple[FrameReader, Seen], choice: str
):
    found, (slowly, all_of_them) = reader(video), plain
    fast = seen(found, CHOICES[choice])
    slow = {n: all_of_them[n] for n in CHOICES[choice](slowly.timeline) if n in all_of_them}
    if choice == "keys":  # a container may mark recovery points that a decoder does not
        slow = {index: all_of_them[index] for index in fast if index in slow}
        fast = {index: fast[index] for index in slow}
    assert fast
    assert fast == slow
    if video.name in SELECTIVE:
        assert found.selective, "the decoder gave something else than the packets promised"


@pytest.mark.parametrize("video", sorted(SELECTIVE), indirect=True)
def test_the_fast_way_is_taken_again_and_again(video: Path):
    found = reader(video)
    assert found.selective
    for choice in SPARSE:
        assert list(found.frames(CHOICES[choice]))
        assert found.selective, "the decoder gave something else than the packets promised"


def test_packets_are_really_left_out(tmp_path: Path):
    from mediamill.media.video.plan import FEED, JUMP, feeding

    found = reader(make.hevc_open(tmp_path / "open.mp4"))
    known, wanted = found.timeline.packets, by_rate(Fraction(2))(found.timeline)
    assert known
    actions = feeding(known, [found.timeline.order[n] for n in wanted], restart=True)
    assert sum(1 for action in actions if action) < 0.7 * len(actions)
    assert JUMP in actions
    assert FEED in actions
    assert sum(1 for flags in known.flags if flags & ENTRY) >= 5


def test_times_start_where_the_container_starts(tmp_path: Path):
    found = reader(make.late(tmp_path / "late.mp4"))
    assert found.timeline.time(0) == pytest.approx(1.3, abs=0.04)


def test_a_cut_tail_gives_what_is_there_and_says_so(tmp_path: Path):
    found = reader(make.cut(tmp_path / "cut.mp4"))
    frames = list(found.frames(CHOICES["all"]))
    assert found.truncated
    assert 20 < len(frames) < 80
    assert not reader(tmp_path / "cut.whole.mp4").truncated


@pytest.mark.parametrize("name", ["cut.mkv", "cut.avi"])
def test_a_cut_tail_is_seen_in_other_containers(tmp_path: Path, name: str):
    whole = make.clip(tmp_path / f"whole-{name}", "-g", "20")
    path = tmp_path / name
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    found = reader(path)
    assert list(found.frames(CHOICES["all"]))
    assert found.truncated
    assert not reader(whole).truncated


def test_moments_give_the_frame_on_screen(tmp_path: Path):
    found = reader(make.clip(tmp_path / "a.mp4", rate="10", seconds=2)).timeline
    span = Span.between(found, None, None)
    moments = [Fraction(0), Fraction("0.19"), Fraction("0.2"), Fraction(1), Fraction(99)]
    assert at_times(found, span, moments) == [0, 1, 2, 10, 19]


def test_damage_in_the_middle_does_not_end_the_video(tmp_path: Path):
    path = make.clip(tmp_path / "a.mp4", "-g", "15")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    frames = list(reader(path).frames(CHOICES["2 fps"]))
    assert len(frames) >= 4
    assert [f.pts for f in frames] == sorted({f.pts for f in frames})


def test_frames_that_fail_to_appear_are_chosen_anew(tmp_path: Path):
    """A slice whose header is garbage gives no frame: what remains is what plain decoding gives."""
    path = make.clip(tmp_path / "a.mp4", "-g", "15", "-bf", "0")
    with opened(lambda: path.open("rb"), path.name) as video:
        places = [(packet.pos, packet.size) for packet in packets(video, path.name) if packet]
    data = bytearray(path.read_bytes())
    for position, size in (places[40], places[41]):
        assert position
        data[position + 5 : position + size] = bytes(size - 5)
    path.write_bytes(data)
    found = reader(path)
    assert found.selective
    frames = list(found.frames(CHOICES["all"]))
    assert not found.selective
    plain = list(reader(path, plain=True).frames(CHOICES["all"]))
    assert 80 < len(frames) < 90
    assert [frame.pts for frame in frames] == [frame.pts for frame in plain]
