"""A download that is made an object goes with what it is made of, however the two meet."""

import asyncio

import numpy as np
import pytest

from mediamill.handlers.stages.pack import pack_group, pack_unit, packed
from mediamill.media.archive import layout
from mediamill.media.image.codecs.encode import encode
from mediamill.store.repositories.jobs import Job
from tests.handlers.conftest import ANN, Works
from tests.support.ageing import age, gone, hurry, sweep

MEMORY = pytest.mark.parametrize("works", ["memory"], indirect=True)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    hurry(monkeypatch)


def png(n: int) -> bytes:
    return encode(np.full((8, 8, 3), n, np.uint8), "png")


class Held:
    """Packing that stops with all bytes written, before they are there."""

    def __init__(self, monkeypatch):
        self.begun, self.on, self._stream = asyncio.Event(), asyncio.Event(), layout.stream
        monkeypatch.setattr(layout, "stream", self.stream)

    async def stream(self, *given):
        async for chunk in self._stream(*given):
            yield chunk
        self.begun.set()
        await self.on.wait()


async def packing(works: Works, job: Job) -> None:
    await works.app.repositories.units.insert([pack_unit(job, await works.app.store.now())])
    await works.app.bell.ring("work:transfer")


async def there(works: Works, key: str) -> bool:
    return key in [blob.key async for blob in works.app.results.list("layouts/")]


async def unit(works: Works, job: Job):
    return await works.app.repositories.units.get(pack_group(job.layout), 0)


async def purge(works: Works, job: Job, file: str) -> None:
    await works.app.job_trash.delete(ANN, job.id, now=True)
    while await works.app.repositories.jobs.get(job.id) is not None:
        await asyncio.sleep(0.02)


async def expire(works: Works, job: Job, file: str) -> None:
    await age(works.app, file)
    await sweep(works.app)
    await gone(works.app, file)


@MEMORY
@pytest.mark.parametrize("remove", [purge, expire])
async def test_it_does_not_come_back_when_its_job_goes_meanwhile(works: Works, monkeypatch, remove):
    files = [await works.upload(f"{n}.png", png(n)) for n in range(2)]
    job = await works.run(files, "flip")
    held = Held(monkeypatch)
    async with asyncio.timeout(60):
        await packing(works, job)
        await held.begun.wait()
        await remove(works, job, files[0])
        assert not await there(works, packed(job.layout))
        held.on.set()
        while await unit(works, job) is not None:
            await asyncio.sleep(0.02)
    assert not await there(works, packed(job.layout))


@MEMORY
async def test_its_unit_goes_with_its_job(works: Works):
    job = await works.run([await works.upload("1.png", png(1))], "flip")
    async with asyncio.timeout(60):
        await packing(works, job)
        while "until" not in (await unit(works, job)).payload:
            await asyncio.sleep(0.02)
        assert await there(works, packed(job.layout))
        await purge(works, job, "")
    assert await unit(works, job) is None
    assert not await there(works, packed(job.layout))
