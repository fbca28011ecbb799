"""Providers, chains and trials, as administrators set them up; keys stay where they were sealed."""

import asyncio

import pytest
import pytest_asyncio

from mediamill.core.logs import configure_logging
from mediamill.core.sealing import key_of
from mediamill.services.models.sample import sample
from mediamill.store.port import Put, Update
from mediamill.store.repositories.circuits import Circuit
from mediamill.store.repositories.providers import ProviderRow
from mediamill.store.repositories.sealing import Sealings
from mediamill.store.repositories.spending import EVERYBODY, Purse
from mediamill.store.repositories.users import Role, User
from mediamill.store.schema import all_kinds
from tests.faults import rows as stored
from tests.support.providers.server import serving
from tests.support.providers.vendors import openai_error
from tests.support.serving import working
from tests.web.conftest import person
from tests.web.one_service import ann, mill, web  # noqa: F401 - fixtures
from tests.web.test_strangers import PNG

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"label_chain": "echo:labels?kinds=labels", "user_budget": 5.0}
KEY = "sk-very-secret-0123456789"
PRICE = {"input": 10.0, "output": 20.0, "call": 0.001}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def root(mill, web):
    """An administrator."""
    async with person(web, "boss") as boss:
        await mill.store.transact(Update(User, (boss.id,), set={"role": Role.ADMIN}))
        yield boss.client


async def added(root, name, status=201, **fields):
    body = {"name": name, "address": f"echo:{name}", **fields}
    answer = await root.post("/v1/providers", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def refused(answer, status, pointer=""):
    problem = answer.json()
    assert answer.status_code == status, problem
    assert pointer in [one["pointer"] for one in problem["errors"]] or not pointer, problem
    return problem


async def test_a_provider_is_set_up_changed_and_removed(mill, root):
    made = await added(root, "fast", key=KEY, price=PRICE, concurrency=4, per_minute=100)
    assert (made["has_key"], made["source"], made["concurrency"]) == (True, "page", 4)
    assert made["price"] == {"image": 0, "second": 0, "batch": 1, **PRICE}
    assert (made["health"]["state"], made["priced"]) == ("ready", "own")
    assert KEY not in str(made)
    assert (await root.post("/v1/providers", json={**_body("fast")})).status_code == 409
    changed = await root.patch("/v1/providers/fast", json={"per_minute": None, "concurrency": 8})
    told = changed.json()
    assert (told["per_minute"], told["concurrency"], told["has_key"]) == (None, 8, True)
    assert told["price"]["call"] == 0.001
    assert (await mill.parts.models.chains.find("fast")).key == KEY
    usual = (await root.patch("/v1/providers/fast", json={"price": None})).json()
    assert (usual["price"]["input"], usual["priced"]) == (0, "file")
    listed = (await root.get("/v1/providers")).json()["data"]
    (other,) = [one for one in listed if one["name"] == "echo:labels?kinds=labels"]
    assert (other["source"], other["chains"]) == ("address", ["label"])
    assert (await root.delete("/v1/providers/fast")).status_code == 204
    assert (await root.get("/v1/providers/fast")).status_code == 404


def _body(name, **fields):
    return {"name": name, "address": f"echo:{name}", **fields}


async def test_a_stored_key_goes_to_no_other_server(mill, root):
    await added(root, "kept", key=KEY)
    for change in (
        {"address": "echo:other"}, {"base_url": "http://127.0.0.1:1"}, {"region": "eu-west-1"},
        {"options": {"say": "x"}}, {"address": "echo:other", "concurrency": 2},
    ):  # fmt: skip
        problem = await refused(await root.patch("/v1/providers/kept", json=change), 422, "key")
        assert KEY not in str(problem)
    row = await mill.store.get(ProviderRow, "kept")
    assert (row.address, row.base_url, row.region, row.revision) == ("echo:kept", "", "", 1)
    moved = await root.patch("/v1/providers/kept", json={"address": "echo:b", "key": "another"})
    assert moved.status_code == 200, moved.text
    assert (await mill.parts.models.chains.find("kept")).key == "another"
    bare = await root.patch("/v1/providers/kept", json={"address": "echo:c", "key": ""})
    assert bare.json()["has_key"] is False
    free = await root.patch("/v1/providers/kept", json={"address": "echo:d"})
    assert free.status_code == 200, "there is no key to be sent"
    await root.delete("/v1/providers/kept")
    await added(root, "kept", key="the new one")
    assert (await mill.parts.models.chains.find("kept")).key == "the new one"
    await root.delete("/v1/providers/kept")


async def test_a_key_is_nowhere_in_the_clear(mill, root, capsys):
    configure_logging("json", "debug")
    await added(root, "sealed", key=KEY)
    await added(root, "sealed", 409, key=KEY)
    await added(root, "Wrong name", 422, key=KEY)
    wrong = await root.post(
        "/v1/providers", json={"name": "wrong", "address": f"echo:x?{KEY}=1", "key": KEY}
    )
    assert wrong.status_code == 422
    assert KEY not in wrong.text.replace(f"echo:x?{KEY}", "")
    listed = await root.get("/v1/providers")
    await root.post("/v1/providers/sealed/test", json={})
    assert KEY not in listed.text
    printed = capsys.readouterr()
    configure_logging("json", "error")
    assert "provider_added" in printed.out + printed.err
    assert KEY not in printed.out + printed.err
    rows = stored.rows(mill.settings.store_url, *all_kinds())
    assert KEY not in str(rows)
    row = await mill.store.get(ProviderRow, "sealed")
    assert row.secret.startswith("mm1$")
    assert row.sealed_by == key_of(row.secret)
    await root.delete("/v1/providers/sealed")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "a:b"}, "name"), ({"name": "A"}, "name"), ({"address": "nothing"}, "address"),
        ({"address": "unheard:of"}, "address"), ({"options": {"sauy": "x"}}, "address"),
        ({"address": "openai:x", "base_url": "http://user:word@h/v1"}, "base_url"),
        ({"concurrency": 0}, "concurrency"), ({"timeout": 0}, "timeout"),
        ({"price": {"input": -1}}, "price.input"), ({"owner": "me"}, "owner"),
        ({"key": "two\nlines"}, "key"), ({"key": "sécret"}, "key"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_where_it_is(root, fields, pointer):
    await refused(await root.post("/v1/providers", json={**_body("a"), **fields}), 422, pointer)


async def test_chains_are_ordered_and_fall_back_to_the_settings(mill, root):
    await added(root, "one")
    await added(root, "two")
    usual = (await root.get("/v1/chains/label")).json()
    assert (usual["source"], usual["providers"]) == ("settings", ["echo:labels?kinds=labels"])
    path, chain = "/v1/chains/caption", ["two", "one", "echo:third"]
    assert (await root.put(path, json={"providers": chain})).json()["providers"] == chain
    assert await mill.parts.models.chains.names("caption") == tuple(chain)
    assert (await root.delete("/v1/providers/one")).status_code == 409
    for wrong, place in ((["one", "none"], 1), (["nothing:x"], 0)):
        answer = await root.put(path, json={"providers": wrong})
        await refused(answer, 422, f"providers.{place}")
    await refused(await root.put(path, json={"providers": ["one", "one"]}), 422, "providers")
    assert (await root.get("/v1/chains/thumbnail")).status_code == 404
    empty = (await root.put(path, json={"providers": []})).json()
    assert (empty["providers"], empty["source"]) == ([], "")
    assert len((await root.get("/v1/chains")).json()["data"]) == 3
    for name in ("one", "two"):
        assert (await root.delete(f"/v1/providers/{name}")).status_code == 204


async def test_a_trial_tells_answer_time_use_and_cost_and_is_booked(mill, root, ann):
    await added(root, "tried", address="echo:m?say=A house.&delay=0.05", price=PRICE)
    before = (await root.get("/v1/spending")).json()["cost"]
    told = (await root.post("/v1/providers/tried/test", json={})).json()
    assert (told["ok"], told["text"], told["kind"], told["model"]) == (
        True, "A house.", "caption", "m",
    )  # fmt: skip
    assert told["milliseconds"] >= 50
    assert 0.001 < told["cost"] < 0.01
    mine = (await root.get("/v1/spending")).json()
    assert mine["cost"] - before == pytest.approx(told["cost"])
    assert mine["budget"]["taken"] == pytest.approx(mine["cost"])
    (row,) = [one for one in mine["spent"] if one["provider"] == "tried"]
    assert (row["operation"], row["calls"], row["failed"]) == ("test", 1, 0)
    labels = (await root.post("/v1/providers/echo:labels%3Fkinds=labels/test", json={})).json()
    assert (labels["ok"], labels["kind"], bool(labels["labels"])) == (True, "labels", True)
    away = {"address": "openai:nobody-knows", "base_url": "http://127.0.0.1:1/v1"}
    await added(root, "unpriced", **away)
    unpriced = await root.post("/v1/providers/unpriced/test", json={})
    assert unpriced.json()["code"] == "budget_exceeded", "there is a budget, and no price is known"
    await root.delete("/v1/providers/unpriced")
    await root.patch("/v1/providers/tried", json={"address": "echo:m?fault=500*"})
    bad = (await root.post("/v1/providers/tried/test", json={})).json()
    assert (bad["ok"], bad["code"], bad["cost"]) == (False, "provider_unavailable", None)
    assert "500" in bad["error"]
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]
    strange = await root.post("/v1/providers/tried/test", json={"file": file})
    assert strange.status_code == 404, "it is somebody else's"
    await root.delete("/v1/providers/tried")


async def test_a_trial_may_be_about_a_file_of_ones_own(mill, root):
    await added(root, "seen", address="echo:m?say={name} {width}x{height}", price=PRICE)
    file = (await root.post("/v1/files?name=house.jpg", content=sample())).json()["id"]
    async with working(mill), asyncio.timeout(60):
        told = {}
        while not told.get("ok"):
            told = (await root.post("/v1/providers/seen/test", json={"file": file})).json()
            await asyncio.sleep(0.05)
    assert told["text"].endswith("300x225"), told
    await root.delete("/v1/providers/seen")


async def test_a_trial_that_hangs_ends_and_costs_the_most(mill, root):
    await added(root, "hangs", address="echo:m?fault=timeout*", price=PRICE, timeout=0.2)
    async with asyncio.timeout(60):
        told = (await root.post("/v1/providers/hangs/test", json={})).json()
    assert told["ok"] is False
    spent = (await root.get("/v1/spending")).json()["spent"]
    (row,) = [one for one in spent if one["provider"] == "hangs"]
    assert (row["failed"], row["cost"] > 0.001) == (1, True)
    await root.delete("/v1/providers/hangs")


async def test_a_server_that_says_the_key_is_not_repeated(root):
    refused = openai_error(401, "invalid_api_key", f"Incorrect API key provided: {KEY}.")
    async with serving(lambda request: refused) as server:
        where = {"address": "openai:m", "base_url": server.url}
        await added(root, "tells", key=KEY, price=PRICE, **where)
        told = (await root.post("/v1/providers/tells/test", json={})).json()
    assert (told["code"], told["error"]) == (
        "provider_refused", "tells answers 401: Incorrect API key provided: ….",
    )  # fmt: skip
    await root.delete("/v1/providers/tells")


async def test_a_trial_whose_answer_will_not_do_costs_the_most(root):
    await added(root, "babbles", address="echo:m?fault=invalid*", price=PRICE)
    told = (await root.post("/v1/providers/babbles/test", json={})).json()
    assert (told["ok"], told["code"]) == (False, "invalid_answer")
    spent = (await root.get("/v1/spending")).json()["spent"]
    (row,) = [one for one in spent if one["provider"] == "babbles"]
    assert (row["failed"], row["cost"] > 0.001) == (1, True)
    await root.delete("/v1/providers/babbles")


async def test_a_key_that_is_lost_is_told_and_stops_nobody_else(mill, root):
    for name in ("lost", "fine"):
        await added(root, name, key=KEY)
    chain = {"providers": ["lost", "fine"]}
    assert (await root.put("/v1/chains/prompt", json=chain)).status_code == 200
    await mill.store.transact(Update(ProviderRow, ("lost",), set={"secret": "mm1$x$y$z"}))
    mill.parts.models.chains.forget()
    states = {one["name"]: one for one in (await root.get("/v1/providers")).json()["data"]}
    assert states["lost"]["health"]["state"] == "broken"
    assert states["fine"]["health"]["state"] == "ready"
    for page in ("/captions", "/prompts", "/models"):
        assert (await root.get(page)).status_code == 200, page
    file = (await root.post("/v1/files?name=a.txt", content=b"A text.")).json()["id"]
    step = {"operation": "prompt", "parameters": {"prompt": "Sum up.", "providers": ["fine"]}}
    for steps in ([step], [{"operation": "prompt", "parameters": {"prompt": "Sum up."}}]):
        sent = await root.post("/v1/jobs", json={"files": [file], "steps": steps})
        assert sent.status_code == 202, sent.text
        async with working(mill), asyncio.timeout(60):
            job = sent.json()
            while job["state"] not in ("succeeded", "partial", "failed"):
                job = (await root.get(f"/v1/jobs/{job['id']}?wait=5")).json()
        assert job["state"] == "succeeded", job
    assert (await root.put("/v1/chains/prompt", json={"providers": []})).status_code == 200
    for name in ("lost", "fine"):
        await root.delete(f"/v1/providers/{name}")


async def test_what_a_trial_left_behind_is_booked_as_the_most(mill, root):
    spending, now = mill.repositories.spending, await mill.store.now()
    month = (await root.get("/v1/spending")).json()["month"]
    purse = Purse(job="trial_x", unit=0, fence=0, owner="user_gone", day=f"{month}-01",
                  bounded=("user_gone", EVERYBODY), created=now, open="trial")  # fmt: skip
    await spending.allot(purse, 7_000, (), new=True)
    assert not [one async for one in spending.open_purses(now + 1) if one.job == "trial_x"]
    await mill.store.transact(Update(Purse, purse.key_values(), set={"created": 1}))
    await added(root, "tidy", price=PRICE)
    await root.post("/v1/providers/tidy/test", json={})
    assert await mill.store.get(Purse, *purse.key_values()) is None
    (lost,) = await spending.all_of("user_gone", month)
    assert (lost.cost, lost.failed) == (7_000, 1)
    assert await spending.taken("user_gone", month) == 7_000
    await root.delete("/v1/providers/tidy")


async def test_a_rest_is_told_and_can_be_ended(mill, root):
    await added(root, "tired")
    now = await mill.store.now()
    rests = Circuit(provider="tired", rests_until=now + 60_000, rests=2, error="It fell over.")
    await mill.store.transact(Put(rests))
    health = (await root.get("/v1/providers/tired")).json()["health"]
    assert (health["state"], health["rests"], health["error"]) == ("resting", 2, "It fell over.")
    assert health["rests_until"]
    woken = (await root.post("/v1/providers/tired/wake")).json()["health"]
    assert (woken["state"], woken["rests"], woken["rests_until"]) == ("ready", 0, None)
    await mill.store.transact(Put(Circuit(provider="tired", paused_until=now + 60_000)))
    health = (await root.get("/v1/providers/tired")).json()["health"]
    assert (health["state"], bool(health["rests_until"])) == ("paused", True)
    woken = (await root.post("/v1/providers/tired/wake")).json()["health"]
    assert (woken["state"], woken["rests_until"]) == ("ready", None)
    await root.delete("/v1/providers/tired")


async def test_a_key_is_sealed_anew_where_another_key_seals(mill, root):
    await added(root, "sealed", key=KEY)
    before = await mill.store.get(ProviderRow, "sealed")
    sealings = Sealings(mill.store, all_kinds())
    found = [row async for row in sealings.under(before.sealed_by) if isinstance(row, ProviderRow)]
    assert found == [before]
    assert (await mill.parts.models.chains.find("sealed")).key == KEY
    assert await sealings.reseal(before, mill.parts.sealer)
    after = await mill.store.get(ProviderRow, "sealed")
    assert after.secret != before.secret
    assert (await root.patch("/v1/providers/sealed", json={"concurrency": 2})).status_code == 200
    assert (await mill.parts.models.chains.find("sealed")).key == KEY
    await root.delete("/v1/providers/sealed")


async def test_who_is_no_administrator_does_none_of_it(ann):
    asked = (
        ("GET", "/v1/providers"), ("POST", "/v1/providers"), ("GET", "/v1/chains"),
        ("PUT", "/v1/chains/caption"), ("GET", "/v1/spending/users"), ("PUT", "/v1/budgets/x"),
    )  # fmt: skip
    bodies = {"/v1/providers": _body("a"), "/v1/chains/caption": {"providers": []},
              "/v1/budgets/x": {"monthly": 1}}  # fmt: skip
    for method, path in asked:
        answer = await ann.client.request(method, path, json=bodies.get(path))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
