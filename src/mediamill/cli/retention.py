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
from mediamill.handlers.retain import Retain
from mediamill.services.retention import Amount, State
from mediamill.store.repositories.daily import Daily

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
        show_list([_row(state) for state in states], *COLUMNS, as_json=as_json)
        _tell_partial(as_json=as_json, since_upgrade=since_upgrade)


@retention.command()
@click.option("--dry-run", is_flag=True, help="Tell what is due; take nothing.")
def run(*, dry_run: bool) -> None:
    """Take what is due now, rather than within five minutes.

    It is hidden at once; the workers that run remove it and what was made of it.
    """
    if dry_run:
        for state in _with(_states)[0]:
            click.echo(f"{state.source}: {_amount(state.due)} would go.")
        return

    async def taken(app: App) -> dict[str, int]:
        return dict(await Retain(app.repositories.units, app.retention, app.bell).sweep())

    for source, files in _with(taken).items():
        click.echo(f"{source}: {files:,} files are being removed.")


@retention.command()
@click.option("--from", "first", metavar="DAY", help="The first day, such as 2026-11-21.")
@click.option("--to", "last", metavar="DAY", help="The last day.")
@json_option
def report(*, first: str | None, last: str | None, as_json: bool) -> None:
    """Show what everybody's purged files came to, by the day on which they came in (UTC).

    Columns: day, customer, source, type, outcome, files, bytes, items, results, their bytes.
    """

    async def rows(app: App) -> list[dict[str, Any]]:
        return [daily_row(row) async for row in app.kept.report(first, last)]

    names = ("day", "owner", *DAILY)
    show_list(_with(rows), *(lambda row, n=name: row[n] for name in names), as_json=as_json)


DAILY = ("source", "media_type", "outcome", "files", "bytes", "items", "results", "result_bytes")


def daily_row(row: Daily) -> dict[str, Any]:
    """Return a row of the aggregates as it is printed."""
    return {name: getattr(row, name) for name in ("day", "owner", *DAILY)}


async def _states(app: App) -> tuple[list[State], bool]:
    return await app.kept.states(), app.kept.since_upgrade


def _tell_partial(*, as_json: bool, since_upgrade: bool) -> None:
    if since_upgrade and not as_json:
        click.echo(
            "Rules for uploads and imports hold here for what came in since this version runs: "
            "this store cannot be walked to find what was there before (docs/retention.md).",
            err=True,
        )


def _row(state: State) -> dict[str, Any]:
    return {
        "source": state.source,
        "rule": state.rule,
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
    lambda row: f"kept {'for ever' if row['rule'] == 'none' else row['rule']}",
    lambda row: f"due: {_amount(Amount(row['due_files'], row['due_bytes']))}",
    lambda row: f"within a day: {_amount(Amount(row['soon_files'], row['soon_bytes']))}",
    lambda row: f"looked: {row['swept_at'] or 'never'}",
    lambda row: f"removed: {_amount(Amount(row['removed_files'], row['removed_bytes']))}",
)


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
