"""`mediamill secrets`: the keys that seal secrets in the database."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import click

from mediamill.adapters.sealing.keyring import Key
from mediamill.adapters.sealing.opening import Holding, open_sealer
from mediamill.adapters.sealing.port import Turning
from mediamill.adapters.secrets.opening import SettingSources
from mediamill.cli.remote.connection import json_option
from mediamill.cli.remote.home import read_all_settings
from mediamill.cli.terminal.failures import SOME_FAILED, Failure
from mediamill.core.backups import refuse_unrestored
from mediamill.core.settings import Settings
from mediamill.services.sealing import Resealed, Sealing
from mediamill.store.opening import open_store
from mediamill.store.repositories.sealing import NotingSealer, Sealings
from mediamill.store.schema import all_kinds

T = TypeVar("T")

AFTER_SECONDS = 3600
"""How long ago a key must have ceased to seal before it is removed: what began then has ended."""
ELSEWHERE = (
    "MEDIAMILL_SEALING_URL names keys that are kept elsewhere. Change them there, then give "
    "`mediamill secrets reseal`; docs/how-to/secrets.md tells how."
)


@click.group()
def secrets() -> None:
    """See, change and remove the keys that seal secrets in the database."""


@secrets.command()
@click.option("--all", "ever", is_flag=True, help="Also keys under which nothing is any more.")
@json_option
def status(*, ever: bool, as_json: bool) -> None:
    """Show which keys are in use, and how many records have a secret under each."""
    uses = _with(lambda sealing: sealing.status(ever=ever))
    if as_json:
        rows = [{"key": use.id, "records": use.records, "seals": use.seals} for use in uses]
        click.echo(json.dumps(rows))
        return
    for use in uses:
        click.echo(f"{use.records:>8} {'seals' if use.seals else '     '} {use.id}")


@secrets.command()
@click.option("--add", is_flag=True, help="Add it to the keyring file instead; it only opens yet.")
def key(*, add: bool) -> None:
    """Print a new key, for a keyring that is kept elsewhere: ID:KEY.

    A keyring is such keys with commas or newlines between them; the first seals, all open.
    """
    if add:
        click.echo(f"{_turning(_settings()).add()} opens now, and seals once you rotate.")
    else:
        click.echo(str(Key.make()))


@secrets.command()
@click.pass_context
def rotate(ctx: click.Context) -> None:
    """Take a new key into use and put all secrets under it; services may run.

    It takes the key that was added last, if one waits. Broken off, `reseal` does the rest.
    """
    settings = _settings()
    click.echo(f"{_turning(settings).turn()} seals now.")
    ctx.exit(_reseal(settings))


@secrets.command()
@click.pass_context
def reseal(ctx: click.Context) -> None:
    """Put all secrets under the key that seals now; services may run, and it can be repeated."""
    ctx.exit(_reseal(_settings()))


@secrets.command()
@click.argument("key")
@click.option("--now", is_flag=True, help="Though it sealed within the last hour.")
def retire(key: str, *, now: bool) -> None:
    """Remove KEY, under which nothing is any more.

    Of one that is kept elsewhere it says whether it can be removed there.
    """
    settings = _settings()
    held = _first(settings)
    ceased = held.ceased(key) if isinstance(held, Turning) else None

    async def leave(sealing: Sealing) -> None:
        since = await sealing.taken() if ceased is None else ceased
        await sealing.require_unused(key, since or 0)
        _require_rest(key, since, now=now)
        if isinstance(held, Turning) and ceased is not None:
            held.drop(key)

    _with(leave, settings)
    after = "Remove it where it is kept." if ceased is None else "It opens nothing any more."
    click.echo(f"Nothing is under {key}. {after}")


def _require_rest(key: str, since: int | None, *, now: bool) -> None:
    """Raise `Failure` where a key may have sealed within the last hour."""
    if since is None:
        raise Failure("The key that seals now has sealed nothing yet.", "Give `secrets reseal`.")
    if not now and time.time() * 1000 - since < AFTER_SECONDS * 1000:
        raise Failure(
            f"{key} sealed within the last hour: a server may have something under it still.",
            "Wait, or add --now when none runs.",
        )


def _reseal(settings: Settings) -> int:
    outcome = _with(lambda sealing: sealing.reseal(), settings)
    _tell(outcome)
    return SOME_FAILED if outcome.broken else 0


def _tell(outcome: Resealed) -> None:
    click.echo(f"{outcome.done} records were sealed anew.")
    if outcome.passed:
        click.echo(f"{outcome.passed} changed meanwhile: give `mediamill secrets reseal` again.")
    for record in outcome.broken:
        click.echo(f"{record} does not open: its key is gone, or it was changed.", err=True)


def _settings() -> Settings:
    return read_all_settings()


def _first(settings: Settings) -> object:
    holding = Holding(SettingSources(settings).of("sealing_url"), settings.home)
    return asyncio.run(holding.now())[0]


def _turning(settings: Settings) -> Turning:
    held = _first(settings)
    if not isinstance(held, Turning):
        raise Failure(ELSEWHERE)
    return held


def _with(act: Callable[[Sealing], Awaitable[T]], settings: Settings | None = None) -> T:
    """Do something with the keys and the store of the settings."""
    given = settings or _settings()

    async def done() -> T:
        async with _opened(given) as sealing:
            return await act(sealing)

    return asyncio.run(done())


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Sealing]:
    refuse_unrestored(settings.home)
    kept = SettingSources(settings)
    store = await open_store(kept.of("store_url"))
    sealer = NotingSealer(open_sealer(kept.of("sealing_url"), settings.home), store)
    try:
        yield Sealing(Sealings(store, all_kinds()), sealer)
    finally:
        await sealer.close()
        await store.close()
        await kept.close()
