"""What nobody said is worked out where a set is written: pycocotools' evaluator takes it."""

import contextlib
import io
import json

import msgspec
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mediamill.annotations import coco
from mediamill.annotations.complete import completed, labelled
from mediamill.annotations.model import Annotation, Category, ImageAnnotations
from mediamill.annotations.rle import mask_of
from mediamill.annotations.write import Losses, Pictured, written
from mediamill.handlers.datasets.sample import CATEGORIES, HEIGHT, WIDTH, shapes_of

SQUARE = (10.0, 20.0, 40.0, 20.0, 40.0, 50.0, 10.0, 50.0)
POINTS = (12.0, 20.0, 2.0, 30.0, 44.0, 1.0, 0.0, 0.0, 0.0, 16.0, 24.0, 2.0, 20.0, 40.0, 2.0)


def blob() -> np.ndarray:
    bitmap = np.zeros((HEIGHT, WIDTH), np.uint8)
    bitmap[60:70, 100:140] = 1
    return bitmap


DRAWN = (
    Annotation(1, "triangle", polygons=(SQUARE, (60.0, 0.0, 70.0, 0.0, 60.0, 10.0))),
    Annotation(2, "triangle", mask=mask_of(blob())),
    Annotation(3, "star", keypoints=POINTS),
    Annotation(4, "star", polygons=(SQUARE,)),
    Annotation(5, "circle", (5.0, 6.0, 7.0, 8.0)),
)
"""One of each kind as it is drawn: without what the others say."""


def document(*pictures: ImageAnnotations) -> dict:
    rows = [Pictured(f"{n}.jpg", content) for n, content in enumerate(pictures)]
    ((_, chunks),) = written("coco", CATEGORIES, rows)
    return json.loads(b"".join(chunks))


def test_boxes_areas_and_counts_are_those_of_what_is_drawn() -> None:
    found = [completed(one) for one in DRAWN]
    assert [(one.box, one.area) for one in found] == [
        ((10, 0, 60, 50), 950),
        ((100, 60, 40, 10), 400),
        ((12, 20, 19, 25), 475),
        ((10, 20, 30, 30), 900),
        ((5, 6, 7, 8), 56),
    ]
    assert [labelled(one) for one in found] == [0, 0, 4, 0, 0]
    one = Annotation(6, "star", keypoints=(0, 0, 0))
    assert (completed(one).box, completed(one).area) == (None, 0)
    said = Annotation(7, "triangle", (1, 2, 3, 4), (SQUARE,), area=5.0)
    assert completed(said) is said
    some = Annotation(8, "triangle", polygons=(SQUARE,), area=5.0)
    assert (completed(some).box, completed(some).area) == ((10, 20, 30, 30), 5)
    other = Annotation(9, "triangle", (1, 2, 3, 4), (SQUARE,))
    assert (completed(other).box, completed(other).area) == ((1, 2, 3, 4), 900)


# pycocotools 2.0.11 gives NumPy masks in the way of NumPy 1
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("kind", ["bbox", "segm", "keypoints"])
def test_the_evaluator_of_coco_takes_what_is_written(tmp_path, kind) -> None:
    """The sample and drawn shapes, found by a model without a fault."""
    shown = [
        ImageAnnotations(WIDTH, HEIGHT, tuple(
            shape.annotation(n) for n, shape in enumerate(shapes_of(number), 1)
        ))
        for number in range(8)
    ]  # fmt: skip
    whole = document(*shown, ImageAnnotations(WIDTH, HEIGHT, DRAWN))
    kinds = {"bbox": {1, 2, 3, 4}, "segm": {3}, "keypoints": {4}}[kind]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(whole))
    found = [
        {**one, "score": 1.0} for one in whole["annotations"]
        if one["category_id"] in kinds and (kind != "keypoints" or one["num_keypoints"])
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(path)
        judge = COCOeval(truth, truth.loadRes(found), kind)
        judge.params.catIds = sorted(kinds)
        judge.params.kpt_oks_sigmas = np.full(5, 0.05)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert judge.stats[0] == pytest.approx(1.0)


def test_classes_with_key_points_have_them_in_every_annotation() -> None:
    rows = document(ImageAnnotations(WIDTH, HEIGHT, DRAWN))["annotations"]
    assert [one.get("num_keypoints") for one in rows] == [None, None, 4, 0, None]
    assert rows[3]["keypoints"] == [0] * 15
    assert "keypoints" not in rows[0]


def test_polygons_and_a_mask_of_one_object_both_come_back() -> None:
    """COCO's `segmentation` holds one of them; other formats count the mask as lost."""
    both = msgspec.structs.replace(DRAWN[0], mask=DRAWN[1].mask, extra={"score": 0.5})
    (row,) = document(ImageAnnotations(WIDTH, HEIGHT, (both,)))["annotations"]
    again = coco.annotation_of(1, "triangle", row)
    assert (again.polygons, again.mask, again.extra) == (both.polygons, both.mask, both.extra)
    for form in ("yolo", "voc"):
        losses = Losses()
        content = ImageAnnotations(WIDTH, HEIGHT, (both,))
        for _ in written(form, CATEGORIES, [Pictured("x.jpg", content)], None, losses):
            pass
        assert losses.counts == {"mask": 1}, form


def test_what_has_no_box_is_in_every_format() -> None:
    content = ImageAnnotations(WIDTH, HEIGHT, DRAWN)
    losses = Losses()
    files = dict(written("voc", CATEGORIES, [Pictured("x.jpg", content)], None, losses))
    assert b"".join(files["Annotations/x.xml"]).count(b"<bndbox>") == len(DRAWN)
    assert losses.counts == {"mask": 1, "keypoints": 1}
    losses = Losses()
    files = dict(written("yolo", CATEGORIES, [Pictured("x.jpg", content)], None, losses))
    assert b"".join(files["labels/train/x.txt"]).count(b"\n") == len(DRAWN)
    assert losses.counts == {"mask": 1, "keypoints": 1}
    stars = [Category(1, "star", keypoints=CATEGORIES[3].keypoints)]
    posed = content.with_annotations([DRAWN[2]])
    files = dict(written("yolo", stars, [Pictured("x.jpg", posed)], None, Losses()))
    words = b"".join(files["labels/train/x.txt"]).split()
    assert [float(word) for word in words[1:5]] == pytest.approx(
        [21.5 / WIDTH, 32.5 / HEIGHT, 19 / WIDTH, 25 / HEIGHT]
    )
