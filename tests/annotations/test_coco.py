"""COCO in and out unchanged, judged by pycocotools; what is wrong is listed with its place."""

import contextlib
import copy
import io
import json
import tracemalloc

import numpy as np
import pytest
from pycocotools.coco import COCO
from tests.annotations.sets import by_id, coco, codes, read, stored, write
from tests.media_factory import hostile_json

from mediamill.annotations import book, formats, scan, values
from mediamill.annotations import index as annotations_index
from mediamill.annotations.index import FileFacts, Index
from mediamill.annotations.tree import Folder
from mediamill.core.errors import InvalidInput


def test_coco_unchanged_keeps_everything(tmp_path) -> None:
    before = coco()
    found, index = read(stored(tmp_path / "in" / "instances.json", before))
    assert codes(index) == {}
    write(tmp_path / "out", "coco", found, index)
    after = json.loads((tmp_path / "out" / "annotations.json").read_bytes())
    for name in ("images", "annotations", "categories"):
        assert by_id(after[name]) == by_id(before[name]), name
    assert {k: after[k] for k in ("info", "licenses", "origin")} == {
        k: before[k] for k in ("info", "licenses", "origin")
    }
    again, index_again = read(tmp_path / "out")
    write(tmp_path / "twice", "coco", again, index_again)
    first, second = (tmp_path / name / "annotations.json" for name in ("out", "twice"))
    assert first.read_bytes() == second.read_bytes()


# pycocotools 2.0.11 gives NumPy masks in the way of NumPy 1
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_pycocotools_sees_the_same_before_and_after(tmp_path) -> None:
    before = stored(tmp_path / "instances.json", coco())
    write(tmp_path / "out", "coco", *read(before))
    with contextlib.redirect_stdout(io.StringIO()):
        ours, theirs = COCO(before), COCO(tmp_path / "out" / "annotations.json")
    assert sorted(ours.getAnnIds()) == sorted(theirs.getAnnIds())
    assert ours.getAnnIds(iscrowd=True) == theirs.getAnnIds(iscrowd=True) == [11]
    for number in ours.getAnnIds():
        one, other = ours.loadAnns([number])[0], theirs.loadAnns([number])[0]
        assert (ours.annToMask(copy.deepcopy(one)) == theirs.annToMask(other)).all()
        assert np.count_nonzero(theirs.annToMask(other))


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        (lambda d: d["annotations"][0].update(image_id=99), "orphan", "annotations[0]"),
        (lambda d: d["images"][1].update(id=397133), "image_twice", "images[1]"),
        (lambda d: d["images"][1].update(file_name="b.jpg", width=80, height=60),
         "image_twice", "images[1]"),
        (lambda d: d["images"][2].update(file_name="none.jpg"), "missing_image", "images[2]"),
        (lambda d: d["annotations"][3].update(id=7), "annotation_twice", "annotations[3]"),
        (lambda d: d["annotations"][1].update(category_id=3), "unknown_category", "annotations[1]"),
        (lambda d: d["annotations"][1].update(bbox=[64, 0, 5, 5]), "box_outside", "annotations[1]"),
        (lambda d: d["annotations"][1].update(bbox=[3, 3, -5, 5]), "wrong_box", "annotations[1]"),
        (lambda d: d["images"][0].update(width=60, height=80), "wrong_size", "images[0]"),
        (lambda d: d["annotations"][0].update(segmentation=[[]]), "wrong_polygon",
         "annotations[0]"),
        (lambda d: d["annotations"][1].update(keypoints=[1, 2, 2]), "wrong_keypoints",
         "annotations[1]"),
        (lambda d: d["annotations"][2]["segmentation"].update(size=[6, 8]), "wrong_mask",
         "annotations[2]"),
        (lambda d: d["annotations"][2]["segmentation"].update(counts="0"), "wrong_mask",
         "annotations[2]"),
        (lambda d: d["annotations"][0].update(bbox=["a", 1, 2, 3]), "unreadable", "annotations[0]"),
        (lambda d: d["annotations"][0].update(bbox=[1e300, 1, 2, 3]), "unreadable",
         "annotations[0]"),
        (lambda d: d["annotations"][0].update(bbox={"x": 1}), "unreadable", "annotations[0]"),
        (lambda d: d["annotations"].__setitem__(0, 5), "unreadable", "annotations[0]"),
        (lambda d: d["images"][0].pop("file_name"), "unreadable", "images[0]"),
        (lambda d: d["categories"].append({"id": 18, "name": "cat"}), "category_twice",
         "categories[2]"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_listed_with_its_place(tmp_path, change, code, place) -> None:
    document = coco()
    change(document)
    found, index = read(stored(tmp_path / "instances.json", document))
    at = [(one.level, one.place) for one in index.findings if one.code == code]
    assert ("error", place) in at, index.findings
    assert index.errors >= 1
    whole = sum(len(one.content.annotations) for one in found)
    assert whole < 4 or code in ("image_twice", "missing_image", "category_twice")


def test_small_excess_is_a_warning(tmp_path) -> None:
    document = coco()
    document["annotations"][1]["bbox"] = [50, 40, 20, 20]
    found, index = read(stored(tmp_path / "instances.json", document))
    assert (codes(index), index.errors) == ({"box_over_edge": 1}, 0)
    assert sum(len(one.content.annotations) for one in found) == 4


def test_names_that_two_files_have_are_told(tmp_path) -> None:
    path = stored(tmp_path / "instances.json", coco())
    files = [FileFacts("x", "one/b.jpg", 80, 60), FileFacts("y", "two/b.jpg", 80, 60)]
    _, index = read(path, files)
    assert codes(index) == {"ambiguous_image": 1, "missing_image": 2}


def test_several_files_with_ids_of_their_own_are_one_set(tmp_path) -> None:
    """As Roboflow exports: each split counts from 0."""
    files = []
    for split in ("train", "valid", "test"):
        document = coco()
        for image in document["images"]:
            image["file_name"] = f"{split}-{image['file_name']}"
            files.append(FileFacts(image["file_name"], image["file_name"], image["width"],
                                   image["height"]))  # fmt: skip
        stored(tmp_path / split / "_annotations.coco.json", document)
    found, index = read(tmp_path, files)
    assert codes(index) == {}
    assert [one.split for one in found] == ["test"] * 3 + ["train"] * 3 + ["validation"] * 3
    write(tmp_path / "out", "coco", found, index)
    after = json.loads((tmp_path / "out" / "annotations.json").read_bytes())
    assert len(by_id(after["annotations"])) == 12
    assert len(by_id(after["images"])) == 9


def test_hostile_json_is_refused_or_listed(tmp_path) -> None:
    for path in hostile_json():
        target = tmp_path / "instances.json"
        data = path.read_bytes()
        inside = b'{"images":[%b],"annotations":[]}' % (data if data.strip() else b",")
        for text in (data, inside):
            target.write_bytes(text)
            try:
                _, index = read(target)
            except InvalidInput:
                continue
            assert index.errors, path.name


@pytest.mark.parametrize(
    ("member", "one"),
    [("categories", {"id": 2, "name": "b", "keypoints": 5}),
     ("categories", {"id": 2, "name": "b", "skeleton": [[1, "x"]]}),
     ("categories", {"id": 2, "name": "b" * 201}),
     ("images", {"id": 2, "file_name": "x.jpg", "labels": 5}),
     ("images", {"id": 2, "file_name": "../" * 90 + "x.jpg"}),
     ("annotations", {"id": 2, "image_id": 1, "category_id": 1, "bbox": [1e300, 0, 1, 1]}),
     ("annotations", {"id": 2, "image_id": 1, "category_id": 1, "segmentation": 5}),
     ("annotations", {"id": 2, "image_id": 1, "category_id": 1,
                      "segmentation": {"size": [10**7, 10**7], "counts": [10**14]}}),
     ("annotations", {"id": 2, "image_id": 1, "category_id": 1,
                      "segmentation": {"size": [60, 80], "counts": "PPPPPPPPPPPPPPPPP"}})],
)  # fmt: skip
def test_hostile_values_are_listed(tmp_path, member, one) -> None:
    whole = {
        "images": [{"id": 1, "file_name": "b.jpg", "width": 80, "height": 60}],
        "categories": [{"id": 1, "name": "a"}],
        "annotations": [],
    }
    whole[member].append(one)
    found, index = read(stored(tmp_path / "instances.json", whole))
    assert index.errors == 1, index.findings
    assert [one.content.annotations for one in found] == [()]


def test_numbers_of_a_polygon_are_bounded(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(values, "MAX_NUMBERS", 1_000)
    with pytest.raises(InvalidInput, match="more than 1,000 numbers"):
        values.numbers([1.0] * 1_001, "A polygon")
    with pytest.raises(InvalidInput, match="more than 1,000 numbers"):
        values.parsed(["1"] * 1_001, "A polygon")


def test_classes_and_what_is_said_of_the_set_are_bounded(tmp_path, monkeypatch) -> None:
    whole = coco()
    whole |= {"x": "y", "notes": ["a" * 2_000] * 3, "more": {"b": "a" * 2_000}}
    monkeypatch.setattr(book, "MAX_BYTES", 3_000)
    _, index = read(stored(tmp_path / "instances.json", whole))
    assert codes(index) == {"too_large": 3}
    assert index.document["notes"] == ["a" * 2_000]
    assert len(index.categories) == 2
    monkeypatch.setattr(annotations_index, "MAX_CLASSES", 1)
    _, index = read(stored(tmp_path / "instances.json", coco()))
    assert codes(index)["too_many_categories"] == 1


def test_a_member_that_comes_twice_is_what_it_was_first(tmp_path) -> None:
    (tmp_path / "instances.json").write_text('{"images": [], "info": {"a": 1}, "info": [2]}')
    _, index = read(tmp_path / "instances.json")
    assert index.document == {"info": {"a": 1}}


def test_memory_stays_small_while_a_large_set_is_read(tmp_path, monkeypatch) -> None:
    """What is held is an element of an array, and not the set."""
    target = tmp_path / "instances.json"
    ring = [n % 30 + 0.5 for n in range(200)]
    with target.open("w") as out:
        out.write('{"images":[{"id":1,"file_name":"b.jpg","width":80,"height":60}],'
                  '"categories":[{"id":1,"name":"a"}],"annotations":[')  # fmt: skip
        row = {"image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "segmentation": [ring]}
        out.write(",".join(json.dumps({"id": n, **row}) for n in range(1_500)))
        out.write("]}")
    size = target.stat().st_size
    assert size > 3 << 19
    index = Index(tmp_path / "scratch.db")
    monkeypatch.setattr(scan, "CHUNK", 1 << 16)
    tracemalloc.start()
    formats.read(Folder(target), index, None, lambda part: None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert index.count("annotations") == 1_500
    index.close()
    assert peak < 1 << 20
