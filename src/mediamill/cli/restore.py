"""`mediamill restore`: put a snapshot into an empty home."""

import asyncio
import time

import click

from mediamill.backup.reading import chosen
from mediamill.backup.restoring import Restored, Restoring, interrupted
from mediamill.backup.vault import Vault
from mediamill.cli.remote.connection import size_text
from mediamill.cli.remote.home import read_all_settings
from mediamill.cli.terminal.failures import SOME_FAILED, Unreachable
from mediamill.core.clock import rfc3339
from mediamill.core.errors import Unavailable
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.store.copying import newest

SECONDS_BETWEEN = 5.0
SHOWN = 20


@click.command()
@click.argument("place", metavar="DEST")
@click.option(
    "--home", required=True, type=click.Path(file_okay=False), help="The new home, empty."
)
@click.option("--at", default="", metavar="SNAPSHOT", help="An id, or a time; default: the newest.")
@click.option("--without-keys", is_flag=True, help="Leave out the keys that are sealed in it.")
@click.pass_context
def restore(ctx: click.Context, place: str, *, home: str, at: str, without_keys: bool) -> None:
    """Put a snapshot from DEST into an empty home.

    Rows and bytes go where the settings say: into the home, or an empty database and an empty
    bucket. Everything is compared by its SHA-256 on the way. No service starts there before it is
    whole; a restore that was interrupted goes on with the same command.
    """
    settings = read_all_settings(home=home)
    configure_logging("text", "error")
    try:
        done = asyncio.run(_restored(place, settings, at, without_keys=without_keys))
    except Unavailable as error:
        remedy = "Give the same command again: it goes on where it was."
        raise Unreachable(error.message, remedy) from error
    _tell(done, settings)
    ctx.exit(SOME_FAILED if done.broken else 0)


async def _restored(place: str, settings: Settings, at: str, *, without_keys: bool) -> Restored:
    async with Vault.open(place, makes=False) as vault:
        begun = interrupted(settings.home)
        snapshot = await chosen(vault, at or (begun.id if begun else ""), _tell_passed)
        click.echo(f"Snapshot {snapshot.id}, begun at {rfc3339(snapshot.begun)}.", err=True)
        known, tell = newest(snapshot.database.kind), Teller(snapshot.objects)
        restoring = Restoring(vault, snapshot, settings, place, known, tell)
        passphrase = settings.backup_passphrase.get_secret_value()
        return await restoring.run(passphrase=passphrase, without_keys=without_keys)


def _tell_passed(name: str) -> None:
    click.echo(f"The snapshot {name} cannot be read, so an older one is taken.", err=True)


class Teller:
    """Tells how far a restore is, now and then."""

    def __init__(self, objects: int) -> None:
        self._objects, self._told = objects, time.monotonic()

    def __call__(self, done: Restored) -> None:
        if (now := time.monotonic()) - self._told >= SECONDS_BETWEEN:
            self._told = now
            count = done.objects + done.there
            click.echo(f"{count:,} of {self._objects:,} files, {size_text(done.size)}", err=True)


def _tell(done: Restored, settings: Settings) -> None:
    if done.broken:
        some = "\n".join(f"  {key}" for key in done.broken[:SHOWN])
        click.echo(f"The backup has lost {len(done.broken)} files:\n{some}", err=True)
        click.echo(
            "Nothing starts on this home. Take another snapshot, with --at.",
            err=True,
        )
        return
    brought = f"{done.objects + done.there:,} files and the rows are there, each the same"
    click.echo(f"{brought}. Start the service: mediamill up --home {settings.home}")
    if not done.with_keys:
        click.echo(
            f"No keys came along. Unless settings name them, put `secret` and `keyring` into "
            f"{settings.home} before the service starts: without them links that were given out "
            "are void, and sealed secrets (webhooks, second factors, providers) do not open.",
            err=True,
        )
    if lacking := sum(done.snapshot.counts.get(what, 0) for what in ("missing", "cold")):
        click.echo(f"{lacking:,} files were missing when the backup was made.", err=True)
