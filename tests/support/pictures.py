"""Small pictures of every kind that is stored, as files and as they are decoded."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mediamill.media.image.codecs.decode import decode
from mediamill.media.image.codecs.header import read_header
from mediamill.media.image.picture import Picture
from mediamill.operations.base import Context

KINDS = ("rgb", "rgb16", "grey", "grey16", "palette", "cmyk", "alpha", "alpha16")
SIZE = (83, 61)
"""Width, height: odd and not square, so that what mixes them up is seen."""


@cache
def smooth(width: int = SIZE[0], height: int = SIZE[1]) -> np.ndarray:
    """Waves of all three colours, 0…1."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = (np.sin(x * 9 + y) + 1) / 2, (np.cos(y * 7 - x) + 1) / 2, (x + y * y) / 2
    return np.stack(waves, axis=2)


@cache
def stored(kind: str) -> tuple[str, bytes]:
    """Return the media type and the bytes of a picture of a kind."""
    eight = np.rint(smooth() * 255).astype(np.uint8)
    deep = np.rint(smooth() * 65535).astype(np.uint16)
    share = np.rint(smooth()[:, :, 1:2] * 255).astype(np.uint8)
    if kind == "rgb16":
        return "image/png", _opencv(deep)
    if kind == "alpha16":
        return "image/png", _opencv(np.concatenate([deep, share.astype(np.uint16) * 257], axis=2))
    image = {
        "rgb": lambda: Image.fromarray(eight),
        "grey": lambda: Image.fromarray(eight[:, :, 0]),
        "grey16": lambda: Image.fromarray(deep[:, :, 0]),
        "palette": lambda: Image.fromarray(eight).quantize(64),
        "cmyk": lambda: Image.fromarray(eight).convert("CMYK"),
        "alpha": lambda: Image.fromarray(np.concatenate([eight, share], axis=2)),
    }[kind]()
    file, form = io.BytesIO(), "TIFF" if kind == "cmyk" else "PNG"
    image.save(file, form)
    return f"image/{form.lower()}", file.getvalue()


def _opencv(pixels: np.ndarray) -> bytes:
    code = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    return cv2.imencode(".png", cv2.cvtColor(pixels, code))[1].tobytes()


def decoded(media_type: str, data: bytes, deep: bool = True) -> Picture:
    """Decode a file as an operation is given it."""

    def source() -> io.BytesIO:
        return io.BytesIO(data)

    picture = decode(source, read_header(source(), media_type, "it"), "it", deep=deep)
    picture.digest = "5eed"
    return picture


def picture(kind: str) -> Picture:
    """Decode the picture of a kind."""
    return decoded(*stored(kind))


def context(seed: int = 0, **more: object) -> Context:
    """Return what surrounds a call that writes nothing."""
    return Context(Path("/nowhere"), seed=seed, **more)  # type: ignore[arg-type]


def grey_alpha16(pixels: np.ndarray) -> bytes:
    """Write H×W×2, grey and alpha, as PNG of 16 bits, which no library here writes."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 4, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)
