"""`mediamill migrate`: move the whole installation to another database or place for bytes."""

import asyncio
import time

import click

from mediamill.cli.remote.home import read_all_settings
from mediamill.cli.serve import home_option
from mediamill.cli.terminal.failures import SOME_FAILED, Failure, Unreachable
from mediamill.core.errors import Unavailable
from mediamill.moving.meter import Meter
from mediamill.moving.move import Move, Outcome
from mediamill.moving.places import Places, Targets
from mediamill.moving.survey import Survey, listed

SECONDS_BETWEEN = 5.0
"""How often it is told how far the move has come."""


@click.command()
@home_option
@click.option("--to-store", default="", help="Move the metadata to this store's URL.")
@click.option("--to-blobs", default="", help="Move the bytes to the place of this URL.")
@click.option(
    "--to-results",
    default="",
    help="Move the bytes of results to the place of this URL; default: they go with the others, "
    "or stay where they have a place of their own.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would move, and how long it may take.")
@click.option(
    "--verify-only", is_flag=True, help="Compare what is there with the target; write nothing."
)
@click.pass_context
def migrate(
    ctx: click.Context,
    *,
    home: str | None,
    to_store: str,
    to_blobs: str,
    to_results: str,
    dry_run: bool,
    verify_only: bool,
) -> None:
    """Move the whole installation to another database or place for bytes.

    It moves from where the present settings say it is, and no service may run there meanwhile.
    Everything is read back and compared, the source stays as it
    is, and a command that was interrupted goes on where it was when it is given again. Passwords
    are better left to what the drivers read, such as PGPASSWORD.
    """
    if dry_run and verify_only:
        raise Failure("--dry-run and --verify-only do not go together.", "Leave one out.")
    places = Places(read_all_settings(home=home), Targets(to_store, to_blobs, to_results))
    try:
        if dry_run:
            _tell_survey(asyncio.run(_survey(places)), places)
            return
        outcome = asyncio.run(_done(places, verify_only=verify_only))
    except Unavailable as error:
        remedy = "Give the same command again: it goes on where it was."
        raise Unreachable(error.message, remedy) from error
    _tell(outcome, places, verify_only=verify_only)
    if outcome.wrong or outcome.damaged or outcome.survey.missing:
        ctx.exit(SOME_FAILED)


async def _survey(places: Places) -> Survey:
    async with Move.open(places) as move:
        return await move.survey()


async def _done(places: Places, *, verify_only: bool) -> Outcome:
    meter = Meter(Teller())
    async with Move.open(places) as move:
        return await (move.verify(meter) if verify_only else move.run(meter))


class Teller:
    """Tells how far a move is, now and then."""

    def __init__(self) -> None:
        self._told, self._stage = time.monotonic(), ""

    def __call__(self, meter: Meter) -> None:
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN and meter.stage == self._stage:
            return
        self._told, self._stage = now, meter.stage
        rows = meter.compared or meter.rows
        done = f"{rows:,} records, {meter.objects:,} files, {_bytes(meter.size)}"
        left = "" if meter.seconds_left is None else f", {_duration(meter.seconds_left)} left"
        click.echo(f"{meter.stage}: {meter.share:.0%} ({done}){left}", err=True)


def _tell_survey(found: Survey, places: Places) -> None:
    for table, rows in sorted(found.rows.items()):
        click.echo(f"{table:<20} {rows:>12,} records")
    for prefix, count in sorted(found.objects.items()):
        click.echo(f"{prefix + '/':<20} {count:>12,} files {_bytes(found.sizes[prefix]):>12}")
    click.echo(f"{_sum(found)}; {_duration(found.seconds)} at a usual pace.")
    if found.leased:
        click.echo(f"{found.leased} units were in progress; they are taken up again at once.")
    _tell_staying(places)
    _tell_missing(found)
    found.require_fit()


def _tell(outcome: Outcome, places: Places, *, verify_only: bool) -> None:
    _tell_missing(outcome.survey)
    if outcome.damaged:
        click.echo("Damaged in the source already:\n" + listed(outcome.damaged), err=True)
    if outcome.wrong:
        click.echo("The target is not the same as the source:\n" + listed(outcome.wrong), err=True)
        click.echo(
            "If the service ran on either meanwhile, that is why. Give the command without "
            "--verify-only again, which writes it anew, or begin with an empty target.",
            err=True,
        )
        return
    click.echo(f"{_sum(outcome.survey)}: each is in the target, read back and the same.")
    if not verify_only:
        settings = [f"  {name}={url}" for name, url in places.afterwards().items()]
        click.echo("\n".join(["Start the service with these settings:", *settings]))
        _tell_staying(places)
        click.echo(_REST.format(home=places.settings.home))


_REST = """\
On another machine, or with another MEDIAMILL_HOME, bring these files along, if they are there:
  {home}/secret   unless MEDIAMILL_SECRET is set: links that were given out go on working
  {home}/keyring  unless MEDIAMILL_SEALING_URL is set: secrets in the database can be opened
The source is as it was. Keep it until you are content, then delete it."""


def _tell_staying(places: Places) -> None:
    for name, url in places.staying.items():
        click.echo(f"What is in {name} stays where it is: {url}")


def _tell_missing(found: Survey) -> None:
    if found.missing:
        lines = listed(found.missing)
        click.echo(f"Named by records, but missing in the source already:\n{lines}", err=True)


def _sum(found: Survey) -> str:
    rows, files = found.rows.total(), found.objects.total()
    return f"{rows:,} records and {files:,} files with {_bytes(found.sizes.total())}"


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:,.1f} h"
