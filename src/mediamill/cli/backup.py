"""`mediamill backup`: make backups of this home's installation, list them, read them back."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import click

from mediamill.backup.manifest import Snapshot
from mediamill.backup.pruning import prune
from mediamill.backup.reading import Verdict, chosen, drop_broken, unreadable, verified
from mediamill.backup.taking import Taking
from mediamill.backup.vault import SETTING, Vault
from mediamill.blobs.opening import open_blobs
from mediamill.cli.admin.installation import as_operator
from mediamill.cli.remote.connection import json_option, show_list, size_text
from mediamill.cli.remote.home import read_all_settings
from mediamill.cli.serve import home_option
from mediamill.cli.terminal.failures import SOME_FAILED, Failure, Unreachable
from mediamill.cli.terminal.leading import LeadingGroup
from mediamill.core.backups import refuse_unrestored
from mediamill.core.clock import SystemClock, rfc3339
from mediamill.core.errors import BrokenMedia, Conflict, Locked, NotFound, Unavailable
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.store.copying import copying, kind_of
from mediamill.store.opening import open_store

T = TypeVar("T")
SHOWN = 20
TROUBLES = {
    "missing": "Missing in the installation already",
    "damaged": "Damaged in the installation already",
    "cold": "In cold storage, so not in the backup",
}

place_argument = click.argument("place", metavar="[DEST]", required=False)


@click.group(cls=LeadingGroup, leading="run")
def backup() -> None:
    """Make backups of this home's installation, list them, read them back.

    DEST is a folder or a bucket, s3://…; without it MEDIAMILL_BACKUP_URL. `mediamill backup DEST`
    is short for `mediamill backup run DEST`.
    """


@backup.command()
@place_argument
@home_option
@click.option(
    "--again",
    is_flag=True,
    help="Read all files anew, and what DEST has of them; what is broken there is written anew.",
)
@click.option(
    "--take-over", is_flag=True, help="DEST has backups of another database: go on with this one."
)
@click.option("--keep", type=click.IntRange(1), help="Keep so many snapshots at most.")
@click.option(
    "--keep-days",
    type=click.IntRange(1, 36_500),
    help="Keep none that is older [env var: MEDIAMILL_BACKUP_KEEP_DAYS].",
)
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    place: str | None,
    *,
    home: str | None,
    again: bool,
    take_over: bool,
    keep: int | None,
    keep_days: int | None,
    as_json: bool,
) -> None:
    """Make a snapshot of everything; the service may be at work.

    What DEST has already is not written once more. What was written is read back, and only then is
    it a snapshot; one that was interrupted leaves those before as they were. Then old ones are
    dropped: all of the last day stay, and the last one of each day before.
    """
    settings = read_all_settings(home=home)
    where, days = _place(place, settings), keep_days or settings.backup_keep_days

    async def done() -> tuple[Snapshot, int, str]:
        async with _taking(settings) as taking, Vault.open(where) as vault:
            async with as_operator(taking.store, "mediamill backup"):
                snapshot = await taking.take(vault, where, again=again, take_over=take_over)
            try:
                return snapshot, (await prune(vault, SystemClock().now(), days, keep or 0))[0], ""
            except (BrokenMedia, Conflict, Locked) as error:
                return snapshot, 0, error.message

    snapshot, dropped, staying = _done(done)
    if as_json:
        click.echo(json.dumps({**_row(snapshot), "dropped": dropped}))
    else:
        _tell(snapshot, dropped)
    if staying:
        remedy = "See what `mediamill backup verify --all` says."
        click.echo(f"Old snapshots were not dropped: {staying} {remedy}", err=True)
    ctx.exit(SOME_FAILED if any(snapshot.counts.values()) or staying else 0)


@backup.command("list")
@place_argument
@json_option
def list_(place: str | None, *, as_json: bool) -> None:
    """List the snapshots at DEST, the oldest first.

    Columns: id, when it was begun, the rows' store, files, bytes, bytes that were new, keys.
    """
    where = _place(place, read_all_settings())

    async def rows() -> list[dict[str, Any]]:
        async with Vault.open(where, makes=False) as vault:
            return [await _listed(vault, name) for name in await vault.names()]

    show_list(_done(rows), *COLUMNS, as_json=as_json)


@backup.command()
@place_argument
@click.option("--at", default="", metavar="SNAPSHOT", help="An id, or a time; default: the newest.")
@click.option("--all", "each", is_flag=True, help="All snapshots.")
@click.option(
    "--drop-broken",
    is_flag=True,
    help="Remove what is not as it was written, so that the next backup writes it anew; with --all "
    "also snapshots that cannot be read.",
)
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    place: str | None,
    *,
    at: str,
    each: bool,
    drop_broken: bool,
    as_json: bool,
) -> None:
    """Read a snapshot back and compare everything in it by its SHA-256.

    The exit code is 1 when something is missing or is not what was written.
    """
    where = _place(place, read_all_settings())
    found, lost = _done(lambda: _verified(where, at, each=each, drop=drop_broken))
    for name in lost:
        click.echo(f"{name}: this snapshot cannot be read.", err=True)
    for one in found:
        if as_json:
            told = {"id": one.snapshot.id, "objects": one.objects, "broken": one.broken}
            click.echo(json.dumps(told))
            continue
        whole = "whole" if not one.broken else f"{len(one.broken)} objects are missing or broken"
        amount = f"{one.objects:,} files, {size_text(one.size)}"
        click.echo(f"{one.snapshot.id}: {amount}: {whole}.")
        for sha256 in one.broken[:SHOWN]:
            click.echo(f"  {sha256}", err=True)
    ctx.exit(SOME_FAILED if lost or any(one.broken for one in found) else 0)


async def _verified(
    where: str, at: str, *, each: bool, drop: bool
) -> tuple[list[Verdict], list[str]]:
    async with Vault.open(where, makes=False) as vault:
        lost = await unreadable(vault) if each else []
        names = [name for name in await vault.names() if name not in lost] if each else [at]
        found = [await verified(vault, await chosen(vault, name, lost.append)) for name in names]
        broken = sorted({sha256 for one in found for sha256 in one.broken})
        if drop and (broken or (lost and each)):
            await drop_broken(vault, broken, lost if each else ())
        return found, lost


def _place(place: str | None, settings: Settings) -> str:
    found = place or settings.backup_url
    if not found:
        raise Failure("Where to?", f"Name a folder or a bucket, or set {SETTING}.")
    return found


@asynccontextmanager
async def _taking(settings: Settings) -> AsyncIterator[Taking]:
    """Open what is backed up."""
    refuse_unrestored(settings.home)
    await copying(kind_of(settings.store_url)).require_there(settings.store_url)
    async with AsyncExitStack() as stack:
        store = await open_store(settings.store_url)
        stack.push_async_callback(store.close)
        places = []
        for url in dict.fromkeys((settings.blobs_url, settings.results_url)):
            places.append(await open_blobs(url))
            stack.push_async_callback(places[-1].close)
        yield Taking(settings, store, places)


def _done(act: Callable[[], Awaitable[T]]) -> T:
    configure_logging("text", "error")

    async def done() -> T:
        return await act()

    try:
        return asyncio.run(done())
    except Unavailable as error:
        raise Unreachable(error.message, "Give the same command again later.") from error


def _row(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "begun_at": rfc3339(snapshot.begun),
        "ended_at": rfc3339(snapshot.ended),
        "store": snapshot.database.kind,
        "program": snapshot.program,
        "objects": snapshot.objects,
        "bytes": snapshot.size,
        "new_bytes": snapshot.fresh,
        "keys": "sealed" if snapshot.keys else "apart",
        "missing": snapshot.missing,
        "damaged": snapshot.damaged,
        "cold": snapshot.cold,
        "passing": snapshot.passing,
        "counts": snapshot.counts,
    }


async def _listed(vault: Vault, name: str) -> dict[str, Any]:
    try:
        return _row(await vault.snapshot(name))
    except (BrokenMedia, Conflict, NotFound) as error:
        return {"id": name, "error": error.message}


COLUMNS: tuple[Callable[[dict[str, Any]], Any], ...] = (
    lambda row: row["id"],
    lambda row: row.get("begun_at") or row["error"],
    lambda row: row.get("store"),
    lambda row: f"{row.get('objects', 0):,} files",
    lambda row: size_text(row.get("bytes", 0)),
    lambda row: f"new: {size_text(row.get('new_bytes', 0))}",
    lambda row: f"keys: {row.get('keys', '')}",
)


def _tell(snapshot: Snapshot, dropped: int) -> None:
    amount = f"{snapshot.objects:,} files, {size_text(snapshot.size)} with the rows"
    seconds = (snapshot.ended - snapshot.started) / 1000
    click.echo(
        f"{snapshot.id}: {amount}, {size_text(snapshot.fresh)} of it new, in {seconds:.0f} s."
    )
    if dropped:
        click.echo(f"{dropped} older snapshots were dropped.")
    for what, told in TROUBLES.items():
        if found := getattr(snapshot, what):
            some = "\n".join(f"  {key}" for key in found[:SHOWN])
            more = snapshot.counts.get(what, 0) - min(len(found), SHOWN)
            some += f"\n  and {more:,} more" if more else ""
            click.echo(f"{told}:\n{some}", err=True)
    if not snapshot.keys:
        click.echo(
            "The keys of the home, `secret` and `keyring`, are not in it: keep them apart, or set "
            "MEDIAMILL_BACKUP_PASSPHRASE, which seals them.",
            err=True,
        )
