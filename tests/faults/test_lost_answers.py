"""Commits whose answers are lost: nobody knows whether they were made; they are not made twice.

A fifth of all answers of the store is lost, for the API and the worker alike. Whoever asks is told
to come back, and asks again with the same key. The soak does ten times as much.
"""

import asyncio
import random

import pytest

from mediamill.app import App
from mediamill.core.errors import Unavailable
from mediamill.core.settings import Settings
from mediamill.store.port import Store
from mediamill.web.app import create_app
from tests.faults.history import History
from tests.faults.test_deletion_races import until_quiet
from tests.faults.test_poison import Misbehaving
from tests.faults.test_restarted_database import Load
from tests.support.places import EACH_STORE, POSTGRESQL, SQLITE, cases
from tests.web.test_files import person

PART = 0.2


class Losing:
    """Loses a part of the answers of a store's commits, until told otherwise."""

    def __init__(self, store: Store, *, again: bool = False) -> None:
        self.part, self.lost, self.again = PART, 0, again
        self._real, self._chance = store.transact, random.Random(20)
        store.transact = self.transact

    async def transact(self, *actions) -> None:
        await self._real(*actions)
        if self._chance.random() < self.part:
            self.lost += 1
            if not self.again:
                raise Unavailable("The answer is lost.")
            await self._real(*actions)  # planted: as if nothing had been written


async def lose(folder, jobs: int, *, again: bool = False) -> list[str]:
    """Run so many jobs while answers are lost; return what is not as clients were told."""
    settings = Settings(
        home=folder / "home", slots=2, lease_seconds=1, poll_seconds=0.1, min_free_bytes=0
    )
    history = History()
    async with (
        await App.open(settings, Misbehaving()) as app,
        person(app, create_app(app), "ann") as ann,
    ):
        worker = await app.worker()
        task = asyncio.create_task(worker.run())
        try:
            losing, load = Losing(app.store, again=again), Load(ann.client, history)
            for n in range(jobs):
                files = [await load.upload(b"good %d-%d" % (n, m)) for m in range(3)]
                await load.submit(files, "copy")
            for job in history.jobs:
                await load.ask("GET", f"/v1/jobs/{job}", params={"wait": 30})
            losing.part = 0
            await until_quiet(app)
            assert losing.lost >= jobs
            assert set(load.told) <= {200, 201, 202, 503}
            return await history.check(ann.client, settings)
        finally:
            worker.stop()
            await task


@cases("jobs", [(SQLITE, 3), (POSTGRESQL, 2)], [(place, 40) for place in EACH_STORE])
@pytest.mark.timeout(900)
async def test_what_may_have_been_written_is_not_written_again(tmp_path, jobs):
    assert await lose(tmp_path, jobs) == []


@pytest.mark.soak
async def test_a_commit_that_is_made_twice_is_noticed(tmp_path):
    """The planted fault: what may have been written is written again."""
    with pytest.raises(AssertionError):
        assert await lose(tmp_path, 4, again=True) == []
