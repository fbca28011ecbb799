"""Read ICC profiles of the simple kind: curves and a matrix, or one curve for grey (ICC.1:2022).

Little CMS, as Pillow offers it, works on 8 bits only; these are enough for the 16-bit files of
cameras and editors: sRGB, Display P3, Adobe RGB, ProPhoto and the like.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]

_HEADER = 128
_COLORANTS = ("rXYZ", "gXYZ", "bXYZ")
_CURVES = ("rTRC", "gTRC", "bTRC")
_TABLES = frozenset({"A2B0", "A2B1", "A2B2", "D2B0", "D2B1", "D2B2"})
"""Tags of profiles that look colours up in space; they would be wrong without."""
_PARAMETERS = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}
"""How many numbers each kind of parametric curve has (section 10.18)."""


@dataclass(frozen=True)
class Profile:
    """Curves from device values to light, 0…1, and light to XYZ under D50; grey has no matrix."""

    curves: tuple[Curve, ...]
    matrix: Floats | None


def parsed(data: bytes) -> Profile | None:
    """Return a profile of curves and a matrix; None for other kinds and for damaged ones."""
    try:
        return _parsed(data)
    except (struct.error, ValueError, KeyError, IndexError, ZeroDivisionError, UnicodeDecodeError):
        return None


def _parsed(data: bytes) -> Profile | None:
    space, connection = data[16:20], data[20:24]
    tags = _tags(data)
    if data[36:40] != b"acsp" or connection != b"XYZ " or _TABLES & tags.keys():
        return None
    if space == b"GRAY":
        return Profile((_curve(tags["kTRC"]),), None)
    if space != b"RGB ":
        return None
    columns = [np.array(struct.unpack(">3i", tags[name][8:20])) / 65536 for name in _COLORANTS]
    return Profile(tuple(_curve(tags[name]) for name in _CURVES), np.stack(columns, axis=1))


def _tags(data: bytes) -> dict[str, bytes]:
    (count,) = struct.unpack_from(">I", data, _HEADER)
    places = range(_HEADER + 4, _HEADER + 4 + 12 * min(count, 100), 12)
    entries = (struct.unpack_from(">4sII", data, place) for place in places)
    return {name.decode("ascii"): data[start : start + size] for name, start, size in entries}


def _curve(tag: bytes) -> Curve:
    """Return a curve (sections 10.6 and 10.18); raises `ValueError` for what is none."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        values = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        return _table(values)
    if tag[:4] == b"para":
        (kind,) = struct.unpack_from(">H", tag, 8)
        numbers = struct.unpack_from(f">{_PARAMETERS[kind]}i", tag, 12)
        return _parametric(kind, [number / 65536 for number in numbers])
    raise ValueError("neither curv nor para")


def _table(values: Floats) -> Curve:
    if not len(values):
        return lambda x: x
    if len(values) == 1:
        return lambda x: x ** (values[0] / 256)
    places = np.linspace(0, 1, len(values))
    return lambda x: np.interp(x, places, values / 65535)


def _parametric(kind: int, numbers: list[float]) -> Curve:
    """Return (a·x + b)^g + e above d, c·x + f below it, with what a kind leaves out."""
    g, a, b, c, d, e, f = (*numbers, *(0.0,) * (7 - len(numbers)))
    if kind == 0:
        a, d = 1.0, -1.0
    elif kind < 3:
        c, d, e, f = 0.0, -b / a, c, c

    def curve(x: Floats) -> Floats:
        above = np.maximum(a * x + b, 0) ** g + e
        return cast("Floats", np.where(x >= d, above, c * x + f))

    return curve
