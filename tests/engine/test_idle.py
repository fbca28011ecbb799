"""A worker with nothing to do asks little, and is there at once when it is rung for."""

import asyncio
from collections import Counter

from mediamill.engine.worker import NOTICES, TRANSFERS
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.jobs import JobState
from tests.engine.harness import Harness

POLL, POLLS = 0.2, 8


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
        await asyncio.sleep(POLL * POLLS)
    assert looks.keys() == {"interactive", "bulk", "model", "housekeeping", "transfer", "notices"}
    assert looks["transfer"] <= POLLS + TRANSFERS
    assert all(0 < count <= POLLS + max(TRANSFERS, NOTICES) for count in looks.values()), looks


async def test_a_ring_is_followed_by_a_look_though_another_just_looked():
    harness = Harness(MemoryStore())
    harness.timing.poll = 60.0
    files = await harness.add_files("user_alice", 2)
    async with harness.worker():
        await asyncio.sleep(0.1)
        for _ in range(3):
            job = await harness.submit("user_alice", files)
            ended = await harness.finished("user_alice", job)
            assert ended.state is JobState.SUCCEEDED
