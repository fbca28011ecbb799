"""`mediamill admin users`: who uses this machine's installation, and who is kept out of it."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import click

from mediamill.cli.admin.adding import create, invite, reset_password
from mediamill.cli.admin.erasing import erase
from mediamill.cli.admin.factors import reset_mfa
from mediamill.cli.admin.installation import administer
from mediamill.cli.admin.quota import quota
from mediamill.cli.remote.connection import json_option, show_list
from mediamill.core.clock import SystemClock, rfc3339
from mediamill.services.accounts.roster import Roster
from mediamill.store.repositories.users import Role, User, Users

T = TypeVar("T")


@click.group()
def users() -> None:
    """List users, add them, give them roles and quotas, keep them out, let them in again."""


users.add_command(reset_mfa)
users.add_command(quota)
users.add_command(create)
users.add_command(invite)
users.add_command(reset_password)
users.add_command(erase)


@users.command("list")
@click.option("--search", default="", help="Only those whose address or name begins so.")
@click.option(
    "--role", type=click.Choice([one.value for one in Role]), help="Only those with this role."
)
@json_option
def list_(*, search: str, role: str | None, as_json: bool) -> None:
    """List the users of this home's installation, by role: id, address, role, state."""

    async def rows(roster: Roster) -> list[dict[str, Any]]:
        return [_row(user) async for user in roster.all(search, Role(role) if role else None)]

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
    for user in _with(lambda roster: _each(partial(roster.change, disabled=True), who)):
        click.echo(f"{user.email or user.id} is kept out.")


@users.command()
@click.argument("who", metavar="USER…", nargs=-1, required=True)
def enable(who: tuple[str, ...]) -> None:
    """Let users in again, who sign in once more; their API tokens work as before."""
    for user in _with(lambda roster: _each(partial(roster.change, disabled=False), who)):
        click.echo(f"{user.email or user.id} may sign in.")


@users.command()
@click.argument("who", metavar="USER")
@click.argument("role", type=click.Choice([one.value for one in Role]))
def role(who: str, role: str) -> None:
    """Make USER, an address or an id, a user, an analyst or an administrator; it counts at once."""
    user = _with(lambda roster: roster.change(who, role=Role(role)))
    click.echo(f"{user.email or user.id} is {user.role.value}.")


@users.command("end-sessions")
@click.argument("who", metavar="USER…", nargs=-1, required=True)
def end_sessions(who: tuple[str, ...]) -> None:
    """Sign users out everywhere at once; their API tokens stay."""
    for user in _with(lambda roster: _each(roster.end_sessions, who)):
        click.echo(f"{user.email or user.id} is signed out.")


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
    return administer(lambda store: act(Roster.over(Users(store), SystemClock())))
