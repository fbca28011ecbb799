"""`mediamill admin users erase`: remove a user and all that is kept about them."""

import click

from mediamill.adapters.brokers.inprocess import InProcessDoorbell
from mediamill.cli.admin.installation import administer
from mediamill.core.clock import SystemClock, rfc3339
from mediamill.services.accounts.roster import Roster
from mediamill.services.privacy.closing import Deletions
from mediamill.store.port import Store
from mediamill.store.repositories.erasures import Erasure
from mediamill.store.repositories.units import Units
from mediamill.store.repositories.users import Users


@click.command()
@click.argument("who", metavar="USER")
@click.option("--now", is_flag=True, help="At once, rather than after a day to take it back.")
@click.option("--undo", is_flag=True, help="Take a deletion back that waits.")
def erase(who: str, *, now: bool, undo: bool) -> None:
    """Delete the account of USER, an address or id, with all that is in it.

    It is shut at once, and removed a day later by the workers that run; `--undo` keeps it until
    then. The last administrator stays.
    """

    async def act(store: Store) -> Erasure:
        roster = Roster.over(Users(store), SystemClock())
        deletions = Deletions(roster, Units(store), InProcessDoorbell())
        if not undo:
            return await deletions.erase(who, "operator", now=now)
        user = await deletions.roster.find(who)
        return await deletions.undo(await deletions.need(user.erasing or "none"))

    erasure = administer(act)
    if undo:
        click.echo(f"{who} stays.")
    else:
        click.echo(f"{erasure.id}: {who} is shut out, and removed from {rfc3339(erasure.due)} on.")
