"""`mediamill retention`: what is kept for how long on this home's installation, and what is due."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from mediamill.app import App
from mediamill.cli.remote.connection import json_option, show_list, size_text
from mediamill.cli.remote.home import read_all_settings
from mediamill.core.clock import rfc3339
from mediamill.core.logs import configure_logging
from mediamill.core.retention import SETTING, SOURCES, read_retention
from mediamill.handlers.removing.retain import Retain
from mediamill.services.retention import Amount, Forecast, State
from mediamill.store.repositories.daily import Daily
from mediamill.store.repositories.users import User

T = TypeVar("T")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def retention(ctx: click.Context, *, as_json: bool) -> None:
    """Show for how long files are kept, what is due, and what was removed.

    A line for each way by which files come in: its rule, what is due now, what will be within a
    day, when it was looked last, and what was removed so far.
    """
    if ctx.invoked_subcommand is None:
        states, since_upgrade = _with(_states)
        _tell_other([state for state in states if state.rule != state.held.rule])
        show_list([_row(state) for state in states], *COLUMNS, as_json=as_json)
        _tell_partial(as_json=as_json, since_upgrade=since_upgrade)


@retention.command()
@click.option("--dry-run", is_flag=True, help="Tell what is due; take nothing.")
@click.option("--yes", is_flag=True, help="Go by the rules here, and put them in force.")
def run(*, dry_run: bool, yes: bool) -> None:
    """Take what is due now, rather than within five minutes.

    It is hidden at once; the workers that run remove it and what was made of it. Nothing is taken
    when the rules in force are not those of MEDIAMILL_RETENTION here, unless you say --yes.
    """
    if dry_run:
        states, early = _with(_due)
        for state in states:
            click.echo(f"{state.source}: {_amount(state.due)} would go.")
        if early.files:
            click.echo(f"earlier, as projects say: {_amount(early)} would go.")
        return

    async def taken(app: App) -> list[str]:
        if not yes and (differing := await app.kept.differing()):
            raise click.ClickException(
                f"Nothing was taken, as that cannot be undone: {'; '.join(differing)}. Set "
                f"{SETTING} as the workers have it, or say --yes to put the rules here in force."
            )
        retain = Retain(app.repositories.units, app.retention, app.bell)
        files = await retain.sweep(sure=yes)
        ruled = [one for one in SOURCES if app.retention.age(one) is not None or files.get(one)]
        return [_taken(source, files.get(source)) for source in ruled]

    for line in _with(taken):
        click.echo(line)


@retention.command("try")
@click.argument("rules")
@json_option
def try_(rules: str, *, as_json: bool) -> None:
    """Tell what RULES would take if they were set, and when; nothing is set, nothing is taken.

    RULES are written as in MEDIAMILL_RETENTION: upload=90d; stream=none. They would be in force a
    day after all workers have them, where they keep files less long than those now.
    """
    wanted = read_retention(rules)

    async def rows(app: App) -> list[Forecast]:
        return await app.kept.forecast(wanted)

    show_list([_forecast_row(one) for one in _with(rows)], *FORECAST, as_json=as_json)


def _forecast_row(one: Forecast) -> dict[str, Any]:
    told = {f"{name}_files": amount.files for name, amount in zip(TIMES, one.amounts, strict=True)}
    told |= {f"{name}_bytes": amount.bytes for name, amount in zip(TIMES, one.amounts, strict=True)}
    return {"source": one.source, "rule": one.rule, **told}


def _told_at(name: str) -> Callable[[dict[str, Any]], Any]:
    def told(row: dict[str, Any]) -> str:
        return f"{TIMES[name]}: {_amount(Amount(row[f'{name}_files'], row[f'{name}_bytes']))}"

    return told


TIMES = {"now": "at once", "day": "in a day", "week": "in 7 days", "month": "in 30 days"}
"""What a forecast tells, beyond the one before it."""
FORECAST: tuple[Callable[[dict[str, Any]], Any], ...] = (
    lambda row: row["source"],
    lambda row: f"kept {_rule(row['rule'])}",
    *map(_told_at, TIMES),
)


def _taken(source: str, files: int | None) -> str:
    if files is None:
        return (
            f"{source}: nothing was taken: it is not known yet which results were made of which "
            "files. The first worker of this version finds out: start one, then run this again."
        )
    return f"{source}: {files:,} files are being removed."


@retention.command()
@click.option("--from", "first", metavar="DAY", help="The first day, such as 2026-11-21.")
@click.option("--to", "last", metavar="DAY", help="The last day.")
@json_option
def report(*, first: str | None, last: str | None, as_json: bool) -> None:
    """Show what everybody's purged files came to, by the day on which they came in (UTC).

    Columns: day, customer (name or address), their id, source, type, outcome, files, bytes, items,
    results, their bytes.
    """

    async def rows(app: App) -> list[dict[str, Any]]:
        names: dict[str, str] = {}
        found = [daily_row(row) async for row in app.kept.report(first, last)]
        for row in found:
            if (owner := row["owner"]) not in names:
                user = await app.store.get(User, owner)
                names[owner] = (user.name or user.email) if user else ""
        return [{**row, "customer": names[row["owner"]]} for row in found]

    names = ("day", "customer", "owner", *DAILY)
    show_list(_with(rows), *(lambda row, n=name: row[n] for name in names), as_json=as_json)


DAILY = ("source", "media_type", "outcome", "files", "bytes", "items", "results", "result_bytes")


def daily_row(row: Daily) -> dict[str, Any]:
    """Return a row of the aggregates as it is printed."""
    return {name: getattr(row, name) for name in ("day", "owner", *DAILY)}


async def _due(app: App) -> tuple[list[State], Amount]:
    return await app.kept.states(), await app.kept.early()


async def _states(app: App) -> tuple[list[State], bool]:
    return await app.kept.states(), app.kept.since_upgrade


def _tell_other(states: list[State]) -> None:
    for state in states:
        click.echo(
            f"{state.source}: {SETTING} says {_rule(state.rule)} here; in force is "
            f"{_rule(state.held.rule)}, as workers had it (docs/how-to/retention.md).",
            err=True,
        )


def _tell_partial(*, as_json: bool, since_upgrade: bool) -> None:
    if since_upgrade and not as_json:
        click.echo(
            "Rules for uploads and imports hold here for what came in since this version runs: "
            "this store cannot be walked to find what was there before (docs/how-to/retention.md).",
            err=True,
        )


def _row(state: State) -> dict[str, Any]:
    return {
        "source": state.source,
        "rule": state.held.rule,
        "wanted": state.held.wanted,
        "wanted_from": None if state.held.in_force is None else rfc3339(state.held.in_force),
        "due_files": state.due.files,
        "due_bytes": state.due.bytes,
        "soon_files": state.soon.files,
        "soon_bytes": state.soon.bytes,
        "swept_at": None if state.done.swept is None else rfc3339(state.done.swept),
        "removed_files": state.done.files,
        "removed_bytes": state.done.bytes,
    }


COLUMNS: tuple[Callable[[dict[str, Any]], Any], ...] = (
    lambda row: row["source"],
    lambda row: f"kept {_rule(row['rule'])}{_wanted(row)}",
    lambda row: f"due: {_amount(Amount(row['due_files'], row['due_bytes']))}",
    lambda row: f"within a day: {_amount(Amount(row['soon_files'], row['soon_bytes']))}",
    lambda row: f"looked: {row['swept_at'] or 'never'}",
    lambda row: f"removed: {_amount(Amount(row['removed_files'], row['removed_bytes']))}",
)


def _rule(rule: str) -> str:
    return "for ever" if rule == "none" else rule


def _wanted(row: dict[str, Any]) -> str:
    return f", {row['wanted']} from {row['wanted_from']}" if row["wanted"] else ""


def _amount(amount: Amount) -> str:
    return f"{amount.files:,} files, {size_text(amount.bytes)}"


def _with(act: Callable[[App], Awaitable[T]]) -> T:
    """Do something with the installation of the settings; services may run."""
    configure_logging("text", "error")
    settings = read_all_settings()

    async def done() -> T:
        async with await App.open(settings) as app:
            return await act(app)

    return asyncio.run(done())
