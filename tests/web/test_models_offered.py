"""Whom the pages offer: those who give what is asked for, and whose model is there."""

import pytest
import pytest_asyncio

from mediamill.store.port import Update
from mediamill.store.repositories.users import Role, User
from tests.web.conftest import main_of, person
from tests.web.one_service import ann, mill, web  # noqa: F401 - fixtures
from tests.web.test_submission import jpeg, upload

pytestmark = pytest.mark.asyncio(loop_scope="module")
LOCAL = "local:owner/name"
SETTINGS = {"caption_chain": LOCAL, "prompt_chain": "labels"}
COMMAND = "mediamill models fetch owner/name"
UNFIT = {"labels": "echo:l?kinds=labels", "texts": "echo:t?kinds=text,caption&images=0"}
PAGE = {"accept": "text/html"}
STOPPED = 'class="side" hidden'


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def boss(mill, web):
    """An administrator, and providers that cannot caption."""
    async with person(web, "boss") as boss:
        await mill.store.transact(Update(User, (boss.id,), set={"role": Role.ADMIN}))
        for name, address in UNFIT.items():
            await add(boss, name, address)
        yield boss


async def add(boss, name, address):
    answer = await boss.client.post("/v1/providers", json={"name": name, "address": address})
    assert answer.status_code == 201, answer.text


async def submit(ann, **parameters):
    body = {"files": [await upload(ann, "a.jpg", jpeg(8, 8))]}
    steps = [{"operation": "caption", "parameters": parameters}]
    return await ann.client.post("/v1/jobs", json={**body, "steps": steps})


async def test_a_model_that_was_not_fetched_is_told_before_a_job_is_made(ann, boss):
    page = (await ann.client.get("/captions", headers=PAGE)).text
    assert "Captions are not set up" in page
    assert STOPPED in main_of(page)
    refused = await submit(ann)
    assert refused.status_code == 422, refused.text
    (error,) = refused.json()["errors"]
    assert error["pointer"] == "steps.0.operation"
    assert COMMAND in error["message"]
    ready = (await ann.client.get("/health/ready")).json()["models"]
    assert ready["caption"] == "1 of 1 providers cannot be asked"
    providers = (await boss.client.get("/v1/providers")).json()["data"]
    (local,) = (one["health"] for one in providers if one["name"] == LOCAL)
    assert local["state"] == "broken"
    assert COMMAND in local["problem"]


async def test_who_gives_something_else_is_not_offered(ann):
    for path in ("/captions", "/captions/review"):
        page = (await ann.client.get(path, headers=PAGE)).text
        assert not any(f'value="{name}"' in page for name in (*UNFIT, LOCAL)), path
    page = (await ann.client.get("/prompts", headers=PAGE)).text
    assert "Prompts are not set up" in page, "its chain only labels"
    assert "unless you choose a model" in page
    assert [name for name in UNFIT if f'value="{name}"' in page] == ["texts"]


async def test_somebody_outside_the_chain_is_asked_by_name_only(ann, boss, mill):
    await add(boss, "good", "echo:g")
    page = (await ann.client.get("/captions", headers=PAGE)).text
    assert "Captions are not set up" in page
    assert "whom you name yourself" in page
    assert '<option value="good">good alone</option>' in page
    assert "as set up" not in page
    assert STOPPED not in main_of(page)
    assert (await submit(ann)).status_code == 422
    assert (await submit(ann, providers=["good"])).status_code == 202
    chain = {"providers": [LOCAL, "good"]}
    assert (await boss.client.put("/v1/chains/caption", json=chain)).status_code == 200
    page = (await ann.client.get("/captions", headers=PAGE)).text
    assert "Captions are not set up" not in page
    assert "Who writes" not in page, "there is no other"
    assert (await submit(ann)).status_code == 202, "the other of the chain can be asked"
