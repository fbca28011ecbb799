"""Uploads and downloads whose bytes go to and come from the bucket itself."""

import asyncio
import datetime as dt
import hashlib
import os
import time
from contextlib import asynccontextmanager
from itertools import count
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from mediamill.app import App
from mediamill.cli.remote.client import Client
from mediamill.cli.transfer.sending import Sender
from mediamill.client.shipping import Said
from mediamill.core.ids import new_id
from mediamill.core.settings import Settings
from mediamill.engine import lease as engine
from mediamill.engine.scheduler import Scheduler
from mediamill.handlers.files import check
from mediamill.handlers.files.uploads import ExpireUpload
from mediamill.services.accounts.sessions import digest
from mediamill.services.uploads import direct
from mediamill.services.uploads.holding import LIFE_MS
from mediamill.store.port import Put, Update
from mediamill.store.repositories.files import File
from mediamill.store.repositories.uploads import Upload, arriving
from mediamill.store.repositories.users import Token, TokenKind, User
from mediamill.web.app import create_app
from tests.faults import charges
from tests.security.test_shared_pictures import check as cut
from tests.security.test_shared_pictures import picture
from tests.support.places import BUCKET as BUCKET_NAME
from tests.support.places import STORES as KINDS
from tests.support.places import Place
from tests.support.processes import free_port
from tests.support.serving import served, working
from tests.web.conftest import Person, client_of
from tests.web.test_strangers import PNG
from tests.web.test_tus import Lease

ROOM = 1 << 30
BUCKET = Place(blobs="s3")
STORES = [
    BUCKET, *(pytest.param(Place(store, "s3"), marks=pytest.mark.soak) for store in KINDS[1:]),
]  # fmt: skip
"""The soak takes about two minutes."""
pytestmark = [pytest.mark.places(BUCKET), pytest.mark.asyncio(loop_scope="module")]

shared = {"scope": "module", "loop_scope": "module"}
names = count()


@pytest_asyncio.fixture(**shared, params=STORES, ids=str)
async def mill(request, tmp_path_factory, servers):
    """One service for all tests here, whose users are others in each."""
    home = {"home": tmp_path_factory.mktemp("direct"), "slots": 1, "min_free_bytes": 0}
    with pytest.MonkeyPatch.context() as patched:
        for name, value in servers.environment(request.param).items():
            patched.setenv(name, value)
        async with await App.open(Settings(**home, poll_seconds=0.1, quota_bytes=ROOM)) as app:
            yield app


@pytest_asyncio.fixture(**shared)
async def web(mill):
    return create_app(mill)


@asynccontextmanager
async def somebody(mill, web):
    """Make a user who has a token, and never had a password."""
    name = f"user{next(names)}"
    user = User(id=new_id("user"), email=f"{name}@example.org", created=1)
    token = Token(
        digest=digest(f"mmt_{name}"),
        id=new_id("token"),
        user=user.id,
        kind=TokenKind.API,
        created=1,
    )
    await mill.repositories.users.add(user, Put(token))
    async with client_of(web, authorization=f"Bearer mmt_{name}") as client:
        yield Person(client, f"mmt_{name}", user.id, user.email)


@pytest_asyncio.fixture(loop_scope="module")
async def ann(mill, web):
    async with somebody(mill, web) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def bob(mill, web):
    async with somebody(mill, web) as found:
        yield found


def outside():
    """Make a client that knows nothing of the service."""
    return httpx.AsyncClient(trust_env=False, timeout=20)


@pytest_asyncio.fixture(**shared)
async def bucket():
    async with outside() as client:
        yield client


async def begin(who, data, name="dot.png", **more):
    body = {"filename": name, "size": len(data), **more}
    answer = await who.client.post("/v1/uploads/presigned", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def send(bucket, part, data):
    """Send a part as its request says; returns the bucket's answer."""
    request, content = part["request"], data[part["start"] : part["start"] + part["size"]]
    return await bucket.request(
        request["method"], request["url"], headers=request["headers"], content=content
    )


async def sent(bucket, upload, data):
    for part in upload["parts"]["data"]:
        assert (await send(bucket, part, data)).status_code == 200


async def complete(who, upload, **query):
    return await who.client.post(upload["links"]["complete"], params=query)


async def uploaded(mill, who, bucket, data, **more):
    """Send a file the whole way; returns what is said of it at the end."""
    upload = await begin(who, data, **more)
    await sent(bucket, upload, data)
    async with working(mill):
        answer = await complete(who, upload, wait=20)
    assert answer.status_code == 200, answer.text
    return upload, answer.json()


async def left(mill, *ids):
    """List what the bucket holds of an upload, and of the file that it became."""
    return [blob.key async for blob in mill.blobs.list("") if any(id_ in blob.key for id_ in ids)]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# -- the way in -----------------------------------------------------------------------------------


async def test_in_one_request_to_a_file(mill, ann, bucket):
    project = (await ann.client.post("/v1/projects", json={"name": "p"})).json()["id"]
    said = {"sha256": sha256(PNG).upper(), "tags": ["a", "b", "a"], "project": project}
    upload = await begin(ann, PNG, "été/dot.png", **said)
    assert (upload["part_count"], upload["part_size"], upload["size"]) == (1, len(PNG), len(PNG))
    (part,) = upload["parts"]["data"]
    assert (part["number"], part["start"], part["arrived"]) == (1, 0, False)
    assert part["request"]["expires_at"] < upload["expires_at"]
    early = await complete(ann, upload)
    assert (early.status_code, early.json()["details"]["missing"]) == (409, [1])
    await sent(bucket, upload, PNG)
    (part,) = (await ann.client.get(upload["links"]["parts"])).json()["data"]
    assert (part["arrived"], part["request"]) == (True, None)
    answer = await complete(ann, upload)
    file = answer.json()
    assert (answer.status_code, file["state"], file["name"]) == (202, "checking", "dot.png")
    assert answer.headers["location"] == f"/v1/files/{file['id']}"
    assert (await ann.client.get(f"/v1/files/{file['id']}/content")).status_code == 409
    again = await complete(ann, upload)
    assert (again.status_code, again.json()["id"]) == (202, file["id"])
    async with working(mill):
        answer = await complete(ann, upload, wait=20)
    file = answer.json()
    assert (answer.status_code, file["state"], file["media_type"]) == (200, "ready", "image/png")
    assert (file["sha256"], file["tags"], file["width"]) == (sha256(PNG), ["a", "b"], 1)
    assert (await ann.client.get(f"/v1/files/{file['id']}/content")).content == PNG
    members = (await ann.client.get(f"/v1/projects/{project}/files")).json()["data"]
    assert [member["id"] for member in members] == [file["id"]]
    view = (await ann.client.get(upload["links"]["self"])).json()
    assert (view["state"], view["file"], view["direct"]) == ("ready", file["id"], True)
    assert await left(mill, upload["id"]) == []
    assert charges.usage(mill) == []


async def test_in_parts_with_one_that_comes_late(mill, ann, bucket, monkeypatch):
    monkeypatch.setattr(direct, "PART", 5 << 20)
    data = os.urandom((11 << 20) + 3)
    upload = await begin(ann, data, "noise.bin", parts=True, sha256=sha256(data))
    assert (upload["part_count"], upload["part_size"]) == (3, 5 << 20)
    parts = upload["parts"]["data"]
    for part in (parts[2], parts[0]):
        assert (await send(bucket, part, data)).status_code == 200
    early = await complete(ann, upload)
    assert (early.status_code, early.json()["details"]["missing"]) == (409, [2])
    here, query = upload["links"]["parts"], {"limit": 2}
    page = (await ann.client.get(here, params=query)).json()
    assert [part["arrived"] for part in page["data"]] == [True, False]
    assert page["has_more"]
    rest = (await ann.client.get(here, params={**query, "after": page["after"]})).json()
    assert [(part["number"], part["arrived"]) for part in rest["data"]] == [(3, True)]
    assert not rest["has_more"]
    assert (await send(bucket, page["data"][1], data)).status_code == 200
    async with working(mill):
        file = (await complete(ann, upload, wait=20)).json()
    assert (file["state"], file["sha256"]) == ("ready", sha256(data))
    assert (await ann.client.get(here)).status_code == 409
    stored = await mill.repositories.files.get(file["id"])
    assert stored.crc32 == (await mill.blobs.put("x", data)).crc32


async def test_what_may_be_asked_for(mill, ann, monkeypatch):
    for wrong in (
        {"size": 0}, {"size": -1}, {"size": 1 << 60}, {"filename": ""},
        {"sha256": "abc"}, {"more": 1}, {"parts": "often"}, {"tags": ["x" * 101]},
    ):  # fmt: skip
        body = {"filename": "a.bin", "size": 5, **wrong}
        answer = await ann.client.post("/v1/uploads/presigned", json=body)
        assert answer.status_code == 422, (wrong, answer.text)
    for size, code in ((mill.settings.max_upload_bytes + 1, 413), (ROOM + 1, 429)):
        body = {"filename": "a.bin", "size": size}
        assert (await ann.client.post("/v1/uploads/presigned", json=body)).status_code == code
    body = {"filename": "a.bin", "size": 5, "project": "proj_none"}
    assert (await ann.client.post("/v1/uploads/presigned", json=body)).status_code == 404
    with monkeypatch.context() as patched:
        patched.setattr(direct, "MOST_SINGLE", 4)
        body = {"filename": "a.bin", "size": 5, "parts": False}
        assert (await ann.client.post("/v1/uploads/presigned", json=body)).status_code == 413
    assert (await ann.client.get("/v1/usage")).json()["bytes"] == 0
    place = (await begin(ann, PNG))["links"]["parts"]
    for after in ("x", "1e3", "-1", "٣", "9" * 400):
        assert (await ann.client.get(place, params={"after": after})).status_code == 422, after


# -- what is not what it was said to be -----------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said", "reason"),
    [
        (PNG[:-1] + b"!", {"sha256": sha256(PNG)}, "SHA-256"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), {}, ""),
        (PNG + bytes(5), {"size": len(PNG)}, "bytes arrived"),
    ],
    ids=("digest", "content", "size"),
)
async def test_what_is_something_else_is_rejected(mill, ann, data, said, reason):
    """Whatever the bucket takes: an object that is put there behind the service's back."""
    size = said.get("size", len(data))
    upload = await begin(ann, data, **{**said, "size": size})
    key = arriving(upload["id"])
    await mill.blobs.put(key, data[:size])
    assert (await complete(ann, upload)).status_code == 202
    await mill.blobs.put(key, data)
    async with working(mill):
        file = (await complete(ann, upload, wait=20)).json()
    assert file["state"] == "rejected", file
    assert reason in file["error"]
    view = (await ann.client.get(upload["links"]["self"])).json()
    assert (view["state"], view["code"], view["error"]) == (
        "rejected", file["code"], file["error"],
    )  # fmt: skip
    assert await left(mill, upload["id"], file["id"]) == []
    assert (await ann.client.get("/v1/usage")).json()["bytes"] == 0
    assert charges.usage(mill) == []


async def test_an_old_request_reaches_nothing(mill, ann, bucket):
    """Sent again after the file was checked, it changes no byte of it and is swept in the end."""
    upload, file = await uploaded(mill, ann, bucket, PNG)
    other = PNG[:-1] + b"?"
    late = await send(bucket, upload["parts"]["data"][0], other)
    assert late.status_code == 200, "the bucket takes it: it is signed, and has not expired"
    assert await mill.blobs.get(arriving(upload["id"])) == other
    assert (await ann.client.get(f"/v1/files/{file['id']}/content")).content == PNG
    again = await complete(ann, upload, wait=1)
    assert (again.status_code, again.json()["sha256"]) == (200, sha256(PNG))
    await expire(mill, upload["id"])
    assert await left(mill, upload["id"]) == []
    assert (await ann.client.get(f"/v1/files/{file['id']}/content")).content == PNG


async def test_one_that_comes_while_the_check_reads(mill, ann, bucket, monkeypatch):
    upload = await begin(ann, PNG)
    await sent(bucket, upload, PNG)
    assert (await complete(ann, upload)).status_code == 202
    other, copy = PNG[:-1] + b"?", mill.blobs.copy

    async def copied_then_overwritten(source, target):
        await copy(source, target)
        assert (await send(bucket, upload["parts"]["data"][0], other)).status_code == 200

    monkeypatch.setattr(mill.blobs, "copy", copied_then_overwritten)
    async with working(mill):
        file = (await complete(ann, upload, wait=20)).json()
    assert (file["state"], file["sha256"]) == ("ready", sha256(PNG))
    assert (await ann.client.get(f"/v1/files/{file['id']}/content")).content == PNG


# -- requests that are not right ------------------------------------------------------------------


async def test_a_request_is_for_its_object_and_length_only(ann, bucket):
    """S19: another key, method or length, no signature."""
    upload, other = await begin(ann, PNG), await begin(ann, PNG)
    request = upload["parts"]["data"][0]["request"]
    url, headers = request["url"], request["headers"]
    longer = {**headers, "Content-Length": str(len(PNG) + 1)}
    answers = [
        await bucket.put(url.replace(upload["id"], other["id"]), headers=headers, content=PNG),
        await bucket.get(url),
        await bucket.delete(url),
        await bucket.put(url.partition("?")[0], content=PNG),
        await bucket.put(url, headers=longer, content=PNG + b"!"),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert (await ann.client.get(upload["links"]["parts"])).json()["data"][0]["arrived"] is False
    assert (await bucket.put(url, headers=headers, content=PNG)).status_code == 200


async def test_a_request_is_for_its_bytes_only(ann, bucket):
    """Where the bucket knows checksums, as Ceph does not; the check looks in any case."""
    upload = await begin(ann, PNG, sha256=sha256(PNG))
    (part,) = upload["parts"]["data"]
    assert (await send(bucket, part, PNG[:-1] + b"!")).status_code == 400
    del part["request"]["headers"]["x-amz-checksum-sha256"]
    assert (await send(bucket, part, PNG[:-1] + b"!")).status_code == 403
    assert (await ann.client.get(upload["links"]["parts"])).json()["data"][0]["arrived"] is False


async def test_strangers_find_no_upload(web, ann, bob, bucket):
    upload = await begin(ann, PNG)
    await sent(bucket, upload, PNG)
    routes = (
        ("GET", "self"), ("GET", "parts"), ("POST", "complete"), ("DELETE", "self"),
    )  # fmt: skip
    async with client_of(web) as nobody:
        for method, link in routes:
            place = upload["links"][link]
            assert (await bob.client.request(method, place)).status_code == 404
            assert (await nobody.request(method, place)).status_code == 401
    assert (await ann.client.get(upload["links"]["parts"])).status_code == 200
    assert (await complete(ann, upload)).status_code == 202


async def test_what_signs_is_kept_nowhere(mill, ann, bucket, capfd):
    """S22: neither in the log nor in the database, also where the request may be sent again."""
    from mediamill.core.logs import configure_logging

    configure_logging("json", "debug")
    body, key = {"filename": "dot.png", "size": len(PNG)}, {"idempotency-key": "once"}
    answers = [
        await ann.client.post("/v1/uploads/presigned", json=body, headers=key) for _ in range(3)
    ]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.json()["id"] for answer in answers}) == 1
    upload = answers[2].json()
    await sent(bucket, upload, PNG)
    async with working(mill):
        file = (await complete(ann, upload, wait=20)).json()
    again = await ann.client.post("/v1/uploads/presigned", json=body, headers=key)
    assert (again.status_code, again.json()["parts"]["data"]) == (201, [])
    assert (again.json()["id"], again.json()["state"]) == (upload["id"], "ready")
    link = await ann.client.get(f"/v1/files/{file['id']}/content?direct=true")
    assert "ignature" in link.headers["location"]
    logged = capfd.readouterr()
    for action in ("upload_begun", "upload_complete", "file_received"):
        assert f'"{action}"' in logged.err
    kept = [path.read_bytes() for path in mill.settings.home.glob("mediamill.db*")]
    told = logged.err + logged.out + b"".join(kept).decode("latin-1")
    assert upload["id"] in told
    assert "X-Amz" not in told
    assert "ignature=" not in told


async def test_another_request_under_the_same_key_is_refused(ann):
    key = {"idempotency-key": "once"}
    for size, code in ((5, 201), (6, 422)):
        body = {"filename": "a.bin", "size": size}
        answer = await ann.client.post("/v1/uploads/presigned", json=body, headers=key)
        assert answer.status_code == code


# -- room -----------------------------------------------------------------------------------------


async def test_fifty_at_once_into_room_for_one(servers, mill, ann):
    """S18: of beginnings that are all promised room, exactly one is."""
    body, before = (
        {"filename": "a.bin", "size": ROOM // 2 + 1, "parts": True},
        pending(servers, mill),
    )

    async def one():
        return await ann.client.post("/v1/uploads/presigned", json=body)

    answers = await asyncio.gather(*(one() for _ in range(50)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] + [429] * 49
    assert (await ann.client.get("/v1/usage")).json()["bytes"] == body["size"]
    assert charges.usage(mill) == []
    won = next(answer.json()["id"] for answer in answers if answer.status_code == 201)
    fresh = [key for key in pending(servers, mill) if key not in before]
    assert [key.rpartition("/")[2] for key in fresh] == [won], "the others are begun no more"


def pending(servers, mill):
    """List the uploads in parts that the bucket knows, as another client sees them."""
    found = servers.buckets.client().list_multipart_uploads(Bucket=BUCKET_NAME).get("Uploads", [])
    folder = urlsplit(mill.settings.blobs_url).path.strip("/")
    return [one["Key"] for one in found if one["Key"].startswith(folder)]


async def expire(mill, upload_id):
    """Let an upload's last day be over, and its unit run."""
    past = await mill.store.now() - LIFE_MS - 1000
    await mill.store.transact(Update(Upload, (upload_id,), set={"expires": past}))
    unit = await mill.repositories.units.get(f"upload:{upload_id}", 0)
    await ExpireUpload(mill.repositories.uploads, mill.resumable.assembler).run(
        Lease(mill.store, unit)
    )
    assert await mill.store.get(Upload, upload_id) is None


@pytest.mark.parametrize("in_parts", [False, True])
async def test_what_is_not_completed_goes_with_its_parts(servers, mill, ann, bucket, in_parts):
    upload = await begin(ann, PNG, parts=in_parts)
    await sent(bucket, upload, PNG)
    assert (await ann.client.get("/v1/usage")).json()["bytes"] == len(PNG)
    await expire(mill, upload["id"])
    assert (await ann.client.get(upload["links"]["self"])).status_code == 404
    assert (await complete(ann, upload)).status_code == 404
    assert await left(mill, upload["id"]) == []
    assert not [key for key in pending(servers, mill) if upload["id"] in key]
    assert (await ann.client.get("/v1/usage")).json()["bytes"] == 0
    assert charges.usage(mill) == []


async def test_it_can_be_given_up(servers, mill, ann, bucket):
    upload = await begin(ann, PNG, parts=True)
    await sent(bucket, upload, PNG)
    assert (await ann.client.delete(upload["links"]["self"])).status_code == 204
    assert (await send(bucket, upload["parts"]["data"][0], PNG)).status_code == 404
    assert (await complete(ann, upload)).status_code == 404
    assert not [key for key in pending(servers, mill) if upload["id"] in key]
    assert (await ann.client.get("/v1/usage")).json()["bytes"] == 0


async def test_what_lives_is_not_collected(mill, ann, bucket):
    upload = await begin(ann, PNG)
    await sent(bucket, upload, PNG)
    parts = await begin(ann, PNG, parts=True)
    await sent(bucket, parts, PNG)
    await mill.blobs.put(arriving("upload_gone"), b"of a row that is no more")
    collect = mill.handlers()["collect"]
    collect.grace_ms = -10_000
    await collect.collect(mill.blobs)
    assert await left(mill, "upload_gone") == []
    async with working(mill):
        for one in (upload, parts):
            assert (await complete(ann, one, wait=20)).json()["state"] == "ready"


async def test_a_file_deleted_while_it_is_checked(mill, ann, bucket):
    upload = await begin(ann, PNG)
    await sent(bucket, upload, PNG)
    file = (await complete(ann, upload)).json()["id"]
    assert (await ann.client.delete(f"/v1/files/{file}")).status_code == 204
    assert (await complete(ann, upload)).status_code == 410
    async with working(mill), asyncio.timeout(60):
        while await mill.store.get(File, file) or await left(mill, upload["id"], file):
            await asyncio.sleep(0.05)
    assert (await ann.client.get(upload["links"]["self"])).json()["state"] == "rejected"
    assert charges.usage(mill) == []


async def test_a_server_that_dies_while_it_completes(mill, ann, bucket, monkeypatch):
    """The bucket has put the parts together, and nobody wrote that down: saying it again does."""
    upload = await begin(ann, PNG, parts=True)
    await sent(bucket, upload, PNG)

    async def dies(*_, **__):
        raise RuntimeError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(mill.direct.files, "insert", dies)
        with pytest.raises(RuntimeError):
            await mill.direct.complete(await principal_of(mill, ann), upload["id"])
    async with working(mill):
        assert (await complete(ann, upload, wait=20)).json()["state"] == "ready"


async def principal_of(mill, who):
    return await mill.accounts.acting(who.id)


async def test_a_worker_that_was_overtaken_changes_nothing(mill, ann, bucket, monkeypatch):
    """R3: it stands still after its copy, another checks the file, then it goes on."""
    upload, stopped, on = await begin(ann, PNG), asyncio.Event(), asyncio.Event()
    await sent(bucket, upload, PNG)
    file = (await complete(ann, upload)).json()["id"]
    nouns, digest_of = mill.repositories, check.digest_of
    unit = await Scheduler(mill.store, 100).claim_next(("transfer",), "slow")
    lease = engine.Lease(nouns.units, nouns.jobs, unit, 100)

    async def stands_still(blobs, key):
        if not stopped.is_set():
            stopped.set()
            await on.wait()
        return await digest_of(blobs, key)

    monkeypatch.setattr(check, "digest_of", stands_still)
    slow = asyncio.create_task(mill.handlers()["check"].run(lease))
    async with asyncio.timeout(60):
        await stopped.wait()
    async with working(mill):
        assert (await complete(ann, upload, wait=20)).json()["state"] == "ready"
    before = await nouns.files.get(file)
    on.set()
    with pytest.raises(engine.LeaseLost):
        await slow
    assert await nouns.files.get(file) == before
    assert [blob.key async for blob in mill.blobs.list(f"files/{file}")] == [before.blob]
    assert (await ann.client.get(f"/v1/files/{file}/content")).content == PNG


async def test_two_who_complete_it_make_one_file(mill, ann, bucket):
    upload = await begin(ann, PNG)
    await sent(bucket, upload, PNG)
    answers = await asyncio.gather(*(complete(ann, upload) for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {202, 423}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert len((await ann.client.get("/v1/files")).json()["data"]) == 1


# -- the way out ----------------------------------------------------------------------------------


async def test_a_download_by_redirect(mill, ann, bob, bucket):
    _, file = await uploaded(mill, ann, bucket, PNG, name='a "b" é.png')
    place = f"/v1/files/{file['id']}/content"
    plain = await ann.client.get(place)
    assert (plain.status_code, plain.content) == (200, PNG)
    answer = await ann.client.get(place, params={"direct": True})
    assert answer.status_code == 307
    assert answer.headers["cache-control"] == "no-store"
    direct_one = await bucket.get(answer.headers["location"])
    assert (direct_one.status_code, direct_one.content) == (200, PNG)
    for name in ("content-disposition", "content-type"):
        assert direct_one.headers[name] == plain.headers[name]
    part = await bucket.get(answer.headers["location"], headers={"range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, PNG[2:6])
    assert (await bucket.put(answer.headers["location"], content=b"x")).status_code == 403
    known = {"if-none-match": plain.headers["etag"]}
    assert (await ann.client.get(place, params={"direct": True}, headers=known)).status_code == 304
    assert (await ann.client.head(place, params={"direct": True})).status_code == 200
    assert (await bob.client.get(place, params={"direct": True})).status_code == 404
    await mill.blobs.delete((await mill.repositories.files.get(file["id"])).blob)
    assert (await bucket.get(answer.headers["location"])).status_code == 404


async def test_a_result_by_its_address_at_the_bucket(mill, ann, bob, bucket, monkeypatch):
    _, file = await uploaded(mill, ann, bucket, PNG)
    body = {"files": [file["id"]], "steps": [{"operation": "thumbnail"}]}
    job = (await ann.client.post("/v1/jobs", json=body)).json()["id"]
    async with working(mill):
        await ann.client.get(f"/v1/jobs/{job}", params={"wait": 20})
    here = f"/v1/jobs/{job}/download/{file['id']}"
    link = (await ann.client.get(here)).json()
    assert not link["url"].startswith("http://mill.test")
    assert link["expires_at"]
    found = await bucket.get(link["url"])
    assert (found.status_code, len(found.content)) == (200, link["size"])
    assert found.headers["content-disposition"].startswith("attachment")
    ours = (await ann.client.get(here, params={"direct": False})).json()
    assert ours["url"].startswith("http://mill.test/v1/links/mmk_")
    for seconds, at_the_bucket in ((60, True), (3600, True), (3601, False), (86_400, False)):
        asked = time.time()
        link = (await ann.client.get(here, params={"expires_in": seconds})).json()
        assert link["url"].startswith("http://mill.test/") is not at_the_bucket, seconds
        ends = dt.datetime.fromisoformat(link["expires_at"]).timestamp()
        assert ends >= asked + seconds - 1
    with monkeypatch.context() as patched:
        patched.setattr(mill.blobs._bucket.credentials, "lasting", for_ten_minutes)
        for query, at_the_bucket in (({}, True), ({"expires_in": 1800}, False)):
            link = (await ann.client.get(here, params=query)).json()
            assert link["url"].startswith("http://mill.test/") is not at_the_bucket, query
    assert (await bob.client.get(here)).status_code == 404


async def for_ten_minutes(seconds):
    """Credentials that end then."""
    return min(seconds, 600)


async def test_no_address_gives_a_guest_what_only_its_owner_gets(mill, ann, bob, bucket):
    """Of a file with metadata; what has none is at the bucket for all who may see it."""
    told = picture("JPEG")
    files = [(await uploaded(mill, ann, bucket, data))[1]["id"] for data in (told, PNG)]
    project = (await ann.client.post("/v1/projects", json={"name": "shared"})).headers["location"]
    await ann.client.post(f"{project}/files", json={"files": files})
    await ann.client.post(f"{project}/shares", json={"user": bob.email, "role": "viewer"})
    places = [f"/v1/files/{file}/content" for file in files]
    for place in places:
        assert (await ann.client.get(place, params={"direct": True})).status_code == 307
    seen = await bob.client.get(places[0], params={"direct": True})
    assert seen.status_code == 200
    cut(seen.content, told)
    assert (await bob.client.get(places[1], params={"direct": True})).status_code == 307


@asynccontextmanager
async def set_up(mill, **settings):
    """The same service with other settings."""
    given = {**mill.settings.model_dump(), **settings}
    async with await App.open(Settings(**given)) as app:
        yield app, create_app(app)


async def policy(client):
    """Return what pages may do."""
    answer = await client.get("/signin", headers={"accept": "text/html"})
    return answer.headers["content-security-policy"]


async def test_how_the_service_is_set_up(mill, ann, bucket):
    _, file = await uploaded(mill, ann, bucket, PNG)
    place, signed = f"/v1/files/{file['id']}/content", {"authorization": f"Bearer {ann.token}"}
    async with set_up(mill, direct_downloads=True) as (_, web), client_of(web, **signed) as client:
        assert (await client.get(place)).status_code == 307
        assert (await client.get(place, params={"direct": False})).status_code == 200
        link = (await client.post(f"/v1/files/{file['id']}/link")).json()["url"]
        assert (await client.get(link)).status_code == 307
    async with set_up(mill, direct_transfers=False) as (_, web), client_of(web, **signed) as client:
        assert (await client.get(place, params={"direct": True})).status_code == 200
        assert "mediamill-direct" not in (await client.options("/v1/uploads")).headers
        assert "connect-src 'self';" in await policy(client)
        body = {"filename": "a.bin", "size": 5}
        assert (await client.post("/v1/uploads/presigned", json=body)).status_code == 409
    assert (await ann.client.options("/v1/uploads")).headers["mediamill-direct"] == "presigned"
    assert f"connect-src 'self' {mill.blobs.origin};" in await policy(ann.client)


async def test_a_bucket_that_is_away_is_told(mill, monkeypatch):
    """Readiness asks the place of originals, and that of results when it is another."""
    name = f"away-{next(names)}"
    kept = mill.blobs._bucket.client
    results = mill.settings.blobs_url.replace(f"s3://{BUCKET_NAME}/", f"s3://{name}/")
    assert results != mill.settings.blobs_url
    await kept.create_bucket(Bucket=name)
    async with set_up(mill, results_url=results) as (app, _):
        assert (await app.parts.examine()).keys() == {"store", "blobs", "results"}
        assert set((await app.parts.examine()).values()) == {"ok"}
        async for blob in app.parts.results.list(""):
            await app.parts.results.delete(blob.key)
        await kept.delete_bucket(Bucket=name)
        said = await app.parts.examine()
        assert said == {"store": "ok", "blobs": "ok", "results": "There is no such bucket."}
    assert (await mill.parts.examine()).keys() == {"store", "blobs"}
    monkeypatch.setattr(mill.blobs._bucket, "name", "never-made")
    assert (await mill.parts.examine())["blobs"] == "There is no such bucket."
    assert not (await mill.health())["ok"]


# -- beside tus -----------------------------------------------------------------------------------


async def test_parts_of_tus_are_put_together_by_the_bucket(mill, ann, monkeypatch):
    """Sent once: nothing but pieces too small for the bucket is sent again."""
    pieces = [os.urandom(size) for size in (6 << 20, 1 << 20, 9 << 20, 10)]
    data, upload, keys = b"".join(pieces), mill.blobs.upload, []
    monkeypatch.setattr(mill.blobs, "upload", lambda key: keys.append(key) or upload(key))
    tus = {"tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream"}
    begun = await ann.client.post("/v1/uploads", headers={**tus, "upload-length": str(len(data))})
    place, offset = begun.headers["location"], 0
    for piece in pieces:
        at = {**tus, "upload-offset": str(offset)}
        answer = await ann.client.patch(place, headers=at, content=piece)
        assert answer.status_code == 204, answer.text
        offset += len(piece)
    file = (await ann.client.get(f"/v1/files/{answer.headers['mediamill-file']}")).json()
    assert (file["sha256"], file["size"]) == (sha256(data), len(data))
    assert (await ann.client.get(f"/v1/files/{file['id']}/content")).content == data
    assert len(keys) == 4
    assert all(key.startswith("uploads/") for key in keys)
    assert await left(mill, place.rpartition("/")[2]) == []


class Parcel:
    """A file on its way from the command line."""

    name, size = "noise.bin", 17 << 20

    def __init__(self):
        self.data = os.urandom(self.size)
        self.sha256, self.mark = sha256(self.data), None

    def read(self, start):
        yield self.data[start:]

    def place(self):
        return self.mark

    def begin(self, place):
        self.mark = place

    def forget(self):
        self.mark = None


async def test_a_bucket_that_a_sender_cannot_reach(mill, ann):
    """The server says that it signs, and its requests lead nowhere from here: then it is tus."""
    elsewhere = f"{mill.settings.blobs_url}&public_endpoint=http://127.0.0.1:{free_port()}"
    async with set_up(mill, blobs_url=elsewhere) as (_, web), served(web) as port:

        def push(parcel):
            with Client(f"http://127.0.0.1:{port}", ann.token) as client:
                file = Sender(client).send(parcel, Said(), parcel, lambda _: None)
                return file, client.direct

        parcel = Parcel()
        file, direct_again = await asyncio.to_thread(push, parcel)
    assert (file["state"], file["sha256"], direct_again) == ("ready", parcel.sha256, False)
    assert parcel.mark is None
    assert charges.usage(mill) == []


async def test_the_two_ways_are_not_mixed_up(ann, bucket):
    upload = await begin(ann, PNG)
    tus = {"tus-resumable": "1.0.0"}
    sending = {**tus, "upload-offset": "0", "content-type": "application/offset+octet-stream"}
    place = upload["links"]["self"]
    assert (await ann.client.patch(place, headers=sending, content=PNG)).status_code == 409
    assert (await ann.client.head(place, headers=tus)).status_code == 409
    begun = await ann.client.post("/v1/uploads", headers={**tus, "upload-length": "5"})
    other = begun.headers["location"]
    assert (await ann.client.get(f"{other}/parts")).status_code == 409
    assert (await ann.client.post(f"{other}/complete")).status_code == 409
    assert (await ann.client.delete(other)).status_code == 412
    assert (await ann.client.delete(place)).status_code == 204


async def test_it_is_told_like_any_other_file(mill, ann, bucket, monkeypatch):
    """Who listens hears of it once it is checked; the address is one that is never reached."""

    async def inner(host, port):
        return ["127.0.0.9"]

    monkeypatch.setattr(mill.parts.fetcher.guard, "resolver", inner)
    body = {"url": "https://hook.example.org/", "types": ["file.*"]}
    hook = (await ann.client.post("/v1/webhooks", json=body)).json()["id"]
    _, good = await uploaded(mill, ann, bucket, PNG)
    _, bad = await uploaded(mill, ann, bucket, b"\x89PNG\r\n\x1a\n" + bytes(500))
    async with working(mill), asyncio.timeout(60):
        while len(rows := (await told(ann, hook))["data"]) < 2:
            await asyncio.sleep(0.02)
    assert (good["state"], bad["state"]) == ("ready", "rejected")
    assert sorted(row["type"] for row in rows) == ["file.created", "file.rejected"]


async def told(who, hook):
    return (await who.client.get(f"/v1/webhooks/{hook}/deliveries")).json()
