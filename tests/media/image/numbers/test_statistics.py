"""Numbers of a picture are those of their formulas, written out in NumPy, at 8 and at 16 bits."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from tests import media_factory as make

from mediamill.media.image.numbers.statistics import statistics
from mediamill.operations.base import Context
from mediamill.operations.health_check import HealthCheck

TOLERANCE = 1e-6
"""Relative: OpenCV sums in doubles, in another order."""


def reference(pixels: Any) -> dict[str, Any]:
    """Return the numbers by their formulas, in units of 8 bits."""
    top = 65535 if pixels.dtype == np.uint16 else 255
    values = pixels[:, :, :3].astype(np.float64)
    mask = pixels[:, :, 3] > 0 if pixels.shape[2] == 4 else np.ones(pixels.shape[:2], bool)
    luma = np.rint(values @ [0.299, 0.587, 0.114])
    around = np.pad(luma, 1, mode="reflect")
    edges = (around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]) - 4 * luma
    near = np.pad(mask, 1, mode="edge")
    inner = mask & near[:-2, 1:-1] & near[2:, 1:-1] & near[1:-1, :-2] & near[1:-1, 2:]
    chosen, unit = values[mask], top / 255
    y = luma[mask]
    return {
        "mean": chosen.mean(0) / unit,
        "snr": [m / s if s else None for m, s in zip(chosen.mean(0), chosen.std(0), strict=True)],
        "luminance": y.mean() / unit,
        "sharpness": edges[inner].std() / unit,
        "contrast_michelson": (y.max() - y.min()) / (y.max() + y.min()),
        "contrast_rms": y.std() / top,
        "visible": mask.mean(),
    }


def scene(deep: bool = False, channels: int = 3, size: tuple[int, int] = (61, 83)) -> Any:
    """Return noise on a gradient, with a quarter that is transparent where there is alpha."""
    draw = np.random.default_rng(5)
    top = 65535 if deep else 255
    ramp = np.linspace(0.1, 0.8, size[1])[None, :, None] * [1.0, 0.7, 0.4]
    values = np.clip(ramp + draw.normal(0, 0.08, (*size, 3)), 0, 1) * top
    pixels = np.rint(values).astype(np.uint16 if deep else np.uint8)
    if channels == 4:
        alpha = np.full((*size, 1), top, pixels.dtype)
        alpha[: size[0] // 2, : size[1] // 2] = 0
        alpha[-5:, -5:] = top // 3
        pixels = np.concatenate([pixels, alpha], axis=2)
    return pixels


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("deep", [False, True])
def test_every_number_is_that_of_its_formula(deep: bool, channels: int):
    pixels = scene(deep, channels)
    found, expected = statistics(pixels), reference(pixels)
    for name, value in expected.items():
        # Y is rounded by OpenCV in fixed point, now and then to the other neighbour
        loose = 3e-4 if name in {"luminance", "sharpness"} else 1e-4
        allowed = TOLERANCE if name in {"mean", "snr", "visible"} else loose
        assert getattr(found, name) == pytest.approx(value, rel=allowed), name
    assert found.depth == (16 if deep else 8)


def test_sixteen_bits_tell_what_eight_cannot():
    """A ramp within one level of 8 bits has sharpness 0 there and contrast here."""
    ramp = (32896 + np.arange(100) % 50).astype(np.uint16)
    pixels = np.repeat(np.repeat(ramp[None, :, None], 20, 0), 3, 2)
    found = statistics(pixels)
    assert found.contrast_rms == pytest.approx(ramp.std() / 65535, rel=1e-6)
    assert found.mean[0] == pytest.approx(ramp.mean() / 257, rel=1e-9)
    assert statistics((pixels >> 8).astype(np.uint8)).contrast_rms == 0


def test_an_even_picture_has_no_signal_to_noise_ratio():
    found = statistics(np.full((8, 9, 3), 70, np.uint8))
    assert found.snr == (None, None, None)
    assert (found.sharpness, found.contrast_rms, found.contrast_michelson) == (0, 0, 0)
    assert statistics(np.zeros((1, 1, 3), np.uint8)).contrast_michelson == 0


def test_what_is_transparent_counts_nowhere():
    clear = scene(channels=4)
    other = clear.copy()
    other[:30, :41, :3] = 255 - other[:30, :41, :3]
    hidden = np.zeros((4, 4, 4), np.uint8)
    assert np.array_equal(clear[:, :, 3], other[:, :, 3])
    one, two = statistics(clear), statistics(other)
    assert (one.mean, one.snr, one.sharpness, one.contrast_rms) == (
        two.mean, two.snr, two.sharpness, two.contrast_rms,
    )  # fmt: skip
    assert statistics(hidden).visible == 0


def kinds(folder: Path) -> dict[str, tuple[Path, Any]]:
    """Write one scene as every kind of image, and say what pixels are to be measured."""
    rgb, deep = scene(), scene(deep=True)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    alpha = scene(channels=4)
    palette = Image.fromarray(rgb).quantize(64)
    made: dict[str, tuple[Any, Any]] = {
        "rgb.png": (Image.fromarray(rgb), rgb),
        "grey.png": (Image.fromarray(grey), np.dstack([grey] * 3)),
        "grey16.png": (Image.fromarray(deep[:, :, 0]), np.dstack([deep[:, :, 0]] * 3)),
        "palette.png": (palette, np.array(palette.convert("RGB"))),
        "alpha.png": (Image.fromarray(alpha), alpha),
    }
    paths = {}
    for name, (image, pixels) in made.items():
        image.save(folder / name)
        paths[name] = (folder / name, pixels)
    cv2.imwrite(str(folder / "rgb16.png"), cv2.cvtColor(deep, cv2.COLOR_RGB2BGR))
    paths["rgb16.png"] = (folder / "rgb16.png", deep)
    cmyk = Image.fromarray(rgb).convert("CMYK")
    cmyk.save(folder / "cmyk.jpg", quality=95)
    with Image.open(folder / "cmyk.jpg") as image:
        paths["cmyk.jpg"] = (folder / "cmyk.jpg", np.array(image.convert("RGB")))
    return paths


def test_files_of_every_kind_are_measured_at_their_depth(tmp_path: Path):
    step, context = HealthCheck(), Context(tmp_path)
    for name, (path, pixels) in kinds(tmp_path).items():
        (picture,) = step.originals(make.source(path), context)
        measured, expected = step.measure_picture(picture, context), reference(pixels)
        assert measured["depth"] == (16 if "16" in name else 8), name
        for number in ("mean", "luminance", "sharpness", "contrast_rms", "visible"):
            # measures are rounded to four digits after the point, contrasts to six
            assert measured[number] == pytest.approx(expected[number], rel=4e-4, abs=6e-5), name
