"""Providers that are set up anew while they are asked: no call breaks off, each is closed once."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.port import Kind, Traits
from mediamill.adapters.providers.prices import Price, Prices
from mediamill.core.errors import ConfigurationError, ProviderRefused
from mediamill.engine.asking.gate import Bounds
from mediamill.engine.asking.panel import Panel, seated

ONE = Configured("one", "echo:a", key="k")


@dataclass
class Door:
    """A provider that tells how often it was closed."""

    configured: Configured
    closed: int = 0
    traits: Traits = field(default_factory=lambda: Traits(frozenset(Kind)))

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


@pytest.fixture
def doors():
    return []


@pytest.fixture
def panel(doors):
    def opening(configured: Configured) -> Door:
        if configured.address == "echo:broken":
            raise ConfigurationError("It is broken.")
        doors.append(Door(configured))
        return doors[-1]

    return Panel(opening, Prices({}, {}))


async def test_what_it_bears_and_costs_is_taken_without_opening_it_anew(panel, doors):
    async with panel.using(ONE) as before:
        dearer = replace(ONE, concurrency=3, per_minute=60, price=Price())
        after = await panel.seat(dearer)
    assert len(doors) == 1
    assert after.provider is before.provider
    assert (before.price, after.price) == (None, Price())
    assert panel.bounds("one") == Bounds(3, 60)
    assert doors[0].closed == 0


@pytest.mark.parametrize(
    "change", [{"key": "other"}, {"address": "echo:b"}, {"timeout": 5.0}, {"options": {"a": "b"}}]
)
async def test_one_that_was_replaced_is_closed_when_the_last_has_left_it(panel, doors, change):
    async with panel.using(ONE) as first:
        async with panel.using(ONE) as second:
            assert first.provider is second.provider
            new = await panel.seat(replace(ONE, **change))
            assert new.provider is not first.provider
            assert doors[0].closed == 0, "a call of it is under way"
        assert doors[0].closed == 0
        async with panel.using(replace(ONE, **change)):
            pass
    assert [door.closed for door in doors] == [1, 0]
    await panel.close()
    assert [door.closed for door in doors] == [1, 1]


async def test_one_that_nobody_uses_is_closed_at_once(panel, doors):
    await panel.seat(ONE)
    with pytest.raises(KeyError):
        async with panel.using(ONE):
            raise KeyError
    await panel.seat(replace(ONE, key="other"))
    assert [door.closed for door in doors] == [1, 0]


async def test_all_are_closed_in_the_end_whoever_uses_them(panel, doors):
    async with panel.using(ONE):
        await panel.seat(replace(ONE, key="other"))
        await panel.close()
        assert [door.closed for door in doors] == [1, 1]
    assert [door.closed for door in doors] == [1, 1]


async def test_of_a_chain_those_are_used_that_can_be_opened(panel, doors):
    broken = Configured("broken", "echo:broken")
    async with seated(panel, [broken, ONE]) as chain:
        assert [opened.configured for opened in chain] == [ONE]
        await panel.seat(replace(ONE, key="other"))
        assert doors[0].closed == 0
    assert doors[0].closed == 1
    for nobody, error in (([broken], ConfigurationError), ([], ProviderRefused)):
        with pytest.raises(error):
            async with seated(panel, nobody):
                pass
