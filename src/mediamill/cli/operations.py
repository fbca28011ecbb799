"""`mediamill operations`: what a server can do with files."""

from typing import Any

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list
from mediamill.cli.terminal.parameters import options


@click.command()
@click.argument("name", required=False)
@json_option
@connected
def operations(name: str | None, *, as_json: bool, client: Client) -> None:
    """Show what a server can do with files.

    Without NAME a list; with NAME the parameters of that operation.
    """
    if name is None:
        rows = client.get("/v1/operations")["data"]
        show_list(rows, lambda row: row["name"], lambda row: row["summary"], as_json=as_json)
        return
    operation = client.get(f"/v1/operations/{name}")
    if as_json:
        show(operation, as_json=True)
    else:
        click.echo(describe(operation))


def describe(operation: dict[str, Any]) -> str:
    """Write an operation's parameters as the help of a command."""
    command = click.Command(
        operation["name"],
        params=options(operation["schema"]),
        help=operation["summary"],
        add_help_option=False,
    )
    context = click.Context(command, info_name=f"mediamill jobs create {operation['name']}")
    accepted = ", ".join(operation.get("accepts") or ("any file",))
    return f"{command.get_help(context)}\n\nTakes {accepted}."
