"""R14, the part that exists: each outcome is announced once, whoever dies or sleeps at the end.

There is no mail yet, so a handler of the test mails what is announced, by SMTP to a server that is
down for ten minutes: three seconds, by a clock of the store that runs 200 times as fast.
"""

import asyncio
import smtplib
import time

import pytest

from mediamill.core.access import Principal
from mediamill.core.clock import MINUTE
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.retry import RetryPolicy
from mediamill.engine.scheduler import Scheduler
from mediamill.handlers.notify import Notify
from mediamill.store.opening import open_store
from mediamill.store.repositories.jobs import JobState
from mediamill.store.repositories.results import ItemOutcome
from mediamill.store.repositories.units import UnitState
from tests.engine.harness import Harness
from tests.support.smtp import MailServer
from tests.web.conftest import plain_log

__all__ = ["plain_log"]  # a fixture

ALICE = Principal("user_alice")


@pytest.fixture(params=["memory", "sqlite"])
async def harness(request, tmp_path):
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/test.db"
    store = await open_store(url)
    yield Harness(store)
    await store.close()


async def claim(harness, kind, lease_ms):
    """Claim the next unit, which is of this kind."""
    unit = await Scheduler(harness.store, lease_ms).claim_next(["interactive"], "by hand")
    assert unit is not None
    assert unit.kind == kind
    return Lease(harness.units, harness.jobs, unit, lease_ms)


async def announced(harness, job):
    return [(u.seq, u.state) async for u in harness.units.walk_group(f"{job.id}:notify")]


async def test_whoever_ends_a_job_late_announces_nothing(harness):
    """One fell asleep while it ended the job, another ended it; then the first wakes."""
    engine = harness.engine()
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 3))
    await engine.handlers["items"].run(await claim(harness, "items", 60_000))
    await engine.rollup.advance(job.id)
    sleepy = await claim(harness, "seal", 1)
    await asyncio.sleep(0.01)
    prompt = await claim(harness, "seal", 60_000)
    await engine.handlers["seal"].run(prompt)
    revision = (await harness.jobs.need(job.id)).revision
    with pytest.raises(LeaseLost):
        await engine.handlers["seal"].run(sleepy)
    assert await announced(harness, job) == [(1, UnitState.READY)]
    ended = await harness.jobs.need(job.id)
    assert (ended.state, ended.revision) == (JobState.SUCCEEDED, revision)
    assert not await engine.rollup.advance(job.id)
    notify = await claim(harness, "notify", 60_000)
    await engine.handlers["notify"].run(notify)
    assert await announced(harness, job) == [(1, UnitState.DONE)]


async def test_each_generation_is_announced_once(harness):
    async def settle(lease, item):
        last = lease.unit.payload["generation"] == 3
        return ItemOutcome.SUCCEEDED if last else ItemOutcome.FAILED

    harness.items.settle = settle
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 3))
    told = []
    engine = harness.engine()
    notify = engine.handlers["notify"].run

    async def counted(lease):
        told.append(lease.unit.seq)
        await notify(lease)

    engine.handlers["notify"].run = counted
    harness.engine = lambda: engine
    async with harness.worker(), harness.worker():
        await harness.finished("user_alice", job)
        for _ in range(2):
            await harness.service.retry(ALICE, job.id)
            await harness.finished("user_alice", job)
        async with asyncio.timeout(10):
            while [state for _, state in await announced(harness, job)] != [UnitState.DONE] * 3:
                await asyncio.sleep(0.02)
    assert told == [1, 2, 3]
    assert [seq for seq, _ in await announced(harness, job)] == [1, 2, 3]


class FastClock:
    """The machine's clock, but faster."""

    times = 200

    def __init__(self):
        self.begun = time.monotonic()

    def now(self):
        return 1_750_000_000_000 + int((time.monotonic() - self.begun) * 1000 * self.times)


class Mailing(Notify):
    """Mails each outcome, then does what is done anyway."""

    server: MailServer

    async def run(self, lease):
        await asyncio.to_thread(self.send, lease.unit.name)
        await super().run(lease)

    def send(self, subject):
        with smtplib.SMTP("127.0.0.1", self.server.port, timeout=5) as connection:
            message = f"Subject: {subject}\r\n\r\nYour job has ended.\r\n"
            connection.sendmail("mill@example.org", ["ann@example.org"], message)


@pytest.fixture
async def mailing(tmp_path, plain_log):
    """A harness whose outcomes are mailed, to a server that is down."""
    store = await open_store(f"sqlite:///{tmp_path}/test.db", clock=FastClock())
    harness, server = Harness(store, lease=3600), MailServer()
    await server.up()
    await server.down()
    engine = harness.engine()
    handler = Mailing(harness.jobs, harness.bell)
    handler.server = server
    engine.handlers = {**engine.handlers, "notify": handler}
    engine.policy = RetryPolicy(attempts=100)  # of its usual 12 the last is made after 5 minutes
    harness.engine = lambda: engine
    yield harness, server
    if server.listening:
        await server.down()
    await store.close()


async def timed(harness, count):
    """Run so many jobs, one after the other; return them and their median time in seconds."""
    jobs, took = [], []
    for _ in range(count):
        begun = time.monotonic()
        job = await harness.submit("user_alice", await harness.add_files("user_alice", 2))
        await harness.finished("user_alice", job, 20 * FastClock.times)
        took.append(time.monotonic() - begun)
        jobs.append(job)
    return jobs, sorted(took)[count // 2]


async def test_a_mail_server_that_is_down_for_ten_minutes(mailing):
    harness, server = mailing
    until = await harness.store.now() + 10 * MINUTE
    async with harness.worker(), harness.worker():
        jobs, meanwhile = await timed(harness, 10)
        while await harness.store.now() < until:
            await asyncio.sleep(0.05)
        more, later = await timed(harness, 3)
        jobs += more
        for job in jobs:
            assert [state.open for _, state in await announced(harness, job)] == [True]
        await server.up()
        async with asyncio.timeout(20):
            for job in jobs:
                while await announced(harness, job) != [(1, UnitState.DONE)]:
                    await asyncio.sleep(0.02)
        more, usually = await timed(harness, 10)
        async with asyncio.timeout(20):
            while len(server.received) < len(jobs + more):
                await asyncio.sleep(0.02)
    assert sorted(server.received) == sorted(f"{job.id}:notify/1" for job in jobs + more)
    print(f"a job takes {meanwhile:.3f} s and {later:.3f} s without mail, {usually:.3f} s with it")
    assert max(meanwhile, later) <= 3 * usually + 0.1


async def test_an_announcement_that_is_given_up_is_noticed(mailing):
    """The planted fault of R14: whoever cannot be reached at once is never told."""
    harness, server = mailing
    harness.engine().policy = RetryPolicy(attempts=2)
    until = await harness.store.now() + MINUTE
    async with harness.worker():
        jobs, _ = await timed(harness, 1)
        while await harness.store.now() < until:
            await asyncio.sleep(0.05)
        assert await announced(harness, jobs[0]) == [(1, UnitState.DONE)]
    assert server.received == []
