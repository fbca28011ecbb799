"""Wait for a job on a server, with a progress bar."""

from collections.abc import Mapping
from typing import Any, cast

from mediamill.cli.remote.client import Client
from mediamill.cli.terminal.progress import bar
from mediamill.client.following import TERMINAL
from mediamill.client.models import JobView

__all__ = ["TERMINAL", "follow", "note_of"]

POLL_SECONDS = 1


def follow(client: Client, job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job once it has ended."""
    with bar() as progress:
        task = progress.add_task("Working", total=1.0, note="")

        def show(seen: JobView) -> None:
            progress.update(task, completed=_fraction(seen), note=note_of(seen))

        return {**client.api.jobs.wait(cast("JobView", job), each=POLL_SECONDS, progress=show)}


def _fraction(job: Mapping[str, Any]) -> float:
    return float((job.get("progress") or {}).get("fraction") or 0)


def note_of(job: Mapping[str, Any]) -> str:
    """Say how far a job is, or how long its line."""
    place = job.get("progress", {}).get("queue_position")
    if place:
        more = " or more" if job["progress"].get("queue_position_capped") else ""
        return f"waiting, {place}{more} {'job' if place == 1 else 'jobs'} ahead"
    counts = job["counts"]
    done = counts["succeeded"] + counts["reused"]
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    return f"{done} of {job['items']} items{failed}"
