"""Everybody's work over HTTP, as administrators see it: the queue, and what failed lately."""

from mediamill.store.port import Update
from mediamill.store.repositories.jobs import Job
from tests.support.places import everywhere
from tests.support.serving import working
from tests.web.test_uploading import PNG

FAILURES, QUEUE = "/v1/admin/failures", "/v1/admin/queue"


async def submitted(ann, name):
    file = (await ann.client.post(f"/v1/files?name={name}", content=PNG)).json()["id"]
    body = {"files": [file], "steps": [{"operation": "caption"}], "name": name, "reuse": False}
    answer = await ann.client.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


@everywhere
async def test_what_failed_is_listed_without_what_it_was(mill, admin, ann):
    provider = {"name": "mute", "address": "echo:m?fault=declined*"}
    assert (await admin.client.post("/v1/providers", json=provider)).status_code == 201
    await admin.client.put("/v1/chains/caption", json={"providers": ["mute"]})
    job = await submitted(ann, "secret-name.png")
    waiting = {one["class"]: one for one in (await admin.client.get(QUEUE)).json()["data"]}
    assert waiting["model"]["ready"] == 1
    assert waiting["model"]["waiting_since"]
    assert waiting["bulk"]["waiting_since"] is None
    assert (await admin.client.get(FAILURES)).json()["data"] == []
    async with working(mill):
        await ann.client.get(f"/v1/jobs/{job}", params={"wait": 30}, timeout=40)
    answer = await admin.client.get(FAILURES)
    (told,) = answer.json()["data"]
    assert told.pop("finished_at")
    assert told == {
        "job": job, "owner": ann.id, "operations": ["caption"], "state": "failed", "failed": 1,
        "codes": {"question_refused": 1},
    }  # fmt: skip
    assert "secret-name" not in answer.text
    for path in (FAILURES, QUEUE):
        assert (await ann.client.get(path)).status_code == 403
    row = await mill.store.get(Job, job)
    assert (await ann.client.post(f"/v1/jobs/{job}/retry")).status_code < 300
    assert (await admin.client.get(FAILURES)).json()["data"] == [], "it runs again"
    await mill.store.transact(Update(Job, (job,), set={"failing": row.failing, "deleted": 1}))
    assert (await admin.client.get(FAILURES)).json()["data"] == [], "it is deleted"
