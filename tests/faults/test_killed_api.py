"""R2: the API is killed at each point of a request; its client asks again with its key.

At each of four points: the blob is synced, the row is committed (of a file, of a job: that is
before the doorbell rings too), and the answer is kept and not yet sent. The soak kills 75 times at
each, and before and after the key's own row, in about 13 minutes.
"""

import asyncio

import httpx
import pytest

from mediamill.core.settings import Settings
from tests.faults.dying_api import POINTS
from tests.faults.history import History
from tests.support.places import DYNAMODB, POSTGRESQL, SQLITE, cases
from tests.support.processes import Process, free_port, running, signed_in, until_live
from tests.web.test_uploading import PNG

SHORT = {"poll_seconds": 0.1, "slots": 1, "lease_seconds": 1}
RETRIED = (409, 429, 500, 502, 503)


class DyingApi(Process):
    """An API process that a file tells where to die; started again by the test."""

    def __init__(self, home, port, *planted):
        super().__init__("api", home, port, **SHORT)
        self.point = home.parent / "die-at"
        self.program = (*planted, "tests.faults.dying_api", str(self.point))


async def until_answered(client, path, key, **request):
    """Send a request with its key until it is answered, as a careful client does."""
    for _ in range(600):
        try:
            answer = await client.post(path, headers={"Idempotency-Key": key}, **request)
        except httpx.TransportError:
            await asyncio.sleep(0.05)
            continue
        if answer.status_code not in RETRIED:
            answer.raise_for_status()
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError("no answer")


async def keep_running(api):
    """Start the API again whenever it has died."""
    while True:
        await asyncio.sleep(0.02)
        if api.child.poll() is not None:
            api.start()


async def kill_in_turn(tmp_path, kills: int, *planted: str, at=POINTS) -> tuple[int, int]:
    """Kill the API so many times at each point; return how many jobs and files are too many."""
    home, history = tmp_path / "home", History()
    api = DyingApi(home, free_port(), *planted)
    api.start()
    await until_live(api)
    async with signed_in(api) as client:
        raising = asyncio.ensure_future(keep_running(api))
        try:
            file = await history.upload(client, "dot.png", PNG)
            for place, point in enumerate(sorted(at) * kills):
                about_files = "file" in point or "bytes" in point
                api.point.write_text(point)
                if about_files:
                    request = {"params": {"name": "dot.png"}, "content": PNG + bytes([place % 256])}
                    answer = await until_answered(client, "/v1/files", f"key-{place}", **request)
                else:
                    body = {"files": [file], "steps": [{"operation": "thumbnail"}], "seed": place}
                    answer = await until_answered(client, "/v1/jobs", f"key-{place}", json=body)
                    history.jobs.append(answer.json()["id"])
                assert not api.point.exists(), f"{point}: it did not die"
                assert answer.json()["id"]
            jobs = [j["id"] async for j in listed(client, "/v1/jobs")]
            files = [f["sha256"] async for f in listed(client, "/v1/files")]
            assert set(history.jobs) <= set(jobs)
        finally:
            raising.cancel()
        async with running("worker", home, **SHORT):
            for job in jobs:
                ended = await client.get(f"/v1/jobs/{job}", params={"wait": 30})
                assert ended.json()["state"] == "succeeded", ended.text
        if not planted:
            assert await history.check(client, Settings(home=home, min_free_bytes=0)) == []
    api.end()
    return len(jobs) - len(history.jobs), len(files) - (1 + 2 * kills)


@cases("kills", [(SQLITE, 1)], [(SQLITE, 75), (POSTGRESQL, 75), (DYNAMODB, 10)])
@pytest.mark.timeout(3600)
async def test_one_job_and_one_file_whenever_the_api_is_killed(tmp_path, kills):
    at = POINTS if kills > 1 else POINTS.keys() - {"before the row", "reserved"}
    assert await kill_in_turn(tmp_path, kills, at=at) == (0, 0)


@pytest.mark.soak
async def test_a_request_that_is_done_twice_is_noticed(tmp_path):
    """The planted fault of R2: a request that comes again gets other ids."""
    jobs, files = await kill_in_turn(tmp_path, 1, "tests.faults.planted", "repeats not known")
    assert jobs
    assert files


async def listed(client, path):
    after = {}
    while True:
        page = (await client.get(path, params={"limit": 100, **after})).json()
        for row in page["data"]:
            yield row
        if page["after"] is None:
            return
        after = {"after": page["after"]}
