"""Batches that fail, wait, are cut off or lead to more questions: nothing is paid twice or lost."""

import asyncio
from collections.abc import Mapping

import pytest

from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.echo import Echo
from mediamill.adapters.providers.port import Answer
from mediamill.adapters.providers.prices import Prices
from mediamill.core.errors import (
    ConfigurationError,
    ProviderRefused,
    ProviderUnavailable,
    QuestionRefused,
    Unavailable,
)
from mediamill.engine.asking import batch
from mediamill.handlers.asks import asks, batching
from mediamill.store.repositories.attempts import AttemptState
from mediamill.store.repositories.jobs import Counts, JobState
from tests.handlers.asks.test_asks import asking, ledger, set_up, texts
from tests.handlers.asks.test_batches import Batched
from tests.handlers.conftest import ANN

__all__ = ["asking"]

PRICE = "price = {call = 0.001, batch = 0.5}"
MEMORY = {"blobs_url": "memory:", "store_url": "memory:"}


class Whole(Batched):
    """Answers every question of a batch, unless `fails` has errors that come first."""

    done = True
    fails: list[Exception]
    """What `collect` raises, one each time."""
    away: list[Exception]
    """What `submit` raises, one each time, after it took the questions."""
    asks_raise: Exception | None = None

    async def ask(self, question, deadline):
        if self.asks_raise is not None:
            raise self.asks_raise
        return await super().ask(question, deadline)

    async def submit(self, questions, key):
        if len(questions) < self.least:
            raise QuestionRefused("takes more at once")
        name = await super().submit(questions, key)
        if self.away:
            raise self.away.pop(0)
        return name

    async def collect(self, batch: str) -> Mapping[str, Answer | str] | None:
        if self.fails:
            raise self.fails.pop(0)
        if not self.done:
            return None
        asked = self.handed_in[batch.removeprefix("batch-")]
        return {name: self._answer(question) for name, question in asked}

    @property
    def questions(self) -> list[str]:
        """Which were handed in."""
        return [name for some in self.handed_in.values() for name, _ in some]


@pytest.fixture
async def whole(asking, monkeypatch):
    """Give what begins a service whose first provider takes batches, and that provider."""
    monkeypatch.setattr(asks, "LOOK_AGAIN_MS", 1)

    async def begin(providers: str | None = None, prices: Prices | None = None):
        said = providers or set_up("one", one=f'address = "echo:m?say=yes"\n{PRICE}')
        works = await asking(said, **MEMORY)
        panel, first = works.app.parts.models.panel, list[Whole]()
        panel.prices = prices or panel.prices
        usual = panel.open

        def opening(configured):
            if first:
                return usual(configured)
            provider = Whole(configured, Address.of(configured.address, {}, Echo.options))
            provider.handed_in, provider.stopped = {}, []
            provider.fails, provider.away = [], []
            first.append(provider)
            return provider

        panel.open = opening
        await panel.close()
        await panel.seat(await works.app.parts.models.chains.find("one"))
        return works, first[0]

    return begin


async def booked(works, job) -> int:
    """Return what a job cost, with its purses closed."""
    await works.app.handlers()["close_purses"].sweep(young_ms=0)
    assert not [purse async for purse in works.app.repositories.spending.purses(job.id)]
    return await works.app.repositories.spending.taken(job.id)


def costs(rows) -> list[tuple[AttemptState, int]]:
    return sorted((row.state, row.cost) for row in rows)


async def test_nobody_hands_in_without_a_price_where_there_is_a_budget(whole):
    works, one = await whole(set_up("one", one='address = "echo:m?say=yes"'), Prices({}, {}))
    files = await texts(works, *"abcd")
    job = await works.run(files, "say", batch=True, klass="bulk", budget=0.000001)
    assert {row.code for row in await works.rows(job)} == {"budget_exceeded"}
    assert not one.handed_in
    assert not await ledger(works, job)


async def test_what_is_asked_about_all_goes_as_no_batch(whole):
    works, one = await whole()
    files = await texts(works, *"abcd")
    job = await works.run(files, ("say", {"together": True}), batch=True, klass="bulk")
    assert job.state is JobState.SUCCEEDED
    assert not one.handed_in
    assert costs(await ledger(works, job)) == [(AttemptState.ANSWERED, 1000)]


async def test_each_next_question_goes_as_a_batch_too(whole):
    works, one = await whole()
    files = await texts(works, *"abcd")
    job = await works.run(files, ("say", {"questions": 3}), batch=True, klass="bulk", budget=1)
    assert job.counts == Counts(succeeded=4)
    assert [len(some) for some in one.handed_in.values()] == [4, 4, 4]
    assert costs(await ledger(works, job)) == [(AttemptState.ANSWERED, 500)] * 12
    assert await booked(works, job) == 6000
    (row, *_) = await works.rows(job)
    assert [said["question"] for said in row.report["answered"]] == [
        f"question-{n}" for n in range(3)
    ]


async def test_a_batch_that_fails_as_a_whole_is_asked_one_by_one_of_the_next(whole):
    said = set_up("one", "two", one=f'address = "echo:m"\n{PRICE}',
                  two=f'address = "echo:n?say=fine"\n{PRICE}')  # fmt: skip
    works, one = await whole(said)
    one.fails = [ProviderRefused("could not work on a batch")]
    one.asks_raise = ProviderRefused("wrong role")
    files = await texts(works, *"abcd")
    job = await works.run(files, "say", batch=True, klass="bulk", budget=0.004)
    assert job.counts == Counts(succeeded=4), "what was reserved for the batch was not given back"
    assert costs(await ledger(works, job)) == sorted(
        [(AttemptState.REFUSED, 0)] * 8 + [(AttemptState.ANSWERED, 1000)] * 4
    )
    assert await booked(works, job) == 4000


@pytest.mark.parametrize("rows", [0, 2])
async def test_a_batch_that_was_cut_off_before_its_rows_is_handed_in_anew(whole, monkeypatch, rows):
    works, one = await whole()
    kept, cut = batch.keep, []

    async def keep(journal, some, *, new=False):
        if new and not cut:
            cut.append(some)
            await kept(journal, some[:rows], new=True)
            raise Unavailable("the store is away")
        await kept(journal, some, new=new)

    monkeypatch.setattr(batch, "keep", keep)
    files = await texts(works, *"abcd")
    job = await works.run(files, "say", batch=True, klass="bulk", budget=0.002)
    assert job.counts == Counts(succeeded=4)
    assert sorted(one.questions) == [f"{n}/question-0" for n in range(4)]
    assert costs(await ledger(works, job)) == sorted(
        [(AttemptState.UNAVAILABLE, 0)] * rows + [(AttemptState.ANSWERED, 500)] * 4
    )
    assert await booked(works, job) == 2000


async def test_a_provider_that_is_away_while_a_batch_waits_uses_no_attempts(whole, monkeypatch):
    works, one = await whole()
    seen = []

    def away():
        return ProviderUnavailable("the service is away")

    real = asks.Asks.run

    async def run(self, lease):
        seen.append(lease.unit.attempts)
        await real(self, lease)

    monkeypatch.setattr(asks.Asks, "run", run)
    one.away, one.fails = [away(), away()], [Unavailable("the store is"), away(), away()]
    job = await works.run(await texts(works, *"abcd"), "say", batch=True, klass="bulk")
    assert job.counts == Counts(succeeded=4)
    assert [*filter(None, seen)] == [1], "what failed once counts until it is waited again"
    assert (len(seen) >= 6, seen[-1]) == (True, 0)
    assert len(one.handed_in) == 1, "it was handed in under another key"
    assert costs(await ledger(works, job)) == [(AttemptState.ANSWERED, 500)] * 4


@pytest.mark.parametrize("handed_in", [False, True])
async def test_a_batch_is_not_waited_for_for_ever(whole, monkeypatch, handed_in):
    monkeypatch.setattr(batching, "ANSWER_MS" if handed_in else "HAND_IN_MS", 0)
    works, one = await whole()
    one.done, one.away = False, [] if handed_in else [ProviderUnavailable("away", lost=True)]
    job = await works.run(await texts(works, *"abcd"), "say", batch=True, klass="bulk", budget=1)
    assert job.counts == Counts(succeeded=4)
    assert costs(await ledger(works, job)) == sorted(
        [(AttemptState.UNKNOWN, 500)] * 4 + [(AttemptState.ANSWERED, 1000)] * 4
    )
    assert await booked(works, job) == 6000, "it may have been paid for"


async def test_long_answers_and_what_goes_on_with_them(whole):
    said = 'address = "echo:m?length=300000&output_tokens=100000"\n' + PRICE
    works, one = await whole(set_up("one", one=said))
    step = ("prompt", {"prompt": "x", "max_tokens": 50_000})
    job = await works.run(await texts(works, *"abc"), step, batch=True, klass="bulk")
    assert job.counts == Counts(succeeded=3)
    rows = await ledger(works, job)
    assert {(row.name, row.cost) for row in rows} == {("answer", 500), ("continue-1", 1000)}
    assert {len(some) for some in one.handed_in.values()} == {3}
    found = await works.rows(job)
    assert [row.files[0].size for row in found] == [300_001] * 3


async def test_a_batch_is_stopped_when_its_job_is_cancelled(whole):
    works, one = await whole()
    one.done, units = False, works.app.repositories.units
    job = await works.submit(await texts(works, *"abcd"), "say", batch=True, klass="bulk", budget=1)
    async with asyncio.timeout(60):
        while not ((unit := await units.get(job.id, 0)) and name_of(unit)):
            await asyncio.sleep(0.02)
    await works.app.jobs.cancel(ANN, job.id)
    assert (await works.ended(job)).state is JobState.CANCELLED
    assert await booked(works, job) == 4 * 500, "some of it may be paid for"
    assert one.stopped == [name_of(unit)]


async def test_nobody_else_is_asked_for_a_batch(whole):
    said = set_up("one", "two", one=f'address = "echo:m"\n{PRICE}',
                  two=f'address = "echo:n?say=fine"\n{PRICE}')  # fmt: skip
    works, one = await whole(said)
    one.done, panel = False, works.app.parts.models.panel
    job = await works.submit(await texts(works, *"abcd"), "say", batch=True, klass="bulk", budget=1)
    async with asyncio.timeout(60):
        while not one.handed_in:
            await asyncio.sleep(0.02)

    def opening(configured):
        if configured.name == "one":
            raise ConfigurationError("Its key cannot be read.")
        return Whole(configured, Address.of(configured.address, {}, Echo.options))  # knows no batch

    panel.open = opening
    await panel.close()
    assert (await works.ended(job)).counts == Counts(succeeded=4)
    assert {row.data["said"][0] for row in await works.rows(job)} == {"fine"}
    assert await booked(works, job) == 4 * 500 + 4 * 1000, "the batch may be paid for too"


def name_of(unit) -> str:
    return (unit.payload.get("batch") or {}).get("name", "")
