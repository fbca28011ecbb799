"""Flat graphics that have much in common and are no duplicates of each other.

Shapes on plain ground, icons, pages of one layout, charts, screens of one program, products on
white. Every one follows from the seed and its number.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Random = np.random.Generator
INKS = ((209, 73, 91), (46, 139, 87), (48, 102, 190), (30, 30, 30), (230, 160, 40))
FONT = cv2.FONT_HERSHEY_SIMPLEX
LETTERS = list("abcdefghijklmnopqrstuvwxyz")


def flat(seed: int, n: int) -> Pixels:
    """Return the nth graphic; the kinds take turns."""
    kind = list(KINDS)[n % len(KINDS)]
    return KINDS[kind](np.random.default_rng((seed, 5, n)))


def _ground(width: int, height: int, level: int) -> Pixels:
    return np.full((height, width, 3), level, np.uint8)


def _ink(draw: Random) -> tuple[int, int, int]:
    return INKS[int(draw.integers(len(INKS)))]


def _shape(draw: Random, picture: Pixels, x: float, y: float, half: float, colour: object) -> None:
    """Draw a circle, a square or a triangle around a place."""
    kind = int(draw.integers(3))
    if kind == 0:
        cv2.circle(picture, (int(x), int(y)), int(half), colour, -1)
        return
    ring = [(-1, -1), (1, -1), (1, 1), (-1, 1)] if kind == 1 else [(0, -1), (1, 1), (-1, 1)]
    corners = [(x + half * a, y + half * b) for a, b in ring]
    cv2.fillPoly(picture, [np.array(corners, np.int32)], colour)


def _shapes(draw: Random) -> Pixels:
    """Return one to three shapes, each in a quarter of its own."""
    picture = _ground(96, 96, 0)
    picture[:] = draw.integers(200, 240, 3)
    cells = draw.permutation(4)
    for n in range(int(draw.integers(1, 4))):
        half = draw.uniform(11, 21)
        x, y = (48 * int(cell) + draw.uniform(half, 48 - half) for cell in divmod(cells[n], 2))
        _shape(draw, picture, x, y, half, _ink(draw))
    return picture


def _icon(draw: Random) -> Pixels:
    """Return a sign in white on a disc or a rounded square."""
    picture = _ground(128, 128, 255)
    if draw.uniform() < 0.5:
        cv2.circle(picture, (64, 64), 58, _ink(draw), -1)
    else:
        cv2.rectangle(picture, (10, 10), (118, 118), _ink(draw), -1)
    for _ in range(int(draw.integers(1, 4))):
        x, y = draw.uniform(40, 88, 2)
        _shape(draw, picture, x, y, draw.uniform(8, 20), (255, 255, 255))
    return picture


def _word(draw: Random) -> str:
    return "".join(draw.choice(LETTERS, int(draw.integers(2, 10))))


def _lines(draw: Random, picture: Pixels, left: int, right: int, tops: range, size: float) -> None:
    """Write words until each line is full."""
    for y in tops:
        x = left
        while x < right:
            word = _word(draw)
            wide = cv2.getTextSize(word, FONT, size, 1)[0][0]
            if x + wide > right:
                break
            cv2.putText(picture, word, (x, y), FONT, size, (20, 20, 20), 1, cv2.LINE_AA)
            x += wide + int(16 * size)


def _page(draw: Random) -> Pixels:
    """Return a page of text with a title; all have the same margins and lines."""
    picture = _ground(420, 594, 255)
    _lines(draw, picture, 110, 320, range(50, 51), 0.8)
    _lines(draw, picture, 40, 380, range(90, 280, 18), 0.4)
    _lines(draw, picture, 40, 380, range(310, 560, 18), 0.4)
    return picture


def _chart(draw: Random) -> Pixels:
    """Return bars or a line between the same axes."""
    picture = _ground(480, 320, 255)
    cv2.line(picture, (50, 20), (50, 280), (0, 0, 0), 2)
    cv2.line(picture, (50, 280), (460, 280), (0, 0, 0), 2)
    for y in range(20, 280, 52):
        cv2.line(picture, (50, y), (460, y), (210, 210, 210), 1)
    count, ink = int(draw.integers(5, 12)), _ink(draw)
    tops = draw.uniform(30, 270, count)
    step = 410 / count
    if draw.uniform() < 0.5:
        for n, top in enumerate(tops):
            left = int(55 + n * step)
            cv2.rectangle(picture, (left, int(top)), (left + int(step * 0.7), 279), ink, -1)
    else:
        line = np.column_stack([55 + step * np.arange(count), tops]).astype(np.int32)
        cv2.polylines(picture, [line], False, ink, 3, cv2.LINE_AA)
    return picture


def _screen(draw: Random) -> Pixels:
    """Return a window with the same bars and cards that say something else."""
    picture = _ground(640, 400, 245)
    cv2.rectangle(picture, (0, 0), (640, 36), (48, 60, 90), -1)
    cv2.rectangle(picture, (0, 36), (130, 400), (225, 228, 235), -1)
    cv2.putText(picture, "Program", (12, 24), FONT, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    for y in range(70, 380, 40):
        cv2.putText(picture, "entry", (16, y), FONT, 0.45, (60, 60, 60), 1, cv2.LINE_AA)
    for y in (50, 165, 280):
        for x in (150, 315, 480):
            cv2.rectangle(picture, (x, y), (x + 145, y + 100), (255, 255, 255), -1)
            cv2.rectangle(picture, (x, y), (x + 145, y + 100), (200, 200, 200), 1)
            _shape(draw, picture, x + 25, y + 28, 14, _ink(draw))
            _lines(draw, picture, x + 50, x + 140, range(y + 25, y + 95, 16), 0.35)
    return picture


def _product(draw: Random) -> Pixels:
    """Return one thing of two parts in the middle of a white picture."""
    picture = _ground(400, 400, 255)
    wide, high = draw.uniform(50, 110, 2)
    ink = tuple(int(one) for one in draw.integers(30, 220, 3))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * draw.uniform(0.6, 1, (4, 1))
    body = (200, 215) + corners * (wide, high)
    cv2.fillPoly(picture, [body.astype(np.int32)], ink, cv2.LINE_AA)
    _shape(draw, picture, 200, 215 - high, draw.uniform(15, 45), _ink(draw))
    cv2.ellipse(picture, (200, 330), (int(wide), 8), 0, 0, 360, (225, 225, 225), -1)
    return picture


KINDS: dict[str, Callable[[Random], Pixels]] = {
    "shapes": _shapes,
    "icon": _icon,
    "page": _page,
    "chart": _chart,
    "screen": _screen,
    "product": _product,
}
