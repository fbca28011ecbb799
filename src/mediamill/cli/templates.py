"""`mediamill templates`: steps with variables, kept on a server under a name."""

from pathlib import Path
from urllib.parse import quote

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list
from mediamill.cli.submit import read_json
from mediamill.cli.terminal.failures import Failure, Refused


@click.group()
def templates() -> None:
    """Keep steps with variables under a name, for `mediamill jobs submit --template`."""


@templates.command("list")
@click.option(
    "--of",
    type=click.Choice(("shared", "everybody")),
    help="Those of others that are shared with you, or with everybody.",
)
@click.option("--operation", metavar="NAME", help="Only those that have such a step.")
@json_option
@connected
def list_(*, of: str | None, operation: str | None, as_json: bool, client: Client) -> None:
    """List your templates, newest first."""
    show_list(
        client.pages("/v1/templates", state=of, operation=operation),
        lambda row: row["id"],
        lambda row: f"version {row['version']}",
        lambda row: row["name"],
        lambda row: ", ".join(row["variables"]),
        lambda row: "" if row["role"] == "owner" else f"{row['role']}, by {row['by']}",
        as_json=as_json,
    )


@templates.command("show")
@click.argument("template", metavar="NAME")
@click.option("--versions", is_flag=True, help="Every version, newest first.")
@json_option
@connected
def show_(template: str, *, versions: bool, as_json: bool, client: Client) -> None:
    """Show a template, by name or id."""
    if versions:
        show_list(
            client.pages(f"/v1/templates/{quote(template)}/versions"),
            lambda row: row["version"],
            lambda row: row["created_at"],
            lambda row: ", ".join(step["operation"] for step in row["steps"]),
            as_json=as_json,
        )
    else:
        show(client.get(f"/v1/templates/{quote(template)}"), as_json=as_json)


@templates.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--name", help="Its name; default: the one in the file.")
@json_option
@connected
def save(file: Path, *, name: str | None, as_json: bool, client: Client) -> None:
    """Save a template from FILE: JSON with name, steps and variables.

    One that has this name already gets its next version.
    """
    body = read_json(file)
    if not isinstance(body, dict) or not (name or body.get("name")):
        raise Failure(f"{file} holds no template: an object with name and steps is needed.")
    known = ("name", "description", "steps", "variables")
    body = {key: body[key] for key in known if key in body} | ({"name": name} if name else {})
    saved = _save(client, body)
    if as_json:
        show(saved, as_json=True)
    else:
        click.echo(f"{saved['id']}\tversion {saved['version']}\t{saved['name']}")


def _save(client: Client, body: dict[str, object]) -> dict[str, object]:
    """Change the template of this name, or make it."""
    try:
        there = client.get(f"/v1/templates/{quote(str(body['name']))}")
    except Refused as refusal:
        if refusal.status != 404:
            raise
        return dict(client.request("POST", "/v1/templates", json=body))
    return dict(client.request("PATCH", f"/v1/templates/{there['id']}", json=body))


@templates.command()
@click.argument("names", nargs=-1, required=True, metavar="NAMES…")
@connected
def delete(names: tuple[str, ...], *, client: Client) -> None:
    """Delete templates; jobs that were made from them keep their steps."""
    for name in names:
        client.request("DELETE", f"/v1/templates/{quote(name)}")
        click.echo(f"{name} is deleted.")


@templates.command()
@click.argument("template", metavar="NAME")
@click.argument("user", metavar="USER")
@click.option(
    "--role", type=click.Choice(("viewer", "editor")), default="viewer", help="What they may."
)
@connected
def share(template: str, user: str, *, role: str, client: Client) -> None:
    """Share a template with USER: an e-mail address, an id, or everybody.

    A viewer sees and uses it, an editor changes it too. Given again it changes the role.
    """
    body = {"user": user, "role": role}
    made = client.request("POST", f"/v1/templates/{quote(template)}/shares", json=body)
    click.echo(f"{made['email'] or made['user']} may see {template} as {made['role']}.")


@templates.command()
@click.argument("template", metavar="NAME")
@json_option
@connected
def shares(template: str, *, as_json: bool, client: Client) -> None:
    """List with whom a template of yours is shared."""
    show_list(
        client.pages(f"/v1/templates/{quote(template)}/shares"),
        lambda row: row["user"],
        lambda row: row["role"],
        lambda row: row["email"],
        as_json=as_json,
    )


@templates.command()
@click.argument("template", metavar="NAME")
@click.argument("user", metavar="USER_ID")
@connected
def unshare(template: str, user: str, *, client: Client) -> None:
    """Take the share of USER_ID, or of everybody, back; it ends at once."""
    client.request("DELETE", f"/v1/templates/{quote(template)}/shares/{quote(user)}")
    click.echo(f"{user} sees {template} no more.")
