"""Hard containers and streams: the frames and times that FFmpeg finds, or a clear refusal."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests import media_factory as make
from tests import video_factory as hard

from mediamill.core.errors import BrokenMedia, InvalidInput, UnsupportedMedia
from mediamill.media.image.picture import Picture
from mediamill.media.sniff import HEAD, sniff
from mediamill.media.video.extent import is_cut
from mediamill.media.video.picture import FramePicture
from mediamill.media.video.reader import Frame, FrameReader
from mediamill.media.video.select import Chooser

ALL: Chooser = lambda timeline: list(range(len(timeline)))  # noqa: E731
HEVC = f"keyint=16:min-keyint=16:open-gop=1:bframes=3:scenecut=0:{hard.QUIET}"
LAYERED = "open-gop=1:keyint=12:bframes=3:b-adapt=0:b-pyramid=normal:repeat-headers=1"


def reader(path: Path, *, plain: bool = False) -> FrameReader:
    return FrameReader(lambda: path.open("rb"), path.name, 2, plain=plain)


def frames(path: Path) -> list[Frame]:
    return list(reader(path).frames(ALL))


def picture(path: Path) -> Picture:
    return FramePicture(next(iter(reader(path).frames(lambda timeline: [0]))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips that others are made of: H.264 and HEVC with B-frames, open groups of the former."""
    folder = tmp_path_factory.mktemp("streams")
    small = {"size": "160x90", "seconds": 2}
    make.clip(folder / "h264.mp4", "-g", "20", **small)
    make.clip(folder / "hevc.mp4", "-x265-params", HEVC, codec=make.X265, **small)
    make.clip(folder / "open.ts", "-x264-params", LAYERED, **small)
    make.clip(folder / "mpeg2.ts", "-g", "15", "-bf", "2", codec=("-c:v", "mpeg2video"), **small)
    return folder


def of(name: str, *options: str, before: tuple[str, ...] = ()) -> Callable[[Path, Path], Path]:
    return lambda folder, path: hard.copied(folder / name, path, *options, before=before)


def encoded(*codec: str, **options: object) -> Callable[[Path, Path], Path]:
    settings: dict[str, object] = {"size": "160x90", "seconds": 1, **options}
    return lambda _, path: make.clip(path, codec=("-c:v", *codec), **settings)  # type: ignore[arg-type]


ANNEX_B = ("-bsf:v", "h264_mp4toannexb")
FRAGMENTED = ("-movflags", "frag_keyframe+empty_moov+default_base_moof")
STREAMS: dict[str, Callable[[Path, Path], Path]] = {
    "fragmented.mp4": of("h264.mp4", *FRAGMENTED),
    "a.mkv": of("h264.mp4"),
    "a.ts": of("h264.mp4"),
    "a.m2ts": of("h264.mp4"),
    "a.flv": of("h264.mp4"),
    "a.3gp": of("h264.mp4"),
    "bare.h264": of("h264.mp4", *ANNEX_B),
    "bare.hevc": of("hevc.mp4", "-bsf:v", "hevc_mp4toannexb"),
    "started-inside.mp4": of("h264.mp4", before=("-ss", "0.9")),
    "started-inside-hevc.mp4": of("hevc.mp4", before=("-ss", "0.9")),
    "started-inside-hevc.mkv": of("hevc.mp4", before=("-ss", "0.9")),
    "open.mp4": of("open.ts"),
    "open-started-inside.mp4": of("open.ts", before=("-ss", "0.9")),
    "a.mpg": of("mpeg2.ts"),
    "av1.mp4": encoded("libsvtav1", "-preset", "12", "-g", "16"),
    "vp8.webm": encoded("libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "10"),
    "theora.ogv": encoded("libtheora", "-g", "10"),
    "wmv2.wmv": encoded("wmv2", "-g", "10"),
    "mpeg1.mpg": encoded("mpeg1video", "-g", "10", "-bf", "2"),
    "flv1.flv": encoded("flv"),
    "h263.3gp": encoded("h263", size="176x144"),
    "dv.avi": encoded("dvvideo", "-pix_fmt", "yuv420p", size="720x576", rate="25", seconds=0.3),
    "prores.mov": encoded("prores_ks", seconds=0.3),
    "qtrle.mov": encoded("qtrle", seconds=0.3),
    "huffyuv.avi": encoded("huffyuv", seconds=0.3),
    "one.mp4": encoded("libx264", "-frames:v", "1"),
    "fields.mkv": encoded("libx264", "-x264-params", "tff=1:keyint=10", size="160x96"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_frames_and_times_are_ffmpegs(folder: Path, tmp_path: Path, name: str):
    path = STREAMS[name](folder, tmp_path / name)
    fast, expected = frames(path), hard.times(path)
    assert [frame.time for frame in fast] == pytest.approx(expected, abs=2e-3)
    assert not reader(path).truncated
    plain = reader(path, plain=True).frames(ALL)
    assert [_bytes(frame) for frame in fast] == [_bytes(frame) for frame in plain]
    assert sniff(path.read_bytes()[:HEAD]).startswith("video/")


def _bytes(frame: Frame) -> tuple[int, bytes]:
    return frame.pts, FramePicture(frame).array().tobytes()


PIXELS = ("gray", "gray10le", "gray16le", "gbrp", "gbrp12le", "yuv411p", "yuv410p", "yuv440p",
          "yuv422p10le", "yuv444p12le")  # fmt: skip


@pytest.mark.parametrize("form", PIXELS)
def test_any_arrangement_of_pixels_is_read(tmp_path: Path, form: str):
    path = make.clip(tmp_path / "a.mkv", seconds=0.1, size="160x90", filters="gblur=4",
                     codec=("-c:v", "ffv1", "-pix_fmt", form))  # fmt: skip
    flags = "scale=flags=bicubic+accurate_rnd+full_chroma_int"
    data = make.run("-i", path, "-vf", flags, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt",
                    "rgb24", "-")  # fmt: skip
    expected = np.frombuffer(data, np.uint8).reshape(90, 160, 3).astype(int)
    assert np.abs(picture(path).array() - expected).mean() < 1.5


ALPHA = {
    "prores.mov": (("prores_ks", "-profile:v", "4"), "yuva444p10le", 1023),
    "vp9.webm": (("libvpx-vp9", "-deadline", "realtime", "-auto-alt-ref", "0"), "yuva420p", 255),
    "vp8.webm": (("libvpx", "-deadline", "realtime", "-auto-alt-ref", "0"), "yuva420p", 255),
    "png.mov": (("png",), "rgba", 255),
    "qtrle.mov": (("qtrle",), "argb", 255),
}


@pytest.mark.parametrize("name", ALPHA)
def test_alpha_is_kept_for_png_and_shown_on_white_in_jpeg(tmp_path: Path, name: str):
    import cv2

    path = hard.transparent(tmp_path / name, *ALPHA[name])
    found = picture(path)
    ramp = np.linspace(0, 255, 320)
    alpha = found.array()[:, :, 3].astype(float)
    assert np.abs(alpha - ramp).mean() < 3
    png = cv2.imdecode(np.frombuffer(found.encode("png"), np.uint8), cv2.IMREAD_UNCHANGED)
    assert png.shape == (180, 320, 4)
    jpeg = cv2.imdecode(np.frombuffer(found.encode("jpeg"), np.uint8), cv2.IMREAD_UNCHANGED)
    assert jpeg[:, :4].min() > 240
    assert len(frames(path)) == 6


@pytest.mark.parametrize("name", hard.MATRICES)
def test_all_eight_matrices_turn_it_upright(folder: Path, tmp_path: Path, name: str):
    blurred = make.clip(tmp_path / "flat.mp4", seconds=0.1, size="160x90", filters="gblur=3")
    path = hard.turned(blurred, tmp_path / "turned.mp4", hard.MATRICES[name])
    found = picture(path).array()
    data = make.run("-i", path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    expected = np.frombuffer(data, np.uint8).reshape(found.shape).astype(int)
    assert found.shape[0] == (160 if hard.MATRICES[name][0] == 0 else 90)
    assert np.abs(found - expected).mean() < 3


@pytest.mark.parametrize(("name", "size"), [("a.mkv", (120, 90)), ("a.mp4", (120, 90))])
def test_samples_are_made_square_by_shrinking(
    folder: Path, tmp_path: Path, name: str, size: tuple[int, int]
):
    """The container says 4:3 of a stream of 16:9; a wide one shrinks in height."""
    path = hard.copied(folder / "h264.mp4", tmp_path / name, "-aspect", "4:3")
    found = picture(path)
    assert (found.width, found.height) == size
    assert found.array().shape[1::-1] == size
    wide = picture(make.clip(tmp_path / "wide.mp4", filters="setsar=16/11", size="352x288",
                             seconds=0.1))  # fmt: skip
    assert (wide.width, wide.height) == (352, 198)
    turned = hard.turned(path, tmp_path / "turned.mp4", (0, 1, -1, 0)) if name == "a.mp4" else None
    if turned:
        assert (picture(turned).width, picture(turned).height) == size[::-1]


def test_the_main_video_is_chosen(folder: Path, tmp_path: Path):
    small = make.clip(tmp_path / "small.mp4", size="64x64", seconds=0.5)
    jpeg = hard.cover(tmp_path / "cover.jpg")
    whole = folder / "h264.mp4"
    chosen = hard.two_streams(tmp_path / "a.mp4", whole, small, "0", "default")
    assert picture(chosen).width == 64, "the one that is marked as the default"
    covered = hard.two_streams(tmp_path / "b.mp4", jpeg, whole, "attached_pic", "0")
    attached = hard.copied(whole, tmp_path / "b.mkv", "-attach", str(jpeg), "-metadata:s:t",
                           "mimetype=image/jpeg", "-disposition:v:0", "0")  # fmt: skip
    for path in (covered, attached):
        assert picture(path).width == 160
        assert len(frames(path)) == 60


def test_a_change_of_size_is_followed(tmp_path: Path):
    big = make.clip(tmp_path / "big.ts", size="320x180", seconds=0.5)
    small = make.clip(tmp_path / "small.ts", size="160x90", seconds=0.5)
    later = hard.copied(small, tmp_path / "later.ts", "-output_ts_offset", "0.5")
    path = tmp_path / "both.ts"
    path.write_bytes(big.read_bytes() + later.read_bytes())
    found = [FramePicture(frame) for frame in frames(path)]
    assert [item.width for item in found] == [320] * 15 + [160] * 15
    assert {item.array().shape[1] for item in found} == {320, 160}


def test_what_holds_no_video_is_refused(folder: Path, tmp_path: Path):
    jpeg = hard.cover(tmp_path / "cover.jpg")
    songs = [hard.sound(tmp_path / name) for name in ("a.mp4", "a.mkv", "a.ogg")]
    songs.append(hard.sound(tmp_path / "b.m4a", "-i", jpeg, "-map", "0", "-map", "1", "-c:v",
                            "copy", "-disposition:v:0", "attached_pic", "-f", "mp4"))  # fmt: skip
    for path in songs:
        with pytest.raises(UnsupportedMedia, match="holds no video"):
            reader(path)
    headless = hard.part(folder / "h264.mp4", tmp_path / "nomoov.mp4", 0, 0.7)
    gif = make.clip(tmp_path / "a.gif", seconds=0.2, codec=())
    assert sniff(gif.read_bytes()) == "image/gif", "animations are images"
    for path in (headless, gif):
        with pytest.raises(BrokenMedia):
            reader(path)


CUT = {
    "a.mp4": of("h264.mp4", "-movflags", "+faststart"),
    "a.mkv": of("h264.mp4"),
    "a.ts": of("h264.mp4"),
    "fragmented.mp4": of("h264.mp4", *FRAGMENTED),
    "a.flv": of("h264.mp4"),
    "a.avi": encoded("mjpeg", "-pix_fmt", "yuvj422p"),
    "a.ogv": encoded("libtheora", "-g", "10"),
    "a.wmv": encoded("wmv2", "-g", "10", seconds=3),
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_tail_is_told_and_the_rest_is_given(folder: Path, tmp_path: Path, name: str):
    whole = CUT[name](folder, tmp_path / f"whole-{name}")
    path = hard.part(whole, tmp_path / name, 0, 0.63)
    found = reader(path)
    there = list(found.frames(ALL))
    assert found.truncated
    assert not reader(whole).truncated
    assert 2 < len(there) < len(frames(whole))
    expected = hard.times(path) if name != "a.avi" else hard.times(path)[:-1]  # half a picture
    assert [frame.time for frame in there] == pytest.approx(expected, abs=2e-3)
    plain = reader(path, plain=True).frames(ALL)
    assert [_bytes(frame) for frame in there] == [_bytes(frame) for frame in plain]


@pytest.mark.parametrize("name", [*CUT, "a.m2ts"])
def test_the_container_alone_tells_that_it_is_cut(folder: Path, tmp_path: Path, name: str):
    """Wherever the end is; FLV tells only by what is missing."""
    whole = {**STREAMS, **CUT}[name](folder, tmp_path / name).read_bytes()
    assert not is_cut(io.BytesIO(whole))
    shares = [0.31, 0.63, 0.999] if name != "a.flv" else []
    assert all(is_cut(io.BytesIO(whole[: int(len(whole) * share)])) for share in shares)
    assert not is_cut(io.BytesIO(whole[:3]))


@pytest.mark.parametrize("name", ["h264.mp4", "open.ts", "hevc.mp4"])
def test_a_stream_that_begins_inside_a_group_begins_with_a_whole_picture(
    folder: Path, tmp_path: Path, name: str
):
    """FFmpeg's tool shows the grey beginnings of H.264; nobody wants them among the frames."""
    stream = hard.copied(folder / name, tmp_path / "whole.ts")
    path = tmp_path / "cut.ts"
    path.write_bytes(stream.read_bytes()[188 * (stream.stat().st_size // 188 // 4) :])
    found = frames(path)
    assert found[0].key_frame
    assert 15 < len(found) <= len(hard.times(path))
    assert not any(frame.corrupt for frame in found)


@pytest.mark.parametrize("name", ["h264.mp4", "open.ts", "hevc.mp4", "mpeg2.ts"])
def test_noise_in_the_middle_costs_only_the_middle(folder: Path, tmp_path: Path, name: str):
    path = hard.damaged(folder / name, tmp_path / name)
    found = frames(path)
    assert 30 < len(found) <= 60
    times = [frame.time for frame in found]
    assert times == sorted(set(times))
    assert times[-1] > 1.8


def test_half_an_hevc_picture_is_no_frame(folder: Path, tmp_path: Path):
    """The decoder fills what is missing with what lay in memory, and does not say so."""
    whole = hard.copied(folder / "hevc.mp4", tmp_path / "whole.ts")
    path = hard.part(whole, tmp_path / "cut.ts", 0, 0.63)
    assert [_bytes(frame) for frame in frames(path)] == [_bytes(frame) for frame in frames(path)]
    assert reader(path).truncated
    assert len(frames(path)) == len(hard.times(path)) - 1


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in STREAMS if name != "bare.hevc"])
def test_any_part_of_any_stream(folder: Path, tmp_path: Path, name: str):
    """Whatever is cut off in front and behind: the same frames by both ways, or a refusal."""
    whole, path = STREAMS[name](folder, tmp_path / name), tmp_path / f"part-{name}"
    draw, read = np.random.default_rng(len(name)), 0
    for _ in range(25):
        first = draw.uniform(0, 0.4) if draw.integers(2) else 0
        hard.part(whole, path, first, draw.uniform(0.5, 1))
        try:
            fast = frames(path)
        except InvalidInput:
            continue
        plain = reader(path, plain=True).frames(ALL)
        assert [_bytes(frame) for frame in fast] == [_bytes(frame) for frame in plain]
        read += 1
    assert read or name.endswith(("mp4", "mov", "3gp")), "their index is at the end"


def test_made_up_parts_are_told(tmp_path: Path):
    """Of a picture that is cut in half, the rest is the decoder's invention."""
    clip = make.clip(tmp_path / "whole.mp4", "-g", "20")
    found = reader(hard.damaged(clip, tmp_path / "a.mp4"))
    there = list(found.frames(ALL))
    marked = [frame for frame in there if frame.corrupt]
    assert 0 < len(marked) < 10
    assert FramePicture(marked[0]).info["corrupt"] is True
    assert "corrupt" not in FramePicture(there[0]).info
    assert found.truncated


def test_stamps_that_repeat_or_go_back(tmp_path: Path):
    """Matroska may hold any: frames stay in order, each with a time of its own."""
    import av

    source = make.clip(tmp_path / "a.mkv", "-bf", "0", "-g", "10", seconds=1, size="160x90")
    path = tmp_path / "b.mkv"
    with av.open(str(source)) as whole, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(whole.streams.video[0])
        for n, packet in enumerate(p for p in whole.demux(video=0) if p.size):
            packet.pts = packet.dts = 33 * (n - n % 3)
            packet.stream = stream
            out.mux(packet)
    found = frames(path)
    assert len(found) == 30
    assert [frame.index for frame in found] == list(range(30))
    times = [frame.time for frame in found]
    assert times == sorted(set(times))


QUIETLY = """
import sys
from pathlib import Path
from mediamill.media.video.reader import FrameReader
from mediamill.media.video.picture import FramePicture
for name in sys.argv[1:]:
    path = Path(name)
    try:
        reader = FrameReader(lambda: path.open("rb"), name, 2)
        for frame in reader.frames(lambda timeline: [*range(len(timeline))]):
            FramePicture(frame).encode("png")
    except Exception:
        continue
"""


def test_decoders_do_not_print(folder: Path, tmp_path: Path):
    paths = [hard.damaged(folder / name, tmp_path / name) for name in ("h264.mp4", "hevc.mp4")]
    paths.append(hard.part(folder / "open.ts", tmp_path / "cut.ts", 0.3, 0.8))
    for name in ("av1.mp4", "theora.ogv", "vp8.webm"):
        whole = STREAMS[name](folder, tmp_path / f"w{name}")
        paths += [hard.damaged(whole, tmp_path / name, 900)]
    done = subprocess.run([sys.executable, "-c", QUIETLY, *map(str, paths)], capture_output=True,
                          check=True)  # fmt: skip
    assert (done.stdout, done.stderr) == (b"", b"")
