"""Hard videos: odd containers, cuts, colours and shapes, each written by its own small function."""

import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from tests import media_factory as make

QUIET = "log-level=error:pools=1:frame-threads=1"
HDR_TAGS = ("-color_primaries", "bt2020", "-colorspace", "bt2020nc")
SMOOTH = "gradients=s=640x360:d=0.4:r=5:n=6:seed=3:speed=0.02"
MATRICES = {
    "upright": (1, 0, 0, 1),
    "right": (0, 1, -1, 0),
    "over": (-1, 0, 0, -1),
    "left": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "flipped": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transverse": (0, -1, -1, 0),
}
"""a, b, c, d of a display matrix (ISO/IEC 14496-12, 8.2.2)."""
Picture = np.ndarray


def copied(source: Path, path: Path, *options: str, before: tuple[str, ...] = ()) -> Path:
    """Write the packets of another file."""
    make.run(*before, "-i", source, "-c", "copy", *options, path)
    return path


def part(source: Path, path: Path, first: float = 0, last: float = 1) -> Path:
    """Write the bytes between two shares of a file."""
    data = source.read_bytes()
    path.write_bytes(data[int(len(data) * first) : int(len(data) * last)])
    return path


def damaged(source: Path, path: Path, size: int = 4000) -> Path:
    """Write a file with noise in its middle."""
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + size] = np.random.default_rng(1).bytes(size)
    path.write_bytes(data)
    return path


def turned(source: Path, path: Path, matrix: tuple[int, ...]) -> Path:
    """Write an MP4 with another display matrix in its track header."""
    data = bytearray(source.read_bytes())
    place = data.index(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in matrix)
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def hdr(path: Path, transfer: str, *, extra: str = "", graph: str = SMOOTH) -> Path:
    """Write 10-bit BT.2020 HEVC with a transfer characteristic and mastering metadata."""
    options = f"{QUIET}:transfer={transfer}:colorprim=bt2020:colormatrix=bt2020nc{extra}"
    make.run("-f", "lavfi", "-i", graph, "-vf", "scale=out_color_matrix=bt2020,format=yuv420p10le",
             "-c:v", "libx265", "-preset", "ultrafast", "-crf", "8", "-x265-params", options,
             "-color_trc", transfer, *HDR_TAGS, path)  # fmt: skip
    return path


def transparent(path: Path, codec: tuple[str, ...], pixel_format: str, most: int = 255) -> Path:
    """Write frames whose alpha grows from left to right."""
    ramp = f"geq=lum='p(X,Y)':cb='p(X,Y)':cr='p(X,Y)':a='{most}*X/(W-1)'"
    depth = "yuva444p10le" if most > 255 else "yuva420p"
    return make.clip(
        path,
        seconds=0.2,
        filters=f"format={depth},{ramp}",
        codec=("-c:v", *codec, "-pix_fmt", pixel_format),
    )


def two_streams(path: Path, main: Path, other: Path, *dispositions: str) -> Path:
    """Write two video streams; the dispositions are those of the first and the second."""
    flags = [x for n, flag in enumerate(dispositions) for x in (f"-disposition:v:{n}", flag)]
    make.run("-i", main, "-i", other, "-map", "0:v", "-map", "1:v", "-c", "copy", *flags, path)
    return path


def sound(path: Path, *options: str | Path) -> Path:
    """Write a tone."""
    make.run("-f", "lavfi", "-i", "sine=d=0.5", *options, path)
    return path


def cover(path: Path) -> Path:
    """Write a picture such as music files carry."""
    make.run("-f", "lavfi", "-i", "testsrc=s=640x640:d=0.1", "-frames:v", "1", path)
    return path


def times(path: Path) -> list[float]:
    """Return the presentation times that FFmpeg decodes."""
    text = make.run("-i", path, "-map", "0:v:0", "-vsync", "passthrough", "-f", "framecrc", "-")
    base, found = 1.0, []
    for line in text.decode().splitlines():
        if line.startswith("#tb"):
            number, _, scale = line.split(":")[1].strip().partition("/")
            base = int(number) / int(scale)
        elif line[0] != "#":
            found.append(int(line.split(",")[2]) * base)
    return found


def drawn(path: Path, pictures: Iterable[Picture], *output: str, rate: int = 25) -> Path:
    """Write H×W×3 pictures as a video."""
    made = [np.clip(picture, 0, 255).astype(np.uint8) for picture in pictures]
    size = f"{made[0].shape[1]}x{made[0].shape[0]}"
    given = (
        "-v",
        "error",
        "-y",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        size,
        "-r",
        str(rate),
    )
    command = [make.ffmpeg(), *given, "-i", "-", *(output or make.X264), str(path)]
    subprocess.run(command, input=b"".join(picture.tobytes() for picture in made), check=True)
    return path


def scenery(seed: int, width: int = 960, height: int = 400) -> Picture:
    """Return an H×W×3 picture with large and small shapes, of colours that differ by the seed."""
    draw = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32) + draw.uniform(60, 190, 3)
    for share in (0.3, 0.1, 0.03):
        small = draw.normal(0, 1, (max(2, int(4 / share * height / width)), int(4 / share), 3))
        picture += 28 * cv2.resize(small.astype(np.float32), (width, height))
    for _ in range(25):
        place = draw.integers((0, 0), (width, height))
        size = draw.integers(8, 60)
        cv2.circle(picture, tuple(map(int, place)), int(size), tuple(draw.uniform(0, 255, 3)), -1)
    return np.clip(picture, 0, 255)


def panned(seed: int, frames: int, step: float = 1, start: int = 0) -> list[Picture]:
    """Return views of 320×180 that move over one scenery, with the noise of a camera."""
    scene, draw = scenery(seed), np.random.default_rng(seed + 100)
    noise = draw.normal(0, 3, (200, 360, 3)).astype(np.float32)
    views = (scene[20:200, int(start + n * step) :][:, :320] for n in range(frames))
    return [view + noise[n * 7 % 20 :, n * 11 % 40 :][:180, :320] for n, view in enumerate(views)]
