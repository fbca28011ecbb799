"""`mediamill files rename | tag | delete | restore | trash`: what changes files on a server."""

from collections.abc import Iterator
from typing import Any

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list
from mediamill.cli.terminal.failures import DONE, SOME_FAILED

AT_ONCE = 1_000
"""Files that one request names."""

ids_argument = click.argument("ids", nargs=-1, required=True, metavar="IDS…")


@click.command()
@click.argument("file_id", metavar="ID")
@click.argument("name")
@json_option
@connected
def rename(file_id: str, name: str, *, as_json: bool, client: Client) -> None:
    """Give a file another name."""
    row = client.request("PATCH", f"/v1/files/{file_id}", json={"name": name})
    if as_json:
        show(row, as_json=True)
    else:
        click.echo(f"{file_id} is now called {row['name']}.")


@click.command()
@ids_argument
@click.option("--add", multiple=True, metavar="TAG", help="Tag to add; may be given often.")
@click.option("--remove", multiple=True, metavar="TAG", help="Tag to take away; likewise.")
@connected
@click.pass_context
def tag(
    ctx: click.Context,
    ids: tuple[str, ...],
    *,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    client: Client,
) -> None:
    """Add tags to files, and take some away."""
    if not add and not remove:
        raise click.UsageError("Give --add TAG or --remove TAG.")
    more = {"add": list(add), "remove": list(remove)}
    ctx.exit(_tell(_each(client, "tags", ids, **more), "is tagged"))


@click.command()
@ids_argument
@click.option("--now", is_flag=True, help="Without the 24 hours in which it can be undone.")
@connected
@click.pass_context
def delete(ctx: click.Context, ids: tuple[str, ...], *, now: bool, client: Client) -> None:
    """Delete files; for 24 hours `files restore` brings them back."""
    if not now:
        ctx.exit(_tell(_each(client, "delete", ids), "is deleted"))
    for file_id in ids:
        client.request("DELETE", f"/v1/files/{file_id}", params={"now": "true"})
        click.echo(f"{file_id} is deleted.")


@click.command()
@ids_argument
@connected
@click.pass_context
def restore(ctx: click.Context, ids: tuple[str, ...], *, client: Client) -> None:
    """Bring deleted files back."""
    ctx.exit(_tell(_each(client, "restore", ids), "is back"))


@click.command()
@click.option("--empty", is_flag=True, help="Remove all of it for good.")
@json_option
@connected
def trash(*, empty: bool, as_json: bool, client: Client) -> None:
    """List deleted files that can be brought back, and until when."""
    if empty:
        click.echo(f"{_emptied(client)} files are removed for good.")
        return
    show_list(
        client.pages("/v1/files", state="trashed"),
        lambda row: row["id"],
        lambda row: row["purge_at"],
        lambda row: row["name"],
        as_json=as_json,
    )


def _emptied(client: Client) -> int:
    count, more = 0, True
    while more:
        answer = client.request("DELETE", "/v1/trash")
        count, more = count + answer["removed"], answer["has_more"]
    return count


def _each(client: Client, what: str, ids: tuple[str, ...], **more: Any) -> Iterator[dict[str, Any]]:
    """Do something to files; yield what became of each."""
    for start in range(0, len(ids), AT_ONCE):
        body = {"files": list(ids[start : start + AT_ONCE]), **more}
        yield from client.request("POST", f"/v1/files/{what}", json=body)["data"]


def _tell(outcomes: Iterator[dict[str, Any]], done: str) -> int:
    """Say what became of each file; return the exit code."""
    failed = False
    for outcome in outcomes:
        failed = failed or not outcome["ok"]
        if outcome["ok"]:
            click.echo(f"{outcome['file']} {done}.")
        else:
            click.echo(f"{outcome['file']}: {outcome['error']}", err=True)
    return SOME_FAILED if failed else DONE


COMMANDS = (rename, tag, delete, restore, trash)
