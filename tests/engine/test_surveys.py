"""What is measured of many pictures passes through, and is never all in memory."""

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mediamill.core.errors import LimitExceeded
from mediamill.engine.slots.surveys import Line, measured, reduced
from mediamill.media.image.picture import Picture
from mediamill.operations.image import ImageOperation
from mediamill.operations.work import Context, Measure, Outcome, Source

FRAMES = 2_000
MEASURED = 4_000
"""Bytes that are measured of a frame."""


class Survey(ImageOperation):
    """Has a long video of frames that are all one picture, of which much is measured."""

    @property
    def surveys(self) -> bool:
        return True

    def originals(self, source: Source, context: Context) -> Iterator[Picture]:
        picture = Picture(np.zeros((1, 1, 3), np.uint8))
        for n in range(FRAMES):
            yield picture.made(picture.array(), {"pts": n}, None)

    def measure_picture(self, picture: Picture, context: Context) -> dict[str, Any]:
        return {"much": "x" * MEASURED}

    def reduce(self, measures: Iterator[Measure], context: Context) -> Outcome:
        told = [
            (one.name, len(one.images), sum(image["info"]["pts"] for image in one.images))
            for one in measures
        ]
        return Outcome(data={"told": told})


def test_an_hour_of_frames_takes_no_more_memory_than_a_second(tmp_path: Path):
    video, whole = Source(-1, "long.mp4", "video/mp4", 1), sum(range(FRAMES))
    tracemalloc.start()
    try:
        outcome = measured(Survey(), (), video, Context(tmp_path))
        (file,) = outcome.files
        assert outcome.data == {"pictures": FRAMES}
        assert file.size > FRAMES * MEASURED
        lines = tmp_path / "lines"
        long = Line(0, "file_a", "long.mp4", lines=FRAMES, length=file.size)
        with lines.open("wb") as blob, file.path.open("rb") as frames:
            for _ in range(2):
                blob.write(long.encoded())
                blob.writelines(frames)
                frames.seek(0)
                still = Line(1, "file_b", "b.png", images=({"info": {"pts": 7}},))
                blob.write(still.encoded())
        with lines.open("rb") as blob:
            size = os.fstat(blob.fileno()).st_size
            source = Source(blob.fileno(), "measures", "application/x-ndjson", size)
            found = reduced(Survey(), source, Context(tmp_path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.data == {"told": [("long.mp4", FRAMES, whole), ("b.png", 1, 7)] * 2}
    assert peak < FRAMES * MEASURED / 2


class Told(Survey):
    """Says much of a set; of what is compared with it, only what it named."""

    reference: str = ""

    @property
    def references(self) -> tuple[str, ...]:
        return (self.reference,) if self.reference else ()

    def reduce(self, measures: Iterator[Measure], context: Context) -> Outcome:
        return Outcome(data={"told": [one.file for one in measures], "much": "x" * 20_000})


class Agreed(Told):
    """Has something to do with what it said."""

    def apply(self, image: Picture, context: Context) -> Picture:
        return image


def test_a_report_says_what_a_job_need_not_carry(tmp_path: Path):
    lines = tmp_path / "lines"
    files = [Line(n, f"file_{n}", f"{n}.png", reference=n > 0) for n in range(3)]
    lines.write_bytes(b"".join(line.encoded() for line in files))
    with lines.open("rb") as blob:
        size = os.fstat(blob.fileno()).st_size
        source = Source(blob.fileno(), "measures", "application/x-ndjson", size)
        for named, told in (("", ["file_0"]), ("file_2", ["file_0", "file_2"])):
            found = reduced(Told(reference=named), source, Context(tmp_path))
            assert found.data is not None
            assert found.data["told"] == told
        with pytest.raises(LimitExceeded, match="more than 8,000"):
            reduced(Agreed(), source, Context(tmp_path))
