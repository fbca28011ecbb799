"""Count the frames of a GIF by its blocks, without decoding one (GIF89a, sections 15 to 27)."""

from typing import BinaryIO

MAX_FRAMES = 100_000
_EXTENSION, _IMAGE = b"\x21", b"\x2c"


def count_frames(stream: BinaryIO, most: int = MAX_FRAMES) -> int:
    """Return how many images follow each other, counting no further than `most`.

    What comes after damage is not counted, as no decoder would reach it.
    """
    screen = stream.read(13)
    if len(screen) < 13:
        return 1
    stream.read(_table_size(screen[10]))
    frames, most = 0, min(most, MAX_FRAMES)
    while frames < most and (block := stream.read(1)) in {_EXTENSION, _IMAGE}:
        if block == _EXTENSION:
            stream.read(1)
        else:
            frames += 1
            descriptor = stream.read(9)
            stream.read(_table_size(descriptor[8]) + 1 if len(descriptor) == 9 else 0)
        _skip_blocks(stream)
    return max(1, frames)


def _table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(stream: BinaryIO) -> None:
    while (size := stream.read(1)) and size[0]:
        stream.read(size[0])
