"""Gate of one process, by a clock that is moved by hand."""

import asyncio

import pytest

from mediamill.adapters.providers.alone import Alone, Breaker, Bucket, Limits
from mediamill.adapters.providers.faults import away, declined, limited
from mediamill.adapters.providers.port import Deadline
from mediamill.core.errors import ProviderUnavailable


class Clock:
    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_try():
    clock = Clock()
    breaker = Breaker(3, 30, clock)

    def call(*, failed):
        assert breaker.wait == 0
        breaker.end(failed=failed, trial=breaker.begin())

    for failed in (True, True, False, True, True, None, True):
        call(failed=failed)
    assert breaker.wait == 30
    clock.at += 29
    assert breaker.wait == 1
    clock.at += 1
    assert breaker.wait == 0
    trial = breaker.begin()
    assert trial
    assert breaker.wait == 30, "one tries, the others wait"
    breaker.end(failed=None, trial=False)
    assert breaker.wait == 30, "an older call's end is not the trial's"
    breaker.end(failed=True, trial=trial)
    assert breaker.wait == 30
    clock.at += 30
    breaker.end(failed=None, trial=breaker.begin())
    assert breaker.wait == 0, "a trial that ended without a result lets another try"
    call(failed=False)
    for _ in range(2):
        call(failed=True)
    assert breaker.wait == 0, "it counts from nothing again"


def test_a_bucket_keeps_a_rate():
    clock = Clock()
    bucket = Bucket(60, clock)
    assert [bucket.take() for _ in range(12)] == [0] * 10 + [1, 2]
    clock.at += 2
    assert bucket.take() == 1
    bucket.put_back()
    clock.at += 1
    assert bucket.take() == 0
    clock.at += 3600
    assert [bucket.take() for _ in range(11)] == [0] * 10 + [1]


async def test_no_more_calls_at_a_time_than_there_are_places():
    gate, most, now = Alone({"a": Limits(concurrency=3)}), [0], [0]

    async def call():
        async with gate.enter("a", Deadline(5)) as permit:
            now[0] += 1
            most[0] = max(most[0], now[0])
            await asyncio.sleep(0.005)
            now[0] -= 1
            permit.tell(None)

    await asyncio.gather(*(call() for _ in range(12)))
    assert most == [3]


async def test_whoever_gets_no_place_in_time_is_told():
    gate = Alone({"a": Limits(concurrency=1)})
    async with gate.enter("a", Deadline(5)):
        with pytest.raises(ProviderUnavailable, match="no place"):
            async with gate.enter("a", Deadline(0.02)):
                pass
        async with gate.enter("b", Deadline(5)):
            pass
    async with gate.enter("a", Deadline(5)):
        pass


async def test_a_rate_beyond_the_deadline_is_not_waited_for():
    clock = Clock()
    gate = Alone({"a": Limits(per_minute=6)}, clock)
    async with gate.enter("a", Deadline(5)):
        pass
    for _ in range(3):
        with pytest.raises(ProviderUnavailable, match="rate"):
            async with gate.enter("a", Deadline(5)):
                pass
    clock.at += 10
    async with gate.enter("a", Deadline(5)):
        pass


async def test_one_that_is_asked_too_often_rests_and_is_not_failing():
    clock = Clock()
    gate = Alone({"a": Limits(failures=1, pause=3600)}, clock)
    for error in (declined("a", "says no"), limited("a", 40)):
        async with gate.enter("a", Deadline(5)) as permit:
            permit.tell(error)
    with pytest.raises(ProviderUnavailable, match="40 s"):
        async with gate.enter("a", Deadline(5)):
            pass
    clock.at += 40
    async with gate.enter("a", Deadline(5)) as permit:
        permit.tell(away("a", "answers 500"))
    clock.at += 1000
    with pytest.raises(ProviderUnavailable, match="left alone for 2600 s"):
        async with gate.enter("a", Deadline(5)):
            pass
