"""A worker with nothing to do asks little, and is there at once when it is rung for."""

import asyncio
import time
from collections import Counter

from mediamill.engine.sweeping import CLASSES
from mediamill.engine.worker import NOTICES
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.jobs import JobState
from mediamill.store.repositories.units import Unit
from tests.engine.harness import Harness

POLL, POLLS = 0.2, 8


async def settled() -> None:
    """Let everybody do what he can do without waiting: nothing here waits for a thread."""
    for _ in range(500):
        await asyncio.sleep(0)


async def test_the_runners_of_a_worker_share_their_looks():
    harness = Harness(MemoryStore())
    harness.timing.poll = POLL
    async with harness.worker() as worker:
        scheduler, looks = worker.engine.scheduler, Counter[str]()
        claim = scheduler.claim_next

        async def counted(klasses, holder):
            looks.update(klasses)
            return await claim(klasses, holder)

        scheduler.claim_next = counted
        async with asyncio.timeout(60):
            began, polls = time.monotonic(), 0.0
            while polls < POLLS or looks.keys() != set(CLASSES):
                await asyncio.sleep(POLL)
                polls = (time.monotonic() - began) / POLL
    assert looks.keys() == set(CLASSES)
    assert all(count <= polls + 4 for count in looks.values()), looks


async def test_of_those_who_only_wait_one_looks_when_it_is_rung():
    harness = Harness(MemoryStore())
    harness.timing.poll = 60.0
    async with harness.worker() as worker:
        await settled()  # all have looked once
        scheduler, looks = worker.engine.scheduler, Counter[str]()
        claim = scheduler.claim_next

        async def counted(klasses, holder):
            looks.update(klasses)
            return await claim(klasses, holder)

        scheduler.claim_next = counted
        for _ in range(5):
            await harness.bell.ring("work:notices")
            await settled()
    assert looks == {"notices": 5}, "each of its runners looked"


async def test_work_that_comes_while_others_are_at_work_is_begun():
    """As many at a time as there are runners, though one looks for all."""
    harness, over = Harness(MemoryStore()), asyncio.Event()
    harness.timing.poll = 60.0
    begun = Counter[str]()

    class Hanging:
        async def run(self, lease):
            begun[lease.unit.owner] += 1
            await over.wait()
            await lease.vanish()

    engine = harness.engine()
    engine.handlers = {**engine.handlers, "hanging": Hanging()}
    harness.engine = lambda: engine
    async with harness.worker(), asyncio.timeout(60):
        await settled()
        for n in range(NOTICES + 3):
            unit = Unit.notice("hanging", f"{n}", 0, f"user_{n}", now=await harness.store.now())
            await harness.units.insert([unit])
            await harness.bell.ring("work:notices")
        while begun.total() < NOTICES:
            await asyncio.sleep(0.01)
        over.set()
        while begun.total() < NOTICES + 3:
            await asyncio.sleep(0.01)


async def test_a_ring_is_followed_by_a_look_though_another_just_looked():
    harness = Harness(MemoryStore())
    harness.timing.poll = 60.0
    files = await harness.add_files("user_alice", 2)
    async with harness.worker():
        await settled()
        for _ in range(3):
            job = await harness.submit("user_alice", files)
            ended = await harness.finished("user_alice", job)
            assert ended.state is JobState.SUCCEEDED
