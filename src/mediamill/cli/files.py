"""`mediamill files`: put files on a server, list, fetch and delete them."""

import click

from mediamill.cli.filing import COMMANDS
from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list, size_text
from mediamill.cli.remote.home import load_settings
from mediamill.cli.terminal.failures import SOME_FAILED, Refused
from mediamill.cli.terminal.inputs import Input, gather
from mediamill.cli.terminal.progress import bar
from mediamill.cli.transfer.putting import put as put_file
from mediamill.cli.transfer.saving import fetch, place_of


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
                row = put_file(client, item.path, lambda n: progress.advance(task, n))
            except Refused as refusal:
                _report(item, refusal)
                failures += 1
                continue
            show_list([row], lambda r: r["id"], lambda r: r["name"], as_json=as_json)
    ctx.exit(SOME_FAILED if failures else 0)


@files.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS…", type=click.Path(exists=True))
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag for each; repeatable.")
@click.option("--project", default="", metavar="ID", help="Project that the files join.")
@click.option(
    "--folder-tags/--no-folder-tags",
    default=True,
    help="Tag a file with folder:… for where it stood below PATHS.",
)
@click.option("--follow-links", is_flag=True, help="Take files and folders behind links too.")
@click.option("--parallel", type=click.IntRange(1, 32), default=4, help="Files at a time [4].")
@json_option
@connected
@click.pass_context
def push(
    ctx: click.Context,
    paths: tuple[str, ...],
    *,
    tags: tuple[str, ...],
    project: str,
    folder_tags: bool,
    follow_links: bool,
    parallel: int,
    as_json: bool,
    client: Client,
) -> None:
    """Upload all files of folders that the server does not have yet; print each one’s id and path.

    Run again it goes on where it stopped. Hidden files and links are left out. Large files are
    resumed wherever a connection breaks. A file that the server refuses is reported at the end and
    the others go on; the exit code is then 1.
    """
    from mediamill.cli.transfer.pushed import Memory
    from mediamill.cli.transfer.pushing import Options, Push, checked, walk

    found = checked(walk(paths, follow=follow_links), paths)
    options = Options(tags, project, folder_tags)
    with Memory(load_settings().home) as memory, bar(in_bytes=True) as progress:
        pushing = Push(client, memory, options, progress, parallel=parallel, as_json=as_json)
        try:
            pushing.run(found)
        finally:
            pushing.summary()
    ctx.exit(SOME_FAILED if pushing.counts["refused"] else 0)


def _report(item: Input, refusal: Refused) -> None:
    """Say why a file was refused; a refusal that would meet every file ends the command."""
    if refusal.status in (401, 403, 507):
        raise refusal
    click.echo(f"{item.path}: {refusal.message}", err=True)


@files.command("list")
@click.option("--type", help="Only of a media type, or a kind such as `image/*`.")
@click.option("--tag", help="Only with this tag.")
@click.option("--name", metavar="PART", help="Only with this in their name, in whatever case.")
@click.option("--source", help="Only from: upload, import, stream.")
@click.option("--project", metavar="ID", help="Only of this project.")
@click.option("--state", help="Only in this state: receiving, checking, ready, rejected, trashed.")
@click.option("--sha256", help="Only with these bytes.")
@json_option
@connected
def list_(*, as_json: bool, client: Client, **conditions: str | None) -> None:
    """List your files, newest first, all or those that fulfil every condition."""
    show_list(
        client.api.files.list(**conditions),
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
    show(client.api.files.get(file_id), as_json=as_json)


@files.command()
@click.argument("file_id", metavar="ID")
@click.option("-o", "--output", type=click.Path(), help="File or folder; default: its own name.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@connected
def get(file_id: str, *, output: str | None, overwrite: bool, client: Client) -> None:
    """Fetch a file's bytes, also those of a result."""
    target = place_of(output)
    click.echo(fetch(client, f"/v1/files/{file_id}/content", target, overwrite=overwrite))


for command in COMMANDS:
    files.add_command(command)
