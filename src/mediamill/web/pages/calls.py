"""What a job's page tells of its model calls: why other providers were asked."""

from dataclasses import dataclass

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.store.repositories.attempts import Attempt
from mediamill.store.repositories.jobs import Job

PAGES, PAGE, MOST = 3, 100, 30
"""Pages of the ledger that are looked through, rows of each, and reasons that are shown."""


@dataclass(frozen=True)
class Troubles:
    """Calls and skips that gave nothing, the first of them, with the names of their items."""

    rows: tuple[tuple[str, Attempt], ...]
    more: bool


async def troubles(mill: App, caller: Principal, job: Job) -> Troubles:
    """Look through the beginning of a job's ledger."""
    if not job.chains:
        return Troubles((), False)
    found, after = list[Attempt](), None
    for _ in range(PAGES):
        page = await mill.models.ledger.list(caller, job.id, after, PAGE)
        found += [row for row in page.rows if row.failed]
        if (after := page.after) is None or len(found) > MOST:
            break
    names = await _names(mill, job, found[:MOST])
    rows = tuple((names.get((row.stage, row.item), ""), row) for row in found[:MOST])
    return Troubles(rows, after is not None or len(found) > MOST)


async def _names(mill: App, job: Job, rows: list[Attempt]) -> dict[tuple[int, int], str]:
    """Return what the items of some attempts are called."""
    places = dict[int, set[int]]()
    for row in rows:
        places.setdefault(row.stage, set()).add(row.item)
    found = dict[tuple[int, int], str]()
    for stage, items in places.items():
        entries = await mill.repositories.manifests.at(job.id, stage, sorted(items))
        found |= {(stage, item): entry.path or entry.name for item, entry in entries.items()}
    return found
