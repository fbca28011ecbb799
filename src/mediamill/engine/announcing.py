"""Announce facts: an event as a snapshot, in a `notify` unit that is inserted with the fact itself.

So no fact goes untold, whatever dies in between, and none is told that did not happen. The unit is
inserted only when somebody listens: events go somewhere (`MEDIAMILL_EVENTS_URL`), or the owner has
webhooks. What becomes of it: `handlers/telling/notify.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mediamill.core.clock import rfc3339
from mediamill.core.events import Snapshot, checked, event_id
from mediamill.store.port import Store
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.spending import MICRO
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.webhooks import Listeners

EVENT = "snapshot"
"""Where the payload of a `notify` unit holds its event."""


@dataclass
class Announcer:
    """Makes the units that announce facts."""

    store: Store
    everything: bool = False
    """Whether events go somewhere whoever's they are."""

    async def hears(self, owner: str) -> bool:
        """Tell whether anybody listens to what happens to an owner's things."""
        if self.everything:
            return True
        listeners = await self.store.get(Listeners, owner)
        return listeners is not None and listeners.webhooks > 0

    async def of_files(self, type_: str, files: Iterable[File], now: int) -> list[Unit]:
        """Make the units that announce the same of some files of one owner, as they are now."""
        told = [*files]
        if not told or not await self.hears(told[0].owner):
            return []
        return [announcement(file.owner, file_event(type_, file, now), now) for file in told]

    async def of_job(self, type_: str, job: Job, now: int) -> list[Unit]:
        """Make the unit that announces something of a job other than its outcome."""
        if not await self.hears(job.owner):
            return []
        return [announcement(job.owner, job_event(type_, job, now), now)]


def announcement(owner: str, event: Snapshot, now: int) -> Unit:
    """Make the unit that announces an event, which its group names."""
    return Unit.notice("notify", f"event:{event['id']}", 0, owner, now=now, **{EVENT: event})


def event_of(notice: Unit) -> Snapshot | None:
    """Return the event that a `notify` unit announces, if it has one."""
    event: Snapshot | None = notice.payload.get(EVENT)
    return event


def file_event(type_: str, file: File, at: int) -> Snapshot:
    """Describe what has happened to a file, which is as it is then."""
    path = f"/v1/files/{file.id}"
    gone = type_ == "file.purged" or file.state is FileState.REJECTED
    reason = {"code": file.code, "message": file.error}
    data: dict[str, Any] = {
        "id": file.id,
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
        "source": file.source,
        "tags": list(file.tags),
        "problem": reason if file.code else None,
        "created_at": rfc3339(file.created),
        "links": {"self": path} if gone else {"self": path, "content": f"{path}/content"},
    }
    return _event(type_, at, data, file.id, type_, file.revision)


def job_event(type_: str, job: Job, at: int) -> Snapshot:
    """Describe what has happened to a job, which is as it is then."""
    path, counts = f"/v1/jobs/{job.id}", job.counts
    links = {"self": path, "results": f"{path}/results"}
    if job.layout:
        links["download"] = f"{path}/download"
    data: dict[str, Any] = {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "class": job.klass,
        "generation": job.generation,
        "items": job.items,
        "counts": {
            "succeeded": counts.succeeded,
            "failed": counts.failed,
            "cancelled": counts.cancelled,
            "reused": counts.reused,
        },
        "steps": [step.operation for step in job.steps],
        "project": job.inputs.get("id") if job.inputs.get("source") == "project" else None,
        "error": job.error or None,
        "created_at": rfc3339(job.created),
        "finished_at": None if job.finished is None else rfc3339(job.finished),
        "links": links,
    }
    return _event(type_, at, data, job.id, type_, job.generation)


def budget_event(type_: str, told: Mapping[str, Any], at: int) -> Snapshot:
    """Describe that a part of a month's budget is spent (`engine/asking/booking.py`)."""
    data: dict[str, Any] = {
        "id": told["scope"],
        "month": told["month"],
        "monthly": told["most"] / MICRO,
        "spent": told["spent"] / MICRO,
        "percent": told["percent"],
        "wanted": told["wanted"] / MICRO if told["wanted"] else None,
        "links": {"self": f"/v1/spending?month={told['month']}"},
    }
    return _event(type_, at, data, told["scope"], type_, told["month"], told["most"])


def _event(type_: str, at: int, data: dict[str, Any], *fact: str | int) -> Snapshot:
    head = {"id": event_id(at, *fact), "type": type_, "timestamp": rfc3339(at)}
    return checked({**head, "data": data})
