"""A limit of a minute holds for all servers together, and costs the store a write now and then."""

import asyncio

import pytest

from mediamill.core.clock import HOUR, FixedClock
from mediamill.core.errors import TooManyRequests
from mediamill.handlers.removing.forget_rates import ForgetRates
from mediamill.services.quotas.rates import RateLimits, subject_of
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Update
from mediamill.store.repositories.allowances import Allowances, Limits
from mediamill.store.repositories.rates import WINDOW, Rates, Window

MOST = 100
NOON = 28_000_000 * WINDOW


class Servers:
    """Several servers over one store, whose clock is moved by hand."""

    def __init__(self, count: int, most: int | None = MOST) -> None:
        self.store, self.clock = MemoryStore(), FixedClock(NOON)
        self.allowances = Allowances(self.store, Limits(requests=most))
        self.all = [
            RateLimits(Rates(self.store), self.allowances, self.clock, 2, 3) for _ in range(count)
        ]
        self.written = 0
        real = self.store.transact

        async def counted(*actions):
            self.written += 1
            await asyncio.sleep(0)
            await real(*actions)

        self.store.transact = counted

    async def let_in(self, count: int, user: str = "ann") -> int:
        """Send so many requests at once, to one server after the other; count those let in."""

        async def one(server: RateLimits) -> int:
            try:
                await server.request(user)
            except TooManyRequests:
                return 0
            return 1

        turns = [self.all[n % len(self.all)] for n in range(count)]
        return sum(await asyncio.gather(*map(one, turns)))


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_as_many_are_let_in_as_may_be(count):
    some = Servers(count)
    assert await some.let_in(4 * MOST) == MOST
    assert await some.let_in(10) == 0
    some.clock.advance(WINDOW)
    assert await some.let_in(MOST // 2) == MOST // 2


async def test_a_request_is_no_write():
    some = Servers(1, 1000)
    assert await some.let_in(3000) == 1000
    assert some.written <= 11


async def test_who_is_refused_is_told_when_to_come_again():
    some = Servers(1, 1)
    some.clock.advance(WINDOW - 17_000)
    standing = await some.all[0].request("ann")
    assert (standing.policy, standing.most, standing.left, standing.reset) == ("requests", 1, 0, 17)
    with pytest.raises(TooManyRequests, match="wait 17 s") as refused:
        await some.all[0].request("ann")
    assert refused.value.retry_after == 17
    assert refused.value.details["quota"] == "requests"
    assert (await some.all[0].request("bob")).left == 0


async def test_no_limit_is_asked_for_once_a_minute():
    some = Servers(1, None)
    assert await some.let_in(500) == 500
    assert some.written == 0
    await some.allowances.give("ann", 0, requests=7)
    some.clock.advance(WINDOW)
    assert await some.let_in(20) == 7
    assert await some.let_in(20, "bob") == 20


async def test_previews_and_strangers_have_limits_of_their_own():
    (one,) = Servers(1, None).all
    assert [(await one.preview("ann")).left for _ in range(2)] == [1, 0]
    with pytest.raises(TooManyRequests):
        await one.preview("ann")
    near = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:3"]
    assert [(await one.nobody(address)).left for address in near] == [2, 1, 0]
    with pytest.raises(TooManyRequests):
        await one.nobody("2001:db8::4")
    assert (await one.nobody("2001:db8:0:1::4")).left == 2
    assert (await one.nobody("no address")).left == 2


async def test_rows_tell_nobody_and_go():
    some = Servers(1)
    await some.let_in(3)
    subject = subject_of("requests", "ann")
    assert "ann" not in subject
    row = await some.store.get(Window, subject)
    assert row is not None
    assert row.taken == MOST // 10
    forgetting = ForgetRates(Rates(some.store))
    assert await forgetting.forget(some.clock.now() + WINDOW) == 0
    assert await forgetting.forget(some.clock.now() + HOUR) == 1
    assert await some.store.get(Window, subject) is None


async def test_looking_first_and_writing_later_is_noticed(monkeypatch):
    """The planted fault: two servers that look at the same time both take what is left."""

    def unguarded(row, window, got, most, *, begun):
        return Update(Window, (row.subject,), set={"window": window, "taken": row.taken + got})

    monkeypatch.setattr("mediamill.store.repositories.rates._taking", unguarded)
    some = Servers(3)
    assert await some.let_in(4 * MOST) > MOST
