"""`Idempotency-Key`: the same request twice is done once; another one under its key is refused."""

import asyncio
import json

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from mediamill.core.clock import DAY
from mediamill.core.errors import Unavailable
from mediamill.handlers.removing.forget import Forget
from mediamill.services.repeats.once import KEPT_MS, LEASE_MS
from mediamill.store.port import Put, Update
from mediamill.store.repositories.idempotency import KeyedRequest, KeyState
from mediamill.store.repositories.jobs import Job
from mediamill.web.idempotency import takes_keys
from tests.support.places import everywhere
from tests.web.conftest import client_of
from tests.web.test_uploading import PNG

KEY = {"idempotency-key": "order-17"}


async def upload(person, name="dot.png", data=PNG, **headers):
    return await person.client.post(
        "/v1/files", params={"name": name}, content=data, headers=headers
    )


@pytest.fixture
async def body(ann):
    file = (await upload(ann)).json()
    return {"files": [file["id"]], "steps": [{"operation": "thumbnail"}], "name": "dots"}


async def count(person, noun):
    return len((await person.client.get(f"/v1/{noun}")).json()["data"])


@everywhere
async def test_a_job_is_made_once(ann, body):
    first = await ann.client.post("/v1/jobs", json=body, headers=KEY)
    assert first.status_code == 202, first.text
    text = json.dumps(dict(reversed(body.items())), indent=3)  # other spaces, other order
    again = await ann.client.post(
        "/v1/jobs", content=text, headers={**KEY, "content-type": "application/json"}
    )
    assert again.status_code == 202
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert await count(ann, "jobs") == 1


@pytest.mark.parametrize("change", [{"name": "other"}, {"seed": 1}])
async def test_another_request_under_the_key_is_refused(ann, body, change):
    await ann.client.post("/v1/jobs", json=body, headers=KEY)
    refused = await ann.client.post("/v1/jobs", json={**body, **change}, headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    elsewhere = await ann.client.post("/v1/tokens", json={"name": "x"}, headers=KEY)
    assert elsewhere.json()["code"] == "idempotency_key_reused"
    query = await ann.client.post("/v1/jobs?dry_run=false", json=body, headers=KEY)
    assert query.json()["code"] == "idempotency_key_reused"


async def test_keys_belong_to_their_user(ann, bob, body):
    mine = await ann.client.post("/v1/tokens", json={"name": "x"}, headers=KEY)
    theirs = await bob.client.post("/v1/tokens", json={"name": "x"}, headers=KEY)
    assert mine.status_code == theirs.status_code == 201
    assert mine.json()["id"] != theirs.json()["id"]


async def test_a_secret_is_shown_once(mill, ann):
    first = await ann.client.post("/v1/tokens", json={"name": "x"}, headers=KEY)
    again = await ann.client.post("/v1/tokens", json={"name": "x"}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 409)
    assert again.json()["code"] == "conflict"
    assert "once" in again.json()["detail"]
    row = await mill.store.get(KeyedRequest, ann.id, "order-17")
    assert row.state is KeyState.DONE
    assert row.body is row.blob is None
    assert await count(ann, "tokens") == 1


async def test_an_answer_is_given_again_only_to_who_may_ask_for_it(mill, ann, body):
    assert (await ann.client.post("/v1/jobs", json=body, headers=KEY)).status_code == 202
    mill.people.factors.demand = "everybody"
    refused = await ann.client.post("/v1/jobs", json=body, headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_needed")


async def test_two_at_once(web, ann, body):
    answers = await asyncio.gather(
        *(ann.client.post("/v1/jobs", json=body, headers=KEY) for _ in range(6))
    )
    good = {answer.content for answer in answers if answer.status_code == 202}
    assert len(good) == 1
    for answer in answers:
        if answer.status_code != 202:
            assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
            assert answer.json()["retryable"] is True
            assert int(answer.headers["retry-after"]) >= 1
    assert await count(ann, "jobs") == 1


async def test_a_refused_request_frees_its_key(ann, body):
    wrong = await ann.client.post("/v1/jobs", json={**body, "files": ["file_no"]}, headers=KEY)
    assert wrong.status_code == 422
    assert (await ann.client.post("/v1/jobs", json=body, headers=KEY)).status_code == 202


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "k\u00e4y", "\x7f"])
async def test_what_is_no_key(ann, body, key):
    headers = {"idempotency-key": key.encode("latin-1")}
    refused = await ann.client.post("/v1/jobs", json=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
    assert await count(ann, "jobs") == 0


async def test_the_longest_key(ann, body):
    headers = {"idempotency-key": "x" * 255}
    assert (await ann.client.post("/v1/jobs", json=body, headers=headers)).status_code == 202


async def test_an_upload_is_stored_once(ann):
    first = await upload(ann, **KEY)
    again = await upload(ann, **KEY)
    assert first.status_code == again.status_code == 201
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert await count(ann, "files") == 1
    other = await upload(ann, data=PNG[:-1] + b"\x83", **KEY)  # as long, with the same headers
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    renamed = await upload(ann, name="other.png", **KEY)
    assert renamed.json()["code"] == "idempotency_key_reused"


async def test_a_form_is_stored_once_whatever_its_boundary(ann):
    def form(*files):
        return [("file", (name, data)) for name, data in files]

    async def send(*files, boundary):
        headers = {**KEY, "content-type": f"multipart/form-data; boundary={boundary}"}
        return await ann.client.post("/v1/files", files=form(*files), headers=headers)

    first = await send(("a.png", PNG), ("b.png", PNG), boundary="one")
    again = await send(("a.png", PNG), ("b.png", PNG), boundary="another-one")
    assert (first.status_code, again.content) == (201, first.content)
    assert await count(ann, "files") == 2
    other = await send(("a.png", PNG), ("b.png", PNG + b"!"), boundary="one")
    assert other.json()["code"] == "idempotency_key_reused"


async def test_a_large_answer_lies_beside_the_row(mill, ann, body):
    files = [(await upload(ann, name=f"{n}-{'long' * 40}.png")).json()["id"] for n in range(12)]
    parts = [("file", (f"{n}-{'long' * 40}.png", PNG)) for n in range(14)]
    assert files
    first = await ann.client.post("/v1/files", files=parts, headers=KEY)
    assert len(first.content) > 8_000
    again = await ann.client.post("/v1/files", files=parts, headers=KEY)
    assert again.content == first.content
    row = await mill.store.get(KeyedRequest, ann.id, "order-17")
    assert row.body is None
    assert [blob.key async for blob in mill.results.list("idempotency/")] == [row.blob]
    forget = Forget(mill.repositories.keys, mill.results)
    assert await forget.forget(row.created + DAY - 1) == 0
    assert await forget.forget(row.created + KEPT_MS) == 1
    assert [blob.key async for blob in mill.results.list("idempotency/")] == []
    assert await mill.store.get(KeyedRequest, ann.id, "order-17") is None


async def test_a_key_that_is_used_again_after_its_day_leaves_nothing(mill, ann):
    """Before the housekeeping has come by: the new row is not what finds the old blobs."""
    parts = [("file", (f"{n}-{'long' * 40}.png", PNG)) for n in range(14)]
    await ann.client.post("/v1/files", files=parts, headers=KEY)
    row = await mill.store.get(KeyedRequest, ann.id, "order-17")
    assert await mill.results.get(row.blob)
    await mill.store.transact(Update(KeyedRequest, row.key_values(), set={"expires": 1}))
    assert (await upload(ann, **KEY)).status_code == 201
    assert [blob.key async for blob in mill.results.list("idempotency/")] == []


# -- attempts that were cut off -------------------------------------------------------------------


async def cut_off(mill, row, **changes):
    """Leave a row as a process does that ended before its answer was kept."""
    left = {"state": KeyState.RUNNING, "status": 0, "body": None, "digests": None, **changes}
    await mill.repositories.keys.change(row, **left)


async def test_a_job_that_was_made_before_the_cut_is_found(mill, ann, body):
    first = await ann.client.post("/v1/jobs", json=body, headers=KEY)
    row = await mill.store.get(KeyedRequest, ann.id, "order-17")
    await cut_off(mill, row, holder="elsewhere/1/1/1")
    busy = await ann.client.post("/v1/jobs", json=body, headers=KEY)
    assert busy.json()["code"] == "idempotency_in_progress"
    row = await mill.store.get(KeyedRequest, ann.id, "order-17")
    await cut_off(mill, row, until=0)
    await ann.client.delete(f"/v1/files/{body['files'][0]}")  # it is not asked for again
    again = await ann.client.post("/v1/jobs", json=body, headers=KEY)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert await count(ann, "jobs") == 1


async def test_an_attempt_that_the_store_did_not_see_end_keeps_nobody_waiting(mill, ann, body):
    """This process knows that it is not at it any more, whatever its lease says."""
    transact, away = mill.store.transact, []

    async def going(*actions):
        if away:
            raise Unavailable("The store is away.")
        await transact(*actions)
        away.extend(a for a in actions if isinstance(a, Put) and isinstance(a.record, Job))

    mill.store.transact = going
    lost = await ann.client.post("/v1/jobs", json=body, headers=KEY)
    assert lost.status_code == 503
    mill.store.transact = transact
    row = await mill.store.get(KeyedRequest, ann.id, "order-17")
    assert row.until > await mill.store.now()
    again = await ann.client.post("/v1/jobs", json=body, headers=KEY)
    assert again.status_code == 202, again.text
    assert await count(ann, "jobs") == 1


async def test_a_job_that_was_not_made_is_made_with_the_reserved_id(mill, ann, body):
    begun = await ann.client.post("/v1/jobs", json={**body, "seed": 4}, headers=KEY)
    row = await mill.store.get(KeyedRequest, ann.id, "order-17")
    await mill.job_trash.delete(await mill.accounts.acting(ann.id), begun.json()["id"], now=True)
    worker = await mill.worker()
    running = asyncio.ensure_future(worker.run())
    while await mill.repositories.jobs.get(begun.json()["id"]):
        await asyncio.sleep(0.02)
    worker.stop()
    await running
    gone = "somewhere/999999999/1"
    await cut_off(mill, row, until=0, holder=gone)
    again = await ann.client.post("/v1/jobs", json={**body, "seed": 4}, headers=KEY)
    assert (again.status_code, again.json()["id"]) == (202, begun.json()["id"])


async def test_a_file_that_was_stored_before_the_cut_is_found(mill, ann):
    first = await upload(ann, **KEY)
    row = await mill.store.get(KeyedRequest, ann.id, "order-17")
    await cut_off(mill, row, until=0)
    other = await upload(ann, data=PNG[:-1] + b"\x83", **KEY)
    assert other.json()["code"] == "idempotency_key_reused"
    again = await upload(ann, **KEY)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert await count(ann, "files") == 1


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/v1/projects", {"json": {"name": "cats"}}),
        ("/v1/templates", {"json": {"name": "cats", "steps": [{"operation": "thumbnail"}]}}),
        ("/v1/uploads", {"headers": {"tus-resumable": "1.0.0", "upload-length": "7"}}),
    ],
)
async def test_whatever_else_is_made_before_the_cut_is_found(mill, ann, path, request_):
    headers = {**request_.get("headers", {}), **KEY}
    first = await ann.client.post(path, **{**request_, "headers": headers})
    assert first.status_code == 201, first.text
    again = await ann.client.post(path, **{**request_, "headers": headers})
    assert again.headers["idempotency-replayed"] == "true"
    row = await mill.store.get(KeyedRequest, ann.id, "order-17")
    for _ in range(2):
        await cut_off(mill, row, until=0)
        found = await ann.client.post(path, **{**request_, "headers": headers})
        assert found.status_code == 201
        assert "idempotency-replayed" not in found.headers
        assert found.content == first.content == again.content
        assert found.headers.get("location") == first.headers.get("location")
        row = await mill.store.get(KeyedRequest, ann.id, "order-17")
    assert row.attempt == 3
    if "upload-length" in headers:
        other = await ann.client.post(path, headers={**headers, "upload-length": "8"})
        assert other.json()["code"] == "idempotency_key_reused"


async def test_the_lease_is_kept_while_the_work_goes_on(mill, ann, clock):
    mill.once.lease_ms = 300
    go = asyncio.Event()

    async def slowly():
        yield PNG[:10]
        await go.wait()
        yield PNG[10:]

    async def kept():
        row = await mill.store.get(KeyedRequest, ann.id, "order-17")
        return row is not None and row.until == clock.now() + 300

    coming = asyncio.ensure_future(upload(ann, data=slowly(), **KEY))
    for _ in range(4):
        clock.advance(200)  # in all more than two leases
        async with asyncio.timeout(60):
            while not await kept():
                await asyncio.sleep(0.01)
    busy = await upload(ann, data=slowly(), **KEY)
    assert busy.json()["code"] == "idempotency_in_progress"
    go.set()
    assert (await coming).status_code == 201
    assert LEASE_MS == 30_000


async def test_other_sites_get_no_answer_again(web, ann, body):
    first = await ann.client.post("/v1/jobs", json=body, headers=KEY)
    assert first.status_code == 202
    headers = {"sec-fetch-site": "cross-site", "cookie": f"mediamill_session={ann.token}", **KEY}
    async with client_of(web, **headers) as client:
        assert (await client.post("/v1/jobs", json=body)).status_code == 403
    async with client_of(web, **KEY) as client:
        assert (await client.post("/v1/jobs", json=body)).status_code == 401


async def test_the_description_names_the_header(web, nobody):
    document = web.openapi()
    told = {
        path
        for path, methods in document["paths"].items()
        for parameter in methods.get("post", {}).get("parameters", ())
        if parameter["name"] == "Idempotency-Key"
    }
    taking = {context.path for context in iter_route_contexts(web.routes) if takes(context)}
    assert told == taking >= {"/v1/files", "/v1/jobs", "/v1/tokens", "/v1/uploads"}


def takes(context):
    return isinstance(context.original_route, APIRoute) and takes_keys(context.original_route)
