"""Each correction against a reference written out, at both depths and with alpha."""

import colorsys
import math

import numpy as np
import pytest

from mediamill.core.errors import LimitExceeded
from mediamill.media.image.depth import top
from mediamill.media.image.effects import corrections
from mediamill.media.image.effects.tone import recoloured
from mediamill.media.image.geometry import placing
from mediamill.media.image.numbers.levels import levels

KINDS = ("rgb", "deep", "alpha", "grey", "deep-alpha")


def pictured(kind: str = "rgb", seed: int = 3, low: float = 0.1, high: float = 0.6) -> np.ndarray:
    """Make smooth colours with some noise, 60 × 48; a quarter is transparent with alpha."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:48, 0:60]
    waves = [np.sin(x / (7 + 3 * c) + c) * np.cos(y / (5 + 2 * c)) for c in range(3)]
    shares = np.stack(waves, axis=2) * 0.5 + 0.5
    plain = np.repeat(shares[:, :, :1], 3, axis=2)
    shares = low + (high - low) * (plain if kind == "grey" else shares * (1.0, 0.7, 0.5))
    noise = generator.normal(0, 0.01, (48, 60, 1 if kind == "grey" else 3))
    most = 65_535 if "deep" in kind else 255
    pixels = np.clip((shares + noise) * most, 0, most).round()
    pixels = pixels.astype(np.uint16 if "deep" in kind else np.uint8)
    if "alpha" not in kind:
        return pixels
    alpha = np.full((48, 60, 1), most, pixels.dtype)
    alpha[:24, :30] = 0
    return np.concatenate([pixels, alpha], axis=2)


def seen(pixels: np.ndarray) -> np.ndarray:
    """Return the colours that show as shares of white, N×3."""
    colours = pixels[:, :, :3].reshape(-1, 3) / top(pixels)
    if pixels.shape[2] == 3:
        return colours
    return colours[pixels[:, :, 3].ravel() > 0]


def grey_of(colours: np.ndarray) -> np.ndarray:
    return colours @ np.array([0.299, 0.587, 0.114])


@pytest.mark.parametrize("kind", KINDS)
def test_levels_are_what_their_definitions_say(kind: str):
    pixels = pictured(kind)
    found, colours = levels(pixels), seen(pixels)
    grey = grey_of(colours)
    assert found["brightness"] == pytest.approx(grey.mean(), abs=1e-5)
    assert found["contrast"] == pytest.approx(grey.std(), abs=1e-5)
    hsv = np.array([colorsys.rgb_to_hsv(*colour) for colour in colours])
    assert found["saturation"] == pytest.approx(hsv[:, 1].mean(), abs=1e-4)
    chroma = hsv[:, 1] * hsv[:, 2]
    vector = (chroma * np.exp(2j * math.pi * hsv[:, 0])).mean()
    assert found["chroma"] == pytest.approx(abs(vector), abs=1e-4)
    if kind != "grey":
        turn = math.atan2(vector.imag, vector.real) / (2 * math.pi) % 1
        assert found["hue"] == pytest.approx(turn, abs=1e-3)
    whole = grey_of(pixels[:, :, :3].reshape(-1, 3) / top(pixels)).reshape(48, 60)
    padded = np.pad(whole, 1, mode="reflect")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    assert found["sharpness"] == pytest.approx((around - 4 * whole).std(), abs=1e-5)


def test_the_hue_of_reds_around_zero_is_red():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[:, 0], pixels[:, 1] = (255, 0, 40), (255, 40, 0)
    hue = levels(pixels)["hue"]
    assert min(hue, 1 - hue) < 0.001


def test_noise_is_found_as_it_was_made():
    for sigma in (0.01, 0.05):
        noise = np.random.default_rng(1).normal(0.5, sigma, (200, 200, 1))
        deep = (np.clip(np.repeat(noise, 3, axis=2), 0, 1) * 65_535).round().astype(np.uint16)
        assert levels(deep)["noise"] == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "targets"),
    [("brightness", (0.2, 0.5, 0.7)), ("contrast", (0.05, 0.2)), ("saturation", (0.1, 0.8)),
     ("sharpness", (0.02, 0.08))],
)  # fmt: skip
def test_a_number_is_brought_to_its_target(kind: str, name: str, targets: tuple[float, ...]):
    correct = {
        "brightness": corrections.brightened, "contrast": corrections.contrasted,
        "saturation": corrections.saturated, "sharpness": corrections.sharpened,
    }[name]  # fmt: skip
    if kind == "grey" and name == "saturation":
        assert np.array_equal(correct(pictured(kind), 0.0)[:, :, 0], pictured(kind)[:, :, 0])
        return
    pixels = pictured(kind)
    for target in targets:
        made = correct(pixels, target)
        assert (made.dtype, made.shape) == (pixels.dtype, pixels.shape)
        assert levels(made)[name] == pytest.approx(target, rel=0.06)
        if "alpha" in kind:
            assert np.array_equal(made[:, :, 3], pixels[:, :, 3])


@pytest.mark.parametrize("kind", ["rgb", "deep"])
def test_the_curves_are_those_that_are_named(kind: str):
    pixels = pictured(kind)
    most, shares = top(pixels), pixels / top(pixels)
    made = corrections.brightened(pixels, 0.6) / most
    power = np.log(made[20, 20] + 1e-9) / np.log(shares[20, 20])
    assert np.abs(made - shares ** power.mean()).max() < (0.02 if kind == "rgb" else 0.001)
    ramp = np.repeat(np.arange(256, dtype=pixels.dtype)[None, :, None] * (most // 255), 3, axis=2)
    curved = recoloured(ramp, [corrections.sigmoid(6.0, 0.4)])
    x, curve = ramp[0, :, 0] / most, curved[0, :, 0] / most
    logistic = 1 / (1 + np.exp(6 * (0.4 - x)))
    first, last = 1 / (1 + np.exp(2.4)), 1 / (1 + np.exp(6 * (0.4 - 1)))
    assert np.abs(curve - (logistic - first) / (last - first)).max() <= 0.51 / most
    back = recoloured(curved, [corrections.sigmoid(-6.0, 0.4)])
    assert np.abs(back[0, :, 0] / most - x).max() < 3 / most


@pytest.mark.parametrize("kind", ["rgb", "deep"])
def test_saturation_keeps_hue_and_value(kind: str):
    pixels = pictured(kind)
    made = corrections.saturated(pixels, 0.5)
    for row, column in ((3, 3), (20, 40), (47, 59)):
        before = colorsys.rgb_to_hsv(*(pixels[row, column] / top(pixels)))
        after = colorsys.rgb_to_hsv(*(made[row, column] / top(pixels)))
        assert after[2] == pytest.approx(before[2], abs=1e-6)
        apart = abs(after[0] - before[0])
        assert min(apart, 1 - apart) < 0.02


@pytest.mark.parametrize("kind", ["rgb", "deep", "alpha"])
def test_the_hue_is_turned_by_what_was_asked(kind: str):
    pixels = pictured(kind)
    made = corrections.hue_turned(pixels, 0.3)
    apart = (levels(made)["hue"] - levels(pixels)["hue"]) % 1
    assert apart == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("kind", ["rgb", "deep"])
def test_a_histogram_is_spread_evenly(kind: str):
    pixels = pictured(kind, low=0.4, high=0.5)
    made = corrections.equalized(pixels)
    luma = grey_of(seen(made))
    shares = np.sort(luma)
    assert np.abs(shares - np.linspace(0, 1, len(shares))).mean() < (
        0.04 if kind == "rgb" else 0.03
    )
    assert levels(corrections.equalized(pixels, clahe=True))["range"] > levels(pixels)["range"]


@pytest.mark.parametrize("kind", KINDS)
def test_noise_goes_and_edges_stay(kind: str):
    pixels = pictured(kind)
    made = corrections.denoised(pixels, 0.05)
    assert levels(made)["noise"] < 0.6 * levels(pixels)["noise"]
    assert levels(made)["contrast"] == pytest.approx(levels(pixels)["contrast"], rel=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_grey_is_the_luma(kind: str):
    pixels = pictured(kind)
    made = corrections.greyed(pixels)
    assert np.abs(seen(made)[:, 1] - grey_of(seen(pixels))).max() <= 0.51 / 255
    assert np.array_equal(made[:, :, 0], made[:, :, 2])


@pytest.mark.parametrize(
    ("fit", "size"),
    [("fit", (40, 32)), ("fill", (50, 40)), ("crop", (40, 40)), ("pad", (40, 40)),
     ("stretch", (40, 40))],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["rgb", "deep-alpha"])
def test_sizes_and_where_points_go(kind: str, fit: placing.Fit, size: tuple[int, int]):
    depth = np.uint16 if "deep" in kind else np.uint8
    pixels = np.zeros((48, 60, 4 if "alpha" in kind else 3), depth)
    if "alpha" in kind:
        pixels[:, :, 3] = top(pixels)
    pixels[20:26, 28:34, 0] = top(pixels)
    made, warp = placing.scaled(pixels, 40, 40, fit)
    assert (made.shape[1], made.shape[0]) == size
    rows, columns = np.nonzero(made[:, :, 0] > top(pixels) // 2)
    (point,) = warp.points(np.array([[30.5, 22.5]]))
    assert np.abs([columns.mean() - point[0], rows.mean() - point[1]]).max() < 0.6


def test_cuts_tiles_and_quarter_turns():
    pixels = np.arange(12 * 10 * 3, dtype=np.uint16).reshape(10, 12, 3)
    made, warp = placing.cropped(pixels, 3, 2, 5, 20)
    assert np.array_equal(made, pixels[2:, 3:8])
    assert warp.points(np.array([[3.0, 2.0]])).tolist() == [[0, 0]]
    found = [*placing.tiles(pixels, 2, 3, 0.0)]
    assert [tile.shape[:2] for tile, _ in found] == [(5, 4)] * 6
    assert np.array_equal(found[4][0], pixels[5:, 4:8])
    lapped = [*placing.tiles(pixels, 1, 2, 0.5)]
    assert [tile.shape[1] for tile, _ in lapped] == [8, 8]
    assert np.array_equal(lapped[1][0], pixels[:, 4:])
    turned, warp = placing.quarter_turned(pixels)
    assert np.array_equal(turned, np.rot90(pixels))
    (point,) = warp.points(np.array([[11.0, 4.0]]))
    assert np.array_equal(turned[round(point[1]), round(point[0])], pixels[4, 11])


@pytest.mark.parametrize(("size", "fit"), [((16_000, 16_000), "stretch"), ((9_000, 2), "crop")])
def test_what_would_be_too_large_is_refused(size: tuple[int, int], fit: placing.Fit):
    with pytest.raises(LimitExceeded, match="more than 50,000,000"):
        placing.scaled(np.zeros((900, 600, 3), np.uint8), *size, fit)
