"""Show the events of jobs on a server."""

from mediamill.cli.remote.following import note_of
from mediamill.client import Event


def line_of(event: Event) -> str:
    """Write an event for people: id, state, percent, what is done."""
    job = event.data
    if event.kind != "job":
        return f"{job.get('id', '')}\tdeleted"
    percent = f"{100 * float(job['progress']['fraction']):.0f} %"
    return "\t".join((job["id"], job["state"], percent, note_of(job), job.get("name") or ""))
