"""What a command that began a job says in the end."""

from collections.abc import Mapping
from typing import Any

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import show
from mediamill.cli.remote.following import follow
from mediamill.cli.terminal.failures import SOME_FAILED


def finish(
    ctx: click.Context, client: Client, job: Mapping[str, Any], *, wait: bool, as_json: bool
) -> None:
    """Print a job, after its end if so wished; exit with 1 when not everything succeeded."""
    if wait:
        job = follow(client, job)
    if as_json:
        show(job, as_json=True)
    else:
        click.echo(f"{job['id']}\t{job['state']}" if wait else job["id"])
    if wait and job["state"] != "succeeded":
        click.echo(_why(job), err=True)
        ctx.exit(SOME_FAILED)


def _why(job: Mapping[str, Any]) -> str:
    counts = job["counts"]
    failed = f"{counts['failed']} of {job['items']} items failed, {counts['cancelled']} cancelled."
    remedy = f"See `mediamill jobs items {job['id']} --state failed`."
    return f"The job {job['id']} is {job['state']}: {job.get('error') or failed}\n{remedy}"
