"""Long videos are done in parts: the same bytes as whole, whatever is killed on the way.

The soak asks everything of every video, in half a minute.
"""

import asyncio
import hashlib
import io
import json
import signal
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.errors import NotFound
from mediamill.engine.retry import LATE_ATTEMPTS
from mediamill.handlers.items.segments import Segments
from mediamill.media.video.reader import FrameReader
from mediamill.operations.extract_frames.segments import runs
from mediamill.store.repositories.results import ResultFile
from mediamill.store.repositories.units import Unit
from tests.faults.history import History
from tests.media_factory import clip, hevc_open, sample, source, vfr
from tests.support.processes import running, signed_in

SECONDS = 2.0


async def frames(client, file: str, steps: list[dict]) -> tuple[dict, bytes]:
    """Run a job to its end; return its one result and that result's bytes."""
    body = {"files": [file], "steps": steps, "reuse": False}
    job = (await client.post("/v1/jobs", json=body)).json()["id"]
    for _ in range(3):
        told = (await client.get(f"/v1/jobs/{job}", params={"wait": 60})).json()
        if told["finished_at"]:
            break
    assert told["state"] == "succeeded", told
    (result,) = (await client.get(f"/v1/jobs/{job}/results")).json()["data"]
    (made,) = result["files"]
    answer = await client.get(made["url"])
    assert hashlib.sha256(answer.content).hexdigest() == made["sha256"]
    return result, answer.content


def step(**parameters) -> list[dict]:
    return [{"operation": "extract-frames", "parameters": {"width": 64, **parameters}}]


CHAIN = [*step(fps=5), {"operation": "convert", "parameters": {"format": "png", "width": 32}}]


ASKED = (step(every=0.5), step(mode="all"), step(mode="keyframes"), step(count=7), CHAIN)
EVERYTHING = (*range(len(ASKED)),)
SOME = {"plain.mp4": (3,), "open.mp4": (0, 2), "vfr.mp4": (1, 4), "milk.mkv": (0,)}


@pytest.mark.parametrize(
    ("wanted", "least"), [(SOME, 5), pytest.param({}, 10, marks=pytest.mark.soak)], ids=["", "all"]
)
async def test_frames_of_parts_equal_those_of_the_whole(tmp_path: Path, wanted, least):
    videos = {
        "plain.mp4": clip(tmp_path / "plain.mp4", "-g", "24", seconds=9),
        "open.mp4": hevc_open(tmp_path / "open.mp4"),
        "vfr.mp4": vfr(tmp_path / "vfr.mp4"),
        "milk.mkv": sample("milk.mkv"),
    }
    made = {}
    for seconds in (0, SECONDS):
        home = tmp_path / f"home-{seconds}"
        settings = {"segment_seconds": seconds, "slots": 2}
        async with running("up", home, **settings) as process, signed_in(process) as client:
            for name, path in videos.items():
                sent = await client.post(f"/v1/files?name={name}", content=path.read_bytes())
                assert sent.status_code == 201, sent.text
                for place in wanted.get(name, EVERYTHING):
                    result, data = await frames(client, sent.json()["id"], ASKED[place])
                    made.setdefault((name, place), []).append((result, data))
    cut = 0
    for (whole, one), (parts, other) in made.values():
        assert one == other
        assert "segments" not in whole["report"]
        cut += parts["report"].pop("segments", 1) > 1
        assert whole["report"] == parts["report"]
        assert whole["files"][0]["info"] == parts["files"][0]["info"]
    assert cut >= least


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("long") / "long.mp4", "-g", "24", seconds=20)


async def test_killed_workers_cost_a_part_and_nothing_else(tmp_path: Path, long_clip: Path):
    path, home = long_clip, tmp_path / "h"
    settings = {"segment_seconds": 5, "slots": 2, "lease_seconds": 2, "poll_seconds": 0.2}
    history = History()
    async with running("api", home, **settings) as api, signed_in(api) as client:
        file = await history.upload(client, "long.mp4", path.read_bytes())
        job = await history.submit(client, [file], "extract-frames", mode="all")
        for _ in range(3):
            async with running("worker", home, **settings) as worker:
                await asyncio.sleep(0.8)
                worker.end(signal.SIGKILL)
        async with running("worker", home, **settings):
            async with asyncio.timeout(100):
                while not (told := (await client.get(f"/v1/jobs/{job}")).json())["finished_at"]:
                    await asyncio.sleep(0.1)
            assert told["state"] == "succeeded", told
            answer = await client.get(f"/v1/jobs/{job}/download")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            lines = archive.read("long/frames.jsonl").splitlines()
        assert [json.loads(line)["index"] for line in lines] == list(range(600))
        (result,) = (await client.get(f"/v1/jobs/{job}/results")).json()["data"]
        assert result["report"]["segments"] > 3


async def test_cancelling_stops_the_parts_too(tmp_path: Path, long_clip: Path):
    path, home = long_clip, tmp_path / "h"
    settings = {"segment_seconds": 4, "slots": 1}
    async with running("up", home, **settings) as process, signed_in(process) as client:
        sent = await client.post("/v1/files?name=long.mp4", content=path.read_bytes())
        for quality in (90, 91, 92):  # it may be over before anybody cancels it
            steps = step(mode="all", quality=quality)
            body = {"files": [sent.json()["id"]], "steps": steps}
            job = (await client.post("/v1/jobs", json=body)).json()["id"]
            async with asyncio.timeout(60):
                while (await client.get(f"/v1/jobs/{job}")).json()["progress"]["fraction"] <= 0.2:
                    await asyncio.sleep(0.05)
            await client.post(f"/v1/jobs/{job}/cancel")
            told = (await client.get(f"/v1/jobs/{job}", params={"wait": 30})).json()
            if told["state"] != "succeeded":
                break
        assert told["state"] == "cancelled"
        assert told["counts"]["cancelled"] == 1


def test_runs_share_no_group_of_pictures(tmp_path: Path):
    keys = ("-g", "20", "-sc_threshold", "0")
    video = source(clip(tmp_path / "clip.mp4", *keys, seconds=8))
    timeline = FrameReader(video.open, video.name).timeline
    chosen = list(range(0, len(timeline), 3))
    for seconds, count in ((0.5, 12), (1, 8), (3, 3), (100, 1)):
        found = runs(timeline, chosen, seconds)
        assert [n for first, last in found for n in range(first, last)] == list(range(len(chosen)))
        groups = [{chosen[n] // 20 for n in range(first, last)} for first, last in found]
        assert all(not one & other for n, one in enumerate(groups) for other in groups[n + 1 :])
        assert len(found) == count


class Late(MemoryBlobs):
    """Blobs that are not to be seen, maybe only yet: a folder of another machine."""

    def _find(self, key: str) -> tuple[bytes, int]:
        raise NotFound("There is no object.", key=key, late=True)


@pytest.mark.parametrize(("blobs", "attempts"), [(MemoryBlobs, 0), (Late, LATE_ATTEMPTS)])
async def test_an_item_whose_parts_were_lost_is_run_whole(tmp_path: Path, blobs, attempts):
    """A backup that was made while they were joined and removed has the rows of before."""
    segments, lost, job = closed(tmp_path, blobs(), attempts)
    with capture_logs() as said:
        assert await segments.joined(lost, job, "results/whole") is None
    assert [(one["action"], one["parts"]) for one in said] == [("parts_lost", 2)]


async def test_parts_that_are_not_seen_yet_are_looked_for_again(tmp_path: Path):
    segments, lease, job = closed(tmp_path, Late(), LATE_ATTEMPTS - 1)
    with pytest.raises(NotFound):
        await segments.joined(lease, job, "results/whole")


def closed(scratch: Path, blobs: MemoryBlobs, attempts: int) -> tuple[Segments, Any, Any]:
    """Return an item of two parts that have closed, and whose bytes are not there."""
    file = ResultFile(
        name="a.zip", media_type="application/zip", size=9, sha256="", crc32=0, blob="gone"
    )
    made = {"made": {"file": msgspec.to_builtins(file), "report": {}}}
    unit = Unit(group="job_a", seq=0, kind="items", owner="u", klass="bulk", created=1)

    class Closed:
        async def of_group(self, group: str, first: int, count: int) -> list[Unit]:
            return [unit.evolve(seq=first + n, payload=made) for n in range(count)]

    lease = SimpleNamespace(unit=unit.evolve(payload={"parts": (1, 2)}, attempts=attempts))
    nothing: Any = None
    segments = Segments(
        jobs=nothing, units=Closed(), manifests=nothing, lookup=nothing, blobs=nothing,
        results=blobs, slots=nothing, catalogue=nothing, bell=nothing, scratch=scratch,
    )  # fmt: skip
    return segments, lease, SimpleNamespace(log_context=dict)
