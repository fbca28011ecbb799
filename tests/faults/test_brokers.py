"""R4 through every broker: rings doubled, shuffled and dropped, the broker killed in mid-stream.

Submission and worker ring and listen at different ends, as two processes do. The soak has 10,000
units under each fault.
"""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

import pytest

from mediamill.adapters.brokers.opening import open_bell
from mediamill.adapters.brokers.relay import Relay
from mediamill.store.opening import open_store
from tests.contracts.doorbell_contract import ELSEWHERE, until
from tests.faults.doorbells import Across, Dead, Doubling, Dropping, Shuffling
from tests.faults.test_doorbells import Belled, run
from tests.support.nats import nats_server
from tests.support.postgres import postgres_server
from tests.support.queues import queue_server, queue_url
from tests.support.rabbitmq import rabbitmq_server
from tests.support.redis import redis_server

BROKERS = ("postgresql", "redis", "nats", "amqp", "sqs")
SERVERS = {"redis": redis_server, "nats": nats_server, "amqp": rabbitmq_server}
FAULTS = (Doubling, Shuffling, Dropping, Dead)
numbers = count()


@dataclass
class Servers:
    """The brokers of this module, each started when it is first asked for."""

    stack: ExitStack
    folder: object
    running: dict[str, object]

    def url(self, kind: str) -> str:
        server = self.running.get(kind) or self.start(kind)
        if kind == "sqs":
            return queue_url(server, f"mediamill-{next(numbers)}")
        return server.url()

    def start(self, kind: str):
        if kind == "sqs":
            making = queue_server(self.folder.mktemp("sqs"))
        else:
            making = {**SERVERS, "postgresql": postgres_server}[kind]()
        self.running[kind] = self.stack.enter_context(making)
        return self.running[kind]


@pytest.fixture(scope="module")
def brokers(tmp_path_factory):
    with ExitStack() as stack:
        yield Servers(stack, tmp_path_factory, {})


@pytest.fixture
async def bell(request, brokers, monkeypatch):
    """A doorbell of a kind of broker, rung at one end and heard at the other."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    url = await asyncio.to_thread(brokers.url, request.param)
    sound = Across(open_bell(url, ELSEWHERE), open_bell(url, ELSEWHERE))
    yield sound
    await sound.close()


@pytest.fixture
async def store(tmp_path):
    store = await open_store(f"sqlite:///{tmp_path}/test.db")
    yield store
    await store.close()


def each(*brokers: str, soak: tuple[str, ...] = ()):
    """Parametrize by broker; those that take long to start only in the soak."""
    marked = [pytest.param(kind, marks=pytest.mark.soak) for kind in soak]
    return pytest.mark.parametrize("bell", [*brokers, *marked], indirect=True)


class Everything(Dropping):
    """Loses some rings, doubles others, and shuffles them."""

    def __init__(self, bell):
        super().__init__(Doubling(Shuffling(bell)))


@each("redis", soak=("postgresql", "nats", "amqp", "sqs"))
async def test_each_unit_ends_once_whatever_happens_to_rings(store, bell):
    await run(Belled(store, Everything(bell)), 80)


@pytest.mark.soak
@each(*BROKERS)
@pytest.mark.parametrize("faulty", FAULTS)
@pytest.mark.timeout(1800)
async def test_10000_units_end_once_under_each_fault(store, bell, faulty):
    await run(Belled(store, faulty(bell)), 10_000)


@each("redis", soak=("nats", "amqp"))
async def test_a_broker_that_is_killed_in_mid_stream_costs_nothing(request, store, bell, brokers):
    """Nobody looks by himself: what was missed is found by the ring for everybody."""
    harness = Belled(store, bell)
    harness.timing.poll = 3600
    harness.timing.lease = 3600
    server = brokers.running[request.node.callspec.params["bell"]]
    killing = asyncio.create_task(kill_twice(server, bell.bell, bell.other))
    try:
        for _ in range(4):
            await run(harness, 80)
            harness.items.runs.clear()
            if killing.done():
                break
    finally:
        await killing


async def kill_twice(server, *bells: Relay) -> None:
    for _ in range(2):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.daemon.kill)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.daemon.start)
        for bell in bells:
            await until(bell, connected=True)


@each("redis")
async def test_a_unit_whose_ring_was_lost_with_the_broker_is_noticed(
    store, bell, brokers, monkeypatch
):
    """A planted fault: nobody is rung when the broker is back, and nobody looks by himself."""
    harness = Belled(store, bell)
    harness.timing.poll = harness.timing.lease = 3600
    server = brokers.running["redis"]
    files = await harness.add_files("user_alice", 4)
    await bell.ring("work:none")
    async with harness.worker():
        for end in (bell.bell, bell.other):
            await until(end, connected=True)
        await asyncio.sleep(0.2)  # all have looked once
        monkeypatch.setattr(bell.other._here, "ring_all", lambda: None)
        monkeypatch.setattr(bell.bell._outbox, "add", lambda *channels: None)
        job = await harness.submit("user_alice", files)
        await asyncio.to_thread(server.daemon.kill)
        await asyncio.to_thread(server.daemon.start)
        await until(bell.other, connected=True)
        with pytest.raises(AssertionError):
            await harness.finished("user_alice", job, 1)
