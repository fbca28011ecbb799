"""R10: a worker's clock is wrong by a quarter of an hour, and jumps while leases are held.

Nobody takes work from a worker that is alive: no unit is claimed twice. The soak jumps 60 times in
about two minutes.
"""

import asyncio
import random

import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from tests.faults.history import History
from tests.media_factory import clip
from tests.support.places import EACH_STORE, POSTGRESQL, cases
from tests.support.processes import Process, running, signed_in

LEASE = {"lease_seconds": 6, "poll_seconds": 0.1, "slots": 1, "min_free_bytes": 0}
QUARTER = 900


class WrongClock(Process):
    """A worker with a clock of its own."""

    def __init__(self, home, seconds, *planted):
        super().__init__("worker", home, **LEASE)
        self.clock = home.parent / f"clock-{id(self)}"
        self.program = (*planted, "tests.faults.wrong_clock", str(self.clock))
        self.set(seconds)

    def set(self, seconds):
        new = self.clock.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self.clock)


async def jump(tmp_path, jumps: int, *planted: str) -> list[tuple]:
    """Let the clocks of three workers jump while one has work; list what was taken from it.

    The work takes a second or more: ten looks of the others, by whose clocks the lease is over.
    """
    home, history, chance = tmp_path / "home", History(), random.Random(10)
    settings = Settings(home=home, min_free_bytes=0)
    async with (
        running("api", home, **LEASE) as api,
        signed_in(api) as client,
        await App.open(settings) as app,
    ):
        video = clip(tmp_path / "clip.mp4", seconds=6).read_bytes()
        file = await history.upload(client, "clip.mp4", video)
        workers = [WrongClock(home, seconds, *planted) for seconds in (0, QUARTER, -QUARTER)]
        for worker in workers:
            worker.start()
        try:
            jumped = tried = 0
            while jumped < jumps:
                tried += 1
                assert tried <= 2 * jumps + 5
                for worker in workers:
                    worker.set(0)
                every = 0.04 + tried / 1000
                job = await history.submit(client, [file], "extract-frames", every=every)
                if (mine := await holder(app, job, workers)) is None:
                    continue
                jumped += 1
                for worker in workers:  # by their clocks this lease is long over
                    worker.set(QUARTER if worker is not mine else chance.choice((0, -QUARTER)))
                answer = await client.get(f"/v1/jobs/{job}", params={"wait": 60}, timeout=70)
                assert answer.json()["state"] == "succeeded", answer.text
        finally:
            for worker in workers:
                await asyncio.to_thread(worker.end)
        if not planted:
            assert await history.check(client, settings) == []
        return await stolen(app, history.jobs)


@cases("jumps", [(POSTGRESQL, 1)], [(place, 60) for place in EACH_STORE])
@pytest.mark.timeout(900)
async def test_a_wrong_clock_takes_no_work_from_others(tmp_path, jumps):
    assert await jump(tmp_path, jumps) == []


@pytest.mark.soak
@pytest.mark.places(*EACH_STORE)
@pytest.mark.timeout(600)
async def test_leases_by_everybodys_own_clock_are_noticed(tmp_path):
    """The planted fault of R10."""
    assert await jump(tmp_path, 3, "tests.faults.planted", "own clock") != []


async def holder(app, job, workers):
    """Wait until a worker has the job's unit; return the worker, or None: it has ended already."""
    async with asyncio.timeout(60):
        while (unit := await app.repositories.units.get(job, 0)).state != "leased":
            if not unit.state.open:
                return None
            await asyncio.sleep(0.01)
    return next(worker for worker in workers if f"-{worker.child.pid}-" in unit.holder)


async def stolen(app, jobs):
    """List the units that were claimed while somebody had them."""
    return [
        (unit.name, unit.lost, unit.fence)
        for job in jobs
        async for unit in app.repositories.units.walk_group(job)
        if unit.lost or unit.fence != 1
    ]
