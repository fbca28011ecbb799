"""Who would end a worker is told when it has work, while it has, and when it has none."""

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from mediamill.adapters.protection.opening import open_protection
from mediamill.core.metrics import SCALE_IN
from mediamill.core.numbers import Numbers
from mediamill.engine.sheltering import Shelter
from mediamill.engine.worker import Crew, Worker
from mediamill.store.memory import MemoryStore
from tests.engine.harness import Harness
from tests.engine.test_presence import USER, held
from tests.support.ecs_agent import agent

REFUSED = (400, b'{"error": {"Code": "ThrottlingException"}}')


@pytest.fixture
def harness():
    return Harness(MemoryStore())


@asynccontextmanager
async def working(harness, served, **times):
    """A worker that tells an agent, with what it counts."""
    protection, numbers = open_protection(f"ecs:{served.address}"), Numbers()
    given = {"seconds": 600, "linger": 0.05, "retry": 0.05, **times}
    worker = Worker(harness.engine(), Crew.of(1), shelter=Shelter(protection, numbers, **given))
    task = asyncio.create_task(worker.run())
    try:
        yield worker, numbers
    finally:
        worker.stop()
        await task
        await protection.close()


async def submitted(harness, count=1):
    return await harness.submit(USER, await harness.add_files(USER, count))


def told(numbers, outcome):
    return numbers.counts.get(SCALE_IN, {}).get((outcome,), 0)


async def test_a_worker_is_protected_while_it_has_units_and_no_longer(harness):
    begun, go = held(harness)
    async with agent() as served, working(harness, served) as (_, numbers):
        await asyncio.sleep(0.1)
        assert served.asked == [], "it has nothing to do"
        job = await submitted(harness)
        await begun.wait()
        await served.until_last(protected=True)
        go.set()
        await harness.finished(USER, job)
        await served.until_last(protected=False)
        go.clear()
        begun.clear()
        await submitted(harness)
        await begun.wait()
        await served.until_last(protected=True)
        go.set()
        await served.until_last(protected=False)
    assert all(one != other for one, other in pairwise(served.protected))
    assert told(numbers, "protected") == told(numbers, "released") == len(served.asked) / 2


async def test_between_units_it_stays_protected(harness):
    """One request for many: AWS limits them."""
    async with agent() as served, working(harness, served, linger=600):
        for _ in range(3):
            await harness.finished(USER, await submitted(harness, 2))
        assert served.protected == [True]
    assert served.protected == [True, False], "a worker that ends says so"


async def test_protection_is_renewed_while_a_unit_lasts(harness):
    begun, go = held(harness)
    async with agent() as served, working(harness, served, seconds=0.1, linger=600):
        await submitted(harness)
        await begun.wait()
        while len(served.asked) < 3:
            await served.until_more()
        assert set(served.protected) == {True}
        go.set()


@pytest.mark.parametrize("fault", ["refuses", "hangs", "is gone"])
async def test_work_goes_on_where_nobody_can_be_told(harness, fault, monkeypatch):
    monkeypatch.setattr("mediamill.adapters.protection.ecs.SECONDS", 0.1)
    monkeypatch.setattr("mediamill.engine.sheltering.LEAVING_SECONDS", 0.1)
    begun, go = held(harness)
    answer = REFUSED if fault == "refuses" else None
    with capture_logs() as logs:
        async with agent(answer, hangs=fault == "hangs") as served:
            if fault == "is gone":
                served.address = "http://127.0.0.1:9/api"
            async with working(harness, served) as (_, numbers):
                job = await submitted(harness)
                await begun.wait()
                async with asyncio.timeout(60):
                    while told(numbers, "failed") < 3:
                        await asyncio.sleep(0.01)
                go.set()
                await harness.finished(USER, job)
    assert told(numbers, "protected") == 0
    said = [line["action"] for line in logs if line["action"].startswith("protection")]
    assert said == ["protection_failed"], "once, not at each attempt"


async def test_it_is_protected_once_it_is_heard(harness):
    begun, go = held(harness)
    async with agent(REFUSED) as served, working(harness, served) as (_, numbers):
        await submitted(harness)
        await begun.wait()
        while len(served.asked) < 2:
            await served.until_more()
        served.answer = None
        async with asyncio.timeout(60):
            while not told(numbers, "protected"):
                await asyncio.sleep(0.01)
        go.set()
