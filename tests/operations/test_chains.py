"""Steps of one stage: pictures pass as they are, files of other steps are read by their content."""

import gc
import io
import json
import weakref
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests import media_factory as make
from tests.support.chains import CHAINED, Flip, build

from mediamill.core.errors import InvalidInput, UnsupportedMedia
from mediamill.engine.slots.calls import Begin
from mediamill.engine.slots.steps import run_steps
from mediamill.engine.stages import split
from mediamill.media.image.codecs.encode import encode
from mediamill.media.image.picture import Picture
from mediamill.operations.base import Context, Outcome, Source
from mediamill.operations.image import through

Steps = list[tuple[str, dict[str, Any]]]


def chain(source: Source, scratch: Path, steps: Steps, seen: list[float] | None = None) -> Outcome:
    """Run steps on a source as a slot does."""
    scratch.mkdir()
    begin = Begin("run", tuple(steps), str(scratch), 2, 0, 60.0)
    context = Context(scratch, threads=2)
    if seen is not None:
        context.report_progress = seen.append
    return run_steps(begin, build)(source, context)


def text(folder: Path, words: str) -> Source:
    path = folder / "words.txt"
    path.write_text(words)
    return make.source(path)


def frames(outcome: Outcome) -> tuple[list[dict[str, Any]], list[np.ndarray], list[str]]:
    """Read an archive of frames: its lines, its pictures and their formats."""
    (file,) = outcome.files
    with zipfile.ZipFile(file.path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[-1] == "frames.jsonl"
        lines = [json.loads(line) for line in archive.read("frames.jsonl").splitlines()]
        assert [line["name"] for line in lines] == names[:-1]
        pictures, forms = [], []
        for line in lines:
            data = archive.read(line["name"])
            assert line["size"] == len(data)
            image = Image.open(io.BytesIO(data))
            assert image.size == (line["width"], line["height"])
            pictures.append(np.array(image.convert("RGB")))
            forms.append(str(image.format))
    return lines, pictures, forms


def test_frames_go_through_all_steps_into_one_archive(tmp_path: Path):
    source = make.source(make.clip(tmp_path / "clip.mp4", seconds=3))
    every = ("extract-frames", {"every": 0.5, "format": "png"})
    alone = ("extract-frames", {"every": 0.5, "format": "png", "width": 100})
    plain, originals, _ = frames(chain(source, tmp_path / "a", [alone]))
    seen: list[float] = []
    size = {"width": 100, "format": "webp", "lossless": True}
    outcome = chain(
        source, tmp_path / "b", [every, ("convert", size), ("flip", {}), ("bare", {})], seen
    )
    lines, pictures, forms = frames(outcome)
    assert set(forms) == {"WEBP"}
    assert len(lines) == len(plain) == 6
    assert [line["time"] for line in lines] == [line["time"] for line in plain]
    assert {line["width"] for line in lines} == {100}
    for before, after in zip(originals, pictures, strict=True):
        assert np.array_equal(before[:, ::-1], after)
    assert seen == sorted(seen)
    assert len(seen) >= 6
    assert (outcome.report["frames"], outcome.report["width"]) == (6, 100)
    assert len([*(tmp_path / "b").iterdir()]) == 1


def test_a_thumbnail_of_each_frame(tmp_path: Path):
    source = make.source(make.clip(tmp_path / "clip.mp4", seconds=2))
    steps: Steps = [("extract-frames", {"count": 3}), ("thumbnail", {"size": 32})]
    lines, _, forms = frames(chain(source, tmp_path / "a", steps))
    assert (len(lines), set(forms)) == (3, {"JPEG"})
    assert max(lines[0]["width"], lines[0]["height"]) == 32


def test_pictures_are_never_gathered():
    living: weakref.WeakSet[Picture] = weakref.WeakSet()
    made = 0

    def pictures():
        nonlocal made
        while made < 200:
            made += 1
            picture = Picture(np.zeros((8, 8, 3), np.uint8))
            living.add(picture)
            yield picture

    steps = (Flip(), Flip(axis="vertical"), Flip())
    for taken, _ in enumerate(through(pictures(), steps, Context(Path())), start=1):
        gc.collect(0)
        assert made == taken
        assert len(living) <= 4


def test_an_image_is_decoded_and_encoded_once(tmp_path: Path):
    pixels = np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    steps: Steps = [("convert", {"format": "jpeg", "quality": 30}), ("flip", {})]
    (file,) = chain(make.source(tmp_path / "noise.png"), tmp_path / "a", steps).files
    assert file.path.read_bytes() == encode(
        pixels[:, ::-1], "jpeg", 30
    )  # noise bears no second encoding
    assert (file.name, file.media_type) == ("noise.jpg", "image/jpeg")
    assert file.info == {"width": 96, "height": 64}


def test_one_image_becomes_several(tmp_path: Path):
    Image.fromarray(np.zeros((8, 16, 3), np.uint8)).save(tmp_path / "a.png")
    outcome = chain(make.source(tmp_path / "a.png"), tmp_path / "x", [("twice", {}), ("twice", {})])
    assert [file.name for file in outcome.files] == ["a.png", "a-2.png", "a-3.png", "a-4.png"]


def test_other_steps_pass_files_on(tmp_path: Path):
    seen: list[float] = []
    steps: Steps = [("shout", {"mark": "1"}), ("shout", {"mark": "2"}), ("shout", {"mark": "3"})]
    outcome = chain(text(tmp_path, "hush"), tmp_path / "a", steps, seen)
    (file,) = outcome.files
    assert file.path.read_bytes() == b"HUSH123"
    assert file.name == "loud-loud-loud-words.txt"
    assert [report["mark"] for report in outcome.report["steps"]] == ["1", "2", "3"]
    assert [*(tmp_path / "a").iterdir()] == [file.path]
    assert [round(fraction, 3) for fraction in seen] == [0.167, 0.5, 0.833]


def test_pictures_and_files_alternate(tmp_path: Path):
    Image.fromarray(np.zeros((40, 80, 3), np.uint8)).save(tmp_path / "a.png")
    steps: Steps = [("convert", {"width": 20}), ("copied", {}), ("flip", {}), ("thumbnail", {})]
    (file,) = chain(make.source(tmp_path / "a.png"), tmp_path / "x", steps).files
    assert (file.name, file.info["width"]) == ("a-thumbnail.jpg", 20)


def test_what_a_step_wrote_is_told_by_its_content(tmp_path: Path):
    with pytest.raises(UnsupportedMedia, match=r"flip takes images; .* is text"):
        chain(text(tmp_path, "hush"), tmp_path / "a", [("shout", {}), ("flip", {})])
    with pytest.raises(InvalidInput, match="nothing to work on"):
        chain(text(tmp_path, "hush"), tmp_path / "b", [("drawn", {}), ("shout", {})])


@pytest.mark.parametrize(
    ("names", "stages"),
    [
        (["extract-frames", "convert", "flip"], [3]),
        (["extract-frames", "convert", "copied"], [2, 1]),
        (["extract-frames", "tell"], [1, 1]),
        (["convert", "copied", "flip"], [3]),
        (["flip", "tell"], [1, 1]),
        (["extract-frames", "copied", "flip", "tell"], [1, 2, 1]),
    ],
)
def test_where_a_stage_ends(names: list[str], stages: list[int]):
    steps = [CHAINED.build(name, {}) for name in names]
    assert [len(stage.steps) for stage in split(steps)] == stages
