"""Who has a budget is told when it is nearly spent, and when it is: by mail and event, once."""

import asyncio
from collections import Counter
from email import message_from_bytes
from email.policy import default

import pytest
import pytest_asyncio

from mediamill.store.port import Update
from mediamill.store.repositories.spending import EVERYBODY, BudgetNotice
from mediamill.store.repositories.users import Role, User
from tests.support.serving import working
from tests.web.conftest import person
from tests.web.one_service import ann, bob, mill, there, web  # noqa: F401 - fixtures
from tests.web.test_uploading import PNG

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"caption_chain": "good", "fetch_allow": "127.0.0.1:*"}
STEPS = [{"operation": "caption", "parameters": {"variants": ["concise"]}}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def boss(mill, web):
    """An administrator, who has set up a provider that takes a cent a call."""
    async with person(web, "boss") as boss:
        await mill.store.transact(Update(User, (boss.id,), set={"role": Role.ADMIN}))
        body = {"name": "good", "address": "echo:g", "price": {"call": 0.01}}
        answer = await boss.client.post("/v1/providers", json=body)
        assert answer.status_code == 201, answer.text
        yield boss


def mails(mill):
    files = sorted((mill.settings.home / "outbox").glob("*.eml"))
    letters = [message_from_bytes(file.read_bytes(), policy=default) for file in files]
    return [letter for letter in letters if "budget" in letter["Subject"]]


async def asked(mill, somebody, count):
    """Run a job that asks about so many pictures; return its id once its spending is booked."""
    client = somebody.client
    sent = [await client.post(f"/v1/files?name={n}.png", content=PNG) for n in range(count)]
    files = [answer.json()["id"] for answer in sent]
    body = {"files": files, "steps": STEPS, "reuse": False, "notify": {"email": False}}
    job = (await client.post("/v1/jobs", json=body)).json()["id"]
    ended = (await client.get(f"/v1/jobs/{job}?wait=60")).json()
    assert ended["finished_at"], ended
    sweep = mill.handlers()["close_purses"].sweep
    async with asyncio.timeout(60):
        while [purse async for purse in mill.repositories.spending.purses(job)]:
            await asyncio.sleep(0.05)
            await sweep(young_ms=0)  # of a claim that was lost
    return job


async def until(count, mill):
    async with asyncio.timeout(60):
        while len(mails(mill)) < count:
            await asyncio.sleep(0.02)
    return mails(mill)


async def test_an_owner_is_told_once_of_each_part(mill, boss, bob, there):
    await boss.client.put(f"/v1/budgets/{bob.id}", json={"monthly": 0.055})
    hook = {"url": there.url(), "types": ["budget.*"]}
    assert (await bob.client.post("/v1/webhooks", json=hook)).status_code == 201
    async with working(mill):
        jobs = [await asked(mill, bob, 5)]
        (near,) = await until(1, mill)
        jobs.append(await asked(mill, bob, 1))
        _, reached = await until(2, mill)
        jobs.append(await asked(mill, bob, 1))
        await there.wait(2)
    month = (await bob.client.get("/v1/spending")).json()["month"]
    assert {near["To"], reached["To"]} == {bob.email}
    assert near["Subject"].endswith("is 90 % used")
    assert "$0.05 of $0.055 is spent" in near.get_body(("plain",)).get_content()
    assert reached["Subject"].endswith("has too little left for a call")
    text = reached.get_body(("plain",)).get_content()
    assert "may cost $0.01 was not made: $0.005 is left" in text
    assert f"/spending?month={month}" in text
    assert "List-Unsubscribe" in reached
    assert len(mails(mill)) == len(there.got) == 2
    told = {got.event["type"]: got.event["data"] for got in there.got}
    assert told["budget.near"]["id"] == told["budget.reached"]["id"] == bob.id
    assert (told["budget.near"]["spent"], told["budget.near"]["wanted"]) == (0.05, None)
    assert (told["budget.reached"]["wanted"], told["budget.reached"]["monthly"]) == (0.01, 0.055)
    await counted(mill, bob, jobs, month)


async def counted(mill, bob, jobs, month):
    """Compare what is told by day with the ledger of all jobs."""
    calls, costs = Counter(), Counter()
    for job in jobs:
        async for row in mill.repositories.attempts.walk_job(job):
            calls[row.day] += 1
            costs[row.day] += row.cost
    mine = (await bob.client.get(f"/v1/spending?month={month}")).json()
    days = {row["day"]: row for row in mine["days"]}
    assert {day: row["calls"] for day, row in days.items()} == calls
    assert {day: round(row["cost"] * 1e6) for day, row in days.items()} == costs
    assert sum(costs.values()) == round(mine["cost"] * 1e6) == 50_000
    assert mine["budget"]["spent"] == 0.05
    page = (await bob.client.get("/spending", headers={"accept": "text/html"})).text
    assert page.count(" calls</title>") == len(days)
    assert "the mark is at 80 %" in page
    assert '<line x1="80"' in page
    empty = (await bob.client.get("/spending?month=2020-02", headers={"accept": "text/html"})).text
    assert "by-day" not in empty


async def test_administrators_are_told_of_the_budget_of_all(mill, boss, ann):
    spent = (await boss.client.get("/v1/spending/everybody")).json()["spent"]
    before, most = len(mails(mill)), round(spent + 0.01, 6)
    assert (await boss.client.put(f"/v1/budgets/{EVERYBODY}", json={"monthly": most})).is_success
    async with working(mill):
        await asked(mill, ann, 1)
        letters = (await until(before + 2, mill))[before:]
    assert {letter["To"] for letter in letters} == {"root@example.org", "boss@example.org"}
    assert {letter["Subject"].partition(" for ")[0] for letter in letters} == {"The budget of all"}
    assert len({letter["Message-ID"] for letter in letters}) == 2
    all_ = (await boss.client.get("/v1/spending/everybody")).json()
    assert (all_["spent"], all_["left"]) == (most, 0)
    assert sum(row["cost"] for row in all_["days"]) == pytest.approx(most)
    rows = await mill.store.get_many(
        BudgetNotice, [(EVERYBODY, all_["month"], round(most * 1e6), part) for part in (80, 100)]
    )
    assert [row is not None for row in rows] == [False, True]
    page = (await boss.client.get("/spending", headers={"accept": "text/html"})).text
    assert "All by day" in page
    await boss.client.delete(f"/v1/budgets/{EVERYBODY}")
