"""`mediamill admin users`: who uses this machine's installation, and who is kept out of it."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import click

from mediamill.cli.admin.adding import create, invite, reset_password, sign_in_link
from mediamill.cli.admin.erasing import erase
from mediamill.cli.admin.factors import reset_mfa
from mediamill.cli.admin.installation import administer
from mediamill.cli.admin.quota import quota
from mediamill.cli.remote.connection import json_option, show_list
from mediamill.core.clock import SystemClock, rfc3339
from mediamill.services.accounts.passwords import clean_customer
from mediamill.services.accounts.roster import Roster
from mediamill.store.repositories.users import Role, Token, User, Users

T = TypeVar("T")


@click.group()
def users() -> None:
    """List users, add them, give them roles and quotas, keep them out, let them in again."""


users.add_command(reset_mfa)
users.add_command(quota)
users.add_command(create)
users.add_command(invite)
users.add_command(reset_password)
users.add_command(sign_in_link)
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


@users.command()
@click.argument("who", metavar="USER")
@click.argument("label", metavar="[CUSTOMER]", default="")
def customer(who: str, label: str) -> None:
    """Have figures name CUSTOMER for what USER, an address or an id, does from now on.

    Several accounts may have the same; without CUSTOMER they name nobody.
    """
    label = clean_customer(label)
    user = _with(lambda roster: roster.change(who, customer=label))
    of = f"counts for {user.customer}" if user.customer else "counts for no customer"
    click.echo(f"{user.email or user.id} {of}.")


@users.command("end-sessions")
@click.argument("who", metavar="USER…", nargs=-1, required=True)
def end_sessions(who: tuple[str, ...]) -> None:
    """Sign users out everywhere at once; their API tokens stay."""
    for user in _with(lambda roster: _each(roster.end_sessions, who)):
        click.echo(f"{user.email or user.id} is signed out.")


@users.command()
@click.argument("who", metavar="USER")
@json_option
def tokens(who: str, *, as_json: bool) -> None:
    """List the API tokens of USER: id, name, end, when it was used last, scopes."""

    async def rows(roster: Roster) -> list[dict[str, Any]]:
        return [_token(one) async for one in roster.tokens(who)]

    show_list(
        _with(rows),
        lambda row: row["id"],
        lambda row: row["name"],
        lambda row: row["expires_at"] or "until revoked",
        lambda row: row["used_at"] or "not used",
        lambda row: " ".join(row["scopes"] or ()),
        as_json=as_json,
    )


@users.command()
@click.argument("who", metavar="USER")
@click.argument("ids", metavar="[TOKEN]…", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of them, and all sessions and links.")
def revoke(who: str, ids: tuple[str, ...], *, everything: bool) -> None:
    """Revoke API tokens of USER, who may make others; `disable` keeps them out instead.

    TOKEN is an id, of a session too. They are refused at once.
    """
    if everything == bool(ids):
        raise click.UsageError("Name tokens, or give --all.")
    if everything:
        user = _with(lambda roster: roster.revoke_all(who))
        click.echo(f"{user.email or user.id} is signed out, and has no API tokens.")
        return

    async def each(roster: Roster) -> None:
        for one in ids:
            await roster.revoke(who, one)

    _with(each)
    click.echo(f"{len(ids)} revoked.")


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


def _token(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "created_at": rfc3339(token.created),
        "expires_at": token.expires and rfc3339(token.expires),
        "used_at": token.used and rfc3339(token.used),
        "scopes": token.scopes,
    }


def _with(act: Callable[[Roster], Awaitable[T]]) -> T:
    return administer(lambda store: act(Roster.over(Users(store), SystemClock())))
