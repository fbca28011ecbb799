"""Jobs: operations over files, submitted, followed and collected."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

from mediamill.client import routes
from mediamill.client.calling import Flow, Give, Read, Request, Rows
from mediamill.client.errors import Ended
from mediamill.client.following import Event, events, waiting
from mediamill.client.models import (
    AttemptView,
    ItemView,
    JobBody,
    JobView,
    LinkView,
    PlanView,
    ResultView,
)  # fmt: skip
from mediamill.client.resources.base import D, Resource, only, operation, sequence
from mediamill.client.resources.files import quiet
from mediamill.client.retrying import opening
from mediamill.client.saving import Saving
from mediamill.client.sources import Progress


def unheard(_job: JobView) -> None:
    """Report nothing."""


class Jobs(Resource[D]):
    """`client.jobs`: operations over files, run in the background."""

    @operation
    def submit(self, **job: Unpack[JobBody]) -> Flow[JobView]:
        """Submit a job: `files`, `project`, `archive` or `manifest`, and `steps` or a `template`.

        It is submitted once, whatever happens to the answer.
        """
        return self.calls.one(routes.submit_job, json=job)

    @operation
    def plan(self, **job: Unpack[JobBody]) -> Flow[PlanView]:
        """Tell what a job would be and cost, without submitting it."""
        return self.calls.one(routes.submit_job, json=job, query={"dry_run": "true"})

    @operation
    def get(self, job: str) -> Flow[JobView]:
        """Read a job with its progress: items, seconds left, place in line."""
        return self.calls.one(routes.get_job, job_id=job)

    @sequence
    def list(
        self,
        *,
        state: str | None = None,
        name: str | None = None,
        template: str | None = None,
        operation: str | None = None,
        project: str | None = None,
    ) -> Rows[JobView]:
        """Go through your jobs, newest first."""
        query = only(
            state=state, name=name, template=template, operation=operation, project=project
        )
        return self.calls.rows(routes.list_jobs, query)

    @operation
    def wait(
        self,
        job: str | JobView,
        *,
        timeout: float | None = None,
        progress: Callable[[JobView], None] = unheard,
        each: float = 2.0,
    ) -> Flow[JobView]:
        """Return a job when it has ended; `progress` is told of it every `each` seconds.

        A server that is away for less than a minute is waited for, whatever `retries` the client
        has. Raises `TimedOut` after `timeout` seconds; the job goes on.
        """
        return waiting(job, timeout, each, progress)

    @operation
    def run(
        self,
        *,
        timeout: float | None = None,
        progress: Callable[[JobView], None] = unheard,
        **job: Unpack[JobBody],
    ) -> Flow[JobView]:
        """Submit a job and wait for its end; raises `Ended` unless all items succeeded."""
        begun: JobView = yield from self.calls.one(routes.submit_job, json=job)
        done = yield from waiting(begun, timeout, 2.0, progress)
        if done["state"] != "succeeded":
            raise Ended(done)
        return done

    @sequence
    def events(self, job: str | None = None) -> Rows[Event]:
        """Give the events of a job until it ends, or those of all your jobs without end.

        Events are snapshots; a line that breaks is taken up behind the last.
        """
        return events(routes.watch_jobs.path if job is None else routes.watch_job.at(job_id=job))

    @operation
    def cancel(self, job: str) -> Flow[JobView]:
        """Cancel a job; what it has done stays."""
        return self.calls.one(routes.cancel_job, job_id=job)

    @operation
    def retry(
        self,
        job: str,
        *,
        only: Literal["failed", "cancelled", "unfinished"] = "unfinished",
        budget: float | None = None,
    ) -> Flow[JobView]:
        """Run items of a job that has ended again."""
        query: dict[str, Any] = {"only": only}
        if budget is not None:
            query["budget"] = budget
        return self.calls.one(routes.retry_job, query=query, job_id=job)

    @operation
    def delete(self, job: str, *, now: bool = False) -> Flow[None]:
        """Delete a job with its results; for a day it can be restored, unless `now`."""
        return self.calls.one(routes.delete_job, query={"now": now}, job_id=job)

    @operation
    def restore(self, job: str) -> Flow[JobView]:
        """Take a deletion back."""
        return self.calls.one(routes.restore_job, job_id=job)

    @sequence
    def items(self, job: str, *, state: str | None = None) -> Rows[ItemView]:
        """Go through the inputs of a job and what became of each."""
        return self.calls.rows(routes.list_items, only(state=state), job_id=job)

    @sequence
    def results(self, job: str, *, outlier: bool | None = None) -> Rows[ResultView]:
        """Go through the results of a job, page by page."""
        return self.calls.rows(routes.list_results, only(outlier=outlier), job_id=job)

    @sequence
    def stream_results(self, job: str) -> Rows[ResultView]:
        """Give the results of a job in one answer, as its workers write them."""
        here = routes.stream_results.at(job_id=job)
        request = Request("GET", here, headers={"Accept": "application/jsonl"})
        yield from opening(request, self.calls.retries)
        rest = b""
        while piece := (yield Read()):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line:
                    yield Give(json.loads(line))
        if rest:
            yield Give(json.loads(rest))

    @operation
    def download(
        self,
        job: str,
        target: str | Path = ".",
        *,
        progress: Progress = quiet,
        overwrite: bool = False,
    ) -> Flow[Path]:
        """Fetch all results of a job as one zip; return where it is.

        It goes on where it broke, in the next process too. Every member is checked against its
        CRC-32. Raises `FileExistsError`, `Busy` while another process fetches the same there, and
        `Corrupt`.
        """
        return Saving(
            routes.download_job.at(job_id=job), Path(target), self.calls.server,
            self.calls.retries, progress=progress, overwrite=overwrite, zip=True,
        ).run()  # fmt: skip

    @operation
    def link(self, job: str, *, expires_in: int | None = None) -> Flow[LinkView]:
        """Make a link to the zip of all results that anybody can download with, for some time."""
        return self.calls.one(routes.link_job, query=only(expires_in=expires_in), job_id=job)

    @sequence
    def attempts(
        self, job: str, *, item: int | None = None, stage: int | None = None
    ) -> Rows[AttemptView]:
        """Go through the model calls of a job and what each cost."""
        return self.calls.rows(routes.list_attempts, only(item=item, stage=stage), job_id=job)


class Prompts(Resource[D]):
    """`client.prompts`: questions to models about files."""

    @operation
    def ask(
        self,
        prompt: str,
        /,
        files: Sequence[str] = (),
        *,
        project: str | None = None,
        system: str = "",
        model: str | None = None,
        output_schema: dict[str, Any] | None = None,
        group: bool = False,
        **job: Any,
    ) -> Flow[JobView]:
        """Ask about each file, or with `group` about all together; more fields are the job's."""
        asked = only(
            prompt=prompt, system=system or None, model=model, output_schema=output_schema,
            group=group or None,
        )  # fmt: skip
        inputs = only(files=[*files] or None, project=project)
        return self.calls.one(routes.submit_job, json={**job, **inputs, "prompt": asked})

    @sequence
    def answers(self, job: str) -> Rows[tuple[ItemView, str | None]]:
        """Give each input with the text that was answered, None where there is none."""
        rows = self.calls.rows(routes.list_items, job_id=job)
        answer: Any = None
        while True:
            try:
                effect = rows.send(answer)
            except StopIteration:
                return
            if not isinstance(effect, Give):
                answer = yield effect
                continue
            item: ItemView = effect.value
            text = None
            if item["outputs"]:
                place = Request("GET", item["outputs"][0]["url"], {"direct": "false"})
                text = (yield from self.calls.send(routes.get_content, place)).text
            answer = yield Give((item, text))
