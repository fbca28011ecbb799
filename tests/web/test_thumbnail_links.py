"""Signed addresses of thumbnails: the same for an hour, kept by caches, of no use afterwards."""

import hashlib
from urllib.parse import urlsplit

import pytest

from mediamill.core.clock import HOUR, SECOND
from mediamill.services.links.pictures import METHOD, WINDOW
from mediamill.services.links.signing import Grant
from mediamill.store.port import Update
from mediamill.store.repositories.files import File
from tests.support.places import everywhere
from tests.web.test_uploading import PNG

DRAWN = b"\xff\xd8 a small picture \xff\xd9"


async def drawn(mill, person, name="dot.png", data=PNG):
    """Upload a file, and give it a thumbnail as a worker would."""
    answer = await person.client.post(f"/v1/files?name={name}", content=data)
    file = answer.json()["id"]
    blob = f"thumbnails/{file}"
    await mill.blobs.put(blob, DRAWN)
    await mill.store.transact(Update(File, (file,), set={"thumbnail": blob}))
    return file


@pytest.fixture
async def file(mill, ann):
    return await drawn(mill, ann)


@pytest.fixture
def at(mill, monkeypatch):
    """Set the time within this hour, or a later one, in milliseconds."""
    now = mill.clock.now
    first = (now() // WINDOW + 1) * WINDOW

    def set_to(milliseconds):
        monkeypatch.setattr(mill.clock, "now", lambda: first + milliseconds)

    set_to(0)
    yield set_to
    monkeypatch.setattr(mill.clock, "now", now)


async def address(person, file):
    answer = await person.client.get(f"/v1/files/{file}", params={"thumbnails": "signed"})
    assert answer.status_code == 200, answer.text
    return answer.json()["links"]["thumbnail"]


def seconds(answer):
    """Return for how long a cache may keep an answer."""
    said = dict(part.strip().partition("=")[::2] for part in
                answer.headers["cache-control"].split(","))  # fmt: skip
    assert said.keys() == {"public", "max-age", "immutable"}
    return int(said["max-age"])


@everywhere
async def test_it_shows_the_picture_to_whoever_has_it(mill, ann, nobody, file, at):
    path = await address(ann, file)
    answer = await nobody.get(path)
    assert (answer.status_code, answer.content) == (200, DRAWN)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"].startswith("inline")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers
    assert "vary" not in answer.headers
    again = await nobody.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert seconds(again) == seconds(answer)
    head = await nobody.head(path)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(DRAWN)))


async def test_it_is_the_same_for_an_hour_and_works_for_one_at_least(mill, ann, nobody, file, at):
    first = await address(ann, file)
    at(HOUR - 1)
    assert await address(ann, file) == first
    assert seconds(await nobody.get(first)) == HOUR // SECOND
    at(HOUR)
    second = await address(ann, file)
    assert second != first
    assert seconds(await nobody.get(first)) == HOUR // SECOND
    at(2 * HOUR - SECOND)
    assert seconds(await nobody.get(first)) == 1
    at(2 * HOUR)
    late = await nobody.get(first)
    assert (late.status_code, late.headers["cache-control"]) == (403, "no-store")
    assert (await nobody.get(second)).status_code == 200


async def test_a_cache_in_front_asks_once_in_an_hour_for_all_who_look(ann, bob, nobody, file, at):
    """As CloudFront does: by the address alone, without cookies and headers, as long as told."""
    project = (await ann.client.post("/v1/projects", json={"name": "p"})).json()["id"]
    await ann.client.post(f"/v1/projects/{project}/files", json={"files": [file]})
    share = await ann.client.post(
        f"/v1/projects/{project}/shares", json={"user": bob.email, "role": "viewer"}
    )
    assert share.status_code in (200, 201), share.text
    kept, asked = {}, []
    for minute in range(0, 180, 10):
        at(minute * 60 * SECOND)
        for person in (ann, bob):
            listed = await person.client.get(
                f"/v1/projects/{project}/files", params={"thumbnails": "signed"}
            )
            (one,) = listed.json()["data"]
            path = one["links"]["thumbnail"]
            if path not in kept or kept[path] <= minute * 60:
                answer = await nobody.get(path)
                asked.append(minute)
                kept[path] = minute * 60 + seconds(answer)
    assert asked == [0, 60, 120], "36 views"


async def test_what_is_deleted_is_gone_at_once_and_comes_back(mill, ann, nobody, file):
    path = await address(ann, file)
    await ann.client.delete(f"/v1/files/{file}")
    gone = await nobody.get(path)
    assert (gone.status_code, gone.headers["cache-control"]) == (404, "no-store")
    trashed = await ann.client.get("/v1/files", params={"state": "trashed", "thumbnails": "signed"})
    assert "thumbnail" not in trashed.json()["data"][0]["links"]
    await ann.client.post(f"/v1/files/{file}/restore")
    assert (await nobody.get(path)).status_code == 200
    await ann.client.delete(f"/v1/files/{file}", params={"now": True})
    assert (await nobody.get(path)).status_code == 404


async def test_another_version_of_the_file_has_another_address(mill, ann, nobody, file):
    path = await address(ann, file)
    other = hashlib.sha256(b"other").hexdigest()
    await mill.store.transact(Update(File, (file,), set={"sha256": other}))
    assert (await nobody.get(path)).status_code == 404
    assert await address(ann, file) != path


async def test_only_who_may_see_a_file_gets_its_address(mill, ann, bob, nobody, file):
    for person in (bob.client, nobody):
        answer = await person.get(f"/v1/files/{file}", params={"thumbnails": "signed"})
        assert answer.status_code in (401, 404)
    listed = await bob.client.get("/v1/files", params={"ids": file, "thumbnails": "signed"})
    assert listed.json()["data"] == []
    assert await mill.pictures.of_ids(await principal(mill, bob), [file, "file_none"]) == {}
    assert set(await mill.pictures.of_ids(await principal(mill, ann), [file])) == {file}


async def principal(mill, person):
    return await mill.accounts.acting(person.id)


async def test_lists_have_one_for_each_file_with_a_picture(mill, ann, nobody):
    files = [await drawn(mill, ann, f"{n}.png", PNG + bytes([n])) for n in range(3)]
    plain = (await ann.client.post("/v1/files?name=a.txt", content=b"words")).json()["id"]
    asked = {"ids": ",".join([*files, plain]), "thumbnails": "signed"}
    signed = (await ann.client.get("/v1/files", params=asked)).json()["data"]
    own = (await ann.client.get("/v1/files", params={"ids": asked["ids"]})).json()["data"]
    paths = [one["links"].get("thumbnail") for one in signed]
    assert [one["links"].get("thumbnail") for one in own[:3]] == [
        f"/v1/files/{file}/thumbnail" for file in files
    ]
    assert len(set(paths[:3])) == 3
    assert paths[3] is None
    for path in paths[:3]:
        assert (await nobody.get(path)).content == DRAWN
    refused = await ann.client.get("/v1/files", params={"thumbnails": "mine"})
    assert refused.status_code == 422


async def test_nothing_else_is_opened_by_it_and_nothing_else_opens_it(mill, ann, nobody, file):
    path = await address(ann, file)
    token = path.rpartition("/")[2]
    assert (await nobody.get(f"/v1/links/{token}")).status_code == 403
    link = (await ann.client.post(f"/v1/files/{file}/link")).json()["url"]
    other = urlsplit(link).path.rpartition("/")[2]
    assert (await nobody.get(f"/v1/thumbnails/{other}")).status_code == 403
    changed = token[:-1] + ("A" if token[-1] != "A" else "Q")
    for wrong in (changed, "mmk_", "x", token + "="):
        assert (await nobody.get(f"/v1/thumbnails/{wrong}")).status_code == 403
    strange = Grant(METHOD, "file_none:0", "", mill.clock.now() + HOUR)
    answer = await nobody.get(f"/v1/thumbnails/{await mill.links.signer.issue(strange)}")
    assert answer.status_code == 404
