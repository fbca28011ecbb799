"""`mediamill webhooks`: where a server sends events."""

from typing import Any

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
        _state,
        lambda row: " ".join(row["types"]),
        lambda row: row["url"],
        as_json=as_json,
    )


def _state(row: dict[str, Any]) -> str:
    if not row["enabled"]:
        return f"off {row['reason'] or ''}".strip()
    since = row["failing_since"]
    return f"on, nothing taken since {since}" if since else "on"


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
@connected
def enable(webhook_id: str, *, client: Client) -> None:
    """Send events to a webhook that was disabled."""
    client.request("PATCH", f"/v1/webhooks/{webhook_id}", json={"enabled": True})
    click.echo(f"{webhook_id} is on.")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@connected
def disable(webhook_id: str, *, client: Client) -> None:
    """Send a webhook nothing more, until it is enabled; what is on its way ends."""
    client.request("PATCH", f"/v1/webhooks/{webhook_id}", json={"enabled": False})
    click.echo(f"{webhook_id} is off.")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, 168),
    default=24,
    show_default=True,
    help="How long deliveries are signed with the secret before too.",
)
@json_option
@connected
def rotate(webhook_id: str, *, overlap_hours: int, as_json: bool, client: Client) -> None:
    """Replace a webhook's secret; print the new one, which is shown this once."""
    body = {"overlap_hours": overlap_hours}
    made = client.request("POST", f"/v1/webhooks/{webhook_id}/rotate", json=body)
    if as_json:
        show(made, as_json=True)
    else:
        click.echo(made["secret"])


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.option("--type", "type_", default="webhook.test", help="Which event; a made-up one.")
@json_option
@connected
def test(webhook_id: str, *, type_: str, as_json: bool, client: Client) -> None:
    """Send an event to try a webhook; `deliveries` tells what became of it."""
    made = client.request("POST", f"/v1/webhooks/{webhook_id}/test", json={"type": type_})
    if as_json:
        show(made, as_json=True)
    else:
        click.echo(made["id"])


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.argument("events", nargs=-1, metavar="[EVENTS…]")
@click.option(
    "--failed-since", help="What failed since a time, 2026-11-21T16:00:00Z; the oldest 10,000."
)
@connected
def replay(
    webhook_id: str, *, events: tuple[str, ...], failed_since: str | None, client: Client
) -> None:
    """Send events again, with the same ids: those that are named, or all that failed since then."""
    if bool(events) == bool(failed_since):
        raise click.UsageError("Name events, or --failed-since.")
    if failed_since:
        body = {"since": failed_since}
        client.request("POST", f"/v1/webhooks/{webhook_id}/replay", json=body)
        click.echo(f"What failed since {failed_since} is sent again.")
    for event in events:
        client.request("POST", f"/v1/webhooks/{webhook_id}/deliveries/{event}/replay")
        click.echo(f"{event} is sent again.")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.option("--state", type=click.Choice(["pending", "delivered", "failed"]))
@click.option("--type", "type_", help="Events of this name only.")
@json_option
@connected
def deliveries(
    webhook_id: str, *, state: str | None, type_: str | None, as_json: bool, client: Client
) -> None:
    """List what became of the events for a webhook, newest event first."""
    query: dict[str, Any] = {"state": state, "type": type_}
    show_list(
        client.pages(f"/v1/webhooks/{webhook_id}/deliveries", **query),
        lambda row: row["id"],
        lambda row: row["type"],
        lambda row: row["state"],
        lambda row: f"{row['attempts']} tries",
        lambda row: row["status"] or "",
        lambda row: row["said"] or "",
        as_json=as_json,
    )
