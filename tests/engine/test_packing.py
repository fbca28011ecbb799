"""Items are packed into units: about ten seconds each, less towards the end of what takes long."""

import pytest

from mediamill.engine.costing import seconds_each
from mediamill.engine.stages import LEAST_SECONDS, UNIT_SECONDS, Piece, pack
from mediamill.operations.augment.operation import Augment
from mediamill.operations.extract_frames.operation import ExtractFrames
from mediamill.operations.work import SourceFacts

AUGMENT = Augment(methods=("gaussian-blur",))


def seconds(packed):
    return [sum(piece.cost for piece in unit) for unit in packed]


def pieces(count, cost, alone=False):
    return [Piece(n, cost, alone) for n in range(count)]


def test_what_fits_into_one_unit_is_one():
    assert seconds(pack(pieces(10, 1.0))) == [10.0]


def test_the_last_units_are_smaller():
    packed = pack(pieces(400, 0.25))
    assert [piece.item for unit in packed for piece in unit] == list(range(400))
    sizes = seconds(packed)
    assert sizes[0] == UNIT_SECONDS
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes[-3:]) <= LEAST_SECONDS
    assert len(sizes) < 20


def test_they_are_not_as_long_as_more_follows():
    assert seconds(pack(pieces(40, 1.0), more=1_000.0)) == [10.0] * 4
    assert len(pack(pieces(8, 1.0), more=4.0)) > 1


def test_what_goes_alone_is_a_unit_of_its_own_and_no_measure_for_others():
    packed = pack([*pieces(4, 1.0), Piece(4, 600.0, alone=True), *[Piece(5, 1.0, alone=False)]])
    assert seconds(packed) == [4.0, 600.0, 1.0]


@pytest.mark.parametrize(
    ("frames", "told"),
    [({"fps": 10}, 600), ({"mode": "keyframes"}, 38), ({"fps": 10, "start": 90}, 0)],
)
def test_steps_after_the_first_cost_what_they_take_for_all_frames(frames, told):
    video = SourceFacts("video/mp4", 1 << 20, 1280, 720, 60.0, rate=30.0, steady=True)
    frame = SourceFacts("image/jpeg", 0, 1280, 720)
    _, cost = seconds_each([ExtractFrames(**frames), AUGMENT], video)
    assert cost == pytest.approx(told * AUGMENT.cost(frame))
