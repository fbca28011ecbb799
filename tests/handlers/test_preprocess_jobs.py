"""Preprocess in jobs: every kind of file, a reference of the user's, frames of a video."""

import io
from pathlib import Path

import pytest
from PIL import Image

from mediamill.core.errors import InvalidInput
from mediamill.store.repositories.jobs import JobState
from tests.handlers.conftest import BOB, Works, working
from tests.media_factory import clip
from tests.operations.preprocess.test_corrections import pictured

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def works(shared: Works) -> Works:
    return shared


def files() -> dict[str, bytes]:
    """Return one image of every kind."""
    made = {}
    rgb = Image.fromarray(pictured("rgb"))

    def written(image: Image.Image, form: str) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, form)
        return buffer.getvalue()

    made["grey.png"] = written(rgb.convert("L"), "PNG")
    made["palette.png"] = written(rgb.quantize(32), "PNG")
    made["cmyk.jpg"] = written(rgb.convert("CMYK"), "JPEG")
    made["alpha.png"] = written(Image.fromarray(pictured("alpha")), "PNG")
    made["deep.png"] = written(Image.fromarray(pictured("deep")[:, :, 0]), "PNG")
    made["photo.jpg"] = written(rgb, "JPEG")
    return made


async def test_every_kind_of_file_in_a_job(works: Works):
    given = files()
    ids = [await works.upload(name, data) for name, data in given.items()]
    job = await works.run(ids, ("preprocess", {"threshold": 0.2}), "flip")
    assert (job.state, job.counts.succeeded) == (JobState.SUCCEEDED, len(given))
    numbers = job.agreed["0"]["reference"]["numbers"]
    for row, (name, data) in zip(await works.rows(job), given.items(), strict=True):
        said = row.report["preprocess"]
        assert said["reference"]["chosen"] == "auto"
        assert said["methods"]["normalize-brightness"]["reference"] == numbers["brightness"]
        made = Image.open(io.BytesIO(await works.bytes(row)))
        assert made.size == Image.open(io.BytesIO(data)).size
        modes = {"grey.png": "L", "deep.png": "L", "alpha.png": "RGBA"}  # the flip has 8 bits
        assert made.mode == modes.get(name, "RGB"), name


async def test_a_file_of_the_users_is_the_reference(works: Works):
    ids = [await works.upload(name, data) for name, data in files().items()]
    bright = Image.fromarray(pictured("rgb", 5, 0.7, 0.95))
    buffer = io.BytesIO()
    bright.save(buffer, "PNG")
    reference = await works.upload("bright.png", buffer.getvalue())
    step = ("preprocess", {"methods": ["normalize-brightness"], "reference": reference,
                           "threshold": 0.05})  # fmt: skip
    job = await works.run(ids, step)
    assert (job.state, job.counts.succeeded, job.items) == (JobState.SUCCEEDED, len(ids), len(ids))
    assert job.agreed["0"]["reference"]["file"] == reference
    there = job.agreed["0"]["reference"]["numbers"]["brightness"]
    for row in await works.rows(job):
        said = row.report["preprocess"]["methods"]["normalize-brightness"]
        assert said["after"] == pytest.approx(there, abs=0.02)
    assert job.agreed["0"]["images"] == len(ids)
    more = ("preprocess", {"methods": ["normalize-contrast"]})
    job = await works.run(ids[:3], step, more, "census")
    assert [job.agreed[step]["images"] for step in "01"] == [3, 3]
    assert job.agreed["1"]["reference"]["file"] in ids
    assert (await works.rows(job))[0].data == {"good": 3, "bad": 0, "pictures": 3}
    with pytest.raises(InvalidInput, match="There is no file") as caught:
        await works.run(ids, ("preprocess", {"reference": "file_none"}))
    assert caught.value.details["errors"][0]["pointer"] == "steps.0.parameters.reference"
    with pytest.raises(InvalidInput, match="There is no file"):
        await works.run([await works.upload("b.png", buffer.getvalue(), BOB)], step, who=BOB)


async def test_frames_are_brought_to_one_reference_in_memory(works: Works, tmp_path: Path):
    path = clip(tmp_path / "clip.mp4", seconds=3)
    video = await works.upload("clip.mp4", path.read_bytes())
    steps = (("extract-frames", {"fps": 4}), ("preprocess", {"threshold": 0.01}))
    job = await works.run([video], *steps, ("augment", {"methods": ["horizontal-flip"]}), seed=3)
    assert job.state is JobState.SUCCEEDED
    (row,) = await works.rows(job)
    assert job.agreed["1"]["images"] == 12
    assert "pts" in job.agreed["1"]["reference"]
    assert len(row.files) == 1


async def test_an_image_that_would_become_too_many_files_fails(works: Works):
    image = await works.upload("photo.jpg", files()["photo.jpg"])
    tiles = ("preprocess", {"methods": ["tile"], "rows": 5, "columns": 5})
    job = await works.run([image], tiles, ("augment", {"methods": ["hue"], "copies": 9}))
    (row,) = await works.rows(job)
    assert (row.code, row.files) == ("limit_exceeded", ())
    assert "more than 200 files" in row.error
    many = ("augment", {"methods": ["hue"], "copies": 100})
    job = await works.run([await works.upload("b.png", files()["grey.png"])], many)
    assert len((await works.rows(job))[0].files) == 100


@pytest.mark.soak
async def test_long_videos_run_in_parts_with_what_was_agreed(tmp_path: Path):
    path, made = clip(tmp_path / "long.mp4", "-g", "24", seconds=8), []
    steps = (("extract-frames", {"fps": 5}), ("preprocess", {"threshold": 0.01}),
             ("augment", {"methods": ["brightness"]}))  # fmt: skip
    video = ""
    for seconds in (2, 0):
        async with working(tmp_path / "home", segment_seconds=seconds) as works:
            video = video or await works.upload("long.mp4", path.read_bytes())
            job = await works.run([video], *steps, seed=3, reuse=False)
            (row,) = await works.rows(job)
            made.append((row, job.agreed))
    (parts, one), (whole, other) = made
    assert parts.report["segments"] > 1
    assert one == other
    assert parts.files[0].sha256 == whole.files[0].sha256
