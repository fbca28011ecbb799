"""Captions over HTTP: found again, judged, edited, asked about anew, exported, removed."""

import csv
import io
import json
from pathlib import Path

import pytest
import pytest_asyncio

from mediamill.media.video.pattern import write_pattern
from tests.support.serving import working
from tests.web.one_service import ann, bob, mill, nobody, web  # noqa: F401 - fixtures
from tests.web.test_submission import ended, items, jpeg, upload

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"providers": str(Path(__file__).with_name("captions.toml"))}
SPOKEN = {"variants": ["concise"], "providers": ["boat"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def worker(mill):
    async with working(mill):
        yield


async def captioned(person, names, operation="caption", **parameters):
    files = [await upload(person, name, jpeg(8 * n + 8, 8)) for n, name in enumerate(names)]
    step = {"operation": operation, "parameters": parameters}
    answer = await person.client.post("/v1/jobs", json={"files": files, "steps": [step]})
    assert answer.status_code == 202, answer.text
    job = await ended(person, answer.json())
    assert job["state"] == "succeeded", str(await items(person, job))
    return job


async def rows(person, **asked):
    answer = await person.client.get("/v1/captions", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def names(person, query, **more):
    return sorted(row["file_name"] for row in await rows(person, query=query, **more))


async def export(person, **asked):
    answer = await person.client.get("/v1/captions/export", params=asked)
    assert answer.status_code == 200, answer.text
    return answer


async def test_the_history_is_newest_first_twenty_a_page(ann):
    first = await captioned(ann, [f"{n}.jpg" for n in range(12)])
    second = await captioned(ann, [f"{n}.jpg" for n in range(12, 23)])
    page = (await ann.client.get("/v1/captions")).json()
    assert (len(page["data"]), page["has_more"]) == (20, True)
    assert {row["job"] for row in page["data"][:11]} == {second["id"]}
    rest = await rows(ann, after=page["after"])
    assert {row["job"] for row in rest} == {first["id"]}
    times = [row["created_at"] for row in (*page["data"], *rest)]
    assert times == sorted(times, reverse=True)
    of_job = await rows(ann, job=first["id"])
    assert [row["file_name"] for row in of_job] == [f"{n}.jpg" for n in range(12)]
    row = of_job[0]
    assert [one["variant"] for one in row["captions"]] == ["concise", "creative"]
    assert (row["providers"], row["state"], row["undoable"]) == (["echo:one"], "new", False)
    assert (await ann.client.get(row["links"]["thumbnail"])).status_code in (200, 404)


async def test_words_of_captions_labels_and_names_find_them(ann, bob):
    await captioned(ann, ["Café am See.jpg", "IMG_7.jpg"], **SPOKEN)
    await captioned(ann, ["pet.jpg"], "label")
    assert await names(ann, "boat") == ["Café am See.jpg", "IMG_7.jpg"]
    assert await names(ann, "BOA red") == ["Café am See.jpg", "IMG_7.jpg"]
    assert await names(ann, "cafe boat") == ["Café am See.jpg"]
    assert await names(ann, "16 red") == ["IMG_7.jpg"]
    assert await names(ann, "boats") == await names(ann, "boat dog") == []
    assert await names(ann, "the dog") == ["pet.jpg"]
    assert await names(ann, "grass", state="approved") == []
    assert await names(bob, "boat") == []
    refused = await ann.client.get("/v1/captions", params={"query": "boat", "after": "x"})
    assert refused.status_code == 422
    page = (await ann.client.get("/v1/captions", params={"query": "boat", "limit": 1})).json()
    assert page["has_more"]
    rest = await rows(ann, query="boat", after=page["after"])
    assert [row["file_name"] for row in (*page["data"], *rest)] == ["IMG_7.jpg", "Café am See.jpg"]


async def test_what_was_not_given_is_told(ann):
    plain = await captioned(ann, ["a.jpg"], **SPOKEN, labels=True)
    (row,) = await rows(ann, job=plain["id"])
    (missing,) = row["missing"]
    assert (missing["variant"], row["labels"]) == ("labels", [])
    assert "boat gives none" in missing["reason"]


async def test_texts_are_edited_and_taken_back(ann):
    job = await captioned(ann, ["a.jpg"], **SPOKEN)
    (row,) = await rows(ann, job=job["id"])
    here, given = f"/v1/captions/{row['id']}", row["captions"][0]["text"]
    text = {"variant": "concise", "language": "en"}
    edited = await ann.client.patch(here, json={"captions": [{**text, "text": " A “blue”  ship "}]})
    (one,) = edited.json()["captions"]
    assert (edited.json()["state"], one["text"]) == ("edited", "A “blue” ship")
    assert (one["original"], one["remark"]) == (given, "")
    assert await names(ann, "blue") == ["a.jpg"]
    assert await names(ann, "boat") == []
    long = {**text, "text": " ".join("abcdefghijk")}
    assert (
        "10 at most"
        in (await ann.client.patch(here, json={"captions": [long]})).json()["captions"][0]["remark"]
    )
    assert (await ann.client.patch(here, json={"state": "approved"})).json()["state"] == "approved"
    for state in ("edited", "edited", "new"):
        undone = (await ann.client.post(f"{here}/undo")).json()
        assert undone["state"] == state
    assert undone["captions"][0] == {**row["captions"][0]}
    assert await names(ann, "boat") == ["a.jpg"]
    assert (await ann.client.post(f"{here}/undo")).status_code == 409
    for wrong in (
        {"captions": [{**text, "text": " "}]},
        {"captions": [{**text, "language": "de", "text": "x"}]},
        {}, {"state": "new", "captions": [{**text, "text": "x"}]}, {"state": "edited"},
    ):  # fmt: skip
        assert (await ann.client.patch(here, json=wrong)).status_code == 422, wrong


async def test_the_rejected_are_asked_about_anew(ann, bob):
    job = await captioned(ann, ["a.jpg", "b.jpg", "c.jpg"])
    found = await rows(ann, job=job["id"])
    ids = [row["id"] for row in found]
    theirs = {"captions": ids, "state": "rejected"}
    told = (await bob.client.post("/v1/captions/review", json=theirs)).json()
    assert [one["caption"] for one in told] == [None] * 3
    nothing = await ann.client.post("/v1/captions/rerun", json={"job": job["id"]})
    assert nothing.status_code == 422
    told = (
        await ann.client.post("/v1/captions/review", json={**theirs, "captions": ids[1:]})
    ).json()
    assert [one["caption"]["state"] for one in told] == ["rejected"] * 2
    wrong = {"job": job["id"], "providers": ["nobody"]}
    refused = await ann.client.post("/v1/captions/rerun", json=wrong)
    assert refused.json()["errors"][0]["pointer"] == "providers", refused.text
    await ann.client.delete(f"/v1/files/{found[2]['file']}?now=true")
    body = {"job": job["id"], "providers": ["other"]}
    again = (await ann.client.post("/v1/captions/rerun", json=body)).json()
    assert (len(again["jobs"]), again["failed"][0]["id"]) == (1, ids[2]), again
    new = await ended(ann, {"id": again["jobs"][0]})
    assert (new["counts"]["succeeded"], new["counts"]["reused"]) == (1, 0)
    (row,) = await rows(ann, job=new["id"])
    assert (row["file_name"], row["providers"]) == ("b.jpg", ["other"])
    assert (await rows(ann, job=job["id"]))[1]["again"] == new["id"]


async def test_they_are_exported_by_file_name(ann):
    files = ["=1+1.jpg", "Ünïcode & 'b'.jpg"]
    job = await captioned(ann, files, variants=["concise", "alt-text"], labels=True)
    answer = await export(ann, job=job["id"])
    assert answer.headers["content-disposition"] == 'attachment; filename="captions.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbffile_name,")
    table = [*csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))]
    assert [row[0] for row in table] == ["file_name", "'=1+1.jpg", "Ünïcode & 'b'.jpg"]
    assert table[0][1:3] == ["concise", "alt_text"]
    lines = [json.loads(line) for line in (await export(ann, format="jsonl")).text.splitlines()]
    assert sorted(line["file_name"] for line in lines) == files
    assert all(line["concise"] and line["labels"] == [] for line in lines)
    alone = (await export(ann, format="jsonl", variant="alt-text")).text.splitlines()
    assert "concise" not in json.loads(alone[0])
    tags = (await export(ann, format="html", query="unicode")).text
    assert tags.startswith('<img src="%C3%9Cn%C3%AFcode%20%26%20%27b%27.jpg" alt="')
    empty = (await export(ann, state="rejected")).content
    assert empty == b"\xef\xbb\xbffile_name,labels,state,provider,model\r\n"


async def test_what_was_rejected_and_asked_anew_has_one_line(ann):
    job = await captioned(ann, ["a.jpg", "b.jpg", "c.jpg"])
    first, second, _ = await rows(ann, job=job["id"])
    await ann.client.patch(f"/v1/captions/{first['id']}", json={"state": "rejected"})
    again = await ann.client.post("/v1/captions/rerun", json={"providers": ["other"]})
    await ended(ann, {"id": again.json()["jobs"][0]})
    await ann.client.patch(f"/v1/captions/{second['id']}", json={"state": "rejected"})

    async def told(**asked):
        lines = (await export(ann, format="jsonl", **asked)).text.splitlines()
        return sorted((one["file_name"], one["state"]) for one in map(json.loads, lines))

    kept = [("b.jpg", "rejected"), ("c.jpg", "")]
    assert await told() == [("a.jpg", ""), *kept], "b.jpg was not asked about anew"
    assert await told(state="rejected") == [("a.jpg", "rejected"), ("b.jpg", "rejected")]
    assert await told(job=job["id"]) == [("a.jpg", "rejected"), *kept]
    tags = (await export(ann, format="html")).text
    assert [name in tags for name in ("a.jpg", "b.jpg", "c.jpg")] == [True, False, True]
    assert "b.jpg" in (await export(ann, format="html", state="rejected")).text


async def test_one_and_all_are_removed(mill, ann, bob):
    job, other = await captioned(ann, ["a.jpg", "b.jpg"]), await captioned(ann, ["c.jpg"])
    his = await captioned(bob, ["a.jpg"])
    (gone, _) = await rows(ann, job=job["id"])
    assert (await ann.client.delete(f"/v1/captions/{gone['id']}")).status_code == 204
    assert (await ann.client.get(f"/v1/captions/{gone['id']}")).status_code == 404
    assert await names(ann, "jpg") == ["b.jpg", "c.jpg"]
    await ann.client.delete(f"/v1/jobs/{other['id']}")
    assert await names(ann, "jpg") == [row["file_name"] for row in await rows(ann)] == ["b.jpg"]
    await ann.client.post(f"/v1/jobs/{other['id']}/restore")
    assert (await ann.client.delete("/v1/captions")).status_code == 422
    removed = await ann.client.delete("/v1/captions", params={"confirm": "delete"})
    assert removed.json() == {"removed": 2, "has_more": False}
    assert await rows(ann) == []
    assert len(await rows(bob, job=his["id"])) == 1
    assert await names(bob, "jpg") == ["a.jpg"]
    words = mill.captions.captions
    assert await words.vocabulary(ann.id, "", 10) == []
    assert await words.vocabulary(bob.id, "", 10)


async def test_frames_of_a_video_are_items_of_one_job(ann, tmp_path):
    clip = write_pattern(tmp_path / "clip.mp4", seconds=2).read_bytes()
    file = await upload(ann, "clip.mp4", clip)
    steps = [{"operation": "extract-frames", "parameters": {"count": 3, "mode": "count"}},
             {"operation": "caption", "parameters": {"variants": ["alt-text"]}}]  # fmt: skip
    answer = await ann.client.post("/v1/jobs", json={"files": [file], "steps": steps})
    job = await ended(ann, answer.json())
    assert (job["state"], job["items"], job["counts"]["succeeded"]) == ("succeeded", 3, 3)
    found = await rows(ann, job=job["id"])
    assert [row["member"] for row in found] == sorted(row["member"] for row in found)
    assert len({row["captions"][0]["text"] for row in found}) == 3
    shown = await ann.client.get(found[0]["links"]["thumbnail"])
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    await ann.client.patch(f"/v1/captions/{found[1]['id']}", json={"state": "rejected"})
    again = (await ann.client.post("/v1/captions/rerun", json={"job": job["id"]})).json()
    new = await ended(ann, {"id": again["jobs"][0]})
    assert new["items"] == 1, new
    (row,) = await rows(ann, job=new["id"])
    assert row["member"] == found[1]["member"]


async def test_frames_of_two_videos_have_names_of_their_own(ann, tmp_path):
    """Also where the videos are called the same."""
    clips = [write_pattern(tmp_path / f"{n}.mp4", seconds=n).read_bytes() for n in (1, 2)]
    names = zip(("one.mp4", "two.mp4", "two.mp4"), (*clips, clips[0] + bytes(8)), strict=True)
    files = [await upload(ann, name, clip) for name, clip in names]
    steps = [{"operation": "extract-frames", "parameters": {"mode": "keyframes", "width": 64}},
             {"operation": "caption", "parameters": {"variants": ["alt-text"]}}]  # fmt: skip
    answer = await ann.client.post("/v1/jobs", json={"files": files, "steps": steps})
    job = await ended(ann, answer.json())
    assert job["state"] == "succeeded", await items(ann, job)
    lines = (await export(ann, format="jsonl", job=job["id"])).text.splitlines()
    found = [json.loads(line)["file_name"] for line in lines]
    assert len({*found}) == len(found) == job["items"]
    folders = dict.fromkeys(name.partition("/")[0] for name in found)
    assert [*folders] == ["one-frames", "two-frames", "two-frames-2"]
    members = [row["member"] for row in await rows(ann, job=job["id"], limit=100)]
    assert [name.partition("/")[2] for name in found] == members
