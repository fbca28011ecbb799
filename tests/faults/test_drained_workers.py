"""A worker drained over processes in mid-work: it ends by itself, and nothing is lost or doubled.

The soak drains 30 workers on each store, in about four minutes each.
"""

import asyncio
from itertools import count

import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.store.repositories.units import Unit, UnitState
from mediamill.store.repositories.workers import Workers
from tests.faults.history import History
from tests.faults.test_killed_workers import SHORT, Worker
from tests.media_factory import clip
from tests.support.places import DYNAMODB, POSTGRESQL, SQLITE, cases
from tests.support.processes import running, signed_in


async def first(found):
    """Wait until something is found."""
    while not (one := await found()):
        await asyncio.sleep(0.02)
    return one


async def drain_in_turn(tmp_path, times: int) -> None:
    """Drain the only worker while it has work, so often; then another does what is left."""
    home, history = tmp_path / "home", History()
    settings = Settings(home=home, min_free_bytes=0)
    async with (
        running("api", home, **SHORT) as api,
        signed_in(api) as client,
        await App.open(settings) as app,
    ):
        workers = Workers(app.store)
        files = []
        for n in range(3):
            video = clip(tmp_path / f"{n}.mp4", seconds=2 + n).read_bytes()
            files.append(await history.upload(client, f"{n}.mp4", video))

        async def here():
            return [one for one in await workers.known(await app.store.now()) if not one.over]

        for n in count():
            if n == times:
                break
            worker = Worker(home)
            worker.start()
            try:
                await worker.begun()
                (row,) = await first(here)
                every = 0.1 + n / 5000
                job = await history.submit(client, files, "extract-frames", every=every)

                async def at_work(job=job):
                    units = await app.repositories.units.of_group(job)
                    return any(unit.started is not None for unit in units)

                await first(at_work)
                await workers.want(row.id, drain=True)
                assert await asyncio.to_thread(worker.child.wait, 60) == 0, worker.log()
                assert (await workers.get(row.id)).over
                units = await app.repositories.units.of_group(job)
                assert UnitState.LEASED not in [unit.state for unit in units], units
                late = await history.submit(client, files[:1], "extract-frames", every=1 + n / 5000)
                assert await untouched(app, late)
            finally:
                await asyncio.to_thread(worker.end)
        async with running("worker", home, **SHORT):
            for job in history.jobs:
                answer = await client.get(f"/v1/jobs/{job}", params={"wait": 60})
                assert answer.json()["state"] == "succeeded", answer.text
        assert await history.check(client, settings) == []


async def untouched(app: App, job: str) -> bool:
    """Tell whether nobody has claimed anything of a job."""
    units: tuple[Unit, ...] = await app.repositories.units.of_group(job)
    return all(unit.started is None for unit in units)


@cases("times", [(SQLITE, 1)], [(SQLITE, 30), (POSTGRESQL, 30), (DYNAMODB, 30)])
@pytest.mark.timeout(1800)
async def test_a_worker_is_drained_in_mid_work(tmp_path, place, times):
    await drain_in_turn(tmp_path, times)
