"""Chains over HTTP: refused with the place and what would fit, and shown with all their steps."""

import pytest

from tests.support.places import everywhere
from tests.support.serving import working
from tests.web.test_uploading import PNG


@pytest.fixture
async def worker(mill):
    async with working(mill):
        yield


async def submitted(ann, *steps, **more):
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()
    body = {"files": [file["id"]], "steps": [{"operation": step} for step in steps], **more}
    return await ann.client.post("/v1/jobs", json=body)


async def test_a_step_that_cannot_follow_is_pointed_at(ann):
    answer = await submitted(ann, "convert", "thumbnail", "extract-frames", "thumbnail")
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "steps.2.operation"
    assert error["message"] == (
        "extract-frames takes videos; thumbnail gives images. "
        "What could: augment, caption, convert, health-check, label, preprocess, prompt, thumbnail."
    )


async def test_a_chain_from_start_to_lineage(ann, worker):
    answer = await submitted(ann, "convert", "thumbnail", reuse=False)
    assert answer.status_code == 202, answer.text
    here = f"/v1/jobs/{answer.json()['id']}"
    job = (await ann.client.get(here, params={"wait": 30}, timeout=40)).json()
    assert (job["state"], job["counts"]["succeeded"]) == ("succeeded", 1), job
    (item,) = (await ann.client.get(f"{here}/items")).json()["data"]
    assert (item["path"], item["outputs"][0]["name"]) == ("", "dot-thumbnail.jpg")
    file = (await ann.client.get(f"/v1/files/{item['outputs'][0]['id']}")).json()
    assert [step["operation"] for step in file["lineage"]["steps"]] == ["convert", "thumbnail"]
    again = await submitted(ann, "convert", "thumbnail")
    job = f"/v1/jobs/{again.json()['id']}"
    counts = (await ann.client.get(job, params={"wait": 30}, timeout=40)).json()["counts"]
    assert (counts["succeeded"], counts["reused"]) == (0, 1)


@everywhere
async def test_which_items_are_retried_is_one_of_three(ann, worker):
    here = f"/v1/jobs/{(await submitted(ann, 'convert')).json()['id']}"
    await ann.client.get(here, params={"wait": 30}, timeout=40)
    assert (await ann.client.post(f"{here}/retry?only=all")).status_code == 422
    for only in ("failed", "cancelled", "unfinished"):
        answer = await ann.client.post(f"{here}/retry", params={"only": only})
        assert answer.status_code == 409
        assert answer.json()["detail"].startswith("The job has no ")
