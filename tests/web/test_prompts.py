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
SETTINGS = {
    "prompt_chain": "echo:one",
}
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
    answer = await person.client.get(f"/v1/jobs/{job['id']}/download/{file_id}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["expires_at"]
    content = await person.client.get(answer.json()["url"].partition("mill.test")[2])
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
    print([(one["outcome"], one["error"], (one["data"] or {}).get("repaired")) for one in found])
    assert {one["data"]["repaired"] for one in good} == {True, False}
    for one in good:
        assert one["files"][0]["name"] == f"{one['name']}.result.json"
        title = json.loads(await download(ann, job, one["input"]))["title"]
        assert re.match("Echo [0-7]", title)
    for one in found:
        if one["outcome"] == "failed":
            assert (one["code"], "put right once" in one["error"]) == ("invalid_answer", True)
