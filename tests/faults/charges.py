"""Part of the history check: an owner's usage is what the rows sum to that say they count."""

from collections import Counter

from mediamill.app import App
from mediamill.store.repositories.annotation_rows import AnnotationHistory, FileAnnotations
from mediamill.store.repositories.datasets import DatasetVersion
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.projects import Project
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.uploads import Upload, UploadPart
from mediamill.store.repositories.usage import MonthlyUsage, Usage
from tests.faults.tables import table


def usage(app: App) -> list[str]:
    """Compare what is charged with what is there, and each owner's usage with their sum."""
    files, jobs, uploads = table(app, File), table(app, Job), table(app, Upload)
    broken = [
        f"{file.id} has {file.size} bytes, charged {file.charged}"
        for file in files
        if file.charged
        != {FileState.READY: file.size, FileState.REJECTED: 0}.get(file.state, file.charged)
    ]
    parts, made = Counter[str](), Counter[str]()
    for part in table(app, UploadPart):
        parts[part.upload] += part.size
    broken += [
        f"{upload.id} has {parts[upload.id]} bytes in parts, charged {upload.charged}"
        for upload in uploads
        if upload.charged < parts[upload.id] and upload.state in ("receiving", "checking")
    ]
    for result in table(app, Result):
        made[result.job] += sum(file.size for file in result.files)
    broken += [
        f"{job.id} has {made[job.id]} bytes of results, charged {job.charged}"
        for job in jobs
        if job.state.terminal and not job.hidden and job.charged != made[job.id]
    ]
    return broken + _drawn(app) + _sums(app, files, jobs, uploads) + _counts(app, files, jobs)


def _counts(app: App, files: list[File], jobs: list[Job]) -> list[str]:
    """Compare the files, open jobs and items that are counted with the rows that say they count.

    Of a job that is gone its items stay counted: they were run.
    """
    kept, opened, items = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for file in files:
        kept[file.owner] += file.metered
    for job in jobs:
        opened[job.owner] += job.counted
        for month, count in job.metered.items():
            items[job.owner, month] += count
    told = {row.owner: row for row in table(app, Usage)}
    monthly = {(row.owner, row.month): row.items for row in table(app, MonthlyUsage)}
    broken = [
        f"{owner} has {kept[owner]} files and {opened[owner]} open jobs; counted are {one.files} "
        f"and {one.jobs}"
        for owner in {*kept, *opened, *told}
        if (one := told.get(owner, Usage(owner=owner))).files != kept[owner]
        or one.jobs != opened[owner]
    ]
    broken += [
        f"{owner} ran {count} items in {month}; counted are {monthly.get((owner, month), 0)}"
        for (owner, month), count in items.items()
        if monthly.get((owner, month), 0) < count
    ]
    return broken + [
        f"{job.id} has ended, and still counts as open, or for {job.reserved} items to run"
        for job in jobs
        if job.state.terminal and (job.counted or job.reserved)
    ]


def _drawn(app: App) -> list[str]:
    """Compare what annotations are charged with what is kept of them."""
    kept = Counter[tuple[str, str]]()
    drawn = table(app, FileAnnotations)
    for row in (*drawn, *table(app, AnnotationHistory)):
        kept[row.project, row.file] += row.size
    return [
        f"what is drawn on {row.file} in {row.project} has {kept[row.project, row.file]} bytes, "
        f"charged {row.charged}"
        for row in drawn
        if row.charged != kept.pop((row.project, row.file))
    ] + [f"{file} in {project} has a history without a row" for project, file in kept if kept]


def _sums(app: App, files: list[File], jobs: list[Job], uploads: list[Upload]) -> list[str]:
    charged, results = Counter[str](), Counter[str]()
    for row in (*files, *jobs, *uploads, *table(app, DatasetVersion)):
        charged[row.owner] += row.charged
    owners = {project.id: project.owner for project in table(app, Project)}
    for drawn in table(app, FileAnnotations):
        charged[owners[drawn.project]] += drawn.charged
    for job in jobs:
        results[job.owner] += job.charged
    told = {row.owner: row for row in table(app, Usage)}
    return [
        f"{owner} keeps {charged[owner]} bytes, {results[owner]} of results; counted are "
        f"{one.bytes} and {one.results}"
        for owner in {*charged, *told}
        if (one := told.get(owner, Usage(owner=owner))).bytes != charged[owner]
        or one.results != results[owner]
    ]
