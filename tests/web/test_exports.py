"""Exports train: plain readers as PyTorch wants them, pycocotools and webdataset take them."""

import io
import json
import tarfile
import zipfile

import cv2
import numpy as np
import pytest

from tests.support.readers import CocoFolder, VocFolder, YoloFolder
from tests.support.serving import working
from tests.web.test_datasets import ended, exported, frozen


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.soak)])
async def version(mill, ann, request):
    """A version of the sample, split by classes; in the soak its train images flipped too."""
    async with working(mill):
        client = ann.client
        made = await client.post("/v1/projects/sample")
        await ended(client, made)
        here = made.headers["location"]
        split = {"train": 2, "validation": 1, "test": 1, "seed": 2}
        await ended(client, await client.post(f"{here}/split", json=split))
        flip = {"methods": ["horizontal-flip"], "probability": {"horizontal-flip": 1}}
        augment = {"operation": "augment", "parameters": {**flip, "keep_original": True}}
        steps = [augment] if request.param else []
        yield await frozen(client, here.rpartition("/")[2], steps=steps, seed=5)


# webdataset leaves the files that it reads to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_every_format_loads_and_says_the_same(ann, version, tmp_path):
    augmented = version["files"] == 36
    count = 24 if augmented else 12
    assert version["summary"]["splits"] == {"train": count, "validation": 6, "test": 6}
    found = {}
    for form, reader, train in (
        ("coco", CocoFolder, "train"), ("yolo", YoloFolder, "train"), ("voc", VocFolder, "train"),
    ):  # fmt: skip
        url = f"{version['links']['export']}?format={form}&wait=20"
        root = tmp_path / form
        zipfile.ZipFile(io.BytesIO((await exported(ann.client, url)).content)).extractall(root)
        dataset = reader(root, train)
        assert len(dataset) == count
        samples = [dataset[n] for n in range(len(dataset))]
        assert all(image.shape == (192, 256, 3) for image, _, _ in samples)
        found[form] = sorted(
            (name, *(round(value, 2) for value in box))
            for _, boxes, names in samples
            for name, box in zip(names, boxes, strict=True)
        )
        for image, boxes, names in samples:
            check_colours(image, boxes, names)
    assert found["coco"] == found["yolo"] == found["voc"]
    url = f"{version['links']['export']}?format=webdataset&wait=20"
    path = tmp_path / "all.tar"
    path.write_bytes((await exported(ann.client, url)).content)
    check_samples(path, augmented=augmented)


INKS = {
    "circle": (0x5B, 0x49, 0xD1), "square": (0x57, 0x8B, 0x2E), "triangle": (0xBA, 0x66, 0x30),
    "star": (0x46, 0xAA, 0xE1),
}  # fmt: skip


def check_colours(image, boxes, names):
    """The middle of each box has its shape's colour: the boxes moved with the pixels."""
    for (x, y, w, h), name in zip(boxes, names, strict=True):
        row, column = (int(round(middle, 3)) for middle in (y + h / 2, x + w / 2))  # as YOLO rounds
        seen = image[row, column].astype(int)
        assert abs(seen - INKS[name]).max() <= 12, name


def as_bytes(data):
    return np.frombuffer(data, dtype=np.uint8)


def check_samples(path, *, augmented):
    """WebDataset's own reader gives whole samples, and none of what is not one."""
    import webdataset

    samples = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert len(samples) == (36 if augmented else 24)
    for sample in samples:
        assert sample["__key__"].split("/")[0] in ("train", "validation", "test")
        about = json.loads(sample["json"])
        assert cv2.imdecode(as_bytes(sample["jpg"]), 1).shape == (192, 256, 3)
        assert about["annotations"]["annotations"]
    with tarfile.open(path) as archive:
        lines = archive.extractfile("__dataset__/manifest.jsonl").read().splitlines()
    manifest = [json.loads(line) for line in lines]
    assert {line["name"].rpartition(".")[0] for line in manifest} == {
        sample["__key__"] for sample in samples
    }
    assert {line["subset"] for line in manifest} == {"augmented" if augmented else "original"}
    for line in manifest if augmented else ():
        assert line["lineage"]["steps"][0]["operation"] == "augment"
