"""What operations say that they will make is what they make."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image
from tests import media_factory as make
from tests.media.video.test_selection import MADE

from mediamill.core.errors import InvalidInput
from mediamill.media.facts import Facts
from mediamill.media.probe import probe
from mediamill.media.video.reader import FrameReader
from mediamill.media.video.timeline import Timeline
from mediamill.operations.asking import ModelOperation
from mediamill.operations.base import Context, Expected, MediaOperation, SourceFacts, Sure
from mediamill.operations.catalogue import OPERATIONS
from mediamill.operations.extract_frames import ExtractFrames
from mediamill.operations.extract_frames.selection import choose
from mediamill.operations.image import ImageOperation

STEADY = ("plain.mp4", "ntsc.mov", "h264.avi")
UNSURE = ("vfr.mp4", "late.mp4", "mpeg4.avi", "ntsc.mkv")
MODES: tuple[dict[str, Any], ...] = (
    {}, {"every": 0.7}, {"every": 1e-9}, {"every": 100}, {"every": 0.1}, {"every": 0.25},
    {"fps": 1}, {"fps": 29.97}, {"fps": 0.1}, {"fps": 7.3}, {"fps": 100}, {"fps": 12.5},
    {"n": 1}, {"n": 7}, {"n": 1000}, {"mode": "all"}, {"mode": "all", "max_frames": 9},
    {"count": 1}, {"count": 7}, {"count": 1000},
    {"at": (0, 0.5, "50%", "100%", 0.51)}, {"at": (0.01, 0.02)}, {"at": ("0:59",)},
)  # fmt: skip
BOUNDS: tuple[dict[str, Any], ...] = (
    {}, {"start": 0.5}, {"end": 0.9}, {"start": "33.3%", "end": "71%"}, {"start": "0:00.41"},
    {"start": 0.3, "end": 0.31}, {"start": 60},
)  # fmt: skip
SLOW = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


def made(folder: Path, name: str) -> Path:
    path = folder / name
    if path.exists():
        return path
    if name == "ntsc.mov":
        return make.clip(path, rate="30000/1001", seconds=2)
    return MADE[name](path)


def told(path: Path) -> Facts:
    return probe(lambda: path.open("rb"), path.name, path.stat().st_size)


def facts(path: Path) -> SourceFacts:
    found = told(path)
    size = found.width, found.height
    return SourceFacts(
        found.media_type, path.stat().st_size, *size, found.duration, found.rate, found.steady
    )


def chosen(operation: ExtractFrames, timeline: Timeline) -> int | None:
    """How many frames it takes; None where it refuses."""
    try:
        bounds = operation.start, operation.end
        count = len(choose(timeline, operation.mode, operation.number, bounds))
    except InvalidInput:
        return None
    return count if count <= operation.max_frames else None


def foreseen(operation: ExtractFrames, video: SourceFacts) -> Expected | None:
    try:
        return operation.expect(video)
    except InvalidInput:
        return None


@pytest.mark.parametrize("name", STEADY)
def test_frames_of_steady_videos_are_counted_before(clips: Path, name: str):
    path = made(clips, name)
    video, timeline = facts(path), FrameReader(lambda: path.open("rb"), name, 1).timeline
    assert video.steady, "else nothing is shown"
    for mode in MODES:
        for bounds in BOUNDS:
            operation = ExtractFrames(**mode, **bounds)
            expected = foreseen(operation, video)
            if expected is not None:
                assert expected.sure is Sure.EXACT
            count = None if expected is None else expected.count
            assert count == chosen(operation, timeline), (mode, bounds)


@pytest.mark.parametrize("name", UNSURE)
def test_of_others_they_are_told_about(clips: Path, name: str):
    path = made(clips, name)
    video = facts(path)
    assert video.rate > 0
    for mode in MODES:
        expected = ExtractFrames(**mode).expect(video)
        assert expected.sure is Sure.ABOUT, (mode, expected)
    assert ExtractFrames(start=60).expect(video).count == 0, "that may be wrong, so it is no error"


@pytest.mark.parametrize("mode", ["keyframes", "scene"])
def test_what_depends_on_the_pictures_has_a_bound(clips: Path, tmp_path: Path, mode: Any):
    path = made(clips, "plain.mp4")
    for bounds in ({}, {"start": 1}):
        operation = ExtractFrames(mode=mode, **bounds)
        expected = operation.expect(facts(path))
        found = operation.pictures(make.source(path), Context(tmp_path))
        assert (expected.sure, expected.count >= len([*found])) == (Sure.AT_MOST, True)
    few = ExtractFrames(mode="scene", min_shot=1).expect(facts(path))
    assert few.count == 3, "three seconds"


@pytest.mark.parametrize(
    ("parameters", "count"),
    [({}, 10_000), ({"count": 7}, 7), ({"at": (1, 2)}, 2), ({"mode": "all", "max_frames": 5}, 5)],
)
def test_of_a_video_that_says_nothing_the_limit_is_told(parameters: dict[str, Any], count: int):
    expected = ExtractFrames(**parameters).expect(SourceFacts("video/mp2t", 1))
    assert (expected.count, expected.sure) == (count, Sure.AT_MOST)


def test_many_times_are_not_looked_up_in_each_of_many_videos():
    video = SourceFacts("video/mp4", 1, 8, 8, 60.0, rate=30.0, steady=True)
    operation = ExtractFrames(at=tuple(n / 1000 for n in range(101)))
    assert operation.expect(video) == Expected(
        101, SourceFacts("image/jpeg", 0, 8, 8), Sure.AT_MOST
    )


@pytest.mark.parametrize("rate", [1e-12, 1e9, 0.0])
def test_headers_may_lie(rate: float):
    video = SourceFacts("video/mp4", 1, 64, 48, 172_800.0, rate=rate, steady=True)
    for mode in ({"every": 10}, {"fps": 0.1}, {"mode": "keyframes"}, {"count": 3}):
        assert 0 < ExtractFrames(max_frames=1_000_000, **mode).expect(video).count <= 1_000_000
        assert ExtractFrames(**mode).cost(video) > 0


def test_what_is_made_is_what_was_told(clips: Path, tmp_path: Path):
    path = made(clips, "plain.mp4")
    operation = ExtractFrames(fps=2, width=64, format="png")
    outcome = operation.run(make.source(path), Context(tmp_path))
    expected = operation.expect(facts(path))
    frame = expected.facts
    assert outcome.report["frames"] == expected.count == 6
    assert (frame.media_type, frame.width, frame.height) == ("image/png", 64, 36)
    assert outcome.report["width"] == 64


@SLOW
@given(
    frames=some.integers(1, 60),
    rate=some.fractions(Fraction(1, 10), 60, max_denominator=1001),
    mode=some.sampled_from(["interval", "fps", "every_nth", "count"]),
    number=some.floats(0.01, 100),
    cut=some.tuples(some.floats(0, 0.5), some.floats(0.51, 1)),
)
def test_a_count_is_the_length_of_what_is_chosen(frames, rate, mode, number, cut):
    field = {"interval": "every", "fps": "fps", "every_nth": "n", "count": "count"}[mode]
    value = max(1, int(number)) if mode in ("every_nth", "count") else number
    start, end = (f"{share * 100:.2f}%" for share in cut)
    operation = ExtractFrames.model_validate({field: value, "start": start, "end": end})
    video = SourceFacts("video/mp4", 1, 8, 8, float(frames / rate), float(rate), steady=True)
    expected = foreseen(operation, video)
    count = None if expected is None else expected.count
    assert count == chosen(operation, Timeline.even(frames, rate))


# -- images ---------------------------------------------------------------------------------------

SIZES = ((640, 480), (97, 31), (48, 512))
STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("thumbnail", {"size": 64}),
    ("thumbnail", {"format": "webp"}),
    ("convert", {"format": "png", "width": 100, "height": 60}),
    ("convert", {}),
    ("preprocess", {"methods": ["resize"], "width": 120}),
    *(
        ("preprocess", {"methods": ["resize"], "width": 50, "height": 70, "fit": fit})
        for fit in ("fit", "fill", "crop", "pad", "stretch")
    ),
    ("preprocess", {"methods": ["crop", "tile"], "crop": [10, 5, 400, 400], "rows": 3,
                    "columns": 2, "overlap": 0.3, "format": "webp"}),
    ("preprocess", {"methods": ["crop"], "crop": [90, 0, 5, 5]}),
    ("augment", {"methods": ["rotate"], "copies": 3}),
    ("augment", {"methods": ["rotate", "random-crop"], "random_crop": 40, "keep_original": True}),
    ("augment", {"methods": ["tile"], "tile": 100, "copies": 2, "keep_original": True}),
    ("augment", {"methods": ["random-crop", "tile", "tile"], "random_crop": 200, "tile": 150}),
    ("augment", {"methods": ["tile"], "tile": 100, "copies": 4, "probability": {"tile": 0.5}}),
    ("augment", {"methods": ["hue"], "splits": ["test"], "copies": 9}),
)  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    folder, found = tmp_path_factory.mktemp("images"), []
    for n, (width, height) in enumerate(SIZES):
        pixels = np.random.default_rng(n).integers(0, 255, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{n}.jpg")
        found.append(folder / f"{n}.jpg")
    return found


@pytest.mark.parametrize(("name", "parameters"), STEPS, ids=lambda one: str(one)[:40])
def test_images_become_as_many_and_as_large_as_was_told(
    images: list[Path], tmp_path: Path, name: str, parameters: dict[str, Any]
):
    step = OPERATIONS.build(name, parameters)
    assert isinstance(step, MediaOperation)
    context = Context(tmp_path, seed=3)
    for path, size in zip(images, SIZES, strict=True):
        photo = SourceFacts("image/jpeg", path.stat().st_size, *size)
        try:
            outcome = step.run(make.source(path), context)
        except InvalidInput as error:
            with pytest.raises(type(error), match=r"crop lies outside"):
                step.expect(photo)
            continue
        expected = step.expect(photo)
        assert expected is not None
        sizes = [(file.info["width"], file.info["height"]) for file in outcome.files]
        largest = max(sizes, key=lambda size: size[0] * size[1])
        if expected.sure is Sure.EXACT:
            assert len(sizes) == expected.count
            known = expected.facts.width, expected.facts.height
            assert known == pytest.approx(largest, abs=1), "JPEG may be decoded smaller, rounded"
            assert {file.media_type for file in outcome.files} == {expected.facts.media_type}
        else:
            assert len(sizes) <= expected.count
            assert largest[0] <= expected.facts.width
            assert largest[1] <= expected.facts.height


def test_what_the_reference_tells_is_not_known_before():
    step, known = OPERATIONS.build("preprocess", {}), SourceFacts("image/png", 1, 640, 480)
    expected = step.expect(known)
    assert expected == Expected(1, SourceFacts("image/png", 0))
    tiles = {"methods": ["resize", "tile"], "width": 80, "height": 80, "rows": 2, "columns": 2}
    unsized = OPERATIONS.build("preprocess", tiles).expect(SourceFacts("image/png", 1))
    assert unsized == Expected(4, SourceFacts("image/png", 0, 40, 40)), "at most so large"
    assert (
        OPERATIONS.build("augment", {"methods": ["tile"]}).expect(SourceFacts("image/x", 1)) is None
    )


def test_images_of_other_splits_pass():
    step = OPERATIONS.build("augment", {"methods": ["hue"], "copies": 5})
    counts = [step.expect(SourceFacts("image/png", 1, 8, 8, split=split)).count
              for split in ("", "train", "test")]  # fmt: skip
    assert counts == [5, 5, 1]


def test_who_does_not_say_is_taken_at_its_word():
    class Several(ImageOperation):
        def apply_all(self, image, context):
            yield from (image, image)

    class Once(ImageOperation):
        def apply(self, image, context):
            return image

    class Drawn(MediaOperation):
        gives = "image/png"

    class Fanned(MediaOperation):
        fans_out = True

    class Asked(ModelOperation):
        pass

    photo, video = SourceFacts("image/jpeg", 9, 8, 6), SourceFacts("video/mp4", 9, 8, 6, 2.0)
    assert Several().expect(photo) is None
    assert Once().expect(photo) == Expected(1, SourceFacts("image/jpeg", 0, 8, 6))
    assert Drawn().expect(video).facts.media_type == "image/png"
    assert Fanned().expect(video) is None
    assert Asked().expect(photo) == Expected(1, photo)
