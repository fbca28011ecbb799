"""What inputs become, folded through the steps of a job: multiplied, bounded, refused, not told."""

from typing import ClassVar

from mediamill.operations.asking import ModelOperation
from mediamill.operations.base import Expected, MediaOperation, Operation, SourceFacts, Sure
from mediamill.operations.catalogue import OPERATIONS
from mediamill.operations.image import ImageOperation
from mediamill.services.jobs.forecasts import Number, forecast

VIDEO = SourceFacts("video/mp4", 1, 640, 480, 3.0, rate=30.0, steady=True)
PHOTO = SourceFacts("image/png", 1, 640, 480)
FRAMES, CAPTION = OPERATIONS.build("extract-frames", {"fps": 5}), OPERATIONS.build("caption", {})
COPIES = OPERATIONS.build("augment", {"methods": ["hue"], "copies": 90, "keep_original": True})
TILES = OPERATIONS.build("preprocess", {"methods": ["tile"], "rows": 2, "columns": 3})
SMALL = OPERATIONS.build("preprocess", {"methods": ["resize"], "width": 64})


def counted(steps, *inputs):
    found = forecast(steps, dict(enumerate(inputs)))
    before = [one and [made.count for made in one] for one in found.before]
    return before, found.outputs, dict(found.refused)


def test_each_step_has_what_the_one_before_makes():
    steps = [FRAMES, TILES, SMALL, CAPTION]
    before, outputs, refused = counted(steps, VIDEO, VIDEO)
    assert before == [[1, 1], [15, 15], [90, 90], [90, 90], [90, 90]]
    assert (outputs, refused) == (Number(180), {})
    (last, _) = forecast(steps, {0: VIDEO, 1: VIDEO}).before[3]
    assert (last.facts.width, last.facts.height) == (64, 72), "of a tile of 214 × 240"


def test_a_number_is_as_sure_as_the_least_sure_of_what_it_comes_of():
    about = SourceFacts("video/mp4", 1, 640, 480, 3.0, rate=30.0)
    silent = SourceFacts("video/mp4", 1)
    assert counted([FRAMES], VIDEO)[1] == Number(15)
    assert counted([FRAMES], VIDEO, silent)[1] == Number(10_015, Sure.AT_MOST)
    assert counted([FRAMES, CAPTION], silent, about, VIDEO)[1] == Number(10_030, Sure.ABOUT)


def test_one_that_cannot_be_told_leaves_all_that_follows_untold():
    class Several(ImageOperation):
        def apply_all(self, image, context):
            yield from (image, image)

    before, outputs, _ = counted([SMALL, Several(), CAPTION], PHOTO, PHOTO)
    assert (before, outputs) == ([[1, 1], [1, 1], None, None], None)


def test_what_is_sure_to_be_refused_is_left_out_and_said():
    late = OPERATIONS.build("extract-frames", {"fps": 5, "start": 2.9})
    short = SourceFacts("video/mp4", 1, 64, 48, 1.0, rate=30.0, steady=True)
    before, outputs, refused = counted([late, CAPTION], short, VIDEO)
    assert (before, outputs) == ([[1], [1], [1]], Number(1))
    assert refused == {0: "no frame lies between start and end; the video is 1.000 s long"}
    few = OPERATIONS.build("extract-frames", {"fps": 5, "max_frames": 14})
    assert counted([few], VIDEO)[2] == {
        0: "this would extract 15 frames, more than max_frames = 14"
    }


def test_an_image_becomes_no_more_than_a_stage_may_make_of_it():
    """A video's frames lie in an archive, of which there is one."""
    _, outputs, refused = counted([COPIES, TILES], PHOTO)
    assert (outputs, [*refused]) == (Number(0), [0])
    assert "more than 200 files" in refused[0]
    assert counted([FRAMES, COPIES, TILES], VIDEO)[1] == Number(15 * 91 * 6)
    maybe = {"methods": ["tile"], "tile": 100, "copies": 10, "probability": {"tile": 0.5}}
    drawn = OPERATIONS.build("augment", maybe)
    assert counted([drawn], PHOTO)[1] == Number(200, Sure.AT_MOST)


def test_the_next_stage_begins_with_each_of_them():
    class Copied(MediaOperation):
        """Makes 150 files that only the next stage can read."""

        accepts: ClassVar[tuple[str, ...]] = ("image/*",)
        gives: ClassVar[str] = "image/png"
        most_outputs: ClassVar[int | None] = 200
        fans_out: ClassVar[bool] = True

        def expect(self, source: SourceFacts) -> Expected:
            return Expected(150, source)

    assert counted([Copied(), Copied()], PHOTO)[1] == Number(150 * 150)


def test_who_looks_at_all_at_once_gives_one():
    class Grouped(ModelOperation):
        grouped: ClassVar[bool] = True  # type: ignore[misc]

    for last in (Grouped(), OPERATIONS.build("health-check", {})):
        steps: list[Operation] = [FRAMES, last]
        assert counted(steps, VIDEO, VIDEO)[1] == Number(1)
        assert counted(steps)[1] == Number(0)
