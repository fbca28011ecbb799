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
from mediamill.media.image.numbers.levels import levels, span

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


def hsv_of(pixels: np.ndarray) -> np.ndarray:
    """Return hue, saturation and value (0…1) of every pixel, by the standard library."""
    colours = pixels[:, :, :3].reshape(-1, 3) / top(pixels)
    return np.array([colorsys.rgb_to_hsv(*colour) for colour in colours])


@pytest.mark.parametrize("kind", ["rgb", "deep", "alpha"])
@pytest.mark.parametrize("target", [0.15, 0.5, 0.9])
def test_saturation_keeps_hue_and_value(kind: str, target: float):
    """Of every pixel, and all saturations grow by one factor, up to 1."""
    pixels = pictured(kind)
    made = corrections.saturated(pixels, target)
    before, after = hsv_of(pixels), hsv_of(made)
    level = 1 / top(pixels)
    assert np.abs(after[:, 2] - before[:, 2]).max() < 1e-9
    chroma = after[:, 1] * after[:, 2]
    apart = np.abs(after[:, 0] - before[:, 0])
    turned = np.minimum(apart, 1 - apart) * 6 * chroma  # in shares of white
    assert turned.max() <= 1.01 * level, "no channel is off by more than its rounding"
    free = (after[:, 1] < 0.98) & (before[:, 1] > 0.05) & (before[:, 2] > 0.1)
    factor = np.median(after[free, 1] / before[free, 1])
    expected = np.minimum(1, factor * before[:, 1])
    assert (np.abs(after[:, 1] - expected) * after[:, 2]).max() <= 3 * level


@pytest.mark.parametrize("kind", ["rgb", "deep", "alpha"])
@pytest.mark.parametrize("turn", [0.3, 0.85])
def test_the_hue_is_turned_by_what_was_asked(kind: str, turn: float):
    """Of every pixel, while saturation and value stay."""
    pixels = pictured(kind)
    made = corrections.hue_turned(pixels, turn)
    turned = [colorsys.hsv_to_rgb((h + turn) % 1, s, v) for h, s, v in hsv_of(pixels)]
    found = made[:, :, :3].reshape(-1, 3) / top(made)
    assert np.abs(found - turned).max() <= 1.01 / 255
    assert np.abs(found - turned).mean() <= 0.3 / 255
    apart = (levels(made)["hue"] - levels(pixels)["hue"]) % 1
    assert apart == pytest.approx(turn, abs=0.01)


@pytest.mark.parametrize("kind", ["rgb", "deep"])
def test_a_histogram_is_spread_evenly(kind: str):
    pixels = pictured(kind, low=0.4, high=0.5)
    made = corrections.equalized(pixels)
    luma = grey_of(seen(made))
    shares = np.sort(luma)
    assert np.abs(shares - np.linspace(0, 1, len(shares))).mean() < (
        0.04 if kind == "rgb" else 0.03
    )
    assert span(corrections.equalized(pixels, clahe=True)) > span(pixels)


def clahe(plane: np.ndarray, clip: float = 2.0, tiles: int = 8) -> np.ndarray:
    """Equalize by tiles with a clipped histogram (Zuiderveld 1994), the tables blended bilinearly.

    Sides are multiples of `tiles`. What is clipped is spread evenly over all bins, the rest of it
    one by one at equal distances.
    """
    bins, (high, wide) = top(plane) + 1, (n // tiles for n in plane.shape)
    most, tables = max(1, int(clip * high * wide / bins)), np.empty((tiles, tiles, bins))
    for row in range(tiles):
        for column in range(tiles):
            part = plane[row * high : (row + 1) * high, column * wide : (column + 1) * wide]
            counts = np.bincount(part.ravel(), minlength=bins)
            over = int(np.maximum(counts - most, 0).sum())
            counts = np.minimum(counts, most) + over // bins
            if rest := over % bins:
                counts[:: max(1, bins // rest)][:rest] += 1
            tables[row, column] = np.rint(np.cumsum(counts) * (bins - 1) / (high * wide))
    y, x = ((np.arange(n * tiles) / n - 0.5) for n in (high, wide))
    places = []
    for at in (y, x):
        low = np.floor(at).astype(int)
        places.append((np.clip(low, 0, tiles - 1), np.clip(low + 1, 0, tiles - 1), at - low))
    (upper, lower, v), (left, right, u) = places
    v, u = v[:, None], u[None, :]
    above = (1 - u) * tables[upper[:, None], left, plane] + u * tables[upper[:, None], right, plane]
    below = (1 - u) * tables[lower[:, None], left, plane] + u * tables[lower[:, None], right, plane]
    return (1 - v) * above + v * below


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_clahe_is_that_of_its_definition(depth: type):
    y, x = np.mgrid[0:128, 0:160]
    waves = 0.5 + 0.08 * np.sin(x / 9 + y / 23) + 0.03 * np.cos(y / 4) + x / 1600
    noise = np.random.default_rng(2).normal(0, 0.004, waves.shape)
    plane = np.rint((waves + noise) * np.iinfo(depth).max).astype(depth)
    grey = np.repeat(plane[:, :, None], 3, axis=2)
    made = corrections.equalized(grey, clahe=True)
    expected = clahe(plane)
    assert np.abs(made - expected[:, :, None]).max() <= 1.01
    assert np.abs(expected - plane).mean() > 0.03 * top(grey), "and it does something"
    whole = corrections.equalized(grey)[:, :, 0]
    assert np.abs(whole - expected).mean() > 0.02 * top(grey), "other than over the whole"


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


def averaging(before: int, after: int) -> np.ndarray:
    """Return after × before weights: each new pixel is the mean of what it covers."""
    edges = np.arange(after + 1) * before / after
    start, end = (
        np.maximum.outer(edges[:-1], np.arange(before)),
        np.minimum.outer(edges[1:], np.arange(before) + 1),
    )
    return np.maximum(0, end - start) * after / before


def cubic(before: int, after: int, a: float = -0.75) -> np.ndarray:
    """Return after × before weights of cubic convolution (Keys 1981), edges repeated."""
    made = np.zeros((after, before))
    for n in range(after):
        at = (n + 0.5) * before / after - 0.5
        for source in range(math.floor(at) - 1, math.floor(at) + 3):
            far = abs(at - source)
            near = ((a + 2) * far - (a + 3)) * far * far + 1
            outer = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
            weight = near if far <= 1 else outer if far < 2 else 0
            made[n, min(before - 1, max(0, source))] += weight
    return made


@pytest.mark.parametrize("size", [(25, 17), (30, 24), (151, 101)])
@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_averaged_or_interpolated_as_their_definitions_say(
    kind: str, size: tuple[int, int]
):
    pixels = pictured(kind)
    made, _ = placing.scaled(pixels, *size, "stretch")
    weights = averaging if size[0] < 60 else cubic
    down, right = weights(48, size[1]), weights(60, size[0])

    def sized(part: np.ndarray) -> np.ndarray:
        rows = np.tensordot(down, part, (1, 0))
        return np.moveaxis(np.tensordot(right, rows, (1, 1)), 0, 1)

    shares = pixels / top(pixels)
    strong = shares[:, :, :3] * shares[:, :, 3:] if "alpha" in kind else shares
    expected = sized(strong)
    found = made / top(made)
    if "alpha" not in kind:
        assert (
            np.abs(found - np.clip(expected, 0, 1)).max() <= (0.51 if "deep" in kind else 1.1) / 255
        )
        return
    alpha = np.clip(sized(shares[:, :, 3]), 0, 1)
    assert np.abs(found[:, :, 3] - alpha).max() <= 1.1 / 255
    shown = alpha > 0.5
    colours = np.clip(expected / np.maximum(alpha, 1e-9)[:, :, None], 0, 1)
    assert np.abs(found[:, :, :3] - colours)[shown].max() <= 2 / 255


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
