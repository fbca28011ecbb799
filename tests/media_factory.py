"""Clips made by FFmpeg's command line, and samples that this project did not make."""

import hashlib
import io
import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from mediamill.operations.work import Source
from tests.support.services import unavailable

NOISE = "noise=alls=20:allf=t:all_seed=7"
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-pix_fmt", "yuv420p")
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-tag:v", "hvc1")
_X265_QUIET = "log-level=error:pools=1:frame-threads=1"

kept: Path | None = None
"""Where all tests of a run find the clips that one of them has made, if there is such a place."""
opened: list[int] = []
"""Descriptors that the test has opened, until it ends."""


@lru_cache(maxsize=1)
def ffmpeg() -> str:
    """Return the yardstick's path."""
    return shutil.which("ffmpeg") or unavailable("these tests compare with the ffmpeg tool")


def run(*arguments: str | Path) -> bytes:
    """Run FFmpeg and return its standard output."""
    command = [ffmpeg(), "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def clip(
    path: Path,
    *output: str,
    rate: str = "30",
    seconds: float = 3,
    size: str = "320x180",
    filters: str = "",
    codec: tuple[str, ...] = X264,
    before: tuple[str, ...] = (),
) -> Path:
    """Write a moving pattern on which no two frames look alike."""
    graph = f"testsrc2=s={size}:r={rate}:d={seconds},{NOISE}" + (f",{filters}" if filters else "")
    arguments = (*before, "-f", "lavfi", "-i", graph, *codec, *output)
    if kept is None:
        run(*arguments, path)
        return path
    name = hashlib.sha256(repr((arguments, path.suffix)).encode()).hexdigest()[:32]
    there = kept / f"clip-{name}{path.suffix}"
    if not there.exists():
        mine = kept / f"{os.getpid()}-{there.name}"
        run(*arguments, mine)
        mine.rename(there)
    shutil.copyfile(there, path)
    return path


def vfr(path: Path) -> Path:
    """Frames at 30 a second with holes: every 7th and 11th, and a whole second, are missing."""
    holes = "select='mod(n,7)*mod(n,11)*not(between(n,40,70))'"
    return clip(path, "-g", "24", "-vsync", "vfr", seconds=4, filters=holes)


def rotated(path: Path, degrees: int = 90) -> Path:
    """A clip that is to be shown turned; the matrix is put in by a stream copy."""
    straight = clip(path.with_suffix(".straight.mp4"), seconds=1)
    run("-i", straight, "-c", "copy", "-metadata:s:v:0", f"rotate={degrees}", path)
    return path


def late(path: Path) -> Path:
    """Video that begins 1.3 s after the sound."""
    video = clip(path.with_suffix(".video.mp4"), "-g", "20")
    tone = ("-f", "lavfi", "-i", "sine=d=5")
    run(*tone, "-itsoffset", "1.3", "-i", video, "-map", "0", "-map", "1", "-c:v", "copy",
        "-c:a", "aac", path)  # fmt: skip
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    """A file with its index in front, of which only the first `share` arrived."""
    whole = clip(path.with_suffix(".whole.mp4"), "-g", "20", "-movflags", "+faststart")
    data = whole.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def hevc_open(path: Path, *output: str) -> Path:
    """HEVC with open groups of pictures: CRA key frames led by RASL pictures.

    It lasts longer than half a cycle of its picture order count (128 frames), beyond which a
    decoder that is not told of a gap mistakes later pictures for earlier ones.
    """
    options = f"keyint=16:min-keyint=16:open-gop=1:bframes=3:scenecut=0:{_X265_QUIET}"
    return clip(path, "-x265-params", options, *output, codec=X265, seconds=12, size="160x96")


def hevc_layers(path: Path) -> Path:
    """HEVC with temporal layers, where a non-reference picture may serve a higher layer."""
    options = f"keyint=24:bframes=4:b-adapt=0:temporal-layers=1:{_X265_QUIET}"
    return clip(path, "-x265-params", options, codec=X265)


def source(path: Path) -> Source:
    """Open a file the way a slot sees it, until the test ends."""
    descriptor = os.open(path, os.O_RDONLY)
    opened.append(descriptor)
    return Source(descriptor, path.name, "", path.stat().st_size)


def sample(name: str) -> Path:
    """Return a real file of `MEDIAMILL_SAMPLES`."""
    return _folder("MEDIAMILL_SAMPLES") / name


def hostile_images() -> list[Path]:
    """Return the images of `MEDIAMILL_HOSTILE`, of which there must be some."""
    found = sorted((_folder("MEDIAMILL_HOSTILE") / "images").iterdir())
    assert found, "MEDIAMILL_HOSTILE/images is empty"
    return found


def hostile_json() -> list[Path]:
    """Return documents that are not JSON, of which there must be some."""
    found = sorted((_folder("MEDIAMILL_HOSTILE") / "json").iterdir())
    assert found, "MEDIAMILL_HOSTILE/json is empty"
    return found


def _folder(variable: str) -> Path:
    value = os.environ.get(variable)
    return Path(value) if value else unavailable(f"{variable} is not set")


def hostile_names() -> Path:
    """Return the list of strings that break names and headers."""
    return _folder("MEDIAMILL_HOSTILE") / "names.json"


class Pipe(io.RawIOBase):
    """A target that cannot go back: a zip written to it has its sizes behind the data."""

    def __init__(self, target: io.BytesIO) -> None:
        self.target = target

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        return self.target.write(data)
