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
from mediamill.core.errors import MediamillError, NewerVersion
from mediamill.core.records import Record
from mediamill.engine.lease import Lease
from mediamill.engine.retry import RetryPolicy
from mediamill.store.port import Delete
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
    """The way by which outcomes of the stream's jobs go out (`handlers/telling/notify.py`)."""

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
        if "refused" in lease.unit.payload:
            await self._refused(lease)
            return
        job = await self.jobs.get(lease.unit.payload["told"])
        origin = job and await self.jobs.store.get(StreamJob, job.id)
        if job is not None and origin:
            async for some in self._outcomes(job, lease.unit.seq):
                files = await self.files.get_many([result.input for result in some])
                messages = [
                    _message(job, result, file, origin.results)
                    for result, file in zip(some, files, strict=True)
                ]
                await self._to_stream().publish(messages)
        await lease.vanish()

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Close the announcement; what became of the job stands in it."""
        await lease.finish(error=str(error)[:500])

    async def _refused(self, lease: Lease) -> None:
        """Tell of files whose job could not be made."""
        told = lease.unit.payload
        row = await self.jobs.store.get(StreamJob, told["told"])
        if row is not None:
            found = await self.files.get_many(told["files"])
            files = [file for file in found if file and not file.hidden]
            messages = [_refusal(lease.unit, file, row.results) for file in files]
            await self._to_stream().publish(messages)
        await lease.vanish(Delete(StreamJob, (told["told"],)))

    def _to_stream(self) -> Publisher:
        if self.publisher is None:  # another worker has a stream
            raise NewerVersion("MEDIAMILL_STREAM_URL is not set for this worker.")
        return self.publisher

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


def refusal(job: str, arrived: Unit, error: MediamillError, now: int) -> Unit:
    """Make the unit that tells of files on whose arrival no job could be made, and why."""
    files, group = arrived.payload["files"], f"{job}:{KIND}"
    why = {"code": error.code, "message": error.message[:1000]}
    return Unit.notice(KIND, group, 0, arrived.owner, now=now, told=job, files=files, refused=why)


def _refusal(unit: Unit, file: File, topic: str) -> Outgoing:
    """Write that a file was not processed."""
    body: dict[str, Any] = {
        "id": f"{unit.payload['told']}-refused-{file.id}",
        "type": "item.failed",
        "timestamp": rfc3339(unit.created),
        "job": None,
        **_named(file.id, file.name, file),
        "results": [],
        "error": unit.payload["refused"],
    }
    return _outgoing(body, topic)


def _message(job: Job, result: Result, file: File | None, topic: str) -> Outgoing:
    """Write one outcome."""
    body: dict[str, Any] = {
        "id": f"{job.id}-{result.generation}-{result.stage}-{result.item}",
        "type": f"item.{result.outcome}",
        "timestamp": rfc3339(job.finished or result.created),
        "job": job.id,
        **_named(result.input, result.name, file),
        "results": [
            {
                "name": one.name,
                "media_type": one.media_type,
                "size": one.size,
                "sha256": one.sha256,
            }
            for _, one in result.outputs
        ],
    }
    if result.data is not None:
        body["data"] = result.data
    if result.error:
        body["error"] = {"code": result.code, "message": result.error}
    return _outgoing(body, topic)


def _named(id_: str, name: str, file: File | None) -> dict[str, Any]:
    stream = file.lineage.get("stream") if file else None
    return {"file": id_, "name": name, "stream": stream}


def _outgoing(body: dict[str, Any], topic: str) -> Outgoing:
    headers = (("content-type", TYPE.encode()), ("mediamill-id", body["id"].encode()))
    return Outgoing(topic, msgspec.json.encode(body), body["file"].encode(), headers)
