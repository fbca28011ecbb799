"""`mediamill admin users create|invite|reset-password|sign-in-link`: ways in without the page."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import click

from mediamill.adapters.brokers.inprocess import InProcessDoorbell
from mediamill.adapters.identity.opening import open_identity
from mediamill.adapters.secrets.opening import SettingSources
from mediamill.cli.admin.installation import administer
from mediamill.cli.remote.home import read_all_settings
from mediamill.core.acts import note
from mediamill.core.clock import SystemClock
from mediamill.core.errors import Conflict
from mediamill.letters.account import WORDINGS, AccountNews
from mediamill.services.accounts.administering import Administering
from mediamill.services.accounts.guessing import ACCOUNT, SESSION, Guessing
from mediamill.services.accounts.inviting import Inviting
from mediamill.services.accounts.mailed import Mailed
from mediamill.services.accounts.roster import Roster
from mediamill.services.accounts.service import Accounts
from mediamill.services.accounts.together import passwords_of
from mediamill.services.links.signing import Signer, key_of
from mediamill.store.port import Store
from mediamill.store.repositories.guesses import Guesses
from mediamill.store.repositories.invitations import Invitations
from mediamill.store.repositories.units import Units
from mediamill.store.repositories.users import Role, User, Users

T = TypeVar("T")
ROLES = click.Choice([one.value for one in Role])
RESET = "reset"
NO_ADDRESS = (
    "{0} has no address, so no password signs them in: "
    "`mediamill admin users sign-in-link {0}` does."
)


@click.command()
@click.argument("email")
@click.option("--name", default="", help="What they are called.")
@click.option("--role", type=ROLES, default=Role.USER.value, show_default=True, help="What for.")
@click.option("--password-stdin", is_flag=True, help="Read the password instead of asking.")
def create(email: str, *, name: str, role: str, password_stdin: bool) -> None:
    """Add a user with the address EMAIL and a password; `invite` lets them choose it."""
    password = _password(from_stdin=password_stdin)
    user = _with(lambda desk: desk.administering.add(email, name, Role(role), password))
    click.echo(f"{user.email} is here as {user.role.value}, {user.id}.")


@click.command()
@click.argument("email")
@click.option("--role", type=ROLES, default=Role.USER.value, show_default=True, help="What for.")
@click.option("--mail", is_flag=True, help="Send the link by mail, too.")
def invite(email: str, *, role: str, mail: bool) -> None:
    """Print the link by which the reader of EMAIL makes an account, once, within 7 days.

    It works where registration is closed, too.
    """
    invited = _with(lambda desk: desk.inviting.add(email, Role(role), mail=mail))
    click.echo(invited.url)


@click.command("reset-password")
@click.argument("who", metavar="USER")
@click.option("--password-stdin", is_flag=True, help="Set the one that is read, and print no link.")
def reset_password(who: str, *, password_stdin: bool) -> None:
    """Print the link by which USER, an address or id, sets a new password, once, in 30 minutes.

    Make sure that it is them whom you give it. Sessions end once the new password is set.
    """
    if not password_stdin:
        click.echo(_with(lambda desk: desk.reset_link(who)))
        return
    password = _password(from_stdin=True)
    _with(lambda desk: desk.set_password(who, password))
    click.echo("The password is set, and all their sessions have ended.")


@click.command("sign-in-link")
@click.argument("who", metavar="[USER]", default="")
def sign_in_link(who: str) -> None:
    """Print a link that signs in as USER, an address or id, once, within 15 minutes.

    Without USER it is the installation's first, as `mediamill up` prints it. No second factor is
    asked for: make sure that it is them whom you give it.
    """
    click.echo(_with(lambda desk: desk.sign_in_link(who)))


@dataclass(frozen=True)
class _Desk:
    """What the commands work with."""

    administering: Administering
    inviting: Inviting
    mailed: Mailed
    guessing: Guessing
    public: str

    async def reset_link(self, who: str) -> str:
        self.inviting.require_passwords()
        user = await self._with_address(who)
        unsent = user.evolve(email="")  # no mail brings it, so it verifies no address
        secret = await self.mailed.secret(AccountNews(letter=RESET, to=user.id), unsent)
        note("password_link_made", user.id)
        return f"{self.public}{WORDINGS[RESET].path}#{secret}"

    async def set_password(self, who: str, password: str) -> None:
        self.inviting.require_passwords()
        user = await self._with_address(who)
        hashed = await self.administering.passwords.hash(password, (user.email, user.name))
        await self.administering.roster.set_password(user.id, hashed)
        await self.guessing.forget(ACCOUNT, user.email)
        await self.guessing.forget(SESSION, user.id)

    async def sign_in_link(self, who: str) -> str:
        roster = self.administering.roster
        accounts = Accounts(roster.users, roster.people.clock)
        user = await (roster.find(who) if who else accounts.first_user())
        secret = await accounts.sign_in_secret(user)
        note("sign_in_link_made", user.id)
        return f"{self.public}/signin?token={secret}"

    async def _with_address(self, who: str) -> User:
        """Find who can sign in with a password; raises `Conflict` for who has no address."""
        user = await self.administering.roster.find(who)
        if not user.email:
            raise Conflict(NO_ADDRESS.format(user.id))
        return user


def _with(act: Callable[[_Desk], Awaitable[T]]) -> T:
    """Do something with the store of the settings; workers find mails without being rung for."""
    settings, clock = read_all_settings(), SystemClock()
    signer = Signer(key_of(settings.secret.get_secret_value(), settings.home), clock)
    passwords = passwords_of(settings)

    async def done(store: Store) -> T:
        identity = await open_identity(SettingSources(settings).of("identity_url"))
        roster, units, bell = Roster.over(Users(store), clock), Units(store), InProcessDoorbell()
        inviting = Inviting(
            roster.users, Invitations(store), units, signer, clock, settings.address, passwords,
            identity.passwords, bell,
        )  # fmt: skip
        desk = _Desk(
            Administering(roster, passwords, inviting),
            inviting,
            Mailed(roster.users, units, roster.sessions, bell),
            Guessing(Guesses(store), clock),
            settings.address,
        )
        return await act(desk)

    return administer(done)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
