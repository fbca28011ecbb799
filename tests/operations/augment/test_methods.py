"""Each method against its definition, on every kind of picture, and sizes kept."""

import io
import weakref

import numpy as np
import pytest
from PIL import Image
from tests.operations.augment.references import REFERENCES, convolved, sampled, with_alpha
from tests.support import pictures

from mediamill.core.errors import BrokenMedia
from mediamill.media.image.effects.filters import resampled
from mediamill.media.image.picture import Picture
from mediamill.operations.augment import Augment

MORE = {
    "scale": {"scale": (0.6, 2)},
    "random-crop": {"random_crop": 40},
    "gaussian-blur": {"gaussian_blur_kernel": (3, 9), "gaussian_blur": (1, 3)},
}


def made(kind: str, method: str, seed: int = 7, **parameters):
    step = Augment(methods=[method], probability={method: 1}, **parameters)
    before = pictures.picture(kind)
    (after,) = step.apply_all(before, pictures.context(seed))
    return before.array(), after


def shares(pixels: np.ndarray) -> np.ndarray:
    return pixels / np.iinfo(pixels.dtype).max


@pytest.mark.parametrize("kind", pictures.KINDS)
@pytest.mark.parametrize("method", REFERENCES)
def test_it_does_what_its_definition_says(kind: str, method: str):
    reference, tolerance = REFERENCES[method]
    for seed in (7, 8):
        before, after = made(kind, method, seed, **MORE.get(method, {}))
        expected = reference(shares(before), after.info["drawn"])
        found = after.array()
        assert found.dtype == before.dtype == (np.uint16 if "16" in kind else np.uint8)
        assert found.shape == expected.shape
        if method != "random-crop":
            assert found.shape == before.shape
        error = np.abs(shares(found) - expected) * 255
        if found.shape[2] == 4:  # what is nearly transparent may have any colour
            error[:, :, :3] *= expected[:, :, 3:] ** 1
            error[shares(found)[:, :, 3] < 0.05, :3] = 0
        flat = np.sort(error.ravel())
        assert flat[-1] <= max(tolerance, 1e-3) + (2.5 if found.shape[2] == 4 else 0), flat[-5:]
        assert error.mean() <= max(tolerance / 3, 1e-3)


def test_every_method_has_a_reference_or_a_test_here():
    from typing import get_args

    from mediamill.operations.augment.methods import METHODS
    from mediamill.operations.augment.ranges import Method

    here = {
        "tile", "elastic", "gaussian-noise", "motion-blur", "super-resolution",
        "jpeg-compression", "mosaic", "mixup",
    }  # fmt: skip
    assert {*REFERENCES} | here == {*get_args(Method)} == {*METHODS}


@pytest.mark.parametrize("kind", pictures.KINDS)
def test_tiles_cover_the_picture(kind: str):
    before = pictures.picture(kind)
    tiles = [*Augment(methods=["tile"], tile=32).apply_all(before, pictures.context())]
    pixels, seen = before.array(), np.zeros(before.array().shape[:2], int)
    for tile in tiles:
        left, upper, wide, high = tile.info["tile"]
        assert (wide, high) == (32, 32)
        part = np.s_[upper : upper + high, left : left + wide]
        assert np.array_equal(tile.array(), pixels[part])
        seen[part] += 1
    assert len(tiles) == 6
    assert seen.min() == 1


@pytest.mark.parametrize("kind", pictures.KINDS)
def test_noise_has_its_mean_and_deviation(kind: str):
    before, after = made(kind, "gaussian-noise", gaussian_noise=(0.05, 0.05))
    middle = (shares(before)[:, :, :3] > 0.25) & (shares(before)[:, :, :3] < 0.75)
    noise = (shares(after.array()) - shares(before))[:, :, :3][middle]
    assert noise.mean() == pytest.approx(0, abs=0.004)
    assert noise.std() == pytest.approx(0.05, rel=0.05)
    assert np.array_equal(after.array()[:, :, 3:], before[:, :, 3:])


def test_noise_is_normal():
    from mediamill.media.image.effects.noise import gaussian_noise

    grey = np.full((400, 400, 3), 32768, np.uint16)
    noise = (gaussian_noise(grey, 0, 0.1, 5).astype(float) - 32768) / 6553.5
    for sigma, share in ((1, 0.6827), (2, 0.9545), (3, 0.9973)):
        assert (np.abs(noise) < sigma).mean() == pytest.approx(share, abs=0.003)


@pytest.mark.parametrize("kind", pictures.KINDS)
def test_motion_blur_is_along_its_line(kind: str):
    for degrees in (0, 90):
        before, after = made(
            kind, "motion-blur", motion_blur=(7, 7), motion_blur_angle=(degrees, degrees)
        )
        line = np.zeros((7, 7))
        line[(3, slice(None)) if degrees == 0 else (slice(None), 3)] = 1 / 7
        if before.shape[2] == 3:
            error = np.abs(shares(after.array()) - convolved(shares(before), line)) * 255
            assert error.max() <= 8  # its ends are softer than the line's
            assert error.mean() <= 1
        assert after.array().shape == before.shape


@pytest.mark.parametrize("degrees", [33, 117, -45])
@pytest.mark.parametrize("alpha", [False, True])
def test_motion_blur_at_any_angle_is_the_mean_along_its_line(degrees: int, alpha: bool):
    """Each pixel is the mean of places along a line through it, with the edges mirrored."""
    noise = np.random.default_rng(4).random((40, 50, 4 if alpha else 3))
    before = np.rint(noise * 65_535).astype(np.uint16)
    told = {"motion_blur": (9, 9), "motion_blur_angle": (degrees, degrees)}
    (after,) = Augment(methods=["motion-blur"], **told).apply_all(
        Picture(before), pictures.context(1)
    )

    def along(part: np.ndarray, turn: float) -> np.ndarray:
        framed = np.pad(part, ((8, 8), (8, 8), (0, 0)), mode="reflect")
        x, y = np.meshgrid(np.arange(50) + 8.0, np.arange(40) + 8.0)
        steps = np.linspace(-4, 4, 81)
        places = ((t * np.cos(turn), -t * np.sin(turn)) for t in steps)
        return sum(sampled(framed, x + right, y + down) for right, down in places) / len(steps)

    found, turn = shares(after.array()), np.radians(degrees)
    errors = [
        np.abs(found - with_alpha(shares(before), lambda part, way=way: along(part, way)))
        for way in (turn, -turn, turn + np.pi / 2)
    ]
    assert errors[0].mean() * 255 < 2
    assert errors[0].max() * 255 < 10
    assert min(error.mean() for error in errors[1:]) * 255 > 10, "another line is seen"


@pytest.mark.parametrize("kind", pictures.KINDS)
def test_resampling_loses_detail_and_nothing_else(kind: str):
    before, after = made(kind, "super-resolution", super_resolution=(0.5, 0.5))
    found, had = shares(after.array()), shares(before)
    assert found.shape == had.shape
    assert np.abs(found.mean() - had.mean()) < 0.01
    checks = np.indices((60, 80)).sum(axis=0) % 2
    board = np.repeat((checks * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    assert np.abs(resampled(board, 0.5).astype(int) - 128).max() <= 1
    same = np.abs(shares(resampled(pictures.picture(kind).array(), 4.0)) - had)
    assert same[:, :, :3].mean() < 0.03


@pytest.mark.parametrize("kind", pictures.KINDS)
def test_compression_is_that_of_pillow(kind: str):
    before, after = made(kind, "jpeg-compression", jpeg_compression=(40, 40))
    eight = np.rint(shares(before) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(eight[:, :, :3]).save(file, "JPEG", quality=40, subsampling="4:2:0")
    expected = np.array(Image.open(file))
    error = np.abs(shares(after.array())[:, :, :3] * 255 - expected)
    assert error.mean() <= 1
    assert error.max() <= 16
    assert np.array_equal(after.array()[:, :, 3:], before[:, :, 3:])


@pytest.mark.parametrize("kind", pictures.KINDS)
def test_elastic_moves_each_pixel_as_its_field_says(kind: str):
    from mediamill.media.image.geometry.elastic import elastic
    from mediamill.operations.draws import Draws

    before, after = made(kind, "elastic")
    drawn, side = after.info["drawn"], min(before.shape[:2])
    size = before.shape[1], before.shape[0]
    reach, sigma = drawn["elastic"] * side, drawn["elastic.smoothness"] * side
    shift = elastic(size, reach, sigma, Draws(7, "5eed", 1).key("elastic.noise")).shift.astype(
        float
    )
    longest = np.sqrt((shift**2).sum(axis=2)).max()
    assert longest == pytest.approx(reach, rel=0.15)
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    expected = with_alpha(
        shares(before), lambda part: sampled(part, x + shift[:, :, 0], y + shift[:, :, 1])
    )
    error = np.abs(shares(after.array()) - expected) * 255
    seen = expected[:, :, 3] > 0.05 if expected.shape[2] == 4 else slice(None)
    assert error[seen].max() <= 4
    assert error[seen].mean() < 0.5


@pytest.mark.parametrize("other", ["rgb", "alpha", "alpha16"])
@pytest.mark.parametrize("kind", pictures.KINDS)
def test_mixup_is_a_weighted_mean(kind: str, other: str):
    """Of what shows: colours count by their alpha, and what is without alpha is opaque."""
    before, partner = pictures.picture(kind), pictures.picture(other)
    step, context = Augment(methods=["mixup"]), pictures.context(3, partners=[lambda: partner])
    (after,) = step.apply_all(before, context)
    share, found = after.info["drawn"]["mixup"], shares(after.array())
    assert after.array().shape == before.array().shape
    assert after.array().dtype == before.array().dtype
    one, two = shares(before.array()), shares(partner.array())
    if one.shape[2] == 3:
        expected = (1 - share) * one + share * two[:, :, :3]
        assert np.abs(found - expected).max() * 255 <= 1
        return
    two = np.dstack([two[:, :, :3], two[:, :, 3:] if two.shape[2] == 4 else np.ones((61, 83, 1))])
    alpha = (1 - share) * one[:, :, 3:] + share * two[:, :, 3:]
    strong = (1 - share) * one[:, :, :3] * one[:, :, 3:] + share * two[:, :, :3] * two[:, :, 3:]
    assert np.abs(found[:, :, 3:] - alpha).max() * 255 <= 1
    assert (
        np.abs(found[:, :, :3] - strong / np.maximum(alpha, 1e-9))[alpha[:, :, 0] > 0.1].max() * 255
        <= 1.5
    )


@pytest.mark.parametrize("kind", ["rgb", "alpha16"])
def test_a_mosaic_has_four_quarters(kind: str):
    from mediamill.media.image.picture import Picture

    before = pictures.picture(kind)
    plain = [np.full((30, 90, 3), 60 * n, np.uint8) for n in (1, 2, 3)]
    partners = [lambda pixels=pixels: Picture(pixels) for pixels in plain]
    (after,) = Augment(methods=["mosaic"]).apply_all(before, pictures.context(5, partners=partners))
    height, width = before.array().shape[:2]
    x = round(after.info["drawn"]["mosaic.x"] * width)
    y = round(after.info["drawn"]["mosaic.y"] * height)
    pixels = after.array() // (257 if after.array().dtype == np.uint16 else 1)
    quarters = pixels[:y, x:], pixels[y:, :x], pixels[y:, x:]
    found = [{int(value) for value in np.unique(quarter[:, :, 0])} for quarter in quarters]
    assert sorted(map(tuple, found)) == [(60,), (120,), (180,)]
    assert after.array().shape == before.array().shape


@pytest.mark.parametrize("kind", ["rgb", "alpha16"])
def test_each_quarter_of_a_mosaic_is_a_picture_scaled_to_cover_it_and_cut_around_its_middle(
    kind: str,
):
    """By plain bilinear sampling: partners are smaller than any quarter, each another texture."""
    before, waves = pictures.picture(kind), pictures.smooth()
    plain = [waves[:8, :12], waves[30:45, 10:20, [1, 2, 0]], waves[40:50, 60:70, [2, 0, 1]]]
    plain = [np.rint(one * 255).astype(np.uint8) for one in plain]
    partners = [lambda pixels=pixels: Picture(pixels) for pixels in plain]
    told = {"mosaic": (0.4, 0.6)}
    (after,) = Augment(methods=["mosaic"], **told).apply_all(
        before, pictures.context(5, partners=partners)
    )
    height, width = before.array().shape[:2]
    x = round(after.info["drawn"]["mosaic.x"] * width)
    y = round(after.info["drawn"]["mosaic.y"] * height)
    found = shares(after.array())[:, :, :3]
    for quarter in (found[:y, x:], found[y:, :x], found[y:, x:]):
        errors = [np.abs(quarter - covering(shares(one), quarter.shape)).max() for one in plain]
        assert [error * 255 <= 4 for error in errors].count(True) == 1
        del plain[int(np.argmin(errors))]  # each is there once


def covering(px: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Scale a picture to cover a shape and cut around its middle; edges are repeated."""
    (high, wide), (rows, columns) = shape[:2], px.shape[:2]
    factor = max(wide / columns, high / rows)
    x = (np.arange(wide) + 0.5 - (wide - columns * factor) / 2) / factor - 0.5
    y = (np.arange(high) + 0.5 - (high - rows * factor) / 2) / factor - 0.5
    x, y = np.meshgrid(np.clip(x, 0, columns - 1), np.clip(y, 0, rows - 1))
    return sampled(px, x, y)


def test_a_broken_partner_does_not_break_others():
    def broken() -> None:
        raise BrokenMedia("it cannot be decoded")

    before, other = pictures.picture("rgb"), pictures.picture("grey")
    context = pictures.context(3, partners=[broken, lambda: other, broken])
    for method in ("mosaic", "mixup"):
        (after,) = Augment(methods=[method]).apply_all(before, context)
        assert not np.array_equal(after.array(), before.array())


def test_a_mosaic_holds_one_partner_at_a_time():
    held: list[weakref.ref[Picture]] = []

    def other() -> Picture:
        assert all(one() is None for one in held)
        picture = Picture(np.full((40, 60, 3), 90, np.uint8))
        held.append(weakref.ref(picture))
        return picture

    own = pictures.picture("rgb")
    (made,) = Augment(methods=["mosaic"]).apply_all(own, pictures.context(1, partners=[other] * 3))
    assert len(held) == 3
    assert made.array().shape == own.array().shape


def test_alone_a_picture_is_mixed_with_itself():
    before = pictures.picture("rgb")
    (after,) = Augment(methods=["mixup"]).apply_all(before, pictures.context())
    assert np.abs(after.array().astype(int) - before.array()).max() <= 1


def test_a_coarse_field_is_that_of_a_fine_one(monkeypatch: pytest.MonkeyPatch):
    from mediamill.media.image.geometry import elastic as module

    fine = module.elastic((400, 300), 9.0, 30.0, 7)
    monkeypatch.setattr(module, "_MOST", 6_000)
    coarse = module.elastic((400, 300), 9.0, 30.0, 7)
    assert coarse.shift.shape[:2] < (80, 100)
    places = np.random.default_rng(1).uniform(10, 290, (500, 2))
    assert np.abs(fine.back(places) - coarse.back(places)).max() < 0.25
    for field in (fine, coarse):
        assert np.abs(field.forth(field.back(places)) - places).max() < 0.03


@pytest.mark.soak
def test_large_pictures_stay_within_a_gigabyte(tmp_path):
    """In a process of its own: 24 megapixels through what takes most room."""
    import subprocess
    import sys

    program = """
import resource
import numpy as np
from pathlib import Path
from mediamill.media.image.picture import Picture
from mediamill.operations.augment import Augment
from mediamill.operations.base import Context
picture = Picture(np.full((4000, 6000, 3), 90, np.uint8))
for name in ("elastic", "gaussian-noise", "super-resolution", "hue", "gaussian-blur"):
    next(Augment(methods=[name], super_resolution=(4, 4)).apply_all(picture, Context(Path("/"))))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=100
    )
    assert int(done.stdout) < 1000, done.stdout
