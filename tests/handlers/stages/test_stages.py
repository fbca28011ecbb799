"""Stages: what one makes is the next one's input, retries add to it, and kills lose nothing."""

import asyncio
import os
import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.handlers.stages import expand, feeding, next_stage
from mediamill.media.image.codecs.encode import encode
from mediamill.store.repositories import jobs, manifests
from mediamill.store.repositories.jobs import Counts, Job, JobState
from tests.handlers.conftest import ANN, BOTH, Works
from tests.support.chains import CHAINED, TELLS
from tests.support.nursery import Forked, nursery


def png(n: int) -> bytes:
    pixels = np.full((8, 8, 3), n, np.uint8)
    pixels[:, 0] = 255 - n
    return encode(pixels, "png")


class Worker:
    """A process that works with the operations of `tests.support.chains`."""

    def __init__(self, home: Path, log: Path) -> None:
        self.command = [sys.executable, "-m", "tests.support.chains", str(home)]
        self.log = log
        self.child: Forked

    def start(self) -> None:
        with self.log.open("ab") as log, Path(os.devnull).open() as nothing:
            given = (nothing.fileno(), log.fileno(), log.fileno())
            self.child = nursery().fork(self.command, given, os.environ)

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()


class Missing:
    """Inputs whose bytes are away for a while."""

    def __init__(self, works: Works, files: list[str]) -> None:
        self.works, self.files = works, files
        self.kept: dict[str, bytes] = {}

    async def take(self, *places: int) -> None:
        blobs = self.works.app.blobs
        for place in places:
            file = await self.works.app.repositories.lookup.get(self.files[place])
            self.kept[file.blob] = await blobs.get(file.blob)
            await blobs.delete(file.blob)

    async def give_back(self, *which: int) -> None:
        for place, (key, data) in enumerate([*self.kept.items()]):
            if not which or place in which:
                await self.works.app.blobs.put(key, data)


@BOTH
async def test_a_retry_of_an_earlier_stage_adds_to_the_later_one(works: Works):
    files = [await works.upload(f"{n}.png", png(n)) for n in range(4)]
    missing = Missing(works, files)
    await missing.take(1, 2)
    job = await works.run(files, "twice", "tell")
    assert (job.state, job.stage, job.items) == (JobState.PARTIAL, 1, 4)
    assert (job.counts, job.failed_earlier) == (Counts(succeeded=4), 2)
    first = await works.rows(job)
    await missing.give_back(1)
    opened = await works.app.jobs.retry(ANN, job.id, "failed")
    assert opened.generation == 2
    job = await works.ended(job)
    assert (job.state, job.items, job.failed_earlier) == (JobState.PARTIAL, 6, 1)
    assert job.counts == Counts(succeeded=6)
    assert (await works.rows(job))[:4] == first
    await missing.give_back(0)
    await works.app.jobs.retry(ANN, job.id)
    job = await works.ended(job)
    assert (job.state, job.items, job.failed_earlier) == (JobState.SUCCEEDED, 8, 0)
    rows = await works.rows(job)
    assert [row.generation for row in rows] == [1] * 4 + [2] * 2 + [3] * 2
    assert len({row.input for row in rows}) == 8
    assert sorted(row.name[0] for row in rows) == list("00112233")
    stage = await works.rows(job, 0)
    assert [row.generation for row in stage] == [1, 3, 2, 1]


async def test_all_of_a_stage_fails_and_is_retried(works: Works):
    files = [await works.upload("a.png", png(1))]
    missing = Missing(works, files)
    await missing.take(0)
    job = await works.run(files, "twice", "tell")
    assert (job.state, job.items, job.stage) == (JobState.FAILED, 0, 1)
    await missing.give_back()
    await works.app.jobs.retry(ANN, job.id)
    job = await works.ended(job)
    assert (job.state, job.counts) == (JobState.SUCCEEDED, Counts(succeeded=2))


async def test_a_later_stage_is_retried_by_itself(works: Works):
    files = [await works.upload(f"{n}.png", png(n)) for n in range(2)]
    job = await works.run(files, "twice", ("tell", {"broken": "1-2"}), reuse=False)
    assert job.counts == Counts(succeeded=3, failed=1)
    await works.app.jobs.retry(ANN, job.id)
    job = await works.ended(job)
    assert (job.counts, job.generation) == (Counts(succeeded=3, failed=1), 2)
    assert {row.generation for row in await works.rows(job, 0)} == {1}


@pytest.mark.parametrize(
    ("inputs", "entries"), [(9, 10), pytest.param(130, 1000, marks=pytest.mark.soak)]
)
async def test_a_list_of_several_pages_is_continued(
    works: Works, monkeypatch: pytest.MonkeyPatch, inputs: int, entries: int
):
    for module in (jobs, manifests, expand, next_stage, feeding):
        monkeypatch.setattr(module, "PAGE_ENTRIES", entries)
    files = [await works.upload(f"{n}.png", png(n)) for n in range(inputs)]
    missing = Missing(works, files)
    await missing.take(7)
    job = await works.run(files, "twice", "twice", "twice", "tell", reuse=False)
    assert (job.items, job.failed_earlier) == ((inputs - 1) * 8, 1)
    await missing.give_back()
    await works.app.jobs.retry(ANN, job.id)
    job = await works.ended(job)
    assert (job.items, job.counts) == (inputs * 8, Counts(succeeded=inputs * 8))
    per_input = Counter(row.name.split(".")[0].split("-")[0] for row in await works.rows(job))
    assert set(per_input.values()) == {8}
    page = await works.app.items.list(ANN, job.id, None, str((inputs - 1) * 8), 100)
    assert {item.name.split(".")[0].split("-")[0] for item in page.rows} == {"7"}


async def went_on(works: Works, submitted: list[Job]) -> None:
    """Wait until something was done, lest every kill hits the same item: that is given up."""

    async def told() -> list[tuple[bool, int, int]]:
        jobs = [await works.app.jobs.get(ANN, job.id) for job in submitted]
        return [(job.state.terminal, job.stage, job.counts.succeeded) for job in jobs]

    before = await told()
    async with asyncio.timeout(60):
        while not all(ended for ended, *_ in before) and await told() == before:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.soak)])
async def test_workers_killed_between_stages(tmp_path, kills: int):
    """The history check of `tests/faults`, for stages: each input once in each stage."""
    home, chance = tmp_path / "home", random.Random(5)
    async with await App.open(Settings(home=home, prompt_chain=TELLS, slots=1), CHAINED) as app:
        works = Works(app)
        files = [await works.upload(f"{n}.png", png(n)) for n in range(15)]
        submitted = [
            await works.submit(files, ("convert", {"width": 3 + n % 5}), "twice", "tell")
            for n in range(max(2, kills // 4))
        ]
        worker = Worker(home, tmp_path / "worker.log")
        worker.start()
        try:
            for _ in range(kills):
                await went_on(works, submitted)
                await asyncio.sleep(chance.random())
                worker.kill()
                worker.start()
            for job in submitted:
                ended = await works.ended(job)
                assert (ended.state, ended.stage) == (JobState.SUCCEEDED, 1)
                assert ended.counts.succeeded + ended.counts.reused == ended.items == 30
                rows = await works.rows(ended)
                assert sorted(row.item for row in rows) == [*range(30)]
                assert len({row.input for row in rows}) == 30
        finally:
            worker.kill()
