"""An import whose workers are killed while they fetch arrives once, and whole.

The soak kills 30 times, in about a minute.
"""

import asyncio
import signal

import pytest

from tests.handlers.files.test_fetch import png
from tests.support.processes import Process, running, signed_in
from tests.support.sources import file, source

SHORT = {"lease_seconds": 3, "poll_seconds": 0.1, "slots": 1, "fetch_allow": "127.0.0.1:*",
         "min_free_bytes": 0}  # fmt: skip


@pytest.mark.parametrize("kills", [1, pytest.param(30, marks=pytest.mark.soak)])
@pytest.mark.timeout(600)
async def test_killed_workers_fetch_a_file_once(tmp_path, kills):
    home, data = tmp_path / "home", png(1_000_000)
    slow, whole = file(data, pause=60, step=10_000), file(data)

    async def given(ask, writer):
        """Give a part to those who are killed, all to who comes after them."""
        await (slow if len(outer.asked) <= kills else whole)(ask, writer)

    async with (
        source(a_png=given) as outer,
        running("api", home, **SHORT) as api,
        signed_in(api) as client,
    ):
        answer = await client.post("/v1/files", json={"url": outer.url("/a.png")})
        here = answer.headers["location"]
        worker = Process("worker", home, **SHORT)
        for n in range(kills):
            worker.start()
            async with asyncio.timeout(60):
                while len(outer.asked) <= n:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(worker.end, signal.SIGKILL)
        worker.start()
        try:
            async with asyncio.timeout(60):
                while (row := (await client.get(here)).json())["state"] != "ready":
                    await asyncio.sleep(0.1)
        finally:
            await asyncio.to_thread(worker.end)
        assert len(outer.asked) == kills + 1
        assert (await client.get(f"{here}/content")).content == data
        assert len((await client.get("/v1/files")).json()["data"]) == 1
        assert row["size"] == len(data)
    kept = [path for path in (home / "blobs").rglob("*") if path.is_file()]
    assert [path.stat().st_size for path in kept].count(len(data)) == 1
