"""R14: the mail server is down for ten minutes; jobs go on, and each mail is sent once afterwards.

The ten minutes are two seconds, by a clock of the store that runs 300 times as fast.
"""

import asyncio
import time
from contextlib import suppress

import pytest

from mediamill.adapters.mail import smtp
from mediamill.adapters.mail.opening import open_post
from mediamill.core.access import Principal
from mediamill.core.clock import DAY, HOUR, MINUTE
from mediamill.core.errors import DeliveryRefused, Unavailable
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.pausing import Pause
from mediamill.engine.retry import RetryPolicy
from mediamill.engine.scheduler import Scheduler
from mediamill.handlers.telling.mail import AT_ONCE
from mediamill.store.memory import MemoryStore
from mediamill.store.opening import open_store
from mediamill.store.port import Update
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.results import ItemOutcome
from mediamill.store.repositories.units import Unit, UnitState
from mediamill.store.repositories.users import User
from tests.engine.harness import Harness
from tests.support.smtp import MailServer
from tests.web.conftest import plain_log

__all__ = ["plain_log"]  # a fixture

ALICE = Principal("user_alice")


class FastClock:
    """The machine's clock, but faster."""

    times = 300

    def __init__(self):
        self.begun = time.monotonic()

    def now(self):
        return 1_750_000_000_000 + int((time.monotonic() - self.begun) * 1000 * self.times)


@pytest.fixture
async def mailing(tmp_path, plain_log, monkeypatch):
    """A harness whose outcomes are mailed, and the server."""
    monkeypatch.setattr(smtp, "STEP_SECONDS", 0.25)
    store = await open_store(f"sqlite:///{tmp_path}/test.db", clock=FastClock())
    harness, server = Harness(store, lease=3600), await MailServer().up()
    post = await open_post(f"smtp://127.0.0.1:{server.port}?from=mill@example.org")
    harness.mails(post, Pause(shortest=0.02, longest=0.4, trial=0.3))  # as fast as the clock
    await harness.add_user("alice")
    yield harness, server
    await server.down()
    await store.close()


async def mails(harness, jobs):
    """Return the units of the jobs' mails."""
    return [unit for job in jobs async for unit in harness.units.walk_group(f"{job.id}:mail")]


async def all_told(harness, jobs, seconds=30):
    async with asyncio.timeout(seconds):
        while True:
            units = await mails(harness, jobs)
            if len(units) == len(jobs) and not any(unit.state.open for unit in units):
                return units
            await asyncio.sleep(0.02)


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


async def refusing(server):
    await server.down()


async def hanging(server):
    await server.down()
    server.hanging = True
    await server.up()


async def greylisting(server):
    server.to["alice@example.org"] = "450 4.2.0 greylisted, come again"


async def closing(server):
    server.data = "421 4.3.2 shutting down"


async def mended(server):
    server.to.clear()
    server.data = ""
    if server.hanging or not server.listening:
        await server.down()
        server.hanging = False
        await server.up()


async def hurried(harness, server, fails, most):
    """Be away for ten minutes; return how long jobs took then, and afterwards."""
    await fails(server)
    until = await harness.store.now() + 10 * MINUTE
    async with harness.worker(), harness.worker():
        jobs, meanwhile = await timed(harness, most)
        while await harness.store.now() < until or not any(
            unit.error for unit in await mails(harness, jobs)
        ):
            await asyncio.sleep(0.05)
        more, _ = await timed(harness, 2)
        jobs += more
        waiting = await mails(harness, jobs)
        assert all(unit.state.open for unit in waiting)
        assert server.received == []
        connections = server.connections
        await mended(server)
        told = await all_told(harness, jobs)
        more, usually = await timed(harness, most)
        told += await all_told(harness, more)
        jobs += more
    assert [unit.error for unit in told] == [""] * len(jobs)
    assert {taken.id for taken in server.received} == {f"<{j.id}.1@example.org>" for j in jobs}
    assert len(server.received) == len(jobs)
    print(f"{fails.__name__}: a job takes {meanwhile:.3f} s without mail, {usually:.3f} s with it; "
          f"{connections} connections meanwhile")  # fmt: skip
    return meanwhile, usually


@pytest.mark.parametrize(
    "fails",
    [hanging, *(pytest.param(how, marks=pytest.mark.soak)
                for how in (refusing, greylisting, closing))],
)  # fmt: skip
async def test_a_mail_server_that_is_away_for_ten_minutes(mailing, fails):
    await hurried(*mailing, fails, 4)


@pytest.mark.soak
@pytest.mark.parametrize("fails", [refusing, hanging])
async def test_jobs_take_no_longer_meanwhile(mailing, fails):
    meanwhile, usually = await hurried(*mailing, fails, 30)
    assert meanwhile <= 2 * usually + 0.05


async def test_who_gives_up_too_soon_is_noticed(mailing):
    """The planted fault of R14: a policy that tries for moments."""
    harness, server = mailing
    harness.mail.policy = RetryPolicy(attempts=2)
    await refusing(server)
    async with harness.worker():
        jobs, _ = await timed(harness, 1)
        await all_told(harness, jobs)
    await mended(server)
    (unit,) = await mails(harness, jobs)
    assert unit.error
    assert server.received == []


async def test_what_waits_beside_mails_does_not_wait_for_them(mailing):
    """A server that hangs keeps a few connections busy, not every runner again and again."""
    harness, server = mailing
    harness.mail.pause = Pause()
    await hanging(server)
    told = asyncio.Event()

    class Other:
        async def run(self, lease):
            await lease.finish()
            told.set()

    engine = harness.engine()
    engine.handlers = {**engine.handlers, "publish": Other()}
    harness.engine = lambda: engine
    files = await harness.add_files("user_alice", 1)
    jobs = [await harness.submit("user_alice", files) for _ in range(20)]
    async with harness.worker():
        async with asyncio.timeout(60):
            while len(waiting := await mails(harness, jobs)) < len(jobs):
                await asyncio.sleep(0.05)
        now = await harness.store.now()
        await harness.units.insert([Unit.notice("publish", "p", 0, "user_alice", now=now)])
        async with asyncio.timeout(60):
            await told.wait()
        assert all(unit.state.open for unit in waiting)
        assert server.connections <= 8
        assert server.received == []


async def claim(harness, lease_ms, klass="notices"):
    unit = await Scheduler(harness.store, lease_ms).claim_next([klass], "by hand")
    assert unit is not None
    return Lease(harness.units, harness.jobs, unit, lease_ms)


async def fanned_out(harness, **more):
    """Run a job to where its mail is to be sent."""
    engine = harness.engine()
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 1), **more)
    for klass, kind in (("interactive", "items"), ("interactive", "seal"), ("notices", "notify")):
        lease = await claim(harness, HOUR, klass)
        assert lease.unit.kind == kind
        await engine.handlers[kind].run(lease)
        await engine.rollup.advance(job.id)
    return job


@pytest.mark.parametrize("who", ["disabled", "refusing", "nowhere", "willing"])
async def test_to_whom_none_goes_none_is_begun(mailing, who):
    harness, _ = mailing
    changes = {"disabled": {"disabled": True}, "nowhere": {"email": "admin@localhost"}}.get(who, {})
    await harness.store.transact(Update(User, ("user_alice",), set={"name": "Alice", **changes}))
    if who == "refusing":
        await harness.store.transact(await harness.mailed.refuse("Alice@Example.org"))
    job = await fanned_out(harness, mail=True)
    assert len(await mails(harness, [job])) == (1 if who == "willing" else 0)


@pytest.mark.parametrize("gone", ["user", "job", "reader"])
async def test_who_is_gone_by_then_gets_none(mailing, gone):
    harness, server = mailing
    job = await fanned_out(harness)
    user = Update(User, ("user_alice",), set={"disabled": True})
    hidden = Update(Job, (job.id,), set={"deleted": 1, "listed": None})
    reader = await harness.mailed.refuse("alice@example.org")
    await harness.store.transact({"user": user, "job": hidden, "reader": reader}[gone])
    await harness.mail.run(await claim(harness, HOUR))
    (unit,) = await mails(harness, [job])
    assert unit.state is UnitState.DONE
    assert {"user": "not active", "job": "deleted", "reader": "wants no"}[gone] in unit.error
    assert server.received == []


async def test_who_dies_before_or_after_the_server_took_a_mail(mailing):
    """Nobody can tell whether it was taken: the repeat says that it is one."""
    harness, server = mailing
    job = await fanned_out(harness)
    took, forever = asyncio.Event(), asyncio.Event()

    async def taken():
        took.set()
        await forever.wait()

    server.taken = taken
    dying = asyncio.create_task(harness.mail.run(await claim(harness, 1)))
    await took.wait()
    dying.cancel()  # SIGKILL: nothing is given back, the lease runs out
    await asyncio.gather(dying, return_exceptions=True)
    forever.set()
    await asyncio.sleep(0.01)
    sleepy = await claim(harness, 1)
    await asyncio.sleep(0.01)
    prompt = await claim(harness, HOUR)
    await harness.mail.run(prompt)
    with pytest.raises(LeaseLost):  # one that fell asleep with the mail in hand changes nothing
        await harness.mail.run(sleepy)
    assert {one.id for one in server.received} == {f"<{job.id}.1@example.org>"}
    assert {one.mail["X-Mediamill-Notice"] for one in server.received} == {f"{job.id}.1"}
    (unit,) = await mails(harness, [job])
    assert (unit.state, unit.error) == (UnitState.DONE, "")


async def test_each_end_is_mailed_once(mailing):
    harness, server = mailing

    async def settle(lease, item):
        last = lease.unit.payload["generation"] == 3
        return ItemOutcome.SUCCEEDED if last else ItemOutcome.FAILED

    harness.items.settle = settle
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 3))
    async with harness.worker(), harness.worker():
        await harness.finished("user_alice", job, 20 * FastClock.times)
        for _ in range(2):
            await harness.service.retry(ALICE, job.id)
            await harness.finished("user_alice", job, 20 * FastClock.times)
        async with asyncio.timeout(20):
            while len(server.received) < 3:
                await asyncio.sleep(0.02)
    told = sorted((taken.id, str(taken.mail["Subject"])) for taken in server.received)
    title = "photo-0.jpg and 2 more: thumbnail"
    assert told == [
        (f"<{job.id}.1@example.org>", f"{title} failed"),
        (f"<{job.id}.2@example.org>", f"{title} failed"),
        (f"<{job.id}.3@example.org>", f"{title} is done"),
    ]


class HandClock:
    """Tells the time that the test sets."""

    ms = 1_750_000_000_000

    def now(self):
        return self.ms


class Away:
    """A post that is never there, or never wants."""

    anywhere = False

    def __init__(self, error):
        self.error, self.asked = error, 0

    async def send(self, letter):
        self.asked += 1
        if self.error is not None:
            raise self.error

    async def close(self):
        pass


async def waiting_long(harness, clock):
    """Make a mail wait in a pause until it is three days old."""
    job = await fanned_out(harness)
    harness.mail.pause.begin("The mail server is away.", time.monotonic())
    for _ in range(2):
        await harness.mail.run(await claim(harness, HOUR))
        (unit,) = await mails(harness, [job])
        assert (unit.state, unit.attempts) == (UnitState.READY, 0)
        clock.ms += HOUR
    clock.ms += 3 * DAY
    return job


async def test_what_waits_to_tell_of_a_job_asks_nothing_of_the_job():
    harness, post = Harness(MemoryStore()), Away(Unavailable("down"))
    harness.mails(post, Pause())
    await harness.add_user("alice")
    job, asked, released = await fanned_out(harness), [], asyncio.Event()
    harness.mail.pause.begin("away", time.monotonic())
    engine = harness.engine()

    async def advance(job_id):
        asked.append(job_id)

    async def ran(unit):
        released.set()

    engine.rollup.advance, engine.around = advance, [ran]
    harness.engine = lambda: engine
    async with harness.worker():
        await asyncio.wait_for(released.wait(), 20)
    (unit,) = await mails(harness, [job])
    assert (unit.state, asked) == (UnitState.READY, [])


async def test_a_mail_that_only_ever_waited_is_given_up_too():
    clock = HandClock()
    harness, post = Harness(MemoryStore(clock), lease=3600), Away(Unavailable("down"))
    harness.mails(post, Pause(shortest=900))
    await harness.add_user("alice")
    job = await waiting_long(harness, clock)
    await harness.mail.run(await claim(harness, HOUR))
    (unit,) = await mails(harness, [job])
    assert (unit.state, unit.error, post.asked) == (UnitState.DONE, "The mail server is away.", 0)


async def test_a_mail_that_is_old_is_tried_where_the_server_is_there():
    """As after days in which nothing ran here."""
    clock = HandClock()
    harness, post = Harness(MemoryStore(clock), lease=3600), Away(Unavailable("down"))
    harness.mails(post, Pause(shortest=900))
    await harness.add_user("alice")
    await waiting_long(harness, clock)
    harness.mail.pause.end()
    with pytest.raises(Unavailable):
        await harness.mail.run(await claim(harness, HOUR))
    assert post.asked == 1


async def test_who_is_refused_at_the_gate_does_not_take_the_trial():
    harness, post = Harness(MemoryStore(HandClock())), Away(Unavailable("down"))
    harness.mails(post, Pause(shortest=0.0, trial=900))
    await harness.add_user("alice")
    await fanned_out(harness)
    pause = harness.mail.pause
    pause.shortest = 0.001
    pause.begin("away", time.monotonic())
    await asyncio.sleep(0.01)
    for _ in range(AT_ONCE):
        assert harness.mail.gates.enter("mail") == 0
    await harness.mail.run(await claim(harness, HOUR))
    assert not pause.on
    assert post.asked == 0


async def test_an_owner_gets_so_many_a_day(plain_log):
    """Counted by the store; those that did not go out do not count."""
    clock = HandClock()
    harness = Harness(MemoryStore(clock), lease=3600)
    post = Away(Unavailable("greylisted", recipient=True))
    harness.mails(post, Pause())
    harness.mailed.most = 2
    await harness.add_user("alice")

    async def send():
        job = await fanned_out(harness)
        with suppress(Unavailable):
            await harness.mail.run(await claim(harness, HOUR))
        return (await mails(harness, [job]))[0]

    for _ in range(3):
        assert (await send()).error == ""  # it is tried, and waits
    post.error = None
    assert [(await send()).error for _ in range(2)] == ["", ""]
    over = await send()
    assert (over.state, post.asked) == (UnitState.DONE, 5)
    assert "more than 2 mails in a day" in over.error
    await harness.users.store.transact(Update(User, ("user_alice",), set={"verified": 1}))
    assert (await send()).error == ""  # to a verified address go as many as there are
    await harness.users.store.transact(Update(User, ("user_alice",), set={"verified": None}))
    clock.ms += DAY
    for _ in range(3):  # those that waited come first
        await harness.mail.run(await claim(harness, HOUR))
    assert post.asked == 8


async def test_a_day_is_counted_once_whoever_counts_beside(mailing):
    harness, _ = mailing
    mailed = Mails(harness.store, 5)
    taken = await asyncio.gather(*(mailed.take("user_alice") for _ in range(20)))
    assert sum(day is not None for day in taken) == 5


@pytest.mark.parametrize("error", [Unavailable("down"), DeliveryRefused("550 nobody here")])
async def test_a_mail_is_given_up_after_three_days_or_when_it_is_refused(plain_log, caplog, error):
    clock = HandClock()
    begun = clock.ms
    harness, post = Harness(MemoryStore(clock), lease=3600), Away(error)
    harness.mails(post, Pause(shortest=0, longest=0, trial=0))
    await harness.add_user("alice")
    async with harness.worker(), asyncio.timeout(60):
        job = await harness.submit("user_alice", await harness.add_files("user_alice", 1))
        await harness.finished("user_alice", job)
        while not (units := await mails(harness, [job])) or units[0].state.open:
            if isinstance(error, Unavailable) and post.asked:
                clock.ms += 10 * MINUTE
            await asyncio.sleep(0.002)
    (unit,) = units
    assert str(error) in unit.error
    assert (unit.state, unit.klass) == (UnitState.DONE, "notices")
    said = [record.msg["action"] for record in caplog.records if isinstance(record.msg, dict)]
    assert said.count("mail_given_up") == 1
    if isinstance(error, Unavailable):
        assert 3 * DAY <= unit.finished - begun < 4 * DAY
        assert post.asked > 10
        assert harness.mail.told["mail", "given_up"] == 1
    else:
        assert post.asked == 1
        assert harness.mail.told["mail", "refused"] == 1
