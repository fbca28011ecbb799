"""Lead HDR and wide-gamut frames to the sRGB that pictures are looked at in.

HLG and PQ (ITU-R BT.2100, tables 4 and 5) become light on a display of 1000 cd/m², in units of
100 cd/m² (SDR white). The primaries are changed to BT.709's (BT.2087, linear), and all three
channels of a pixel are scaled alike, by Hable's curve over the largest of them, so that hues stay.
The curve ends at the brightest value that the video announces. This is FFmpeg's

    zscale=t=linear:npl=100,zscale=p=bt709,tonemap=hable:desat=0,zscale=t=iec61966-2-1

Frames of SDR with wide primaries (BT.2020, Display P3) are only brought to BT.709's, under sRGB's
own curve, so greys do not change. Pixels are worked on in bands that stay in the processor's cache.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Deep = NDArray[np.uint16]
Floats = NDArray[np.float32]
Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_PQ, _HLG = 16, 18
"""AVColorTransferCharacteristic (ITU-T H.273, table 3)."""
DEFAULT_PEAK = 10.0
"""1000 cd/m², for videos that announce nothing."""
_MOST = 100.0
_BANDS = 64
_BITS = 12
"""Depth to which samples are looked up: finer than any video's steps."""
_OUT = 1 << 14
_OOTF = 0.2
"""System gamma - 1 of HLG at 1000 cd/m² (BT.2100, table 5)."""
_BT709 = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_PRIMARIES = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""BT.2020 and Display P3 by AVColorPrimaries: x and y of red, green and blue; white is D65."""
_D65 = (0.3127, 0.3290)
_LIGHT_LEVEL = struct.Struct("=II")
_MASTERING = struct.Struct("=64x8x4i")
"""AVMasteringDisplayMetadata from the most luminance on: a fraction, and two flags."""


@dataclass(frozen=True)
class Grade:
    """How R'G'B' of a frame becomes sRGB."""

    light: Floats
    """Linear light of each sample value, indexed by its upper `_BITS` bits."""
    matrix: Floats
    """4×3: to BT.709 red, green and blue, and to the luminance of the source."""
    scene: bool
    """Light is that of the scene (HLG), and the display's gamma is still to be applied."""
    peak: float | None
    """Brightest light in SDR whites, for the tone curve; None for SDR."""

    def apply(self, deep: Deep) -> Pixels:
        """Return H×W×3 sRGB, 8 bits, of H×W×3 R'G'B' with 16 bits."""
        out = np.empty(deep.shape, np.uint8)
        for top in range(0, len(deep), _BANDS):
            self._band(deep[top : top + _BANDS], out[top : top + _BANDS])
        return out

    def _band(self, deep: Deep, out: Pixels) -> None:
        light = self.light.take(deep >> (16 - _BITS))
        red, green, blue, luminance = cv2.split(cv2.transform(light, self.matrix))
        factor = self._factor(cv2.max(cv2.max(red, green), blue), luminance)
        table = _srgb_table()
        for place, channel in enumerate((red, green, blue)):
            scaled = channel if factor is None else channel * factor
            index = np.clip(scaled * (_OUT - 1) + 0.5, 0, _OUT - 1).astype(np.uint16)
            out[:, :, place] = table.take(index)

    def _factor(self, largest: Any, luminance: Any) -> Floats | None:
        """Return what each pixel's channels are multiplied with; None for SDR."""
        if self.peak is None:
            return None
        gain = DEFAULT_PEAK * cv2.pow(np.maximum(luminance, 1e-9), _OOTF) if self.scene else 1.0
        signal = np.maximum(largest * gain, 1e-6)
        return cast("Floats", gain * _hable(signal) / signal / np.float32(_hable(self.peak)))


def grade_of(frame: VideoFrame, peak: float = DEFAULT_PEAK) -> Grade | None:
    """Return how to grade a frame, or None where its R'G'B' is taken for sRGB as it is."""
    transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
    if transfer in {_PQ, _HLG}:
        return _grade(transfer, primaries if primaries in _PRIMARIES else 9, peak)
    return _grade(0, primaries, 0.0) if primaries in _PRIMARIES else None


def is_hdr(transfer: int) -> bool:
    """Tell whether a transfer characteristic is HLG or PQ."""
    return transfer in {_PQ, _HLG}


def announced_peak(frame: VideoFrame) -> float:
    """Return the brightest light in SDR whites that the metadata of an HDR frame tells.

    The content's light level counts before that of the display it was mastered on.
    """
    level, display = (
        bytes(cast("Any", data)) if data is not None else b""
        for data in map(frame.side_data.get, ("CONTENT_LIGHT_LEVEL", "MASTERING_DISPLAY_METADATA"))
    )
    nits = 0.0
    if len(level) >= _LIGHT_LEVEL.size:
        nits = float(_LIGHT_LEVEL.unpack_from(level)[0])
    if not nits and len(display) >= _MASTERING.size:
        most, scale, _, known = _MASTERING.unpack_from(display)
        nits = most / scale if known and scale > 0 else 0.0
    return min(_MOST, max(1.0, nits / 100)) if nits > 0 else DEFAULT_PEAK


@lru_cache(maxsize=8)
def _grade(transfer: int, primaries: int, peak: float) -> Grade:
    values = np.linspace(0, 1, 1 << _BITS)
    curve: Curve = {_PQ: _pq, _HLG: _hlg}.get(transfer, _srgb_light)
    to_xyz = _to_xyz(_PRIMARIES[primaries])
    matrix = np.vstack([np.linalg.inv(_to_xyz(_BT709)) @ to_xyz, to_xyz[1]])
    return Grade(
        light=curve(values).astype(np.float32),
        matrix=matrix.astype(np.float32),
        scene=transfer == _HLG,
        peak=peak or None,
    )


def _pq(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light in units of 100 cd/m² (BT.2100, table 4, EOTF)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = value ** (1 / m2)
    return 100 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def _hlg(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light of the scene, 0…1 (BT.2100, table 5, inverse OETF)."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)


def _srgb_light(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light, 0…1 (IEC 61966-2-1)."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


@lru_cache(maxsize=1)
def _srgb_table() -> Pixels:
    """Return the 8-bit sRGB value of each of `_OUT` steps of light."""
    light = np.linspace(0, 1, _OUT)
    value = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return cast("Pixels", np.rint(value * 255).astype(np.uint8))


def _hable(light: Any) -> Any:
    """Hable's curve (Filmic Tonemapping Operators, 2010) with the numbers of FFmpeg's tonemap."""
    return (light * (0.15 * light + 0.05) + 0.004) / (light * (0.15 * light + 0.5) + 0.06) - 1 / 15


def _to_xyz(primaries: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    """Return the matrix from linear R, G, B to X, Y, Z, white being D65 (SMPTE RP 177)."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    x, y = _D65
    white = np.array([x / y, 1.0, (1 - x - y) / y])
    return cast("NDArray[np.float64]", columns * np.linalg.solve(columns, white))
