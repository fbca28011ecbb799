"""`mediamill tokens`: API tokens of the signed-in user."""

from typing import Any

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list
from mediamill.core.access import Scope


@click.group()
def tokens() -> None:
    """Create, list and revoke API tokens."""


@tokens.command()
@click.argument("name")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    help="How long it is good; default: until revoked, or as long as the token you use here.",
)
@click.option(
    "--scope", "scopes", multiple=True, metavar="SCOPE",
    type=click.Choice([one.value for one in Scope]),
    help="What it may do, as files:write; repeat for more. Default: all that you may.",
)  # fmt: skip
@json_option
@connected
def create(
    name: str, *, days: int | None, scopes: tuple[str, ...], as_json: bool, client: Client
) -> None:
    """Create a token called NAME and print its secret, which is shown this once."""
    body: Any = {"name": name, **({"expires_in_days": days} if days else {})}
    body |= {"scopes": [*scopes]} if scopes else {}
    issued = client.api.tokens.create(**body)
    if as_json:
        show(issued, as_json=True)
    else:
        click.echo(issued["token"])
        if not days and issued["expires_at"]:
            click.echo(f"It is good until {issued['expires_at']}.", err=True)


@tokens.command("list")
@json_option
@connected
def list_(*, as_json: bool, client: Client) -> None:
    """List your tokens, newest first: id, name, good until, last used, scopes."""
    rows = client.api.tokens.list()
    show_list(
        rows,
        lambda row: row["id"],
        lambda row: row.get("name"),
        lambda row: row.get("expires_at") or "until revoked",
        lambda row: row.get("used_at") or "not used",
        lambda row: "everything" if row.get("scopes") is None else " ".join(row["scopes"]),
        as_json=as_json,
    )


@tokens.command()
@click.argument("ids", nargs=-1, required=True, metavar="IDS…")
@connected
def revoke(ids: tuple[str, ...], *, client: Client) -> None:
    """End tokens at once."""
    for token_id in ids:
        client.api.tokens.revoke(token_id)
        click.echo(f"{token_id} is revoked.")
