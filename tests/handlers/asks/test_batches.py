"""Questions that go as a batch: handed in once, paid at its price, collected when it is done."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.echo import Echo
from mediamill.adapters.providers.port import Answer, Question
from mediamill.core.errors import QuestionRefused
from mediamill.handlers.asks import asks
from mediamill.store.repositories.attempts import AttemptState
from mediamill.store.repositories.jobs import Counts, JobState
from tests.handlers.asks.test_asks import asking, ledger, set_up, texts

__all__ = ["asking"]


class Batched(Echo):
    """The test provider, which takes batches too; they are done when a test says so."""

    least = 3
    handed_in: dict[str, list[tuple[str, Question]]]
    stopped: list[str]
    done = False
    refuses: Exception | None = None

    async def submit(self, questions: Sequence[tuple[str, Question]], key: str) -> str:
        if self.refuses is not None:
            raise self.refuses
        self.handed_in[key] = [*questions]
        return f"batch-{key}"

    async def collect(self, batch: str) -> Mapping[str, Answer | str] | None:
        if not self.done:
            return None
        found: dict[str, Answer | str] = {}
        for n, (name, question) in enumerate(self.handed_in[batch.removeprefix("batch-")]):
            found[name] = "It was not understood." if n == 1 else self._answer(question)
        return found

    async def stop(self, batch: str) -> None:
        self.stopped.append(batch)

    def _answer(self, question: Question, *more, **others) -> Answer:
        return super()._answer(question, *(more or ("end",)), **({"empty": False} | others))


@pytest.fixture
async def batched(asking, monkeypatch):
    """Give a service whose one provider takes batches, and that provider."""
    monkeypatch.setattr(asks, "LOOK_AGAIN_MS", 200)
    works = await asking(
        set_up("one", one='address = "echo:m?say=yes"\nprice = {call = 0.001, batch = 0.5}')
    )
    panel, opened = works.app.parts.models.panel, []

    def opening(configured):
        provider = Batched(configured, Address.of(configured.address, {}, Echo.options))
        provider.handed_in, provider.stopped = {}, []
        opened.append(provider)
        return provider

    panel.open = opening
    await panel.close()
    return works, opened


async def until(said) -> None:
    async with asyncio.timeout(60):
        while not said():
            await asyncio.sleep(0.05)


async def test_a_batch_is_handed_in_and_collected(batched):
    works, opened = batched
    files = await texts(works, *"abcd")
    job = await works.submit(files, ("say", {"questions": 1}), batch=True, klass="bulk", budget=1)
    await until(lambda: opened and opened[0].handed_in)
    await works.worker.pause()
    await works.worker.resume()  # another claim goes on
    await works.app.handlers()["close_purses"].sweep(young_ms=0)
    rows = await ledger(works, job)
    assert {row.state for row in rows} == {AttemptState.ASKED}, "a purse was closed under a batch"
    assert await works.app.repositories.spending.taken(job.id) >= 4 * 500
    (provider,) = opened
    provider.done = True
    job = await works.ended(job)
    assert (job.state, job.counts) == (JobState.SUCCEEDED, Counts(succeeded=4))
    assert len(provider.handed_in) == 1
    rows = await ledger(works, job)
    states = [row.state for row in rows]
    assert (len(rows), states.count(AttemptState.ANSWERED)) == (5, 4)
    costs = {(row.state, row.cost) for row in rows}
    assert costs == {
        (AttemptState.ANSWERED, 500), (AttemptState.ANSWERED, 1000),
        (AttemptState.UNAVAILABLE, 0),
    }, "what the batch left out is asked for at the full price"  # fmt: skip
    assert await works.app.repositories.spending.taken(job.id) == 3 * 500 + 1000


async def test_too_little_for_a_batch_is_asked_at_once(batched):
    works, opened = batched
    job = await works.run(await texts(works, "a", "b"), "say", batch=True, klass="bulk")
    assert job.counts == Counts(succeeded=2)
    assert not opened[0].handed_in


async def test_a_batch_that_is_refused_is_asked_one_by_one(batched, monkeypatch):
    works, _ = batched
    monkeypatch.setattr(Batched, "refuses", QuestionRefused("no batches here"))
    job = await works.run(await texts(works, *"abcd"), "say", batch=True, klass="bulk")
    assert job.counts == Counts(succeeded=4)
    rows = await ledger(works, job)
    assert sum(row.state is AttemptState.ANSWERED for row in rows) == 4
    assert await works.app.repositories.spending.taken(job.id) == 4000


async def test_a_batch_is_not_handed_in_where_it_may_cost_too_much(batched):
    works, opened = batched
    files = await texts(works, *"abcdefgh")
    job = await works.run(files, "say", batch=True, klass="bulk", budget=0.003)
    assert not opened[0].handed_in
    assert job.counts == Counts(succeeded=3, failed=5)
