"""The history check H: what the service acknowledged must be true afterwards, whatever happened.

A test keeps a `History` of what it was told (uploads and jobs that got a 2xx) and calls `check`
once the service is quiet again. It reads back through HTTP, and counts rows and blobs in the
stores themselves. It returns every broken promise; an empty list is a pass.
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass, field

import httpx

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.handlers.collect import Collect
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.results import ItemOutcome, Result


@dataclass
class History:
    """What clients were told."""

    uploads: dict[str, str] = field(default_factory=dict)
    """File id → SHA-256 of what was sent."""
    jobs: list[str] = field(default_factory=list)

    async def upload(self, client: httpx.AsyncClient, name: str, data: bytes) -> str:
        """Upload; the file counts once it is acknowledged."""
        answer = await client.post("/v1/files", params={"name": name}, content=data)
        answer.raise_for_status()
        file_id = str(answer.json()["id"])
        self.uploads[file_id] = hashlib.sha256(data).hexdigest()
        return file_id

    async def submit(self, client: httpx.AsyncClient, files: list[str], operation: str, **p) -> str:
        """Submit a one-step job; it counts once it is acknowledged."""
        body = {"files": files, "steps": [{"operation": operation, "parameters": p}]}
        answer = await client.post("/v1/jobs", json=body)
        answer.raise_for_status()
        job_id = str(answer.json()["id"])
        self.jobs.append(job_id)
        return job_id

    async def check(self, client: httpx.AsyncClient, settings: Settings) -> list[str]:
        """Return every promise that does not hold."""
        broken = [line for file_id in self.uploads for line in await self._upload(client, file_id)]
        app = await App.open(settings)
        try:
            for job_id in self.jobs:
                broken += await _job(client, app, job_id)
            broken += await _orphans(app)
        finally:
            await app.close()
        return broken

    async def _upload(self, client: httpx.AsyncClient, file_id: str) -> list[str]:
        answer = await client.get(f"/v1/files/{file_id}/content")
        if answer.status_code != 200:
            return [f"{file_id} was acknowledged, reads back as {answer.status_code}"]
        same = hashlib.sha256(answer.content).hexdigest() == self.uploads[file_id]
        return [] if same else [f"{file_id} reads back with other bytes"]


async def _job(client: httpx.AsyncClient, app: App, job_id: str) -> list[str]:
    """Check one accepted job: ended, counted right, its zip whole."""
    job = await app.repositories.jobs.get(job_id)
    if job is None:
        return [f"{job_id} was accepted and is gone"]
    if not job.state.terminal:
        return [f"{job_id} has not ended: {job.state}"]
    rows = [row async for row in app.repositories.results.walk_stage(job_id, job.stage)]
    broken = _counters(job, rows)
    answer = await client.get(f"/v1/jobs/{job_id}/download")
    if answer.status_code != 200:
        return [*broken, f"{job_id}: download answers {answer.status_code}"]
    if len(answer.content) != job.download_size:
        broken.append(f"{job_id}: download has another length than announced")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        if archive.testzip() is not None:
            broken.append(f"{job_id}: its zip is corrupt")
        expected = 1 + sum(_members(row) for row in rows)
        if len(archive.namelist()) != expected:
            broken.append(f"{job_id}: zip has {len(archive.namelist())} entries, not {expected}")
    return broken


def _members(row: Result) -> int:
    """Count the zip entries of a result: frames and their list, or one per file."""
    return sum(int(f.info["frames"]) + 1 if "frames" in f.info else 1 for f in row.files)


def _counters(job: Job, rows: list[Result]) -> list[str]:
    broken = []
    for outcome in ItemOutcome:
        counted = getattr(job.counts, outcome.value)
        there = sum(row.outcome is outcome for row in rows)
        if counted != there:
            broken.append(f"{job.id}: {counted} {outcome} counted, {there} rows")
    if job.counts.settled != job.items:
        broken.append(f"{job.id}: {job.counts.settled} of {job.items} items have an outcome")
    if len({row.item for row in rows}) != len(rows):
        broken.append(f"{job.id}: an item has two results")
    return broken


async def _orphans(app: App) -> list[str]:
    """Collect without grace, then name what is left that no row names."""
    collect = Collect(app.store, (app.blobs,), app.clock, grace_ms=-1)
    await collect.collect(app.blobs)
    return [f"orphan {b.key}" async for b in collect._orphans(app.blobs, app.clock.now() + 1)]
