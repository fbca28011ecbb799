"""Extract frames: ours against the ffmpeg command line, on the same clip, in turns.

    .venv/bin/python benchmarks/frames.py [--seconds 60] [--rounds 5] [--codec h264|hevc]
        [--key 1.6] [--file CLIP …]

The clip is made: 1080p30 H.264, or 720p30 HEVC, with a key frame each `--key` seconds; or given.

Ours runs in this process, warm, and includes the archive, its index and all digests; ffmpeg
writes JPEG files of about the same size. CPU is user + system of all threads. Printed are
medians, and the ratio ours / ffmpeg last: below 1 is faster.
"""

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from mediamill.operations.base import Context, Source
from mediamill.operations.extract_frames import ExtractFrames

THREADS = os.cpu_count() or 1
QUALITY = ("-q:v", "2")
SOURCE = "testsrc2=s={size}:r=30:d={seconds:g},noise=alls=8:allf=t,gblur=1"
SIZES = {"h264": "1920x1080", "hevc": "1280x720"}
CODECS = {
    "h264": ("libx264", "-preset", "veryfast", "-crf", "26", "-g", "{key}", "-sc_threshold", "0"),
    "hevc": ("libx265", "-preset", "ultrafast", "-crf", "30", "-x265-params",
             "keyint={key}:min-keyint={key}:scenecut=0:bframes=3:log-level=error",
             "-tag:v", "hvc1"),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """The same question to both."""

    name: str
    ours: ExtractFrames
    before: tuple[str, ...]
    after: tuple[str, ...]


CASES = (
    Case("1 frame/s", ExtractFrames(fps=1), (), ("-vf", "fps=1")),
    Case("1 frame/5 s", ExtractFrames(fps=0.2), (), ("-vf", "fps=1/5")),
    Case("key frames", ExtractFrames(mode="keyframes"), ("-skip_frame", "nokey"), ("-vsync", "0")),
    Case("all", ExtractFrames(mode="all"), (), ("-vsync", "0")),
)


def main() -> None:
    """Make the clip, measure every case in turns, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--codec", choices=CODECS, default="h264")
    parser.add_argument("--key", type=float, default=1.6, help="seconds between key frames")
    parser.add_argument("--file", type=Path, nargs="*", default=[], help="clips to use instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = f"{options.codec} {SIZES[options.codec]}, key frames each {options.key:g} s"
        clips = {path.name: path for path in options.file} or {
            made: make_clip(Path(folder), options)
        }
        for name, clip in clips.items():
            print(f"{name}, {clip.stat().st_size / 1e6:.1f} MB, {THREADS} cores, "
                  f"median of {options.rounds}")  # fmt: skip
            print(f"{'':12} {'ours wall':>10} {'cpu':>7} {'MB':>6} {'ffmpeg wall':>12} {'cpu':>7} "
                  f"{'MB':>6} {'wall ratio':>11} {'cpu ratio':>10}")  # fmt: skip
            for case in CASES:
                print(compare(case, clip, Path(folder), options.rounds), flush=True)


def make_clip(folder: Path, options: argparse.Namespace) -> Path:
    """Write the clip that the options ask for."""
    path = folder / "clip.mp4"
    graph = SOURCE.format(size=SIZES[options.codec], seconds=options.seconds)
    codec = [part.format(key=round(30 * options.key)) for part in CODECS[options.codec]]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", graph, "-pix_fmt", "yuv420p",
         "-c:v", *codec, str(path)],
        check=True,
    )  # fmt: skip
    return path


def compare(case: Case, clip: Path, folder: Path, rounds: int) -> str:
    """Return a line of the table; the first run of ours only warms up."""
    run_ours(case, clip, folder)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(measured(lambda: run_ours(case, clip, folder)))
        theirs.append(measured(lambda: run_ffmpeg(case, clip, folder)))
    (wall, cpu, size), (wall2, cpu2, size2) = (
        [median(column) for column in zip(*runs, strict=True)] for runs in (ours, theirs)
    )
    return (f"{case.name:12} {wall:10.2f} {cpu:7.2f} {size / 1e6:6.1f} {wall2:12.2f} {cpu2:7.2f} "
            f"{size2 / 1e6:6.1f} {wall / wall2:11.2f} {cpu / cpu2:10.2f}")  # fmt: skip


def measured(work: Callable[[], int]) -> tuple[float, float, int]:
    """Return wall seconds, CPU seconds of this process and its children, and what `work` says."""
    begin, used = time.perf_counter(), cpu_seconds()
    result = work()
    return time.perf_counter() - begin, cpu_seconds() - used, result


def cpu_seconds() -> float:
    """Return user and system time of this process and of its finished children."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def run_ours(case: Case, clip: Path, folder: Path) -> int:
    """Extract to an archive and return its size in bytes."""
    descriptor = os.open(clip, os.O_RDONLY)
    source = Source(descriptor, clip.name, "video/mp4", clip.stat().st_size)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        outcome = case.ours.run(source, Context(Path(scratch), threads=THREADS))
    os.close(descriptor)
    return outcome.files[0].size


def run_ffmpeg(case: Case, clip: Path, folder: Path) -> int:
    """Extract to files and return their size in bytes."""
    target = Path(tempfile.mkdtemp(dir=folder))
    command = ["ffmpeg", "-v", "error", "-nostdin", *case.before, "-i", str(clip), *case.after]
    subprocess.run([*command, *QUALITY, str(target / "%06d.jpg")], check=True)
    size = sum(file.stat().st_size for file in target.iterdir())
    shutil.rmtree(target)
    return size


if __name__ == "__main__":
    main()
