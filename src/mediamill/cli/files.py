"""`mediamill files`: put files on a server, list, fetch and delete them."""

import click

from mediamill.cli.client import Client
from mediamill.cli.connection import connected, json_option, show, show_list, size_text
from mediamill.cli.failures import SOME_FAILED, Refused
from mediamill.cli.inputs import Input, gather
from mediamill.cli.progress import bar
from mediamill.cli.saving import fetch, place_of


@click.group()
def files() -> None:
    """Put files on a server, list, fetch and delete them."""


@files.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS…", type=click.Path(exists=True))
@json_option
@connected
@click.pass_context
def put(ctx: click.Context, paths: tuple[str, ...], *, as_json: bool, client: Client) -> None:
    """Upload files, and all files of folders; print the id and the name of each.

    A file that the server refuses is reported and the others go on.
    """
    inputs = gather(paths)
    failures = 0
    with bar(in_bytes=True) as progress:
        total = sum(item.path.stat().st_size for item in inputs)
        task = progress.add_task("Uploading", total=total)
        for item in inputs:
            try:
                row = client.put_file(
                    item.path, item.path.name, lambda n: progress.advance(task, n)
                )
            except Refused as refusal:
                _report(item, refusal)
                failures += 1
                continue
            show_list([row], lambda r: r["id"], lambda r: r["name"], as_json=as_json)
    ctx.exit(SOME_FAILED if failures else 0)


def _report(item: Input, refusal: Refused) -> None:
    """Say why a file was refused; a refusal that would meet every file ends the command."""
    if refusal.status in (401, 403, 507):
        raise refusal
    click.echo(f"{item.path}: {refusal.message}", err=True)


@files.command("list")
@json_option
@connected
def list_(*, as_json: bool, client: Client) -> None:
    """List your files, newest first."""
    show_list(
        client.pages("/v1/files"),
        lambda row: row["id"],
        lambda row: row["media_type"],
        lambda row: size_text(row["size"]),
        lambda row: row["name"],
        as_json=as_json,
    )


@files.command("show")
@click.argument("file_id", metavar="ID")
@json_option
@connected
def show_(file_id: str, *, as_json: bool, client: Client) -> None:
    """Show what is known of one file."""
    show(client.get(f"/v1/files/{file_id}"), as_json=as_json)


@files.command()
@click.argument("file_id", metavar="ID")
@click.option("-o", "--output", type=click.Path(), help="File or folder; default: its own name.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@connected
def get(file_id: str, *, output: str | None, overwrite: bool, client: Client) -> None:
    """Fetch a file's bytes, also those of a result."""
    target = place_of(output)
    click.echo(fetch(client, f"/v1/files/{file_id}/content", target, overwrite=overwrite))


@files.command()
@click.argument("ids", nargs=-1, required=True, metavar="IDS…")
@click.option("--now", is_flag=True, help="Without the 24 hours in which it can be undone.")
@connected
def delete(ids: tuple[str, ...], *, now: bool, client: Client) -> None:
    """Delete files."""
    for file_id in ids:
        query = {"now": "true"} if now else {}
        client.request("DELETE", f"/v1/files/{file_id}", params=query)
        click.echo(f"{file_id} is deleted.")
