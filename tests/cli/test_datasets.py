"""`mediamill projects push`, `split`, `freeze`, `export` against a real service."""

import hashlib
import json
import random
import signal
import time
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mediamill.cli.root import root as program
from tests.cli.conftest import Commands
from tests.web.test_datasets import png


def a_set(root: Path, count: int, salt: int) -> Path:
    """Write small images in folders of splits, and COCO boxes for them."""
    images, boxes = [], []
    for n in range(count):
        path = root / ("valid" if n % 4 == 0 else "train") / f"image-{n:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(salt * 1000 + n * 7))
        images.append({"id": n + 1, "file_name": path.name, "width": 8, "height": 8})
        boxes.append(
            {"id": n + 1, "image_id": n + 1, "category_id": 1, "bbox": [1, 1, 4, 3], "area": 12,
             "iscrowd": 0}
        )  # fmt: skip
    coco = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "dot"}]}
    (root / "instances.json").write_text(json.dumps(coco))
    return root


def called(commands: Commands, *arguments: str) -> Result:
    """Run a command in this process: the imports of each other are half a second."""
    return CliRunner().invoke(program, arguments, env=commands.environment)


def test_a_dataset_from_folder_to_zip(signed_in: Commands):
    root = a_set(signed_in.folder / "test" / "set", 9, 1)  # folders above say nothing
    (root / "alone.png").write_bytes(png(999))
    (root / "train" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(300))
    arguments = ("projects", "push", str(root), "--project", "dots", "--annotations",
                 str(root / "instances.json"))  # fmt: skip
    first = called(signed_in, *arguments)
    assert first.exit_code == 1, first.output  # one image is broken
    assert "10 uploaded, 0 present, 1 refused." in first.stderr
    assert "broken.png" in first.stderr
    again = called(signed_in, *arguments)
    assert "0 uploaded, 10 present, 1 refused." in again.stderr
    project = project_of(signed_in, "dots")
    assert project["counts"]["original"] == {"": 1, "train": 6, "validation": 3, "test": 0}
    frozen = called(signed_in, "projects", "freeze", project["id"], "--name", "one", "--json")
    version = json.loads(frozen.stdout)
    assert version["summary"]["classes"]["dot"] == {"images": 9, "objects": 9}
    steps = signed_in.folder / "steps.json"
    parameters = {"methods": ["horizontal-flip"], "copies": 2}
    steps.write_text(json.dumps([{"operation": "augment", "parameters": parameters}]))
    chosen = ("--steps", str(steps), "--json")
    frozen = called(signed_in, "projects", "freeze", project["id"], *chosen)
    assert json.loads(frozen.stdout)["files"] == 17  # two of each, but three of validation
    listed = called(signed_in, "projects", "versions", project["id"])
    assert version["hash"][:12] in listed.stdout
    target = signed_in.folder / "dots.zip"
    chosen = ("--format", "coco", "-o", str(target))
    called(signed_in, "projects", "export", project["id"], "1", *chosen)
    with zipfile.ZipFile(target) as archive:
        train = json.loads(archive.read("annotations/instances_train.json"))
        assert [one["bbox"] for one in train["annotations"]] == [[1, 1, 4, 3]] * 6
        image = archive.read(f"train/{train['images'][0]['file_name']}")
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*.png")}
    assert hashlib.sha256(image).hexdigest() in digests
    archive = called(signed_in, "files", "put", str(target)).stdout.split()[0]
    other = called(signed_in, "projects", "create", "few").stdout.strip()
    some = ("--members", "train/image-00[12].png", "--members", "*/image-003.png")
    brought = called(signed_in, "projects", "import", other, archive, *some)
    assert (brought.exit_code, brought.stdout) == (0, "3 taken, 0 refused\n"), brought.output
    assert project_of(signed_in, "few")["counts"]["original"]["train"] == 3


def test_a_push_without_a_project_is_into_one_named_like_the_folder(signed_in: Commands):
    root = a_set(signed_in.folder / "unnamed-images", 2, 40)
    arguments = ("projects", "push", f"{root}/", "--annotations", str(root / "instances.json"))
    first = called(signed_in, *arguments)
    assert first.exit_code == 0, first.output
    project = project_of(signed_in, "unnamed-images")
    assert f"unnamed-images is a new project, {project['id']}." in first.stderr
    again = called(signed_in, *arguments)
    assert (again.exit_code, "is a new project" in again.stderr) == (0, False)
    assert project_of(signed_in, "unnamed-images")["files"] == 2
    for paths in ([root / "train", root / "valid"], [root / "valid" / "image-000.png"]):
        refused = called(signed_in, "projects", "push", *map(str, paths))
        assert (refused.exit_code, "--project" in refused.stderr) == (2, True), paths


def test_how_long_a_project_keeps_its_files(signed_in: Commands):
    root = a_set(signed_in.folder / "kept-images", 3, 70)
    called(signed_in, "projects", "push", str(root))
    project = project_of(signed_in, "kept-images")["id"]
    tried = called(signed_in, "projects", "retention", project, "30", "--dry-run")
    assert tried.exit_code == 0, tried.output
    assert tried.stdout.splitlines()[0] == "kept for 30 days"
    assert "in 30 days: 4 files" in tried.stdout  # the annotations too
    assert "decided: 4 by this rule" in tried.stdout
    assert project_of(signed_in, "kept-images")["keep_days"] == "installation"
    told = called(signed_in, "projects", "retention", project, "30").stdout
    assert f"{project} keeps its files for 30 days." in told
    assert "What it said before holds beside that until " in told
    row = json.loads(called(signed_in, "projects", "retention", project, "none", "--json").stdout)
    assert row["keep_days"] == "none"
    found = json.loads(called(signed_in, "projects", "retention", project, "--json").stdout)
    assert (found["kept"]["files"], found["why"]["project"]) == (4, 4)
    called(signed_in, "projects", "retention", project, "installation")
    assert "as the installation says" in called(signed_in, "projects", "retention", project).stdout
    assert called(signed_in, "projects", "retention", project, "soon").exit_code != 0


def project_of(commands: Commands, name: str) -> dict:
    listed = called(commands, "projects", "list", "--json").stdout.splitlines()
    (project,) = [row for row in map(json.loads, listed) if row["name"] == name]
    return project


def killed(commands: Commands, arguments: tuple[str, ...], seconds: float) -> None:
    """Begin to push and kill it: when it has uploaded something, and so many seconds later."""
    process = commands.start(*arguments, "--json")
    process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0)  # it may have been faster


@pytest.mark.parametrize(
    ("count", "kills"), [(30, 1), pytest.param(300, 25, marks=pytest.mark.soak)]
)
def test_a_push_that_is_killed_goes_on(signed_in: Commands, count: int, kills: int):
    """Nothing twice, nothing missing, whenever it was killed: also while it annotates."""
    root = a_set(signed_in.folder / "set", count, 10 + kills)
    name, dice = f"killed-{kills}", random.Random(7)
    arguments = ("projects", "push", str(root), "--project", name, "--annotations",
                 str(root / "instances.json"))  # fmt: skip
    for _ in range(kills):
        killed(signed_in, arguments, dice.uniform(0, 0.1 * kills))
    done = called(signed_in, *arguments)
    assert done.exit_code == 0, done.output
    assert f"{count:,} images, {count:,} annotations" in done.stderr
    project = project_of(signed_in, name)
    valid = len(range(0, count, 4))
    wanted = {"": 0, "train": count - valid, "validation": valid, "test": 0}
    assert (project["files"], project["counts"]["original"]) == (count, wanted)
    again = called(signed_in, *arguments)
    assert f"0 uploaded, {count} present, 0 refused." in again.stderr


def test_wrong_annotations_end_a_push_with_a_reason(signed_in: Commands):
    root = a_set(signed_in.folder / "set", 3, 20)
    path = root / "instances.json"
    coco = json.loads(path.read_text())
    coco["annotations"][1]["bbox"] = [1, 1, -4, 3]
    path.write_text(json.dumps(coco))
    arguments = ("projects", "push", str(root), "--project", "wrong", "--annotations", str(path))
    refused = called(signed_in, *arguments)
    assert refused.exit_code == 1, refused.output
    assert "annotations[1]: error: The box is" in refused.stderr
    assert "None of the annotations are stored: mend the set" in refused.stderr
    skipping = called(signed_in, *arguments, "--skip-invalid")
    assert skipping.exit_code == 1, skipping.output
    assert "3 images, 2 annotations; 1 errors" in skipping.stderr
    assert "stored without what is wrong" in skipping.stderr
