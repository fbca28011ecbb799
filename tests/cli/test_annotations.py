"""Sets of annotations on the command line: checked, converted, carried through `run`, sent."""

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from mediamill.annotations.layout import laid_out, picture_place
from mediamill.annotations.model import Annotation, Category, ImageAnnotations
from mediamill.annotations.write import Losses, Pictured
from mediamill.cli.local.layout import Layout
from mediamill.cli.root import root
from mediamill.cli.terminal.inputs import Input
from tests.annotations.sets import by_id, coco
from tests.support.readers import CocoFolder, VocFolder, YoloFolder


def lay(folder):
    """Write the pictures of `coco()`, and the set beside them."""
    (folder / "images").mkdir()
    random = np.random.default_rng(1)
    for image in coco()["images"]:
        pixels = random.integers(0, 255, (image["height"], image["width"], 3), np.uint8)
        cv2.imwrite(str(folder / "images" / image["file_name"]), pixels)
    (folder / "instances.json").write_text(json.dumps(coco()))


@pytest.fixture
def pictures(mediamill):
    lay(mediamill.folder)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in a folder, in this process."""
    lay(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(root, arguments)


def test_sets_are_checked_and_converted_there_and_back(here):
    good = here("annotations", "check", "instances.json", "--images", "images")
    assert good.exit_code == 0, good.output
    assert "3 images, 4 annotations, 2 classes; 0 errors" in good.stderr
    for form in ("coco", "voc", "yolo"):
        made = here("annotations", "convert", "instances.json", f"{form}.zip", "--format", form)
        assert made.exit_code == 0, made.output
    assert "1 × crowd" in made.stderr
    options = ("--format", "coco", "--images", "images")
    back = here("annotations", "convert", "yolo.zip", "back.json", *options)
    assert back.exit_code == 0, back.output
    found = json.loads(Path("back.json").read_text())["annotations"]
    assert any(one["bbox"] == pytest.approx([20, 10, 30, 20]) for one in found)
    lay_split(Path("split"), "coco")
    for form in ("yolo", "voc"):
        made = here("annotations", "convert", "split", form, "--format", form)
        assert made.exit_code == 0, made.output
    assert {path.name for path in Path("yolo/labels/train").iterdir()} == {
        "a.txt",
        "b.txt",
        "c.txt",
    }
    assert Path("voc/ImageSets/Main/val.txt").read_text() == "d\n"
    assert Path("voc/Annotations/d.xml").exists()
    refused = here("annotations", "convert", "voc.zip", "back.json", "--format", "coco")
    assert refused.exit_code == 2
    with zipfile.ZipFile("coco.zip") as archive:
        after = json.loads(archive.read("annotations.json"))
    assert by_id(after["annotations"]) == by_id(coco()["annotations"])


def test_what_is_wrong_ends_with_a_reason(here):
    broken = coco()
    broken["annotations"][0]["image_id"] = 99
    Path("broken.json").write_text(json.dumps(broken))
    done = here("annotations", "check", "broken.json", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout.splitlines()[0])["place"] == "annotations[0]"
    stopped = here("run", "thumbnail", "images", "-o", "out", "--annotations", "broken.json")
    assert stopped.exit_code == 2
    assert "annotations[0]: error" in stopped.stderr
    assert not Path("out").exists()
    nothing = here("annotations", "check", "images")
    assert nothing.exit_code == 2
    assert "No annotations" in nothing.stderr


@pytest.mark.parametrize("output", ["out", pytest.param("out.zip", marks=pytest.mark.soak)])
def test_annotations_go_through_run_in_their_format(here, output):
    done = here(
        "run", "augment", "images", "--annotations", "instances.json", "-o", output,
        "--methods", "horizontal-flip", "--copies", "1", "--probability", '{"horizontal-flip": 1}',
        "--processes", "1",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    if output == "out":
        data = Path("out/annotations/instances.json").read_bytes()
        names = {f"images/{path.name}" for path in Path("out/images").iterdir()}
    else:
        with zipfile.ZipFile(output) as archive:
            data, names = archive.read("annotations/instances.json"), set(archive.namelist())
    after = json.loads(data)
    assert {f"images/{image['file_name']}" for image in after["images"]} <= names
    assert len(after["images"]) >= 3
    boxes = [a["bbox"] for a in after["annotations"] if a["category_id"] == 18]
    assert any(box[:2] == pytest.approx([80 - 2.5 - 57.5, 3.25], abs=0.01) for box in boxes)


def test_what_is_wrong_can_be_left_out_and_shapes_shrink_with_pictures(here):
    wrong = coco()
    wrong["annotations"][0]["image_id"] = 99
    Path("wrong.json").write_text(json.dumps(wrong))
    options = ("--annotations", "wrong.json", "--skip-invalid", "--size", "40", "-o", "out")
    done = here("run", "thumbnail", "images", *options)
    assert done.exit_code == 0, done.output
    made = json.loads(Path("out/annotations/instances.json").read_text())
    kept = {one["id"]: one for one in wrong["annotations"][1:]}
    assert {one["id"] for one in made["annotations"]} == kept.keys()
    before = {image["id"]: image for image in wrong["images"]}
    for image in made["images"]:
        height, width = cv2.imread(f"out/images/{image['file_name']}").shape[:2]
        assert (image["width"], image["height"]) == (width, height)
        factor = width / before[image["id"]]["width"]
        for one in made["annotations"]:
            if one["image_id"] == image["id"] and "bbox" in one:
                expected = [value * factor for value in kept[one["id"]]["bbox"]]
                assert one["bbox"] == pytest.approx(expected, abs=0.5)


INKS = {"red": (0, 0, 200), "blue": (200, 0, 0)}
SPLIT = {"train": ("a", "b", "c"), "validation": ("d", "plain")}


def lay_split(folder, form):
    """Write a set in a format: a rectangle of each colour on all pictures but the plain one.

    That has no entry where its folder tells its split.
    """
    categories = [Category(number, name) for number, name in enumerate(INKS, start=1)]
    boxes = {"red": (4, 6, 20, 14), "blue": (30, 24, 12, 16)}
    shown = tuple(Annotation(n, name, box) for n, (name, box) in enumerate(boxes.items()))
    found = []
    for split, names in SPLIT.items():
        for name in names:
            canvas = np.full((48, 64, 3), 255, np.uint8)
            for one in shown if name != "plain" else ():
                x, y, w, h = one.box
                canvas[y : y + h, x : x + w] = INKS[one.category]
            path = folder / picture_place(form, f"{name}.png", split)
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), canvas)
            if name != "plain" or form == "voc":
                content = ImageAnnotations(64, 48, shown if name != "plain" else ())
                found.append(Pictured(f"{name}.png", content, split))

    def chosen(split):
        return (one for one in found if split in (None, one.split))

    for name, chunks in laid_out(form, categories, chosen, {}, Losses()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"".join(chunks))


@pytest.mark.parametrize(
    ("form", "reader", "validation", "paths"),
    [
        ("coco", CocoFolder, "validation", ("in/train", "in/validation")),
        ("yolo", YoloFolder, "val", ("in/images",)),
        ("voc", VocFolder, "val", ("in/JPEGImages",)),
    ],
)
def test_what_run_makes_is_a_set_that_trainers_read(
    tmp_path, monkeypatch, form, reader, validation, paths
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path / "home"))
    lay_split(tmp_path / "in", form)
    options = ("--methods", "horizontal-flip", "--probability", "horizontal-flip=1",
               "--keep-original", "--processes", "1", "--seed", "7")  # fmt: skip
    places = ("--annotations", "in", "-o", "out")
    done = CliRunner().invoke(root, ("run", "augment", *paths, *options, *places))
    assert done.exit_code == 0, done.output
    flipped = plain = 0
    for split, count in (("train", 6), (validation, 2)):
        dataset = reader(tmp_path / "out", split)
        samples = [dataset[n] for n in range(len(dataset))]
        assert len(samples) == count, split
        for image, boxes, names in samples:
            plain += not names
            for (x, y, w, h), name in zip(boxes, names, strict=True):
                middle = image[int(y + h / 2), int(x + w / 2)].astype(int)
                assert abs(middle - INKS[name]).max() <= 2, name
            flipped += "red" in names and boxes[names.index("red")][0] > 32
    assert flipped == 3
    assert plain == 1


@pytest.mark.parametrize(
    ("form", "places"),
    [
        ("coco", ["train/one/a b.png", "train/one/a b-2.jpg", "validation/a b.png"]),
        ("yolo", ["images/train/one/a b.png", "images/train/one/a b-2.jpg", "images/val/a b.png"]),
        ("voc", ["JPEGImages/one_a_b.png", "JPEGImages/one_a_b-2.jpg", "JPEGImages/a_b.png"]),
    ],
)
def test_no_two_pictures_share_their_labels(form, places):
    paths = [Path(f"{n}.png") for n in range(3)]
    layout = Layout(form, {paths[0]: "train", paths[2]: "validation"})
    folders = "images/train/one", "one", "val/images"
    items = [Input(path, Path(folder)) for path, folder in zip(paths, folders, strict=True)]
    names = "a b.png", "a b.jpg", "a b.png"
    found = [layout.place(item, name) for item, name in zip(items, names, strict=True)]
    assert found == places
    called = layout.path(paths[0], places[0])
    assert places[0].endswith(f"/{called}")
    assert called == ("one_a_b.png" if form == "voc" else "one/a b.png")


def lay_yolo(folder):
    """Write a YOLO set of three pictures to train with and two to validate, one of them twice."""
    random = np.random.default_rng(2)
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [thing]\n")
    for split, names in (("train", "abc"), ("val", "dx")):
        for part in ("images", "labels"):
            (folder / part / split).mkdir(parents=True)
        for name in names:
            coarse = random.integers(0, 255, (8, 8, 3), np.uint8)
            pixels = cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(folder / "images" / split / f"{name}.png"), pixels)
            (folder / "labels" / split / f"{name}.txt").write_text("0 0.5 0.5 0.3 0.3\n")
    (folder / "images/val/x.png").write_bytes((folder / "images/train/a.png").read_bytes())


def test_runs_keep_to_the_splits_of_a_set(here, tmp_path):
    (tmp_path / "yolo").mkdir()
    lay_yolo(tmp_path / "yolo")
    options = ("--annotations", "yolo", "--processes", "1", "-o")
    done = here("run", "augment", "yolo", *options, "mixed", "--methods", "mosaic")
    assert done.exit_code == 0, done.output
    manifest = tmp_path / "mixed" / "manifest.jsonl"
    told = [json.loads(line) for line in manifest.read_bytes().splitlines()]
    splits = {one["input"]["name"]: one["input"].get("split") for one in told}
    assert splits == {**dict.fromkeys(("a.png", "b.png", "c.png"), "train"),
                      **dict.fromkeys(("d.png", "x.png"), "validation")}  # fmt: skip
    for one in told:
        name, (made,) = one["input"]["name"], one["files"]
        assert ("drawn" in made) is (splits[name] == "train")
        partners = {Path(other["path"]).name for other in one["partners"]}
        assert partners
        assert partners <= {"a.png", "b.png", "c.png"} - {name}
    same = here("replay", "mixed")
    assert same.stdout.count("the same bytes") == 5, same.stdout
    checked = here("run", "health-check", "yolo", *options, "report")
    assert checked.exit_code == 0, checked.output
    report = json.loads((tmp_path / "report" / "health.json").read_bytes())
    (classes,) = report["classes"]["classes"]
    assert classes["splits"] == {"train": 3, "validation": 2}
    assert report["leaks"]


def test_a_project_on_a_server_is_annotated(signed_in, pictures, monkeypatch):
    monkeypatch.chdir(signed_in.folder)

    def ours(*arguments):
        return CliRunner().invoke(root, arguments, env=signed_in.environment)

    project = ours("projects", "create", "annotated").stdout.strip()
    pushed = ours("projects", "push", "images", "--project", project)
    assert pushed.exit_code == 0, pushed.output
    broken = coco()
    broken["annotations"][0]["bbox"] = [1, 1, -5, 5]
    Path("broken.json").write_text(json.dumps(broken))
    refused = ours("projects", "annotate", project, "broken.json")
    assert refused.exit_code == 1, refused.output
    assert "annotations[0]: error: The box is" in refused.stderr
    assert "nothing is stored" in refused.stdout
    dry = ours("projects", "annotate", project, "instances.json", "--dry-run")
    assert (dry.exit_code, "nothing is stored" in dry.stdout) == (0, True), dry.output
    done = ours("projects", "annotate", project, "instances.json", "--format", "coco")
    assert done.exit_code == 0, done.output
    assert "coco: 3 images, 4 annotations; 0 errors, 0 warnings: stored." in done.stdout
