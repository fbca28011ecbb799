"""Make a clip of a moving test pattern, for a demonstration that needs no file of anybody's."""

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream

WIDTH, HEIGHT, RATE = 640, 360, 30
_KEY_EVERY = 48


def write_pattern(path: Path, seconds: int = 10, shots: int = 1) -> Path:
    """Write an H.264 MP4 (MPEG-4 where the encoder is missing) and return its path.

    It has as many shots, equally long, with a cut between them.
    """
    frames = seconds * RATE
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with av.open(str(path), "w", format="mp4") as container:
        stream = cast("VideoStream", container.add_stream(codec, rate=RATE))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base, stream.gop_size = Fraction(1, RATE), _KEY_EVERY
        for number in range(frames):
            picture = _picture(number, number * shots // frames)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _picture(number: int, shot: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """Draw colour bars that drift, a bright square that circles, and a bar for the second."""
    x, y = np.arange(WIDTH), np.arange(HEIGHT)[:, None]
    bars = ((x + 2 * number) // (WIDTH // 8)) % 8
    shade = (96 + 128 * y / HEIGHT).astype(np.uint8)
    picture = np.stack([np.where(bars & bit, shade, 24) for bit in (4, 2, 1)], axis=-1)
    angle = 2 * np.pi * number / (4 * RATE)
    left = int(WIDTH / 2 + WIDTH / 3 * np.cos(angle)) - 24
    top = int(HEIGHT / 2 + HEIGHT / 3 * np.sin(angle)) - 24
    picture[max(0, top) : top + 48, max(0, left) : left + 48] = 255
    picture[-16:, : WIDTH * (number % RATE) // RATE] = (255, 160, 0)
    # each shot has other colours: at a cut every pixel changes
    return np.roll(255 - picture if shot % 2 else picture, shot, axis=-1).astype(np.uint8)
