"""`mediamill projects import`: make images out of archives files of a project."""

from typing import Any

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show
from mediamill.cli.terminal.failures import DONE, SOME_FAILED, Failure
from mediamill.cli.terminal.progress import bar

WAIT = 2


@click.command("import")
@click.argument("project_id", metavar="ID")
@click.argument("source", metavar="SOURCE")
@click.option(
    "--members",
    multiple=True,
    metavar="PATTERN",
    help="Which members, as 'train/*.jpg'; may be given again.",
)
@click.option(
    "--folders",
    type=click.Choice(["none", "split", "split-and-class"]),
    default="split",
    help="What folders say [split].",
)
@json_option
@connected
@click.pass_context
def bring(
    ctx: click.Context,
    project_id: str,
    source: str,
    *,
    members: tuple[str, ...],
    folders: str,
    as_json: bool,
    client: Client,
) -> None:
    """Make images of SOURCE files of a project: a zip by its id, or a job and all its archives.

    What is refused is told, and the exit code is then 1; the others come in.
    """
    kind = "job" if source.startswith("job_") else "file"
    body: dict[str, Any] = {kind: source, "folders": folders}
    if members:
        body["members"] = list(members)
    task = client.request("POST", f"/v1/projects/{project_id}/import", json=body)
    with bar() as progress:
        shown = progress.add_task("Images", total=1.0, note="")
        while task["finished_at"] is None:
            task = client.get(task["links"]["self"], wait=WAIT)
            progress.update(shown, completed=task["progress"])
    if task["state"] != "succeeded":
        raise Failure(task["error"])
    outcome = task["outcome"]
    if as_json:
        show(outcome, as_json=True)
    else:
        for failure in outcome["failures"]:
            click.echo(f"{failure['path']}: {failure['error']}", err=True)
        click.echo(f"{outcome['taken']:,} taken, {outcome['failed']:,} refused")
    ctx.exit(SOME_FAILED if outcome["failed"] else DONE)
