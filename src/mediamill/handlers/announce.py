"""`announce`: write what became of files that came by the stream to their result topic.

A message an item, JSON; its `id` tells repeats apart: it is written once unless a worker dies just
then.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mediamill.adapters.stream.port import Outgoing, Publisher
from mediamill.core.clock import DAY, MINUTE, SECOND, rfc3339
from mediamill.core.errors import NewerVersion
from mediamill.core.records import Record
from mediamill.engine.lease import Lease
from mediamill.engine.retry import RetryPolicy
from mediamill.store.repositories.files import File, Files
from mediamill.store.repositories.jobs import Job, Jobs
from mediamill.store.repositories.results import Result, Results
from mediamill.store.repositories.stream import StreamJob
from mediamill.store.repositories.units import Unit

KIND = "announce"
TOGETHER = 100
TYPE = "application/json"


@dataclass
class StreamChannel:
    """The way by which outcomes of the stream's jobs go out (`handlers/notify.py`)."""

    jobs: Jobs

    async def units(self, notice: Unit, now: int) -> Sequence[Record]:
        """Make the unit that announces a job's generation, if it came of the stream."""
        job, generation = notice.payload.get("job"), notice.seq
        if not job or await self.jobs.store.get(StreamJob, job) is None:
            return ()
        group, owner = f"{job}:{KIND}", notice.owner
        return (Unit.notice(KIND, group, generation, owner, now=now, told=job),)


@dataclass
class Announce:
    """Writes the outcomes."""

    jobs: Jobs
    files: Files
    results: Results
    publisher: Publisher | None
    policy = RetryPolicy(base_ms=SECOND, cap_ms=10 * MINUTE, lasting_ms=3 * DAY)
    """As long as brokers may be away."""

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.get(lease.unit.payload["told"])
        origin = job and await self.jobs.store.get(StreamJob, job.id)
        if job is not None and origin:
            if self.publisher is None:  # another worker has a stream
                raise NewerVersion("MEDIAMILL_STREAM_URL is not set for this worker.")
            async for some in self._outcomes(job, lease.unit.seq):
                files = await self.files.get_many([result.input for result in some])
                messages = [
                    _message(job, result, file, origin.results)
                    for result, file in zip(some, files, strict=True)
                ]
                await self.publisher.publish(messages)
        await lease.vanish()

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Close the announcement; what became of the job stands in it."""
        await lease.finish(error=str(error)[:500])

    async def _outcomes(self, job: Job, generation: int) -> AsyncIterator[list[Result]]:
        """Visit what items became in a generation, some at a time."""
        some: list[Result] = []
        async for result in self._all(job):
            if result.generation == generation and not result.expired:
                some.append(result)
            if len(some) >= TOGETHER:
                yield some
                some = []
        if some:
            yield some

    async def _all(self, job: Job) -> AsyncIterator[Result]:
        async for result in self.results.failed_before(job.id, job.stage, job.finished):
            yield result
        async for result in self.results.walk_stage(job.id, job.stage):
            yield result


def _message(job: Job, result: Result, file: File | None, topic: str) -> Outgoing:
    """Write one outcome."""
    body: dict[str, Any] = {
        "id": f"{job.id}-{result.generation}-{result.stage}-{result.item}",
        "type": f"item.{result.outcome}",
        "timestamp": rfc3339(job.finished or result.created),
        "job": job.id,
        "file": result.input,
        "name": result.name,
        "stream": file.lineage.get("stream") if file else None,
        "results": [
            {
                "name": one.name,
                "media_type": one.media_type,
                "size": one.size,
                "sha256": one.sha256,
            }
            for one in result.files
        ],
    }
    if result.data is not None:
        body["data"] = result.data
    if result.error:
        body["error"] = {"code": result.code, "message": result.error}
    headers = (("content-type", TYPE.encode()), ("mediamill-id", body["id"].encode()))
    return Outgoing(topic, msgspec.json.encode(body), result.input.encode(), headers)
