"""Who shares a project gives others its pictures, not where, when and with what they were taken.

A viewer and an editor go every way to the bytes of the owner's files; the owner gets them as they
came. What an editor adds is the editor's, also towards the owner of the project.
"""

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image, ImageOps

from mediamill.services.links.service import LINK_SECONDS
from tests.media.privacy.test_cutting import ORIENTATION, SAID
from tests.media_factory import clip
from tests.security.test_privacy import MARK, XMP, exif, pictures, profile
from tests.support.serving import working
from tests.web.conftest import person
from tests.web.one_service import mill, web  # noqa: F401 - fixtures
from tests.web.test_datasets import ended, exported, frozen
from tests.web.test_submission import upload, zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")
ONCE = {"scope": "module", "loop_scope": "module"}
PDF = b"%PDF-1.4\n1 0 obj<</Author(PLANTED)>>endobj\n"


def picture(form: str, seed: int = 0) -> bytes:
    """Make a picture that lies on its side and tells where it was taken; each seed another."""
    pixels = np.random.default_rng(seed).integers(0, 255, (32, 48, 3), np.uint8)
    said, made = exif(), io.BytesIO()
    said[ORIENTATION] = 6
    more = {} if form == "PNG" else {"xmp": XMP}
    Image.fromarray(pixels).save(made, form, exif=said, icc_profile=profile(), **more)
    return made.getvalue()


PICTURES = {f"{form.lower()}.{form.lower()}": picture(form) for form in ("JPEG", "PNG", "WEBP")}


def check(data: bytes, original: bytes) -> None:
    """Fail where a picture tells anything, or is not what it was otherwise."""
    assert not [one for one in (MARK, *SAID) if one in data.replace(profile(), b"")]
    before, after = (Image.open(io.BytesIO(one)) for one in (original, data))
    assert dict(after.getexif()) == {ORIENTATION: 6}
    assert after.info["icc_profile"] == before.info["icc_profile"]
    assert np.array_equal(np.array(after), np.array(before))


def check_upright(data: bytes, original: bytes, *, told: bool) -> None:
    """Fail where a photo is not upright by its pixels, or tells others what its owner may see."""
    assert bool([one for one in (MARK, *SAID) if one in data.replace(profile(), b"")]) == told
    before, after = (Image.open(io.BytesIO(one)) for one in (original, data))
    assert after.getexif().get(ORIENTATION) is None
    assert told or not after.getexif()
    assert after.info["icc_profile"] == before.info["icc_profile"]
    upright = np.array(ImageOps.exif_transpose(before)).astype(int)
    assert np.abs(np.array(after) - upright).mean() < 20  # of noise, whose colours are halved


@pytest_asyncio.fixture(**ONCE)
async def people(web):
    async with person(web, "ann") as ann, person(web, "vic") as vic, person(web, "eve") as eve:
        yield ann, vic, eve


@pytest_asyncio.fixture(**ONCE)
async def shared(mill, people):
    """A project of Ann's, with pictures, an archive of them and a document; who else is in it."""
    ann, vic, eve = people
    files = {name: await upload(ann, name, data) for name, data in PICTURES.items()}
    files["all.zip"] = await upload(ann, "all.zip", zipped({**PICTURES, "note.txt": b"hello"}))
    files["paper.pdf"] = await upload(ann, "paper.pdf", PDF)
    project = (await ann.client.post("/v1/projects", json={"name": "shared"})).json()["id"]
    added = await ann.client.post(
        f"/v1/projects/{project}/files", json={"files": [*files.values()]}
    )
    assert added.status_code == 200, added.text
    for who, role in ((vic, "viewer"), (eve, "editor")):
        body = {"user": who.email, "role": role}
        given = await ann.client.post(f"/v1/projects/{project}/shares", json=body)
        assert given.status_code < 300, given.text
    async with working(mill):
        yield project, files


async def test_content_and_links(people, shared):
    ann, *others = people
    _, files = shared
    for name, data in PICTURES.items():
        content = f"/v1/files/{files[name]}/content"
        own = await ann.client.get(content)
        assert own.content == data
        for who in others:
            seen = await who.client.get(content)
            check(seen.content, data)
            assert seen.headers["etag"] != own.headers["etag"]
            head = await who.client.head(content)
            assert head.headers["content-length"] == str(len(seen.content))
            part = await who.client.get(content, headers={"range": "bytes=10-299"})
            assert (part.status_code, part.content) == (206, seen.content[10:300])
            direct = await who.client.get(f"{content}?direct=true")
            assert direct.content == seen.content
            made = await who.client.post(f"/v1/files/{files[name]}/link")
            followed = await who.client.get(made.json()["url"])
            assert followed.content == seen.content
        made = await ann.client.post(f"/v1/files/{files[name]}/link?expires_in={LINK_SECONDS}")
        assert (await others[0].client.get(made.json()["url"])).content == data  # hers to give


async def test_members_of_archives(people, shared):
    ann, *others = people
    here = f"/v1/files/{shared[1]['all.zip']}"
    for name, data in PICTURES.items():
        assert (await ann.client.get(f"{here}/members/{name}")).content == data
        for who in others:
            seen = await who.client.get(f"{here}/members/{name}")
            check(seen.content, data)
            part = await who.client.get(f"{here}/members/{name}", headers={"range": "bytes=50-99"})
            assert part.content == seen.content[50:100]
    for who in others:
        assert (await who.client.get(f"{here}/members/note.txt")).content == b"hello"


async def test_what_cannot_be_cut_is_for_its_owner(people, shared):
    ann, *others = people
    for name in ("all.zip", "paper.pdf"):
        content = f"/v1/files/{shared[1][name]}/content"
        assert (await ann.client.get(content)).status_code == 200
        for who in others:
            refused = await who.client.get(content)
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
            assert "the owner may share a processed copy" in refused.json()["detail"]
            assert MARK not in refused.content
            assert (await who.client.post(f"{content[:-8]}/link")).status_code == 403


async def test_a_copy_of_a_guest(people, shared):
    ann, *others = people
    project, files = shared
    for who in (ann, *others):
        begun = await who.client.post(f"/v1/projects/{project}/copy", json={"name": "mine"})
        outcome = (await ended(who.client, begun))["outcome"]
        assert (outcome["copied"], outcome.get("withheld", 0)) == ((5, 0) if who is ann else (3, 2))
        copy = begun.headers["location"].rpartition("/")[2]
        rows = (await who.client.get(f"/v1/projects/{copy}/files")).json()["data"]
        for row in rows:
            data = (await who.client.get(f"/v1/files/{row['id']}/content")).content
            assert len(data) == row["size"]
            if who is ann:
                assert row["id"] in files.values()
            else:
                check(data, PICTURES[row["name"]])


async def test_an_archive_that_a_guest_empties(people, shared):
    vic = people[1]
    mine = (await vic.client.post("/v1/projects", json={"name": "grabbed"})).json()["id"]
    body = {"file": shared[1]["all.zip"]}
    outcome = (
        await ended(vic.client, await vic.client.post(f"/v1/projects/{mine}/import", json=body))
    )["outcome"]
    assert outcome["taken"] == 3, outcome
    for row in (await vic.client.get(f"/v1/projects/{mine}/files")).json()["data"]:
        data = (await vic.client.get(f"/v1/files/{row['id']}/content")).content
        check(data, PICTURES[row["name"]])


async def test_exports_of_versions(people, shared):
    """The owner's are frozen as they came, and cut for others; a picture of the editor's is cut
    for both, as it is frozen so.
    """
    ann, _, eve = people
    theirs = picture("JPEG", 7)
    added = await upload(eve, "eves.jpeg", theirs)
    here = f"/v1/projects/{shared[0]}"
    joined = await eve.client.post(f"{here}/files", json={"files": [added]})
    assert joined.status_code == 200, joined.text
    check((await ann.client.get(f"/v1/files/{added}/content")).content, theirs)
    version = await frozen(ann.client, shared[0])
    assert version["files"] == 4
    sources = {stem(name): data for name, data in PICTURES.items()} | {"eves": theirs}
    for who in people:
        url = version["links"]["export"]
        answer = await exported(who.client, f"{url}?format=files&wait=20")
        files = unzipped(answer.content)
        for line in map(json.loads, files.pop("manifest.jsonl").splitlines()):
            data, name = files[line["name"]], stem(line["name"])
            assert (len(data), hashlib.sha256(data).hexdigest()) == (line["size"], line["sha256"])
            if line["name"].endswith((".jpg", ".jpeg")):
                check_upright(data, sources[name], told=who is ann and name != "eves")
            elif who is ann:
                assert data == sources[name]
            else:
                check(data, sources[name])
        part = await who.client.get(
            f"{url}?format=files&wait=20", headers={"range": "bytes=100-4999"}
        )
        assert part.content == answer.content[100:5000]
        tar = await exported(who.client, f"{url}?format=webdataset&wait=20")
        for name, data in untarred(tar.content).items():
            if not name.endswith((".json", ".jsonl")):
                assert data in files.values()
    assert len({(await w.client.get(version["links"]["document"])).text for w in people}) == 1


async def test_an_export_of_a_guest_in_every_format(people, shared, tmp_path):
    """Pictures of all formats, with all that they may say; a video is withheld."""
    ann, vic, _ = people
    paths = [*pictures(tmp_path), clip(tmp_path / "clip.mp4", seconds=0.4, size="160x120")]
    files = [await upload(ann, path.name, path.read_bytes()) for path in paths]
    project = (await ann.client.post("/v1/projects", json={"name": "formats"})).json()["id"]
    here = f"/v1/projects/{project}"
    assert (await ann.client.post(f"{here}/files", json={"files": files})).status_code == 200
    body = {"user": vic.email, "role": "viewer"}
    assert (await ann.client.post(f"{here}/shares", json=body)).status_code < 300
    version = await frozen(ann.client, project)
    answer = await exported(vic.client, f"{version['links']['export']}?format=coco&wait=20")
    found = unzipped(answer.content)
    shown = {Path(name).suffix for name in found} - {".json", ".jsonl"}
    assert shown == {path.suffix for path in paths} - {".mp4"}
    for name, data in found.items():
        rest = data.replace(profile(), b"")
        assert not [one for one in (MARK, *SAID) if one in rest], name


def stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def untarred(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive.getmembers()}
