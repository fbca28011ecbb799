"""R10: a worker's clock is wrong by a quarter of an hour, and jumps while leases are held.

Nobody takes work from a worker that is alive: no unit is claimed twice. The soak jumps 60 times in
about three minutes.
"""

import asyncio
import random

import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from tests.faults.history import History
from tests.media_factory import clip
from tests.support.processes import Process, running, signed_in

LEASE = {"lease_seconds": 6, "poll_seconds": 0.1, "slots": 1, "min_free_bytes": 0}
QUARTER = 900


class WrongClock(Process):
    """A worker with a clock of its own."""

    def __init__(self, home, seconds):
        super().__init__("worker", home, **LEASE)
        self.clock = home.parent / f"clock-{id(self)}"
        self.program = ("tests.faults.wrong_clock", str(self.clock))
        self.set(seconds)

    def set(self, seconds):
        new = self.clock.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self.clock)


@pytest.mark.parametrize("jumps", [3, pytest.param(60, marks=pytest.mark.soak)])
@pytest.mark.timeout(900)
async def test_a_wrong_clock_takes_no_work_from_others(tmp_path, jumps):
    home, history, chance = tmp_path / "home", History(), random.Random(10)
    settings = Settings(home=home, min_free_bytes=0)
    async with running("api", home, **LEASE) as api, signed_in(api) as client:
        video = clip(tmp_path / "clip.mp4", seconds=10).read_bytes()
        files = [await history.upload(client, f"{n}.mp4", video) for n in range(2)]
        workers = [WrongClock(home, seconds) for seconds in (0, QUARTER, -QUARTER)]
        for worker in workers:
            worker.start()
        try:
            for n in range(jumps):  # two units for three workers: one is idle and looks for work
                job = await history.submit(client, files, "extract-frames", every=0.04 + n / 1000)
                await asyncio.sleep(0.2 + chance.random() / 2)
                workers[n % 3].set(chance.choice((-QUARTER, 0, QUARTER)))
                answer = await client.get(f"/v1/jobs/{job}", params={"wait": 60}, timeout=70)
                assert answer.json()["state"] == "succeeded", answer.text
        finally:
            for worker in workers:
                await asyncio.to_thread(worker.end)
        assert await stolen(settings, history.jobs) == []
        assert await history.check(client, settings) == []


async def stolen(settings, jobs):
    """List the units that were claimed while somebody had them."""
    async with await App.open(settings) as app:
        return [
            (unit.name, unit.lost, unit.fence)
            for job in jobs
            async for unit in app.repositories.units.walk_group(job)
            if unit.lost or unit.fence != 1
        ]
