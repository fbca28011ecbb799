"""A job's page: what it offers of a job that failed, and of one that did not."""

import re

import numpy as np
import pytest

from mediamill.store.port import Update
from mediamill.store.repositories.jobs import Counts, Job, JobState
from mediamill.web.pages.agreed import Outliers
from mediamill.web.pages.rendering import environment
from tests.web.test_events import working
from tests.web.test_previews import png, uploaded
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


async def test_what_images_were_compared_with_and_which_are_far_from_it(mill, ann):
    lights = [90, 95, 100, 105, 110, 112, 250]
    files = {
        await uploaded(ann, f"{n}.png", png(np.full((20, 30, 3), light, np.uint8))): n
        for n, light in enumerate(lights)
    }
    step = {"operation": "preprocess", "parameters": {"methods": ["remove-outliers"]}}
    project = (await ann.client.post("/v1/projects", json={"name": "Greys"})).json()["id"]
    await ann.client.post(f"/v1/projects/{project}/files", json={"files": list(files)})
    body = {"project": project, "steps": [step]}
    job = (await ann.client.post("/v1/jobs", json=body)).json()["id"]
    async with working(mill):
        ended = await ann.client.get(f"/v1/jobs/{job}", params={"wait": 20}, timeout=30)
    (done,) = ended.json()["steps"]
    reference = done["agreed"]["reference"]["file"]
    for asked, found in ((project, [job]), ("proj_none", [])):
        listed = (await ann.client.get(f"/v1/jobs?project={asked}")).json()["data"]
        assert [one["id"] for one in listed] == found
    results = f"/v1/jobs/{job}/results"
    far = (await ann.client.get(results, params={"outlier": True})).json()
    assert [one["name"] for one in far["data"]] == ["6.png"]
    found, after = [], ""
    while after is not None:  # a page of one result at a time
        asked = {"outlier": True, "limit": 1, **({"after": after} if after else {})}
        listed = (await ann.client.get(results, params=asked)).json()
        found += [one["name"] for one in listed["data"]]
        after = listed["after"]
    assert found == ["6.png"]
    page = (await ann.client.get(f"/jobs/{job}", headers={"accept": "text/html"})).text
    assert f'<img src="/v1/files/{reference}/thumbnail" alt="{files[reference]}.png"' in page
    assert "of 7 images the one whose numbers are nearest" in page
    assert "1 image was marked" in page
    none = environment.get_template("parts/agreed.html")
    assert "None was marked" in none.render(outliers=Outliers([]), references=[], job={"id": job})
    assert re.search(r"<figcaption>6\.png · [a-z, ]*brightness", page)
    more = await ann.client.get(f"/parts/jobs/{job}/outliers")
    assert "6.png" in more.text
    process = f"/projects/{project}/process"  # where previews are compared with it from now on
    assert f'data-reference="{reference}"' in (await ann.client.get(process)).text
    await ann.client.delete(f"/v1/files/{reference}")
    assert 'data-reference=""' in (await ann.client.get(process)).text
