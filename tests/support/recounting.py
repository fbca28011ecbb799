"""Count what figures have over again, from the rows that are still there."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from mediamill.engine.asking.money import call_fact
from mediamill.store.port import Store
from mediamill.store.repositories.attempts import Attempt
from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import (
    COUNTED,
    NAMED,
    About,
    Fact,
    Figures,
    pipeline,
    took,
)
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import ItemOutcome, Result
from mediamill.store.repositories.units import Unit

Counts = dict[tuple[Any, ...], dict[str, int]]
"""By day, what is counted, and names without the customer."""
NAMES = tuple(name for name in NAMED if name != "customer")


async def figures(store: Store, *abouts: About, first: str = "2025-01-01") -> Counts:
    """Return what is counted, whatever row it lies in."""
    found: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    async for row in Figures(store).walk(first, "2029-12-31"):
        if not abouts or row.about in abouts:
            place = row.day, row.about, *(getattr(row, name) for name in NAMES)
            found[place].update({name: getattr(row, name) for name in COUNTED[row.about]})
    return {place: dict(counts) for place, counts in found.items()}


def of_facts(facts: Iterable[Fact]) -> Counts:
    """Return facts as figures have them."""
    found: dict[tuple[Any, ...], dict[str, int]] = {}
    for fact in facts:
        place = fact.day, fact.about, *(getattr(fact, name) for name in NAMES)
        counts = found.setdefault(place, dict.fromkeys(COUNTED[fact.about], 0))
        for name, more in fact.counts.items():
            counts[name] += more
    return found


async def recounted(store: Store, rows: Sequence[Any], operations: Any) -> Counts:
    """Count rows of files, jobs, their units and results, and model calls; nothing was retried.

    `operations` tells those of a stage of a job, and whether what it makes is for others only.
    """
    facts = [*_files(rows), *_jobs(rows), *_calls(rows)]
    jobs = {row.id: row for row in rows if isinstance(row, Job)}
    ended = {
        (unit.group, unit.payload["stage"], item): unit.finished
        for unit in rows
        if isinstance(unit, Unit) and unit.group in jobs
        for item in unit.items
    }
    lookup = FileLookup(store)
    for row in rows:
        if isinstance(row, Result):
            (file,) = await lookup.get_many([row.input]) if row.input else [None]
            together, inner = operations(jobs[row.job], row.stage)
            day = day_of(ended[row.key_values()] or 0)
            facts.append(_item(row, day, file, together, inner=inner))
    return of_facts(facts)


def _files(rows: Sequence[Any]) -> Iterable[Fact]:
    for row in rows:
        if isinstance(row, File) and row.state in (FileState.READY, FileState.REJECTED):
            rejected = row.state is FileState.REJECTED
            yield Fact(
                about=About.FILES, day=day_of(row.created), source=row.source,
                status="rejected" if rejected else "received", media_type=row.media_type,
                counts={"count": 1, "bytes": row.size},
            )  # fmt: skip


def _jobs(rows: Sequence[Any]) -> Iterable[Fact]:
    for row in rows:
        if isinstance(row, Job) and row.finished is not None:
            yield Fact(
                about=About.JOBS, day=day_of(row.finished), status=row.state,
                operation=pipeline(step.operation for step in row.steps),
                counts={"count": 1, "items": row.items, **took(row.finished - row.created)},
            )  # fmt: skip


def _calls(rows: Sequence[Any]) -> Iterable[Fact]:
    return [call_fact(row) for row in rows if isinstance(row, Attempt) and row.called]


def _item(
    row: Result, day: str, file: File | None, together: Sequence[str], *, inner: bool
) -> Fact:
    status: str = row.outcome
    if inner and row.outcome is ItemOutcome.SUCCEEDED:
        status = "measured"
    made = [one for _, one in row.outputs]
    media_type, size = (file.media_type, file.size) if file else ("", 0)
    if row.path:  # of a member, what was seen when it was run
        seen = row.report.get("input", {})
        media_type, size = seen.get("media_type", ""), seen.get("size", 0)
    timing = took(round(row.seconds * 1000)) if row.seconds else {}
    return Fact(
        about=About.ITEMS, day=day, status=status, operation=pipeline(together),
        source=file.source if file else "", media_type=media_type,
        counts={
            "count": 1, "bytes": size, "results": len(made),
            "result_bytes": sum(one.size for one in made), **timing,
        },
    )  # fmt: skip
