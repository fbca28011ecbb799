"""Figures of what a whole program did equal a recount of its rows, and stay when those go."""

import numpy as np

from mediamill.core.access import Principal
from mediamill.engine.stages import StageKind
from mediamill.handlers.items.steps import stage_of, stored
from mediamill.media.image.codecs.encode import encode
from mediamill.services.jobs.inputs import Named
from mediamill.store.port import Put
from mediamill.store.repositories.attempts import Attempt
from mediamill.store.repositories.figures import About, Figures
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import User
from tests.handlers.conftest import ANN
from tests.handlers.test_members import zipped
from tests.media_factory import clip
from tests.support.ageing import gone, hurry, records, settled
from tests.support.recounting import NAMES, figures, recounted


def picture(shade: int) -> bytes:
    return encode(np.full((8, 8, 3), shade, np.uint8), "png")


def operations(works):
    def of(job: Job, stage: int) -> tuple[list[str], bool]:
        cut = stage_of(works.app.operations, job, stage)
        steps = [step.operation for step in stored(job, cut)]
        return steps, cut.kind is StageKind.MEASURE

    return of


async def test_figures_are_what_a_recount_finds_and_outlive_what_they_count(works, monkeypatch):
    hurry(monkeypatch)
    app = works.app
    pictures = [await works.upload(f"gonzo{n}.png", picture(n)) for n in range(4)]
    text = await works.upload("words.txt", b"some words")
    first = await works.run([*pictures, text], "flip", "twice", "tell")  # the text is no image
    again = await works.run(pictures[:3], "flip", "twice", "tell")  # taken over
    loud = await works.run([text], "shout")
    fails = await works.run(pictures[:2], ("tell", {"broken": "gonzo1"}))
    await settled(app)

    rows = await records(app, File, Job, Unit, Result, Attempt)
    counted = await figures(app.store)
    assert counted == await recounted(app.store, rows, operations(works))
    by_status = {about: {place[-1] for place in counted if place[1] is about} for about in About}
    assert by_status[About.ITEMS] == {"succeeded", "failed", "reused"}
    assert by_status[About.JOBS] == {"succeeded", "partial"}

    for job in (first, again, loud, fails):
        await app.job_trash.delete(ANN, job.id, now=True)
    for file in (*pictures, text):
        await app.trash.delete(ANN, file, now=True)
    await gone(app, *pictures, text)
    await settled(app)
    assert await records(app, File, Job, Result, Attempt) == []
    left = await figures(app.store)
    removed = {place: counts for place, counts in left.items() if place[1] is About.REMOVED}
    assert {place[-1] for place in removed} == {"deleted"}
    assert sum(counts["count"] for counts in removed.values()) == 5
    assert {place: counts for place, counts in left.items() if place not in removed} == counted


async def test_a_member_of_an_archive_counts_as_what_it_is_itself(works):
    """Not as the whole archive, each time; nor as an archive, whatever is in it."""
    pictures = {f"{n}.png": picture(n) for n in range(3)}
    packed = zipped({**pictures, "words.txt": b"some words", "large.bin": bytes(100_000)})
    archive = await works.upload("set.zip", packed)
    members = ("*.png", "words.txt")
    await works.run([], "twice", named=Named(archive=archive, members=members))
    items = await figures(works.app.store, About.ITEMS)
    assert {
        (place[NAMES.index("media_type") + 2], place[-1]): (
            counts["count"], counts["bytes"], counts["timed"],
        )
        for place, counts in items.items()
    } == {
        ("image/png", "succeeded"): (3, sum(len(data) for data in pictures.values()), 3),
        ("", "failed"): (1, 10, 1),  # it ran, and was no picture
    }  # fmt: skip
    rows = await records(works.app, File, Job, Unit, Result, Attempt)
    counted = {place: one for place, one in items.items() if place[-1] == "succeeded"}
    again = await recounted(works.app.store, rows, operations(works))
    assert {place: again[place] for place in counted} == counted


async def test_what_was_refused_unread_or_given_up_took_no_time(works):
    image, text = await works.upload("a.png", picture(1)), await works.upload("a.txt", b"words")
    await works.run([image, text], "flip")
    items = await figures(works.app.store, About.ITEMS)
    assert {
        place[-1]: (counts["timed"], counts["under_100000s"]) for place, counts in items.items()
    } == {"succeeded": (1, 1), "failed": (0, 0)}


async def test_frames_that_go_on_count_as_frames(works, tmp_path):
    film = clip(tmp_path / "film.mp4", seconds=1, size="64x64").read_bytes()
    video = await works.upload("film.mp4", film)
    job = await works.run([video], ("extract-frames", {"fps": 4}), "copied")
    sizes = [row.report["input"]["size"] for row in await works.rows(job)]
    assert sizes
    items = await figures(works.app.store, About.ITEMS)
    assert sorted((counts["count"], counts["bytes"]) for counts in items.values()) == sorted(
        [(1, len(film)), (len(sizes), sum(sizes))]
    )


async def test_each_outcome_and_each_end_of_a_job_that_is_retried_counts(works):
    app = works.app
    pictures = [await works.upload(f"gonzo{n}.png", picture(n)) for n in range(2)]
    job = await works.run(pictures, ("tell", {"broken": "gonzo1"}))
    await works.ended(await app.jobs.retry(ANN, job.id))
    items = await figures(app.store, About.ITEMS)
    assert {place[-1]: counts["count"] for place, counts in items.items()} == {
        "succeeded": 1, "failed": 2,
    }  # fmt: skip
    (jobs,) = (await figures(app.store, About.JOBS)).values()
    assert (jobs["count"], jobs["items"], jobs["timed"]) == (2, 4, 1)


async def test_a_customer_is_a_label_and_nothing_tells_whose_it_was(works):
    app = works.app
    await app.store.transact(Put(User(id=ANN.user, email="ann@x.org", created=1, customer="Acme")))
    await works.upload("a.png", picture(1))
    await works.upload("b.png", picture(2), Principal("user_bob"))
    rows = [row async for row in Figures(app.store).walk("2025-01-01", "2029-12-31")]
    assert sorted((row.customer, row.count) for row in rows) == [("", 1), ("Acme", 1)]
    assert not any("ann" in repr(row) or "user_" in repr(row) for row in rows)
