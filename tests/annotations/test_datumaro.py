"""Datumaro judges what is written.

It wants older libraries than ours, so `make judges` installs it in an environment of its own, as
`make soak` does first.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.annotations.sets import coco, read, stored, write
from tests.support.services import unavailable

pytestmark = pytest.mark.soak
JUDGE = Path(sys.prefix) / "judges" / "bin" / "python"
ASK = """
import json, sys
from datumaro.components.dataset import Dataset
found = {}
dataset = Dataset.import_from(sys.argv[1], sys.argv[2])
from datumaro.components.annotation import AnnotationType
labels = [label.name for label in dataset.categories()[AnnotationType.label].items]
for item in dataset:
    rows = []
    for one in item.annotations:
        if one.type.name in ("bbox", "polygon", "mask"):
            box = [round(float(value), 3) for value in one.get_bbox()]
            rows.append([one.type.name, labels[one.label], box])
    found[item.id] = sorted(rows)
print("JSON" + json.dumps({"labels": labels, "items": found}))
"""


def judged(form: str, where: Path) -> dict:
    """Ask Datumaro what it reads."""
    if not JUDGE.exists():
        unavailable(
            "Datumaro is unavailable: `make judges` installs it, where the registry offers it"
        )
    done = subprocess.run(
        [JUDGE, "-c", ASK, str(where), form], capture_output=True, text=True, timeout=100,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.rpartition("JSON")[2])


@pytest.fixture
def sample(tmp_path):
    return read(stored(tmp_path / "in" / "instances.json", coco()))


def pictures(where: Path, names: list[str]) -> None:
    """Put pictures where Datumaro looks for them."""
    import cv2
    import numpy as np

    sizes = {"b": (60, 80), "a": (48, 64), "empty": (32, 32)}
    for name in names:
        where.mkdir(parents=True, exist_ok=True)
        height, width = sizes[name.partition(".")[0]]
        cv2.imwrite(str(where / name), np.zeros((height, width, 3), np.uint8))


def test_coco(tmp_path, sample) -> None:
    write(tmp_path / "out", "coco", *sample)
    (tmp_path / "out" / "annotations").mkdir()
    shutil.move(
        tmp_path / "out" / "annotations.json", tmp_path / "out/annotations/instances_default.json"
    )
    pictures(tmp_path / "out" / "images" / "default", ["a.jpg", "b.jpg", "empty.jpg"])
    found = judged("coco_instances", tmp_path / "out")
    assert sorted(found["labels"]) == ["dog", "person"]
    assert sorted(found["items"]) == ["a", "b", "empty"]
    dog = {tuple(row[2]) for row in found["items"]["b"]}
    assert (2.5, 3.25, 40.0, 20.5) in dog
    assert found["items"]["a"][0][1] == "person"


def test_yolo(tmp_path, sample) -> None:
    found, index = sample
    for one in list(index.categories):
        if index.categories[one].keypoints:
            del index.categories[one]
    boxed = [
        msgspec.structs.replace(one, content=one.content.with_annotations(
            msgspec.structs.replace(each, polygons=()) for each in one.content.annotations
        ))
        for one in found if one.path != "a.jpg"
    ]  # fmt: skip
    write(tmp_path / "out", "yolo", boxed, index)
    pictures(tmp_path / "out" / "images" / "train", ["b.jpg", "empty.jpg"])
    seen = judged("yolo", tmp_path / "out")
    assert seen["labels"] == ["dog"]
    boxes = [row[2] for row in seen["items"]["b"]]
    assert [20.0, 10.0, 30.0, 20.0] in [[round(v, 1) for v in box] for box in boxes]


def test_voc(tmp_path, sample) -> None:
    write(tmp_path / "out", "voc", *sample)
    pictures(tmp_path / "out" / "JPEGImages", ["a.jpg", "b.jpg", "empty.jpg"])
    sets = tmp_path / "out" / "ImageSets" / "Main"
    sets.mkdir(parents=True)
    (sets / "default.txt").write_text("a\nb\nempty\n")
    (tmp_path / "out" / "labelmap.txt").write_text("dog:::\nperson:::\n")
    seen = judged("voc", tmp_path / "out")
    boxes = {(row[1], tuple(row[2])) for rows in seen["items"].values() for row in rows}
    assert ("person", (5.0, 6.0, 20.0, 30.0)) in boxes
    assert ("dog", (2.5, 3.25, 40.0, 20.5)) in boxes
