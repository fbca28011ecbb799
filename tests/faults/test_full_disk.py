"""R5: a small disk fills up. No upload is acknowledged that is not kept, and room helps at once."""

import asyncio
import hashlib
import os
import subprocess
from contextlib import asynccontextmanager

import pytest

from mediamill.app import App
from mediamill.blobs.local.incoming import Incoming
from mediamill.core.errors import StorageFull
from mediamill.core.settings import Settings
from mediamill.engine.retry import RetryPolicy
from mediamill.web.app import create_app
from tests.support.services import unavailable
from tests.web.conftest import plain_log
from tests.web.test_files import PNG, encoded, form, part, person, principal

__all__ = ["plain_log"]  # a fixture that every test here uses

ROOM, KEPT_FREE = 12 << 20, 2 << 20


@pytest.fixture
def disk(tmp_path):
    """Mount a file system of 12 MB for a test; needs root."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        unavailable("a small tmpfs cannot be mounted: this needs root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=60)


@pytest.fixture
async def mill(tmp_path, disk):
    settings = Settings(
        home=tmp_path / "home",
        blobs_url=f"file://{disk}/blobs",
        min_free_bytes=KEPT_FREE,
        slots=1,
    )
    async with await App.open(settings) as app:
        yield app


@pytest.fixture
async def ann(mill):
    async with person(mill, create_app(mill), "ann") as found:
        yield found


def picture(number, size):
    """Return a picture with noise behind its end."""
    return PNG + hashlib.sha256(b"%d" % number).digest() * (size // 32)


def free(disk):
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize


def is_full(response):
    assert (response.status_code, response.json()["code"]) == (507, "storage_full"), response.text
    assert response.json()["retryable"]
    assert response.headers["retry-after"]


async def fill(ann, disk, size=1 << 20):
    """Upload until there is no room; return what was acknowledged."""
    kept = {}
    for number in range(2 * ROOM // size):
        data = picture(number, size)
        response = await ann.client.post("/v1/files", content=data)
        if response.status_code != 201:
            is_full(response)
            return kept
        kept[response.json()["id"]] = data
    raise AssertionError("the disk never filled up")


async def test_a_full_disk_is_told_and_room_helps(ann, mill, disk):
    kept = await fill(ann, disk)
    assert len(kept) >= 7
    assert free(disk) >= KEPT_FREE - (1 << 20)
    for file_id, data in kept.items():
        assert (await ann.client.get(f"/v1/files/{file_id}/content")).content == data
    data = picture(99, 2 << 20)

    async def unannounced():
        for start in range(0, len(data), 1 << 16):
            yield data[start : start + (1 << 16)]

    as_form = {"content-type": "multipart/form-data; boundary=b"}
    for more in (
        {"content": data},
        {"content": unannounced()},
        {"content": form((part("a.png"), PNG), (part("b.png"), data)), "headers": as_form},
        {"json": {"content_base64": encoded(data)}},
    ):
        is_full(await ann.client.post("/v1/files", **more))
    with pytest.raises(StorageFull):
        await mill.arrivals.begin(principal(ann), "later.png", 3 << 20)
    listed = (await ann.client.get("/v1/files?limit=100")).json()["data"]
    assert {file["id"] for file in listed} == kept.keys()
    assert not list((disk / "blobs/.incoming").iterdir())
    for file_id in list(kept)[:4]:
        await ann.client.delete(f"/v1/files/{file_id}?now=true")
        await mill.blobs.delete(f"files/{file_id}")  # as the purge unit does
    assert (await ann.client.post("/v1/files", content=data)).status_code == 201


async def test_bytes_that_are_not_kept_are_noticed(ann, mill, disk, monkeypatch):
    """The planted fault of R5: the disk is not asked, and what it says is not heard."""
    write = os.write

    def deaf(descriptor, data):
        try:
            return write(descriptor, data)
        except OSError:
            return len(data)

    monkeypatch.setattr(Incoming, "require_room", lambda self, size: None)
    monkeypatch.setattr(os, "write", deaf)
    with pytest.raises(AssertionError):
        await test_a_full_disk_is_told_and_room_helps(ann, mill, disk)


async def test_an_announced_size_is_refused_before_its_first_byte(ann, disk):
    written = []

    async def slowly():
        for _ in range(ROOM >> 20):
            written.append(len(list((disk / "blobs/.incoming").glob("*"))))
            yield b"x" * (1 << 20)

    headers = {"content-length": str(ROOM)}
    is_full(await ann.client.post("/v1/files", content=slowly(), headers=headers))
    assert not any(written)


@asynccontextmanager
async def working(worker):
    task = asyncio.create_task(worker.run())
    yield
    worker.stop()
    await task


async def waits_for_room(ann, mill, hog):
    """Submit a job, see its unit tried again and again, make room, see it succeed."""
    file = (await ann.client.post("/v1/files", content=PNG)).json()["id"]
    hog()
    body = {"files": [file], "steps": [{"operation": "thumbnail"}]}
    job = (await ann.client.post("/v1/jobs", json=body)).json()["id"]
    worker = await mill.worker()
    worker.engine.policy = RetryPolicy(cap_ms=200)
    async with working(worker):
        async with asyncio.timeout(60):
            while (unit := await mill.repositories.units.get(job, 0)) is None or unit.attempts < 2:
                await asyncio.sleep(0.1)
        assert "StorageFull" in unit.error
        assert (await ann.client.get(f"/v1/jobs/{job}")).json()["state"] == "running"
        hog.file.unlink()
        ended = (await ann.client.get(f"/v1/jobs/{job}?wait=30")).json()
    assert (ended["state"], ended["counts"]["succeeded"]) == ("succeeded", 1)


class Hog:
    """Takes all room of a disk but some bytes."""

    def __init__(self, disk, left):
        self.disk, self.left, self.file = disk, left, disk / "hog"

    def __call__(self):
        self.file.write_bytes(b"\0" * (free(self.disk) - self.left))


async def test_a_job_waits_for_room_for_its_results(ann, mill, disk):
    await waits_for_room(ann, mill, Hog(disk, KEPT_FREE // 2))


async def test_a_job_waits_for_room_in_its_scratch(tmp_path, disk):
    home = tmp_path / "home"
    home.mkdir()
    (home / "scratch").symlink_to(disk)
    settings = Settings(home=home, slots=1, min_free_bytes=0)
    async with await App.open(settings) as mill, person(mill, create_app(mill), "ann") as ann:
        await waits_for_room(ann, mill, Hog(disk, 0))


def test_a_full_disk_is_waited_for_without_end():
    policy = RetryPolicy()
    for attempts in (0, 11, 500):
        retry = policy.decide(StorageFull("full"), attempts)
        assert retry is not None
        assert retry.delay_ms <= 10_000
    assert policy.decide(OSError(), 11) is None
