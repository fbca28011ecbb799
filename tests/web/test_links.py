"""S19: links without a session: what they give, and what they do not give to whom changes them."""

import asyncio
import base64
import io
import os
import zipfile
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from mediamill.app import App
from mediamill.core.errors import ConfigurationError
from mediamill.core.settings import Settings
from mediamill.services.links.signing import Grant, Signer, key_of
from mediamill.store.port import Put, Update
from mediamill.store.repositories.results import ItemOutcome, ResultFile
from mediamill.store.repositories.users import User
from tests.support.places import everywhere
from tests.web.test_events import working
from tests.web.test_uploading import PNG


@pytest.fixture
async def file(ann):
    return (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]


@pytest.fixture
async def job(mill, ann, file):
    """A job over a picture, and a broken one among its inputs."""
    broken = (await ann.client.post("/v1/files?name=cut.png", content=PNG + b"!")).json()["id"]
    stored = await mill.repositories.files.get(broken)
    await mill.blobs.put(stored.blob, b"\x89PNG no more")
    body = {"files": [file, broken], "steps": [{"operation": "thumbnail"}]}
    made = (await ann.client.post("/v1/jobs", json=body)).json()
    return {"id": made["id"], "file": file, "broken": broken}


async def ran(mill, ann, job):
    async with working(mill):
        await ann.client.get(f"/v1/jobs/{job['id']}", params={"wait": 20}, timeout=30)


async def made(person, path, **query):
    method = "GET" if "/download/" in path else "POST"
    query |= {"direct": False} if method == "GET" else {}  # links of ours; others: test_direct.py
    response = await person.client.request(method, path, params=query)
    assert response.status_code == 200, response.text
    return response.json(), urlsplit(response.json()["url"]).path


async def test_a_link_gives_what_its_maker_sees(ann, nobody, file):
    link, path = await made(ann, f"/v1/files/{file}/link")
    assert link["url"].startswith("http://mill.test/v1/links/mmk_")
    assert (link["name"], link["size"], link["media_type"]) == ("dot.png", len(PNG), "image/png")
    answer = await nobody.get(path)
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    part = await nobody.get(path, headers={"range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, PNG[2:6])
    head = await nobody.head(path)
    assert (head.status_code, head.content) == (200, b"")
    etag = answer.headers["etag"]
    assert (await nobody.get(path, headers={"if-none-match": etag})).status_code == 304
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await nobody.request(method, path)).status_code == 405


async def test_a_changed_link_gives_nothing(mill, ann, bob, nobody, file):
    other = (await bob.client.post("/v1/files?name=b.png", content=PNG + b"bob")).json()["id"]
    _, path = await made(ann, f"/v1/files/{file}/link")
    token = path.rpartition("/")[2]
    raw = base64.urlsafe_b64decode(token[4:] + "=" * (-len(token[4:]) % 4))
    good = Grant("GET", f"file:{file}", ann.id, 1 << 60)
    forged = [
        token[:-1] + ("A" if token[-1] != "A" else "Q"),
        token[:10] + ("A" if token[10] != "A" else "B") + token[11:],
        token + "=", token + "AA", token[4:], "mmk_", "mmk_" + "A" * 80, "mmk_\u00e4", "x" * 1500,
        Signer(os.urandom(32), mill.clock).sign(good),
    ]  # fmt: skip
    for old, new in ((file, other), (ann.id, bob.id), ("GET", "PUT")):
        said = raw[32:].replace(old.encode(), new.encode())
        assert said != raw[32:]
        forged.append("mmk_" + base64.urlsafe_b64encode(raw[:32] + said).decode().rstrip("="))
    signer = mill.links.signer
    forged += [
        signer.sign(Grant("PUT", good.target, ann.id, 1 << 60)),
        signer.sign(Grant("GET", good.target, ann.id, mill.clock.now() - 1)),
        signer.sign(Grant("GET", f"file:{other}", ann.id, 1 << 60)),  # not hers to hand out
        signer.sign(Grant("GET", "file:file_none", ann.id, 1 << 60)),
        signer.sign(Grant("GET", "nonsense", ann.id, 1 << 60)),
        signer.sign(Grant("GET", good.target, "user_none", 1 << 60)),
    ]
    for wrong in forged:
        answer = await nobody.get(f"/v1/links/{wrong}")
        assert answer.status_code in (403, 404), (wrong, answer.status_code)
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await nobody.get(path)).status_code == 200


async def test_a_link_ends_with_its_target_and_its_maker(mill, ann, nobody, file):
    _, path = await made(ann, f"/v1/files/{file}/link")
    await ann.client.delete(f"/v1/files/{file}")
    assert (await nobody.get(path)).status_code == 404
    await ann.client.post(f"/v1/files/{file}/restore")
    assert (await nobody.get(path)).status_code == 200
    await mill.store.transact(Update(User, (ann.id,), set={"disabled": True}))
    assert (await nobody.get(path)).status_code == 403


async def test_how_long_a_link_works(mill, ann, nobody, file):
    path = f"/v1/files/{file}/link"
    for wrong in ("59", "86401", "x", "-1"):
        response = await ann.client.post(path, params={"expires_in": wrong})
        assert response.status_code == 422
    before = mill.clock.now()
    for seconds in (60, 3600, 86400):
        _, there = await made(ann, path, expires_in=seconds)
        grant = mill.links.signer.read(there.rpartition("/")[2], "GET")
        assert 0 <= grant.expires - before - seconds * 1000 < 30_000


@everywhere
async def test_an_input_of_a_job_and_its_result(mill, ann, bob, nobody, job):
    here = f"/v1/jobs/{job['id']}/download"
    waiting = await ann.client.get(f"{here}/{job['file']}")
    assert (waiting.status_code, waiting.json()["details"]["state"]) == (409, "running")
    assert (await ann.client.post(f"/v1/jobs/{job['id']}/link")).status_code == 409
    await ran(mill, ann, job)
    results = (await ann.client.get(f"/v1/jobs/{job['id']}/results")).json()["data"]
    result = results[0]["files"][0]
    by_input, one = await made(ann, f"{here}/{job['file']}")
    by_result, other = await made(ann, f"{here}/{result['id']}")
    bytes_made = (await ann.client.get(result["url"])).content
    assert (await nobody.get(one)).content == (await nobody.get(other)).content == bytes_made
    assert by_input["size"] == by_result["size"] == len(bytes_made)
    failed = await ann.client.get(f"{here}/{job['broken']}")
    assert (failed.status_code, failed.json()["details"]["state"]) == (409, "failed")
    assert failed.json()["details"]["code"] == results[1]["code"]
    second = {"files": [job["file"]], "steps": [{"operation": "thumbnail"}]}
    second = (await ann.client.post("/v1/jobs", json=second)).json()
    await ran(mill, ann, second)
    elsewhere = (await ann.client.get(f"/v1/jobs/{second['id']}/results")).json()["data"][0]
    elsewhere = elsewhere["files"][0]["id"]
    assert (await ann.client.get(f"/v1/files/{elsewhere}")).status_code == 200
    stray = (await ann.client.post("/v1/files?name=s.png", content=PNG)).json()["id"]
    for unknown in (
        stray,
        elsewhere,
        "file_none",
        result["id"][:-1] + "7",
        f"file_{job['id'][4:]}-7-0-0",
    ):
        assert (await ann.client.get(f"{here}/{unknown}")).status_code == 404
    assert (await bob.client.get(f"{here}/{job['file']}")).status_code == 404
    _, whole = await made(ann, f"/v1/jobs/{job['id']}/link")
    archive = await nobody.get(whole)
    assert zipfile.ZipFile(io.BytesIO(archive.content)).testzip() is None
    await ann.client.delete(f"/v1/jobs/{job['id']}")
    for path in (one, other, whole):
        assert (await nobody.get(path)).status_code == 404


async def test_several_outputs_come_as_their_archive(mill, ann, nobody, job):
    await ran(mill, ann, job)
    row = await mill.repositories.results.get(job["id"], 0, 0)
    texts = [b"one", b"two" * 1000, b"three"]
    files = []
    for n, text in enumerate(texts):
        digest = await mill.results.put(f"results/{job['id']}/x-{n}", text)
        files.append(
            ResultFile(
                name="same.txt", media_type="text/plain", size=len(text), sha256=digest.sha256,
                crc32=digest.crc32, blob=f"results/{job['id']}/x-{n}",
            )
        )  # fmt: skip
    await mill.store.transact(Put(row.evolve(files=tuple(files), outcome=ItemOutcome.SUCCEEDED)))
    link, path = await made(ann, f"/v1/jobs/{job['id']}/download/{job['file']}")
    assert (link["name"], link["media_type"]) == ("dot.zip", "application/zip")
    whole = (await nobody.get(path)).content
    assert len(whole) == link["size"]
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name in archive.namelist()] == texts
        assert len(set(archive.namelist())) == 3
    part = await nobody.get(path, headers={"range": "bytes=40-2000"})
    assert part.content == whole[40:2001]


# -- the key --------------------------------------------------------------------------------------


async def test_all_processes_of_a_home_have_one_key(tmp_path):
    keys = await asyncio.gather(*(asyncio.to_thread(key_of, "", tmp_path) for _ in range(8)))
    assert len(set(keys)) == 1
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert key_of("a long enough secret", tmp_path) != keys[0]
    assert key_of("a long enough secret", tmp_path) == key_of("a long enough secret", tmp_path)


async def test_what_is_no_key(tmp_path):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_SECRET"):
        key_of("short", tmp_path)
    (tmp_path / "secret").write_bytes(b"cut off")
    with pytest.raises(ConfigurationError, match="secret"):
        key_of("", tmp_path)


async def test_another_process_opens_the_link(mill, ann, nobody, file):
    _, path = await made(ann, f"/v1/files/{file}/link")
    settings = Settings(home=mill.settings.home, slots=1, min_free_bytes=0)
    async with await App.open(settings) as other:
        content = await other.links.open(path.rpartition("/")[2])
        assert content.size == len(PNG)


async def test_a_link_is_not_in_the_log(mill, ann, nobody, file, capfd):
    from mediamill.core.logs import configure_logging

    configure_logging("json", "debug")
    _, path = await made(ann, f"/v1/files/{file}/link")
    await nobody.get(path)
    with suppress(Exception):
        await nobody.get(path + "x")
    token = path.rpartition("/")[2]
    logged = capfd.readouterr()
    assert '"link_made"' in logged.err
    assert token not in logged.err + logged.out
    assert token[-43:] not in logged.err
