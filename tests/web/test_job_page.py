"""A job's page: what it offers of a job that failed, and of one that did not."""

import re

import pytest

from mediamill.store.port import Update
from mediamill.store.repositories.jobs import Counts, Job, JobState
from tests.web.test_events import working
from tests.web.test_uploading import PNG


@pytest.mark.parametrize(
    ("state", "succeeded", "offered"), [("succeeded", 1, True), ("failed", 0, False)]
)
async def test_only_what_holds_results_is_offered(mill, ann, state, succeeded, offered):
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]
    body = {"files": [file], "steps": [{"operation": "thumbnail"}], "name": "dots"}
    job = (await ann.client.post("/v1/jobs", json=body)).json()["id"]
    async with working(mill):
        await ann.client.get(f"/v1/jobs/{job}", params={"wait": 20}, timeout=30)
    counts = Counts(succeeded=succeeded, failed=1 - succeeded)
    changes = {"state": JobState(state), "counts": counts}
    await mill.store.transact(Update(Job, (job,), set=changes))
    page = (await ann.client.get(f"/jobs/{job}", headers={"accept": "text/html"})).text
    assert f'<progress id="progress" class="{state}"' in page
    link = re.search(r'<a [^>]*id="download"[^>]*>', page)[0]
    assert ("hidden" not in link) is offered
    recent = (await ann.client.get("/parts/jobs")).text
    assert (" kB" in recent or " B" in recent) is offered
