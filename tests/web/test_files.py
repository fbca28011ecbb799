"""Files through the API: JSON ways in, digests, names and tags, the trash, filters, states."""

import asyncio
import base64
import hashlib
import io
import json
import time
import zipfile
from contextlib import asynccontextmanager

import pytest

from mediamill.core.access import Principal
from mediamill.core.clock import DAY, rfc3339
from mediamill.core.errors import BrokenMedia
from mediamill.core.ids import encode, new_id
from mediamill.store.port import Put, Update
from mediamill.store.repositories.files import File, tag_rows
from mediamill.store.repositories.users import User
from mediamill.web.documents import MAX_BYTES
from tests.media_factory import hostile_names
from tests.support.places import everywhere
from tests.web.conftest import Person, client_of
from tests.web.test_uploading import FORM, PNG, form, part


@asynccontextmanager
async def person(mill, web, name):
    """Make somebody who shows a token; without a password, whose hash takes a while."""
    user = User(id=new_id("user"), email=f"{name}@example.org", created=1)
    await mill.accounts.users.add(user)
    issued = await mill.people.tokens.issue(Principal(user.id, session=True), name, None)
    async with client_of(web, authorization=f"Bearer {issued.secret}") as client:
        yield Person(client, issued.secret, user.id, user.email)


@pytest.fixture
async def ann(mill, web):
    async with person(mill, web, "ann") as found:
        yield found


@pytest.fixture
async def bob(mill, web):
    async with person(mill, web, "bob") as found:
        yield found


HEX = hashlib.sha256(PNG).hexdigest()
COLON = f"sha-256=:{base64.b64encode(hashlib.sha256(PNG).digest()).decode()}:"


def png(number: int) -> bytes:
    """Return a picture that no other number has: bytes behind the end are allowed."""
    return PNG + number.to_bytes(4, "big")


def zipped(size: int) -> bytes:
    """Return an archive of one member of random bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("noise.bin", bytes(range(256)) * (size // 256))
    return made.getvalue()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def put(person, data=PNG, name="dot.png", **query):
    response = await person.client.post("/v1/files", params={"name": name, **query}, content=data)
    assert response.status_code in (200, 201), response.text
    return response.json()


async def names(person, **query):
    response = await person.client.get("/v1/files", params=query)
    assert response.status_code == 200, response.text
    return [file["name"] for file in response.json()["data"]]


# -- base 64 --------------------------------------------------------------------------------------


async def test_a_file_as_json(ann):
    body = {"filename": "döt.png", "content_base64": encoded(PNG), "tags": ["a", "b"]}
    response = await ann.client.post("/v1/files", json=body)
    assert response.status_code == 201, response.text
    file = response.json()
    assert (file["name"], file["tags"], file["sha256"]) == ("döt.png", ["a", "b"], HEX)
    assert response.headers["location"] == f"/v1/files/{file['id']}"
    back = await ann.client.get(f"/v1/files/{file['id']}/content")
    assert back.content == PNG


async def test_padding_may_be_missing(ann):
    for extra in range(3):
        text = encoded(PNG + b"x" * extra).rstrip("=")
        response = await ann.client.post("/v1/files", json={"content_base64": text})
        assert response.json()["size"] == len(PNG) + extra


async def test_what_is_no_base64(ann):
    for text, says in (
        ("%%%%", "standard alphabet"),
        ("QUJD\nQUJD", "line ends"),
        ("QUJ-_w==", "for addresses"),
        ("data:image/png;base64,QUJD", "Leave out"),
        ("QUJD=QUJD", "base 64"),
        ("QQ===", "base 64"),
        ("Q", "base 64"),
        ("ÄÖÜ=", "base 64"),
    ):
        response = await ann.client.post("/v1/files", json={"content_base64": text})
        assert response.status_code == 422, text
        error = response.json()["errors"][0]
        assert error["pointer"] == "content_base64", text
        assert says in error["message"], text
    assert await names(ann) == []


async def test_documents_that_are_wrong(ann):
    for body, pointer in (
        ({}, ""),
        ({"content_base64": "QQ==", "url": "https://example.org/a"}, ""),
        ({"content_base64": 7}, "content_base64"),
        ({"content_base64": "QQ==", "owner": "user_x"}, "owner"),
        ({"content_base64": "QQ==", "sha256": "zz"}, "sha256"),
        ({"content_base64": encoded(PNG), "sha256": "0" * 64}, "sha256"),
        ({"content_base64": encoded(PNG), "tags": ["a,b"]}, "tags.0"),
        ({"content_base64": encoded(PNG), "tags": ["x" * 101]}, "tags.0"),
        ({"content_base64": encoded(PNG), "tags": [str(n) for n in range(51)]}, "tags"),
        ({"content_base64": encoded(PNG), "tags": [str(n) for n in range(101)]}, "tags"),
        ({"content_base64": encoded(PNG), "filename": "x" * 2_001}, "filename"),
        ({"content_base64": encoded(PNG), "project": "x" * 101}, "project"),
    ):
        response = await ann.client.post("/v1/files", json=body)
        assert response.status_code == 422, body
        assert response.json()["errors"][0]["pointer"] == pointer, body
    assert await names(ann) == []


async def test_ten_megabytes_as_json_and_not_more(ann):
    data = zipped(MAX_BYTES - 4096)
    response = await ann.client.post("/v1/files", json={"content_base64": encoded(data)})
    assert (response.status_code, response.json()["size"]) == (201, len(data))
    large = encoded(b"x" * (MAX_BYTES + 1))
    for body in ({"content_base64": large}, {"content_base64": large * 2}):
        response = await ann.client.post("/v1/files", json=body)
        assert (response.status_code, response.json()["code"]) == (413, "limit_exceeded")


async def test_the_loop_goes_on_while_documents_are_decoded(ann):
    """Decoding 10 MB holds the loop for 30 ms where it is done on it; the figure is printed."""
    data = encoded(zipped(MAX_BYTES - 4096))
    content = json.dumps({"content_base64": data}).encode()
    headers = {"content-type": "application/json"}
    longest, last = 0.0, time.perf_counter()

    async def tick():
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    ticking = asyncio.ensure_future(tick())
    uploads = (ann.client.post("/v1/files", content=content, headers=headers) for _ in range(4))
    answers = await asyncio.gather(*uploads)
    ticking.cancel()
    assert [answer.status_code for answer in answers] == [201] * 4
    print(f"longest stall of the loop: {longest * 1000:.1f} ms")


async def test_hostile_names_as_json(ann):
    every = json.loads(hostile_names().read_text())
    for name in every[:: max(1, len(every) // 40)]:
        body = {"filename": name, "content_base64": encoded(PNG)}
        response = await ann.client.post("/v1/files", json=body)
        if "\0" in name:
            assert response.status_code == 400
            continue
        assert response.status_code == 201, (name, response.text)
        assert not set(response.json()["name"]) & set("/\\\0\r\n")


# -- digests --------------------------------------------------------------------------------------


async def test_a_digest_that_is_right(ann):
    for headers in (
        {"x-content-sha256": HEX.upper()},
        {"content-digest": COLON},
        {"content-digest": f"sha-512=:AAAA:, {COLON}"},
        {"repr-digest": COLON},
        {"content-digest": "sha-512=:AAAA:"},
        {"x-content-sha256": HEX, "content-digest": COLON},
    ):
        response = await ann.client.post("/v1/files", content=PNG, headers=headers)
        assert response.status_code == 201, headers


async def test_a_digest_that_is_wrong_keeps_nothing(ann, mill):
    for headers in (
        {"x-content-sha256": "0" * 64},
        {"x-content-sha256": "abc"},
        {"content-digest": f"sha-256=:{base64.b64encode(b'0' * 32).decode()}:"},
        {"content-digest": "sha-256=:AAAA:"},
        {"content-digest": "sha-256=abc"},
        {"x-content-sha256": "0" * 64, "content-digest": COLON},
    ):
        response = await ann.client.post("/v1/files", content=PNG, headers=headers)
        assert response.status_code == 422, headers
    assert await names(ann) == []
    assert [blob async for blob in mill.blobs.list("")] == []


async def test_a_document_and_its_digests(ann):
    content = json.dumps({"content_base64": encoded(PNG)}).encode()
    of_text = base64.b64encode(hashlib.sha256(content).digest()).decode()
    for headers, status in (
        ({"content-digest": f"sha-256=:{of_text}:"}, 201),
        ({"content-digest": COLON}, 422),
        ({"x-content-sha256": HEX}, 201),
        ({"x-content-sha256": "0" * 64}, 422),
    ):
        headers["content-type"] = "application/json"
        response = await ann.client.post("/v1/files", content=content, headers=headers)
        assert response.status_code == status, (headers, response.text)


async def test_what_is_here_already(ann, bob):
    mine, theirs = await put(ann), await put(bob, png(1))
    trashed = await put(ann, png(2))
    await ann.client.delete(f"/v1/files/{trashed['id']}")
    wanted = [mine["sha256"].upper(), theirs["sha256"], trashed["sha256"], "0" * 64]
    response = await ann.client.post("/v1/files/check", json={"sha256": wanted})
    assert [row["file"] for row in response.json()["data"]] == [mine["id"], None, None, None]
    many = [f"{n:064x}" for n in range(1000)]
    response = await ann.client.post("/v1/files/check", json={"sha256": many})
    assert len(response.json()["data"]) == 1000
    for bad in ([], [*many, HEX], ["x"], ["0" * 63]):
        response = await ann.client.post("/v1/files/check", json={"sha256": bad})
        assert response.status_code == 422


async def test_if_absent_stores_nothing_twice(mill, ann, bob):
    first = await put(ann)

    stored = [blob.key async for blob in mill.blobs.list("files/")]
    query, headers = {"if_absent": "true", "tags": "new"}, {"x-content-sha256": HEX}
    again = await ann.client.post("/v1/files", params=query, content=png(1), headers=headers)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert (again.json()["id"], again.json()["tags"]) == (first["id"], ["new"])
    body = {"content_base64": encoded(PNG)}
    again = await ann.client.post("/v1/files", params={"if_absent": "true"}, json=body)
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert [blob.key async for blob in mill.blobs.list("files/")] == stored
    theirs = await bob.client.post("/v1/files", params=query, content=PNG, headers=headers)
    assert (theirs.status_code, theirs.json()["duplicate"]) == (201, False)
    without = await ann.client.post("/v1/files", params=query, content=PNG)
    assert without.json()["errors"][0]["pointer"] == "if_absent"
    in_form = form((part("dot.png"), PNG))
    for more in ({"params": query}, {"headers": {**FORM, **headers}}):
        refused = await ann.client.post("/v1/files", content=in_form, **{"headers": FORM, **more})
        assert refused.status_code == 422
    assert await names(ann) == ["dot.png"]


async def test_if_absent_makes_one_file_of_requests_at_a_time(mill, ann, monkeypatch):
    """Each looks before any has made it, as when a push goes on that was killed a moment ago."""
    met = asyncio.Barrier(3)
    require = mill.uploads.validator.require_room

    async def together(*arguments):
        await met.wait()
        await require(*arguments)

    query, headers = {"if_absent": "true"}, {"x-content-sha256": HEX}

    async def one():
        return await ann.client.post("/v1/files", params=query, content=PNG, headers=headers)

    with monkeypatch.context() as patch:
        patch.setattr(mill.uploads.validator, "require_room", together)
        answers = await asyncio.gather(one(), one(), one())
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    (file,) = {answer.json()["id"] for answer in answers}
    assert [blob.key async for blob in mill.blobs.list("files/")] == [f"files/{file}"]
    assert await names(ann) == ["upload"]
    await ann.client.delete(f"/v1/files/{file}")  # in the trash it is not here
    assert (await one()).status_code == 201


# -- names, tags, projects ------------------------------------------------------------------------


async def test_rename_and_tag(ann):
    file = await put(ann, tags=" b , a,b,,ü")
    assert file["tags"] == ["b", "a", "ü"]
    here = f"/v1/files/{file['id']}"
    change = {"name": "../new name.png", "tags": ["u\u0308", " x  y "]}
    response = await ann.client.patch(here, json=change)
    assert response.status_code == 200, response.text
    assert (response.json()["name"], response.json()["tags"]) == ("new name.png", ["ü", "x y"])
    assert response.json()["revision"] == 1
    assert (await ann.client.get(here)).json()["tags"] == ["ü", "x y"]
    assert await names(ann, tag="x y") == ["new name.png"]
    assert await names(ann, tag="a") == []
    for name in ("owner", "state", "sha256", "id", "role"):
        refused = await ann.client.patch(here, json={name: "x"})
        assert refused.json()["errors"][0]["pointer"] == name
    shown = await ann.client.patch(here, json={})
    assert (shown.status_code, shown.json()["revision"]) == (200, 1)


async def test_fifty_tags_can_all_be_replaced(ann):
    file = await put(ann)
    here = f"/v1/files/{file['id']}"
    for start in (0, 100, 200):
        tags = [f"tag {n}" for n in range(start, start + 50)]
        response = await ann.client.patch(here, json={"tags": tags})
        assert response.json()["tags"] == tags
    assert await names(ann, tag="tag 200") == ["dot.png"]
    assert await names(ann, tag="tag 100") == []


@everywhere
async def test_a_lost_update_is_refused(ann):
    here = f"/v1/files/{(await put(ann))['id']}"
    seen = (await ann.client.get(here)).headers["etag"]
    first = await ann.client.patch(here, json={"name": "a.png"}, headers={"if-match": seen})
    assert first.status_code == 200
    for tag in (seen, 'W/"r1"', '"x"', '"r"'):
        second = await ann.client.patch(here, json={"name": "b.png"}, headers={"if-match": tag})
        assert (second.status_code, second.json()["code"]) == (412, "outdated")
    now = {"if-match": first.headers["etag"]}
    assert (await ann.client.patch(here, json={"name": "b.png"}, headers=now)).status_code == 200


async def test_a_file_joins_a_project(ann, bob):
    mine = (await ann.client.post("/v1/projects", json={"name": "p"})).json()["id"]
    theirs = (await bob.client.post("/v1/projects", json={"name": "p"})).json()["id"]
    first = await put(ann, project=mine)
    second = await put(ann, png(1), "two.png")
    here = f"/v1/files/{second['id']}"
    assert (await ann.client.patch(here, json={"project": mine})).status_code == 200
    body = {"content_base64": encoded(png(2)), "filename": "three.png", "project": mine}
    assert (await ann.client.post("/v1/files", json=body)).status_code == 201
    assert await names(ann, project=mine) == ["three.png", "two.png", "dot.png"]
    assert await names(ann, project=mine, name="TWO") == ["two.png"]
    await ann.client.delete(f"/v1/files/{first['id']}")
    assert await names(ann, project=mine) == ["three.png", "two.png"]
    for project in (theirs, "proj_x"):
        for refused in (
            await ann.client.post("/v1/files", params={"project": project}, content=PNG),
            await ann.client.post("/v1/files", json={**body, "project": project}),
            await ann.client.patch(here, json={"project": project, "name": "x"}),
            await ann.client.get("/v1/files", params={"project": project}),
        ):
            assert refused.status_code == 404, refused.text
    assert sorted(await names(ann)) == ["three.png", "two.png"]


@pytest.mark.parametrize("kind", ["raw", "form", "json"])
async def test_a_project_deleted_while_the_file_comes_is_told(ann, kind):
    project = (await ann.client.post("/v1/projects", json={"name": "p"})).json()["id"]
    told = await put(ann, png(1), "one.png", project=project)
    assert told["project"] == project
    body, headers = {
        "raw": (PNG, {}),
        "form": (form((part("a.png"), PNG), (part("b.png"), png(2))), FORM),
        "json": (
            json.dumps({"content_base64": encoded(PNG), "project": project}).encode(),
            {"content-type": "application/json"},
        ),
    }[kind]

    async def slow():
        yield body[:20]
        assert (await ann.client.delete(f"/v1/projects/{project}")).status_code == 204
        yield body[20:]

    query = {} if kind == "json" else {"project": project}
    answer = await ann.client.post("/v1/files", params=query, content=slow(), headers=headers)
    if kind == "json":  # which tells of its project at its end
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        return
    assert answer.status_code == 201
    files = answer.json()["data"] if kind == "form" else [answer.json()]
    assert [file["project"] for file in files] == [None] * len(files)


async def test_many_at_once(ann, bob):
    mine = [(await put(ann, png(n), f"{n}.png"))["id"] for n in range(3)]
    theirs = (await put(bob))["id"]
    files = [*mine, theirs, "file_nothing", "file_01KAHRQPV0V3E3M2X5E2C8T2QG-0-0-0"]
    body = {"files": files, "add": ["x"], "remove": ["y"]}
    tagged = (await ann.client.post("/v1/files/tags", json=body)).json()
    assert [row["ok"] for row in tagged["data"]] == [True] * 3 + [False] * 3
    assert [row["added"] for row in tagged["data"]] == [["x"]] * 3 + [[]] * 3
    more = {"files": mine[:1], "add": ["x", " a   b "]}
    told = (await ann.client.post("/v1/files/tags", json=more)).json()["data"][0]
    assert (told["added"], told["removed"]) == (["a b"], [])
    less = {"files": mine[:1], "remove": ["a b", "never"]}
    told = (await ann.client.post("/v1/files/tags", json=less)).json()["data"][0]
    assert (told["added"], told["removed"]) == ([], ["a b"])
    assert [row["code"] for row in tagged["data"][3:]] == ["not_found", "not_found", "conflict"]
    assert tagged["failed"] == 3
    assert await names(ann, tag="x") == ["2.png", "1.png", "0.png"]
    assert await names(bob, tag="x") == []
    gone = (await ann.client.post("/v1/files/delete", json={"files": files})).json()
    assert [row["ok"] for row in gone["data"]] == [True] * 3 + [False] * 3
    assert (await names(ann), await names(bob)) == ([], ["dot.png"])
    back = (await ann.client.post("/v1/files/restore", json={"files": files[1:]})).json()
    assert [row["ok"] for row in back["data"]] == [True] * 2 + [False] * 3
    assert await names(ann, tag="x") == ["2.png", "1.png"]
    too_many = {"files": ["file_x"] * 1001}
    assert (await ann.client.post("/v1/files/delete", json=too_many)).status_code == 422
    none = {"files": mine}
    assert (await ann.client.post("/v1/files/tags", json=none)).status_code == 422


# -- trash ----------------------------------------------------------------------------------------


async def test_delete_and_undo(mill, ann, bob):
    file = await put(ann, tags="kept")
    here = f"/v1/files/{file['id']}"
    assert file["thumbnail"] == "coming"
    await mill.blobs.put("thumbnails/x", PNG)
    await mill.store.transact(Update(File, (file["id"],), set={"thumbnail": "thumbnails/x"}))
    assert (await ann.client.delete(here)).status_code == 204
    assert (await ann.client.get(here)).status_code == 404
    assert (await ann.client.get(f"{here}/content")).status_code == 404
    (trashed,) = (await ann.client.get("/v1/files?state=trashed")).json()["data"]
    assert (trashed["id"], trashed["state"]) == (file["id"], "trashed")
    assert trashed["purge_at"] > trashed["trashed_at"]
    picture = f"{here}/thumbnail"  # one sees what one brings back, and nobody else does
    assert trashed["links"] == {"restore": f"{here}/restore", "thumbnail": picture}
    assert (trashed["thumbnail"], (await ann.client.get(picture)).content) == ("made", PNG)
    assert (await bob.client.get(picture)).status_code == 404
    assert (await ann.client.delete(here)).status_code == 404
    assert (await ann.client.patch(here, json={"name": "x"})).status_code == 404
    back = await ann.client.post(f"{here}/restore")
    assert (back.status_code, back.json()["state"], back.json()["purge_at"]) == (200, "ready", None)
    assert (await ann.client.get(f"{here}/content")).content == PNG
    assert await names(ann, state="trashed") == []
    assert await names(ann, tag="kept", sha256=HEX) == ["dot.png"]
    assert (await ann.client.post(f"{here}/restore")).status_code == 200
    assert (await ann.client.delete(f"{here}?now=true")).status_code == 204
    assert (await ann.client.get(picture)).status_code == 404


async def test_the_page_of_a_file(ann):
    html = {"accept": "text/html"}
    file = await put(ann, name="<b>gone</b>.png", tags="<i>")
    shown = (await ann.client.get(f"/files/{file['id']}", headers=html)).text
    assert "<i>" not in shown
    assert shown.count("&lt;i&gt;") >= 3
    await ann.client.delete(f"/v1/files/{file['id']}")
    assert (await ann.client.get(f"/files/{file['id']}", headers=html)).status_code == 404


async def test_what_is_deleted_now_cannot_come_back(ann):
    first, second = await put(ann), await put(ann, png(1))
    await ann.client.delete(f"/v1/files/{second['id']}")
    for file in (first, second):
        here = f"/v1/files/{file['id']}"
        assert (await ann.client.delete(f"{here}?now=true")).status_code == 204
        assert (await ann.client.delete(f"{here}?now=true")).status_code == 404
        response = await ann.client.post(f"{here}/restore")
        assert (response.status_code, response.json()["code"]) == (409, "conflict")
    third = await put(ann, png(2))
    some = {"files": [first["id"], third["id"]], "now": True}
    told = (await ann.client.post("/v1/files/delete", json=some)).json()
    assert [one["code"] for one in told["data"]] == ["not_found", ""]
    assert await names(ann, state="trashed") == []


async def test_the_trash_is_emptied(ann, bob):
    for person in (ann, bob):
        for number in range(3):
            file = await put(person, png(number))
            await person.client.delete(f"/v1/files/{file['id']}")
    kept = await put(ann, png(9), "kept.png")
    response = await ann.client.delete("/v1/trash")
    assert response.json() == {"removed": 3, "has_more": False}
    assert (await names(ann), await names(ann, state="trashed")) == ([kept["name"]], [])
    assert len(await names(bob, state="trashed")) == 3


# -- filters --------------------------------------------------------------------------------------


async def test_filters_one_by_one_and_together(ann):
    await put(ann, png(1), "Holiday one.png", tags="sea,2026")
    await put(ann, png(2), "holiday two.png", tags="sea")
    await put(ann, zipped(512), "all.zip", tags="2026")
    for query, found in (
        ({"name": "HOLIDAY"}, ["holiday two.png", "Holiday one.png"]),
        ({"type": "image/*"}, ["holiday two.png", "Holiday one.png"]),
        ({"type": "application/zip"}, ["all.zip"]),
        ({"type": "image"}, ["holiday two.png", "Holiday one.png"]),
        ({"type": "imag"}, []),
        ({"type": "imag/*"}, []),
        ({"kind": "image", "tag": "2026"}, ["Holiday one.png"]),
        ({"kind": "archive"}, ["all.zip"]),
        ({"kind": "other"}, []),
        ({"since": "2020-01-01", "until": "2999-01-01T00:00:00Z", "kind": "archive"}, ["all.zip"]),
        ({"since": "2999-01-01"}, []),
        ({"until": "2020-01-01", "tag": "sea"}, []),
        ({"tag": "2026"}, ["all.zip", "Holiday one.png"]),
        ({"tag": "2026", "type": "image/*"}, ["Holiday one.png"]),
        ({"source": "upload", "tag": "sea", "name": "two"}, ["holiday two.png"]),
        ({"source": "import"}, []),
        ({"state": "ready", "tag": "sea"}, ["holiday two.png", "Holiday one.png"]),
        ({"state": "rejected"}, []),
        ({"sha256": hashlib.sha256(png(2)).hexdigest().upper()}, ["holiday two.png"]),
        ({"sha256": hashlib.sha256(png(2)).hexdigest(), "tag": "2026"}, []),
    ):
        assert await names(ann, **query) == found, query
    for query in (
        {"state": "gone"}, {"sha256": "x"}, {"tag": "a,b"}, {"type": "x" * 300}, {"kind": "text"},
        {"since": "yesterday"}, {"ids": "x"},
    ):  # fmt: skip
        response = await ann.client.get("/v1/files", params=query)
        assert response.status_code == 422, query


async def test_filtered_pages_hold_every_file_once(ann):
    for number in range(14):
        tags = ",".join(tag for tag, step in (("two", 2), ("three", 3)) if number % step == 0)
        await put(ann, png(number), f"{number:02}.png", tags=tags)
    for query, found in (
        ({"name": "1"}, ["13", "12", "11", "10", "01"]),
        ({"name": "0"}, ["10", *(f"0{n}" for n in range(9, -1, -1))]),
        ({"tag": "two"}, ["12", "10", "08", "06", "04", "02", "00"]),
        ({"tag": "two", "name": "1"}, ["12", "10"]),
        ({"type": "video/*"}, []),
    ):
        for limit in (1, 2, 3, 7, 100):
            assert await paged(ann, query, limit) == found, (query, limit)


@everywhere
async def test_ids_of_many_and_what_stands_behind_some(mill, ann, bob):
    """Also by when they came, which the order of ids tells: files are found by rows and by ids."""
    days = [int(1e12) + day * DAY for day in range(12)]
    rows = [
        File(
            id=f"file_{encode(time << 80)}", owner=ann.id, listed=ann.id, name=f"{day:02}.txt",
            media_type="text/plain", size=1, sha256="", crc32=0, blob="files/x", thumbnail="",
            created=time + DAY, tags=("even",) * (day % 2 == 0),
        )
        for day, time in enumerate(days)
    ]  # fmt: skip
    await mill.store.transact(*map(Put, rows), *(Put(tag) for row in rows for tag in tag_rows(row)))
    newest = [row.id for row in rows[::-1]]

    async def asked(path="/ids", who=ann, **query):
        return (await who.client.get(f"/v1/files{path}", params=query)).json()

    async def settled():
        while (await asked())["data"] != newest:
            await asyncio.sleep(0.05)

    await asyncio.wait_for(settled(), 60)
    page = await asked(limit=5)
    assert (page["data"], page["has_more"]) == (newest[:5], True)
    assert (await asked(after=page["after"]))["data"] == newest[5:]
    times = {"since": rfc3339(days[3]), "until": rfc3339(days[9])}
    between = [row.id for row in rows[7:1:-1]]  # what came a day after its id was made
    assert (await asked(**times))["data"] == between
    even = [row.id for row in rows[::-1] if row.id in between and row.tags]
    assert (await asked(tag="even", **times))["data"] == even
    some = ",".join([newest[7], newest[2], "file_gone", newest[7], newest[4]])
    shown = await asked("", ids=some)
    assert [one["id"] for one in shown["data"]] == [newest[7], newest[2], newest[4]]
    assert not shown["has_more"]
    assert [one["id"] for one in (await asked("", ids=some, tag="even"))["data"]] == [newest[7]]
    assert (await asked("", who=bob, ids=some))["data"] == []
    project = (await ann.client.post("/v1/projects", json={"name": "some"})).json()["id"]
    await ann.client.post(f"/v1/projects/{project}/files", json={"files": [newest[4], newest[7]]})
    inside = (await asked("", ids=some, project=project))["data"]
    assert [one["id"] for one in inside] == [newest[7], newest[4]]
    assert (await asked("", ids=some, project="proj_none"))["code"] == "not_found"
    assert (await asked("", who=bob, ids=some, project=project))["code"] == "not_found"
    await ann.client.delete(f"/v1/files/{newest[2]}")
    assert newest[2] not in [one["id"] for one in (await asked("", ids=some))["data"]]
    assert [one["id"] for one in (await asked("", ids=some, state="trashed"))["data"]] == [
        newest[2]
    ]


async def paged(ann, query, limit):
    """Read a list to its end, so many at a time."""
    seen, after = [], None
    while True:
        asked = {**query, "limit": limit} | ({"after": after} if after else {})
        page = (await ann.client.get("/v1/files", params=asked)).json()
        assert len(page["data"]) <= limit
        seen += [file["name"].removesuffix(".png") for file in page["data"]]
        after = page["after"]
        if not page["has_more"]:
            return seen


async def test_a_cursor_of_another_list_is_refused(ann):
    for number in range(3):
        await put(ann, png(number), tags="x")
    page = (await ann.client.get("/v1/files?limit=1&tag=x")).json()
    for query in ("", "&tag=y", "&state=trashed", f"&sha256={HEX}"):
        response = await ann.client.get(f"/v1/files?after={page['after']}{query}")
        assert response.json()["errors"][0]["pointer"] == "after", query


# -- states ---------------------------------------------------------------------------------------


def principal(person):
    return Principal(person.id)


async def begun(mill, person):
    return await mill.arrivals.begin(principal(person), "later.png", len(PNG), tags=("x",))


async def test_a_background_file_becomes_ready(ann, mill):
    file = await begun(mill, ann)
    await mill.arrivals.progress(file, 30)
    here = f"/v1/files/{file.id}"
    shown = (await ann.client.get(here)).json()
    assert (shown["state"], shown["received"], shown["size"]) == ("receiving", 30, len(PNG))
    assert shown["links"] == {"self": here}
    assert await names(ann, state="receiving", tag="x") == ["later.png"]
    assert (await ann.client.get("/", headers={"accept": "text/html"})).status_code == 200
    for path in ("/content", "/thumbnail", "/members"):
        response = await ann.client.get(here + path)
        assert response.status_code in (404, 409), path
    job = {"files": [file.id], "steps": [{"operation": "thumbnail"}]}
    refused = await ann.client.post("/v1/jobs", json=job)
    assert "still being received" in refused.json()["errors"][0]["message"]
    await ann.client.patch(here, json={"name": "renamed.png"})
    digest = await mill.blobs.put(file.blob, PNG)
    ready = await mill.arrivals.finish(file, digest)
    assert (ready.state, ready.name, ready.media_type) == ("ready", "renamed.png", "image/png")
    assert (await ann.client.get(f"{here}/content")).content == PNG
    assert await mill.arrivals.finish(ready, digest) == ready
    assert (await ann.client.post("/v1/jobs", json=job)).status_code == 202


async def test_a_background_file_is_rejected_with_the_reason(ann, mill):
    for data in (b"\xff\xd8\xff no picture", b""):
        file = await begun(mill, ann)
        digest = await mill.blobs.put(file.blob, data)
        rejected = await mill.arrivals.finish(file, digest)
        shown = (await ann.client.get(f"/v1/files/{file.id}")).json()
        assert (shown["state"], shown["code"]) == ("rejected", rejected.code)
        assert shown["error"]
        assert shown["purge_at"] > shown["created_at"]
        assert (await ann.client.get(f"/v1/files/{file.id}/content")).status_code == 409
        assert (await ann.client.get("/", headers={"accept": "text/html"})).status_code == 200
        assert (await ann.client.delete(f"/v1/files/{file.id}")).status_code == 204
        assert await names(ann, state="trashed") == []
    assert [blob async for blob in mill.blobs.list("files/")] == []


async def test_a_background_file_that_is_deleted_leaves_no_bytes(ann, mill):
    for ending in ("finish", "reject"):
        file = await begun(mill, ann)
        digest = await mill.blobs.put(file.blob, PNG)
        await ann.client.delete(f"/v1/files/{file.id}")
        end = {
            "finish": lambda file, digest: mill.arrivals.finish(file, digest),
            "reject": lambda file, _: mill.arrivals.reject(file, BrokenMedia("bad")),
        }[ending]
        with pytest.raises(Exception, match="deleted while it came in"):
            await end(file, digest)
        with pytest.raises(Exception, match="deleted while it came in"):
            await mill.arrivals.progress(file, 1)
    assert [blob async for blob in mill.blobs.list("files/")] == []
