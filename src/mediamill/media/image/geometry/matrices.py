"""Matrices of the usual moves, 3×3, on (x, y, 1) with pixel centres at integers and y downwards.

All turn about the centre of a picture of `size` (width, height).
"""

import math
from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np

from mediamill.media.image.geometry.warp import Matrix, Size

Corners = Sequence[tuple[float, float]]


def rotation(size: Size, degrees: float) -> Matrix:
    """Turn counter-clockwise, as seen (torchvision's `rotate`)."""
    turn = math.radians(degrees)
    cos, sin = math.cos(turn), math.sin(turn)
    return _centred(size, np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]))


def scaling(size: Size, factor: float) -> Matrix:
    """Enlarge by a factor."""
    return _centred(size, np.diag([factor, factor, 1.0]))


def shearing(size: Size, x: float, y: float) -> Matrix:
    """Slant by degrees along x, then along y."""
    across = np.array([[1, math.tan(math.radians(x)), 0], [0, 1, 0], [0, 0, 1]])
    along = np.array([[1, 0, 0], [math.tan(math.radians(y)), 1, 0], [0, 0, 1]])
    return _centred(size, along @ across)


def translation(x: float, y: float) -> Matrix:
    """Move by pixels to the right and down."""
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def mirroring(size: Size, *, across: bool) -> Matrix:
    """Swap left and right (`across`), or top and bottom."""
    if across:
        return np.array([[-1.0, 0, size[0] - 1], [0, 1, 0], [0, 0, 1]])
    return np.array([[1.0, 0, 0], [0, -1, size[1] - 1], [0, 0, 1]])


def perspective(size: Size, corners: Corners) -> Matrix:
    """Move the corners (from the upper left, clockwise) inwards by shares of width and height.

    The third coordinate of the centre is 1: the centre is before the horizon.
    """
    right, lower = size[0] - 1, size[1] - 1
    before = np.array([(0, 0), (right, 0), (right, lower), (0, lower)], np.float32)
    inwards = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    after = before + np.array(corners) * inwards * (right, lower)
    matrix = cv2.getPerspectiveTransform(before, after.astype(np.float32))
    return cast("Matrix", matrix / (matrix[2] @ (right / 2, lower / 2, 1)))


def _centred(size: Size, matrix: Matrix) -> Matrix:
    x, y = (size[0] - 1) / 2, (size[1] - 1) / 2
    return translation(x, y) @ matrix @ translation(-x, -y)
