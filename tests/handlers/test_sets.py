"""Sets: measured first, reduced once, then run again with what was agreed."""

import io
import itertools
import zipfile

import cv2
import msgspec
import numpy as np
import pytest

from mediamill.core.errors import InvalidInput
from mediamill.handlers.stages.seal import Seal
from mediamill.media.archive.layout import parse
from mediamill.media.image.codecs.encode import encode
from mediamill.services.jobs.inputs import Named
from mediamill.services.jobs.requests import JobRequest
from mediamill.store.repositories.jobs import Counts, Job, JobState
from mediamill.web.views.results import result_view
from tests.handlers.conftest import ANN, Works
from tests.handlers.stages.test_stages import Missing
from tests.media_factory import clip

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def works(shared: Works) -> Works:
    return shared


COUNT = itertools.count(1)


def grey(n: int) -> bytes:
    """Return a grey picture that no other is quite like."""
    pixels = np.full((16, 16, 3), n, np.uint8)
    pixels[0, 0, :2] = divmod(next(COUNT), 256)
    return encode(pixels, "png")


def broken(seed: int = 0) -> bytes:
    """Return an image that begins well and is cut."""
    noise = np.random.default_rng(seed).integers(0, 255, (40, 40, 3), np.uint8)
    return encode(noise, "png")[:2500]


async def uploaded(works: Works, *values: int) -> list[str]:
    return [await works.upload(f"{n}.png", grey(n)) for n in values]


def pixels_of(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


async def archived(works: Works, archive: str, steps: tuple, **more) -> Job:
    """Run steps on what an archive holds."""
    request = JobRequest(named=Named(archive=archive), steps=steps, seed=3, **more)
    return await works.ended(await works.app.jobs.submit(ANN, request))


async def items(works: Works, job: Job, state: str | None = None, limit: int = 20) -> list:
    """Return the items of a job, which are listed so many at a time."""
    found, after = [], None
    while True:
        page = await works.app.items.list(ANN, job.id, state, after, limit)
        found, after = [*found, *page.rows], page.after
        if after is None:
            return found


async def test_a_set_is_brought_to_what_it_agreed_on(works: Works):
    files = await uploaded(works, 10, 20, 60)
    job = await works.run(files, ("flip", {}), ("level", {}))
    assert (job.state, job.stages, job.stage) == (JobState.SUCCEEDED, 3, 2)
    assert job.counts == Counts(succeeded=3)
    agreed = job.agreed["1"]
    assert agreed["images"] == 3
    assert agreed["mean"] == pytest.approx(30, abs=0.1)
    rows = await works.rows(job)
    assert [row.input for row in rows] == files
    assert [round(row.report["measured"]) for row in rows] == [10, 20, 60]
    for row in rows:
        assert row.report["mean"] == agreed["mean"]


async def test_what_cannot_be_measured_fails_once_and_its_neighbours_go_on(works: Works):
    files = await uploaded(works, 10, 20)
    bad = await works.upload("bad.png", broken())
    job = await works.run([files[0], bad, files[1]], "level")
    assert (job.state, job.counts, job.failed_earlier) == (
        JobState.PARTIAL, Counts(succeeded=2), 1,
    )  # fmt: skip
    ends = [row async for row in works.app.jobs.all_outcomes(job)]
    assert [(row.name, row.outcome.value) for row in ends] == [
        ("bad.png", "failed"), ("10.png", "succeeded"), ("20.png", "succeeded"),
    ]  # fmt: skip
    for limit in (1, 2, 20):
        listed = await items(works, job, limit=limit)
        assert [(one.stage, one.name, one.state) for one in listed] == [
            (0, "bad.png", "failed"), (2, "10.png", "succeeded"), (2, "20.png", "succeeded"),
        ]  # fmt: skip
    (failed,) = await items(works, job, "failed")
    assert failed.result is not None
    assert failed.result.code == "broken_media"
    assert [one.name for one in await items(works, job, "succeeded")] == ["10.png", "20.png"]


async def test_a_report_is_made_anew_of_all_there_is_by_then(works: Works):
    files = await uploaded(works, 1, 2, 3)
    missing = Missing(works, files)
    await missing.take(1)
    job = await works.run(files, "census")
    assert (job.state, job.stages, job.stage, job.failed_earlier) == (JobState.PARTIAL, 2, 1, 1)
    (row,) = await works.rows(job)
    assert row.data == {"good": 2, "bad": 1, "pictures": 2}
    before = row.files[0].blob
    await missing.give_back()
    await works.app.jobs.retry(ANN, job.id)
    job = await works.ended(job)
    assert (job.state, job.counts, job.failed_earlier) == (
        JobState.SUCCEEDED, Counts(succeeded=1), 0,
    )  # fmt: skip
    (row,) = await works.rows(job)
    assert row.data == {"good": 3, "bad": 0, "pictures": 3}
    assert row.files[0].blob != before
    said = (await works.bytes(row)).decode().splitlines()
    assert said == ["1.png  good 1", "2.png  good 1", "3.png  good 1"]


async def test_a_retry_keeps_what_was_agreed(works: Works):
    files = await uploaded(works, 10, 20, 90)
    missing = Missing(works, files)
    await missing.take(2)
    job = await works.run(files, "level")
    agreed = job.agreed
    assert agreed["0"]["images"] == 2
    await missing.give_back()
    await works.app.jobs.retry(ANN, job.id)
    job = await works.ended(job)
    assert (job.state, job.agreed) == (JobState.SUCCEEDED, agreed)
    assert [row.generation for row in await works.rows(job)] == [1, 1, 2]


async def test_a_reduction_that_failed_is_retried_and_the_rest_follows(works: Works, tmp_path):
    flag = tmp_path / "works"
    files = await uploaded(works, 10, 20)
    job = await works.run(files, ("level", {"broken": str(flag)}))
    assert (job.state, job.counts, job.failed_earlier, job.agreed) == (
        JobState.FAILED, Counts(), 1, {},
    )  # fmt: skip
    flag.touch()
    await works.app.jobs.retry(ANN, job.id)
    job = await works.ended(job)
    if job.state is JobState.FAILED:  # a slot sees no file of ours: what it says stays
        assert job.failed_earlier == 1
        return
    assert (job.state, job.counts) == (JobState.SUCCEEDED, Counts(succeeded=2))


async def test_all_of_a_set_is_broken(works: Works):
    files = [await works.upload(f"{n}.png", broken(n)) for n in range(2)]
    job = await works.run(files, "level")
    assert (job.state, job.failed_earlier, job.counts) == (JobState.FAILED, 2, Counts())
    job = await works.run(files, "census", reuse=False)
    assert (job.state, job.counts, job.failed_earlier) == (
        JobState.PARTIAL, Counts(succeeded=1), 2,
    )  # fmt: skip


async def test_what_was_measured_is_measured_no_more(works: Works):
    files = await uploaded(works, *range(10, 20))
    first = await works.run(files, "census")
    assert [row.outcome.value for row in await works.rows(first, 0)] == ["succeeded"] * 10
    changed = [*files[:9], *await uploaded(works, 99)]
    again = await works.run(changed, "census")
    assert [row.outcome.value for row in await works.rows(again, 0)] == ["reused"] * 9 + [
        "succeeded"
    ]
    assert again.counts == Counts(succeeded=1)


async def test_another_agreement_is_another_outcome(works: Works):
    files = await uploaded(works, 10, 20)
    await works.run(files, "level")
    same = await works.run(files, "level")
    assert same.counts == Counts(reused=2)
    other = await works.run([*files, *await uploaded(works, 200)], "level")
    assert other.counts == Counts(succeeded=3)


async def test_two_surveys_in_a_row(works: Works):
    files = await uploaded(works, 10, 30)
    job = await works.run(files, "level", ("level", {"gain": 0.5}), "flip", "census")
    assert (job.state, job.stages) == (JobState.SUCCEEDED, 6)
    assert job.agreed["1"]["mean"] == pytest.approx(20, abs=0.6)
    (row,) = await works.rows(job)
    assert row.data == {"good": 2, "bad": 0, "pictures": 2}


async def test_nothing_follows_a_report(works: Works):
    files = await uploaded(works, 1)
    with pytest.raises(InvalidInput, match="can only be the last"):
        await works.submit(files, "census", "flip")


async def test_many_measures_of_one_input_are_a_file(works: Works, tmp_path):
    path = clip(tmp_path / "clip.mp4", seconds=3)
    video = await works.upload("clip.mp4", path.read_bytes())
    job = await works.run([video], ("extract-frames", {"mode": "all"}), "level", "flip")
    assert (job.state, job.counts) == (JobState.SUCCEEDED, Counts(succeeded=1))
    (measured,) = await works.rows(job, 0)
    (row,) = await works.rows(job)
    assert job.agreed["1"]["images"] == row.report["frames"]
    lines = (await works.bytes(measured)).splitlines()
    assert {"pts", "width", "height"} <= msgspec.json.decode(lines[0])["info"].keys()
    assert len(lines) == row.report["frames"]
    assert (measured.outputs, result_view(measured).files) == ((), [])
    seal = Seal(works.app.repositories.jobs, works.app.repositories.results, works.app.results,
                tmp_path)  # fmt: skip
    cut_short = job.evolve(stage=0)
    await seal.write(cut_short, f"layouts/{job.id}/0-0")
    layout = await works.app.results.get(f"layouts/{job.id}/0-0-layout")
    assert [member.name for member in map(parse, layout.splitlines())] == ["manifest.jsonl"]


async def test_partners_are_of_the_set_and_of_what_trains(works: Works):
    files = await uploaded(works, 10, 20, 30, 40)
    job = await works.run(files, ("mix", {"count": 2}), seed=7)
    assert job.counts == Counts(succeeded=4)
    rows = await works.rows(job)
    assert [row.report["mixed"] for row in rows] == [3] * 4
    turned = await works.run(files[::-1], ("mix", {"count": 2}), seed=7, reuse=False)
    assert [row.files[0].sha256 for row in (await works.rows(turned))[::-1]] == [
        row.files[0].sha256 for row in rows
    ]
    alone = await works.run(files[:1], ("mix", {"count": 2}), seed=7)
    assert [row.report["mixed"] for row in await works.rows(alone)] == [1]
    with pytest.raises(InvalidInput, match="frames of a video come one after the other"):
        await works.submit(files, "extract-frames", "mix")


async def test_what_is_wrong_with_a_partner_fails_no_other(works: Works):
    plain = [encode(np.full((16, 16, 3), value, np.uint8), "png") for value in (10, 66)]
    good, deadly = [await works.upload("plain.png", data) for data in plain]
    bad = await works.upload("bad.png", broken(7))
    job = await works.run([good, bad], ("augment", {"methods": ["mixup"]}))
    assert [row.outcome for row in await works.rows(job)] == ["succeeded", "failed"]
    job = await works.run([good, deadly], ("mix", {"deadly": 66}), seed=2)
    assert job.counts == Counts(succeeded=2)
    struck, other = await works.rows(job)
    assert [row.report["mixed"] for row in (struck, other)] == [1, 2]
    assert [one["item"] for one in struck.report["partners_left_out"]] == [1]
    unharmed = await works.run([good, deadly], ("mix", {}), seed=2)
    assert [row.report["mixed"] for row in await works.rows(unharmed)] == [2, 2]


async def test_two_steps_that_draw_do_not_draw_the_same(works: Works):
    methods = {"methods": ["brightness", "horizontal-flip"], "copies": 2}
    files = await uploaded(works, 90)
    job = await works.run(files, ("augment", methods), ("augment", methods), seed=3)
    (row,) = await works.rows(job)
    drawn = [file.info["drawn"]["brightness"] for file in row.files]
    once = (await works.rows(await works.run(files, ("augment", methods), seed=3)))[0]
    before = [file.info["drawn"]["brightness"] for file in once.files]
    assert len({*drawn, *before}) == 6


async def test_a_partner_that_is_away_is_none_and_is_one_again(works: Works):
    files = await uploaded(works, 10, 60)
    missing = Missing(works, files)
    await missing.take(1)
    step = ("augment", {"methods": ["mixup"], "mixup": [0.5, 0.5]})
    first, failed = await works.rows(await works.run(files, step, seed=3))
    assert (first.outcome, failed.outcome) == ("succeeded", "failed")
    assert "partners" not in first.lineage
    assert [one["item"] for one in first.report["partners_left_out"]] == [1]
    await missing.give_back()
    job = await works.run(files, step, seed=3)
    assert job.counts == Counts(succeeded=2)
    whole = (await works.rows(job))[0]
    assert (whole.lineage["partners"], "partners_left_out" in whole.report) == ([1], False)
    assert whole.files[0].sha256 != first.files[0].sha256
    for before in (first, whole):
        again = await works.ended(await works.app.replays.begin(ANN, before.file_id(0)))
        assert (await works.rows(again))[0].files[0].sha256 == before.files[0].sha256
    await missing.take(1)
    alone = (await works.rows(await works.run(files, step, seed=3)))[0]
    await missing.give_back()
    assert (alone.outcome, alone.files[0].sha256) == ("reused", whole.files[0].sha256)


async def test_partners_out_of_an_archive_are_pictures_of_their_own(works: Works):
    flat = [encode(np.full((16, 16, 3), 80 + n, np.uint8), "bmp") for n in range(6)]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for n, data in enumerate(flat):
            archive.writestr(zipfile.ZipInfo(f"{n}.bmp"), data)
    steps = (("augment", {"methods": ["brightness"], "brightness": [0.2, 3]}),
             ("augment", {"methods": ["mosaic"], "mosaic": [0.5, 0.5]}))  # fmt: skip
    whole = await works.upload("set.zip", packed.getvalue())
    rows = await works.rows(await archived(works, whole, steps))
    row = next(row for row in rows if len(row.lineage["partners"]) == 3)
    pixels = pixels_of(await works.bytes(row))
    corners = sorted(pixels[y, x].mean() for y in (2, 13) for x in (2, 13))
    apart = [more > 1.1 * less for less, more in itertools.pairwise(corners)]
    assert sum(apart) >= 2  # the greys themselves are within 7 % of each other
    damaged = bytearray(packed.getvalue())
    for data in flat[3:]:
        damaged[damaged.index(data) + len(data) // 2] ^= 255
    bad = await works.upload("bad.zip", bytes(damaged))
    rows = await works.rows(await archived(works, bad, steps))
    assert [row.outcome for row in rows] == ["succeeded"] * 3 + ["failed"] * 3
    for row in rows[:3]:
        said = row.report["partners_left_out"]
        assert {one["item"] for one in said} == {3, 4, 5} & {*row.lineage["partners"]}
        assert all("damaged" in one["why"] for one in said)
