"""What model calls cost: told before, kept call by call, summed after, bounded by budgets."""

import asyncio
import csv
import io
import json

import pytest
import pytest_asyncio

from mediamill.store.port import Put, Update
from mediamill.store.repositories.spending import Account, Spent
from mediamill.store.repositories.users import Role, User
from tests.support.serving import working
from tests.web.conftest import person
from tests.web.one_service import ann, bob, mill, web  # noqa: F401 - fixtures
from tests.web.test_uploading import PNG

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"caption_chain": "bad,good", "user_budget": 20.0}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def root(mill, web):
    """An administrator, who has set up two providers."""
    async with person(web, "boss") as boss:
        await mill.store.transact(Update(User, (boss.id,), set={"role": Role.ADMIN}))
        listed = (await boss.client.get("/v1/providers")).json()["data"]
        assert [(one["name"], one["health"]["state"]) for one in listed] == [
            ("bad", "broken"), ("good", "broken"),
        ], "a chain names them, and nobody has set them up"  # fmt: skip
        price = {"call": 0.01}
        for name, address in (("bad", "echo:b?fault=declined*"), ("good", "echo:g")):
            body = {"name": name, "address": address, "price": price}
            answer = await boss.client.post("/v1/providers", json=body)
            assert answer.status_code == 201, answer.text
        yield boss


def asked(files, **more):
    parameters = {"variants": ["concise"]}
    return {"files": files, "steps": [{"operation": "caption", "parameters": parameters}], **more}


async def uploaded(client, n=1):
    found = []
    for place in range(n):
        name = f"/v1/files?name=dot-{place}.png"
        found.append((await client.post(name, content=PNG)).json()["id"])
    return found


async def done(mill, client, body):
    job = (await client.post("/v1/jobs", json=body)).json()
    assert "id" in job, job
    async with working(mill):
        return (await client.get(f"/v1/jobs/{job['id']}?wait=30")).json()


async def test_a_job_is_estimated_paid_and_told_call_by_call(mill, root, ann, bob):
    files = await uploaded(ann.client, 2)
    plan = await ann.client.post("/v1/jobs?dry_run=true", json=asked(files, budget=3))
    assert plan.status_code == 200, plan.text
    (ask,) = plan.json()["asks"]
    assert (ask["providers"], ask["calls"], plan.json()["budget"]) == (["bad", "good"], 2, 3)
    assert ask["expected"] == pytest.approx(0.02)
    assert ask["at_most"] == pytest.approx(0.08), "both, and two repeats"
    job = await done(mill, ann.client, asked(files, budget=3, reuse=False))
    assert job["state"] == "succeeded", (await ann.client.get(f"/v1/jobs/{job['id']}/items")).text
    money = job["spending"]
    assert (money["cost"], money["held"], money["budget"]) == (pytest.approx(0.02), 0, 3)
    sums = {row["provider"]: (row["calls"], row["failed"]) for row in money["spent"]}
    assert sums == {"bad": (2, 2), "good": (2, 0)}
    here = f"/v1/jobs/{job['id']}"
    items = (await ann.client.get(f"{here}/items")).json()["data"]
    assert [item["spending"] for item in items] == [
        {"cost": 0.01, "calls": 2, "providers": ["good"]}
    ] * 2
    await ledger(ann.client, here, money["cost"])
    mine = (await ann.client.get("/v1/spending")).json()
    assert mine["cost"] == pytest.approx(money["cost"])
    assert mine["budget"]["left"] == pytest.approx(20 - money["cost"])
    assert {row["provider"] for row in mine["spent"]} == {"bad", "good"}
    assert (await bob.client.get("/v1/spending")).json()["spent"] == []
    text = (await ann.client.get("/v1/spending.csv")).text
    assert {row["provider"] for row in csv.DictReader(io.StringIO(text))} == {"bad", "good"}
    await administered(root.client, ann, money["cost"])
    metrics = (await root.client.get("/metrics")).text
    assert 'mediamill_model_calls_total{outcome="declined",provider="bad"} 2.0' in metrics
    assert 'mediamill_model_cost_dollars_total{provider="good"} 0.02' in metrics
    assert 'mediamill_model_call_seconds_count{provider="good"} 2.0' in metrics
    assert 'mediamill_provider_resting{provider="bad"} 0.0' in metrics
    ready = (await root.client.get("/health/ready")).json()
    assert ready["models"] == {"caption": "ok", "label": "not set up", "prompt": "not set up"}
    again = (await ann.client.post("/v1/jobs?dry_run=true", json=asked(files))).json()["asks"][0]
    assert again["expected"] == 0, "it was all done before"


async def ledger(client, here, cost):
    page = (await client.get(f"{here}/attempts?limit=3")).json()
    rows = list(page["data"])
    while page["has_more"]:
        page = (await client.get(f"{here}/attempts?limit=3&after={page['after']}")).json()
        rows += page["data"]
    assert [(row["item"], row["provider"], row["state"]) for row in rows] == [
        (item, *one) for item in (0, 1) for one in [("bad", "declined"), ("good", "answered")]
    ]
    assert sum(row["cost"] for row in rows) == pytest.approx(cost)
    assert "will not answer" in rows[0]["error"]
    one = (await client.get(f"{here}/attempts?item=1")).json()["data"]
    assert one == [row for row in rows if row["item"] == 1]
    lines = (await client.get(f"{here}/attempts.jsonl")).text.splitlines()
    assert [json.loads(line) for line in lines] == rows
    exported = (await client.get(f"{here}/attempts.csv")).text
    found = [*csv.DictReader(io.StringIO(exported))]
    assert [row["provider"] for row in found] == [row["provider"] for row in rows]


async def administered(root, ann, cost):
    """What an administrator sees of Ann's."""
    rows = (await root.get("/v1/spending/users")).json()["data"]
    hers = [row for row in rows if row["user"] == ann.id]
    assert sum(row["cost"] for row in hers) == pytest.approx(cost)
    assert {row["email"] for row in hers} == {ann.email}
    assert {row["user"] for row in rows} >= {ann.id}
    assert not [row for row in rows if row["user"].startswith("job_")]
    text = (await root.get("/v1/spending/users.csv")).text
    assert ann.email in text
    everybody = (await root.get("/v1/spending/everybody")).json()
    assert everybody["taken"] >= cost
    assert (await root.get("/v1/spending?month=2026-13")).status_code == 422


async def test_a_budget_of_an_administrator_goes_before_the_settings(mill, root, ann):
    path = f"/v1/budgets/{ann.id}"
    assert (await root.client.get(path)).json()["monthly"] == 20
    told = (await root.client.put(path, json={"monthly": 0.015})).json()
    assert (told["monthly"], told["own"], told["left"]) == (0.015, True, 0.015)
    assert (await root.client.get("/v1/budgets")).json()["data"][0]["scope"] == ann.id
    files = await uploaded(ann.client, 2)
    job = await done(mill, ann.client, asked(files, reuse=False))
    assert job["spending"]["cost"] <= 0.015
    items = (await ann.client.get(f"/v1/jobs/{job['id']}/items")).json()["data"]
    assert [item["code"] for item in items if item["state"] == "failed"] == ["budget_exceeded"]
    assert "$0.015" in next(item["error"] for item in items if item["error"])
    assert (await root.client.delete(path)).status_code == 204
    assert (await root.client.get(path)).json()["monthly"] == 20
    assert (await root.client.put(path, json={"monthly": None})).json()["left"] is None
    await root.client.delete(path)
    assert (await root.client.get("/v1/budgets/user_nobody")).status_code == 404
    assert (await root.client.put(path, json={"monthly": -1})).status_code == 422


async def test_a_retry_with_more_money_goes_on(mill, root, ann):
    body = asked(await uploaded(ann.client, 3), reuse=False, budget=0.015)
    job = await done(mill, ann.client, body)
    assert (job["state"], job["counts"]["succeeded"], job["spending"]["cost"]) == (
        "partial", 1, pytest.approx(0.01),
    )  # fmt: skip
    here = f"/v1/jobs/{job['id']}"
    again = await ann.client.post(f"{here}/retry?budget=0.035")
    assert again.json()["spending"]["budget"] == 0.035
    async with working(mill):
        job = (await ann.client.get(f"{here}?wait=30")).json()
    assert (job["state"], job["spending"]["cost"]) == ("succeeded", pytest.approx(0.03))
    assert (await ann.client.post(f"{here}/retry?budget=-1")).status_code == 422


async def test_a_job_that_is_removed_takes_its_ledger_with_it(mill, root, ann):
    job = await done(mill, ann.client, asked(await uploaded(ann.client), reuse=False))
    spent = (await ann.client.get("/v1/spending")).json()
    assert (await ann.client.delete(f"/v1/jobs/{job['id']}?now=true")).status_code == 204
    nouns = mill.repositories
    async with working(mill), asyncio.timeout(60):
        while await nouns.jobs.get(job["id"]):
            await asyncio.sleep(0.1)
    assert (await nouns.attempts.of_job(job["id"])).rows == ()
    assert await nouns.spending.all_of(job["id"]) == []
    assert await mill.store.get(Account, job["id"], "") is None
    assert (await ann.client.get("/v1/spending")).json() == spent, "what was paid was paid"


async def test_what_an_earlier_step_makes_is_counted_where_no_price_is_known(root, ann):
    steps = [{"operation": "augment", "parameters": {"methods": ["rotate"], "copies": 3}},
             {"operation": "caption", "parameters": {}}]  # fmt: skip
    body = {"files": await uploaded(ann.client), "steps": steps}
    plan = await ann.client.post("/v1/jobs?dry_run=true", json=body)
    (ask,) = plan.json()["asks"]
    assert (ask["step"], ask["inputs"], ask["inputs_are"], ask["calls"]) == (1, 3, "exact", 3)
    assert ask["at_most"] == pytest.approx(0.12), "both of each, and two repeats"
    away = {"address": "openai:own", "price": None, "base_url": "http://127.0.0.1:1/v1"}
    await root.client.patch("/v1/providers/bad", json=away)
    plan = await ann.client.post("/v1/jobs?dry_run=true", json=asked(body["files"]))
    (ask,) = plan.json()["asks"]
    assert (ask["calls"], ask["expected"], ask["at_most"]) == (1, None, None), "no price is known"


async def test_many_users_are_listed_exported_and_shown(mill, root):
    for n in range(0, 260, 20):
        rows = [
            Spent(owner=f"user_{place:03}", month="2020-02", operation="caption", provider="good",
                  model="m", calls=1, cost=place)
            for place in range(n, n + 20)
        ]  # fmt: skip
        await mill.store.transact(*map(Put, rows))
    text = (await root.client.get("/v1/spending/users.csv?month=2020-02")).text
    found = [*csv.DictReader(io.StringIO(text))]
    assert [row["user"] for row in found] == [f"user_{n:03}" for n in range(260)]
    page = await root.client.get("/spending?month=2020-02", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert page.text.index("user_259") < page.text.index("user_100"), "the dearest come first"


async def test_no_cell_is_a_formula(mill, root, ann):
    row = Spent(owner=ann.id, month="2020-01", operation="caption", provider="=1+1", model="@x",
                calls=1, cost=5)  # fmt: skip
    await mill.store.transact(Put(row))
    text = (await ann.client.get("/v1/spending.csv?month=2020-01")).text
    assert "'=1+1,'@x" in text
