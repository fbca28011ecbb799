"""S14: the naughty strings as names of members and of files, all the way into a job's zip."""

import io
import json
import unicodedata
import zipfile
from pathlib import Path

from tests.media_factory import hostile_names
from tests.web.test_events import working
from tests.web.test_hostile_archives import EVIL, check_name, zipped
from tests.web.test_submission import ended, submit
from tests.web.test_uploading import PNG

JOBS_EVERY = 9
"""Of so many names one goes through a job."""


def names() -> list[str]:
    """Return the strings, those that attack paths, and some that are the same in the end."""
    found = json.loads(hostile_names().read_text())
    assert len(found) > 500
    return [*found, *EVIL, *(f"../{name}" for name in found[::50]), "é.png", "e\u0301.png"]


async def test_as_members_and_in_a_download(mill, ann, tmp_path: Path):
    """Listed, read by the address given, used in a job; the zip that comes of it unpacks safely."""
    every = [f"{name}.png" for name in names() if len(name) < 5_000]
    packed = zipped(*((name, PNG) for name in every))
    file = (await ann.client.post("/v1/files?name=x.zip", content=packed)).json()["id"]
    listed, after = [], 0
    while after is not None:
        page = await ann.client.get(f"/v1/files/{file}/members?limit=100&after={after}")
        listed += page.json()["data"]
        after = page.json()["after"]
    assert len({one["path"].casefold() for one in listed}) == len(listed) == len(every)
    for one in listed:
        check_name(one["path"])
    for one in listed[::JOBS_EVERY]:
        answer = await ann.client.get(one["url"])
        assert (answer.status_code, answer.content) == (200, PNG), one
        check_header(answer.headers["content-disposition"])
    few = zipped(*((name, PNG) for name in every[::JOBS_EVERY]))
    file = (await ann.client.post("/v1/files?name=x.zip", content=few)).json()["id"]
    async with working(mill):
        job = await ended(ann, await submit(ann, archive=file, members=["*"], name=every[40]))
    assert job["counts"]["failed"] == 0, job
    answer = await ann.client.get(f"/v1/jobs/{job['id']}/download")
    check_header(answer.headers["content-disposition"])
    check_download(answer.content, tmp_path / "out", job["counts"]["succeeded"])


def check_header(header: str) -> None:
    """A header is one line of visible ASCII with both forms of a name."""
    assert all(" " <= char <= "~" for char in header)
    assert header.count('"') == 2
    assert "filename*=UTF-8''" in header


def check_download(data: bytes, folder: Path, count: int) -> None:
    """Fail for names that are unsafe, doubled or unlike what is listed, and for wrong bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        inside = archive.namelist()
        index = [json.loads(line) for line in archive.read(inside[0]).splitlines()]
        archive.extractall(folder)
    assert inside[0] == "manifest.jsonl"
    assert len(inside) == count + 1
    assert len({unicodedata.normalize("NFC", name).casefold() for name in inside}) == len(inside)
    for name in inside:
        check_name(name)
        assert (folder / name).is_file(), "it went where its name says"
    assert len([path for path in folder.rglob("*") if path.is_file()]) == len(inside)
    told = [file["path"] for line in index for file in line["files"]]
    assert sorted(told) == sorted(inside[1:])
