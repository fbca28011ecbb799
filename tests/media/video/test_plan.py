"""Which packets are fed: reasoned by hand on small streams."""

from array import array

import pytest

from mediamill.media.video.nal import ENTRY, PICTURE, REFERENCE, SKIPPED_LEADING, Syntax
from mediamill.media.video.plan import feeding
from mediamill.media.video.timeline import Packets

KINDS = {
    "I": PICTURE | REFERENCE | ENTRY,
    "P": PICTURE | REFERENCE,
    "b": PICTURE,
    "L": PICTURE | REFERENCE | SKIPPED_LEADING,
    "l": PICTURE | SKIPPED_LEADING,
}


def plan(kinds: str, wanted: list[int], *, restart: bool = False, layers: str = "") -> str:
    """Show the plan: `.` dropped, `x` fed, `J` fed after draining."""
    flags = bytearray(KINDS[kind] for kind in kinds)
    levels = bytearray(map(int, layers)) if layers else bytearray(len(kinds))
    packets = Packets(array("q", range(len(kinds))), flags, levels)
    return "".join(".xJ"[action] for action in feeding(packets, wanted, restart))


@pytest.mark.parametrize(
    ("kinds", "wanted", "expected"),
    [
        ("IPbPbIPb", [], "........"),
        ("IPbPbIPb", [0], "x......."),
        ("IPbPbIPb", [2], "xxx....."),
        ("IPbPbIPb", [3], "xx.x...."),
        ("IPbPbIPb", [4, 5], "xx.xxx.."),
        ("IPbPbIPb", [7], ".....xxx"),
    ],
)
def test_what_comes_after_and_what_nobody_needs_is_dropped(
    kinds: str, wanted: list[int], expected: str
):
    assert plan(kinds, wanted) == expected


def test_a_gap_asks_for_a_restart():
    assert plan("IPPIPP", [1, 4], restart=True) == "xx.Jx."
    assert plan("IPPIPP", [2, 4], restart=True) == "xxxxx."
    assert plan("IPPIPPIP", [0, 7], restart=True) == "x.....Jx"


def test_leading_pictures_are_dropped_unless_wanted():
    assert plan("IPPILlPP", [7], restart=True) == "...J..xx"
    assert plan("IPPILlPP", [5], restart=True) == "xxxxxx.."
    assert plan("IPbILlPP", [4], restart=True) == "xx.xx..."


def test_a_lower_layer_may_serve_a_higher_one():
    assert plan("IbbPbb", [5], layers="001001") == "xx.xxx"
    assert plan("IbbPbb", [5], layers="000000") == "x..x.x"


@pytest.mark.parametrize("length_size", [4, 2, 0])
def test_h264_units(length_size: int):
    syntax = Syntax("h264", length_size)
    for units, flags in (
        ([b"\x65\x88"], PICTURE | REFERENCE | ENTRY),
        ([b"\x41\x9a"], PICTURE | REFERENCE),
        ([b"\x01\x9e"], PICTURE),
        ([b"\x01\x9e", b"\x21\x9e"], PICTURE | REFERENCE),
        ([b"\x06\x05"], 0),
    ):
        assert syntax.describe(_packed(units, length_size))[0] == flags
    assert syntax.describe(_packed([b"\x67\x64", b"\x68\xee"], length_size))[2] == [b"gd", b"h\xee"]


@pytest.mark.parametrize("length_size", [4, 0])
def test_hevc_units(length_size: int):
    syntax = Syntax("hevc", length_size)
    expected = {
        0: PICTURE, 1: PICTURE | REFERENCE, 2: PICTURE, 8: PICTURE | SKIPPED_LEADING,
        9: PICTURE | REFERENCE | SKIPPED_LEADING, 14: PICTURE, 19: PICTURE | REFERENCE | ENTRY,
        21: PICTURE | REFERENCE | ENTRY, 39: 0,
    }  # fmt: skip
    for kind, flags in expected.items():
        packet = _packed([bytes([kind << 1, 2, 7])], length_size)
        assert syntax.describe(packet)[:2] == (flags, 1 if flags else 0)
    enhancement = _packed([bytes([1 << 1, 9, 7])], length_size)
    assert syntax.describe(enhancement)[0] == 0


def _packed(units: list[bytes], length_size: int) -> memoryview:
    if not length_size:
        return memoryview(b"".join(b"\x00\x00\x00\x01" + unit for unit in units))
    return memoryview(b"".join(len(unit).to_bytes(length_size, "big") + unit for unit in units))
