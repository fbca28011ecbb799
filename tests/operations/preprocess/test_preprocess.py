"""Preprocess over sets: what is agreed, what is corrected, and that it is nearer afterwards."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from tests.operations.preprocess.test_corrections import KINDS, pictured

from mediamill.annotations.model import Annotation, ImageAnnotations
from mediamill.core.errors import InvalidInput
from mediamill.media.image.codecs.encode import encode
from mediamill.media.image.numbers.levels import levels
from mediamill.media.image.picture import Picture
from mediamill.operations.base import Context, Measure, Source
from mediamill.operations.preprocess import Preprocess, working

NORMAL = {
    "normalize-brightness": "brightness", "normalize-contrast": "contrast",
    "normalize-saturation": "saturation", "normalize-hue": "hue",
    "normalize-sharpness": "sharpness",
}  # fmt: skip


def measured(step: Preprocess, item: int, pixels: np.ndarray, name: str = "") -> Measure:
    picture = Picture(pixels)
    found = step.measure_picture(picture, Context(Path()))
    info = {"width": picture.width, "height": picture.height}
    name = name or f"{item}.png"
    return Measure(item, name, name, sha256=f"{item:064x}", images=({"info": info, **found},))


def agreed(step: Preprocess, pictures: list[np.ndarray]) -> dict[str, Any]:
    measures = [measured(step, n, pixels) for n, pixels in enumerate(pictures)]
    data = step.reduce(iter(measures), Context(Path())).data
    assert data is not None
    return dict(data)


def applied(
    step: Preprocess,
    pixels: np.ndarray,
    said: dict[str, Any],
    marks: ImageAnnotations | None = None,
) -> list[Picture]:
    picture = Picture(pixels)
    picture.annotations = marks
    return [*step.apply_all(picture, Context(Path(), agreed=said))]


def usual(kind: str = "rgb") -> list[np.ndarray]:
    return [pictured(kind, seed, 0.30 + seed / 200, 0.60) for seed in range(5)]


def strange(kind: str) -> list[np.ndarray]:
    """Return pictures that deviate, each in its own way."""
    dark, flat = pictured(kind, 9, 0.02, 0.12), pictured(kind, 8, 0.44, 0.47)
    hue = pictured(kind, 7)
    hue[:, :, :3] = hue[:, :, [2, 0, 1]]
    pale = pictured(kind, 6)
    pale[:, :, :3] = (pale[:, :, :3] // 8) + pale[:, :, :1] // 8 * 7
    return [dark, flat, hue, pale]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", NORMAL)
def test_a_number_is_nearer_to_the_reference_than_before(kind: str, method: str):
    step = Preprocess(methods=(method,), threshold=0.1)
    said = agreed(step, usual(kind))
    there = said["reference"]["numbers"][NORMAL[method]]
    changed = 0
    for pixels in [*usual(kind), *strange(kind)]:
        (made,) = applied(step, pixels, said)
        report = made.info["preprocess"]["methods"][method]
        before = step.measure_picture(Picture(pixels), Context(Path()))[NORMAL[method]]
        after = step.measure_picture(made, Context(Path()))[NORMAL[method]]
        assert report["measured"] == before
        assert report["reference"] == there
        assert made.array().shape == pixels.shape
        assert made.array().dtype == pixels.dtype
        if not report["applied"]:
            assert np.array_equal(made.array(), pixels)
            continue
        changed += 1
        one, other = (abs(x - there) % 1 if method.endswith("hue") else abs(x - there)
                      for x in (before, after))  # fmt: skip
        assert min(other, 1 - other) < min(one, 1 - one) if method.endswith("hue") else other < one
    assert changed or kind == "grey"


@pytest.mark.parametrize("kind", KINDS)
def test_all_together_bring_a_set_closer(kind: str):
    step = Preprocess(threshold=0.2)
    pictures = [*usual(kind), *strange(kind)]
    said = agreed(step, pictures)
    names = ("brightness", "contrast", "sharpness")
    there = said["reference"]["numbers"]

    def off(pixels: np.ndarray) -> float:
        found = step.measure_picture(Picture(pixels), Context(Path()))
        return sum(abs(found[name] - there[name]) / there[name] for name in names)

    before = [off(pixels) for pixels in pictures]
    after = [off(applied(step, pixels, said)[0].array()) for pixels in pictures]
    assert sum(after) < 0.7 * sum(before)
    assert all(applied(step, pixels, said)[0].array().shape == pixels.shape for pixels in pictures)


def test_the_reference_is_the_most_usual_whatever_the_order():
    step = Preprocess()
    pictures = [*usual(), *strange("rgb")]
    measures = [measured(step, n, pixels) for n, pixels in enumerate(pictures)]
    chosen = set()
    for order in (measures, measures[::-1], measures[4:] + measures[:4]):
        data = step.reduce(iter(order), Context(Path())).data
        assert data is not None
        chosen.add(data["reference"]["name"])
    assert len(chosen) == 1
    assert chosen < {f"{n}.png" for n in range(5)}
    given = Preprocess(reference="7.png")
    data = given.reduce(iter(measures), Context(Path())).data
    assert data is not None
    assert (data["reference"]["name"], data["reference"]["chosen"]) == ("7.png", "given")
    assert given.references == ("7.png",)


def test_a_reference_that_is_broken_or_missing_is_said():
    broken = Measure(0, "a.png", "a.png", error={"code": "broken_media", "message": "cut off"})
    with pytest.raises(InvalidInput, match="cannot be measured: cut off"):
        Preprocess(reference="a.png").reduce(iter([broken]), Context(Path()))
    with pytest.raises(InvalidInput, match="No image"):
        Preprocess().reduce(iter([broken]), Context(Path()))
    other = measured(Preprocess(), 1, pictured())
    with pytest.raises(InvalidInput, match="is no image of the set"):
        Preprocess(reference="b.png").reduce(iter([other]), Context(Path()))


def test_outliers_are_marked_and_left_as_they_are():
    step = Preprocess(methods=("remove-outliers",))
    pictures = [*usual(), pictured("rgb", 9, 0.0, 0.02)]
    said = agreed(step, pictures)
    marks = [applied(step, p, said)[0].info["preprocess"]["methods"]["remove-outliers"]
             for p in pictures]  # fmt: skip
    assert [mark["outlier"] for mark in marks] == [False] * 5 + [True]
    assert "brightness" in marks[5]["by"]
    assert np.array_equal(applied(step, pictures[5], said)[0].array(), pictures[5])


def test_what_is_told_needs_no_survey():
    assert Preprocess().surveys
    assert not Preprocess(methods=("resize",), width=20).surveys
    assert not Preprocess(methods=("resize-to-reference", "grayscale"), width=20).surveys
    assert not Preprocess(methods=("denoise", "equalize-histogram"), strength=0.1).surveys
    assert Preprocess(methods=("denoise",)).surveys
    assert Preprocess(methods=("resize",), width=20, reference="x").references == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"methods": ["resize"]}, "resize needs"), ({"methods": ["crop"]}, "with the method crop"),
     ({"rows": 2}, "go with the method tile"), ({"methods": ["grayscale"], "width": 3}, "are for"),
     ({"methods": []}, "at least 1"),
     ({"methods": ["tile"], "rows": 50, "columns": 3}, "at most 100 tiles")],
)  # fmt: skip
def test_parameters_that_do_not_go_together(wrong: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        Preprocess(**wrong)


def test_boxes_follow_crops_sizes_turns_and_tiles():
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:20, 30:50] = 255
    marks = ImageAnnotations(60, 40, (Annotation(1, "cat", box=(30.0, 10.0, 20.0, 10.0)),))
    step = Preprocess(methods=("crop", "resize"), crop=(20, 5, 40, 30), width=80)
    (made,) = applied(step, pixels, {}, marks)
    assert (made.width, made.height) == (80, 60)
    assert made.annotations is not None
    (one,) = made.annotations.annotations
    assert one.box == pytest.approx((20, 10, 40, 20))
    rows, columns = np.nonzero(made.array()[:, :, 0] > 127)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (20, 10, 60, 30)
    tiled = applied(Preprocess(methods=("tile",), columns=2), pixels, {}, marks)
    boxes = [[a.box for a in t.annotations.annotations] for t in tiled if t.annotations]
    assert boxes == [[], [(0.0, 10.0, 20.0, 10.0)]]
    turning = Preprocess(methods=("rotate-to-reference",))
    said = agreed(turning, [np.zeros((60, 40, 3), np.uint8) + n for n in range(3)])
    (turned,) = applied(turning, pixels, said, marks)
    assert (turned.width, turned.height) == (40, 60)
    assert turned.annotations is not None
    assert turned.annotations.annotations[0].box == pytest.approx((10, 10, 10, 20))


def test_what_would_not_be_nearer_is_left():
    step = Preprocess(methods=("normalize-brightness",))
    said = agreed(step, usual())
    black = np.zeros((8, 8, 3), np.uint8)
    (made,) = applied(step, black, said)
    report = made.info["preprocess"]["methods"]["normalize-brightness"]
    assert (report["applied"], report["why"]) == (False, "it would not be nearer")
    assert np.array_equal(made.array(), black)


@pytest.mark.parametrize(("orientation", "turned"), [(0, False), (1, False), (3, True), (6, True)])
def test_it_is_told_whether_a_picture_lay_otherwise_in_its_file(
    tmp_path: Path, orientation: int, turned: bool
):
    image = Image.fromarray(pictured("rgb"))
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    path = tmp_path / "it.jpg"
    image.save(path, exif=exif)
    step, context = Preprocess(methods=("auto-orient", "grayscale")), Context(tmp_path)
    with path.open("rb") as stream:
        source = Source(stream.fileno(), path.name, "image/jpeg", path.stat().st_size)
        (picture,) = step.originals(source, context)
    (made,) = step.apply_all(picture, context)
    assert made.info["preprocess"]["methods"]["auto-orient"] == {"applied": turned}
    assert (made.width, made.height) == ((48, 60) if orientation == 6 else (60, 48))


def test_measured_at_full_depth(tmp_path: Path):
    faint = np.full((8, 8, 3), 30_000, np.uint16)
    faint[::2] += 60
    path = tmp_path / "faint.png"
    path.write_bytes(encode(faint, "png"))
    with path.open("rb") as stream:
        source = Source(stream.fileno(), path.name, "image/png", path.stat().st_size)
        (picture,) = Preprocess().originals(source, Context(tmp_path))
    found = Preprocess().measure_picture(picture, Context(tmp_path))
    assert found["contrast"] == pytest.approx(30 / 65_535, rel=0.01)


def test_a_picture_is_measured_once_until_it_changes(monkeypatch: pytest.MonkeyPatch):
    step, pictures, counted = Preprocess(), usual(), []
    said = agreed(step, pictures)
    monkeypatch.setattr(working, "levels", lambda pixels: counted.append(1) or levels(pixels))
    picture = Picture(pictures[0])
    for _ in range(2):
        (made,) = step.apply_all(picture, Context(Path(), agreed=said))
    assert np.array_equal(made.array(), pictures[0])
    assert len(counted) == 1
