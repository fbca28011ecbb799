"""What is shown of workers."""

from typing import Literal

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.services.workers import Seen
from mediamill.web.views.common import Count, Time, View


class WorkerView(View):
    """A process that takes jobs."""

    id: str = Field(examples=["worker_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    name: str = Field(examples=["mill-2-4711-8T2QGX"])
    host: str = Field(examples=["mill-2"])
    pid: Count
    version: str
    classes: list[str] = Field(description="Of which units it takes some.", examples=[["bulk"]])
    state: Literal["running", "draining", "drained", "lost"] = Field(
        description="`draining` takes no more and finishes what it has; `lost` was not heard of "
        "for a while, and others do what it had."
    )
    drain: bool = Field(description="Whether it is to take no more; it hears of it in seconds.")
    running: Count = Field(description="Units in its hands.")
    started_at: Time
    seen_at: Time


def worker_view(seen: Seen) -> WorkerView:
    row = seen.row
    return WorkerView(
        id=row.id,
        name=row.name,
        host=row.host,
        pid=row.pid,
        version=row.version,
        classes=list(row.classes),
        state="lost" if seen.lost else row.state.value,
        drain=row.drain,
        running=row.running,
        started_at=rfc3339(row.started),
        seen_at=rfc3339(row.seen),
    )
