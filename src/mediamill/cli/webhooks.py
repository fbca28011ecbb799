"""`mediamill webhooks`: where a server sends events."""

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list


@click.group()
def webhooks() -> None:
    """Have events sent to addresses of yours, signed."""


@webhooks.command()
@click.argument("url")
@click.option(
    "--type",
    "types",
    multiple=True,
    help="Events to send: *, job.*, file.* or one by name; again for more. Default: all.",
)
@click.option("--description", default="", help="What it is for.")
@json_option
@connected
def add(
    url: str, *, types: tuple[str, ...], description: str, as_json: bool, client: Client
) -> None:
    """Have events sent to URL; print the webhook's id and its secret, which is shown this once."""
    body = {"url": url, "types": list(types) or ["*"], "description": description}
    made = client.request("POST", "/v1/webhooks", json=body)
    if as_json:
        show(made, as_json=True)
    else:
        click.echo(f"{made['id']}\t{made['secret']}")


@webhooks.command("list")
@json_option
@connected
def list_(*, as_json: bool, client: Client) -> None:
    """List your webhooks, oldest first."""
    show_list(
        client.pages("/v1/webhooks"),
        lambda row: row["id"],
        lambda row: "on" if row["enabled"] else f"off {row['reason'] or ''}".strip(),
        lambda row: " ".join(row["types"]),
        lambda row: row["url"],
        as_json=as_json,
    )


@webhooks.command()
@click.argument("ids", nargs=-1, required=True, metavar="IDS…")
@connected
def remove(ids: tuple[str, ...], *, client: Client) -> None:
    """Remove webhooks; what is on its way to them ends."""
    for webhook_id in ids:
        client.request("DELETE", f"/v1/webhooks/{webhook_id}")
        click.echo(f"{webhook_id} is removed.")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@json_option
@connected
def test(webhook_id: str, *, as_json: bool, client: Client) -> None:
    """Send an event to try a webhook; `deliveries` tells what became of it."""
    made = client.request("POST", f"/v1/webhooks/{webhook_id}/test")
    if as_json:
        show(made, as_json=True)
    else:
        click.echo(made["id"])


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@json_option
@connected
def deliveries(webhook_id: str, *, as_json: bool, client: Client) -> None:
    """List what became of the events for a webhook, newest first."""
    show_list(
        client.pages(f"/v1/webhooks/{webhook_id}/deliveries"),
        lambda row: row["id"],
        lambda row: row["type"],
        lambda row: row["state"],
        lambda row: f"{row['attempts']} tries",
        lambda row: row["status"] or "",
        lambda row: row["said"] or "",
        as_json=as_json,
    )
