"""`max_files` of a project, by every way in: what does not fit is refused whole, and says so."""

import asyncio

import pytest
import pytest_asyncio

from tests.support.serving import working
from tests.web.one_service import ann, mill, web  # noqa: F401 - fixtures
from tests.web.test_datasets import png
from tests.web.test_submission import THUMBNAIL, submit, upload, zipped
from tests.web.test_submission import ended as job_ended
from tests.web.test_tus import TUS, b64, begin, patch

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def limited(ann):
    """Return where a project of two files is that takes three, and what is in it."""
    files = [await upload(ann, f"{n}.png", png(n)) for n in range(2)]
    made = await ann.client.post("/v1/projects", json={"name": "three"})
    here = made.headers["location"]
    await ann.client.post(f"{here}/files", json={"files": files})
    await limit(ann, here, 3)
    return here, files


async def limit(who, here, most):
    changed = await who.client.patch(here, json={"settings": {"max_files": most}})
    assert changed.status_code == 200, changed.text


async def count(who, here):
    project = (await who.client.get(here)).json()
    assert len((await who.client.get(f"{here}/files?limit=100")).json()["data"]) == project["files"]
    return project["files"]


def refused(answer, files, more, most):
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "project_full"), answer.text
    assert problem["details"] == {"files": files, "more": more, "max_files": most}
    assert "raise `max_files` in its settings" in problem["detail"]


async def kept(who):
    return {row["id"] for row in (await who.client.get("/v1/files?limit=100")).json()["data"]}


async def test_files_that_are_added_or_come_in(ann, limited):
    here, files = limited
    project, client = here.rpartition("/")[2], ann.client
    more = [await upload(ann, f"more{n}.png", png(10 + n)) for n in range(2)]
    refused(await client.post(f"{here}/files", json={"files": [*files, *more]}), 2, 2, 3)
    before = await kept(ann)
    form = [("file", (f"{n}.png", png(20 + n), "image/png")) for n in range(2)]
    refused(await client.post("/v1/files", params={"project": project}, files=form), 2, 2, 3)
    assert (await count(ann, here), await kept(ann)) == (2, before)

    late = await begin(client, 100, **{"upload-metadata": f"filename YQ==,project {b64(project)}"})
    assert (await client.post(f"{here}/files", json={"files": more[:1]})).json() == {"added": 1}
    again = await client.post(f"{here}/files", json={"files": [*files, more[0]]})
    assert again.json() == {"added": 0}  # they are members
    same = await client.patch(f"/v1/files/{more[0]}", json={"project": project, "name": "z.png"})
    assert same.status_code == 200
    before = await kept(ann)
    refused(await client.post(f"/v1/files?project={project}", content=png(30)), 3, 1, 3)
    body = {"filename": "a.txt", "content_base64": b64("hello"), "project": project}
    refused(await client.post("/v1/files", json=body), 3, 1, 3)
    said = {**TUS, "upload-length": "5", "upload-metadata": f"project {b64(project)}"}
    refused(await client.post("/v1/uploads", headers=said), 3, 1, 3)
    changed = {"project": project, "name": "renamed.png"}
    refused(await client.patch(f"/v1/files/{more[1]}", json=changed), 3, 1, 3)
    assert (await client.get(f"/v1/files/{more[1]}")).json()["name"] == "more1.png"
    job = {"files": files, "steps": THUMBNAIL, "output_project": project}
    answer = await client.post("/v1/jobs", json=job)
    assert answer.json()["errors"][0]["pointer"] == "output_project", answer.text
    assert await kept(ann) == before

    ended = await patch(client, late, 0, b"x" * 100)  # there was room when it began
    assert ended.status_code == 204, ended.text
    upload_ = (await client.get(late)).json()
    assert (upload_["state"], upload_["code"]) == ("ready", "project_full")
    assert await count(ann, here) == 3


async def test_an_archive_that_is_too_large(mill, ann, limited):
    here, _ = limited
    members = {f"{n}.png": png(40 + n) for n in range(2)} | {"data.yaml": b"a: 1"}
    archive = await upload(ann, "two.zip", zipped(members))
    before = await kept(ann)
    async with working(mill):
        begun = await ann.client.post(f"{here}/import", json={"file": archive})
        task = (await ann.client.get(f"{begun.json()['links']['self']}?wait=20")).json()
        assert (task["state"], task["code"]) == ("failed", "project_full"), task
        assert "at most 3" in task["error"]
        assert (await count(ann, here), await kept(ann)) == (2, before)
        await limit(ann, here, 4)
        begun = await ann.client.post(f"{here}/import", json={"file": archive})
        task = (await ann.client.get(f"{begun.json()['links']['self']}?wait=20")).json()
        assert (task["state"], task["outcome"]["taken"]) == ("succeeded", 2), task
        assert await count(ann, here) == 4


async def test_results_of_a_job(mill, ann, limited):
    """All of them join or, with the reason, none; the job and its results are none the worse."""
    here, files = limited
    project = here.rpartition("/")[2]
    async with working(mill):
        job = await job_ended(ann, await submit(ann, files=files, output_project=project))
        assert (job["state"], job["counts"]["succeeded"]) == ("succeeded", 2), job
        assert job["error"].startswith(f"None of the results joined {project}"), job
        assert "2 more would join the 2 files" in job["error"]
        assert await count(ann, here) == 2
        await limit(ann, here, 4)
        again = await submit(ann, files=files, output_project=project)
        job = await job_ended(ann, again)
        assert (job["error"] or "", await count(ann, here)) == ("", 4)


async def test_those_who_race_for_room_never_exceed_it(ann, limited):
    here, _ = limited
    await limit(ann, here, 5)
    files = [await upload(ann, f"race{n}.png", png(60 + n)) for n in range(8)]
    answers = await asyncio.gather(
        *(ann.client.post(f"{here}/files", json={"files": [file]}) for file in files)
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [409] * 5
    assert await count(ann, here) == 5
