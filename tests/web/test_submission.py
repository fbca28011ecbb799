"""Jobs over projects, archives and manifests, dry runs and templates, over HTTP with a worker."""

import io
import zipfile

import pytest
from PIL import Image

from tests.support.places import everywhere
from tests.support.serving import working
from tests.web.test_uploading import PNG

THUMBNAIL = [{"operation": "thumbnail"}]


@pytest.fixture
async def worker(mill):
    async with working(mill):
        yield


async def upload(person, name, data):
    answer = await person.client.post("/v1/files", params={"name": name}, content=data)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def zipped(members):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def jpeg(width, height):
    made = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(made, "JPEG")
    return made.getvalue()


async def submit(person, **body):
    answer = await person.client.post("/v1/jobs", json={"steps": THUMBNAIL, **body})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def ended(person, job):
    answer = await person.client.get(f"/v1/jobs/{job['id']}", params={"wait": 30}, timeout=40)
    return answer.json()


async def items(person, job):
    answer = await person.client.get(f"/v1/jobs/{job['id']}/items", params={"limit": 100})
    return answer.json()["data"]


async def project_of(person, files):
    made = await person.client.post("/v1/projects", json={"name": "cats", "description": "all"})
    assert made.status_code == 201, made.text
    assert made.headers["location"] == made.json()["links"]["self"]
    here = made.json()["links"]["files"]
    assert (await person.client.post(here, json={"files": files})).json() == {"added": len(files)}
    return made.json()["id"]


@everywhere
async def test_the_inputs_of_a_project_an_archive_and_a_manifest(ann, bob, worker):
    dot, theirs = await upload(ann, "dot.png", PNG), await upload(bob, "hers.png", PNG)
    project = await project_of(ann, [dot])
    archive = await upload(ann, "set.zip", zipped({"a/d.png": PNG, "a/d.txt": b"cat"}))
    lines = [dot, theirs, f'{{"archive": "{archive}", "path": "a/d.png", "name": "z.png"}}']
    manifest = await upload(ann, "inputs.jsonl", "\n".join(lines).encode())

    job = await submit(ann, project=project)
    whole = {"members": None, "subset": None, "split": None}
    assert job["inputs"] == {"source": "project", "id": project, **whole}
    done = await ended(ann, job)
    assert (done["state"], done["counts"]["succeeded"]) == ("succeeded", 1), done

    names = ["*.png", *(f"{n}-{'ä' * 50}.png" for n in range(100))]
    job = await submit(ann, archive=archive, members=names)
    done = await ended(ann, job)
    assert (done["state"], done["items"]) == ("succeeded", 1), (done, await items(ann, job))
    assert done["inputs"] == {"source": "archive", "id": archive, **whole, "members": names}
    listed = (await ann.client.get("/v1/jobs", params={"limit": 1})).json()["data"]
    assert listed[0]["inputs"] == {"source": "archive", "id": archive, **whole}
    assert (await items(ann, job))[0]["name"] == "d.png"

    job = await submit(ann, manifest=manifest)
    done = await ended(ann, job)
    assert done["state"] == "partial"
    listed = await items(ann, job)
    assert [item["name"] for item in listed] == ["dot.png", theirs, "z.png"]
    failed = [item for item in listed if item["state"] == "failed"]
    assert [item["error"] for item in failed] == [f"Line 2: There is no file {theirs}."]
    page = await ann.client.get(f"/jobs/{job['id']}", headers={"accept": "text/html"})
    assert f"Inputs: manifest <code>{manifest}</code>" in page.text
    results = await ann.client.get(f"/v1/jobs/{job['id']}/results")
    assert "hers.png" not in results.text
    download = await ann.client.get(f"/v1/jobs/{job['id']}/download")
    with zipfile.ZipFile(io.BytesIO(download.content)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 3
        assert b"hers.png" not in archive.read("manifest.jsonl")


async def test_sources_of_others_are_not_there(ann, bob):
    dot = await upload(ann, "dot.png", PNG)
    archive = await upload(ann, "set.zip", zipped({"d.png": PNG}))
    sources = {
        "project": await project_of(ann, [dot]),
        "archive": archive,
        "manifest": await upload(ann, "list.txt", dot.encode()),
    }
    for source, record in sources.items():
        for query in ({}, {"dry_run": "true"}):
            body = {source: record, "steps": THUMBNAIL}
            answer = await bob.client.post("/v1/jobs", json=body, params=query)
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["pointer"] == source
            assert "There is no" in answer.json()["detail"]
    hers = await bob.client.post("/v1/projects", json={"name": "hers"})
    added = await bob.client.post(hers.json()["links"]["files"], json={"files": [dot]})
    assert added.status_code == 422
    assert (await bob.client.get(hers.json()["links"]["files"])).json()["data"] == []


async def test_a_dry_run_tells_and_writes_nothing(mill, ann):
    dot = await upload(ann, "dot.png", PNG)
    photo = await upload(ann, "photo.jpg", jpeg(640, 480))
    text = await upload(ann, "words.txt", b"words")
    body = {"files": [dot, text, photo], "steps": THUMBNAIL, "name": "tried"}
    answer = await ann.client.post("/v1/jobs", json=body, params={"dry_run": "true"})
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert plan["dry_run"] is True
    assert (plan["items"], plan["at_least"], plan["class"]) == (3, False, "interactive")
    assert plan["bytes"] > len(PNG)
    assert plan["core_seconds"] > 0
    assert plan["units"] == 1
    assert plan["reused"] == 0
    assert plan["steps"][0]["parameters"]["size"] == 300
    (misfit,) = plan["misfits"]
    assert misfit["pointer"] == "inputs.1"
    assert "words.txt" in misfit["message"]
    assert (await ann.client.get("/v1/jobs")).json()["data"] == []
    assert (await mill.repositories.units.of_group("x")) == ()
    wrong = {**body, "steps": [{"operation": "thumbnail", "parameters": {"sise": 3}}]}
    refused = await ann.client.post("/v1/jobs", json=wrong, params={"dry_run": "true"})
    assert refused.status_code == 422
    assert "did you mean size" in refused.json()["detail"]


async def test_a_dry_run_knows_what_was_done_before(ann, worker):
    dot = await upload(ann, "dot.png", PNG)
    await ended(ann, await submit(ann, files=[dot]))
    body = {"files": [dot], "steps": THUMBNAIL}
    query = {"dry_run": "true"}
    assert (await ann.client.post("/v1/jobs", json=body, params=query)).json()["reused"] == 1
    body["reuse"] = False
    assert (await ann.client.post("/v1/jobs", json=body, params=query)).json()["reused"] == 0


TEMPLATE = {
    "name": "Small",
    "description": "small ones",
    "steps": [{"operation": "thumbnail", "parameters": {"size": "${size}", "format": "${format}"}}],
    "variables": {
        "size": {"type": "integer", "default": 64},
        "format": {"type": "string", "description": "jpeg or png"},
    },
}


async def test_a_template_makes_the_steps(ann, worker):
    dot = await upload(ann, "dot.png", PNG)
    made = await ann.client.post("/v1/templates", json=TEMPLATE)
    assert made.status_code == 201, made.text
    template = made.json()
    assert template["variables"]["format"]["required"] is True
    body = {"files": [dot], "template": "small", "variables": {"format": "png"}}
    answer = await ann.client.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert job["template"] == {"id": template["id"], "version": 1}
    assert job["steps"][0]["parameters"] == {"size": 64, "format": "png", "quality": 80}
    assert (await ended(ann, job))["state"] == "succeeded"

    here = template["links"]["self"]
    change = {"steps": [{"operation": "thumbnail", "parameters": {"size": 32}}], "variables": {}}
    assert (await ann.client.patch(here, json=change)).json()["version"] == 2
    versions = (await ann.client.get(f"{here}/versions")).json()["data"]
    assert [version["version"] for version in versions] == [2, 1]
    assert versions[1]["steps"] == TEMPLATE["steps"]
    shown = (await ann.client.get(f"/v1/jobs/{job['id']}")).json()
    assert shown["template"]["version"] == 1
    assert shown["steps"][0]["parameters"]["format"] == "png"
    assert (await ann.client.delete(here)).status_code == 204
    assert (await ann.client.get(here)).status_code == 404


async def test_wrong_variables_are_named(ann, bob):
    dot, hers = await upload(ann, "dot.png", PNG), await upload(bob, "dot.png", PNG)
    template = (await ann.client.post("/v1/templates", json=TEMPLATE)).json()
    cases = [
        ({}, "variables.format", "needed"),
        ({"format": "png", "fromat": "x"}, "variables.fromat", "no variable"),
        ({"format": 3}, "variables.format", "string"),
        ({"format": "png", "size": True}, "variables.size", "integer"),
        ({"format": "bmp"}, "variables.format", "one of jpeg, png"),
        ({"format": "png", "size": 7}, "variables.size", "from 16 to 2,048"),
    ]
    for variables, pointer, words in cases:
        body = {"files": [dot], "template": template["id"], "variables": variables}
        answer = await ann.client.post("/v1/jobs", json=body)
        assert answer.status_code == 422, variables
        assert answer.json()["errors"][0]["pointer"] == pointer, answer.json()
        assert words in answer.json()["errors"][0]["message"]
    for reference in (template["id"], "small"):
        body = {"files": [hers], "template": reference, "variables": {"format": "png"}}
        answer = await bob.client.post("/v1/jobs", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "template"
    both = {"files": [dot], "template": "small", "steps": THUMBNAIL}
    assert (await ann.client.post("/v1/jobs", json=both)).status_code == 422
    neither = await ann.client.post("/v1/jobs", json={"files": [dot]})
    message = "Give steps, a template or a prompt."
    assert neither.json()["errors"] == [{"pointer": "steps", "message": message}]
    unknown = {"files": [dot], "steps": [*THUMBNAIL, {"operation": "thumbnial"}]}
    refused = await ann.client.post("/v1/jobs", json=unknown)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (
        422,
        "steps.1.operation",
    )


async def test_projects_over_http(ann):
    dot, other = await upload(ann, "dot.png", PNG), await upload(ann, "two.png", PNG)
    project = await project_of(ann, [dot, other])
    here = f"/v1/projects/{project}"
    assert (await ann.client.get(here)).json()["files"] == 2
    renamed = await ann.client.patch(here, json={"name": "dogs"})
    assert (renamed.json()["name"], renamed.json()["description"]) == ("dogs", "all")
    one = await ann.client.get(f"{here}/files", params={"limit": 1})
    assert [file["id"] for file in one.json()["data"]] == [dot]
    two = await ann.client.get(f"{here}/files", params={"after": one.json()["after"]})
    assert [file["id"] for file in two.json()["data"]] == [other]
    gone = await ann.client.request("DELETE", f"{here}/files", json={"files": [dot]})
    assert gone.json() == {"removed": 1}
    assert (await ann.client.delete(f"{here}/files/{other}")).status_code == 204
    assert (await ann.client.get(here)).json()["files"] == 0
    assert [row["id"] for row in (await ann.client.get("/v1/projects")).json()["data"]] == [project]
    assert (await ann.client.delete(here)).status_code == 204
    assert (await ann.client.get(here)).status_code == 404
    trash = (await ann.client.get("/v1/projects?state=trashed")).json()["data"]
    assert trash[0]["links"] == {"restore": f"{here}/restore"}
    assert (await ann.client.post(f"{here}/restore")).json()["deleted_at"] is None
    assert (await ann.client.get(here)).status_code == 200
    assert (await ann.client.delete(f"{here}?now=true")).status_code == 204
    assert (await ann.client.get(f"/v1/files/{dot}")).status_code == 200
