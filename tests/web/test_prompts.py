"""Prompts over HTTP: said in short, over every kind of document, each file or all together."""

import json
import re

import pytest
import pytest_asyncio

from tests.support.documents import docx_of, pdf, pptx_of, xlsx_of
from tests.support.serving import working
from tests.web.one_service import ann, bob, mill, nobody, web  # noqa: F401 - fixtures
from tests.web.test_submission import ended, items, jpeg, project_of, upload, zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG, MUTE = "echo:long?length=30000", "echo:mute?fault=declined*"
SETTINGS = {"prompt_chain": f"echo:one,{LONG},{MUTE}"}
TALE = "Once upon a time.\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def worker(mill):
    async with working(mill):
        yield


async def ask(person, **body):
    answer = await person.client.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return await ended(person, answer.json())


async def outcomes(person, job):
    answer = await person.client.get(f"/v1/jobs/{job['id']}/results", params={"limit": 100})
    return answer.json()["data"]


async def download(person, job, file_id):
    """Follow the link to what came of a file."""
    here = f"/v1/jobs/{job['id']}/download/{file_id}"
    answer = await person.client.get(here, params={"direct": False})
    assert answer.status_code == 200, answer.text
    assert answer.json()["expires_at"]
    content = await person.client.get(answer.json()["url"].partition("mill.test")[2])
    assert content.status_code == 200, content.text
    return content.text


async def test_every_kind_of_document(ann):
    documents = {
        "tale.txt": TALE.encode(),
        "run.py": b"print('hello')\n",
        "page.pdf": pdf("What is on the page."),
        "letter.docx": docx_of("Dear Ann,", "good bye."),
        "sums.xlsx": xlsx_of(["a", "b"], [1, 2]),
        "talk.pptx": pptx_of(("Title", "Words")),
        "blue.jpg": jpeg(64, 32),
    }
    files = {name: await upload(ann, name, data) for name, data in documents.items()}
    job = await ask(ann, files=[*files.values()], prompt="What is {name}?")
    assert job["state"] == "succeeded", await items(ann, job)
    assert job["steps"][0]["parameters"]["prompt"] == "What is {name}?"
    found = await outcomes(ann, job)
    assert [f["name"] for one in found for f in one["files"]] == [f"{n}.result.md" for n in files]
    for one in found:
        assert one["data"]["provider"] == "echo:one"
        said = await download(ann, job, one["input"])
        assert said == await download(ann, job, one["files"][0]["id"])
        assert re.fullmatch(rf"Echo \w+ of {re.escape(one['name'])}\.\n", said), said
    archive = await ann.client.get(f"/v1/jobs/{job['id']}/download")
    assert archive.status_code == 200
    assert b"letter.docx.result.md" in archive.content


async def test_a_job_that_has_the_time(ann, mill):
    """A provider that takes no batches is asked at once."""
    tale = await upload(ann, "tale.txt", TALE.encode())
    job = await ask(ann, files=[tale], prompt="What?", batch=True)
    assert job["state"] == "succeeded"
    assert (await mill.repositories.jobs.need(job["id"])).batch


async def test_other_sources(ann):
    tale = await upload(ann, "tale.txt", TALE.encode())
    project = await project_of(ann, [tale])
    archive = await upload(ann, "set.zip", zipped({"a/tale.txt": TALE.encode()}))
    manifest = await upload(ann, "inputs.txt", tale.encode())
    for source in ({"project": project}, {"archive": archive}, {"manifest": manifest}):
        job = await ask(ann, prompt={"prompt": "Why?", "temperature": 0}, **source)
        assert job["state"] == "succeeded", (source, await items(ann, job))
        assert job["steps"][0]["parameters"]["temperature"] == 0


async def test_all_together(ann):
    files = [await upload(ann, f"{n}.txt", b"Page %d" % n) for n in range(3)]
    job = await ask(ann, files=files, prompt="What do they have in common?", group=True)
    assert job["state"] == "succeeded", await items(ann, job)
    (one,) = (await outcomes(ann, job))[-1:]
    assert [file["name"] for file in one["files"]] == ["all.result.md"]
    said = await download(ann, job, one["files"][0]["id"])
    for file in files:
        assert await download(ann, job, file) == said


async def test_a_group_some_of_which_does_not_fit(ann):
    tale = await upload(ann, "tale.txt", TALE.encode())
    noise = await upload(ann, "noise.bin", bytes(range(256)) * 8)
    job = await ask(ann, files=[tale, noise], prompt="Which?", group=True)
    assert job["state"] == "partial", await items(ann, job)
    assert (await download(ann, job, tale)).startswith("Echo")
    refused = await ann.client.get(f"/v1/jobs/{job['id']}/download/{noise}")
    assert (refused.status_code, refused.json()["details"]["state"]) == (409, "failed")
    part = (await ann.client.get(f"/parts/answers/{job['id']}")).text
    assert re.findall('data-state="([^"]+)"', part) == ["failed", "succeeded"]

    job = await ask(ann, files=[tale], prompt={"prompt": "Which?", "model": MUTE}, group=True)
    refused = await ann.client.get(f"/v1/jobs/{job['id']}/download/{tale}")
    assert (refused.status_code, "will not answer" in refused.json()["detail"]) == (409, True)
    stranger = await ann.client.get(f"/v1/jobs/{job['id']}/download/{noise}")
    assert stranger.status_code == 404


async def test_a_prompt_has_the_number_of_the_file(ann):
    """Two files alike are asked about alike, save for what the prompt says of them."""
    files = [await upload(ann, "same.txt", TALE.encode()) for _ in range(2)]
    for prompt, different in (("Which?", 1), ("Which is number {index}?", 2)):
        job = await ask(ann, files=files, prompt=prompt)
        said = {one["data"]["text"] for one in await outcomes(ann, job)}
        assert len(said) == different, prompt


async def test_an_answer_that_is_put_right_once(ann):
    """Echo's texts are made of the question's digest: some fit, others when asked again."""
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string", "pattern": "^Echo [0-7]"}},
        "required": ["title"],
    }
    files = [await upload(ann, f"{n}.txt", b"Page %d" % n) for n in range(8)]
    job = await ask(ann, files=files, prompt={"prompt": "A title.", "output_schema": schema})
    found = await outcomes(ann, job)
    good = [one for one in found if one["outcome"] == "succeeded"]
    assert {one["data"]["repaired"] for one in good} == {True, False}
    for one in good:
        assert one["files"][0]["name"] == f"{one['name']}.result.json"
        title = json.loads(await download(ann, job, one["input"]))["title"]
        assert re.match("Echo [0-7]", title)
    for one in found:
        if one["outcome"] == "failed":
            assert (one["code"], "put right once" in one["error"]) == ("invalid_answer", True)


async def test_a_template_of_somebody_else(ann, bob):
    body = {
        "name": "Reviews",
        "description": "What reviewers say.",
        "steps": [
            {"operation": "prompt", "parameters": {"prompt": "In ${words} words: ${question}"}}
        ],
        "variables": {
            "words": {"type": "integer", "default": 5},
            "question": {"type": "string"},
        },
    }
    made = (await ann.client.post("/v1/templates", json=body)).json()
    shares = f"/v1/templates/{made['id']}/shares"
    shared = await ann.client.post(shares, json={"user": bob.email, "role": "viewer"})
    assert shared.status_code == 201, shared.text
    query = {"state": "shared", "operation": "prompt"}
    (listed,) = (await bob.client.get("/v1/templates", params=query)).json()["data"]
    assert (listed["name"], listed["role"]) == ("Reviews", "viewer")
    assert listed["by"] == ann.email.partition("@")[0]
    assert (await bob.client.get("/v1/templates?state=shared&operation=caption")).json()[
        "data"
    ] == []

    tale = await upload(bob, "tale.txt", TALE.encode())
    job = await ask(bob, files=[tale], template=made["id"], variables={"question": "who?"})
    assert job["state"] == "succeeded"
    assert job["template"] == {"id": made["id"], "version": 1}
    assert job["steps"][0]["parameters"]["prompt"] == "In 5 words: who?"
    await ann.client.delete(f"{shares}/{bob.id}")
    refused = await bob.client.post("/v1/jobs", json={"files": [tale], "template": made["id"]})
    assert refused.json()["errors"][0]["pointer"] == "template"


async def test_answers_on_their_page(ann):
    """What waits, what failed and why, what was cut off; never a broken page."""
    files = [await upload(ann, f"{n}.txt", b"Page %d" % n) for n in range(2)]
    picture = await upload(ann, "blue.jpg", jpeg(8, 8))
    asked = {"prompt": "Why?", "model": LONG, "max_tokens": 1000, "continuations": 1}
    began = await ann.client.post("/v1/jobs", json={"files": files, "prompt": asked})
    here = began.json()["id"]
    assert (await ann.client.get(f"/parts/answers/{here}")).status_code == 200
    await ended(ann, began.json())
    part = (await ann.client.get(f"/parts/answers/{here}")).text
    assert part.count(">truncated<") == 2
    assert "0.txt.result.md" in part
    assert "tokens in" in part
    page = await ann.client.get(f"/prompts/{here}", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "Ask the same files again" in page.text

    job = await ask(ann, files=[picture], prompt={"prompt": "Why?", "model": MUTE})
    part = (await ann.client.get(f"/parts/answers/{job['id']}")).text
    assert (job["state"], "will not answer" in part) == ("failed", True), part
    schema = {"type": "object", "properties": {"<b>": {"type": "string"}}}
    job = await ask(ann, files=files, prompt={"prompt": "Why?", "output_schema": schema})
    part = (await ann.client.get(f"/parts/answers/{job['id']}")).text
    assert part.count('<span class="key">&lt;b&gt;</span>') == 2


async def test_what_does_not_fit_is_told(ann):
    tale = await upload(ann, "tale.txt", TALE.encode())
    noise = await upload(ann, "noise.bin", bytes(range(256)) * 8)
    body = {"files": [tale, noise], "prompt": "What is {name}?"}
    plan = await ann.client.post("/v1/jobs?dry_run=true", json=body)
    assert [one["pointer"] for one in plan.json()["misfits"]] == ["inputs.1"]
    job = await ask(ann, **body)
    assert job["state"] == "partial"
    state = {item["name"]: item["state"] for item in await items(ann, job)}
    assert state == {"tale.txt": "succeeded", "noise.bin": "failed"}
    refused = await ann.client.get(f"/v1/jobs/{job['id']}/download/{noise}")
    assert (refused.status_code, refused.json()["details"]["state"]) == (409, "failed")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": {"prompt": "x", "temperature": 7}}, "prompt.temperature"),
        ({"prompt": {"prompt": "x", "output_schema": {"type": "no"}}}, "prompt.output_schema"),
        ({"prompt": {"prompt": "x", "wrong": 1}}, "prompt.wrong"),
        ({"prompt": {"prompt": "x", "model": "nobody"}}, "prompt.providers"),
        ({"prompt": "x", "steps": [{"operation": "thumbnail"}]}, "prompt"),
        ({"prompt": "x", "template": "t"}, "prompt"),
        ({"prompt": {"prompt": "x", "group": False}, "group": True}, "group"),
        ({"group": True}, "group"),
        ({"prompt": "x", "files": ["file_none"]}, "files.0"),
        ({"prompt": 7}, "prompt"),
    ],
)
async def test_wrong_prompts(ann, body, pointer):
    tale = await upload(ann, "tale.txt", TALE.encode())
    refused = await ann.client.post("/v1/jobs", json={"files": [tale], **body})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer), (
        refused.text
    )


async def test_parameters_are_checked_without_a_job(ann):
    asked = {"parameters": {"prompt": "x", "output_schema": {"type": "object"}}}
    told = await ann.client.post("/v1/operations/prompt/check", json=asked)
    assert told.json()["parameters"]["max_tokens"] == 4096
    asked["parameters"]["output_schema"] = {"$ref": "https://example.org/schema"}
    told = await ann.client.post("/v1/operations/prompt/check", json=asked)
    assert told.status_code == 422
    assert told.json()["errors"][0]["pointer"] == "parameters.output_schema"
