"""A set of images in which duplicates are planted: which belong together is known.

The originals are disjoint tiles of real photographs, frames of real clips, and scenes that are put
together from pieces of them and from procedural textures. Some scenes share their place and differ
in what stands in it: these are no duplicates. Every image follows from the seed and its number.
"""

import functools
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from tests.support.flat import KINDS as FLAT
from tests.support.flat import flat
from tests.support.plain import KINDS as PLAINS
from tests.support.plain import plain

Pixels = NDArray[np.uint8]
Random = np.random.Generator
PHOTOS = ("phone-iphone.jpg", "phone-nokia.jpg", "phone-jolla.jpg", "gps-nikon.jpg",
          "orientation-6.jpg")  # fmt: skip
CLIPS = ("bottle-detection.mp4", "car-detection.mp4")
TILE = (480, 360)
PLAIN = 10
"""Standard deviation of a channel, in levels, below which a tile shows next to nothing."""
PER_PLACE = 4
"""Scenes that share a place."""


@dataclass(frozen=True)
class Planted:
    """One file of the set: `origin` is the same for those that are duplicates of each other."""

    name: str
    data: bytes
    origin: str
    how: str = ""
    """What was done to the original; empty for the original itself."""


def photo_tiles(folder: Path, *, little: bool = False) -> list[Pixels]:
    """Cut real photographs into tiles that have nothing in common.

    Those that show next to nothing, as plain sky, are left out: nobody can tell a part of one from
    a part of another. With `little` it is those alone.
    """
    tiles, (wide, high) = [], TILE
    for name in PHOTOS:
        with Image.open(folder / name) as image:
            pixels = np.array(image.convert("RGB"))
        height, width = pixels.shape[:2]
        tiles += [
            pixels[y : y + high, x : x + wide]
            for y in range(0, height - high + 1, high)
            for x in range(0, width - wide + 1, wide)
        ]
    rich = [bool(cv2.resize(tile, (32, 24)).std(axis=(0, 1)).max() > PLAIN) for tile in tiles]
    return [tile for tile, much in zip(tiles, rich, strict=True) if much is not little]


def frames(folder: Path, each: int) -> Iterator[tuple[str, Pixels]]:
    """Yield every so many frames of real clips, with the name of the clip."""
    for name in CLIPS:
        reader, n = cv2.VideoCapture(str(folder / name)), 0
        while (read := reader.read())[0]:
            if n % each == 0:
                yield name, cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
            n += 1


def texture(draw: Random, width: int, height: int) -> Pixels:
    """Return noise of several octaves, grey or coloured."""
    sums, weight, fall = np.zeros((height, width, 3), np.float32), 1.0, draw.uniform(0.4, 0.9)
    channels = int(draw.choice([1, 3]))
    for cells in (3, 6, 12, 24, 48):
        grid = draw.standard_normal((cells, cells * width // height + 1, channels))
        layer = cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        sums += weight * layer.reshape(height, width, channels)
        weight *= fall
    low, high = draw.uniform(0, 90), draw.uniform(140, 255)
    return ((sums - sums.min()) / np.ptp(sums) * (high - low) + low).astype(np.uint8)


def warped(draw: Random, tile: Pixels, width: int, height: int) -> Pixels:
    """Return a turned and scaled piece of a tile with other colours, mixed with noise."""
    centre = (draw.uniform(120, 360), draw.uniform(90, 270))
    matrix = cv2.getRotationMatrix2D(centre, draw.uniform(0, 360), draw.uniform(0.6, 1.6))
    piece = cv2.warpAffine(tile, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    part = draw.uniform(0.3, 0.6)
    mixed = cv2.addWeighted(piece, 1 - part, texture(draw, width, height), part, 0)
    return np.ascontiguousarray(mixed[:, :, draw.permutation(3)])


def put_objects(draw: Random, scene: Pixels, tiles: list[Pixels], share: float) -> Pixels:
    """Put shapes with textures of their own on a scene until they cover a share of it."""
    height, width = scene.shape[:2]
    scene, covered = scene.copy(), np.zeros((height, width), np.uint8)
    while cv2.mean(covered)[0] < share:
        size, corners = draw.uniform(0.08, 0.3) * height, int(draw.integers(3, 9))
        angles = np.sort(draw.uniform(0, 2 * np.pi, corners))
        ring = np.stack([np.cos(angles), np.sin(angles)], 1) * draw.uniform(0.5, 1, (corners, 1))
        side = int(2 * size) + 1
        mask = np.zeros((side, side), np.uint8)
        cv2.fillPoly(mask, [(size + size * ring).astype(np.int32)], 1)
        left, top = (int(draw.uniform(-size, far - size)) for far in (width, height))
        there = np.s_[max(0, top) : top + side, max(0, left) : left + side]
        high, wide = covered[there].shape
        part = np.s_[max(0, -top) : max(0, -top) + high, max(0, -left) : max(0, -left) + wide]
        cv2.copyTo(_fill(draw, tiles, side, side)[part], mask[part], scene[there])
        covered[there] |= mask[part]
    return scene


def _fill(draw: Random, tiles: list[Pixels], width: int, height: int) -> Pixels:
    kind = draw.uniform()
    if kind < 0.3:
        return np.full((height, width, 3), draw.integers(0, 256, 3), np.uint8)
    if kind < 0.6 or not tiles:
        return texture(draw, width, height)
    return warped(draw, tiles[int(draw.integers(len(tiles)))], width, height)


def scene(seed: int, n: int, tiles: list[Pixels]) -> Pixels:
    """Return the nth scene; of each eight, four share their place and differ in the objects."""
    shared = n // PER_PLACE % 2 == 0
    place = np.random.default_rng((seed, 1, n // PER_PLACE if shared else n, shared))
    width, height = int(place.integers(400, 640)), int(place.integers(320, 480))
    if tiles and place.uniform() < 0.6:
        back = warped(place, tiles[int(place.integers(len(tiles)))], width, height)
    else:
        back = texture(place, width, height)
    draw = np.random.default_rng((seed, 2, n))
    return put_objects(draw, back, tiles, float(draw.uniform(0.25, 0.6)))


def jpeg(pixels: Pixels, quality: int = 90) -> bytes:
    """Encode with 4:2:0 chroma."""
    whole = np.ascontiguousarray(pixels)
    data: bytes = simplejpeg.encode_jpeg(
        whole, quality=quality, colorspace="RGB", colorsubsampling="420"
    )
    return data


def _reencoded(draw: Random, pixels: Pixels) -> tuple[Pixels, bytes]:
    form = str(draw.choice(["JPEG", "WEBP", "PNG"]))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, quality=int(draw.integers(30, 80)), compress_level=1)
    return pixels, file.getvalue()


def _cropped(draw: Random, pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    wide, high = (draw.uniform(0.7, 0.95, 2) * (width, height)).astype(int)
    left, top = int(draw.integers(width - wide + 1)), int(draw.integers(height - high + 1))
    return pixels[top : top + high, left : left + wide]


def _resized(draw: Random, pixels: Pixels) -> Pixels:
    scale = draw.uniform(0.35, 1.8)
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(pixels, size, interpolation=how)


def _stretched(draw: Random, pixels: Pixels) -> Pixels:
    size = (pixels.shape[1], round(pixels.shape[0] * draw.uniform(0.75, 1.33)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _several(draw: Random, pixels: Pixels) -> Pixels:
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    return _resized(draw, _cropped(draw, mirrored))


CHANGES: dict[str, Callable[[Random, Pixels], Any]] = {
    "re-encode": _reencoded,
    "crop": _cropped,
    "flip": lambda draw, pixels: pixels[:, ::-1],
    "flip-vertically": lambda draw, pixels: pixels[::-1],
    "resize": _resized,
    "stretch": _stretched,
    "crop-flip-resize": _several,
}
"""Crops keep 70 … 95 % of each side; files are 0.35 … 1.8 times the size; quality is 30 … 95."""


def changed(seed: int, n: int, pixels: Pixels, how: str) -> bytes:
    """Return the file of a changed copy."""
    draw = np.random.default_rng((seed, 3, n, list(CHANGES).index(how)))
    made = CHANGES[how](draw, pixels)
    if isinstance(made, tuple):
        return bytes(made[1])
    return jpeg(made, int(draw.integers(60, 96)))


def planted(
    count: int, copies: int, seed: int = 8, folder: Path | None = None, little: int = 0
) -> Iterator[Planted]:
    """Yield so many originals, then copies of them, each changed in one of the ways of `CHANGES`.

    With a folder of samples there are tiles of real photographs, which are copied in every way, and
    frames of real clips, which have one origin for each clip. Scenes are copied once. `little` more
    originals show little or are flat graphics of one kind; none of these is copied.
    """
    makers = list(_originals(count, seed, folder))
    for n, (origin, make) in enumerate(makers):
        yield Planted(f"{n:05d}.jpg", jpeg(make()), origin)
    for k, (n, how) in enumerate(_copied(makers, copies, seed)):
        origin, make = makers[n]
        yield Planted(f"{n:05d}-{k}-{how}.jpg", changed(seed, k, make(), how), origin, how)
    for n, (origin, pixels) in enumerate(_little(little, seed, folder)):
        yield Planted(f"little-{n:05d}.jpg", jpeg(pixels), origin)


def _little(count: int, seed: int, folder: Path | None) -> Iterator[tuple[str, Pixels]]:
    """Yield the plain tiles of photographs, then plain pictures and flat graphics in turn."""
    tiles = photo_tiles(folder, little=True)[:count] if folder else []
    for n, tile in enumerate(tiles):
        yield f"little-tile-{n}", tile
    for n in range(count - len(tiles)):
        if n % 2:
            yield f"little-{list(FLAT)[n // 2 % len(FLAT)]}-{n}", flat(seed, n // 2)
        else:
            yield f"little-{list(PLAINS)[n // 2 % len(PLAINS)]}-{n}", plain(seed, n // 2)


Maker = tuple[str, Callable[[], Pixels]]


def _copied(makers: list[Maker], copies: int, seed: int) -> list[tuple[int, str]]:
    """Return which original is copied in which way."""
    mixed = [int(n) for n in np.random.default_rng((seed, 4)).permutation(len(makers))]
    tiles = [n for n in mixed if makers[n][0].startswith("tile-")]
    every = [(n, how) for n in tiles for how in CHANGES]
    once = [n for n in mixed if makers[n][0].startswith("scene-")]
    hows = list(CHANGES)
    return (every + [(n, hows[k % len(hows)]) for k, n in enumerate(once)])[:copies]


def _originals(count: int, seed: int, folder: Path | None) -> Iterator[Maker]:
    tiles: list[Pixels] = photo_tiles(folder) if folder else []
    made = 0
    for n, tile in enumerate(tiles[:count]):
        yield f"tile-{n}", functools.partial(np.copy, tile)
        made += 1
    if folder and count >= 1000:
        for name, frame in frames(folder, 30):
            yield name, functools.partial(np.copy, frame)
            made += 1
    for n in range(count - made):
        yield f"scene-{n}", functools.partial(scene, seed, n, tiles)
