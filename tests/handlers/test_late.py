"""Bytes that come to sight late, as on a shared folder: tried again, and given up in the end."""

import asyncio
import io

import numpy as np
import pytest
from PIL import Image

from mediamill.blobs.local import incoming
from mediamill.core.errors import NotFound
from mediamill.engine import retry
from mediamill.engine.retry import LATE_ATTEMPTS, RetryPolicy
from mediamill.store.repositories.datasets import VersionState
from mediamill.store.repositories.jobs import Counts, JobState
from tests.handlers.conftest import ANN, Works

FOLDER = pytest.mark.embedded("only a folder shows its files late")


def png(n: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), n, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def shared(monkeypatch):
    """Take any folder for one of another machine."""
    monkeypatch.setattr(incoming, "network_type", lambda path: "nfs4")


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(RetryPolicy, "_jittered", lambda self, ceiling: 50)


async def put_away(works: Works, file_id: str):
    """Take the bytes of a file out of sight; return what puts them back."""
    file = await works.app.repositories.lookup.get(file_id)
    path = works.app.blobs._path(file.blob)
    path.rename(path.with_name(".away"))
    return lambda: path.with_name(".away").rename(path)


@FOLDER
async def test_what_is_not_seen_yet_is_looked_for_again(works: Works, shared):
    files = [await works.upload(f"{n}.png", png(n)) for n in range(4)]
    bring = await put_away(works, files[1])
    job = await works.submit(files, "thumbnail", reuse=False)
    async with asyncio.timeout(60):  # the others are not kept waiting
        while len(await works.rows(job, 0)) < 3:
            await asyncio.sleep(0.05)
    bring()
    job = await works.ended(job)
    assert (job.state, job.counts) == (JobState.SUCCEEDED, Counts(succeeded=4))


@FOLDER
async def test_what_never_comes_to_sight_fails_alone(works: Works, shared, hurried):
    files = [await works.upload(f"{n}.png", png(n)) for n in range(3)]
    await put_away(works, files[1])
    job = await works.run(files, "thumbnail", reuse=False)
    assert (job.state, job.counts) == (JobState.PARTIAL, Counts(succeeded=2, failed=1))
    unit = await works.app.repositories.units.get(job.id, 0)
    assert unit.attempts == LATE_ATTEMPTS


@FOLDER
async def test_on_a_disk_of_its_own_nothing_is_late(works: Works):
    files = [await works.upload(f"{n}.png", png(n)) for n in range(2)]
    await put_away(works, files[1])
    job = await works.run(files, "thumbnail", reuse=False)
    assert (await works.app.repositories.units.get(job.id, 0)).attempts == 0
    assert job.counts == Counts(succeeded=1, failed=1)


@pytest.mark.parametrize(
    ("error", "attempts", "late"),
    [
        (NotFound("There is no object.", key="a", late=True), 0, True),
        (NotFound("There is no object.", key="a", late=True), LATE_ATTEMPTS, False),
        (NotFound("There is no object.", key="a"), 0, False),
        (FileNotFoundError(), 0, False),
    ],
)
def test_how_long_it_is_waited_for(error, attempts, late):
    assert retry.may_be_late(error, attempts) is late


@FOLDER
async def test_a_version_waits_for_what_is_not_seen_yet_and_does_without_what_never_is(
    works: Works, shared, monkeypatch
):
    """One comes to sight once it has been missed, before anybody looks again."""
    files = [await works.upload(f"{n}.png", png(n)) for n in range(4)]
    project = await works.app.projects.create(ANN, "set")
    await works.app.projects.add(ANN, project.id, files)
    versions = works.app.datasets.versions
    await put_away(works, files[1])
    brings = [await put_away(works, files[2])]

    def missed(self, ceiling):
        if brings:
            brings.pop()()
        return 50

    monkeypatch.setattr(RetryPolicy, "_jittered", missed)
    begun = await versions.create(ANN, project.id)
    made = await versions.wait(ANN, project.id, begun.number, 60)
    assert not brings, "nobody missed it"
    assert (made.state, made.files) == (VersionState.READY, 3), made
    assert made.summary["left_out"] == {"gone": 1}
