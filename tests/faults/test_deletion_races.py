"""R16: deleting, cancelling, restoring and retrying race the work; nothing comes back.

The soak runs 200 races, in about half a minute.
"""

import asyncio
import random
from dataclasses import dataclass

import httpx
import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.handlers.removing import purge
from mediamill.store.repositories.jobs import Jobs
from mediamill.store.repositories.units import Unit
from mediamill.web.app import create_app
from tests.faults import checks
from tests.faults.history import History
from tests.faults.test_poison import Misbehaving
from tests.support.places import EACH_STORE, SQLITE, cases
from tests.web.test_files import person

AT_ONCE = 5
MANY = 24
"""Inputs of three units: the third begins when one of the others has ended."""
REGULAR = ("collect", "forget")


@dataclass
class Races:
    """Jobs of one person, and what is done to each while it runs."""

    client: httpx.AsyncClient
    history: History
    chance: random.Random

    async def run(self, number: int) -> None:
        """Submit a job over a few files and disturb it at a random moment."""
        ways = (self.delete, self.cancel, self.cancel_and_delete, self.delete_and_restore,
                self.delete_inputs, self.delete_twice, self.retry_and_delete)  # fmt: skip
        way = ways[number % len(ways)]
        operation, texts = "copy", [b"good %d-%d" % (number, n) for n in range(3)]
        if way == self.delete_inputs:  # the last are opened long after they are deleted
            operation, texts = "told", [b"sleep 0.03%d%02d" % (number, n) for n in range(MANY)]
        files = [await self.history.upload(self.client, f"{n}.txt", t) for n, t in enumerate(texts)]
        job = await self.history.submit(self.client, files, operation)
        await self.pause()
        await way(job, files)

    async def pause(self) -> None:
        await asyncio.sleep(self.chance.random() * 0.15)

    async def delete(self, job: str, files: list[str]) -> None:
        await self.ask("DELETE", f"/v1/jobs/{job}?now=true", 204)
        self.history.note(deleted=job)

    async def cancel(self, job: str, files: list[str]) -> None:
        await self.ask("POST", f"/v1/jobs/{job}/cancel", 200, 202, 409)

    async def cancel_and_delete(self, job: str, files: list[str]) -> None:
        await asyncio.gather(self.cancel(job, files), self.delete(job, files))

    async def delete_and_restore(self, job: str, files: list[str]) -> None:
        """Change one's mind, at once or a little later, about a job and an input."""
        await self.ask("DELETE", f"/v1/jobs/{job}", 204)
        await self.ask("DELETE", f"/v1/files/{files[0]}", 204)
        await self.pause()
        await asyncio.gather(
            self.ask("POST", f"/v1/jobs/{job}/restore", 200),
            self.ask("POST", f"/v1/files/{files[0]}/restore", 200),
        )

    async def delete_inputs(self, job: str, files: list[str]) -> None:
        """A job accepted earlier still gets the bytes of what is deleted."""
        for file in files[-4:]:
            await self.ask("DELETE", f"/v1/files/{file}?now=true", 204)
            self.history.note(deleted=file)
        answer = await self.client.get(f"/v1/jobs/{job}", params={"wait": 30})
        assert answer.json()["counts"]["succeeded"] == MANY, answer.text

    async def delete_twice(self, job: str, files: list[str]) -> None:
        await asyncio.gather(
            self.ask("DELETE", f"/v1/jobs/{job}", 204, 404),
            self.ask("DELETE", f"/v1/jobs/{job}?now=true", 204),
            self.ask("POST", f"/v1/jobs/{job}/restore", 200, 404, 409),
        )
        await self.ask("DELETE", f"/v1/jobs/{job}?now=true", 204, 404)
        self.history.note(deleted=job)

    async def retry_and_delete(self, job: str, files: list[str]) -> None:
        await self.cancel(job, files)
        await self.client.get(f"/v1/jobs/{job}", params={"wait": 30})
        await asyncio.gather(
            self.ask("POST", f"/v1/jobs/{job}/retry", 200, 202, 404, 409),
            self.delete(job, files),
        )

    async def ask(self, method: str, path: str, *expected: int) -> None:
        answer = await self.client.request(method, path)
        assert answer.status_code in expected, f"{method} {path}: {answer.text}"


async def until_quiet(app: App) -> None:
    """Wait until nothing is left to do but what is due much later."""
    async with asyncio.timeout(90):
        while True:
            later = await app.store.now() + 60_000
            found = (unit for unit in checks.table(app, Unit) if unit.group not in REGULAR)
            if all(not unit.state.open or (unit.due or 0) > later for unit in found):
                return
            await asyncio.sleep(0.2)


async def race(tmp_path, races: int) -> list[str]:
    """Run so many races; return what is not as clients were told."""
    settings = Settings(
        home=tmp_path / "home", slots=2, lease_seconds=2, poll_seconds=0.1, min_free_bytes=0
    )
    history = History()
    async with (
        await App.open(settings, Misbehaving()) as app,
        person(app, create_app(app), "ann") as ann,
    ):
        worker = await app.worker()
        task = asyncio.create_task(worker.run())
        try:
            racing = Races(ann.client, history, random.Random(16))
            for first in range(0, races, AT_ONCE):
                some = range(first, min(first + AT_ONCE, races))
                await asyncio.gather(*(racing.run(number) for number in some))
            await until_quiet(app)
            assert len(history.deleted) >= races * 4 // 7
            return await history.check(ann.client, settings)
        finally:
            worker.stop()
            await task


@cases("races", [(SQLITE, 14)], [(place, 200) for place in EACH_STORE])
@pytest.mark.timeout(1800)
async def test_nothing_that_was_deleted_comes_back(tmp_path, monkeypatch, races):
    monkeypatch.setattr(purge, "LOOK_AGAIN_MS", 300)
    assert await race(tmp_path, races) == []


@pytest.mark.soak
async def test_what_a_purge_leaves_is_noticed(tmp_path, monkeypatch):
    """A planted fault of R16: the bytes go, the rows stay."""

    async def nothing(self, job):
        return None

    monkeypatch.setattr(purge, "LOOK_AGAIN_MS", 300)
    monkeypatch.setattr(purge.PurgeJob, "_rows", nothing)
    assert await race(tmp_path, 28) != []


@pytest.mark.soak
async def test_a_purge_that_does_not_wait_is_noticed(tmp_path, monkeypatch):
    """A planted fault of R16: inputs go while jobs that were accepted earlier need them."""

    async def nobody(self, owner, until):
        return False

    monkeypatch.setattr(Jobs, "running_of", nobody)
    with pytest.raises(AssertionError, match="succeeded"):
        await race(tmp_path, 28)
