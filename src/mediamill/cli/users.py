"""`mediamill users`: who uses this machine's installation, and who is kept out of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import click

from mediamill.adapters.secrets.opening import SettingSources
from mediamill.cli.remote.connection import json_option, show_list
from mediamill.cli.remote.home import read_all_settings
from mediamill.core.clock import rfc3339
from mediamill.services.accounts.roster import Roster
from mediamill.store.opening import open_store
from mediamill.store.repositories.users import User, Users

T = TypeVar("T")


@click.group()
def users() -> None:
    """List users, keep them out, let them in again; for who runs the service."""


@users.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List all users of this home's installation."""

    async def rows(roster: Roster) -> list[dict[str, Any]]:
        return [_row(user) async for user in roster.all()]

    show_list(
        _with(rows),
        lambda row: row["id"],
        lambda row: row["email"] or row["name"],
        lambda row: row["role"],
        lambda row: "disabled" if row["disabled"] else "",
        as_json=as_json,
    )


@users.command()
@click.argument("who", metavar="USER…", nargs=-1, required=True)
def disable(who: tuple[str, ...]) -> None:
    """Keep users out at once, whatever they show; USER is an address or an id.

    Their sessions end. Their files, jobs and webhooks stay as they are, and their API tokens do
    nothing until you enable them.
    """
    for user in _with(lambda roster: _each(roster.disable, who)):
        click.echo(f"{user.email or user.id} is kept out.")


@users.command()
@click.argument("who", metavar="USER…", nargs=-1, required=True)
def enable(who: tuple[str, ...]) -> None:
    """Let users in again, who sign in once more; their API tokens work as before."""
    for user in _with(lambda roster: _each(roster.enable, who)):
        click.echo(f"{user.email or user.id} may sign in.")


async def _each(act: Callable[[str], Awaitable[User]], who: Sequence[str]) -> list[User]:
    return [await act(one) for one in who]


def _row(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "role": user.role.value,
        "disabled": user.disabled,
        "created_at": rfc3339(user.created),
    }


def _with(act: Callable[[Roster], Awaitable[T]]) -> T:
    """Do something with the users in the store of the settings; services may run."""
    settings = read_all_settings()

    async def done() -> T:
        store = await open_store(SettingSources(settings).of("store_url"))
        try:
            return await act(Roster(Users(store)))
        finally:
            await store.close()

    return asyncio.run(done())
