"""`mediamill admin users reset-mfa`: for who has lost the app and the recovery codes."""

import click

from mediamill.adapters.brokers.inprocess import InProcessDoorbell
from mediamill.cli.admin.installation import administer
from mediamill.core.clock import SystemClock
from mediamill.services.accounts.factors.resetting import FactorResets
from mediamill.services.accounts.mailed import Mailed
from mediamill.services.accounts.roster import Roster
from mediamill.store.port import Store
from mediamill.store.repositories.factors import Factors
from mediamill.store.repositories.units import Units
from mediamill.store.repositories.users import Users


@click.command("reset-mfa")
@click.argument("who", metavar="USER")
def reset_mfa(who: str) -> None:
    """Turn off the second factor of USER, an address or an id, who has lost it.

    Make sure that it is them who asks: from then on their password alone signs in, until they set
    up another one.
    """
    user = administer(lambda store: _resets(store).reset(who))
    click.echo(f"{user.email or user.id} signs in without a second factor.")


def _resets(store: Store) -> FactorResets:
    """Make what does it; workers find the mail that tells of it without being rung for."""
    roster = Roster.over(Users(store), SystemClock())
    mailed = Mailed(roster.users, Units(store), roster.sessions, InProcessDoorbell())
    return FactorResets(roster, Factors(store), mailed)
