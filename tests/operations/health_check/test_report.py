"""The report says of a set what is in it: numbers, outliers, duplicates, leaks, classes, advice."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.support.planted import CHANGES, changed, scene

from mediamill.annotations.model import Annotation, ImageAnnotations
from mediamill.media.image.picture import Picture
from mediamill.operations.base import Context, Measure, Outcome
from mediamill.operations.health_check import HealthCheck, plugin

CLASSES = ("cat", "dog")


def annotations(n: int, picture: Picture) -> ImageAnnotations:
    """Draw cats on all, a dog on one, one box that reaches out."""
    boxes = [Annotation(1, "cat", (5, 5, 40, 30))]
    if n == 12:
        boxes.append(Annotation(2, "dog", (0, 0, picture.width, picture.height)))
    if n == 1:
        boxes.append(Annotation(3, "cat", (picture.width - 5, 0, 50, 10)))
    return ImageAnnotations(picture.width, picture.height, tuple(boxes))


@functools.cache
def pixels_of(n: int) -> Any:
    """Return a scene; the ninth is blurred, the tenth dark, 20 … 22 are copies of 0 … 2."""
    if n >= 20:
        how = ("flip", "crop", "resize")[n - 20]
        assert how in CHANGES
        data = np.frombuffer(changed(8, n, scene(8, n - 20, []), how), np.uint8)
        return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    pixels = scene(8, n, [])
    if n == 9:
        return cv2.GaussianBlur(pixels, (0, 0), 6)
    return pixels // 40 if n == 10 else pixels


def measures(step: HealthCheck, context: Context, annotated: bool = True) -> Iterator[Measure]:
    """Measure 23 pictures, the last three in the test split; then the first again, and a wreck."""
    first: Measure | None = None
    for n in range(23):
        picture = Picture(pixels_of(n))
        if annotated and n != 5:
            picture.annotations = annotations(n, picture)
        info = {"width": picture.width, "height": picture.height}
        image = json.loads(json.dumps({"info": info, **step.measure_picture(picture, context)}))
        split = "test" if n >= 20 else ("train", "")[n % 2]
        one = Measure(n, f"file_{n}", f"{n}.jpg", sha256=f"{n:064x}", media_type="image/jpeg",
                      size=10_000 + n, split=split, images=(image,))  # fmt: skip
        first = first or one
        yield one
    assert first is not None
    again = {**vars(first), "item": 23, "file": "file_23", "split": "validation"}
    yield Measure(**again)
    error = {"code": "broken_media", "message": "24.jpg is cut off or damaged"}
    yield Measure(24, "file_24", "24.jpg", error=error)


def reduced(
    folder: Path, **parameters: Any
) -> tuple[Outcome, dict[str, Any], list[dict[str, Any]]]:
    """Return the outcome, the report and the rows of the table."""
    step, context = HealthCheck(**parameters), Context(folder)
    outcome = step.reduce(measures(step, context), context)
    report, table = outcome.files
    assert (report.name, table.name) == ("health.json", "health.parquet")
    return outcome, json.loads(report.path.read_bytes()), pq.read_table(table.path).to_pylist()


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Outcome, dict[str, Any], list[dict[str, Any]]]:
    return reduced(tmp_path_factory.mktemp("health"))


Found = tuple[Outcome, dict[str, Any], list[dict[str, Any]]]


def test_it_is_a_plugin_that_reports():
    assert plugin is HealthCheck
    step = HealthCheck()
    assert step.surveys
    assert not step.applies


def test_the_summary_counts_and_advises(found: Found):
    outcome, report, _ = found
    data = dict(outcome.data or {})
    listed = data.pop("advice")
    advice = {one["code"]: one for one in reversed(listed)}
    assert data == report["summary"]
    assert data == {
        "schema": 1, "files": 25, "images": 24, "broken": 1, "exact_duplicates": 1,
        "near_duplicates": 4, "duplicate_groups": 3, "leaks": 7, "classes": 2,
    }  # fmt: skip
    assert listed == report["advice"][:20]
    assert advice["leak-near"]["text"].startswith(
        "4 images are near-duplicates across train and test"
    )
    assert {"broken", "near-duplicates", "exact-duplicates", "misplaced-boxes", "not-annotated",
            "imbalance", "outlying-sharpness", "outlying-luminance", "class-missing",
            } <= set(advice)  # fmt: skip
    assert advice["broken"]["severity"] == "error"
    assert len(json.dumps(outcome.data)) < 8000


def test_duplicates_are_groups_and_leaks_those_that_straddle_splits(found: Found):
    _, report, rows = found

    def files(groups: list[dict[str, Any]]) -> list[list[str]]:
        return [[image["file"] for image in group["images"]] for group in groups]

    assert files(report["duplicates"]["exact"]) == [["file_0", "file_23"]]
    near = [["file_0", "file_20", "file_23"], ["file_1", "file_21"], ["file_2", "file_22"]]
    assert files(report["duplicates"]["near"]) == near
    assert files(report["leaks"]) == near
    splits = [leak["splits"] for leak in report["leaks"]]
    assert splits == [["test", "train", "validation"], ["test", "train"], ["test", "train"]]
    assert {leak["kind"] for leak in report["leaks"]} == {"near"}
    assert all(0.8 <= group["similarity"] <= 1 for group in report["duplicates"]["near"])
    assert [row["near_group"] for row in rows if row["near_group"] is not None] == [
        0, 1, 2, 0, 1, 2, 0,
    ]  # fmt: skip
    assert [n for n, row in enumerate(rows) if row["exact_group"] == 0] == [0, 23]


def test_groups_that_straddle_splits_are_leaks_though_nothing_is_alike(tmp_path: Path):
    """Of frames of a video, by whatever way they came apart, and of what was made of a file."""
    known = (
        ("file_0", "clip", "train"), ("file_1", "clip", "test"), ("file_2", "clip", "train"),
        ("file_3", "", "validation"), ("file_4", "file_3", ""), ("file_5", "whole", "test"),
        ("file_6", "whole", "test"), ("file_7", "", "test"),
    )  # fmt: skip
    step, context = HealthCheck(duplicates=False), Context(tmp_path)
    measures = [
        Measure(n, file, f"{n}.jpg", sha256=f"{n % 7:064x}", split=split, group=group, images=({},))
        for n, (file, group, split) in enumerate(known)
    ]  # the last is the same file as the first
    outcome = step.reduce(iter(measures), context)
    report = json.loads(outcome.files[0].path.read_bytes())
    exact, *leaks = report["leaks"]
    assert (exact["kind"], exact["splits"]) == ("exact", ["test", "train"])
    assert [(one["kind"], one["group"], one["splits"]) for one in leaks] == [
        ("group", "clip", ["test", "train"]), ("group", "file_3", ["train", "validation"]),
    ]  # fmt: skip
    shown = [[image["file"] for image in one["images"]] for one in leaks]
    assert shown == [["file_0", "file_1", "file_2"], ["file_3", "file_4"]]
    assert report["summary"]["leaks"] == 6, "each image once"
    advice = [one for one in report["advice"] if one["code"] == "leak-group"]
    assert [(one["count"], one["groups"]) for one in advice] == [(3, ["clip"]), (2, ["file_3"])]
    assert advice[0]["text"].startswith("3 images are of one group")
    assert "across train and test" in advice[0]["text"]
    assert "groups" not in report["advice"][0]


def test_numbers_are_spread_as_numpy_says(found: Found):
    _, report, rows = found
    for name, measure in report["measures"].items():
        values = np.array([row[name] for row in rows if row[name] is not None], float)
        assert measure["count"] == len(values)
        assert measure["missing"] == 24 - len(values)
        assert measure["mean"] == pytest.approx(values.mean(), rel=1e-6)
        assert measure["std"] == pytest.approx(values.std(), rel=1e-6)
        assert measure["quantiles"]["0.5"] == pytest.approx(np.median(values), rel=1e-6)
        assert measure["quantiles"]["0.95"] == pytest.approx(np.quantile(values, 0.95), rel=1e-6)
        histogram = measure["histogram"]
        assert sum(histogram["counts"]) == len(values)
        assert len(histogram["counts"]) == 32 == len(histogram["edges"]) - 1


def test_outliers_are_those_far_from_the_median(found: Found):
    _, report, rows = found
    sharp = report["measures"]["sharpness"]["outliers"]
    assert sharp["images"][0]["file"] in {"file_9", "file_10"}
    values = np.log([row["sharpness"] for row in rows[:24]])
    off = np.abs(values - np.median(values))
    far = np.flatnonzero(off > 3.5 * 1.4826 * np.median(off))
    assert {image["row"] for image in sharp["images"]} == set(far.tolist())
    assert {9, 10} & set(far.tolist())
    assert "luminance" in rows[10]["outlier_of"]
    assert rows[0]["outlier_of"] == []


def test_the_table_has_a_row_for_each_picture_and_wreck(found: Found):
    _, report, rows = found
    assert [row["row"] for row in rows] == list(range(25))
    assert [row["file"] for row in rows] == [f"file_{n}" for n in range(25)]
    assert rows[24]["error"] == "broken_media"
    assert rows[24]["luminance"] is None
    assert rows[24]["width"] is None
    assert report["broken"] == [{
        "row": 24, "item": 24, "file": "file_24", "name": "24.jpg", "code": "broken_media",
        "message": "24.jpg is cut off or damaged",
    }]  # fmt: skip
    assert all(row["error"] is None and row["depth"] == 8 for row in rows[:24])
    assert all(len(row["hash"]) == 16 for row in rows[:24])
    assert rows[3]["aspect_ratio"] == pytest.approx(rows[3]["width"] / rows[3]["height"])


def test_classes_are_counted_by_split(found: Found):
    classes = found[1]["classes"]
    assert classes["images"] == {"annotated": 23, "empty": 0, "without": 1}
    assert classes["classes"] == [
        {"name": "cat", "objects": 24, "images": 23,
         "splits": {"test": 3, "train": 20, "validation": 1}},
        {"name": "dog", "objects": 1, "images": 1,
         "splits": {"test": 0, "train": 1, "validation": 0}},
    ]  # fmt: skip
    assert classes["objects"] == 25
    assert classes["misplaced"] == 1
    assert classes["imbalance"] == 24
    assert sum(classes["areas"]["counts"]) == 25
    assert classes["areas"]["counts"][-1] == 1, "the dog covers all of its picture"


def test_without_duplicates_only_equal_files_are_told(tmp_path: Path):
    step, context = HealthCheck(duplicates=False, bins=5), Context(tmp_path)
    every = list(measures(step, context, annotated=False))
    assert all("fingerprint" not in image for one in every for image in one.images)
    outcome = step.reduce(iter(every), context)
    report = json.loads(outcome.files[0].path.read_bytes())
    assert report["summary"]["near_duplicates"] == 1
    assert report["duplicates"]["near"] == []
    assert [leak["kind"] for leak in report["leaks"]] == ["exact"]
    assert report["classes"] is None
    assert len(report["measures"]["width"]["histogram"]["counts"]) == 5
    assert report["measures"]["objects"] == {
        "description": "Annotated objects in the image.", "count": 0, "missing": 24,
        "outliers": {"distance": 3.5, "low": None, "high": None, "count": 0, "below": 0,
                     "images": []},
    }  # fmt: skip


def test_a_set_of_nothing_but_wrecks_has_a_report(tmp_path: Path):
    error = {"code": "broken_media", "message": "no"}
    wreck = Measure(0, "file_0", "0.jpg", error=error)
    for set_ in ([], [wreck]):
        folder = tmp_path / str(len(set_))
        folder.mkdir()
        outcome = HealthCheck().reduce(iter(set_), Context(folder))
        assert (outcome.data or {})["images"] == 0
        assert len(pq.read_table(outcome.files[1].path)) == len(set_)


def test_a_measure_is_small():
    """Some kilobytes of each of 100,000 pictures are kept, and read again."""
    picture = Picture(scene(8, 4, []))
    picture.annotations = annotations(12, picture)
    assert len(json.dumps(HealthCheck().measure_picture(picture, Context(Path())))) < 5_000


def test_what_nobody_sees_is_in_no_fingerprint():
    pixels = np.dstack([scene(8, 4, []), np.full(scene(8, 4, []).shape[:2], 255, np.uint8)])
    pixels[:100, :100, 3] = 0
    other = pixels.copy()
    other[:100, :100, :3] = 255 - other[:100, :100, :3]
    step, context = HealthCheck(), Context(Path())
    one, two = (step.measure_picture(Picture(each), context) for each in (pixels, other))
    assert one == two
