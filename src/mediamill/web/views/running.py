"""What is shown of everybody's work."""

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.services.jobs.running import LOOKED_AT, Failure
from mediamill.store.repositories.backlog import Backlog
from mediamill.store.repositories.jobs import JobState
from mediamill.web.views.common import Count, Time, View, moment


class QueueView(View):
    """The units of one class."""

    name: str = Field(serialization_alias="class", examples=["bulk"])
    ready: Count = Field(description="Units that wait for somebody.")
    running: Count = Field(description="Units in somebody's hands.")
    more: bool = Field(description="Whether there are more than were counted.")
    waiting_since: Time | None = Field(
        description="Since when the oldest of those that wait could have been begun."
    )


class FailureView(View):
    """A job not all of which succeeded, without anything of its content."""

    job: str = Field(examples=["job_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    owner: str = Field(examples=["user_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    operations: list[str] = Field(examples=[["extract-frames", "caption"]])
    state: JobState = Field(examples=["partial"])
    failed: Count = Field(description="Items that failed, in all stages.")
    codes: dict[str, int] = Field(
        description=f"Error codes of the first {LOOKED_AT} of them; none where the job as a whole "
        "failed.",
        examples=[{"unreadable": 3}],
    )
    finished_at: Time | None


def queue_view(backlog: Backlog) -> QueueView:
    return QueueView(
        name=backlog.klass,
        ready=backlog.ready,
        running=backlog.running,
        more=backlog.capped,
        waiting_since=moment(backlog.since),
    )


def failure_view(failure: Failure) -> FailureView:
    job = failure.job
    return FailureView(
        job=job.id,
        owner=job.owner,
        operations=[step.operation for step in job.steps],
        state=job.state,
        failed=job.failed_earlier + job.counts.failed,
        codes=dict(failure.codes),
        finished_at=None if job.finished is None else rfc3339(job.finished),
    )
