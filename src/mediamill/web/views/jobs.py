"""Jobs as they look outside."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.services.jobs.progress import Progress
from mediamill.services.models.ledger import JobMoney
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.manifests import LONG_MEMBERS
from mediamill.web.views.common import Count, Fraction, Time, View, moment
from mediamill.web.views.spending import JobMoneyView, job_money_view


class StepView(View):
    operation: str = Field(examples=["extract-frames"])
    parameters: dict[str, Any]


class StepDoneView(StepView):
    """A step of a job, with what became known as it ran."""

    agreed: dict[str, Any] | None = Field(
        None, description="What it found over the whole set, for a step that looks at that first."
    )


class CountsView(View):
    succeeded: Count
    failed: Count
    cancelled: Count
    reused: Count


class ProgressView(View):
    fraction: Fraction
    running: Count
    pending: Count
    restoring: Count = Field(
        0, description="Of those pending: items that wait for a return from cold storage."
    )
    for_workers: Count = Field(
        0, description="Of those pending: items too long for a function, which wait for a worker."
    )
    seconds_left: float | None = Field(ge=0, description="Null while it cannot be told.")
    queue_position: Count | None = Field(
        None, description="How many jobs begin before this one; null once it has begun."
    )
    queue_position_capped: bool = Field(False, description="There may be more than that.")
    no_worker: bool = Field(
        False, description="Before it has begun: none of the workers of its class takes jobs now."
    )


class DownloadView(View):
    size: Count
    etag: str
    url: str


class InputsView(View):
    """Where a job's inputs come from."""

    source: str = Field(examples=["files", "project", "archive", "manifest", "replay"])
    id: str | None = Field(None, description="Of the project or the file; null for a list.")
    members: list[str] | None = Field(
        None, description="Patterns; of thousands of characters only the job itself tells them."
    )
    subset: str | None = None
    split: str | None = None


class MadeFromView(View):
    """The template that a job's steps were made from."""

    id: str
    version: Count


class NotifyView(View):
    """Who is told when a job has ended."""

    email: bool | None = Field(description="Null: as its owner wants it for all jobs.")


class JobView(View):
    id: str = Field(examples=["job_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    name: str
    state: str = Field(examples=["running", "succeeded"])
    klass: str = Field(serialization_alias="class", examples=["interactive", "bulk"])
    steps: list[StepDoneView]
    inputs: InputsView
    template: MadeFromView | None = None
    seed: int
    notify: NotifyView
    generation: int
    stage: Count = Field(0, description="Which of its stages runs, or ran last; from 0.")
    stages: Count = Field(1, description="Of how many.")
    items: Count
    counts: CountsView
    output_project: str | None = Field(None, description="The project that its results join.")
    joined: Count = Field(0, description="Result files that have joined it.")
    spending: JobMoneyView | None = Field(
        None, description="What its model calls have cost; null for a job that asks no models."
    )
    expired: Count = Field(
        0, description="Items whose input has expired: they are counted, and nothing else is left."
    )
    progress: ProgressView
    revision: int = Field(description="Grows with every change; the id of events.")
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    error: str
    download: DownloadView | None = Field(description="All results as one zip, once ended.")
    deleted_at: Time | None = Field(None, description="When it went to the trash.")
    links: dict[str, str]


def progress_view(progress: Progress) -> ProgressView:
    place = progress.place
    return ProgressView(
        fraction=round(progress.fraction, 4),
        running=progress.running,
        pending=progress.pending,
        restoring=progress.restoring,
        for_workers=progress.for_workers,
        seconds_left=progress.seconds_left,
        queue_position=place.ahead if place else None,
        queue_position_capped=place.capped if place else False,
        no_worker=place.deserted if place else False,
    )


def job_view(
    job: Job,
    progress: Progress,
    money: JobMoney | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> JobView:
    """Describe a job; `inputs` is what names its inputs, where that is more than its row holds."""
    named = {name: value for name, value in (inputs or job.inputs).items() if name != LONG_MEMBERS}
    here = f"/v1/jobs/{job.id}"
    counts = CountsView(
        succeeded=progress.succeeded,
        failed=progress.failed,
        cancelled=progress.cancelled,
        reused=progress.reused,
    )
    download = DownloadView(size=job.download_size, etag=job.download_etag, url=f"{here}/download")
    return JobView(
        id=job.id,
        name=job.name,
        state=job.state,
        klass=job.klass,
        steps=[StepDoneView(**step) for step in job.told()],
        inputs=InputsView(**{"source": "files", **named}),
        template=MadeFromView(id=job.template, version=job.template_version)
        if job.template
        else None,
        seed=job.seed,
        notify=NotifyView(email=job.mail),
        generation=job.generation,
        stage=job.stage,
        stages=job.stages,
        items=job.items,
        counts=counts,
        output_project=job.output_project or None,
        joined=job.joined,
        spending=job_money_view(money),
        expired=job.expired,
        progress=progress_view(progress),
        revision=job.revision,
        created_at=rfc3339(job.created),
        started_at=moment(job.started or progress.started),
        finished_at=moment(job.finished),
        error=job.error,
        download=download if job.layout else None,
        deleted_at=moment(job.deleted),
        links={name: f"{here}/{name}" for name in ("items", "results", "events")} | {"self": here},
    )
