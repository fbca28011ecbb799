"""API and worker as two processes that find each other's work through the doorbell alone."""

import pytest

from tests.faults.history import History
from tests.support.processes import running, signed_in
from tests.support.redis import redis_server
from tests.web.test_uploading import PNG

NEVER = 60
"""Seconds between two looks of the worker: longer than the test may take."""


@pytest.mark.soak  # two processes take seconds to start
async def test_a_worker_in_another_process_hears_of_each_step_of_a_job(tmp_path):
    home = tmp_path / "home"
    with redis_server() as broker:
        settings = {"broker_url": broker.url(), "poll_seconds": NEVER, "min_free_bytes": 0}
        async with (
            running("worker", home, slots=1, **settings) as worker,
            running("api", home, **settings) as api,
            signed_in(api) as client,
        ):
            history = History()
            file = await history.upload(client, "a.png", PNG)
            job = await history.submit(client, [file], "thumbnail")
            answer = await client.get(f"/v1/jobs/{job}?wait=50")
            assert answer.json()["state"] == "succeeded", answer.text
    for log in (worker.log(), api.log()):
        assert "doorbell_connected" in log
        assert broker.password not in log
