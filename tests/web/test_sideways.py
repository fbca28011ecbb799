"""S2: ways to somebody's things that do not name them: inputs, digests, reuse, lists, events.

Bob knows every id, name and digest of Ann's, and the bytes of a picture of hers.
"""

import asyncio
import base64
import hashlib
import json
from dataclasses import dataclass

import pytest
import pytest_asyncio

from mediamill.store.port import Update
from mediamill.store.repositories.results import Result
from tests.web.conftest import person
from tests.web.one_service import bob, mill, nobody, web  # noqa: F401 - fixtures
from tests.web.test_events import Stream, working
from tests.web.test_submission import THUMBNAIL, ended, items, project_of, submit, upload, zipped
from tests.web.test_uploading import PNG

SECRET = "annas-own-secret-name"
pytestmark = pytest.mark.asyncio(loop_scope="module")
ONCE = {"scope": "module", "loop_scope": "module"}
"""One Ann for all tests here, whose Bobs are each another."""


@dataclass
class Hers:
    """What Ann has: ids by what they are, and the SHA-256 of her picture and of its thumbnail."""

    ids: dict[str, str]
    sha256: str
    result_sha256: str

    def names(self) -> set[str]:
        """Return what must not be in any answer to Bob."""
        return {*self.ids.values(), self.sha256, self.result_sha256, SECRET}


@pytest_asyncio.fixture(**ONCE)
async def ann(web):
    async with person(web, "ann") as found:
        yield found


@pytest_asyncio.fixture(**ONCE)
async def hers(mill, ann):
    """A finished job of Ann's over a picture, a project, an archive, a manifest, a template."""
    picture = await upload(ann, f"{SECRET}.png", PNG)
    archive = await upload(ann, f"{SECRET}.zip", zipped({"a.png": PNG}))
    async with working(mill):
        job = await ended(ann, await submit(ann, files=[picture], name=SECRET))
    result = (await ann.client.get(f"/v1/jobs/{job['id']}/results")).json()["data"][0]["files"][0]
    body = {"name": SECRET, "steps": THUMBNAIL}
    template = (await ann.client.post("/v1/templates", json=body)).json()["id"]
    ids = {
        "file": picture,
        "archive": archive,
        "manifest": await upload(ann, f"{SECRET}.txt", picture.encode()),
        "result": result["id"],
        "job": job["id"],
        "project": await project_of(ann, [picture]),
        "template": template,
    }
    await ann.client.patch(f"/v1/files/{picture}", json={"tags": [SECRET]})
    stored = await mill.repositories.results.get(job["id"], 0, 0)
    return Hers(ids, hashlib.sha256(PNG).hexdigest(), stored.files[0].sha256)


def nowhere(record: str) -> str:
    """Return an id like a record's, of nothing."""
    return record.replace(record[8:12], "0000", 1)


# -- as inputs, and what joins what ---------------------------------------------------------------


async def test_no_id_of_hers_is_an_input(bob, hers):
    """Each answer is the one that an invented id gets."""
    dot = await upload(bob, "dot.png", PNG + b"bob")
    ids = hers.ids
    asked = [({"files": [ids[kind]]}, ids[kind]) for kind in ("file", "result", "archive")]
    asked += [({"files": [dot, ids[kind]]}, ids[kind]) for kind in ("file", "result")]
    asked += [({kind: ids[kind]}, ids[kind]) for kind in ("archive", "manifest", "project")]
    asked += [({"archive": ids["result"]}, ids["result"]), ({"manifest": ids["file"]}, ids["file"])]
    asked += [({"archive": ids["archive"], "members": ["*.png"]}, ids["archive"])]
    named = (ids["template"], SECRET)
    asked += [({"files": [dot], "steps": None, "template": one}, one) for one in named]
    for body, theirs in asked:
        for query in ({}, {"dry_run": "true"}):
            answers = []
            for one in (theirs, nowhere(theirs)):
                text = json.dumps({"steps": THUMBNAIL, **body}).replace(theirs, one)
                answer = await bob.client.post("/v1/jobs", json=json.loads(text), params=query)
                assert answer.status_code == 422, (body, answer.text)
                answers.append({**answer.json(), "instance": ""})
            assert json.dumps(answers[0]).replace(theirs, nowhere(theirs)) == json.dumps(answers[1])


async def test_what_a_manifest_of_his_names_fails_as_what_is_not_there(mill, bob, hers):
    ids = hers.ids
    dot = await upload(bob, "dot.png", PNG + b"bob")
    theirs = [ids["file"], ids["result"], f"{ids['file']},mine.png"]
    lines = [*theirs, json.dumps({"archive": ids["archive"], "path": "a.png"})]
    both = [dot, *(line for one in lines for line in (one, one.replace(ids["file"], "file_none")))]
    manifest = await upload(bob, "list.txt", "\n".join(both).encode())
    async with working(mill):
        job = await ended(bob, await submit(bob, manifest=manifest))
    assert (job["counts"]["succeeded"], job["counts"]["failed"]) == (1, len(both) - 1), job
    for item in (await items(bob, job))[1:]:
        assert (item["state"], item["code"]) == ("failed", "not_found"), item
        assert "There is no file" in item["error"]
    told = (await bob.client.get(f"/v1/jobs/{job['id']}/results")).text
    assert not {SECRET, hers.sha256} & {*told.split('"')}


async def test_nothing_of_hers_joins_what_is_his(bob, hers):
    """By every way that a file comes into a project or gets a word of it."""
    ids, dot = hers.ids, await upload(bob, "dot.png", PNG + b"bob")
    own = await project_of(bob, [dot])
    for kind in ("file", "result"):
        answer = await bob.client.post(f"/v1/projects/{own}/files", json={"files": [ids[kind]]})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), kind
        gone = await bob.client.delete(f"/v1/projects/{own}/files/{ids[kind]}")
        assert gone.status_code in (204, 404)
    theirs = ids["project"]
    said = base64.b64encode(theirs.encode()).decode()
    tus = {"tus-resumable": "1.0.0", "upload-length": "9", "upload-metadata": f"project {said}"}
    encoded = base64.b64encode(PNG).decode()
    for method, path, sent in (
        ("POST", f"/v1/files?project={theirs}", {"content": PNG}),
        ("POST", "/v1/files", {"json": {"content_base64": encoded, "project": theirs}}),
        ("POST", "/v1/uploads", {"headers": tus}),
        ("PATCH", f"/v1/files/{dot}", {"json": {"project": theirs}}),
        ("POST", f"/v1/projects/{theirs}/files", {"json": {"files": [dot]}}),
        ("GET", f"/v1/files?project={theirs}", {}),
    ):
        answer = await bob.client.request(method, path, **sent)
        assert answer.status_code in (404, 422), (method, path, answer.text)
    assert [file["id"] for file in (await bob.client.get("/v1/files")).json()["data"]] == [dot]


async def test_many_at_once_of_hers_are_not_there(ann, bob, hers):
    """Each is told what an invented id of its kind is told."""
    theirs = [hers.ids["file"], hers.ids["result"], hers.ids["archive"]]
    every = [*theirs, *map(nowhere, theirs)]
    for path, more in (("delete", {}), ("restore", {}), ("tags", {"add": ["mine"]})):
        answer = await bob.client.post(f"/v1/files/{path}", json={"files": every, **more})
        told = [(one["ok"], one["code"]) for one in answer.json()["data"]]
        assert told[:3] == told[3:], (path, answer.text)
        assert told[0] == told[2] == (False, "not_found"), (path, answer.text)
        assert not told[1][0]
    file = (await ann.client.get(f"/v1/files/{hers.ids['file']}")).json()
    assert (file["state"], file["tags"]) == ("ready", [SECRET])


# -- by what is in them ---------------------------------------------------------------------------


async def test_a_digest_that_he_claims_gives_him_nothing(bob, hers):
    """Neither the file nor a word on whether somebody has these bytes."""
    for sha256 in (hers.sha256, hers.result_sha256):
        wrong = {"x-content-sha256": sha256}
        answer = await bob.client.post("/v1/files/check", json={"sha256": [sha256, "0" * 64]})
        assert [one["file"] for one in answer.json()["data"]] == [None, None]
        listed = await bob.client.get("/v1/files", params={"sha256": sha256})
        assert listed.json()["data"] == []
        for query in ({}, {"if_absent": "true"}):
            answer = await bob.client.post(
                "/v1/files", content=b"other bytes", headers=wrong, params=query
            )
            assert answer.status_code == 422, answer.text
            body = {"content_base64": "AAAA", "sha256": sha256}
            answer = await bob.client.post("/v1/files", json=body, params=query)
            assert answer.status_code == 422, answer.text
        said = base64.b64encode(sha256.encode()).decode()
        tus = {"tus-resumable": "1.0.0", "upload-metadata": f"sha256 {said}",
               "content-type": "application/offset+octet-stream"}  # fmt: skip
        empty = await bob.client.post("/v1/uploads", headers={**tus, "upload-length": "5"})
        assert (empty.status_code, empty.headers["upload-offset"]) == (201, "0")
        tus["upload-length"] = "5"
        full = await bob.client.post("/v1/uploads", headers=tus, content=b"other")
        assert full.status_code == 422, full.text
    assert (await bob.client.get("/v1/files")).json()["data"] == []


async def test_the_same_bytes_are_two_files(mill, ann, bob, hers):
    """His copy has a blob of its own, is told as new, and stays when hers is purged."""
    wanted = {"x-content-sha256": hers.sha256}
    answer = await bob.client.post(
        "/v1/files?name=d.png", content=PNG, headers=wanted, params={"if_absent": "true"}
    )
    assert (answer.status_code, answer.json()["duplicate"]) == (201, False)
    his = await mill.repositories.files.get(answer.json()["id"])
    assert his.blob != (await mill.repositories.files.get(hers.ids["file"])).blob
    twin = await upload(ann, "twin.png", PNG)
    for hers_ in (twin, hers.ids["file"]):
        await ann.client.delete(f"/v1/files/{hers_}", params={"now": hers_ == twin})
    async with working(mill):
        assert (await bob.client.get(f"/v1/files/{his.id}/content")).content == PNG
    await ann.client.post(f"/v1/files/{hers.ids['file']}/restore")


async def test_no_outcome_of_hers_is_taken_over(mill, ann, bob, hers, monkeypatch):
    """The same bytes and steps; that the work was done before is not told, nor what came of it."""
    await mill.store.transact(
        Update(Result, (hers.ids["job"], 0, 0), set={"data": {"planted": SECRET}})
    )
    dot = await upload(bob, "dot.png", PNG)
    body = {"files": [dot], "steps": THUMBNAIL}
    plan = (await bob.client.post("/v1/jobs", json=body, params={"dry_run": "true"})).json()
    assert plan["reused"] == 0
    async with working(mill):
        job = await ended(bob, await submit(bob, files=[dot]))
        assert (job["counts"]["succeeded"], job["counts"]["reused"]) == (1, 0)
        again = await ended(bob, await submit(bob, files=[dot]))
        assert again["counts"]["reused"] == 1, "his own is, so that this test can fail"
        same = await ended(ann, await submit(ann, files=[hers.ids["file"]]))
        assert same["counts"]["reused"] == 1
    for one in (job, again):
        told = (await bob.client.get(f"/v1/jobs/{one['id']}/results")).text
        assert SECRET not in told
        assert hers.ids["job"] not in told


async def test_her_idempotency_key_is_his_too(ann, bob):
    """Keys are each caller's own: the same one neither replays nor clashes."""
    key = {"idempotency-key": "tuesday"}
    mine = await ann.client.post("/v1/projects", json={"name": SECRET}, headers=key)
    his = await bob.client.post("/v1/projects", json={"name": "other"}, headers=key)
    assert (mine.status_code, his.status_code) == (201, 201)
    assert "idempotency-replayed" not in his.headers
    assert his.json()["name"] == "other"


# -- lists, streams, links ------------------------------------------------------------------------


LISTS = (
    "/v1/files", f"/v1/files?name={SECRET}", f"/v1/files?tag={SECRET}", "/v1/files?state=trashed",
    "/v1/jobs", f"/v1/jobs?name={SECRET}", "/v1/jobs?template={template}", "/v1/jobs?state=trashed",
    "/v1/jobs?state=unfinished", "/v1/jobs?operation=thumbnail", "/v1/jobs?project={project}",
    "/jobs",
    "/v1/projects", "/v1/projects?state=trashed", "/v1/templates", "/v1/tokens", "/v1/me", "/",
    "/v1/files/ids", "/trash", "/metrics", "/health/ready",
)  # fmt: skip


async def test_no_list_page_or_number_shows_anything_of_hers(ann, bob, hers):
    for path in LISTS:
        for accept in ("application/json", "text/html"):
            where = path.format(**hers.ids)
            answer = await bob.client.get(where, headers={"accept": accept})
            assert answer.status_code == 200, (where, answer.text)
            asked = where.partition("?")[2]
            found = {name for name in hers.names() if name in answer.text and name not in asked}
            assert not found, (where, found)
    assert SECRET in (await ann.client.get("/v1/files")).text


async def test_a_cursor_of_hers_goes_on_in_his_own_list(ann, bob, hers):
    for path in ("/v1/files", "/v1/jobs", "/v1/templates", "/v1/tokens", "/v1/projects"):
        await ann.client.post("/v1/tokens", json={"name": "a"})
        page = (await ann.client.get(path, params={"limit": 1})).json()
        after = page["after"] or hers.ids["file"]
        answer = await bob.client.get(path, params={"after": after})
        assert answer.status_code in (200, 422)
        assert not {name for name in hers.names() if name in answer.text}, path


async def test_his_stream_tells_nothing_of_her_jobs(mill, web, ann, bob, hers, monkeypatch):
    """Also while she listens, and when he says that he has seen events of hers."""
    monkeypatch.setattr("mediamill.web.events.BEAT_SECONDS", 0.2)
    own = Stream(web, ann, "/v1/events")
    await own.until(lambda one: one.id)
    streams = [Stream(web, bob, "/v1/events", last=last) for last in ("", "1")]
    gone = Stream(web, bob, f"/v1/jobs/{hers.ids['job']}/events", last="0-0")
    dot = await upload(bob, "dot.png", PNG + b"bob")
    async with working(mill):
        other = await ended(ann, await submit(ann, files=[hers.ids["file"]], name=SECRET))
        his = await ended(bob, await submit(bob, files=[dot]))
    try:
        await own.until(lambda one: one.data.get("id") == other["id"])
        assert his["id"] not in json.dumps([one.data for one in own.heard])
        for stream in streams:
            await stream.until(lambda one: one.data.get("id") == his["id"])
            jobs = {one.data["id"] for one in stream.heard if "id" in one.data}
            assert jobs == {his["id"]}
            told = json.dumps([one.data for one in stream.heard])
            assert SECRET not in told
            assert other["id"] not in told
    finally:
        await asyncio.gather(*(stream.leave() for stream in (own, *streams)))
    await gone.task
    assert gone.status == 404


async def test_no_link_of_his_leads_to_hers(bob, hers):
    """With an id of his own in one place and one of hers in the other, both ways round."""
    ids, dot = hers.ids, await upload(bob, "dot.png", PNG + b"bob")
    own = await submit(bob, files=[dot])
    for path in (
        f"/v1/jobs/{own['id']}/download/{ids['file']}", f"/v1/jobs/{ids['job']}/download/{dot}",
        f"/v1/jobs/{own['id']}/download/{ids['result']}",
        f"/v1/jobs/{ids['job']}/download/{ids['result']}",
    ):  # fmt: skip
        assert (await bob.client.get(path)).status_code == 404, path
    for what in (f"jobs/{ids['job']}", f"files/{ids['result']}", f"files/{ids['archive']}"):
        assert (await bob.client.post(f"/v1/{what}/link")).status_code == 404, what


async def test_what_a_job_made_is_hers_by_every_address(ann, bob, nobody, hers):
    """Result files have ids that can be computed from the job's: access is checked all the same."""
    job, result = hers.ids["job"], hers.ids["result"]
    reads = [f"/v1/files/{result}{more}" for more in ("", "/content", "/thumbnail", "/members")]
    reads += [f"/v1/files/{result}/members/a.png", f"/files/{result}", f"/jobs/{job}"]
    reads += [f"/v1/jobs/{job}{more}" for more in (
        "", "/items", "/results", "/results.jsonl", "/download", "/events")]  # fmt: skip
    for path in reads:
        assert (await bob.client.get(path)).status_code == 404, path
        assert (await nobody.get(path)).status_code in (401, 303), path
    for path in (f"/v1/files/{result}/content", f"/v1/jobs/{job}/download"):
        assert (await ann.client.get(path)).status_code == 200, path
