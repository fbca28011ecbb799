"""`mediamill spending`: what model calls cost on a server, and budgets."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list

DAY_COLUMNS = ("day", "calls", "failed")
COLUMNS = ("operation", "provider", "model", "calls", "failed", "input_tokens", "output_tokens")


@click.group(invoke_without_command=True)
@click.option("--month", help="Like 2026-11 (UTC); default: this one.")
@click.option("--users", is_flag=True, help="What everybody spent, by user; for administrators.")
@click.option("--days", is_flag=True, help="Day by day (UTC); with --users that of all together.")
@json_option
@connected
@click.pass_context
def spending(
    ctx: click.Context, *, month: str | None, users: bool, days: bool, as_json: bool,
    client: Client,
) -> None:  # fmt: skip
    """Show what your model calls cost in a month, and what is left of your budget.

    Columns: operation, provider, model, calls, those that failed, tokens in, tokens out, cost; with
    --days the day, calls, those that failed, cost.
    """
    if ctx.invoked_subcommand is not None:
        return
    if days:
        path = "/v1/spending/everybody" if users else "/v1/spending"
        rows = client.get(path, **({"month": month} if month else {}))["days"]
        show_list(rows, *_columns(DAY_COLUMNS), as_json=as_json)
        return
    if users:
        rows = client.pages("/v1/spending/users", month=month)
        show_list(rows, lambda row: row["email"] or row["user"], *_columns(), as_json=as_json)
        return
    told = client.get("/v1/spending", **({"month": month} if month else {}))
    if as_json:
        show(told, as_json=True)
        return
    show_list(told["spent"], *_columns(), as_json=False)
    budget = told["budget"]
    left = "" if budget["left"] is None else (
        f" {money(budget['left'])} is left of {money(budget['monthly'])}."
    )  # fmt: skip
    click.echo(f"{money(told['cost'])} in {told['month']}.{left}", err=True)


@spending.command()
@click.argument("user")
@click.argument("dollars", required=False)
@click.option("--reset", is_flag=True, help="Let the settings stand again.")
@json_option
@connected
def budget(user: str, dollars: str | None, *, reset: bool, as_json: bool, client: Client) -> None:
    """Show or set what USER, by id, or `everybody` may spend a month; for administrators.

    DOLLARS is an amount, or `none` for no limit.
    """
    path = f"/v1/budgets/{quote(user, safe='')}"
    if reset:
        client.request("DELETE", path)
    if dollars is not None:
        monthly = None if dollars == "none" else _amount(dollars)
        client.request("PUT", path, json={"monthly": monthly})
    told = client.get(path)
    if as_json:
        show(told, as_json=True)
        return
    most = "no limit" if told["monthly"] is None else money(told["monthly"])
    click.echo(f"{user}\t{most}\t{money(told['taken'])} taken this month")


def money(dollars: float) -> str:
    """Write an amount for people, to the millionth of a dollar."""
    whole, _, parts = f"{dollars:,.6f}".partition(".")
    return f"${whole}.{parts.rstrip('0'):0<2}"


def _amount(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no amount in dollars.") from None


def _columns(names: Sequence[str] = COLUMNS) -> list[Any]:
    plain = [lambda row, name=name: row[name] for name in names]
    return [*plain, lambda row: money(row["cost"])]
