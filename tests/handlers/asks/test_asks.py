"""Jobs that ask models: whatever is cut off, each call is kept and paid for once."""

import asyncio
from collections import Counter

import pytest

from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput
from mediamill.engine.asking.money import call_fact
from mediamill.store.repositories.attempts import AttemptState
from mediamill.store.repositories.figures import About
from mediamill.store.repositories.jobs import Counts, JobState
from mediamill.store.repositories.spending import month_of
from tests.handlers.conftest import ANN, Works, working
from tests.support.places import EACH_STORE
from tests.support.recounting import figures, of_facts

BOB = Principal("user_bob")
PRICE = "price = {call = 0.001, output = 10}"


@pytest.fixture
async def asking(tmp_path):
    """Give a service with the providers that a test sets up."""
    stack = []

    async def begin(providers: str, **more) -> Works:
        path = tmp_path / "providers.toml"
        path.write_text(providers)
        manager = working(tmp_path / "home", providers=str(path), **{"prompt_chain": ""} | more)
        stack.append(manager)
        return await manager.__aenter__()

    yield begin
    for manager in stack:
        await manager.__aexit__(None, None, None)


def set_up(*chain: str, **providers: str) -> str:
    text = f"[chains]\nprompt = {list(chain)}\n"
    for name, said in providers.items():
        text += f"[providers.{name}]\n{said}\n"
    return text


async def texts(works: Works, *names: str, who: Principal = ANN) -> list[str]:
    return [await works.upload(f"{n}.txt", f"text {n}".encode(), who) for n in names]


async def ledger(works: Works, job) -> list:
    return [row async for row in works.app.repositories.attempts.walk_job(job.id)]


@pytest.mark.places(*EACH_STORE)
async def test_each_file_is_asked_about_and_the_answer_kept(asking):
    works = await asking(set_up("one", one=f'address = "echo:m?say=yes"\n{PRICE}'))
    files = await texts(works, "a", "b", "c")
    job = await works.run(files, ("say", {"questions": 2}))
    assert (job.state, job.counts) == (JobState.SUCCEEDED, Counts(succeeded=3))
    rows = await works.rows(job)
    assert [row.data for row in rows] == [{"said": ["yes", "yes"]}] * 3
    assert [row.files[0].name for row in rows] == ["a.txt.md", "b.txt.md", "c.txt.md"]
    assert await works.bytes(rows[0]) == b"yes\nyes"
    assert rows[0].report["answered"][0] == {
        "question": "question-0", "provider": "one", "model": "m",
    }  # fmt: skip
    kept = await ledger(works, job)
    assert [(row.item, row.name, row.number, row.state) for row in kept] == [
        (n, f"question-{k}", 0, AttemptState.ANSWERED) for n in range(3) for k in range(2)
    ]
    cost = sum(row.cost for row in kept)
    assert all(0 < row.cost <= row.reserved for row in kept)
    spending, month = works.app.repositories.spending, month_of(kept[0].began)
    await works.app.handlers()["close_purses"].sweep(young_ms=0)
    assert await spending.taken(job.id) == cost
    assert await spending.taken("user_ann", month) == cost
    assert await spending.taken("everybody", month) == cost
    (sum_,) = (await spending.of_month("user_ann", month)).rows
    assert (sum_.calls, sum_.failed, sum_.cost, sum_.operation) == (6, 0, cost, "say")
    assert not [purse async for purse in spending.purses(job.id)]
    counted = await figures(works.app.store, About.CALLS)
    assert counted == of_facts(call_fact(row) for row in kept)


async def test_the_next_provider_answers_and_is_named(asking):
    works = await asking(
        set_up("bad", "long", "good", bad='address = "echo:x?fault=500*"',
               long='address = "echo:y?length=300"', good='address = "echo:z?say=fine"')
    )  # fmt: skip
    files = await texts(works, "a")
    job = await works.run(files, ("say", {"longest": 100}))
    (row,) = await works.rows(job)
    assert row.report["answered"] == [{"question": "question-0", "provider": "good", "model": "z"}]
    states = [(one.provider, one.state) for one in await ledger(works, job)]
    assert states == [
        *[("bad", AttemptState.UNAVAILABLE)] * 3, ("long", AttemptState.INVALID),
        ("good", AttemptState.ANSWERED),
    ]  # fmt: skip


@pytest.mark.places(*EACH_STORE)
async def test_a_budget_stops_a_job_before_it_is_exceeded(asking):
    works = await asking(set_up("one", one=f'address = "echo:m?say=yes"\n{PRICE}'))
    files = await texts(works, *map(str, range(40)))
    budget = 0.02
    job = await works.run(files, "say", budget=budget)
    kept = await ledger(works, job)
    cost = sum(row.cost for row in kept)
    assert 0 < cost <= budget * 1e6
    assert cost + max(row.reserved for row in kept) > budget * 1e6, "it stopped too early"
    failed = [row for row in await works.rows(job) if row.code]
    assert {row.code for row in failed} == {"budget_exceeded"}
    assert "the job's budget of $0.02 has $0.00" in failed[0].error
    assert len(failed) == 40 - len(kept)
    await works.app.handlers()["close_purses"].sweep(young_ms=0)  # of the claim that ended last
    assert await works.app.repositories.spending.taken(job.id) == cost


async def test_a_budget_of_all_bounds_everybody(asking):
    works = await asking(
        set_up("one", one=f'address = "echo:m?say=yes"\n{PRICE}'), budget=0.01, user_budget=0.006
    )
    mine, others = await texts(works, *"abcdefgh"), await texts(works, *"ijklmnop", who=BOB)
    jobs = [await works.run(mine, "say"), await works.run(others, "say", who=BOB)]
    costs = [sum(row.cost for row in await ledger(works, job)) for job in jobs]
    assert all(0 < cost <= 6_000 for cost in costs)
    assert sum(costs) <= 10_000
    assert all(job.counts.failed for job in jobs)


async def test_nobody_asks_without_a_price_where_there_is_a_budget(asking):
    works = await asking(set_up("one", one='address = "openai:unheard-of?base_url=http://[::1]:9"'))
    job = await works.run(await texts(works, "a"), "say", budget=1)
    (row,) = await works.rows(job)
    assert (row.code, "set its price" in row.error) == ("budget_exceeded", True)


async def test_without_providers_the_error_says_what_to_do(asking):
    works = await asking("")
    with pytest.raises(InvalidInput, match="No model is set up for prompts here") as caught:
        await works.submit(await texts(works, "a"), "say")
    assert caught.value.details["errors"][0]["pointer"] == "steps.0.operation"
    with pytest.raises(InvalidInput, match="There is no provider called “openai:x”"):
        await works.submit(await texts(works, "a"), ("say", {"providers": ["openai:x"]}))


async def test_what_was_answered_is_not_asked_again_by_a_retry_or_another_job(asking):
    works = await asking(
        set_up("one", "two", one='address = "echo:m?length=60&fault=declined&share=0.6"',
               two='address = "echo:n?fault=declined*"')
    )  # fmt: skip
    files = await texts(works, *"abcdefgh")
    first = await works.run(files, ("say", {"questions": 2}))
    assert 0 < first.counts.failed < 8
    good = [row for row in await ledger(works, first) if row.state is AttemptState.ANSWERED]
    again = await works.ended(await works.app.jobs.retry(ANN, first.id))
    assert again.counts.failed < first.counts.failed
    rows = await ledger(works, first)
    calls = Counter((row.item, row.name) for row in rows if row.state is AttemptState.ANSWERED)
    assert set(calls.values()) == {1}, "an answer was bought twice"
    assert {(row.item, row.name) for row in good} <= calls.keys()
    other = await works.run(files, ("say", {"questions": 2}))
    assert other.counts.reused == again.counts.succeeded + again.counts.reused


async def test_all_are_asked_about_at_once(asking):
    works = await asking(set_up("one", one='address = "echo:m?say=all of them"'))
    files = [*await texts(works, "a", "b"), await works.upload("bad.txt", b"x")]
    job = await works.run(files, ("say", {"together": True}))
    assert (job.state, job.stages, job.failed_earlier) == (JobState.PARTIAL, 2, 1)
    (row,) = await works.rows(job)
    assert row.data == {"said": "all of them", "names": ["a.txt", "b.txt"]}


async def test_a_job_is_cancelled_while_models_are_asked(asking):
    works = await asking(
        set_up("one", one='address = "echo:m?delay=30"\n' + PRICE), lease_seconds=6
    )
    job = await works.submit(await texts(works, "a", "b"), "say")
    while len(await ledger(works, job)) < 2:
        await asyncio.sleep(0.05)
    await works.app.jobs.cancel(ANN, job.id)
    job = await works.ended(job)
    assert (job.state, job.counts.cancelled) == (JobState.CANCELLED, 2)
    rows = await ledger(works, job)
    spending = works.app.repositories.spending
    purses = works.app.handlers()["close_purses"]
    while [purse async for purse in spending.purses(job.id)]:
        await purses.sweep(young_ms=0)
        await asyncio.sleep(0.05)
    rows = await ledger(works, job)
    assert {row.state for row in rows} == {AttemptState.UNKNOWN}
    assert await spending.taken(job.id) == sum(row.reserved for row in rows)
