"""`mediamill providers`: who answers model calls on a server; for administrators."""

from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list
from mediamill.cli.spending import money

RATES = ("input", "output", "image", "call", "second", "batch")
PROMPT = "-"


@click.group()
def providers() -> None:
    """Set up who answers captions, labels and prompts on a server; for administrators."""


@providers.command("list")
@json_option
@connected
def list_(*, as_json: bool, client: Client) -> None:
    """List providers: name, how it does, address, chains that ask it, what is wrong."""
    show_list(
        client.pages("/v1/providers"),
        lambda row: row["name"],
        lambda row: row["health"]["state"],
        lambda row: row["address"],
        lambda row: " ".join(row["chains"]),
        lambda row: row["health"]["problem"] or row["health"]["error"],
        as_json=as_json,
    )


@providers.command("show")
@click.argument("name")
@json_option
@connected
def show_(name: str, *, as_json: bool, client: Client) -> None:
    """Show one provider, without its key."""
    show(client.get(_at(name)), as_json=as_json)


def _fields(command: Any) -> Any:
    """Give a command the options that say what a provider is."""
    options = (
        click.option("--base-url", metavar="URL", help="Server other than the vendor's."),
        click.option(
            "--key",
            envvar="MEDIAMILL_PROVIDER_KEY",
            show_envvar=True,
            help="Key that it is called with; - asks for it. Others may see a command line: "
            "prefer - or the variable.",
        ),
        click.option("--region", help="Region of AWS."),
        click.option("--concurrency", type=click.IntRange(1), help="Calls at a time."),
        click.option("--per-minute", type=click.IntRange(1), help="Calls a minute."),
        click.option("--timeout", type=float, metavar="SECONDS", help="How long a call may take."),
        click.option(
            "--price",
            "rates",
            multiple=True,
            metavar="RATE=DOLLARS",
            help=f"Price: {', '.join(RATES)}; tokens by the million; may be given again.",
        ),
        click.option(
            "--option",
            "options",
            multiple=True,
            metavar="NAME=VALUE",
            help="Parameter of the address; may be given again.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@providers.command()
@click.argument("name")
@click.argument("address")
@_fields
@json_option
@connected
def add(name: str, address: str, *, as_json: bool, client: Client, **given: Any) -> None:
    """Set up a provider under NAME, such as `add fast openai:gpt-4o-mini --key -`."""
    body = {"name": name, "address": address, **_body(given)}
    _told(client.request("POST", "/v1/providers", json=body), as_json=as_json)


@providers.command()
@click.argument("name")
@click.option("--address", help="Whom it asks: kind:model.")
@_fields
@json_option
@connected
def change(name: str, address: str | None, *, as_json: bool, client: Client, **given: Any) -> None:
    """Change a provider; what is not given stays.

    Another address, server, region or option needs the key anew.
    """
    body = _body(given) | ({"address": address} if address else {})
    _told(client.request("PATCH", _at(name), json=body), as_json=as_json)


@providers.command()
@click.argument("names", nargs=-1, required=True, metavar="NAMES…")
@connected
def remove(names: tuple[str, ...], *, client: Client) -> None:
    """Remove providers and their keys."""
    for name in names:
        client.request("DELETE", _at(name))
        click.echo(f"{name} is removed.")


@providers.command()
@click.argument("name")
@click.option("--file", metavar="FILE_ID", help="A file of yours instead of the sample picture.")
@json_option
@connected
@click.pass_context
def test(ctx: click.Context, name: str, *, file: str | None, as_json: bool, client: Client) -> None:
    """Ask a provider about one picture; the call is paid for. The exit code is 1 without answer."""
    told = client.request("POST", f"{_at(name)}/test", json={"file": file})
    if as_json:
        show(told, as_json=True)
    else:
        labels = ", ".join(f"{one['name']} {one['confidence']:.0%}" for one in told["labels"])
        click.echo(told["text"] or labels or told["error"])
        cost = "price unknown" if told["cost"] is None else money(told["cost"])
        click.echo(f"{told['milliseconds']} ms, {cost}", err=True)
    ctx.exit(0 if told["ok"] else 1)


@providers.command()
@click.argument("name")
@connected
def wake(name: str, *, client: Client) -> None:
    """End the rest of a provider that kept failing: it is asked again at once."""
    client.request("POST", f"{_at(name)}/wake")
    click.echo(f"{name} is asked again.")


@providers.command()
@click.argument("operation", required=False)
@click.argument("names", nargs=-1, metavar="[PROVIDERS]…")
@click.option("--reset", is_flag=True, help="Ask again whom the settings say.")
@json_option
@connected
def chain(
    operation: str | None, names: tuple[str, ...], *, reset: bool, as_json: bool, client: Client
) -> None:
    """Show whom operations ask, or set it: `chain caption fast local:vit-gpt2`."""
    if operation and (names or reset):
        body = {"providers": [] if reset else list(names)}
        rows = [client.request("PUT", f"/v1/chains/{quote(operation)}", json=body)]
    elif operation:
        rows = [client.get(f"/v1/chains/{quote(operation)}")]
    else:
        rows = list(client.pages("/v1/chains"))
    show_list(
        rows,
        lambda row: row["operation"],
        lambda row: " → ".join(row["providers"]) or "nobody",
        lambda row: row["source"],
        as_json=as_json,
    )


def _at(name: str) -> str:
    return f"/v1/providers/{quote(name, safe='')}"


def _told(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show(row, as_json=True)
    else:
        click.echo(f"{row['name']}\t{row['health']['state']}\t{row['address']}")


def _body(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that were given."""
    names = ("base_url", "key", "region", "concurrency", "per_minute", "timeout")
    body = {name: given[name] for name in names if given[name] is not None}
    if body.get("key") == PROMPT:
        body["key"] = click.prompt("Key", hide_input=True)
    if given["rates"]:
        body["price"] = {name: _number(name, text) for name, text in _pairs(given["rates"])}
    if given["options"]:
        body["options"] = dict(_pairs(given["options"]))
    return body


def _pairs(words: tuple[str, ...]) -> list[tuple[str, str]]:
    found = []
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{word!r} is not NAME=VALUE.")
        found.append((name.strip(), text.strip()))
    return found


def _number(name: str, text: str) -> float:
    try:
        return float(Decimal(text))
    except InvalidOperation:
        raise click.BadParameter(f"{name} is a number of dollars, not {text!r}.") from None
