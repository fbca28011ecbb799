"""`mediamill admin users quota`: what one user may keep and do."""

import click

from mediamill.cli.admin.installation import administer
from mediamill.cli.remote.connection import json_option, show, size_text
from mediamill.cli.remote.home import read_all_settings
from mediamill.core.clock import SystemClock
from mediamill.parts import limits_of
from mediamill.services.accounts.roster import Roster
from mediamill.services.quotas.service import MOST, Allowed, Desk
from mediamill.store.port import Store
from mediamill.store.repositories.allowances import Quota
from mediamill.store.repositories.usage import Usages
from mediamill.store.repositories.users import Users

MOST_OF = click.IntRange(0, MOST)


@click.command()
@click.argument("who", metavar="USER")
@click.option("--bytes", "bytes_", type=MOST_OF, help="Bytes kept, results and trash too.")
@click.option("--files", type=MOST_OF, help="Files kept, those in the trash too.")
@click.option("--jobs", type=MOST_OF, help="Jobs that are open at a time.")
@click.option("--items", type=MOST_OF, help="Items that jobs run in a month.")
@click.option("--requests", type=MOST_OF, help="Requests in a minute.")
@click.option("--reset", is_flag=True, help="Let the limits of all users hold again.")
@json_option
def quota(
    *,
    who: str,
    bytes_: int | None,
    files: int | None,
    jobs: int | None,
    items: int | None,
    requests: int | None,
    reset: bool,
    as_json: bool,
) -> None:
    """Show what a user may have, or give them limits of their own; USER is an address or an id.

    0 is no limit; what is not named stays as it is. Columns: what is limited, how much of it is
    used, the most that may be, and `own` where that is not what holds for all users.
    """
    named = {"bytes": bytes_, "files": files, "jobs": jobs, "items": items, "requests": requests}
    limits = {name: most for name, most in named.items() if most is not None}
    if reset and limits:
        raise click.UsageError("Either --reset, or limits.")
    common = limits_of(read_all_settings())

    async def act(store: Store) -> Allowed:
        desk = Desk(Roster.over(Users(store), SystemClock()), Usages(store, common))
        if reset:
            return await desk.reset(who)
        return await desk.give(who, limits) if limits else await desk.look(who)

    rows = _rows(administer(act))
    if as_json:
        show(rows, as_json=True)
        return
    for name, row in rows.items():
        cells = (name, _text(name, row["used"], ""), _text(name, row["limit"], "no limit"))
        click.echo("\t".join((*cells, "own" if row["own"] is not None else "")).rstrip())


def _rows(allowed: Allowed) -> dict[str, dict[str, int | None]]:
    """Return what is used of each limit, the limit, and what was given to the user alone."""
    usage = allowed.usage
    used = {"bytes": usage.bytes, "files": usage.files, "jobs": usage.jobs, "items": allowed.items}
    return {
        quota.value: {
            "used": used.get(quota.value),
            "limit": allowed.limits.of(quota),
            "own": getattr(allowed.own, quota, None),
        }
        for quota in Quota
    }


def _text(name: str, number: int | None, none: str) -> str:
    if number is None:
        return none
    return size_text(number) if name == Quota.BYTES else f"{number:,}"
