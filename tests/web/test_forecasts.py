"""A dry run tells what a job then comes to: outputs, inputs of later steps, calls and costs."""

import io
import zipfile

import pytest
import pytest_asyncio

from mediamill.store.port import Update
from mediamill.store.repositories.users import Role, User
from tests import media_factory as make
from tests.support.serving import working
from tests.web.conftest import person
from tests.web.one_service import ann, mill, web  # noqa: F401 - fixtures
from tests.web.test_submission import items, jpeg, upload, zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"caption_chain": "good"}
CAPTION = {"operation": "caption", "parameters": {"variants": ["concise"]}}
FRAMES = {"operation": "extract-frames", "parameters": {"fps": 5, "width": 64}}


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def priced(mill, web):
    """The one provider, at a cent a call."""
    async with person(web, "boss") as boss:
        await mill.store.transact(Update(User, (boss.id,), set={"role": Role.ADMIN}))
        body = {"name": "good", "address": "echo:g", "price": {"call": 0.01}}
        assert (await boss.client.post("/v1/providers", json=body)).status_code == 201


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make.clip(tmp_path_factory.mktemp("clips") / "clip.mp4", seconds=1).read_bytes()


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    return make.clip(tmp_path_factory.mktemp("clips") / "clip.ts", seconds=1).read_bytes()


async def planned(person, *steps, **body):
    query = {"dry_run": "true"}
    answer = await person.client.post("/v1/jobs", json={"steps": steps, **body}, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def done(mill, person, *steps, **body):
    answer = await person.client.post("/v1/jobs", json={"steps": steps, **body})
    assert answer.status_code == 202, answer.text
    here = f"/v1/jobs/{answer.json()['id']}"
    async with working(mill):
        for _ in range(10):
            job = (await person.client.get(f"{here}?wait=30", timeout=40)).json()
            if job["state"] not in ("queued", "running"):
                return job
    return job


@pytest.mark.parametrize(
    ("before", "count"),
    [
        ([FRAMES], 5),
        ([FRAMES, {"operation": "preprocess", "parameters": {}}], 5),
        ([{"operation": "extract-frames", "parameters": {"count": 2, "width": 64}},
          {"operation": "augment", "parameters": {"methods": ["hue"], "copies": 2}}], 4),
    ],
)  # fmt: skip
async def test_captions_of_frames_are_counted_before_and_made(mill, ann, clip, before, count):
    files = [await upload(ann, "clip.mp4", clip)]
    plan = await planned(ann, *before, CAPTION, files=files)
    (ask,) = plan["asks"]
    assert (plan["outputs"], plan["outputs_are"]) == (count, "exact")
    assert (ask["inputs"], ask["inputs_are"], ask["calls"]) == (count, "exact", count)
    job = await done(mill, ann, *before, CAPTION, files=files)
    assert job["state"] == "succeeded", job
    assert [row["calls"] for row in job["spending"]["spent"]] == [ask["calls"]]
    assert job["spending"]["cost"] == pytest.approx(0.01 * count)
    assert job["counts"]["succeeded"] == plan["outputs"], "captions of the last step"
    assert ask["expected"] == pytest.approx(0.01 * count)


async def test_frames_are_counted_before_and_made(mill, ann, clip):
    files = [await upload(ann, "a.mp4", clip), await upload(ann, "p.jpg", jpeg(64, 48))]
    plan = await planned(ann, FRAMES, files=files)
    assert (plan["outputs"], plan["outputs_are"], plan["asks"]) == (5, "exact", [])
    assert [one["pointer"] for one in plan["misfits"]] == ["inputs.1"], "so it counts for nothing"
    job = await done(mill, ann, FRAMES, files=files)
    assert job["state"] == "partial"
    (file,) = (await items(ann, job))[0]["outputs"]
    content = (await ann.client.get(file["url"], follow_redirects=True)).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert len(archive.namelist()) == plan["outputs"] + 1, "and their index"


async def test_what_is_not_sure_is_told_so(ann, clip, stream):
    files = [await upload(ann, "clip.ts", stream)]
    plan = await planned(ann, FRAMES, CAPTION, files=files)
    assert (plan["outputs"], plan["outputs_are"]) == (5, "about")
    (ask,) = plan["asks"]
    assert (ask["inputs_are"], ask["calls"]) == ("about", 5)
    keys = {"operation": "extract-frames", "parameters": {"mode": "keyframes"}}
    plan = await planned(ann, keys, files=[await upload(ann, "clip.mp4", clip)])
    assert (plan["outputs"], plan["outputs_are"]) == (30, "at_most")
    packed = await upload(ann, "set.zip", zipped({"a.mp4": clip}))
    plan = await planned(ann, FRAMES, CAPTION, archive=packed)
    assert (plan["outputs"], plan["outputs_are"]) == (10_000, "at_most"), "nobody has looked in yet"
    tiles = {"operation": "augment", "parameters": {"methods": ["tile"]}}
    packed = await upload(ann, "set.zip", zipped({"a.jpg": jpeg(64, 48)}))
    plan = await planned(ann, tiles, CAPTION, archive=packed)
    assert (plan["outputs"], plan["outputs_are"]) == (None, None)
    (ask,) = plan["asks"]
    assert (ask["inputs"], ask["inputs_are"], ask["calls"], ask["expected"]) == (None,) * 4


async def test_what_will_be_refused_is_a_misfit(mill, ann, clip):
    late = {"operation": "extract-frames", "parameters": {"fps": 5, "start": 2}}
    files = [await upload(ann, "clip.mp4", clip)]
    plan = await planned(ann, late, CAPTION, files=files)
    message = "clip.mp4: no frame lies between start and end; the video is 1.000 s long"
    assert plan["misfits"] == [{"pointer": "inputs.0", "message": message}]
    assert (plan["outputs"], plan["asks"][0]["calls"]) == (0, 0)
    job = await done(mill, ann, late, CAPTION, files=files)
    assert job["state"] == "failed"
