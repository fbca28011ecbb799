"""Part of the history check: the blobs of projects, which rows name or which go with their row."""

from mediamill.app import App
from mediamill.store.repositories.annotation_rows import (
    AnnotationBook,
    AnnotationHistory,
    FileAnnotations,
)
from mediamill.store.repositories.datasets import DatasetVersion, ProjectTask, VersionFile
from tests.faults.tables import table


def named(app: App) -> set[str]:
    """List the blobs that must be there."""
    drawn = (FileAnnotations, AnnotationHistory, AnnotationBook, VersionFile)
    found = {row.blob for kind in drawn for row in table(app, kind)}
    return found | {f"{row.root}/entries" for row in _versions(app) if row.state == "ready"}


def roots(app: App) -> tuple[str, ...]:
    """Return what the keys of blobs begin with that go with a version or a task."""
    found = [f"{row.root}/" for row in _versions(app)]
    for task in table(app, ProjectTask):
        found += [task.plan, f"annotations/{task.project}/imports/{task.id}/"]
    return tuple(found)


def _versions(app: App) -> list[DatasetVersion]:
    return [row for row in table(app, DatasetVersion) if row.deleted is None]
