"""R9: the object store answers a fifth of all requests with 500 or 503, cuts answers, stalls.

People upload, submit and download meanwhile; whoever is told to come back asks again with the same
key. Some bits change on their way, too. Nothing that was acknowledged is lost or other than it was.
The soak does ten times as much, with stalls of 30 s, in about ten minutes.
"""

import asyncio
import hashlib

import pytest
from botocore.retries.standard import ExponentialBackoff

from mediamill.app import App
from mediamill.blobs.s3.checksums import Recorded
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from tests.faults.history import History
from tests.faults.store_proxy import STATED, StoreProxy
from tests.faults.test_deletion_races import until_quiet
from tests.faults.test_poison import Misbehaving
from tests.faults.test_restarted_database import Load
from tests.support.places import BUCKET
from tests.web.test_files import person

PEOPLE = 4


class Reader(Load):
    """Somebody who downloads, too, and compares."""

    async def download(self, file: str) -> None:
        """Ask for a file until it comes whole; what comes whole must be what was sent."""
        async with asyncio.timeout(120):
            while True:
                answer = await self.ask("GET", f"/v1/files/{file}/content")
                if len(answer.content) == int(answer.headers["Content-Length"]):
                    break
        digest = hashlib.sha256(answer.content).hexdigest()
        assert digest == self.history.uploads[file], "a bad checksum was accepted"


async def suffer(folder, light, jobs: int, stall: float, faults=STATED) -> StoreProxy:
    """Run so many jobs over a store that fails; returns the proxy once everything was checked."""
    history, proxy = History(), StoreProxy(light.port, stall)
    async with proxy.listening() as port:
        where = light.url(f"{BUCKET}/{folder.name}")
        settings = Settings(
            home=folder / "home", slots=2, lease_seconds=2, poll_seconds=0.1, min_free_bytes=0,
            blobs_url=where.replace(light.endpoint, f"http://127.0.0.1:{port}"),
        )  # fmt: skip
        async with (
            await App.open(settings, Misbehaving()) as app,
            person(app, create_app(app), "ann") as ann,
        ):
            worker = await app.worker()
            task = asyncio.create_task(worker.run())
            try:
                load = Reader(ann.client, history)
                proxy.faults = faults
                await asyncio.gather(*(go_on(load, jobs // PEOPLE) for _ in range(PEOPLE)))
                proxy.faults = {}
                await until_quiet(app)
                assert set(load.told) <= {200, 201, 202, 503}
                broken = await history.check(ann.client, settings)
                assert broken == []
                for job in history.jobs:
                    counts = (await ann.client.get(f"/v1/jobs/{job}")).json()["counts"]
                    assert counts["failed"] == 0, "an item paid for the store's faults"
            finally:
                worker.stop()
                await task
    return proxy


async def go_on(load: Reader, jobs: int) -> None:
    for _ in range(jobs):
        files = [await load.upload(b"good %d" % load.asked) for _ in range(2)]
        await load.submit(files, "copy")
        await load.download(files[0])
    for job in load.history.jobs:
        await load.ask("GET", f"/v1/jobs/{job}", params={"wait": 60})


@pytest.mark.embedded("it has a store behind a proxy of its own")
@pytest.mark.parametrize(
    ("jobs", "stall"), [(4, 3.0), pytest.param(40, 30.0, marks=pytest.mark.soak)]
)
@pytest.mark.timeout(1800)
async def test_a_store_that_fails_costs_time_only(tmp_path, servers, monkeypatch, jobs, stall):
    for name, value in servers.buckets.environment.items():
        monkeypatch.setenv(name, value)
    if stall < 30:
        monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.1)
    proxy = await suffer(tmp_path, servers.buckets, jobs, stall)
    print(f"{jobs} jobs; the store did {dict(proxy.done)}")
    assert proxy.done["error"] > jobs


@pytest.mark.soak
@pytest.mark.embedded("it has a store behind a proxy of its own")
async def test_a_reader_that_compares_nothing_is_noticed(tmp_path, servers, monkeypatch):
    """The planted fault: bits that changed on their way are handed out."""
    for name, value in servers.buckets.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Recorded, "matches", lambda _: True)
    with pytest.raises(AssertionError, match="a bad checksum was accepted"):
        await suffer(tmp_path, servers.buckets, 8, 0.1, {"spoil": 0.5})
