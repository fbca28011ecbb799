"""`mediamill admin audit`: search the audit trail."""

from itertools import islice
from typing import Any

import click

from mediamill.cli.admin.installation import administer
from mediamill.cli.remote.connection import json_option, show_list
from mediamill.core.clock import rfc3339
from mediamill.core.ids import made_at
from mediamill.services.audit.search import AuditService, Wanted
from mediamill.store.port import MAX_PAGE, Store
from mediamill.store.repositories.audit import Act, Audit


@click.command()
@click.option("--actor", help="Id of who did it, `nobody` or `operator`.")
@click.option("--about", help="Id of the user or record that it was done to.")
@click.option("--action", help="As signed_in, denied, file_deleted.")
@click.option("--since", help="A day or time (UTC), the first that counts.")
@click.option("--until", help="A day or time (UTC), the first that does not count any more.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@json_option
def audit(*, limit: int, as_json: bool, **options: str | None) -> None:
    """Show who did what, and who was denied what, newest first.

    Columns: time, action, verdict, who, about what, address, how often, details.
    """
    found = administer(lambda store: _acts(store, Wanted(**options), limit))
    show_list(
        map(_row, found),
        lambda row: row["at"],
        lambda row: row["action"],
        lambda row: row["verdict"],
        lambda row: row["actor"],
        lambda row: row["about"] or "",
        lambda row: row["address"],
        lambda row: str(row["count"]),
        lambda row: " ".join(f"{name}={value}" for name, value in row["details"].items()),
        as_json=as_json,
    )


async def _acts(store: Store, wanted: Wanted, limit: int) -> list[Act]:
    service, found, after = AuditService(Audit(store)), list[Act](), None
    while True:
        page = await service.look(wanted, after, min(limit, MAX_PAGE))
        found.extend(islice(page.rows, limit - len(found)))
        if (after := page.after) is None or len(found) == limit:
            return found


def _row(act: Act) -> dict[str, Any]:
    return {
        "id": act.id,
        "at": rfc3339(made_at(act.id)),
        "action": act.action,
        "verdict": act.verdict.value,
        "actor": act.actor,
        "about": act.about,
        "address": act.address,
        "agent": act.agent,
        "request": act.request,
        "count": act.count,
        "details": act.details,
    }
