"""The gate that all workers share: never more at a time or a minute than a provider bears."""

import asyncio
import time
from itertools import pairwise

import pytest

from mediamill.adapters.providers.port import Deadline
from mediamill.core.errors import InvalidAnswer, ProviderUnavailable, RateLimited
from mediamill.engine.asking import gate as gates
from mediamill.engine.asking.gate import Bounds, SharedGate
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.circuits import Circuit, Circuits, Permit


class Clocked(MemoryStore):
    """A store whose time goes on by what a test says, beside real time."""

    ahead, stands = 0, 0
    """Milliseconds beside real time; when real time stands still for the test."""

    async def now(self) -> int:
        return (self.stands or await super().now()) + self.ahead


@pytest.fixture
async def store():
    found = Clocked()
    yield found
    await found.close()


def workers(store, count: int, **bounds) -> list[SharedGate]:
    said = Bounds(**bounds)
    return [SharedGate(Circuits(store), f"w{n}", lambda name: said) for n in range(count)]


async def test_all_workers_together_keep_to_the_calls_at_a_time(store):
    gate_of, now, most, done = workers(store, 3, concurrency=10), 0, 0, 0

    async def call(gate: SharedGate) -> None:
        nonlocal now, most, done
        async with gate.enter("p", Deadline(60)) as permit:
            now, most = now + 1, max(most, now + 1)
            await asyncio.sleep(0.01)
            now, done = now - 1, done + 1
            permit.tell(None)

    await asyncio.gather(*(call(gate_of[n % 3]) for n in range(150)))
    assert (done, now) == (150, 0)
    assert most == 10
    for gate in gate_of:
        await gate.close()
    circuit = await store.get(Circuit, "p")
    assert circuit.granted == 0
    assert [await store.get(Permit, "p", f"w{n}") for n in range(3)] == [None] * 3


async def test_permits_of_a_worker_that_vanished_come_back(store):
    gone, other = workers(store, 2, concurrency=4)
    async with gone.enter("p", Deadline(60)), gone.enter("p", Deadline(60)):
        gone._locals["p"].tending.cancel()
        store.ahead = gates.HOLD_MS + 1
        async with asyncio.timeout(60):
            held = [other.enter("p", Deadline(60)) for _ in range(4)]
            for one in held:
                await one.__aenter__()
        for one in held:
            await one.__aexit__(None, None, None)
    await other.close()
    assert (await store.get(Circuit, "p")).granted == 0


async def test_unused_permits_are_given_to_others(store, monkeypatch):
    monkeypatch.setattr(gates, "TEND_SECONDS", 0.05)
    first, second = workers(store, 2, concurrency=8)
    async with first.enter("p", Deadline(60)):
        assert first._locals["p"].held == 8
        async with asyncio.timeout(60), second.enter("p", Deadline(60)):
            pass
        assert first._locals["p"].held == 1
    await first.close()
    await second.close()


async def test_all_workers_together_keep_to_the_rate(store, monkeypatch):
    """Each call has a time of its own, and is not made before it."""
    gate_of = workers(store, 2, per_minute=3000)
    made, due, pace = [], [], SharedGate._pace

    async def noted(gate: SharedGate, provider: str, rate: int) -> list[int]:
        found = await pace(gate, provider, rate)
        due.extend(found)
        return found

    async def call(gate: SharedGate) -> None:
        async with gate.enter("p", Deadline(60)):
            made.append(await store.now())

    monkeypatch.setattr(SharedGate, "_pace", noted)
    await asyncio.gather(*(call(gate_of[n % 2]) for n in range(60)))
    due.sort()
    assert all(later - sooner >= 20 for sooner, later in pairwise(due)), "50 a second"
    assert all(at >= moment - 10 for at, moment in zip(sorted(made), due, strict=False))


async def test_a_provider_that_keeps_failing_rests_for_all_and_one_tries_it(store):
    store.stands = await store.now()
    first, second = workers(store, 2)
    broken = ProviderUnavailable("p answers 500.")

    async def call(gate: SharedGate, error=None) -> None:
        async with gate.enter("p", Deadline(60)) as permit:
            permit.tell(error)

    for error in (RateLimited("slow down"), *[broken] * (gates.FAILURES - 1), None, broken):
        await call(first, error)
    assert not (await store.get(Circuit, "p")).rests_until, "none five times in a row"
    for _ in range(gates.FAILURES):
        await call(first, broken)
    await asyncio.gather(*first._telling)
    second._locals.clear()
    with pytest.raises(
        ProviderUnavailable, match=r"left alone for 1[45] s: p answers 500"
    ) as caught:
        await call(second)
    assert caught.value.details["retry_after"] > 13
    store.ahead = gates.REST_MS + 100
    async with second.enter("p", Deadline(60)) as trial:
        first._locals.clear()
        with pytest.raises(ProviderUnavailable, match="left alone"):
            await call(first)
        trial.tell(InvalidAnswer("no"))
    await asyncio.gather(*second._telling)
    circuit = await store.get(Circuit, "p")
    rest = circuit.rests_until - await store.now()
    assert rest > gates.REST_MS * 1.9, "the second rest is twice as long"
    store.ahead += 2 * gates.REST_MS + 200
    second._locals.clear()
    await call(second, None)
    await asyncio.gather(*second._telling)
    assert not (await store.get(Circuit, "p")).rests_until
    first._locals.clear()
    await call(first)


async def test_waiting_in_our_line_takes_nothing_of_the_deadline(store):
    (gate,) = workers(store, 1, concurrency=1)
    began, deadline = time.monotonic(), Deadline(60)
    async with gate.enter("p", Deadline(60)):
        waiting = asyncio.create_task(_entered(gate, deadline))
        while not gate._locals["p"]._waiting:
            await asyncio.sleep(0.005)
        stood = time.monotonic()
        await asyncio.sleep(0.2)
        waited = time.monotonic() - stood
    async with asyncio.timeout(60):
        await waiting
    left = deadline.left
    assert left >= 60 - (time.monotonic() - began) + waited
    await gate.close()


async def _entered(gate: SharedGate, deadline: Deadline) -> None:
    async with gate.enter("p", deadline):
        pass
