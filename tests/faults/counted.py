"""Part of the history check: figures are what other rows say, though they are counted apart."""

from collections import Counter

from mediamill.app import App
from mediamill.store.repositories.figures import About, Figure
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.spending import EVERYBODY, SpentDay
from mediamill.store.repositories.usage import MonthlyUsage
from tests.faults.tables import table

RUN = ("succeeded", "failed", "measured")
"""Outcomes of items that were run, which a month's quota counts."""


def figures(app: App) -> list[str]:
    """Compare files, items and calls in figures with what is there and what quotas counted."""
    counted, cost, sizes = Counter[tuple[About, str]](), 0, Counter[About]()
    for row in table(app, Figure):
        counted[row.about, row.status] += row.count
        if row.status not in ("rejected", "refused"):
            sizes[row.about] += row.bytes
        cost += row.cost
    files = [file for file in table(app, File) if file.sha256 and not file.code]
    there = [file for file in files if file.counted is None]
    kept = counted[About.FILES, "received"]
    kept -= sum(counted[About.REMOVED, status] for status in ("deleted", "expired"))
    reserved = sum(job.reserved for job in table(app, Job))
    months = sum(row.items for row in table(app, MonthlyUsage))
    days = [row for row in table(app, SpentDay) if row.scope == EVERYBODY]
    calls = sum(counted[About.CALLS, status] for status in ("answered", "failed"))
    pairs = {
        "files": (kept, len(there)),
        "bytes of files": (
            sizes[About.FILES] - sizes[About.REMOVED], sum(file.size for file in there),
        ),
        "items": (sum(counted[About.ITEMS, status] for status in RUN), months - reserved),
        "calls": (calls, sum(row.calls for row in days)),
        "micro-dollars": (cost, sum(row.cost for row in days)),
    }  # fmt: skip
    return [
        f"there are {true} {what}, figures have {said}"
        for what, (said, true) in pairs.items()
        if said != true
    ]
