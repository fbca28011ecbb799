"""Asking anew about what was rejected: each picture once, whoever asks at the same moment."""

import asyncio

import pytest
from tests.handlers.conftest import ANN
from tests.services.test_captions import png, rows, works

from mediamill.core.errors import InvalidInput, QuotaExceeded
from mediamill.core.ids import encode
from mediamill.services.captions.choosing import Choice
from mediamill.services.captions.rerunning import SUBMITTED_MS
from mediamill.services.jobs.service import JobService
from mediamill.store.repositories.captions import CaptionState
from mediamill.store.repositories.jobs import Job

__all__ = ["works"]

ALL = Choice(ANN.user)


@pytest.fixture
async def rejected(works):
    """Give a service with rejected captions: two of one picture, of two jobs, and one more."""
    files = [await works.upload(f"{n}.png", png(n)) for n in range(2)]
    jobs = [await works.run(files, "caption"), await works.run(files[:1], "caption")]
    for job in jobs:
        for row in await rows(works, job):
            await works.app.captions.judge(ANN, row.id, CaptionState.REJECTED)
    return works, jobs


async def named(works, jobs) -> list[str]:
    """Return the jobs that ask anew, as the captions say."""
    return [row.again for job in jobs for row in await rows(works, job)]


async def test_of_two_requests_at_once_one_asks(rejected, monkeypatch):
    works, jobs = rejected
    submit, asked = JobService.submit, []

    async def slowly(self, *given):
        if not asked:
            asked.append("the first")
            with pytest.raises(InvalidInput, match="no rejected captions"):
                await works.app.rerunning.rejected(ANN, ALL)
        return await submit(self, *given)

    monkeypatch.setattr(JobService, "submit", slowly)
    again = await works.app.rerunning.rejected(ANN, ALL)
    (job,) = again.jobs
    assert (await works.ended(job)).items == 2, "a picture was asked about twice"
    assert await named(works, jobs) == [job.id] * 3, "all captions of a picture are asked about"
    with pytest.raises(InvalidInput, match="no rejected captions"):
        await works.app.rerunning.rejected(ANN, ALL)


@pytest.mark.parametrize("error", [QuotaExceeded("It is full."), InvalidInput("It is wrong.")])
async def test_what_was_refused_can_be_asked_about_later(rejected, monkeypatch, error):
    works, jobs = rejected

    async def refuse(self, *given):
        raise error

    with monkeypatch.context() as refusing:
        refusing.setattr(JobService, "submit", refuse)
        try:
            again = await works.app.rerunning.rejected(ANN, ALL)
            assert (again.jobs, len(again.failed)) == ([], 3)
        except QuotaExceeded:
            assert isinstance(error, QuotaExceeded)
    assert await named(works, jobs) == [""] * 3
    assert (await works.app.rerunning.rejected(ANN, ALL)).jobs


async def test_what_was_cut_off_before_its_job_can_be_asked_about_later(rejected, monkeypatch):
    works, jobs = rejected

    async def cut(self, *given):
        raise asyncio.CancelledError

    with monkeypatch.context() as dying:
        dying.setattr(JobService, "submit", cut)
        with pytest.raises(asyncio.CancelledError):
            await works.app.rerunning.rejected(ANN, ALL)
    with pytest.raises(InvalidInput, match="no rejected captions"):
        await works.app.rerunning.rejected(ANN, ALL)
    old = f"job_{encode((await works.app.store.now() - SUBMITTED_MS - 1) << 80)}"
    for job in jobs:
        for row in await rows(works, job):
            await works.app.captions.asked_again(row, old)
    assert await works.app.store.get(Job, old) is None
    assert len((await works.app.rerunning.rejected(ANN, ALL)).jobs) == 1


async def test_who_judges_anew_meanwhile_is_not_asked_for(rejected, monkeypatch):
    works, jobs = rejected
    (_, other), _ = [await rows(works, job) for job in jobs]
    usual = works.app.captions.asked_again

    async def asked_again(row, job):
        if row.id == other.id:
            await works.app.captions.judge(ANN, row.id, CaptionState.APPROVED)
        return await usual(row, job)

    monkeypatch.setattr(works.app.captions, "asked_again", asked_again)
    (job,) = (await works.app.rerunning.rejected(ANN, ALL)).jobs
    assert (await works.ended(job)).items == 1
    assert await named(works, jobs) == [job.id, "", job.id]
