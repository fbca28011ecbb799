"""Faults planted in what all doorbells through a server share; the contract notices each."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from mediamill.adapters.brokers import outbox, redis, relay
from mediamill.adapters.brokers.ears import Ears
from mediamill.adapters.brokers.outbox import Outbox
from mediamill.adapters.brokers.relay import Relay
from tests.contracts import doorbell_contract
from tests.contracts.doorbell_contract import Gated, GatedContract
from tests.support.redis import redis_server


@pytest.fixture(scope="module")
def server():
    with redis_server() as running:
        yield running


CONTRACT = GatedContract()


class TestPlanted(Gated):
    @pytest.fixture(autouse=True)
    def hasty(self, monkeypatch):
        monkeypatch.setattr(doorbell_contract, "SECONDS", 0.5)

    async def test_everybody_is_rung_when_the_server_is_back(self, bell, gated, gate, monkeypatch):
        monkeypatch.setattr(Ears, "ring_all", lambda self: None)
        with pytest.raises(AssertionError, match="nobody is told"):
            await CONTRACT.test_everybody_is_rung_when_the_server_is_back(bell, gated, gate)

    async def test_a_cut_connection_is_noticed(self, bell, gated, gate, monkeypatch):
        """The client connects again by itself."""
        monkeypatch.setattr(redis, "Retry", lambda *_: Retry(NoBackoff(), 9))
        with pytest.raises(AssertionError, match="does not know"):
            await CONTRACT.test_a_cut_connection_is_noticed(bell, gated, gate)

    async def test_what_was_rung_while_away_is_sent_when_back(
        self, gated, other, gate, monkeypatch
    ):
        async def ring(self, channel):
            self._here.ring(channel)
            if self.connected or not self.trouble:
                self._outbox.add(channel)
                self._start()

        monkeypatch.setattr(Relay, "ring", ring)
        with pytest.raises(AssertionError, match="forgotten"):
            await CONTRACT.test_what_was_rung_while_away_is_sent_when_back(gated, other, gate)

    async def test_a_server_that_stands_still_holds_nobody_up(
        self, gated, other, gate, monkeypatch
    ):
        """Everything is kept."""
        monkeypatch.setattr(outbox, "MOST_WAITING", 1 << 30)
        with pytest.raises(AssertionError):
            await CONTRACT.test_a_server_that_stands_still_holds_nobody_up(gated, other, gate)

    async def test_a_ring_that_waits_for_the_server_is_noticed(
        self, gated, other, gate, monkeypatch
    ):
        ring = Relay.ring

        async def waiting(self, channel):
            await ring(self, channel)
            await self._outbox.idle.wait()

        monkeypatch.setattr(Relay, "ring", waiting)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await CONTRACT.test_a_server_that_stands_still_holds_nobody_up(gated, other, gate)


async def test_rings_that_cannot_be_sent_are_kept_once():
    box = Outbox()
    box.add("a", "b", "a")
    assert await box.take(1) == ["a"]
    box.add("a")
    assert await box.take(9) == ["b", "a"]
    assert not box.idle.is_set()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await box.take(9)
    assert box.idle.is_set()


class Stubborn(Relay):
    """Through a client that swallows once that it is cancelled, as some do."""

    @asynccontextmanager
    async def line(self):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        yield Silence()


class Silence:
    async def send(self, message: bytes) -> None:
        pass

    async def last(self) -> None:
        await asyncio.sleep(3600)


@pytest.mark.parametrize("insists", [True, False], ids=["as it is", "planted: asked once"])
async def test_a_client_that_swallows_its_end_does_not_hold_up_a_close(insists, monkeypatch):
    monkeypatch.setattr(relay, "INSIST_SECONDS", 0.02 if insists else None)
    bell = Stubborn()
    await bell.ring("work:bulk")
    await asyncio.sleep(0.05)
    closing = asyncio.create_task(bell.close())
    await asyncio.wait([closing], timeout=60 if insists else 0.5)
    assert closing.done() is insists
    closing.cancel()
    bell._task.cancel()
    await asyncio.gather(closing, bell._task, return_exceptions=True)
