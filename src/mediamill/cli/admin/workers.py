"""`mediamill admin workers`: which processes take jobs, and letting them finish."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import click

from mediamill.cli.admin.installation import administer
from mediamill.cli.remote.connection import json_option, show_list
from mediamill.cli.terminal.failures import Failure
from mediamill.core.clock import rfc3339
from mediamill.services.workers import Seen, WorkerService
from mediamill.store.port import Store
from mediamill.store.repositories.workers import Workers, WorkerState

LOOK_SECONDS = 0.5
"""How often `--wait` looks."""

C = Callable[..., Any]


@click.group()
def workers() -> None:
    """List workers, and have them finish what they have without taking more."""


@workers.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List workers, and those of the last day that were lost or have drained.

    Columns: id, name, state, units in hand, version, when it was heard of last.
    """

    async def found(store: Store) -> Sequence[Seen]:
        return await _service(store).all()

    show_list(
        map(_row, administer(found)),
        lambda row: row["id"],
        lambda row: row["name"],
        lambda row: row["state"],
        lambda row: str(row["running"]),
        lambda row: row["version"],
        lambda row: row["seen_at"],
        as_json=as_json,
    )


def _chosen(command: C) -> C:
    """Give a command the workers that it is about."""
    everybody = click.option("--all", "everybody", is_flag=True, help="All that are there now.")
    return click.argument("who", metavar="[WORKER]…", nargs=-1)(everybody(command))


@workers.command()
@_chosen
@click.option("--wait", is_flag=True, help="Come back only when they have nothing left.")
def drain(who: tuple[str, ...], *, everybody: bool, wait: bool) -> None:
    """Have workers finish what they have, however long that takes, and take nothing new.

    WORKER is an id, a name, or a host for all of its workers. Within seconds they take no more.
    Then they end; those of `mediamill up` and `mediamill worker --stay` wait. What they leave is
    done by others, or later.
    """

    async def act(store: Store) -> list[Seen]:
        service = _service(store)
        found = await _select(service, who, everybody=everybody)
        drained = [await service.want(one.row.id, drain=True) for one in found]
        return [await _ended(service, one) for one in drained] if wait else drained

    lost = False
    for one in administer(act):
        lost |= one.lost
        click.echo(f"{one.row.name} {_TOLD.get(_state(one), 'drains.')}")
    if lost:
        raise Failure("Not all have drained: others do what the lost ones had.")


@workers.command()
@_chosen
def undrain(who: tuple[str, ...], *, everybody: bool) -> None:
    """Have workers take jobs again that drain, or wait drained; WORKER as for `drain`."""

    async def act(store: Store) -> list[Seen]:
        service = _service(store)
        found = await _select(service, who, everybody=everybody)
        return [await service.want(one.row.id, drain=False) for one in found]

    for one in administer(act):
        click.echo(f"{one.row.name} takes jobs.")


_TOLD = {
    "drained": "has drained.",
    "lost": "is lost: it was not heard of any more.",
}


def _service(store: Store) -> WorkerService:
    return WorkerService(Workers(store))


async def _select(service: WorkerService, who: Sequence[str], *, everybody: bool) -> Sequence[Seen]:
    """Return the workers that are meant; raises `UsageError` and `NotFound`."""
    if everybody == bool(who):
        raise click.UsageError("Name workers, or give --all.")
    if everybody:
        return [one for one in await service.all() if not (one.lost or one.row.over)]
    found = [one for each in who for one in await service.named(each)]
    return list({one.row.id: one for one in found}.values())


async def _ended(service: WorkerService, seen: Seen) -> Seen:
    """Wait until a worker has drained, has gone, or is lost."""
    while not seen.lost and seen.row.state is not WorkerState.DRAINED:
        await asyncio.sleep(LOOK_SECONDS)
        found = [one for one in await service.all() if one.row.id == seen.row.id]
        if not found:  # it was ended by a signal meanwhile, and left as it should
            return Seen(seen.row.evolve(state=WorkerState.DRAINED), lost=False)
        seen = found[0]
    return seen


def _state(seen: Seen) -> str:
    return "lost" if seen.lost else seen.row.state.value


def _row(seen: Seen) -> dict[str, Any]:
    row = seen.row
    return {
        "id": row.id,
        "name": row.name,
        "host": row.host,
        "pid": row.pid,
        "version": row.version,
        "classes": list(row.classes),
        "state": _state(seen),
        "drain": row.drain,
        "running": row.running,
        "started_at": rfc3339(row.started),
        "seen_at": rfc3339(row.seen),
    }
