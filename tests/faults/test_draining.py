"""R15: SIGTERM under load: drained in 30 s, answers are whole or not there at all, nothing is lost.

The soak ends the service 20 times, in about three minutes, and shows a planted fault.
"""

import asyncio
import hashlib
import random
import signal
from dataclasses import dataclass, field

import httpx
import pytest

from mediamill.core.settings import Settings
from tests.faults.history import History
from tests.support.processes import running, signed_in, until_live
from tests.web.test_uploading import PNG

SHORT = {"lease_seconds": 1, "poll_seconds": 0.1, "slots": 1, "min_free_bytes": 0}
HELD = 3 << 20


def picture(number: int, size: int) -> bytes:
    """Return a picture with noise behind its end."""
    return PNG + random.Random(number).randbytes(size)


@dataclass
class Load:
    """Clients that upload, read and submit until the service is gone; they note what they see."""

    client: httpx.AsyncClient
    history: History
    kept: str
    digest: str
    broken: list[str] = field(default_factory=list)
    """Answers with a 2xx that were not whole."""
    answered: int = 0
    number: int = 0

    async def until_refused(self, seconds: float = 120) -> None:
        """Do everything beside each other until no answer comes any more."""
        ways = (self.uploads, self.slow_uploads, self.reads, self.jobs, self.events)
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(self.again(way) for way in ways for _ in range(2)))

    async def again(self, way) -> None:
        refused = 0
        while refused < 3:
            try:
                await way()
                self.answered += 1
            except httpx.HTTPStatusError as error:
                if error.response.status_code != 503:
                    raise
            except (
                httpx.ConnectError,
                httpx.RemoteProtocolError,
                httpx.ReadError,
                httpx.WriteError,
            ):
                refused += 1
                await asyncio.sleep(0.05)

    def fresh(self, size: int) -> tuple[str, bytes]:
        self.number += 1
        return f"{self.number}.png", picture(self.number, size)

    async def uploads(self) -> None:
        await self.history.upload(self.client, *self.fresh(100_000))

    async def slow_uploads(self) -> None:
        """Send a body in pieces, so that some are under way when the signal comes."""
        name, data = self.fresh(200_000)

        async def pieces():
            for start in range(0, len(data), 20_000):
                yield data[start : start + 20_000]
                await asyncio.sleep(0.03)

        answer = await self.client.post("/v1/files", params={"name": name}, content=pieces())
        answer.raise_for_status()
        sha256 = hashlib.sha256(data).hexdigest()
        self.history.note(upload=answer.json()["id"], sha256=sha256)

    async def reads(self) -> None:
        """Read slowly what is larger than the buffers on the way."""
        async with self.client.stream("GET", f"/v1/files/{self.kept}/content") as answer:
            answer.raise_for_status()
            digest = hashlib.sha256()
            try:
                async for chunk in answer.aiter_bytes(1 << 16):
                    digest.update(chunk)
                    await asyncio.sleep(0.01)
            except httpx.TransportError as error:
                self.broken.append(f"{answer.status_code}, then {error!r}")
                raise
        if digest.hexdigest() != self.digest:
            self.broken.append("a download has other bytes")

    async def jobs(self) -> None:
        name, data = self.fresh(1000)
        file = await self.history.upload(self.client, name, data)
        job = await self.history.submit(self.client, [file], "thumbnail")
        answer = await self.client.get(f"/v1/jobs/{job}", params={"wait": 2})
        answer.raise_for_status()

    async def events(self) -> None:
        """Watch all jobs; the stream has no end but the service's."""
        async with self.client.stream("GET", "/v1/events") as answer:
            answer.raise_for_status()
            try:
                async for _ in answer.aiter_bytes():
                    pass
            except httpx.TransportError as error:
                self.broken.append(f"events: {error!r}")
                raise


async def drain(tmp_path, times: int, *program: str) -> list[str]:
    """End a busy service and start it again, so many times; return the answers that were cut."""
    home, history, chance = tmp_path / "home", History(), random.Random(15)
    data, broken = picture(0, HELD), []
    async with running("up", home, **SHORT) as service, signed_in(service) as client:
        kept = await history.upload(client, "kept.png", data)
        for _ in range(times):
            digest, number = hashlib.sha256(data).hexdigest(), 10 * len(history.uploads)
            load = Load(client, history, kept, digest, number=number)
            going = asyncio.ensure_future(load.until_refused())
            await asyncio.sleep(1 + chance.random())
            while load.answered <= 10 and not going.done():
                await asyncio.sleep(0.05)
            assert await asyncio.to_thread(service.end, signal.SIGTERM, 32) == 0, service.log()
            await going
            broken += load.broken
            assert not list((home / "blobs" / ".incoming").glob("*"))
            service.program = program or service.program
            service.start()
            await until_live(service)
        for job in history.jobs:
            answer = await client.get(f"/v1/jobs/{job}", params={"wait": 30})
            assert answer.json()["state"] == "succeeded", answer.text
        assert await history.check(client, Settings(home=home, min_free_bytes=0)) == []
        assert await asyncio.to_thread(service.end) == 0
    assert program or "Traceback" not in service.log()
    return broken


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.soak)])
@pytest.mark.timeout(1800)
async def test_it_drains_under_load(tmp_path, times):
    assert await drain(tmp_path, times) == []


@pytest.mark.soak
async def test_answers_that_are_cut_are_noticed(tmp_path):
    """The planted fault of R15."""
    assert await drain(tmp_path, 2, "tests.faults.planted", "requests cut off", "mediamill") != []
