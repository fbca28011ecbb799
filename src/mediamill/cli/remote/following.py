"""Wait for a job on a server, with a progress bar."""

import time
from typing import Any

from mediamill.cli.remote.client import Client
from mediamill.cli.terminal.failures import Unreachable
from mediamill.cli.terminal.progress import bar

TERMINAL = frozenset({"succeeded", "partial", "failed", "cancelled", "expired"})
PATIENCE_SECONDS = 60
"""How long a server that was there may be away, as when it is restarted."""
POLL_SECONDS = 1


def follow(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """Return the job once it has ended."""
    with bar() as progress:
        task = progress.add_task("Working", total=1.0, note="")
        away = 0.0
        while job["state"] not in TERMINAL:
            try:
                job = client.get(f"/v1/jobs/{job['id']}", wait=POLL_SECONDS)
                away = 0.0
            except Unreachable:
                away = away or time.monotonic()
                if time.monotonic() - away > PATIENCE_SECONDS:
                    raise
                time.sleep(POLL_SECONDS)
            progress.update(task, completed=_fraction(job), note=note_of(job))
    return job


def _fraction(job: dict[str, Any]) -> float:
    return float((job.get("progress") or {}).get("fraction") or 0)


def note_of(job: dict[str, Any]) -> str:
    """Say how far a job is, or how long its line."""
    place = job.get("progress", {}).get("queue_position")
    if place:
        more = " or more" if job["progress"].get("queue_position_capped") else ""
        return f"waiting, {place}{more} {'job' if place == 1 else 'jobs'} ahead"
    counts = job["counts"]
    done = counts["succeeded"] + counts["reused"]
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    return f"{done} of {job['items']} items{failed}"
