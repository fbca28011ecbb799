"""The picture that providers are tried on: a house, a tree and the sun, drawn for this."""

import struct
from functools import cache
from importlib.resources import files

FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of JPEG that begin a frame and tell its size (ITU-T T.81, table B.1)."""


@cache
def sample() -> bytes:
    """Return the sample, a JPEG."""
    return files("mediamill.services.models").joinpath("sample.jpg").read_bytes()


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG that we wrote; raises `ValueError`."""
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        place += 2 + length
    raise ValueError("this is no JPEG")
