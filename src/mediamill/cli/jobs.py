"""`mediamill jobs`: create jobs on a server, follow and collect them."""

import json
from typing import Any

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list
from mediamill.cli.remote.following import TERMINAL
from mediamill.cli.remote.watching import line_of
from mediamill.cli.spending import money
from mediamill.cli.submit import budget_option, notify_option, submit, told
from mediamill.cli.terminal.ending import finish
from mediamill.cli.terminal.parameters import options, parameters
from mediamill.cli.transfer.saving import fetch, place_of

wait_option = click.option("--wait", is_flag=True, help="Wait until the job has ended.")


@click.group()
def jobs() -> None:
    """Create jobs on a server, follow and collect them."""


@jobs.command(context_settings={"ignore_unknown_options": True})
@click.argument("operation")
@click.argument("rest", nargs=-1, type=click.UNPROCESSED, metavar="FILE_IDS… [--PARAMETER VALUE]…")
@click.option("--name", help="Name of the job and of its download.")
@click.option("--seed", type=click.INT, help="Seed of everything that is drawn.")
@budget_option
@notify_option
@wait_option
@json_option
@connected
def create(operation: str, rest: tuple[str, ...], **given: Any) -> None:
    """Run OPERATION over files on the server; print the job's id.

    The parameters of an operation are options here; `mediamill operations NAME` lists them.
    With --wait the exit code is 1 when some items failed.
    """
    ctx, client = click.get_current_context(), given["client"]
    schema = client.api.operations.get(operation)["schema"]
    ids, chosen = _split(ctx, operation, schema, rest)
    body: dict[str, Any] = {
        "files": ids,
        "steps": [{"operation": operation, "parameters": chosen}],
        **{key: given[key] for key in ("name", "seed", "budget") if given[key] is not None},
        **told(given["notify"]),
    }
    job = client.api.jobs.submit(**body)
    finish(ctx, client, job, wait=given["wait"], as_json=given["as_json"])


def _split(
    ctx: click.Context, operation: str, schema: dict[str, Any], rest: tuple[str, ...]
) -> tuple[list[str], dict[str, Any]]:
    """Tell file ids from the operation's parameters, and check the latter."""
    files = click.Argument(["mediamill_files"], nargs=-1, required=True, metavar="FILE_IDS…")
    command = click.Command(operation, params=[files, *options(schema)], add_help_option=False)
    with command.make_context(operation, list(rest), parent=ctx) as inner:
        ids = list(inner.params.pop("mediamill_files"))
        return ids, parameters(schema, inner.params)


jobs.add_command(submit)


@jobs.command("list")
@json_option
@connected
def list_(*, as_json: bool, client: Client) -> None:
    """List your jobs, newest first."""
    show_list(
        client.api.jobs.list(),
        lambda row: row["id"],
        lambda row: row["state"],
        lambda row: f"{row['items']} items",
        lambda row: ", ".join(step["operation"] for step in row["steps"]),
        lambda row: row.get("name"),
        as_json=as_json,
    )


@jobs.command("show")
@click.argument("job_id", metavar="ID")
@wait_option
@json_option
@connected
@click.pass_context
def show_(ctx: click.Context, job_id: str, *, wait: bool, as_json: bool, client: Client) -> None:
    """Show one job."""
    job = client.api.jobs.get(job_id)
    if wait:
        finish(ctx, client, job, wait=True, as_json=as_json)
    else:
        show(job, as_json=as_json)


@jobs.command()
@click.argument("job_id", metavar="[ID]", required=False)
@json_option
@connected
def watch(job_id: str | None, *, as_json: bool, client: Client) -> None:
    """Follow one job until it has ended, or all of them until you press Ctrl-C."""
    for event in client.api.jobs.events(job_id or None):
        if as_json:
            click.echo(json.dumps({"event": event.kind, **event.data}, ensure_ascii=False))
        else:
            click.echo(line_of(event))
        if job_id and event.data.get("state") in TERMINAL:
            return


@jobs.command()
@click.argument("job_id", metavar="ID")
@click.option("--now", is_flag=True, help="Remove its results without the day to undo.")
@connected
def delete(job_id: str, *, now: bool, client: Client) -> None:
    """Delete a job and its results; for a day `restore` brings it back."""
    client.api.jobs.delete(job_id, now=now)


@jobs.command()
@click.argument("job_id", metavar="ID")
@connected
def restore(job_id: str, *, client: Client) -> None:
    """Bring a deleted job back."""
    job = client.api.jobs.restore(job_id)
    click.echo(f"{job['id']}\t{job['state']}")


@jobs.command()
@click.argument("job_id", metavar="ID")
@connected
def cancel(job_id: str, *, client: Client) -> None:
    """Stop a job; what is finished stays."""
    job = client.api.jobs.cancel(job_id)
    click.echo(f"{job['id']}\t{job['state']}")


@jobs.command()
@click.argument("job_id", metavar="ID")
@click.option(
    "--only",
    type=click.Choice(("failed", "cancelled", "unfinished")),
    default="unfinished",
    show_default=True,
    help="Which items; unfinished is both others.",
)
@budget_option
@wait_option
@json_option
@connected
def retry(job_id: str, *, only: Any, client: Client, **given: Any) -> None:
    """Run the failed or cancelled items of a job again.

    --budget is another one for all its model calls, those before included.
    """
    job = client.api.jobs.retry(job_id, only=only, budget=given["budget"])
    ctx = click.get_current_context()
    finish(ctx, client, job, wait=given["wait"], as_json=given["as_json"])


@jobs.command()
@click.argument("job_id", metavar="ID")
@click.option("--state", help="Only those in this state, such as failed.")
@json_option
@connected
def items(job_id: str, *, state: str | None, as_json: bool, client: Client) -> None:
    """List what became of each input of a job."""
    show_list(
        client.api.jobs.items(job_id, state=state),
        lambda row: row["index"],
        lambda row: row["state"],
        lambda row: row["name"],
        lambda row: row.get("error"),
        as_json=as_json,
    )


@jobs.command()
@click.argument("job_id", metavar="ID")
@click.option("--item", type=click.IntRange(0), help="Only those of this item, by its index.")
@click.option("--stage", type=click.IntRange(0), default=0, help="The stage of that item.")
@json_option
@connected
def attempts(job_id: str, *, item: int | None, stage: int, as_json: bool, client: Client) -> None:
    """List every model call of a job, and why others were asked.

    Columns: stage and item, question, provider, what became of it, milliseconds, cost, why.
    """
    of = None if item is None else stage
    show_list(
        client.api.jobs.attempts(job_id, item=item, stage=of),
        lambda row: f"{row['stage']}.{row['item']}",
        lambda row: row["question"],
        lambda row: row["provider"],
        lambda row: row["state"],
        lambda row: row["milliseconds"],
        lambda row: money(row["cost"]),
        lambda row: row["error"],
        as_json=as_json,
    )


@jobs.command()
@click.argument("job_id", metavar="ID")
@json_option
@connected
def results(job_id: str, *, as_json: bool, client: Client) -> None:
    """List the files and the data that a job made."""
    show_list(
        client.api.jobs.results(job_id),
        lambda row: " ".join(file["id"] for file in row.get("files") or ()),
        lambda row: " ".join(file["name"] for file in row.get("files") or ()),
        lambda row: row.get("data"),
        as_json=as_json,
    )


@jobs.command()
@click.argument("job_id", metavar="ID")
@click.option("-o", "--output", type=click.Path(), help="File or folder; default: its own name.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@connected
def download(job_id: str, *, output: str | None, overwrite: bool, client: Client) -> None:
    """Fetch all results of a job as one zip."""
    target = place_of(output)
    click.echo(fetch(client, f"/v1/jobs/{job_id}/download", target, overwrite=overwrite))
