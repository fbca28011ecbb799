"""The mail about the end of a job: what came of it, why not of the rest, and where to see it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mediamill.adapters.mail.port import Letter
from mediamill.engine.outcomes import Outcome
from mediamill.letters.paper import Paper
from mediamill.letters.wording import counted, shown, took
from mediamill.store.repositories.jobs import Job, JobState, Manifests
from mediamill.store.repositories.projects import Projects
from mediamill.store.repositories.results import ItemOutcome, Results

FAILURES = 5
"""Failed items whose reasons a mail tells."""
NAME, REASON = 80, 300

VERDICTS = {
    JobState.SUCCEEDED: "done",
    JobState.PARTIAL: "done in part",
    JobState.FAILED: "failed",
}
ADVICE = {
    JobState.SUCCEEDED: "See the results, and download them:",
    JobState.PARTIAL: "See the results and every failure, and run what failed again:",
    JobState.FAILED: "See every failure, and run what failed again once the cause is mended:",
}


@dataclass(frozen=True)
class Failed:
    """An item that failed, and why."""

    name: str
    reason: str


@dataclass
class JobLetters:
    """Writes mails about jobs."""

    manifests: Manifests
    results: Results
    projects: Projects
    public: str
    """The address that users see, without a slash at its end."""
    unsubscribe: Callable[[str], Awaitable[str]]
    """Gives the address by which a user wants no more mails."""

    async def write(self, to: str, job: Job, outcome: Outcome, generation: int) -> Letter:
        """Write to an address what became of a generation of a job."""
        title = await self._title(job)
        what = shown(" → ".join(step.operation for step in job.steps), NAME)
        subject = f"{title}: {what} {_ending(outcome)}"
        told = {
            **await self._told(job, outcome),
            "title": title,
            "what": what,
            "job_url": f"{self.public}/jobs/{job.id}",
        }
        paper = Paper(self.public, await self.unsubscribe(job.owner))
        key = f"{job.id}.{generation}"
        return paper.letter("job", to, subject, told, key, outcome.finished)

    async def _title(self, job: Job) -> str:
        """Return what the owner knows the job by: its name, its project's, its first file's."""
        if job.name:
            return shown(job.name, NAME)
        if job.inputs.get("source") == "project":
            project = await self.projects.get(job.inputs["id"])
            if project is not None:
                return shown(project.name, NAME)
        first = await self.manifests.at(job.id, 0, [0]) if job.noted()[0].items else {}
        more = job.noted()[0].items - 1
        name = shown(first[0].path or first[0].name, NAME) if first else ""
        return f"{name or job.id}{f' and {more:,} more' if more > 0 else ''}"

    async def _told(self, job: Job, outcome: Outcome) -> dict[str, Any]:
        page = await self.results.with_outcome(job.id, ItemOutcome.FAILED, limit=FAILURES)
        rows = [row for row in page.rows if not row.expired]
        failures = [_failed(row.name, row.path, row.error) for row in rows]
        failed = outcome.failed
        return {
            "state": outcome.state,
            "verdict": VERDICTS[outcome.state],
            "counts": _counts(outcome),
            "took": took(outcome.seconds) if outcome.seconds else "",
            "error": shown(outcome.error, REASON),
            "failures": failures if failed else [],
            "more": max(0, failed - len(failures)),
            "advice": ADVICE[outcome.state],
        }


def _failed(name: str, path: str, reason: str) -> Failed:
    return Failed(shown(path or name, NAME), shown(reason, REASON))


def _ending(outcome: Outcome) -> str:
    if outcome.state is JobState.PARTIAL and outcome.failed:
        return f"is done, {outcome.failed:,} of {outcome.items:,} failed"
    return "failed" if outcome.state is JobState.FAILED else f"is {VERDICTS[outcome.state]}"


def _counts(outcome: Outcome) -> str:
    if outcome.state is JobState.SUCCEEDED:
        return f"{counted(outcome.succeeded, 'item')} done."
    parts = [f"{outcome.succeeded:,} of {counted(outcome.items, 'item')} done"]
    parts += [f"{outcome.failed:,} failed"] if outcome.failed else []
    parts += [f"{outcome.counts.cancelled:,} cancelled"] if outcome.counts.cancelled else []
    return f"{', '.join(parts)}."
