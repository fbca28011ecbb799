"""R19: an item that ends its slot every time, among good ones; the worker's whole way.

The soak has 89 good ones about each, in about a minute.
"""

import asyncio

import pytest

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.settings import Settings
from mediamill.handlers.items.items import UnitRun
from mediamill.operations.base import Operation
from mediamill.operations.catalogue import Catalogue
from mediamill.services.jobs.requests import JobRequest
from mediamill.store.repositories.jobs import JobState
from tests.support import operations

OWNER = Principal("user_a")


class Misbehaving(Catalogue):
    """The test operations under their own names."""

    builder = "tests.support.operations:build"

    def get(self, name: str) -> type[Operation]:
        return operations.OPERATIONS.get(name) or super().get(name)


@pytest.fixture
def patience() -> int:
    """The seconds that one item may take."""
    return 10


@pytest.fixture
async def app(tmp_path, patience):
    settings = Settings(
        home=tmp_path,
        slots=2,
        slot_memory_mb=1000,
        slot_timeout_seconds=patience,
    )
    async with await App.open(settings, Misbehaving()) as app:
        worker = await app.worker()
        task = asyncio.create_task(worker.run())
        yield app
        worker.stop()
        await task


async def run(app: App, texts: list[str]):
    async def once(text: str):
        yield text.encode()

    files = [
        (await app.uploads.receive(OWNER, f"{n}.txt", once(text), None)).id
        for n, text in enumerate(texts)
    ]
    job = await app.jobs.submit(OWNER, JobRequest(tuple(files), (("told", {}),)))
    return await app.jobs.wait(OWNER, job.id, 60)


@pytest.mark.parametrize(
    ("poison", "code", "patience"),
    [
        ("segfault", "slot_failed", 10),
        ("native_hog", "out_of_memory", 10),
        ("die", "slot_failed", 10),
        ("loop", "timed_out", 2),
        ("hog", "out_of_memory", 10),
        ("broken", "broken_media", 10),
        ("bug", "internal", 10),
    ],
)
@pytest.mark.parametrize("items", [30, pytest.param(90, marks=pytest.mark.soak)])
async def test_the_poisoned_item_fails_and_its_neighbours_succeed(app, poison, code, items):
    await poisoned(app, poison, code, items)


async def poisoned(app: App, poison: str, code: str, items: int) -> None:
    """Run a job with one bad item; assert that it fails alone, for this reason."""
    texts = [f"good {n}" for n in range(items)]
    texts[11] = poison
    job = await run(app, texts)
    assert job.state is JobState.PARTIAL
    assert (job.counts.succeeded, job.counts.failed) == (items - 1, 1)
    page = await app.items.list(OWNER, job.id, "failed", None, 10)
    (item,) = page.rows
    assert item.result is not None
    assert (item.index, item.result.code) == (11, code)
    assert item.result.error
    rest = await app.jobs.outcomes(OWNER, job.id, None, 100)
    answers = [row.data["answer"] for row in rest.rows if row.data]
    assert answers == [str(n) for n in range(items) if n != 11]


@pytest.mark.soak
async def test_a_crash_that_is_charged_to_a_neighbour_is_noticed(app, monkeypatch):
    """The planted fault of R19."""
    strike, inputs, all_works, charged = UnitRun._strike, UnitRun._inputs, {}, []

    async def kept(self, flush):
        works = await inputs(self, flush)
        all_works.update({work.item: work for work in works})
        return works

    async def wrong(self, work, failure, flush, settled):
        if len(charged) < 3:
            work = all_works[work.item + 1]
            charged.append(work.item)
        await strike(self, work, failure, flush, settled)

    monkeypatch.setattr(UnitRun, "_inputs", kept)
    monkeypatch.setattr(UnitRun, "_strike", wrong)
    with pytest.raises(AssertionError):
        await poisoned(app, "die", "slot_failed", 30)
    assert charged == [12, 12, 12]
