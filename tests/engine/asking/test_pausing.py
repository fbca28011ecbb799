"""A provider that says when to ask again: nobody asks it before, and it is not failing."""

import asyncio

import pytest

from mediamill.adapters.providers.port import Deadline
from mediamill.core.errors import ProviderUnavailable, RateLimited
from mediamill.core.settings import Settings
from mediamill.engine.asking import gate as gates
from mediamill.engine.asking.gate import Bounds, SharedGate
from mediamill.engine.retry import RetryPolicy
from mediamill.store.opening import open_store
from mediamill.store.repositories.circuits import Circuit, Circuits
from tests.engine.asking.test_gate import Clocked, workers
from tests.support.places import EACH_STORE

LIMITED = RateLimited("p answers 429.", retry_after=60.0)


@pytest.fixture
async def store():
    found = Clocked()
    yield found
    await found.close()


async def call(gate: SharedGate, error=None, seconds: float = 20) -> None:
    async with gate.enter("p", Deadline(seconds)) as permit:
        permit.tell(error)


@pytest.mark.places(*EACH_STORE)
async def test_all_who_share_a_store_leave_it_alone(tmp_path):
    store = await open_store(Settings(home=tmp_path).store_url)
    first, second = workers(store, 2)
    await call(first, LIMITED)
    await asyncio.gather(*first._telling)
    with pytest.raises(RateLimited, match="asked to be left alone"):
        await call(second)
    await Circuits(store).pause("p", 1)
    assert (await store.get(Circuit, "p")).paused_until > 1, "it is as long as the longest"
    await Circuits(store).wake("p")
    second._locals.clear()
    await call(second)
    await store.close()


async def test_who_cannot_wait_so_long_is_told_when(store):
    first, second = workers(store, 2)
    await call(first, LIMITED)
    with pytest.raises(RateLimited, match="asked to be left alone for 60 s") as caught:
        await call(first)
    assert 55 < caught.value.details["retry_after"] <= 60
    await asyncio.gather(*first._telling)
    for gate in (first, second):
        with pytest.raises(RateLimited, match="left alone"):
            await call(gate)
    circuit = await store.get(Circuit, "p")
    assert circuit.paused_until > await store.now() + 55_000
    assert not circuit.rests_until, "it is not failing"
    assert RetryPolicy().decide(caught.value, 0).delay_ms >= 55_000


async def test_who_can_wait_does_and_its_deadline_runs(store):
    first, second = workers(store, 2)
    await call(first, RateLimited("p answers 429.", retry_after=0.3))
    await asyncio.gather(*first._telling)
    for gate in (first, second):
        await _waited(gate)


async def _waited(gate: SharedGate) -> None:
    deadline, circuits = Deadline(20), gate._circuits
    until = (await circuits.get("p")).paused_until
    left = (until - await circuits.store.now()) / 1000
    async with gate.enter("p", deadline) as permit:
        assert await circuits.store.now() >= until - 20
        permit.tell(None)
    assert deadline.left <= 20 - left + 0.02


async def test_whoever_stands_in_line_when_it_begins_does_not_ask(store):
    (gate,) = workers(store, 1, concurrency=1)
    async with gate.enter("p", Deadline(20)) as permit:
        waiting = asyncio.create_task(call(gate))
        async with asyncio.timeout(60):
            while not gate._locals["p"]._waiting:
                await asyncio.sleep(0.001)
        permit.tell(LIMITED)
    with pytest.raises(RateLimited):
        await waiting
    assert gate._locals["p"].used == 0
    await gate.close()


async def test_a_rest_that_ends_ends_no_pause(store):
    (gate,) = workers(store, 1)
    await call(gate, LIMITED)
    await asyncio.gather(*gate._telling)
    await Circuits(store).works("p")
    with pytest.raises(RateLimited):
        await call(gate)


async def test_without_a_time_nobody_waits(store):
    (gate,) = workers(store, 1)
    for error in (RateLimited("p answers 429."), RateLimited("p answers 429.", retry_after=0)):
        await call(gate, error)
        await call(gate, seconds=0.5)
    await asyncio.gather(*gate._telling)
    assert not (await store.get(Circuit, "p")).paused_until


async def test_a_unit_comes_back_when_it_is_told_to():
    policy = RetryPolicy()
    resting = ProviderUnavailable("p is left alone for 12.5 s.", retry_after=12.5)
    assert 12_500 <= policy.decide(resting, 3).delay_ms < 13_000
    assert policy.decide(ProviderUnavailable("p answers 500."), 0).delay_ms <= 500


async def test_who_waits_for_the_rate_keeps_nobody_from_holding_permits(store):
    """Else permits of a slow rate would be taken back by others while they are used."""
    gate = SharedGate(Circuits(store), "w", lambda name: Bounds(concurrency=4, per_minute=6))
    await call(gate)
    waiting = asyncio.create_task(call(gate))
    local = gate._locals["p"]
    async with asyncio.timeout(60):
        while not local.pacing.locked():
            await asyncio.sleep(0.001)
    for _ in range(100):  # until it sleeps: the next call is due in ten seconds
        await asyncio.sleep(0)
    assert local.pacing.locked()
    assert not local.lock.locked()
    assert await Circuits(store).keep("p", "w", await store.now() + gates.HOLD_MS)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await gate.close()
