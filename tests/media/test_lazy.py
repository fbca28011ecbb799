"""Codecs are imported by who needs them: a server and a slot that only looks at files have none."""

import subprocess
import sys

import pytest

from mediamill.media.video.pattern import write_pattern

CODECS = ("av", "cv2", "numpy", "PIL", "simplejpeg", "pillow_heif")
OF_THE_WORKER = ("asyncio", "importlib.metadata", "logging")
"""What only the other end of a slot needs: half of what a child would import."""
LOOK = """
import io
from mediamill.media.probe import probe
data = open({path!r}, "rb").read()
facts = probe(lambda: io.BytesIO(data), "x", len(data))
assert facts.media_type == {kind!r}, facts
"""


def imported(code: str, *names: str) -> set[str]:
    """Return which of some modules a new process has after running code."""
    show = f"import sys; print(*(set(sys.modules) & set({names!r})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_a_server_has_none():
    assert imported("import mediamill.web.app", *CODECS) == set()


def test_a_server_that_knows_the_operations_has_none():
    """Who takes a job in knows its parameters and what they cost, and works on no pixel."""
    code = "from mediamill.operations.catalogue import OPERATIONS\n"
    code += "found = [OPERATIONS.get(name) for name in OPERATIONS.names()]\nassert len(found) > 2"
    assert imported(code, *CODECS) == set()


def test_a_slot_begins_with_none():
    begins = "import mediamill.engine.slots.child, mediamill.operations"
    assert imported(begins, *CODECS, *OF_THE_WORKER, "pydantic") == set()


@pytest.mark.parametrize(
    ("data", "kind", "needed"),
    [
        (b"some text\n", "text/plain", set()),
        (b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;", "image/gif", {"PIL"}),
    ],
)
def test_what_a_look_needs(tmp_path, data: bytes, kind: str, needed: set[str]):
    path = tmp_path / "x"
    path.write_bytes(data)
    assert imported(LOOK.format(path=str(path), kind=kind), *CODECS) == needed


def test_a_look_at_a_video_needs_its_codec_alone(tmp_path):
    """Functions on Lambda look at videos, and have no room for what works on pixels."""
    write_pattern(path := tmp_path / "clip.mp4", seconds=1)
    assert imported(LOOK.format(path=str(path), kind="video/mp4"), *CODECS) == {"av"}
