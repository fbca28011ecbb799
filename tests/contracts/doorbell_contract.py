"""What every doorbell does; a backend's test class inherits it and gives `bell` and `other`.

`other` is a second one, as another process would have. What goes through a server may take a while
to begin: rings before that are lost, as they may be.
"""

import asyncio

from mediamill.adapters.brokers.port import Doorbell, Ear


async def heard(bell: Doorbell, channel: str, ear: Ear) -> None:
    """Ring until it is heard."""
    async with asyncio.timeout(20):
        while True:
            await bell.ring(channel)
            if await ear.wait(0.1):
                return


class DoorbellContract:
    async def test_a_ring_is_heard_here(self, bell: Doorbell):
        with bell.listen("work:a", "work:b") as ear:
            await bell.ring("work:b")
            assert await ear.wait(5)

    async def test_a_ring_before_the_wait_is_kept_until_cleared(self, bell: Doorbell):
        with bell.listen("a") as ear:
            await bell.ring("a")
            assert await ear.wait(0)
            ear.clear()
            assert not await ear.wait(0)

    async def test_a_ring_is_heard_elsewhere(self, bell: Doorbell, other: Doorbell):
        with other.listen("job:1") as ear, other.listen("job:2") as deaf:
            await heard(bell, "job:1", ear)
            deaf.clear()
            ear.clear()
            await bell.ring("job:1")
            assert await ear.wait(10)
            assert not await deaf.wait(0.05)

    async def test_many_rings_together(self, bell: Doorbell, other: Doorbell):
        names = [f"job:{n}" for n in range(500)]
        with other.listen("first") as first:
            await heard(bell, "first", first)
        ears = [other.listen(name) for name in names]
        for ear in ears:
            ear.__enter__()
        await asyncio.gather(*(bell.ring(name) for name in names))
        assert all(await asyncio.gather(*(ear.wait(20) for ear in ears)))

    async def test_who_left_is_not_rung(self, bell: Doorbell):
        with bell.listen("a") as ear:
            pass
        await bell.ring("a")
        assert not await ear.wait(0)

    async def test_ringing_never_fails(self, bell: Doorbell):
        await bell.close()
        await bell.ring("a")
