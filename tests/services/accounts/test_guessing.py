"""Guessing gets slow, for the guesser: counted in the store, and for unknown addresses alike."""

import asyncio

import pytest
from tests.support.places import EACH_STORE

from mediamill.core.acts import Origin, collecting
from mediamill.core.clock import DAY, HOUR, SECOND, FixedClock
from mediamill.core.errors import Throttled, Unauthenticated, Unavailable
from mediamill.core.settings import Settings
from mediamill.services.accounts.guessing import (
    ACCOUNT,
    CODE,
    NETWORK,
    Guessing,
    network_of,
    signing_in,
)
from mediamill.store.memory import MemoryStore
from mediamill.store.opening import open_store
from mediamill.store.repositories.guesses import PLACES, Guess, Guesses, place_of

ANN, NOBODY = "ann@example.org", "nobody@example.org"


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def guessing(clock):
    return Guessing(Guesses(MemoryStore()), clock)


async def tries(guessing, count, address=ANN, device=""):
    """Try so often; return how often one had to wait, and for how long (s) the last time."""
    waits = []
    for _ in range(count):
        try:
            await guessing.count(signing_in(address, device))
        except Throttled as error:
            waits.append(error.details["retry_after"])
    return len(waits), waits[-1] if waits else 0


async def was_right(guessing, address):
    async with guessing.trying(*signing_in(address)):
        pass


@pytest.mark.parametrize("address", [ANN, NOBODY])
async def test_of_101_failures_all_but_the_first_few_wait(guessing, address):
    assert await tries(guessing, 101, address) == (91, 1)


async def test_each_further_failure_makes_the_wait_longer_up_to_an_hour(guessing, clock):
    await tries(guessing, 10)
    waits = []
    for _ in range(16):
        failed, wait = await tries(guessing, 1)
        assert failed == 1
        waits.append(wait)
        clock.advance(wait * SECOND)
        assert await tries(guessing, 1) == (0, 0)
    assert waits[:6] == [1, 2, 4, 8, 16, 32]
    assert max(waits) == 3600


async def test_a_patient_guesser_has_few_tries_a_day(guessing, clock):
    done = [0, 0, 0]
    for minute in range(3 * 24 * 60):
        failed, _ = await tries(guessing, 1)
        done[minute // (24 * 60)] += not failed
        clock.advance(60 * SECOND)
    assert done[0] <= 50
    assert max(done[1:]) <= 24


async def test_who_was_right_begins_anew(guessing):
    for _ in range(30):
        await was_right(guessing, ANN)
    assert await tries(guessing, 10) == (0, 0)


async def test_codes_are_forgiven_one_by_one_and_what_was_not_looked_at_is_not_counted(guessing):
    async def code(error=None):
        async with guessing.trying((CODE, "user_1")):
            if error is not None:
                raise error

    for error in [Unavailable("away")] * 20 + [Unauthenticated("wrong")] * (CODE.free - 1):
        with pytest.raises(type(error)):
            await code(error)
    await code()
    with pytest.raises(Unauthenticated):
        await code(Unauthenticated("wrong"))
    with pytest.raises(Throttled) as caught:
        await code()
    assert "by mail" not in caught.value.message


async def test_failures_are_forgotten_with_time(guessing, clock):
    await tries(guessing, 15)
    clock.advance(DAY)
    assert await tries(guessing, 10) == (0, 0)


async def test_a_known_browser_waits_for_nobody_but_itself(guessing):
    await tries(guessing, 50)
    assert await tries(guessing, 11, device="device_1") == (1, 1)
    assert await tries(guessing, 1, device="device_2") == (0, 0)


async def test_a_network_has_a_limit_over_all_accounts(guessing):
    with collecting(Origin("203.0.113.7")):
        for number in range(NETWORK.free):
            await guessing.count(signing_in(f"user{number}@example.org"))
        with pytest.raises(Throttled):
            await guessing.count(signing_in(ANN))
        assert await tries(guessing, 1, device="device_1") == (0, 0)
    with collecting(Origin("203.0.113.8")):
        assert await tries(guessing, 1) == (0, 0)


async def test_a_right_one_does_not_count_for_its_network(guessing):
    with collecting(Origin("203.0.113.7")):
        for number in range(NETWORK.free + 20):
            await was_right(guessing, f"user{number}@example.org")


@pytest.mark.parametrize(
    ("address", "network"),
    [("203.0.113.7", "203.0.113.7"), ("2001:db8:1:2:3::9", "2001:db8:1:2::"),
     ("::ffff:203.0.113.7", "203.0.113.7"), ("fe80::1%eth0", "fe80::"), ("", ""), ("unix:", "")],
)  # fmt: skip
def test_a_network_is_what_one_customer_has(address, network):
    assert network_of(address) == network


def test_there_are_so_many_rows_at_most_and_none_tells_whose_it_is():
    places = {place_of(ACCOUNT.kind, f"user{n}@example.org") for n in range(5_000)}
    assert len(places) > 4_900
    assert all(int(place.partition(":")[2]) < PLACES for place in places)


@pytest.mark.places(*EACH_STORE)
async def test_a_hundred_at_once_are_as_slow_as_one_after_the_other(tmp_path, place):
    store = await open_store(Settings(home=tmp_path / "home").store_url)
    try:
        now = FixedClock(await store.now())
        servers = [Guessing(Guesses(store), now) for _ in range(2)]
        at_once = [servers[n % 2].count(signing_in(ANN)) for n in range(40)]
        outcomes = await asyncio.gather(*at_once, return_exceptions=True)
        assert {type(one) for one in outcomes if isinstance(one, Exception)} == {Throttled}
        assert sum(not isinstance(one, Exception) for one in outcomes) == ACCOUNT.free
        row = await store.get(Guess, place_of(ACCOUNT.kind, ANN))
        assert row.level == ACCOUNT.free
        now.advance(HOUR)
        await was_right(servers[1], ANN)
        assert await store.get(Guess, place_of(ACCOUNT.kind, ANN)) is None
    finally:
        await store.close()
