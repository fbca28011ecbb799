"""Several workers, one PostgreSQL, one folder that each sees over a network file system of its own.

Workers are killed, and mounts break under them. Each mount believes for five seconds what it knows,
so what one worker has just written, another may not see. The soak does 201 items with 20 kills and
20 broken mounts in about 2 minutes.
"""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from mediamill.core.settings import Settings
from tests.faults.history import History
from tests.faults.test_killed_workers import all_ended, load
from tests.support.places import Place
from tests.support.processes import Process, running, signed_in
from tests.support.shared import Mount, mounts

SHORT = {"lease_seconds": 2, "poll_seconds": 0.2, "slots": 1, "min_free_bytes": 0}


def blobs(folder: Path) -> dict[str, str]:
    return {"blobs_url": f"file://{folder}/blobs"}


class Worker(Process):
    """A worker with a home and a mount of its own."""

    fresh = True  # what a broken mount does to a whole process is what this is about

    def __init__(self, folder: Path, number: int, mount: Mount) -> None:
        place = folder / f"machine-{number}"
        place.mkdir()
        super().__init__("worker", place / "home", **SHORT, **blobs(mount.place))
        self.mount = mount

    async def begun(self) -> None:
        """Wait until it works; fails with its log when it does not."""
        async with asyncio.timeout(60):
            while '"action": "started"' not in self.log():
                assert self.child is not None
                assert self.child.poll() is None, self.log()[-3000:]
                await asyncio.sleep(0.05)


async def hurt(workers: list[Worker], chance: random.Random) -> None:
    """Kill a worker, and let the mount of another break for a while."""
    killed, cut = chance.sample(workers, 2)
    await asyncio.sleep(chance.random())
    await asyncio.to_thread(killed.end, signal.SIGKILL)
    await asyncio.to_thread(cut.mount.cut)
    await asyncio.sleep(chance.random() * 2)
    killed.start()
    await asyncio.to_thread(cut.mount.up)


@pytest.mark.places(Place("postgresql"))
@pytest.mark.parametrize(
    ("many", "jobs", "times"), [(2, 4, 1), pytest.param(3, 67, 20, marks=pytest.mark.soak)]
)
@pytest.mark.timeout(1800)
async def test_a_shared_folder_serves_several_workers(tmp_path, place, many, jobs, times):
    history, chance = History(), random.Random(3)
    with mounts(tmp_path, 1 + many) as (first, *others):
        workers = [Worker(tmp_path, n, mount) for n, mount in enumerate(others)]
        async with (
            running("api", tmp_path / "home", **SHORT, **blobs(first.place)) as api,
            signed_in(api) as client,
        ):
            try:
                for worker in workers:
                    worker.start()
                await load(client, history, tmp_path, jobs)
                for worker in workers:
                    await worker.begun()
                for _ in range(times):
                    await hurt(workers, chance)
                await all_ended(client, history, 300)
            finally:
                for worker in workers:
                    await asyncio.to_thread(worker.end)
            there = Settings(home=tmp_path / "home", min_free_bytes=0, **blobs(first.folder))
            assert await history.check(client, there) == []
