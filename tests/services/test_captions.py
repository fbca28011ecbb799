"""Rows of captions come with the results of their items, and go with what they are about."""

import asyncio

import numpy as np
import pytest
from tests.handlers.conftest import ANN, BOB, working
from tests.support.ageing import age, gone, hurry, records, settled, sweep, traces

from mediamill.core.access import Principal
from mediamill.core.errors import Conflict, NotFound
from mediamill.engine.flush import ROWS_PER_FLUSH, first_of
from mediamill.handlers.asks import enlisting
from mediamill.handlers.asks.enlisting import captioned
from mediamill.media.image.codecs.encode import encode
from mediamill.services.captions.choosing import Choosing
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Put
from mediamill.store.repositories.captions import (
    Caption,
    Captions,
    CaptionState,
    CaptionWord,
    caption_id,
)
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.results import ItemOutcome, Result

SAID = {"caption_chain": "echo:one", "store_url": "memory:", "blobs_url": "memory:"}


def png(n: int) -> bytes:
    return encode(np.random.default_rng(n).integers(0, 255, (24, 24, 3), np.uint8), "png")


@pytest.fixture
async def works(tmp_path, monkeypatch):
    hurry(monkeypatch)
    async with working(tmp_path / "home", **SAID) as found:
        yield found


async def rows(works, job: Job) -> list[Caption]:
    return [row async for row in Captions(works.app.store).walk_job(job.id)]


async def test_they_go_with_their_files_and_their_jobs(works):
    app = works.app
    due, kept = await works.upload("gonzo.png", png(1)), await works.upload("kept.png", png(2))
    one = await works.run([due, kept], "caption")
    two = await works.run([due, kept], "caption")  # taken over
    assert two.counts.reused == 2
    assert [row.name for row in await rows(works, two)] == ["gonzo.png", "kept.png"]
    await settled(app)  # without any search
    assert {row.word for row in await records(app, CaptionWord)} > {"gonzo", "kept", "png"}
    assert await Captions(app.store).fresh(ANN.user, 10) == ()
    assert await traces(app, ["gonzo"])

    await age(app, due)
    assert await sweep(app) == 1
    await gone(app, due)
    await settled(app)
    assert await traces(app, ["gonzo", due]) == []
    assert [row.name for row in await rows(works, two)] == ["kept.png"]

    for job in (one, two):
        await app.job_trash.delete(ANN, job.id, now=True)
    async with asyncio.timeout(60):
        while await records(app, Job):
            await asyncio.sleep(0.05)
    assert await records(app, Caption) == await records(app, CaptionWord) == []


async def test_failed_items_have_none_and_only_their_owner_sees_the_others(works):
    good, bad = await works.upload("good.png", png(1)), await works.upload("bad.txt", b"text")
    job = await works.run([good, bad], "caption")
    (row,) = await rows(works, job)
    service = works.app.captions
    assert (await service.get(ANN, row.id)).name == "good.png"
    for who in (BOB, Principal("user_root", role="admin"), Principal("user_eve", role="analyst")):
        with pytest.raises(NotFound):
            await service.get(who, row.id)
        with pytest.raises(NotFound):
            await service.chosen(who, job=job.id)
        assert (await service.list(await service.chosen(who), None, 10)).rows == ()


async def test_who_changes_it_at_the_same_moment_is_told(works, monkeypatch):
    job = await works.run([await works.upload("a.png", png(1))], "caption")
    (row,) = await rows(works, job)
    service = works.app.captions
    real = service.get

    async def get(*given):
        found = await real(*given)
        await service._write(found, again="job_other")
        return found

    monkeypatch.setattr(service, "get", get)
    with pytest.raises(Conflict, match="at the same moment"):
        await service.judge(ANN, row.id, CaptionState.APPROVED)
    told = await service.judge_all(ANN, [row.id, "capt_none-0-0"], CaptionState.APPROVED)
    assert told == {row.id: None, "capt_none-0-0": None}


def result(item: int) -> Result:
    return Result(
        job="job_x", stage=0, item=item, generation=1, outcome=ItemOutcome.SUCCEEDED, input="",
        name=f"{item}.png", data={"captions": [{"text": "a boat", "provider": "p"}]}, created=0,
    )  # fmt: skip


JOB = Job(id="job_x", owner="user_ann", steps=(), klass="bulk", created=0)


def test_a_transaction_has_room_for_the_rows_beside():
    made = enlisting.enlisting(JOB, "caption")
    some = [result(n) for n in range(100)]
    beside = {one.item: made(one) for one in some}
    assert len(first_of(some, beside)) == ROWS_PER_FLUSH // 3
    assert not enlisting.enlisting(JOB, "say")(some[0])
    assert not made(some[0].evolve(outcome=ItemOutcome.FAILED))


async def test_those_of_a_deleted_job_are_not_there():
    store = MemoryStore()
    row = captioned(JOB, "caption", result(0))
    assert (row.id, row.providers) == (caption_id("job_x", 0, 0), ("p",))
    await store.transact(Put(JOB), Put(row))
    choosing = Choosing(store)
    assert await choosing.shown([row]) == [row]
    await store.transact(Put(JOB.evolve(deleted=5)))
    assert await choosing.shown([row]) == []
