"""`mediamill projects`: named sets of files on a server."""

import click

from mediamill.cli.annotating import annotate
from mediamill.cli.datasets import COMMANDS
from mediamill.cli.project_import import bring
from mediamill.cli.project_retention import retention
from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list, size_text

AT_ONCE = 1_000
"""Files that one request adds."""


@click.group()
def projects() -> None:
    """Keep files together in named sets."""


@projects.command("list")
@json_option
@connected
def list_(*, as_json: bool, client: Client) -> None:
    """List your projects, newest first."""
    show_list(
        client.pages("/v1/projects"),
        lambda row: row["id"],
        lambda row: f"{row['files']} files",
        lambda row: row["name"],
        as_json=as_json,
    )


@projects.command()
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@json_option
@connected
def create(name: str, *, description: str, as_json: bool, client: Client) -> None:
    """Create an empty project called NAME; print its id."""
    body = {"name": name, "description": description}
    project = client.request("POST", "/v1/projects", json=body)
    if as_json:
        show(project, as_json=True)
    else:
        click.echo(project["id"])


@projects.command()
@click.argument("project_id", metavar="ID")
@click.argument("files", nargs=-1, required=True, metavar="FILE_IDS…")
@connected
def add(project_id: str, files: tuple[str, ...], *, client: Client) -> None:
    """Add files, uploaded ones or results, to a project."""
    added = 0
    for start in range(0, len(files), AT_ONCE):
        body = {"files": list(files[start : start + AT_ONCE])}
        answer = client.request("POST", f"/v1/projects/{project_id}/files", json=body)
        added += int(answer["added"])
    click.echo(f"{added} of {len(files)} files joined {project_id}.")


@projects.command("files")
@click.argument("project_id", metavar="ID")
@json_option
@connected
def files_(project_id: str, *, as_json: bool, client: Client) -> None:
    """List the files of a project, oldest first."""
    show_list(
        client.pages(f"/v1/projects/{project_id}/files"),
        lambda row: row["id"],
        lambda row: row["media_type"],
        lambda row: size_text(row["size"]),
        lambda row: row["name"],
        as_json=as_json,
    )


@projects.command()
@click.argument("project_id", metavar="ID")
@click.argument("files", nargs=-1, required=True, metavar="FILE_IDS…")
@connected
def remove(project_id: str, files: tuple[str, ...], *, client: Client) -> None:
    """Take files out of a project; the files themselves stay."""
    removed = 0
    for start in range(0, len(files), AT_ONCE):
        body = {"files": list(files[start : start + AT_ONCE])}
        answer = client.request("DELETE", f"/v1/projects/{project_id}/files", json=body)
        removed += int(answer["removed"])
    click.echo(f"{removed} of {len(files)} files left {project_id}.")


@projects.command()
@click.argument("ids", nargs=-1, required=True, metavar="IDS…")
@connected
def delete(ids: tuple[str, ...], *, client: Client) -> None:
    """Delete projects; their files stay, and for a day `restore` brings them back."""
    for project_id in ids:
        client.request("DELETE", f"/v1/projects/{project_id}")
        click.echo(f"{project_id} is deleted; its files stay.")


@projects.command()
@click.argument("ids", nargs=-1, required=True, metavar="IDS…")
@connected
def restore(ids: tuple[str, ...], *, client: Client) -> None:
    """Bring deleted projects back, with their members."""
    for project_id in ids:
        client.request("POST", f"/v1/projects/{project_id}/restore")
        click.echo(f"{project_id} is back.")


for command in (*COMMANDS, annotate, bring, retention):
    projects.add_command(command)
