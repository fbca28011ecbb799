"""A whole `App` with the operations of `tests.support.chains`, and a worker beside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.settings import Settings
from mediamill.services.jobs.requests import JobRequest
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.results import Result
from tests.support.chains import CHAINED, TELLS

ANN, BOB = Principal("user_ann"), Principal("user_bob")


@dataclass
class Beside:
    """A worker that can be stopped for a while."""

    app: App

    async def resume(self) -> None:
        self.worker = await self.app.worker()
        self.task = asyncio.create_task(self.worker.run())

    async def pause(self) -> None:
        self.worker.stop()
        await self.task


@dataclass
class Works:
    """Short ways to upload, run and look."""

    app: App
    worker: "Beside | None" = None

    async def upload(self, name: str, data: bytes, who: Principal = ANN) -> str:
        async def once():
            yield data

        return (await self.app.uploads.receive(who, name, once(), None)).id

    async def submit(
        self, files: list[str], *steps: str | tuple, who: Principal = ANN, **more
    ) -> Job:
        chosen = tuple(step if isinstance(step, tuple) else (step, {}) for step in steps)
        request = JobRequest(files=tuple(files), steps=chosen, **more)
        return await self.app.jobs.submit(who, request)

    async def run(self, files: list[str], *steps: str | tuple, who: Principal = ANN, **more) -> Job:
        return await self.ended(await self.submit(files, *steps, who=who, **more), who)

    async def ended(self, job: Job, who: Principal = ANN) -> Job:
        job = await self.app.jobs.wait(who, job.id, 60)
        assert job.state.terminal, job
        return job

    async def rows(self, job: Job, stage: int | None = None) -> list[Result]:
        walk = self.app.repositories.results.walk_stage
        return [row async for row in walk(job.id, job.stage if stage is None else stage)]

    async def file(self, row: Result, n: int = 0) -> File:
        found = await self.app.repositories.lookup.get(row.file_id(n))
        assert found is not None
        return found

    async def bytes(self, row: Result, n: int = 0) -> bytes:
        return await self.app.results.get(row.files[n].blob)


BOTH = pytest.mark.parametrize("works", ["file", "memory"], indirect=True)


@asynccontextmanager
async def working(home: Path, **more: str | float) -> AsyncIterator[Works]:
    """Open an application with a worker beside, for the length of the block."""
    more = {"prompt_chain": TELLS} | more
    settings = Settings(home=home, slots=1, min_free_bytes=0, poll_seconds=0.2, **more)
    async with await App.open(settings, CHAINED) as app:
        beside = Beside(app)
        await beside.resume()
        yield Works(app, beside)
        await beside.pause()


@pytest.fixture
async def works(tmp_path, request):
    """Local blobs and SQLite; both in memory where a test asks for `BOTH`."""
    memory = getattr(request, "param", "file") == "memory"
    more = {"blobs_url": "memory:", "store_url": "memory:"} if memory else {}
    async with working(tmp_path / "home", **more) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    """The same for all tests of a module, which is `pytest.mark.asyncio(loop_scope="module")`."""
    async with working(tmp_path_factory.mktemp("shared") / "home") as found:
        yield found
